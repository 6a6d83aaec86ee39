"""Bringing a workspace and a connection in: check everything outside first, then keep it in one go.

Nothing is half-stored: an address, key or company that does not hold leaves no row behind.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from connector.errors import AddressError, RefusedError
from connector.ports import Reader, SourceAccount
from connector.ports.crm_sign_in import CrmKey
from connector.store import connections, runs, workspaces
from connector.store.connections import Connection
from connector.store.db import Database
from connector.store.workspaces import Workspace
from connector.sync import mirror, returning
from connector.sync.tools import Tools
from connector.vault import Vault

#: These tell who approved and open nothing; the source has no permission of these names.
IDENTITY = frozenset({"openid", "profile", "email"})


def crm_key_binding(workspace_id: str) -> str:
    """The row a sealed CRM key belongs to."""
    return f"workspace:{workspace_id}:crm_key"


def secret_binding(workspace_id: str, connection_id: str) -> str:
    """The row a sealed source credential belongs to."""
    return f"connection:{workspace_id}:{connection_id}:secret"


def origin(url: str) -> str:
    """The origin of what an admin typed. Raises AddressError where it is not an http(s) address."""
    text = url.strip() if "://" in url else f"https://{url.strip()}"
    try:
        parts = urlsplit(text)
        named = parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:  # an unclosed bracket, a port that is no number
        raise _no_address(url) from None
    if parts.username is not None or parts.password is not None:
        raise AddressError("An address with a user name or password in it is not connected to.")
    if parts.scheme not in ("http", "https") or not named or any(map(str.isspace, text)):
        raise _no_address(url)
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _no_address(url: str) -> AddressError:
    # Not repeated where it may hold a password.
    shown = "This" if "@" in url else repr(url)
    return AddressError(f"{shown} is not the address of a CRM: expected one like https://crm.example.com.")


@dataclass(frozen=True, slots=True)
class NewWorkspace:
    name: str
    crm_url: str
    crm_key: str


def add_workspace(
    database: Database,
    vault: Vault,
    new: NewWorkspace,
    *,
    check_key: Callable[[str, str], CrmKey],
    now: datetime,
) -> Workspace:
    """Check the key against the CRM at this address, then keep the workspace.

    Raises AddressError, ReconnectError (a key that opens nothing), TryLaterError (unreachable) or
    RefusedError (no key, one that may not do what is needed, a workspace that is known).
    """
    key = check_key(origin(new.crm_url), new.crm_key)
    check_rights(key)
    account = key.workspace
    id_ = str(uuid.uuid4())
    workspace = Workspace(
        id=id_,
        name=new.name,
        crm_url=key.origin,
        crm_workspace_id=account.workspace_id,
        crm_name=account.name,
        crm_key_sealed=vault.seal(new.crm_key, bound_to=crm_key_binding(id_)),
        schema_version=None,
        batch_cap=None,
        created_at=now,
        crm_key_expires_at=key.expires_at,
    )
    with database.transaction() as session:
        workspaces.add(session, workspace)
    return workspace


def check_rights(key: CrmKey) -> None:
    """Raises RefusedError for a key whose role may not do with records what the mappings need."""
    if key.lacks:
        raise RefusedError(
            f"The role of this key may not: {', '.join(key.lacks)}.",
            code="crm_key_rights",
            remedy="Give it a role with these rights in Twenty under Settings, Roles; then give it again.",
        )


@dataclass(frozen=True, slots=True)
class NewConnection:
    """``company_id`` may be empty: then it is the company that the key belongs to."""

    company_id: str
    key: str = field(repr=False)


def add_connection(
    database: Database,
    vault: Vault,
    workspace: Workspace,
    new: NewConnection,
    *,
    open_reader: Callable[[str, str | None], Reader],
    now: datetime,
    asked: Sequence[str] = (),
    again: bool = False,
) -> tuple[Connection, SourceAccount]:
    """Check the key against the company on Whop, then keep the connection.

    A company that was disconnected before gets its row back, so its links and history stay, and what it
    missed is caught up with. With ``again`` so does one that is connected. Of ``asked``, what is granted is
    kept; without it that is not known.
    """
    account = open_reader(new.key, new.company_id or None).account()
    with database.reading() as session:
        known = connections.known_id(session, workspace.id, account.company_id)
    id_ = known or str(uuid.uuid4())
    connection = Connection(
        id=id_,
        workspace_id=workspace.id,
        service="whop",
        company_id=account.company_id,
        company_title=account.title,
        auth="api_key",
        secret_sealed=vault.seal(new.key, bound_to=secret_binding(workspace.id, id_)),
        refresh_sealed=None,
        expires_at=None,
        source_user_id=None,
        scopes=[one for one in asked if one not in {*IDENTITY, *account.missing}] if asked else None,
        status="active",
        last_sync_at=None,
        created_at=now,
        notes_since=now,
    )
    with database.transaction() as session:
        missed = known is None or connections.get(session, workspace.id, id_).status != "active"
        connections.add_or_revive(session, connection, again=again)
        returning.catch_up(session, workspace.id, id_, now, missed=missed)
    return connection, account


def start_sync(tools: Tools, connection: Connection, type_: str, *, why: str, correlation_id: str) -> str:
    """Queue a run and ring for it; its id. Raises RefusedError when that may not be now."""
    mirror.check_may_run(connection)
    id_ = str(uuid.uuid4())
    new = runs.NewRun(id_, connection.workspace_id, connection.id, type_, why, correlation_id, tools.clock())
    with tools.database.transaction() as session:
        runs.start(session, new)
        run = runs.by_id(session, id_)
    mirror.ring(tools, run)
    return id_
