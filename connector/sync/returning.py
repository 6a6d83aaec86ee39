"""A connection that has its access back: what changed meanwhile is caught up with, by itself."""

from __future__ import annotations

import uuid
from datetime import datetime

from connector import logs
from connector.core.outcomes import as_json
from connector.errors import ConnectorError
from connector.store import connections, overview, runs
from connector.store.db import Session
from connector.store.runs import NewRun

WHY = "After reconnect"


def catch_up(
    session: Session,
    workspace_id: str,
    connection_id: str,
    now: datetime,
    *,
    why: str = WHY,
    missed: bool = False,
) -> None:
    """Queue a full sync, in the transaction that keeps the new access: both are there, or neither.

    A full one, because nothing was heard meanwhile. None where the connection never had a sync, because
    nobody has agreed yet to what it makes in the CRM. A run that waited without access ends for it: what
    changed in the part that it had read already would be missed. ``missed`` is whether there was no access:
    where it was only renewed, a sync under way goes on. Ring after the commit; else the sweeper does.
    """
    if not overview.ever_synced(session, workspace_id, connection_id):
        return
    under_way = overview.active_of(session, workspace_id, connection_id)
    if under_way is not None:
        if under_way.type != "undo" and not missed:
            return
        told = None if under_way.type == "undo" else as_json(_replaced(why))
        runs.cancel(session, workspace_id, connection_id, now, told)
    correlation_id = logs.current_correlation_id() or uuid.uuid4().hex
    new = NewRun(str(uuid.uuid4()), workspace_id, connection_id, "full", why, correlation_id, now)
    runs.start(session, new)
    if connections.get(session, workspace_id, connection_id).paused:
        runs.pause_idle(session, workspace_id, connection_id)


def _replaced(why: str) -> ConnectorError:
    return ConnectorError(
        f"There is access to the company again. The sync “{why}” reads everything from the beginning, with"
        " what this one had left.",
        code="replaced",
        remedy="Nothing to do.",
    )
