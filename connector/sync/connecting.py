"""Connecting a company by OAuth: begun here, approved at the source, ended in the browser that began it.

Nothing is half-stored. Everything outside is asked first; then one transaction keeps the connection. Where
a person has several companies, what was granted waits, sealed, until one is chosen, and not for long.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from connector.errors import ConnectorError, RefusedError
from connector.ports import Approver, Clock, Reader, SourceAccount, TokenClient, Tokens
from connector.store import connections, pending
from connector.store.connections import Connection
from connector.store.db import Database, Session
from connector.store.pending import Pending, Visitor
from connector.sync import returning
from connector.sync.approvals import Approval, binding, connection_of, unwrapped, wrapped
from connector.sync.onboarding import IDENTITY
from connector.sync.tokens import revoke
from connector.vault import Vault

log = structlog.get_logger(__name__)

_CREDENTIAL = (
    *("company_title", "auth", "secret_sealed", "refresh_sealed", "expires_at", "source_user_id", "scopes"),
    *("status", "asked_company_id", "refresh_claimed_by", "refresh_claimed_until", "refresh_asked_at"),
    *("ended_code", "ended_at"),
)
"""What a new approval replaces in a connection."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What connecting is done with.

    ``asked`` gives the scopes of a workspace's request. ``open_reader`` makes a reader from an access token
    and a company that are not kept yet, ``open_keyed`` from an API key.
    """

    database: Database
    vault: Vault
    client: TokenClient
    clock: Clock
    redirect_uri: str
    asked: Callable[[str], tuple[str, ...]]
    open_reader: Callable[[str, str], Reader]
    open_keyed: Callable[[str, str | None], Reader]


@dataclass(frozen=True, slots=True)
class Connected:
    """The company is connected. ``missing`` are the permissions that were asked for and not granted."""

    connection: Connection
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Company:
    """One line of a choice; ``taken`` when the workspace has a live connection to it."""

    id: str
    title: str
    taken: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """Several companies, and the pending authorization under which one of them is chosen."""

    id: str
    approver: str
    companies: tuple[Company, ...]


def begin(
    desk: Desk,
    workspace_id: str,
    visitor: Visitor,
    *,
    connection_id: str | None = None,
    more: Sequence[str] = (),
) -> str:
    """Remember who asks; the address to send the browser to.

    With ``connection_id`` it is that company's access which is granted anew. ``more`` is asked for beside
    what the mappings need. Raises RefusedError when the workspace has no such connection.
    """
    state, verifier, nonce = (secrets.token_urlsafe(size) for size in (32, 64, 24))
    company_id = _company_of(desk, workspace_id, connection_id)
    now, id_ = desk.clock(), str(uuid.uuid4())
    row = Pending(
        id=id_,
        state_hash=pending.digest(state),
        verifier_sealed=desk.vault.seal(verifier, bound_to=binding(workspace_id, id_, "verifier")),
        nonce=nonce,
        workspace_id=workspace_id,
        operator_id=visitor.operator_id,
        browser_hash=visitor.browser_hash,
        connection_id=connection_id,
        redirect_uri=desk.redirect_uri,
        created_at=now,
        expires_at=now + pending.LIFE,
    )
    tidy(desk)
    with desk.database.transaction() as session:
        pending.add(session, row)
    asked = tuple(dict.fromkeys((*desk.asked(workspace_id), *more)))
    return desk.client.authorize_url(
        asked, state=state, verifier=verifier, nonce=nonce, company_id=company_id
    )


def tidy(desk: Desk) -> None:
    """Forget authorizations that took too long; what was granted in them is withdrawn at the source."""
    now = desk.clock()
    with desk.database.transaction() as session:
        over = pending.lapsed(session, now)
        pending.sweep(session, now)
    for row in over:
        revoke(desk.client, unwrapped(desk.vault, row).tokens.refresh)


def decline(desk: Desk, workspace_id: str, visitor: Visitor, *, state: str) -> None:
    """The source answered without a code: that authorization is over. Raises RefusedError as ``complete``."""
    with desk.database.transaction() as session:
        pending.use(session, workspace_id, visitor, state, desk.clock())


def complete(desk: Desk, workspace_id: str, visitor: Visitor, *, state: str, code: str) -> Connected | Choice:
    """Redeem a code: the connection, kept, or the companies to choose from.

    Raises RefusedError (state, code, address, app, no company, company connected already), TryLaterError.
    After any of these nothing is kept, here or on Whop, and the way is to begin again.
    """
    with desk.database.transaction() as session:
        row = pending.use(session, workspace_id, visitor, state, desk.clock())
    verifier = desk.vault.open(row.verifier_sealed, bound_to=binding(workspace_id, row.id, "verifier"))
    granted = desk.client.exchange(code, verifier=verifier, nonce=row.nonce, redirect_uri=row.redirect_uri)
    try:
        return _settled(desk, row, granted)
    except ConnectorError:
        revoke(desk.client, granted.refresh)
        raise


def _settled(desk: Desk, row: Pending, granted: Tokens) -> Connected | Choice:
    approval = Approval(granted, desk.client.approver(granted.access), desk.clock())
    if row.connection_id is not None:
        return _reconnect(desk, row, approval, row.connection_id)
    companies = desk.client.companies(granted.access)
    if not companies:
        raise _no_company(approval.approver)
    if len(companies) == 1:
        return _connect(desk, row, approval, companies[0].company_id)
    return _offer(desk, row, approval, companies)


def _no_company(approver: Approver) -> RefusedError:
    return RefusedError(
        f"{approver.name or 'Whoever approved'} has no company on Whop.",
        code="whop_no_company",
        remedy="Have somebody approve who manages the company on Whop.",
    )


def offered(desk: Desk, workspace_id: str, visitor: Visitor, id_: str) -> Choice:
    """The choice again, as it stands now. Raises RefusedError when it was made or took too long."""
    with desk.database.reading() as session:
        row = pending.held(session, workspace_id, visitor, id_, desk.clock())
    return _choice(desk, row)


def choose(desk: Desk, workspace_id: str, visitor: Visitor, id_: str, *, company_id: str) -> Connected:
    """Connect one of the companies that were offered. Raises as ``complete``, but may be tried again."""
    with desk.database.reading() as session:
        row = pending.held(session, workspace_id, visitor, id_, desk.clock())
    if company_id not in {one["id"] for one in (row.offer or {})["companies"]}:
        raise RefusedError("This company is not among those that were approved.", code="whop_company")

    def settle(session: Session) -> None:
        pending.settle(session, workspace_id, visitor, id_, desk.clock())

    return _connect(desk, row, unwrapped(desk.vault, row), company_id, settle)


def _company_of(desk: Desk, workspace_id: str, connection_id: str | None) -> str | None:
    if connection_id is None:
        return None
    with desk.database.reading() as session:
        return connections.get(session, workspace_id, connection_id).company_id


def _connect(
    desk: Desk,
    row: Pending,
    approval: Approval,
    company_id: str,
    also: Callable[[Session], None] = lambda _session: None,
) -> Connected:
    """Check the company with the token, then keep it; one that was connected before gets its row back."""
    account = desk.open_reader(approval.tokens.access, company_id).account()
    with desk.database.transaction() as session:
        also(session)
        id_ = connections.known_id(session, row.workspace_id, company_id) or str(uuid.uuid4())
        connections.add_or_revive(session, _made(desk, row, id_, approval, account))
        returning.catch_up(session, row.workspace_id, id_, desk.clock(), missed=True)
        made = connections.get(session, row.workspace_id, id_)
    return _connected(desk, made)


def _reconnect(desk: Desk, row: Pending, approval: Approval, id_: str) -> Connected:
    """A new credential for a connection, whatever state it is in; everything else of it stays."""
    with desk.database.reading() as session:
        known = connections.get(session, row.workspace_id, id_)
    account = desk.open_reader(approval.tokens.access, known.company_id).account()
    new = replace(_made(desk, row, id_, approval, account), asked_company_id=known.company_id)
    values = {name: getattr(new, name) for name in _CREDENTIAL}
    with desk.database.transaction() as session:
        missed = connections.get(session, row.workspace_id, id_).status != "active"
        connections.keep_credential(session, row.workspace_id, id_, **values)
        returning.catch_up(session, row.workspace_id, id_, desk.clock(), missed=missed)
        made = connections.get(session, row.workspace_id, id_)
    return _connected(desk, made)


def _made(desk: Desk, row: Pending, id_: str, approval: Approval, account: SourceAccount) -> Connection:
    workspace_id = row.workspace_id
    return connection_of(
        approval, account, desk.asked(workspace_id), workspace_id=workspace_id, id_=id_, vault=desk.vault
    )


def missing(desk: Desk, connection: Connection) -> tuple[str, ...]:
    """What the mappings need that was not granted when it was last looked at; nothing where it never was."""
    if connection.scopes is None:
        return ()
    has = IDENTITY.union(connection.scopes)
    return tuple(one for one in desk.asked(connection.workspace_id) if one not in has)


def _connected(desk: Desk, made: Connection) -> Connected:
    lacks = missing(desk, made)
    log.info("connected by approval", connection=made.id, company=made.company_id, missing=lacks)
    return Connected(made, lacks)


def _offer(desk: Desk, row: Pending, approval: Approval, companies: list[SourceAccount]) -> Choice:
    """Seal what was granted and keep it with the offer."""
    offer = {
        "companies": [{"id": one.company_id, "title": one.title} for one in companies],
        "approver": {"id": approval.approver.id, "name": approval.approver.name},
    }
    with desk.database.transaction() as session:
        pending.hold(session, row.workspace_id, row.id, wrapped(desk.vault, row, approval), offer)
    return _choice(desk, replace(row, offer=offer))


def _choice(desk: Desk, row: Pending) -> Choice:
    offer = row.offer or {}
    with desk.database.reading() as session:
        known = connections.of_workspace(session, row.workspace_id)
    live = {one.company_id for one in known if one.status == "active"}
    companies = (Company(one["id"], one["title"], one["id"] in live) for one in offer["companies"])
    return Choice(row.id, offer["approver"]["name"], tuple(companies))
