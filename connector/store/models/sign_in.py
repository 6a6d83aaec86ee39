"""Signing in with the CRM: its people, what they granted, how it knows us, and who is on the way."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, String, Table, Text, UniqueConstraint

from connector.store.db import metadata
from connector.store.models.columns import Id
from connector.store.types import UtcDateTime

admin = Table(
    "admin",
    metadata,
    Column("id", Id, primary_key=True),
    #: The one workspace of this person. A person of two workspaces is two rows.
    Column("workspace_id", Id, ForeignKey("workspace.id"), nullable=False, index=True),
    #: The CRM's own id of the person: with the workspace the identity.
    Column("crm_user_id", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    #: The last time the CRM vouched for this person.
    Column("signed_in_at", UtcDateTime, nullable=False),
    #: Shut out, because the CRM no longer vouches for them; null: may sign in.
    Column("removed_at", UtcDateTime),
    UniqueConstraint("crm_user_id", "workspace_id"),
)

crm_grant = Table(
    "crm_grant",
    metadata,
    #: Whose sign-in it is: one grant for each person.
    Column("admin_id", Id, ForeignKey("admin.id"), primary_key=True),
    Column("workspace_id", Id, ForeignKey("workspace.id"), nullable=False, index=True),
    #: Where it is renewed, and as whom: the registration that it was given to.
    Column("token_url", Text, nullable=False),
    Column("client_id", Text, nullable=False),
    #: Sealed, each bound to its row and its place in it.
    Column("access_sealed", Text, nullable=False),
    Column("refresh_sealed", Text, nullable=False),
    #: When the access token ends.
    Column("expires_at", UtcDateTime, nullable=False),
    Column("granted_at", UtcDateTime, nullable=False),
    #: Since when the CRM does not renew it; null while it does.
    Column("ended_at", UtcDateTime),
    #: Who renews it now; null when nobody does. Void after claimed_until.
    Column("claimed_by", String(64)),
    Column("claimed_until", UtcDateTime),
)

crm_registration = Table(
    "crm_registration",
    metadata,
    #: The CRM's origin and our address: a registration is for this pair.
    Column("origin", String(300), primary_key=True),
    Column("redirect_uri", String(300), primary_key=True),
    #: Public: a client of this kind has no secret.
    Column("client_id", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

crm_sign_in = Table(
    "crm_sign_in",
    metadata,
    Column("id", Id, primary_key=True),
    #: SHA-256 of the state that the CRM hands back; the state itself is in the browser's address bar only.
    Column("state_hash", String(64), nullable=False, unique=True),
    #: Sealed; proves to the CRM that whoever redeems the code is the one who asked for it.
    Column("verifier_sealed", Text, nullable=False),
    #: SHA-256 of the token in that browser's cookie: no other browser may end it.
    Column("browser_hash", String(64), nullable=False),
    #: The server it went to, and as whom. Its answer is redeemed there and nowhere else.
    Column("origin", String(300), nullable=False),
    Column("token_url", Text, nullable=False),
    Column("client_id", Text, nullable=False),
    #: The operator who began it while signed in, and the workspace of the page; null for anybody else.
    Column("operator_id", Id, ForeignKey("operator.id")),
    Column("workspace_id", Id, ForeignKey("workspace.id")),
    #: The path to go on to.
    Column("onward", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
    #: Set once, by the answer that came for it.
    Column("used_at", UtcDateTime),
)
