"""Acts whose time has come: looked at, carried out on the source, and settled. Each is done once.

Before the source is asked to change anything the intent is committed, and its answer after it. Whoever takes
up an act after a crash looks at the membership first, and so does every further try: what was carried out is
not asked for again. A request that changes something goes out in no transaction, under a lease.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from threading import Lock
from typing import Final

import structlog

from connector.core import automation as core
from connector.core.automation import Automation
from connector.core.purchases import Verdict, judge
from connector.errors import ConnectorError, RefusedError
from connector.ports.acts import SourceActs
from connector.store import acts, automations, connections
from connector.store.acts import Act
from connector.store.automations import Switch
from connector.sync import act_calls, crm_acts, mailing, messaging, pausing, purchases, tasking
from connector.sync.act_endings import ActDesk, Job, done, fail, left, skip
from connector.sync.heartbeat import heartbeat
from connector.sync.purchases import Matched

log = structlog.get_logger(__name__)

_BY_VERB: Final = {
    "message": messaging.carry_out,
    "email": mailing.carry_out,
    "task": tasking.carry_out,
    "pause": pausing.carry_out,
    "resume": pausing.carry_out,
}
LEASE: Final = timedelta(seconds=15)
_LONGEST: Final = timedelta(seconds=45)
_AT_ONCE: Final = 8
_OF_ONE: Final = 4
"""Acts of one connection beside one another."""

_LOOK_AGAIN: Final = 0.1


def take_due(
    desk: ActDesk,
    *,
    owner: str,
    pause: Callable[[float], None],
    listen: Callable[[], object] = lambda: None,
) -> int:
    """Carry out what is due, several beside one another, until nothing is; how many were taken.

    No act waits for another: as soon as one is through the next begins, and a company whose source is slow
    takes up half of the places at most. ``listen`` looks meanwhile for what sets off more.
    """
    taken, end, doors = 0, desk.clock() + _LONGEST, _Doors(desk)
    busy: dict[Future[bool], Act] = {}
    with ThreadPoolExecutor(_AT_ONCE, "act") as threads:
        while not desk.ends() and desk.clock() < end:
            listen()
            for one in _next(desk, list(busy.values())):
                busy[threads.submit(_take, desk, doors, one, owner, pause)] = one
            if not busy:
                break
            for future in wait(busy, _LOOK_AGAIN, FIRST_COMPLETED).done:
                del busy[future]
                taken += future.result()
        return taken + sum(future.result() for future in busy)


def _next(desk: ActDesk, busy: Sequence[Act]) -> list[Act]:
    """What may begin beside those under way."""
    free, under_way = _AT_ONCE - len(busy), Counter(one.connection_id for one in busy)
    if not free:
        return []
    full = [id_ for id_, number in under_way.items() if number >= _OF_ONE]
    with desk.database.reading() as session:
        found = acts.due(session, desk.clock(), 2 * _AT_ONCE, but=full)
    begun, chosen = {one.id for one in busy}, list[Act]()
    for one in found:
        if one.id not in begun and under_way[one.connection_id] < _OF_ONE and len(chosen) < free:
            chosen.append(one)
            under_way[one.connection_id] += 1
    return chosen


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
    job = Job(desk, act, owner, pause, list(act.journal))
    with heartbeat(partial(_prolong, job)):
        try:
            _carry_out(job, doors, known.get(act.automation))
        except ConnectorError as error:
            fail(job, error)
        except Exception as error:
            # A defect that one act meets must neither end the others nor be met again every few seconds.
            log.exception("an act broke off", act=act.id)
            told = f"A defect of the connector ({type(error).__name__})."
            fail(job, RefusedError(told, code="internal", remedy="Report it."))
    return True


def _prolong(job: Job) -> None:
    until = job.desk.clock() + LEASE
    with job.desk.database.transaction() as session:
        job.lost = not acts.renew(session, job.act, owner=job.owner, until=until)


def _carry_out(job: Job, doors: _Doors, switch: Switch | None) -> None:
    desk, act = job.desk, job.act
    if act.kind == crm_acts.KIND:
        return crm_acts.carry_out(job, doors.of(act))
    automation = desk.automation(act.automation)
    step = automation.step(act.step) if automation else None
    if automation is None or step is None:
        return skip(job, "The automation is there no more.")
    if (switch is None or switch.since is None) and not step.until_paid:
        return skip(job, "The automation was switched off before its time came.")
    source = doors.of(act)
    found = purchases.match(source, act)
    job.note(found.how)
    if step.until_paid:
        if pausing.is_unpaid(job, source, found):
            return None
    elif (why := _not_meant(source, automation, act, found)) is not None:
        return skip(job, why, membership_id=found.membership_id)
    if (carry_out := _BY_VERB.get(step.verb)) is not None:
        return carry_out(job, source, automation, step, found.membership_id)
    plans = frozenset(switch.plans) if switch and automation.chooses_plans else None
    return _cancel(job, source, automation, found.membership_id, plans)


def _not_meant(source: SourceActs, automation: Automation, act: Act, found: Matched) -> str | None:
    """Why the record, as it is now, is none that the automation is for; None: it is."""
    subject = found.payment
    if act.kind == "membership":
        subject = source.record("membership", found.membership_id)
    if subject is not None and not core.is_meant(automation, subject.fields):
        return f"The {act.kind} is not one of those any more that the automation is for."
    ends_at = core.ends_of(act.source_id)
    if ends_at is not None and (subject is None or subject.fields.get("current_period_end") != ends_at):
        return "Its period ends at another time by now."
    return None


def _cancel(
    job: Job, source: SourceActs, automation: Automation, id_: str, plans: frozenset[str] | None
) -> None:
    verdict = _looked(source, id_, plans)
    if not verdict.act:
        return left(job, verdict, id_)
    act_calls.begin(job, id_, f"Asking Whop to cancel {id_} now.")
    act_calls.ask(
        job,
        automation.calls,
        lambda key: source.cancel(id_, at_period_end=False, key=key).fields,
        is_done=lambda after: judge(after, None, None).ended,
        look=lambda: _looked(source, id_, plans).ended,
    )
    return done(job, automation, "Cancelled on Whop.", id_)


def _looked(source: SourceActs, membership_id: str, plans: frozenset[str] | None) -> Verdict:
    membership = source.record("membership", membership_id)
    if membership is None:
        return judge(None, None, plans)
    plan = source.record("plan", membership.fields["plan_id"])
    return judge(membership.fields, plan.fields if plan else None, plans)
