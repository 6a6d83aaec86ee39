"""Acts whose time has come: looked at, carried out on the source, and settled. Each is done once.

Before the source is asked to change anything the intent is committed, and its answer after it. Whoever takes
up an act after a crash looks at the membership first, and so does every further try: what was carried out is
not asked for again. A request that changes something goes out in no transaction, under a lease.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from threading import Lock
from typing import Any, Final

import structlog

from connector.core import automation as core
from connector.core.automation import Automation
from connector.core.outcomes import as_json
from connector.core.purchases import Verdict, judge
from connector.core.records import iso
from connector.errors import ConnectorError, RefusedError, TryLaterError
from connector.ports import Clock
from connector.ports.acts import SourceActs
from connector.store import acts, audit, automations, connections
from connector.store.acts import Act, NewAct
from connector.store.audit import NewEvent
from connector.store.automations import Switch
from connector.store.connections import Connection
from connector.store.db import Database, Session
from connector.sync import act_alarm, purchases
from connector.sync.alerting import AlertDesk
from connector.sync.heartbeat import heartbeat

log = structlog.get_logger(__name__)

LEASE: Final = timedelta(seconds=15)
_LONGEST: Final = timedelta(seconds=45)
_AT_ONCE: Final = 8
_LONGEST_ASKED: Final = 10.0
"""A wait that the source asks for and a worker sits out, in seconds."""


@dataclass(frozen=True, slots=True)
class ActDesk:
    """What acts are carried out with."""

    database: Database
    automations: tuple[Automation, ...]
    clock: Clock
    open_acts: Callable[[Connection], SourceActs]
    alerts: AlertDesk
    ends: Callable[[], bool] = lambda: False

    def automation(self, name: str) -> Automation | None:
        """The file of this name, if it is there still."""
        return next((one for one in self.automations if one.name == name), None)


def take_due(desk: ActDesk, *, owner: str, pause: Callable[[float], None]) -> int:
    """Carry out what is due, several at a time; how many were taken."""
    taken, end, doors = 0, desk.clock() + _LONGEST, _Doors(desk)
    with ThreadPoolExecutor(_AT_ONCE, "act") as threads:
        while not desk.ends() and desk.clock() < end:
            with desk.database.reading() as session:
                found = acts.due(session, desk.clock())
            if not found:
                break
            taken += sum(threads.map(lambda one: _take(desk, doors, one, owner, pause), found))
    return taken


@dataclass(slots=True)
class _Doors:
    """One way to the source for each connection, shared by all threads of the job."""

    desk: ActDesk
    opened: dict[str, SourceActs] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def of(self, act: Act) -> SourceActs:
        with self.lock:
            if act.connection_id not in self.opened:
                with self.desk.database.reading() as session:
                    connection = connections.get(session, act.workspace_id, act.connection_id)
                self.opened[act.connection_id] = self.desk.open_acts(connection)
            return self.opened[act.connection_id]


def _take(desk: ActDesk, doors: _Doors, one: Act, owner: str, pause: Callable[[float], None]) -> bool:
    """Carry out one act; False when another worker has it."""
    now = desk.clock()
    with desk.database.transaction() as session:
        act = acts.claim(session, one, owner=owner, now=now, until=now + LEASE)
        known = automations.of_connection(session, one.workspace_id, one.connection_id)
    if act is None:
        return False
    job = _Job(desk, act, owner, pause, list(act.journal))
    with heartbeat(partial(_prolong, job)):
        try:
            _carry_out(job, doors, known.get(act.automation))
        except ConnectorError as error:
            _fail(job, error)
        except Exception as error:
            # A defect that one act meets must neither end the others nor be met again every few seconds.
            log.exception("an act broke off", act=act.id)
            told = f"A defect of the connector ({type(error).__name__})."
            _fail(job, RefusedError(told, code="internal", remedy="Report it."))
    return True


@dataclass(slots=True)
class _Job:
    """One act under way; ``journal`` grows, and is kept with every step."""

    desk: ActDesk
    act: Act
    owner: str
    pause: Callable[[float], None]
    journal: list[acts.Line]
    lost: bool = False

    def note(self, text: str) -> None:
        self.journal.append((iso(self.desk.clock()), text))

    def keep(self, session: Session, **values: Any) -> None:
        """Remember, in a transaction of the caller's. Raises TryLaterError when another has taken over."""
        values |= {"journal": self.journal}
        if not acts.keep(session, self.act, owner=self.owner, **values):
            self.lost = True
            raise TryLaterError("Another worker has this act.", code="lease_lost")

    def end(self, session: Session, state: acts.State, outcome: str, **values: Any) -> None:
        self.note(outcome)
        ended = {"state": state, "outcome": outcome, "ended_at": self.desk.clock(), "begun_at": None}
        self.keep(session, **ended, owner=None, lease_until=None, **values)


