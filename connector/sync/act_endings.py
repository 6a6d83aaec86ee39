"""What acts are carried out with, and how each ends: settled with what follows it, or left to a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from connector.core.automation import Automation
from connector.core.outcomes import as_json
from connector.core.purchases import Verdict
from connector.core.records import iso
from connector.core.requests import Asker
from connector.errors import ConnectorError, TryLaterError
from connector.ports import Clock
from connector.ports.acts import SourceActs
from connector.ports.crm_notes import Noter
from connector.ports.crm_requests import CrmRequests
from connector.store import acts, audit, connections
from connector.store.acts import Act, NewAct
from connector.store.audit import NewEvent
from connector.store.connections import Connection
from connector.store.db import Database, Session
from connector.store.workspaces import Workspace
from connector.sync import act_alarm
from connector.sync.alerting import AlertDesk

log = structlog.get_logger(__name__)


CRM: Final = Automation(
    name="crm",
    title="Asked for in Twenty",
    about="",
    on=frozenset(),
    fact="opportunity",
    steps=(),
    calls=tuple(timedelta(seconds=seconds) for seconds in (1, 2, 4)),
    job=tuple(timedelta(seconds=seconds) for seconds in (10, 30, 60)),
)
"""What people ask for in the CRM is carried out as what automations do is."""


@dataclass(frozen=True, slots=True)
class ActDesk:
    """What acts are carried out with."""

    database: Database
    automations: tuple[Automation, ...]
    clock: Clock
    open_acts: Callable[[Connection], SourceActs]
    alerts: AlertDesk
    open_crm: Callable[[Workspace], CrmRequests]
    open_noter: Callable[[Workspace], Noter]
    ends: Callable[[], bool] = lambda: False

    def terms(self, act: Act) -> Automation | None:
        """How an act is tried again, and what it is called."""
        return CRM if act.kind == CRM.fact else self.automation(act.automation)

    def automation(self, name: str) -> Automation | None:
        """The file of this name, if it is there still."""
        return next((one for one in self.automations if one.name == name), None)


@dataclass(slots=True)
class Job:
    """One act under way; ``journal`` grows, and is kept with every step. ``tell`` answers whoever asked."""

    desk: ActDesk
    act: Act
    owner: str
    pause: Callable[[float], None]
    journal: list[acts.Line]
    lost: bool = False
    tell: Callable[[str], None] = lambda _text: None

    def note(self, text: str) -> None:
        """A line for the journal; kept with what is kept next."""
        self.journal.append((iso(self.desk.clock()), text))

    def keep(self, session: Session, **values: Any) -> None:
        """Remember, in a transaction of the caller's. Raises TryLaterError when another has taken over."""
        values |= {"journal": self.journal}
        if not acts.keep(session, self.act, values, owner=self.owner):
            self.lost = True
            raise TryLaterError("Another worker has this act.", code="lease_lost")

    def end(self, session: Session, state: acts.State, outcome: str, **values: Any) -> None:
        """Settle it and let go of it."""
        self.note(outcome)
        ended = {"state": state, "outcome": outcome, "ended_at": self.desk.clock(), "begun_at": None}
        self.keep(session, **ended, owner=None, lease_until=None, **values)


def skip(job: Job, why: str, **values: Any) -> None:
    """There is nothing to do."""
    with job.desk.database.transaction() as session:
        job.end(session, "skipped", why, **values)


def refuse(job: Job, why: str) -> None:
    """Whoever asked may not: nothing is done, and it counts for nothing that is asked later."""
    act = job.act
    with job.desk.database.transaction() as session:
        job.end(session, "skipped", why, facts={**act.facts, "refused": True})
        _record(session, "act_refused", act, job.desk.clock(), act.membership_id)


def left(job: Job, verdict: Verdict, membership_id: str) -> None:
    """There is nothing to do: because it was done and the answer was lost, or for another reason."""
    automation = job.desk.terms(job.act)
    if verdict.ended and job.act.begun_at is not None and automation is not None:
        told = "Whop shows that it was carried out: only the answer had been lost. It was not asked again."
        return done(job, automation, told, membership_id)
    return skip(job, verdict.why, membership_id=membership_id)


def done(
    job: Job,
    automation: Automation,
    outcome: str,
    membership_id: str,
    also: Callable[[Session, Act], None] = lambda _session, _act: None,
) -> None:
    """Settle it, and have what follows it wait for its time: in one transaction, with what ``also`` keeps."""
    act, now = job.act, job.desk.clock()
    following = automation.step(act.step + 1)
    with job.desk.database.transaction() as session:
        job.end(session, "done", outcome, membership_id=membership_id, error=None)
        _record(session, "act_done", act, now, membership_id)
        also(session, act)
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


def fail(job: Job, error: ConnectorError) -> None:
    """Try all of it again later; after the last time a person is told, with what there is to do by hand."""
    act, now = job.act, job.desk.clock()
    if error.code == "lease_lost":
        return
    if error.code == "worker_ends":
        _give_back(job, due_at=now)
        return
    tries, automation = act.tries + 1, job.desk.terms(act)
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


def wait_on(job: Job, why: str, wait: timedelta) -> None:
    """It is not time yet. That it was looked at is not kept, since that goes on for long."""
    due_at, values = job.desk.clock() + wait, {"outcome": why, "error": None, "tries": 0}
    with job.desk.database.transaction() as session:
        acts.put_off(session, job.act, values, due_at, owner=job.owner)


def _give_back(job: Job, **values: Any) -> None:
    try:
        with job.desk.database.transaction() as session:
            job.keep(session, **values, owner=None, lease_until=None)
    except TryLaterError:
        log.info("an act was taken over", act=job.act.id)


def _give_up(job: Job, error: ConnectorError, values: Mapping[str, Any]) -> None:
    desk, act, now = job.desk, job.act, job.desk.clock()
    automation = desk.terms(act)
    job.tell(f"It did not work: {error} An admin was told.")
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


def asker(act: Act) -> str:
    """Who asked for it in the CRM, in words."""
    return Asker(**act.facts.get("by", {})).told


def _record(session: Session, what: str, act: Act, now: datetime, membership_id: str | None) -> None:
    about: dict[str, str | int | bool | None] = {
        "automation": act.automation,
        act.kind: act.source_id,
        "membership": membership_id or "not known",
        "act": act.id,
    }
    if act.kind == CRM.fact:
        about |= {"asked": str(act.facts["asked"]), "asked by": asker(act)}
    audit.record(session, NewEvent(what, now, workspace_id=act.workspace_id, about=about))
