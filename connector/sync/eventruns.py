"""The run that tells what one job of the drain wrote for a connection."""

from __future__ import annotations

import uuid
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import structlog

from connector.core.outcomes import as_json
from connector.errors import ConnectorError, TryLaterError
from connector.store import connections, links, runs, workspaces
from connector.sync import mirror, modelling
from connector.sync.heartbeat import heartbeat
from connector.sync.scope import Scope
from connector.sync.tools import Tools

log = structlog.get_logger(__name__)

KEPT = 50
"""Records that one transaction saves. While events come their door writes too, and may wait for us."""


def begin(tools: Tools, workspace_id: str, connection_id: str, owner: str, stack: ExitStack) -> Scope:
    """Start a run and keep its lease as long as the ``stack`` stands.

    There is no run where the CRM cannot be written to: raises the run-level errors of the ports.
    """
    now, id_ = tools.clock(), str(uuid.uuid4())
    with tools.database.reading() as session:
        workspace = workspaces.get(session, workspace_id)
    known = replace(workspace, batch_cap=workspace.batch_known(now))
    writer = modelling.open_writer(tools, known, "webhook")
    ids = (workspace_id, connection_id)
    new = runs.NewRun(id_, *ids, "webhook", "Events from Whop", id_, now, alone=False)
    with tools.database.transaction() as session:
        runs.start(session, new)
        run = runs.lease(session, id_, owner=owner, now=now, until=now + mirror.LEASE)
    if run is None:
        raise AssertionError("a run that was just made cannot be taken")
    stack.enter_context(heartbeat(partial(_prolong, tools, id_, owner)))
    scope = mirror.open_scope(tools, run, owner, writer)
    scope.returning, scope.outcomes = True, {}
    scope.pace = replace(scope.pace, kept=KEPT)
    return scope


def finish(tools: Tools, run: runs.Run, owner: str, status: str, error: ConnectorError | None = None) -> None:
    """End the run; by an error, when that stands in the way of all that follows."""
    now = tools.clock()
    try:
        with tools.database.transaction() as session:
            runs.finish(session, run, owner=owner, status=status, now=now, error=as_json(error))
            links.release(session, run.workspace_id, run.id)
            if error is None:
                connections.touch_synced(session, run.workspace_id, run.connection_id, now)
    except TryLaterError as lost:  # somebody ended it meanwhile; what was written is told in it
        log.warning("the run of events was taken over", run=run.number, error=str(lost))


def _prolong(tools: Tools, run_id: str, owner: str) -> None:
    with tools.database.transaction() as session:
        runs.renew(session, run_id, owner=owner, until=tools.clock() + mirror.LEASE)
