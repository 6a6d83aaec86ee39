"""Events out of the inbox into the CRM: one drainer for each connection, as many events as wait, one road.

A job takes the connections whose events wait, beside one another, so that none waits for another's CRM. A
round takes what is due of one connection, comes down to a decision for each record (``core.events``), and
sends the records through the same steps as any sync. When it is quiet a round is one event, at once; the
more came, the longer the next round gathers, so that it fills requests. A job that dies loses nothing: its
events are pending still, and bringing a record in line twice is the same as once.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
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
_AT_ONCE = 8
"""Connections that one job is at beside one another."""

_GATHER_EACH, _LONGEST_GATHER = 0.008, 1.0
"""Seconds that each event of a round lets the next round gather, and how long at most: at 50 events a second
rounds stay small and each event is through in a fraction of a second; from some 100 on they fill requests."""

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0
_MOST = 2_000
"""Events of one round: what one look-up of the CRM covers."""


@dataclass(slots=True)
class _Job:
    """One job. ``scopes`` has the run that it opened for each connection it has written for; ``busy`` are the
    rounds under way, ``through`` the events that were taken, ``quiet_since`` when the last of them was.
    """

    tools: Tools
    owner: str
    pause: Callable[[float], None]
    stack: ExitStack
    quiet_since: datetime
    scopes: dict[str, Scope] = field(default_factory=dict)
    busy: dict[Future[int], str] = field(default_factory=dict)
    through: int = 0


def drain(tools: Tools, *, owner: str, pause: Callable[[float], None]) -> int:
    """Take what waits, until nothing has come for half a second or the job's time is up; how many events.

    While the job waits for one connection's round, it goes on with the others past its time.
    """
    now = tools.clock()
    end, last = now + _LONGEST, now + 2 * _LONGEST
    with ExitStack() as stack, ThreadPoolExecutor(_AT_ONCE, "drain") as threads:
        # Where nothing waits at all, nothing is waited for.
        job = _Job(tools, owner, pause, stack, now - _LINGER)
        while not tools.ends() and (now < end or (job.busy and now < last)):
            _begin_rounds(job, threads, now)
            if job.busy:
                _end_rounds(job)
            elif now - job.quiet_since >= _LINGER:
                break
            else:
                pause(_LOOK_AGAIN)
            now = tools.clock()
        while job.busy:
            _end_rounds(job)
        return job.through


def _begin_rounds(job: _Job, threads: ThreadPoolExecutor, now: datetime) -> None:
    free = _AT_ONCE - len(job.busy)
    if not free:
        return
    with job.tools.database.reading() as session:
        waiting = drains.waiting(session, now)
    for ids in [ids for ids in waiting if ids[1] not in job.busy.values()][:free]:
        job.busy[threads.submit(_take, job, *ids)] = ids[1]


def _end_rounds(job: _Job) -> None:
    """Wait a moment for one of the rounds under way."""
    for future in wait(job.busy, _LOOK_AGAIN, FIRST_COMPLETED).done:
        del job.busy[future]
        if taken := future.result():
            job.through += taken
            job.quiet_since = max(job.quiet_since, job.tools.clock() + _gathering(taken))


def _gathering(taken: int) -> timedelta:
    """How long the next round may gather: not at all where one round could not take what waited."""
    return timedelta(seconds=0 if taken >= _MOST else min(_LONGEST_GATHER, _GATHER_EACH * (taken - 1)))


def _take(job: _Job, workspace_id: str, connection_id: str) -> int:
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
            scope = job.scopes.get(connection_id) or _open(job, found)
            scope.tries = found.tries
            rounds.take(scope, events)
        except ConnectorError as problem:
            error = problem
    _give_back(job, found, _gathering(len(events)), error)
    return 0 if error else len(events)


def _give_back(job: _Job, found: Drain, gathering: timedelta, error: ConnectorError | None) -> None:
    """Nothing is wrong with events that the other side cannot take now: they wait, and nobody is blamed."""
    seconds, tries = max(0.0, gathering.total_seconds()), 0
    if error is not None:
        tries = found.tries + 1
        asked = error.after if isinstance(error, TryLaterError) else None
        seconds = asked if asked is not None else min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(tries - 1, 9))
        log.warning("events wait", connection=found.connection_id, code=error.code, seconds=seconds)
    due_at = job.tools.clock() + timedelta(seconds=seconds)
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


def _open(job: _Job, found: Drain) -> Scope:
    """A run for what this job writes for a connection; it ends with the job.

    There is no run where the CRM cannot be written to: raises the run-level errors of the ports.
    """
    tools, now, id_ = job.tools, job.tools.clock(), str(uuid.uuid4())
    with tools.database.reading() as session:
        workspace = workspaces.get(session, found.workspace_id)
    known = replace(workspace, batch_cap=workspace.batch_known(now))
    writer = modelling.open_writer(tools, known, "webhook")
    ids = (found.workspace_id, found.connection_id)
    new = runs.NewRun(id_, *ids, "webhook", "Events from Whop", id_, now, alone=False)
    with tools.database.transaction() as session:
        runs.start(session, new)
        run = runs.lease(session, id_, owner=job.owner, now=now, until=now + mirror.LEASE)
    if run is None:
        raise AssertionError("a run that was just made cannot be taken")
    job.stack.enter_context(heartbeat(partial(_prolong_run, job, run.id)))
    scope = mirror.open_scope(tools, run, job.owner, writer)
    scope.returning, scope.outcomes = True, {}
    scope.noter = tools.open_noter(workspace, "webhook")
    job.scopes[found.connection_id] = scope
    job.stack.callback(_end, job, found.connection_id)
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
