"""Events out of the inbox into the CRM: one drainer for each connection, as many events as wait, one road.

A job takes the connections whose events wait, beside one another, so that none waits for another's CRM. A
round takes what is due of one connection, comes down to a decision for each record (``core.events``), and
sends the records through the same steps as any sync. When it is quiet a round is one event, at once; the
more came, the longer the next round gathers, so that it fills requests. A job that dies loses nothing: its
events are pending still, and bringing a record in line twice is the same as once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

import structlog

from connector.core.outcomes import Result, as_json, sum_of
from connector.errors import ConnectorError, TryLaterError
from connector.store import drains, inbox, leases
from connector.store.drains import Drain
from connector.store.inbox import InboxEvent
from connector.sync import eventruns, holding, listening, rounds, setting_off
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

_ATTENDS = timedelta(seconds=1)
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0
_MOST = 2_000
"""Events of one round: what one look-up of the CRM covers."""


class Bell(Protocol):
    """The bell by which this job was rung for."""

    def attended(self, job: str) -> None:
        """Somebody looks again and again: whoever has something for the job need not ring."""

    def heard(self, job: str) -> None:
        """Nobody looks any more, after one more time: whoever has something rings anew."""


@dataclass(slots=True)
class _Held:
    """A connection whose lease this job holds; its next round is not before ``due``."""

    drain: Drain
    due: datetime
    lost: bool = False


@dataclass(slots=True)
class _Job:
    """One job. ``held`` are the connections that it works for, ``scopes`` has the run of each for which it
    has written; ``busy`` are the rounds under way, ``through`` the events that were taken, ``quiet_since``
    when the last of them was.
    """

    tools: Tools
    owner: str
    stack: ExitStack
    quiet_since: datetime
    held: dict[str, _Held] = field(default_factory=dict)
    scopes: dict[str, Scope] = field(default_factory=dict)
    busy: dict[Future[int], str] = field(default_factory=dict)
    through: int = 0


def drain(tools: Tools, *, owner: str, pause: Callable[[float], None], bell: Bell | None = None) -> int:
    """Take what waits, until nothing has come for half a second or the job's time is up; how many events.

    While the job waits for one connection's round, it goes on with the others past its time. It keeps the
    lease of each connection that it has taken events of, and gives it back at its end.
    """
    now = tools.clock()
    end, last = now + _LONGEST, now + 2 * _LONGEST
    with ExitStack() as stack, ThreadPoolExecutor(_AT_ONCE, "drain") as threads:
        # Where nothing waits at all, nothing is waited for.
        job, watch = _Job(tools, owner, stack, now - _LINGER), _Watch(bell)
        while not tools.ends() and (now < end or (job.busy and now < last)):
            _begin_rounds(job, threads, now)
            if job.busy:
                watch.attend(now)
                _end_rounds(job)
            elif now - job.quiet_since < _LINGER:
                watch.attend(now)
                pause(_LOOK_AGAIN)
            elif not watch.leave():
                break
            now = tools.clock()
        watch.leave()
        while job.busy:
            _end_rounds(job)
        return job.through


@dataclass(slots=True)
class _Watch:
    """While this job looks by itself, nobody needs to ring for another."""

    bell: Bell | None
    since: datetime | None = None

    def attend(self, now: datetime) -> None:
        if self.bell is not None and (self.since is None or now - self.since >= _ATTENDS):
            self.bell.attended("drain")
            self.since = now

    def leave(self) -> bool:
        """Whether one more look is due, for what came without a ring."""
        attended, self.since = self.since is not None, None
        if attended and self.bell is not None:
            self.bell.heard("drain")
        return attended


def _begin_rounds(job: _Job, threads: ThreadPoolExecutor, now: datetime) -> None:
    free = _AT_ONCE - len(job.busy)
    if not free:
        return
    with job.tools.database.reading() as session:
        waiting = drains.waiting(session, now, owner=job.owner)
    for ids in [ids for ids in waiting if _may_begin(job, ids[1], now)][:free]:
        job.busy[threads.submit(_take, job, *ids)] = ids[1]


def _may_begin(job: _Job, connection_id: str, now: datetime) -> bool:
    held = job.held.get(connection_id)
    return connection_id not in job.busy.values() and (held is None or held.due <= now)


def _end_rounds(job: _Job) -> None:
    """Wait a moment for one of the rounds under way."""
    for future in wait(job.busy, _LOOK_AGAIN, FIRST_COMPLETED).done:
        del job.busy[future]
        if taken := future.result():
            job.through += taken
            job.quiet_since = max(job.quiet_since, job.tools.clock() + _gathering(taken))


def _gathering(taken: int) -> timedelta:
    """How long the next round may gather: not at all where one round could not take what waited."""
    return timedelta(seconds=0 if taken >= _MOST else min(_LONGEST_GATHER, _GATHER_EACH * max(0, taken - 1)))


def _take(job: _Job, workspace_id: str, connection_id: str) -> int:
    """One round for one connection; how many events it took. 0 when another is at it."""
    held = job.held.get(connection_id) or _hold(job, workspace_id, connection_id)
    if held is None:
        return 0
    with job.tools.database.reading() as session:
        events = inbox.pending(session, workspace_id, connection_id, job.tools.clock(), _MOST)
    error = _round(job, held.drain, events)
    held.due = job.tools.clock() + _gathering(len(events))
    if error is not None or held.lost or held.drain.error is not None:
        _give_back(job, held, error)
    return 0 if error else len(events)


def _round(job: _Job, found: Drain, events: Sequence[InboxEvent]) -> ConnectorError | None:
    """What stands in the way of all of these events, if anything does."""
    if not events:
        return None
    try:
        setting_off.set_off(job.tools, found.workspace_id, found.connection_id, events)
        listening.heard(job.tools, found.workspace_id, found.connection_id, events)
        scope = job.scopes.get(found.connection_id) or _open(job, found)
        scope.tries = found.tries
        rounds.take(scope, events)
    except ConnectorError as error:
        return error
    except Exception as error:
        # A defect that one connection meets must not end the work for the others.
        log.exception("a round of events broke off", connection=found.connection_id)
        return TryLaterError(f"A defect of the connector ({type(error).__name__}).", code="internal")
    return None


def _hold(job: _Job, workspace_id: str, connection_id: str) -> _Held | None:
    """Take a connection's lease, to be given back when the job ends; None when another has it."""
    tools, now = job.tools, job.tools.clock()
    with tools.database.transaction() as session:
        found = drains.lease(
            session, workspace_id, connection_id, owner=job.owner, now=now, until=now + LEASE
        )
    if found is None:
        return None
    held = job.held[connection_id] = _Held(found, now)
    job.stack.enter_context(heartbeat(partial(_prolong, job, held)))
    job.stack.callback(_give_back, job, held, None)
    return held


