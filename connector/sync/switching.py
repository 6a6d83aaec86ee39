"""Automations by a person: switched on and off, tried without doing anything, tried again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from connector.core import automation as core
from connector.core import requests
from connector.core.automation import PLAN, Automation
from connector.core.ending import KIND
from connector.core.purchases import Verdict, judge
from connector.core.records import SourceRecord, iso
from connector.errors import RefusedError
from connector.ports.acts import SourceActs
from connector.store import acts, automations, endings
from connector.store.acts import Act
from connector.store.connections import Connection
from connector.store.db import Session
from connector.sync import mailing, messaging
from connector.sync.act_endings import ActDesk

_MOST_TRIED: Final = 50


@dataclass(frozen=True, slots=True)
class Trial:
    """What an automation would have done with one payment, or membership, had it been on."""

    record_id: str
    at: str
    plan_id: str | None
    membership_id: str | None
    would: bool
    why: str


def found(desk: ActDesk, name: str) -> Automation:
    """The automation of this name. Raises RefusedError."""
    one = desk.automation(name)
    if one is None:
        known = ", ".join(each.name for each in desk.automations) or "none"
        raise RefusedError(
            f"There is no automation {name!r}.", code="no_automation", remedy=f"There are: {known}."
        )
    return one


def switch_on(
    desk: ActDesk, connection: Connection, name: str, plans: Mapping[str, str], needs: Sequence[str]
) -> None:
    """Have it act on what comes about from now on. ``plans``: id → title; ``needs`` are permissions.

    Raises RefusedError: no plan is ticked, or the credential may not do what it needs; and as the ports do.
    """
    automation = found(desk, name)
    if automation.chooses_plans and not plans:
        raise RefusedError(
            "No plan is ticked.", code="no_plans", remedy="Tick the plans that the automation is for."
        )
    if desk.alerts.mail is None and any(step.verb == "email" for step in automation.steps):
        raise mailing.no_server()
    lacks = desk.open_acts(connection).lacks(needs)
    if lacks:
        raise RefusedError(
            f"Whop does not let this connection do that: it lacks {', '.join(lacks)}.",
            code="act_scope",
            remedy="Connect the company again from the page of the automation, and approve what it asks for."
            if connection.auth == "oauth"
            else f"Give the key {', '.join(lacks)} in the Whop dashboard, then switch it on.",
        )
    chosen = plans if automation.chooses_plans else {}
    with desk.database.transaction() as session:
        ids = (connection.workspace_id, connection.id, name)
        automations.switch(session, *ids, since=desk.clock(), plans=chosen)


def switch_off(desk: ActDesk, connection: Connection, name: str) -> int:
    """Have it do nothing any more; how many acts that waited are left. Which plans were ticked is kept."""
    automation, now = found(desk, name), desk.clock()
    kept = [step for _, step in core.waiting_for_payment([automation])]
    with desk.database.transaction() as session:
        ids = (connection.workspace_id, connection.id)
        known = automations.of_connection(session, *ids).get(name)
        automations.switch(session, *ids, name, since=None, plans=known.plans if known else {})
        return acts.drop(session, *ids, name, now=now, outcome="The automation was switched off.", but=kept)


def dry_run(
    desk: ActDesk, connection: Connection, name: str, plans: frozenset[str] | None, *, days: int
) -> list[Trial]:
    """What it would have done with the newest payments, or memberships, of these days. Nothing is changed.

    ``plans`` None: whatever plan they are of, as long as it is bought once.
    """
    automation, source = found(desk, name), desk.open_acts(connection)
    since = desk.clock() - timedelta(days=days)
    if automation.before is not None:
        return _upcoming(desk, connection, automation, source, days)
    if automation.fact == "membership":
        return [
            _letter(automation, source, one)
            for one in source.latest_memberships(since, _MOST_TRIED)
            if core.is_meant(automation, one.fields) and (plans is None or one.fields.get(PLAN) in plans)
        ]
    known: dict[str, SourceRecord | None] = {}
    return [
        _pausing(source, one) if automation.steps[0].verb == "pause" else _trial(source, one, plans, known)
        for one in source.latest_payments(since, _MOST_TRIED)
        if core.is_meant(automation, one.fields) and (plans is None or one.fields.get(PLAN) in plans)
    ]


def _upcoming(
    desk: ActDesk, connection: Connection, automation: Automation, source: SourceActs, days: int
) -> list[Trial]:
    """What is renewed soon: of the days to come, not of those past."""
    now, ids = desk.clock(), (connection.workspace_id, connection.id)
    until = now + timedelta(days=days)
    with desk.database.reading() as session:
        found = endings.coming(
            session, *ids, KIND, automation.name, after=now, until=until, limit=_MOST_TRIED
        )
    read = ((source.record("membership", id_), ends_at) for id_, ends_at in found)
    return [
        replace(_letter(automation, source, one), at=ends_at)
        for one, ends_at in read
        if one is not None and core.is_meant(automation, one.fields)
    ]


def _pausing(source: SourceActs, payment: SourceRecord) -> Trial:
    id_ = payment.fields.get("membership_id")
    membership = source.record("membership", id_) if id_ else None
    standing = requests.standing(membership.fields if membership else None, "pause")
    why = standing.never or ("It is paused already." if standing.done else "It would be paused.")
    at = payment.fields.get("last_payment_attempt_at") or payment.fields["created_at"]
    would = not (standing.never or standing.done)
    return Trial(payment.ref.id, at, payment.fields.get(PLAN), id_, would, why)


def _letter(automation: Automation, source: SourceActs, membership: SourceRecord) -> Trial:
    fields, user = membership.fields, membership.fields.get("user_id")
    said = (messaging.text_of(source, step, membership) for step in automation.steps if step.verb != "cancel")
    why = " ".join(said) if user else "Nobody has claimed it, so there is nobody to write to."
    ids = (membership.ref.id, fields["created_at"], fields.get(PLAN), membership.ref.id)
    return Trial(*ids, would=bool(user), why=why)


def _trial(
    source: SourceActs,
    payment: SourceRecord,
    plans: frozenset[str] | None,
    known: dict[str, SourceRecord | None],
) -> Trial:
    membership_id = payment.fields.get("membership_id")
    try:
        verdict = _judged(source, membership_id, plans, known)
    except RefusedError as error:
        verdict = Verdict(act=False, why=str(error))
    return Trial(
        payment.ref.id,
        payment.fields.get("paid_at") or payment.fields["created_at"],
        payment.fields.get(PLAN),
        membership_id,
        verdict.act,
        "It would be cancelled." if verdict.act else verdict.why,
    )


def _judged(
    source: SourceActs,
    membership_id: str | None,
    plans: frozenset[str] | None,
    known: dict[str, SourceRecord | None],
) -> Verdict:
    membership = source.record("membership", membership_id) if membership_id else None
    if membership is None:
        return Verdict(
            act=False, why="Whop names no membership for it." if not membership_id else "It is gone."
        )
    plan_id = membership.fields["plan_id"]
    if plan_id not in known:
        known[plan_id] = source.record("plan", plan_id)
    plan = known[plan_id]
    return judge(membership.fields, plan.fields if plan else None, plans)


def act_of(session: Session, workspace_id: str, id_: int) -> Act:
    """An act of the workspace. Raises RefusedError when it has none of this id."""
    one = acts.get(session, workspace_id, id_)
    if one is None:
        raise RefusedError(f"There is no action {id_}.", code="no_act")
    return one


def try_again(desk: ActDesk, act: Act, who: str) -> None:
    """Have an act that failed tried anew. Raises RefusedError when it has not failed."""
    now = desk.clock()
    journal = [*act.journal, (iso(now), f"{who} has it tried again.")]
    with desk.database.transaction() as session:
        if not acts.again(session, act.workspace_id, act.id, now=now, journal=journal):
            raise _not_failed()


def by_hand(desk: ActDesk, act: Act, who: str) -> None:
    """A person did it on the source. Raises RefusedError when it has not failed."""
    now, told = desk.clock(), f"{who} did it by hand."
    with desk.database.transaction() as session:
        journal = [*act.journal, (iso(now), told)]
        if not acts.end_by_hand(session, act.workspace_id, act.id, now=now, outcome=told, journal=journal):
            raise _not_failed()


def _not_failed() -> RefusedError:
    return RefusedError(
        "This act does not wait for a person.", code="act_over", remedy="Look at it: something has happened."
    )
