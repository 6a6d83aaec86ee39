"""Events out of the inbox into the CRM: one drainer for each connection, as many events as wait, one road.

A job goes round the connections whose events wait. Each round takes what is due, comes down to a decision
for each record (``core.events``), and sends the records through the same steps as any sync. When it is
quiet a round is one event; when it is busy it fills requests. A job that dies loses nothing: its events are
pending still, and bringing a record in line twice is the same as once.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import structlog

from connector.core.outcomes import Result, as_json, sum_of
from connector.errors import ConnectorError, TryLaterError
from connector.store import connections, drains, inbox, links, runs, workspaces
from connector.store.drains import Drain
from connector.sync import holding, mirror, modelling, rounds
from connector.sync.heartbeat import heartbeat
from connector.sync.scope import Scope
from connector.sync.tools import Tools

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=15)
_LONGEST = timedelta(seconds=45)
_LINGER = timedelta(milliseconds=500)
_LOOK_AGAIN = 0.02
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0
_MOST = 2_000
"""Events of one round: what one look-up of the CRM covers."""


@dataclass(slots=True)
class _Job:
    """One job's way round. ``scopes`` has the run that it opened for each connection it has written for."""

    tools: Tools
    owner: str
    pause: Callable[[float], None]
    scopes: dict[str, Scope] = field(default_factory=dict)


def drain(tools: Tools, *, owner: str, pause: Callable[[float], None]) -> int:
    """Take what waits, until nothing has come for half a second or the job's time is up; how many events."""
    job = _Job(tools, owner, pause)
    end, through = tools.clock() + _LONGEST, 0
    with ExitStack() as stack:
        quiet_since = tools.clock() - _LINGER  # where nothing waits at all, nothing is waited for
        while (now := tools.clock()) < end and not tools.ends():
            if taken := _go_round(job, stack, now):
                through, quiet_since = through + taken, tools.clock()
            elif now - quiet_since >= _LINGER:
                break
            else:
                pause(_LOOK_AGAIN)
    return through


def _go_round(job: _Job, stack: ExitStack, now: datetime) -> int:
    with job.tools.database.reading() as session:
        waiting = drains.waiting(session, now)
    return sum(_take(job, stack, *one) for one in waiting)


def _take(job: _Job, stack: ExitStack, workspace_id: str, connection_id: str) -> int:
    """One round for one connection; how many events it took. 0 when another is at it."""
    tools, now = job.tools, job.tools.clock()
    with tools.database.transaction() as session:
        found = drains.lease(
            session, workspace_id, connection_id, owner=job.owner, now=now, until=now + LEASE
        )
        events = inbox.pending(session, workspace_id, connection_id, now, _MOST) if found else []
    if found is None:
        return 0
    error: ConnectorError | None = None
    with heartbeat(partial(_prolong, job, found)):
        try:
            scope = job.scopes.get(connection_id) or _open(job, stack, found)
            scope.tries = found.tries
            rounds.take(scope, events)
        except ConnectorError as problem:
            error = problem
    _give_back(job, found, error)
    return 0 if error else len(events)


def _give_back(job: _Job, found: Drain, error: ConnectorError | None) -> None:
    """Nothing is wrong with events that the other side cannot take now: they wait, and nobody is blamed."""
    wait, tries = 0.0, 0
    if error is not None:
        tries = found.tries + 1
        asked = error.after if isinstance(error, TryLaterError) else None
        wait = asked if asked is not None else min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(tries - 1, 9))
        log.warning("events wait", connection=found.connection_id, code=error.code, seconds=wait)
    due_at = job.tools.clock() + timedelta(seconds=wait)
    with job.tools.database.transaction() as session:
        drains.release(
            session,
            found.workspace_id,
            found.connection_id,
            owner=job.owner,
            due_at=due_at,
            tries=tries,
            error=as_json(error),
        )
        if error is not None and holding.is_for_credential(error):
            holding.mark(session, found.workspace_id, error)
    if error is not None and not isinstance(error, TryLaterError):
        _stop(job, found.connection_id, error)


def _open(job: _Job, stack: ExitStack, found: Drain) -> Scope:
    """A run for what this job writes for a connection; it ends with the job.

    There is no run where the CRM cannot be written to: raises the run-level errors of the ports.
    """
    tools, now, id_ = job.tools, job.tools.clock(), str(uuid.uuid4())
    with tools.database.reading() as session:
        workspace = workspaces.get(session, found.workspace_id)
    modelling.open_writer(tools, workspace, "webhook")
    ids = (found.workspace_id, found.connection_id)
    new = runs.NewRun(id_, *ids, "webhook", "Events from Whop", id_, now, alone=False)
    with tools.database.transaction() as session:
        runs.start(session, new)
        run = runs.lease(session, id_, owner=job.owner, now=now, until=now + mirror.LEASE)
    if run is None:
        raise AssertionError("a run that was just made cannot be taken")
    stack.enter_context(heartbeat(partial(_prolong_run, job, run.id)))
    scope = mirror.open_scope(tools, run, job.owner)
    scope.returning, scope.outcomes = True, {}
    scope.noter = tools.open_noter(workspace, "webhook")
    job.scopes[found.connection_id] = scope
    stack.callback(_end, job, found.connection_id)
    return scope


def _end(job: _Job, connection_id: str) -> None:
    scope = job.scopes.pop(connection_id, None)
    if scope is not None:
        _finish(job, scope.run, "partial" if sum_of(scope.run.counts, Result.FAILED) else "success", None)


def _stop(job: _Job, connection_id: str, error: ConnectorError) -> None:
    """The run ends by this error; the next round tries with a run of its own."""
    scope = job.scopes.pop(connection_id, None)
    if scope is not None:
        _finish(job, scope.run, "failed", error)


def _finish(job: _Job, run: runs.Run, status: str, error: ConnectorError | None) -> None:
    now = job.tools.clock()
    try:
        with job.tools.database.transaction() as session:
            runs.finish(session, run, owner=job.owner, status=status, now=now, error=as_json(error))
            links.release(session, run.workspace_id, run.id)
            if error is None:
                connections.touch_synced(session, run.workspace_id, run.connection_id, now)
    except TryLaterError as lost:  # somebody ended it meanwhile; what was written is told in it
        log.warning("the run of events was taken over", run=run.number, error=str(lost))


def _prolong(job: _Job, found: Drain) -> None:
    until = job.tools.clock() + LEASE
    with job.tools.database.transaction() as session:
        drains.renew(session, found.workspace_id, found.connection_id, owner=job.owner, until=until)


def _prolong_run(job: _Job, run_id: str) -> None:
    with job.tools.database.transaction() as session:
        runs.renew(session, run_id, owner=job.owner, until=job.tools.clock() + mirror.LEASE)
