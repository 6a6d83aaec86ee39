"""One run, as a chain of short jobs: each takes the run's lease, works for a few seconds, rings again.

The run's row is the truth. A job that dies leaves a lease that ends by itself; the sweeper rings for it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog

from connector.core.outcomes import Result, as_json, sum_of
from connector.errors import ConnectorError, RefusedError, SchemaError, TryLaterError
from connector.ports import Lane, Writer
from connector.store import connections, leases, links, runs, silence, workspaces
from connector.store.connections import Connection
from connector.store.db import Session
from connector.store.workspaces import Workspace
from connector.sync import holding, incremental, leaving, modelling, removing, waiting, working
from connector.sync.heartbeat import heartbeat
from connector.sync.mappings import Mapped
from connector.sync.scope import Scope
from connector.sync.tools import Tools

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=15)  # a dead worker's run goes on this much later, plus one sweep
_SLICE = timedelta(seconds=5)
_SLICES = {"incremental": timedelta(seconds=10)}  # each job asks Whop what may be read: half as often
_FIRST_WAIT = 2.0
_LONGEST_MODEL_WAIT = 60.0  # an admin who mends the data model does not want to wait for us
_MOST_BREAKS = 5  # a defect may be one of the moment; one that stays ends the run, and is told
QUEUES = {"full": "full", "webhook": "webhooks", "undo": "incremental", "preview": "full"}
QUEUES |= {"incremental": "incremental", "repair": "incremental"}
LANES: dict[str, Lane] = {
    "full": "full",
    "incremental": "incremental",
    "repair": "incremental",
    "undo": "incremental",
    "webhook": "webhook",
    "preview": "full",
}


def advance(tools: Tools, run_id: str, *, owner: str) -> None:
    """Work on a run for a slice of time; ring for the next slice, or end the run."""
    now = tools.clock()
    with tools.database.transaction() as session:
        run = runs.lease(session, run_id, owner=owner, now=now, until=now + LEASE)
    if run is None:
        return
    structlog.contextvars.bind_contextvars(correlation_id=run.correlation_id, run=run.number)
    try:
        with heartbeat(partial(_prolong, tools, run_id, owner)):
            again = _slice(tools, run, owner, now + _SLICES.get(run.type, _SLICE))
    except TryLaterError as error:
        if error.code != "lease_lost":
            raise
        log.warning("another worker took the run over")
        return
    if again:
        ring(tools, run)


def ring(tools: Tools, run: runs.Run) -> None:
    """Ask for the next job. A bell out of order only delays: the sweeper rings again."""
    try:
        tools.queue.ring("advance_run", QUEUES[run.type], run_id=run.id)
    except TryLaterError as error:
        log.warning("could not ring for the run", error=str(error))


def sweep(tools: Tools) -> int:
    """Ring for every run whose time has come and that nobody is at; how many."""
    with tools.database.reading() as session:
        idle = [runs.by_id(session, run_id) for run_id in runs.overdue(session, tools.clock())]
    for run in idle:
        log.info("a run waits for a worker; ringing", run=run.number)
        ring(tools, run)
    return len(idle)


def _slice(tools: Tools, run: runs.Run, owner: str, until: datetime) -> bool:
    """Whether there is more to do."""
    if run.type == "webhook":
        _close(tools, run, owner)
        return False
    scope = None
    try:
        scope = open_scope(tools, run, owner)
        ended = working.WORK[run.type](tools, scope, until)
    except TryLaterError as error:
        _wait(tools, scope.run if scope else run, owner, error)
        return False
    except SchemaError as error:
        _await_model(tools, scope.run if scope else run, owner, error)
        return False
    except ConnectorError as error:
        _fail(tools, scope.run if scope else run, owner, error)
        return False
    except Exception as error:
        log.exception("a job of the run broke off")
        _broke_off(tools, scope.run if scope else run, owner, error)
        return False
    with tools.database.transaction() as session:
        if (cap := scope.writer.learned()) and cap != scope.known_batch:
            workspaces.remember_batch(session, run.workspace_id, cap, tools.clock())
        if not ended:
            paused = not working.needs_no_source(run)
            paused = paused and connections.get(session, run.workspace_id, run.connection_id).paused
            status = "paused" if paused else "running"
            runs.release(session, scope.run, owner=owner, due_at=tools.clock(), status=status)
            return not paused
        _finish(tools, session, scope, owner)
    log.info("run ended", counts=scope.run.counts)
    return False


def open_scope(tools: Tools, run: runs.Run, owner: str, writer: Writer | None = None) -> Scope:
    """One job's view of a run whose lease ``owner`` holds. Raises the run-level errors of the ports.

    A ``writer`` of the run's lane that this job has opened already is not opened again.
    """
    with tools.database.reading() as session:
        workspace = workspaces.get(session, run.workspace_id)
        connection = connections.get(session, run.workspace_id, run.connection_id)
    known = workspace.batch_known(tools.clock())
    lane = LANES[run.type]
    mapped = tools.mappings.of_run(run, workspace)
    workspace = replace(workspace, batch_cap=known)
    writer = writer or _open_writer(tools, run, workspace, mapped)
    reader = leaving.UNREAD if working.needs_no_source(run) else tools.open_reader(connection, lane)
    if run.mapping_version is None:
        run = _begin(tools, run, owner, mapped)
    return Scope(
        tools.database,
        mapped.mappings,
        reader,
        writer,
        tools.clock,
        owner,
        LEASE,
        run,
        tools.pace,
        known,
        sales_known=bool(mapped.kept) and connection.sales_read_at is not None,
        kept=mapped.kept,
        tries=int(run.checkpoint.get("tries", 0)),
        noter=None
        if run.type == "preview" and "of" not in run.checkpoint
        else tools.open_noter(workspace, lane),
    )


def _open_writer(tools: Tools, run: runs.Run, workspace: Workspace, mapped: Mapped) -> Writer:
    lane = LANES[run.type]
    if run.type == "preview":
        return modelling.open_looker(tools, workspace, mapped, lane)
    return modelling.open_writer(tools, workspace, lane)


def _begin(tools: Tools, run: runs.Run, owner: str, mapped: Mapped) -> runs.Run:
    tools.mappings.keep(run.workspace_id, mapped, tools.clock())
    with tools.database.transaction() as session:
        runs.save(session, run, owner=owner, mapping_version=mapped.version)
    return replace(run, mapping_version=mapped.version, checkpoint_version=run.checkpoint_version + 1)


def _close(tools: Tools, run: runs.Run, owner: str) -> None:
    """A run of events is one job's: when that dies the next takes its events, and this run is over."""
    told = ConnectorError(
        "The worker at this run ended before it was through. Its events were taken up again by the next run.",
        code="cut_off",
        remedy="Nothing to do.",
    )
    with tools.database.transaction() as session:
        runs.finish(session, run, owner=owner, status="cancelled", now=tools.clock(), error=as_json(told))
        links.release(session, run.workspace_id, run.id)


