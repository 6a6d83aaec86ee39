"""Signing in with the CRM: begun here, approved there, ended in the browser that began it.

Who somebody is, is what the CRM says of them just then: (the origin that discovery proved, the workspace's
id there, the person's id there). An admin is who may change the data model. Nothing is kept unless
everything holds; a consent that is cancelled never calls back, and its row ends by itself.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

import structlog

from connector.errors import RefusedError
from connector.ports import Clock, Tokens
from connector.ports.crm_sign_in import CrmPerson, CrmServer, CrmSignIn
from connector.store import admins, answers, crm_grants, crm_sign_ins, runs, workspaces
from connector.store.admins import Admin
from connector.store.crm_grants import CrmGrant
from connector.store.db import Database, Session
from connector.store.workspaces import Workspace
from connector.sync import crm_tokens
from connector.sync.onboarding import origin
from connector.vault import Vault

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SignUp:
    """Who may open a workspace: ``operator``, ``allowed-hosts`` (CRMs at ``hosts``) or ``open``."""

    who: str
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CrmDesk:
    """What signing in is done with. ``ring`` is asked for each run that may go on."""

    database: Database
    vault: Vault
    client: CrmSignIn
    clock: Clock
    redirect_uri: str
    sign_up: SignUp
    ring: Callable[[runs.Run], None]


@dataclass(frozen=True, slots=True)
class Beginner:
    """Who begins: a browser, known by the digest of a secret in its cookie; perhaps a signed-in operator."""

    browser_hash: str = field(repr=False)
    operator_id: str | None = None
    workspace_id: str | None = None


@dataclass(frozen=True, slots=True)
class Going:
    """Where to send the browser, and the two hosts that a person should know of."""

    url: str = field(repr=False)
    server: str
    page: str

    @property
    def is_elsewhere(self) -> bool:
        """Whether people approve on a host that is not the server's own, nor one below it."""
        return self.page != self.server and not self.page.endswith(f".{self.server}")


@dataclass(frozen=True, slots=True)
class Entered:
    """Who came in, where, and whether the workspace was opened by it. ``operator_id``: who had begun it."""

    admin: Admin
    workspace: Workspace
    is_new: bool
    operator_id: str | None
    onward: str


def begin(desk: CrmDesk, typed: str, beginner: Beginner, *, onward: str) -> Going:
    """Find the server behind an address, make ourselves known there if need be, remember who asks.

    Raises AddressError, RefusedError (no Twenty there, one without sign-in, nobody may sign in from there),
    TryLaterError.
    """
    asked = origin(typed)
    server = desk.client.find(asked)
    if not server.authorize_url:
        raise _too_old(server)
    with desk.database.reading() as session:
        _check_origin(desk, session, server, asked, beginner)
    client_id = _registered(desk, server)
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
    now, id_ = desk.clock(), str(uuid.uuid4())
    row = crm_sign_ins.CrmSignIn(
        id=id_,
        state_hash=answers.digest(state),
        verifier_sealed=desk.vault.seal(verifier, bound_to=_binding(id_)),
        browser_hash=beginner.browser_hash,
        origin=server.origin,
        token_url=server.token_url,
        client_id=client_id,
        operator_id=beginner.operator_id,
        workspace_id=beginner.workspace_id,
        onward=onward,
        created_at=now,
        expires_at=now + answers.LIFE,
    )
    with desk.database.transaction() as session:
        crm_sign_ins.add(session, row)
    url = desk.client.authorize_url(server, client_id, state=state, verifier=verifier)
    return Going(url, _host(server.origin), _host(server.authorize_url))


def decline(desk: CrmDesk, browser_hash: str, *, state: str) -> None:
    """The CRM answered without a code: that sign-in is over. Raises RefusedError as ``complete``."""
    with desk.database.transaction() as session:
        crm_sign_ins.use(session, browser_hash, state, desk.clock())


def tidy(desk: CrmDesk) -> int:
    """Forget the sign-ins whose time is over: a consent that is cancelled never calls back. How many."""
    with desk.database.transaction() as session:
        return crm_sign_ins.sweep(session, desk.clock())


def complete(
    desk: CrmDesk, browser_hash: str, *, state: str, code: str, also: Callable[[Session, Entered], None]
) -> Entered:
    """Redeem a code: who it is, their workspace, and what they granted, kept; ``also`` in one transaction.

    Raises RefusedError (state, code, no admin, no workspace for them), ReconnectError, TryLaterError; then
    nothing is kept, and the way is to begin again.
    """
    with desk.database.transaction() as session:
        row = crm_sign_ins.use(session, browser_hash, state, desk.clock())
    verifier = desk.vault.open(row.verifier_sealed, bound_to=_binding(row.id))
    tokens = desk.client.exchange(row.token_url, row.client_id, code, verifier=verifier)
    person = desk.client.person(row.origin, tokens.access)
    if not person.may_change_model:
        raise _no_admin(person)
    with desk.database.transaction() as session:
        known = workspaces.of_crm(session, row.origin, person.workspace.workspace_id)
        if row.workspace_id is not None and (known is None or known.id != row.workspace_id):
            raise _another_workspace(person)
        if known is None:
            _check_may_open(desk, row, person)
        workspace = known or _opened(desk, session, row, person)
        entered = _kept(desk, session, row, workspace, person, tokens, is_new=known is None)
        also(session, entered)
        going_on = _accept(session, workspace, desk)
    for run in going_on:
        desk.ring(run)
    log.info("signed in with the CRM", workspace=workspace.id, admin=entered.admin.id, new=entered.is_new)
    return entered


