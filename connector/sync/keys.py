"""Connecting by an API key that was pasted in; and looking again at what a connection may do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog

from connector.errors import ConnectorError, ReconnectError
from connector.ports import SourceAccount
from connector.store import connections
from connector.store.connections import Connection
from connector.store.workspaces import Workspace
from connector.sync import healing, holding, onboarding
from connector.sync.connecting import Connected, Desk, missing
from connector.sync.onboarding import IDENTITY, NewConnection
from connector.sync.tools import Tools

log = structlog.get_logger(__name__)


def connect(desk: Desk, workspace: Workspace, new: NewConnection, *, again: bool = False) -> Connected:
    """Check the key at once, then keep it: for a new connection, or ``again`` for the one of that company.

    Raises ReconnectError for a key that opens nothing, RefusedError (another company, connected already),
    TryLaterError. Nothing is kept then.
    """
    made, _ = onboarding.add_connection(
        desk.database,
        desk.vault,
        workspace,
        new,
        open_reader=desk.open_keyed,
        now=desk.clock(),
        asked=desk.asked(workspace.id),
        again=again,
    )
    return Connected(made, missing(desk, made))


def look_at_lost(tools: Tools, asked: Callable[[str], tuple[str, ...]]) -> None:
    """Look again at every connection whose access ended and may have come back."""
    with tools.database.reading() as session:
        ended = connections.that_may_come_back(session)
    for connection in ended:
        try:
            look_again(tools, asked, connection)
        except ConnectorError as error:
            log.info("the access is not back", connection=connection.id, code=error.code)


def look_again(tools: Tools, asked: Callable[[str], tuple[str, ...]], connection: Connection) -> Connection:
    """Ask the source by name what the connection may do, and keep the answer; the connection as it is now.

    One that had expired goes on where the access is back. Raises ReconnectError when it opens nothing any
    more: it is marked expired then, with the reason.
    """
    try:
        reader = tools.open_reader(connection)
        account = reader.account()
    except ReconnectError as error:
        with tools.database.transaction() as session:
            holding.end_access(session, connection.workspace_id, connection.id, error.code, tools.clock())
        raise
    where = (connection.workspace_id, connection.id)
    may = _may(asked(connection.workspace_id), account, connection)
    values: dict[str, Any] = {"company_title": account.title, "scopes": may}
    with tools.database.transaction() as session:
        connections.keep_credential(session, *where, **values)
    healing.heal(tools, connection, reader)
    with tools.database.reading() as session:
        return connections.get(session, *where)


def _may(asked: tuple[str, ...], account: SourceAccount, connection: Connection) -> list[str]:
    """Of the identity scopes nothing new is known: what was granted with the approval stays."""
    had = connection.scopes or ()
    return [one for one in asked if (one in had if one in IDENTITY else one not in account.missing)]
