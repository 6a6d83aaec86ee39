"""A run that the CRM lets not write: it waits for a credential that works, its place kept."""

from __future__ import annotations

import structlog

from connector.core.outcomes import as_json
from connector.errors import ConnectorError, ReconnectError
from connector.store import links, runs, workspaces
from connector.store.db import Database, Session

log = structlog.get_logger(__name__)


def is_for_credential(error: ConnectorError) -> bool:
    """Whether only another credential of the CRM helps, or other rights of this one."""
    return isinstance(error, ReconnectError) and error.code.startswith("crm_")


def mark(session: Session, workspace_id: str, error: ConnectorError) -> None:
    """Have the workspace say that the CRM lets nobody write."""
    log.error("the CRM lets nobody write", workspace=workspace_id, code=error.code, error=str(error))
    workspaces.refuse(session, workspace_id, as_json(error) or {})


def is_held(database: Database, run: runs.Run, owner: str, error: ConnectorError) -> bool:
    """Whether the run waits because of this error: given back until a credential is given that works."""
    if not is_for_credential(error):
        return False
    given_back = {"lease_owner": None, "lease_until": None}
    with database.transaction() as session:
        mark(session, run.workspace_id, error)
        runs.save(session, run, owner=owner, status="paused", error=as_json(error), **given_back)
        links.release(session, run.workspace_id, run.id)
    return True