def _kept(
    desk: CrmDesk,
    session: Session,
    row: crm_sign_ins.CrmSignIn,
    workspace: Workspace,
    person: CrmPerson,
    tokens: Tokens,
    *,
    is_new: bool,
) -> Entered:
    now = desk.clock()
    one = admins.vouched(session, workspace.id, person.id, name=person.name, email=person.email, now=now)
    seal = desk.vault.seal
    crm_grants.keep(
        session,
        CrmGrant(
            admin_id=one.id,
            workspace_id=workspace.id,
            token_url=row.token_url,
            client_id=row.client_id,
            access_sealed=seal(tokens.access, bound_to=crm_tokens.binding(workspace.id, one.id, "access")),
            refresh_sealed=seal(tokens.refresh, bound_to=crm_tokens.binding(workspace.id, one.id, "refresh")),
            expires_at=now + timedelta(seconds=tokens.expires_in),
            granted_at=now,
        ),
    )
    return Entered(one, workspace, is_new, row.operator_id, row.onward)


def _accept(session: Session, workspace: Workspace, desk: CrmDesk) -> list[runs.Run]:
    """Runs that waited for somebody to sign in go on, unless it is a key of theirs that was refused."""
    if workspace.crm_refusal is None or workspace.crm_key_sealed is not None:
        return []
    workspaces.accept(session, workspace.id)
    return runs.resume_all(session, workspace.id, desk.clock())


def _opened(desk: CrmDesk, session: Session, row: crm_sign_ins.CrmSignIn, person: CrmPerson) -> Workspace:
    account = person.workspace
    made = Workspace(
        id=str(uuid.uuid4()),
        name=workspaces.free_name(session, account.name or _host(row.origin)),
        crm_url=row.origin,
        crm_workspace_id=account.workspace_id,
        crm_name=account.name,
        crm_key_sealed=None,
        schema_version=None,
        batch_cap=None,
        created_at=desk.clock(),
    )
    workspaces.add(session, made)
    return made


def _registered(desk: CrmDesk, server: CrmServer) -> str:
    """As whom the server knows us. It forgets registrations that nobody used for 30 days, without a word."""
    with desk.database.reading() as session:
        known = crm_sign_ins.client_id(session, server.origin, desk.redirect_uri)
    if known is not None and desk.client.is_known(server, known):
        return known
    made = desk.client.register(server)
    with desk.database.transaction() as session:
        crm_sign_ins.remember(session, server.origin, desk.redirect_uri, made, desk.clock())
    return made


def _check_origin(desk: CrmDesk, session: Session, server: CrmServer, asked: str, beginner: Beginner) -> None:
    """Whether anybody could sign in from this CRM: asked before we make ourselves known there."""
    if beginner.operator_id or desk.sign_up.who == "open" or workspaces.is_served(session, server.origin):
        return
    hosts = desk.sign_up.hosts if desk.sign_up.who == "allowed-hosts" else ()
    if not {_host(server.origin), _host(asked)} & set(hosts):
        raise _not_served(_host(server.origin))


def _check_may_open(desk: CrmDesk, row: crm_sign_ins.CrmSignIn, person: CrmPerson) -> None:
    """On a server of many workspaces the host that counts is that of the workspace's own pages."""
    if row.operator_id or desk.sign_up.who == "open":
        return
    hosts = desk.sign_up.hosts if desk.sign_up.who == "allowed-hosts" else ()
    if not {_host(row.origin), person.host} & set(hosts):
        raise _not_served(person.workspace.name or _host(row.origin))


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _binding(id_: str) -> str:
    return f"crm_sign_in:{id_}:verifier"


def _too_old(server: CrmServer) -> RefusedError:
    return RefusedError(
        f"{_host(server.origin)} is a Twenty without sign-in for other applications: an older version.",
        code="crm_no_oauth",
        remedy="Whoever runs this connector can connect it with an API key, and give you a one-time link.",
    )


def _no_admin(person: CrmPerson) -> RefusedError:
    who, where = person.name or person.email or "You", person.workspace.name or "this workspace"
    return RefusedError(
        f"{who} may not change the data model of {where}, and the connector needs somebody who may.",
        code="crm_not_admin",
        remedy="Have an admin of the workspace sign in, or give you a role with that right: in Twenty under "
        "Settings, Roles.",
    )


def _not_served(what: str) -> RefusedError:
    return RefusedError(
        f"There is no workspace for {what} here yet, and not everybody may open one.",
        code="crm_sign_up",
        remedy="Ask whoever runs this connector: they open it once, then all its admins can sign in.",
    )


def _another_workspace(person: CrmPerson) -> RefusedError:
    return RefusedError(
        f"You approved for another workspace, {person.workspace.name or person.workspace.workspace_id}.",
        code="crm_other_workspace",
        remedy="Begin again, and choose on Twenty's page the workspace that this page is about.",
    )