def check_may_run(connection: Connection) -> None:
    """Raises RefusedError when the connection is disconnected, expired or paused."""
    if connection.status != "active":
        raise RefusedError(
            f"The connection to {connection.company_title} is {connection.status}.",
            code="connection_inactive",
            remedy="Connect it again first.",
        )
    if connection.paused:
        raise RefusedError(
            f"The syncs of {connection.company_title} are paused.",
            code="connection_paused",
            remedy="Resume them first.",
        )


def _finish(tools: Tools, session: Session, scope: Scope, owner: str) -> None:
    now, run = tools.clock(), scope.run
    whole = run.type == "preview" or not sum_of(run.counts, Result.FAILED)
    status = "success" if whole else "partial"
    status = "waiting" if removing.asks(run) else status
    missed = silence.missed(session, run) if run.type == "incremental" else None
    runs.finish(session, run, owner=owner, status=status, now=now, missed=missed)
    if run.type == "full":
        incremental.after_full(scope, session)
    if run.type not in ("undo", "preview"):
        connections.touch_synced(session, run.workspace_id, run.connection_id, now)


def _wait(tools: Tools, run: runs.Run, owner: str, error: TryLaterError) -> None:
    """Nothing is wrong with the data: give the run back and let it go on when the other side may answer."""
    if error.code == "lease_lost":
        raise error
    if error.after is not None:  # it said when: nothing is in trouble
        log.info("run waits", error=str(error), code=error.code, seconds=error.after)
        _put_off(tools, run, owner, run.checkpoint, error, error.after)
        return
    checkpoint = waiting.counted(run.checkpoint, error)
    if (end := waiting.end_of_patience(checkpoint, error)) is not None:
        _fail(tools, run, owner, end)
        return
    wait = waiting.seconds(run.id, checkpoint["tries"])
    log.warning("run waits", error=str(error), code=error.code, seconds=wait)
    _put_off(tools, run, owner, checkpoint, error, wait)


def _await_model(tools: Tools, run: runs.Run, owner: str, error: SchemaError) -> None:
    """Somebody changed the CRM's data model under the run: the next job reads it anew and goes on, or waits
    until it is mended. A run that has not begun has nothing to lose and fails.
    """
    if run.mapping_version is None or run.type == "preview":
        _fail(tools, run, owner, error)
        return
    tries = int(run.checkpoint.get("tries", 0)) + 1
    wait = waiting.seconds(run.id, tries, _LONGEST_MODEL_WAIT)
    log.warning("run waits for the CRM's data model", error=str(error), seconds=wait)
    _put_off(tools, run, owner, {**run.checkpoint, "tries": tries}, error, wait)


def _broke_off(tools: Tools, run: runs.Run, owner: str, error: Exception) -> None:
    """What nobody named is a defect: tried again a few times at the same place, then the run fails by it."""
    breaks = int(run.checkpoint.get("breaks", 0)) + 1
    told = ConnectorError(
        f"A defect of the connector ({type(error).__name__}) stops this run at the same place each time.",
        code="internal",
        remedy="Report it: the engineer finds the details in the log under this run's number.",
    )
    if breaks >= _MOST_BREAKS:
        _fail(tools, run, owner, told)
        return
    _put_off(tools, run, owner, {**run.checkpoint, "breaks": breaks}, told, _FIRST_WAIT * 2 ** (breaks - 1))


def _put_off(
    tools: Tools, run: runs.Run, owner: str, checkpoint: dict[str, Any], error: ConnectorError, wait: float
) -> None:
    due_at = leases.later(tools.clock(), wait)
    with tools.database.transaction() as session:
        runs.save(
            session,
            run,
            owner=owner,
            checkpoint=checkpoint,
            error=as_json(error),
            lease_owner=None,
            lease_until=None,
            due_at=due_at,
        )


def _fail(tools: Tools, run: runs.Run, owner: str, error: ConnectorError) -> None:
    now = tools.clock()
    if holding.is_held(tools.database, run, owner, error, now):
        return
    log.error("run failed", code=error.code, error=str(error))
    with tools.database.transaction() as session:
        runs.finish(session, run, owner=owner, status="failed", now=now, error=as_json(error))
        links.release(session, run.workspace_id, run.id)


def _prolong(tools: Tools, run_id: str, owner: str) -> None:
    with tools.database.transaction() as session:
        runs.renew(session, run_id, owner=owner, until=tools.clock() + LEASE)
