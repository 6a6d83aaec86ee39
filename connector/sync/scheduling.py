"""Syncs by the clock: each connection's due time is a row, and whoever moves it starts the run.

Many may look at once: the move is a guarded update, in one transaction with the run. Hours that were missed
while nothing ran make one run, because a connection has one due time.
"""

from __future__ import annotations

import uuid
from datetime import timedelta

import structlog

from connector.errors import RefusedError
from connector.store import runs, schedules
from connector.store.runs import NewRun, Run
from connector.store.schedules import INCREMENTAL, Schedule
from connector.sync import mirror
from connector.sync.tools import Tools

log = structlog.get_logger(__name__)

_SLACK = timedelta(minutes=1)
WORDS = {1: "minute", 60: "hour", 1440: "day"}


def sweep(tools: Tools) -> int:
    """Plan what is not planned yet, and start what is due; how many were started."""
    if tools.every is None:
        return 0
    _plan(tools, tools.every)
    _mend(tools, tools.every)
    with tools.database.reading() as session:
        due = schedules.due(session, INCREMENTAL, tools.clock())
    return sum(_start(tools, one, tools.every) for one in due)


def _plan(tools: Tools, usual: timedelta) -> None:
    now = tools.clock()
    with tools.database.reading() as session:
        new = schedules.unplanned(session, INCREMENTAL)
    for workspace_id, connection_id, last in new:
        first = min(last, now) + usual if last else now + usual
        with tools.database.transaction() as session:
            schedules.add(session, workspace_id, connection_id, INCREMENTAL, first)


def _mend(tools: Tools, usual: timedelta) -> None:
    """What is due later than one interval from now was planned by a clock that was ahead."""
    now = tools.clock()
    with tools.database.reading() as session:
        late = schedules.beyond(session, INCREMENTAL, now + _SLACK)
    for one in late:
        latest = now + one.interval(usual)
        if one.due_at > latest + _SLACK:
            with tools.database.transaction() as session:
                moved = schedules.claim(session, one, latest)
            if moved:
                told = {"connection": one.connection_id, "was": one.due_at.isoformat()}
                log.warning("a sync was planned too far ahead: did the clock jump?", **told)


def _start(tools: Tools, one: Schedule, usual: timedelta) -> bool:
    now, id_ = tools.clock(), str(uuid.uuid4())
    interval = one.interval(usual)
    new = NewRun(
        id_, one.workspace_id, one.connection_id, INCREMENTAL, every(interval), uuid.uuid4().hex, now
    )
    try:
        with tools.database.transaction() as session:
            if not schedules.claim(session, one, now + interval):
                return False
            runs.start(session, new)
            run: Run = runs.by_id(session, id_)
    except RefusedError:  # somebody started one at this very moment: the turn is given back
        return False
    mirror.ring(tools, run)
    return True


def every(interval: timedelta) -> str:
    """Why a sync by the clock starts: "Every hour", "Every 15 minutes"."""
    minutes = int(interval.total_seconds() // 60)
    number, word = next((minutes // n, WORDS[n]) for n in sorted(WORDS, reverse=True) if minutes % n == 0)
    return f"Every {word}" if number == 1 else f"Every {number} {word}s"


def change(
    tools: Tools, workspace_id: str, connection_id: str, *, minutes: int | None, enabled: bool
) -> None:
    """Set how often a connection is synced by the clock (None: as the installation has it), or not at all.

    Raises RefusedError where the interval is out of bounds, or there is no such connection.
    """
    if minutes is not None and not LEAST <= minutes <= MOST:
        raise RefusedError(
            f"{minutes} minutes between two syncs is not possible: it goes from {LEAST} to {MOST}.",
            code="interval",
            remedy=f"Choose between {LEAST} minutes and a day.",
        )
    usual = tools.every or timedelta(hours=1)
    now = tools.clock()
    with tools.database.transaction() as session:
        ids = (workspace_id, connection_id, INCREMENTAL)
        if not schedules.change(session, *ids, now=now, every=minutes, enabled=enabled, usual=usual):
            raise RefusedError(f"There is no connection {connection_id!r}.", code="no_connection")


LEAST, MOST = 5, 1440