def _give_back(job: _Job, held: _Held, error: ConnectorError | None) -> None:
    """Nothing is wrong with events that the other side cannot take now: they wait, and nobody is blamed."""
    found, seconds, tries = held.drain, 0.0, 0
    if job.held.get(found.connection_id) is not held:
        return  # it was given back already
    del job.held[found.connection_id]
    if error is not None:
        tries = found.tries + 1
        asked = error.after if isinstance(error, TryLaterError) else None
        seconds = asked if asked is not None else min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(tries - 1, 9))
        log.warning("events wait", connection=found.connection_id, code=error.code, seconds=seconds)
    due_at = leases.later(job.tools.clock(), seconds)
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
    """A run for what this job writes for a connection; it ends with the job."""
    scope = eventruns.begin(job.tools, found.workspace_id, found.connection_id, job.owner, job.stack)
    job.scopes[found.connection_id] = scope
    job.stack.callback(_end, job, found.connection_id)
    return scope


def _end(job: _Job, connection_id: str) -> None:
    scope = job.scopes.pop(connection_id, None)
    if scope is not None:
        eventruns.finish(
            job.tools,
            scope.run,
            job.owner,
            "partial" if sum_of(scope.run.counts, Result.FAILED) else "success",
        )


def _stop(job: _Job, connection_id: str, error: ConnectorError) -> None:
    """The run ends by this error; the next round tries with a run of its own."""
    scope = job.scopes.pop(connection_id, None)
    if scope is not None:
        eventruns.finish(job.tools, scope.run, job.owner, "failed", error)


def _prolong(job: _Job, held: _Held) -> None:
    found = held.drain
    if job.held.get(found.connection_id) is not held:
        return
    until = job.tools.clock() + LEASE
    with job.tools.database.transaction() as session:
        held.lost = not drains.renew(
            session, found.workspace_id, found.connection_id, owner=job.owner, until=until
        )