def _prolong(job: _Job) -> None:
    until = job.desk.clock() + LEASE
    with job.desk.database.transaction() as session:
        job.lost = not acts.renew(session, job.act, owner=job.owner, until=until)


def _carry_out(job: _Job, doors: _Doors, switch: Switch | None) -> None:
    desk, act = job.desk, job.act
    automation = desk.automation(act.automation)
    step = automation.step(act.step) if automation else None
    if automation is None or step is None:
        return _skip(job, "The automation is there no more.")
    if switch is None or switch.since is None:
        return _skip(job, "The automation was switched off before its time came.")
    source = doors.of(act)
    found = purchases.match(source, act)
    job.note(found.how)
    if found.payment is not None and not core.is_meant(automation, found.payment.fields):
        return _skip(job, "The payment is not one of those any more that the automation is for.")
    plans = frozenset(switch.plans) if automation.chooses_plans else None
    verdict = _looked(source, found.membership_id, plans)
    if not verdict.act:
        return _left(job, verdict, found.membership_id)
    _begin(job, found.membership_id)
    _ask(job, automation, source, found.membership_id, plans)
    _done(job, automation, "Cancelled on Whop.", found.membership_id)
    return None


def _looked(source: SourceActs, membership_id: str, plans: frozenset[str] | None) -> Verdict:
    membership = source.record("membership", membership_id)
    if membership is None:
        return judge(None, None, plans)
    plan = source.record("plan", membership.fields["plan_id"])
    return judge(membership.fields, plan.fields if plan else None, plans)


def _begin(job: _Job, membership_id: str) -> None:
    """Commit what is about to be done, before it is."""
    begun_at = job.act.begun_at or job.desk.clock()
    job.note(f"Asking Whop to cancel {membership_id} now.")
    with job.desk.database.transaction() as session:
        job.keep(session, begun_at=begun_at, membership_id=membership_id)
    job.act = _with(job.act, begun_at=begun_at, membership_id=membership_id)


def _ask(
    job: _Job, automation: Automation, source: SourceActs, membership_id: str, plans: frozenset[str] | None
) -> None:
    """Have it carried out. When no answer tells, the membership is looked at before anybody asks again."""
    act = job.act
    begun = int((act.begun_at or act.due_at).timestamp() * 1000)
    key = f"act-{act.connection_id}-{act.id}-{act.tries}-{begun}"
    for wait in (*automation.calls, None):
        if job.lost:
            raise TryLaterError("Another worker has this act.", code="lease_lost")
        try:
            after = source.cancel(membership_id, at_period_end=False, key=key)
        except TryLaterError as error:
            if wait is None or (error.after or 0.0) > _LONGEST_ASKED:
                raise
            job.note(f"No answer that tells: {error} Looking again in a moment.")
            job.pause(max(wait.total_seconds(), error.after or 0.0))
            if _looked(source, membership_id, plans).ended:
                return
        else:
            if judge(after.fields, None, None).ended:
                return
            raise TryLaterError("Whop answered, but the membership has not ended.", code="act_unanswered")


# --- what became of it


def _skip(job: _Job, why: str, **values: Any) -> None:
    with job.desk.database.transaction() as session:
        job.end(session, "skipped", why, **values)


