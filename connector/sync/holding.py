"""A run that a service lets not in: it waits for a credential that works, its place kept.

Where the CRM refused, the run goes on with the next credential. Where the source did, it waits until the
company is connected again or its access comes back (``sync.healing``), and what is read then from the
beginning takes its place (``sync.returning``).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import structlog

from connector.core.outcomes import as_json
from connector.errors import ConnectorError, ReconnectError
from connector.store import connections, links, runs, workspaces
from connector.store.db import Database, Session
from connector.sync import limiting
from connector.sync.limiting import ManyChangesError

log = structlog.get_logger(__name__)

_CLOSED = ("whop_key", "whop_scope", "whop_company", "whop_unseen")
_GRANT_GONE = ("whop_grant", "whop_refresh_lost", "whop_shut_out", "whop_app")


def is_for_credential(error: ConnectorError) -> bool:
    """Whether only another credential of the CRM helps, or other rights of this one."""
    return isinstance(error, ReconnectError) and error.code.startswith("crm_")


def mark(session: Session, workspace_id: str, error: ConnectorError) -> None:
    """Have the workspace say that the CRM lets nobody write."""
    log.error("the CRM lets nobody write", workspace=workspace_id, code=error.code, error=str(error))
    workspaces.refuse(session, workspace_id, as_json(error) or {})


def end_access(session: Session, workspace_id: str, connection_id: str, code: str, now: datetime) -> None:
    """Access that opens nothing any more. An approval that is refused itself is marked by ``sync.tokens``."""
    connection = connections.get(session, workspace_id, connection_id)
    if code in _CLOSED and connection.status == "active":
        connections.mark(session, workspace_id, connection_id, "expired", code=code, now=now)


def is_held(database: Database, run: runs.Run, owner: str, error: ConnectorError, now: datetime) -> bool:
    """Whether the run waits because of this error: given back until a credential is given that works, or
    somebody agrees."""
    if isinstance(error, ManyChangesError):
        with database.transaction() as session:
            _give_back(session, run, owner, error, limiting.paused(run, error))
        return True
    if not isinstance(error, ReconnectError):
        return False
    with database.transaction() as session:
        if is_for_credential(error):
            mark(session, run.workspace_id, error)
            changes: dict[str, Any] | None = {"status": "paused"}
        else:
            end_access(session, run.workspace_id, run.connection_id, error.code, now)
            changes = _without_access(session, run, error, now)
        if changes is None:
            return False
        _give_back(session, run, owner, error, changes)
    return True


def _give_back(
    session: Session, run: runs.Run, owner: str, error: ConnectorError, changes: dict[str, Any]
) -> None:
    log.error("run paused", code=error.code, error=str(error))
    given_back = {"lease_owner": None, "lease_until": None, "error": as_json(error)}
    runs.save(session, run, owner=owner, **given_back, **changes)
    links.release(session, run.workspace_id, run.id)


_AT_ONCE = timedelta(seconds=1)


def _without_access(
    session: Session, run: runs.Run, error: ConnectorError, now: datetime
) -> dict[str, Any] | None:
    """What becomes of a run whose source lets us in no more; None where it ends.

    A grant that was replaced while the old one was being refused is tried at once.
    """
    status = connections.get(session, run.workspace_id, run.connection_id).status
    if status == "expired":
        return {"status": "paused"}
    if status == "active" and error.code in _GRANT_GONE:
        return {"due_at": now + _AT_ONCE}
    return None