def _left(job: _Job, verdict: Verdict, membership_id: str) -> None:
    """There is nothing to do: because it was done and the answer was lost, or for another reason."""
    automation = job.desk.automation(job.act.automation)
    if verdict.ended and job.act.begun_at is not None and automation is not None:
        told = "Whop shows that it was carried out: only the answer had been lost. It was not asked again."
        return _done(job, automation, told, membership_id)
    return _skip(job, verdict.why, membership_id=membership_id)


def _done(job: _Job, automation: Automation, outcome: str, membership_id: str) -> None:
    """Settle it, and have what follows it wait for its time: in one transaction."""
    act, now = job.act, job.desk.clock()
    following = automation.step(act.step + 1)
    with job.desk.database.transaction() as session:
        job.end(session, "done", outcome, membership_id=membership_id, error=None)
        _record(session, "act_done", act, now, membership_id)
        if following is not None:
            due_at = now + following.wait
            line = (iso(now), f"Step {act.step + 1} is done; due at {iso(due_at)[:19]} UTC.")
            acts.add(session, [_next(act, due_at, membership_id, line)], now)
    log.info("an act is done", act=act.id, automation=act.automation, membership=membership_id)


def _next(act: Act, due_at: datetime, membership_id: str, line: acts.Line) -> NewAct:
    return NewAct(
        act.workspace_id,
        act.connection_id,
        act.automation,
        act.step + 1,
        act.kind,
        act.source_id,
        act.event,
        act.fact_at,
        act.facts,
        due_at,
        [line],
        membership_id,
    )


def _fail(job: _Job, error: ConnectorError) -> None:
    """Try all of it again later; after the last time a person is told, with what there is to do by hand."""
    act, now = job.act, job.desk.clock()
    if error.code == "lease_lost":
        return
    if error.code == "worker_ends":
        _give_back(job, due_at=now)
        return
    tries, automation = act.tries + 1, job.desk.automation(act.automation)
    wait = automation.wait_after(tries) if automation else None
    job.note(f"Try {tries} failed: {error}")
    log.warning("an act failed", act=act.id, code=error.code, tries=tries)
    unknown = act.begun_at if isinstance(error, TryLaterError) else None
    values: Mapping[str, Any] = {"tries": tries, "error": as_json(error), "begun_at": unknown}
    if wait is not None:
        job.note(f"Next try at {iso(now + wait)[11:19]} UTC.")
        _give_back(job, due_at=now + wait, outcome=str(error), **values)
    else:
        _give_up(job, error, values)


def _give_back(job: _Job, **values: Any) -> None:
    try:
        with job.desk.database.transaction() as session:
            job.keep(session, **values, owner=None, lease_until=None)
    except TryLaterError:
        log.info("an act was taken over", act=job.act.id)


def _give_up(job: _Job, error: ConnectorError, values: Mapping[str, Any]) -> None:
    desk, act, now = job.desk, job.act, job.desk.clock()
    automation = desk.automation(act.automation)
    try:
        with desk.database.transaction() as session:
            company = connections.get(session, act.workspace_id, act.connection_id)
            ways = act_alarm.tell(session, desk.alerts, act, automation, company, error)
            job.note(act_alarm.told(ways))
            ended: dict[str, Any] = {**values, "state": "failed", "ended_at": now, "outcome": str(error)}
            job.keep(session, **ended, owner=None, lease_until=None)
            _record(session, "act_failed", act, now, act.membership_id)
    except TryLaterError:
        log.info("an act was taken over", act=act.id)


def _record(session: Session, what: str, act: Act, now: datetime, membership_id: str | None) -> None:
    about: dict[str, str | int | bool | None] = {
        "automation": act.automation,
        act.kind: act.source_id,
        "membership": membership_id or "not known",
        "act": act.id,
    }
    audit.record(session, NewEvent(what, now, workspace_id=act.workspace_id, about=about))


def _with(act: Act, **changed: Any) -> Act:
    return Act(**{name: getattr(act, name) for name in Act.__slots__} | changed)
