"""Automations: what is done on Whop when something happens there. Decided as data; nothing is sent here.

An automation is switched on for a connection, by a person, and acts on facts from after that moment alone.
Each of its steps for one record is an *act*: a row that waits for its time, and is done once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

from connector.core import notes
from connector.core.conversations import PATIENCE
from connector.core.events import Told
from connector.core.mapping import Filter, passes
from connector.core.notes import Words
from connector.core.records import UNKNOWN

Fields = Mapping[str, Any]
Verb = Literal["cancel", "pause", "resume", "message", "email", "task"]
VERBS: Final[Mapping[Verb, tuple[str, ...]]] = {
    "cancel": ("now",),
    "pause": ("now",),
    "resume": ("now",),
    "message": (),
    "email": (),
    "task": (),
}
"""What a step may do, and how; what is written has its text."""

RENEWAL: Final = "renewal"
"""What no event tells: the clock does, some time before a membership's period ends."""

PAID: Final = "payment.succeeded"

PLAN: Final = "plan_id"
"""The field by which a record belongs to a plan."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is done, ``wait`` after what came before it. ``how`` is as the file has it, ``says``
    what a message, or an e-mail or task as its title, says of a membership; ``body`` is what else these say.
    ``until_paid``: it waits until what failed is paid, and is carried out even if the automation was switched
    off meanwhile, because it brings to an end what a step before it began. ``patience`` is how long an
    answer to a message is waited for."""

    verb: Verb
    how: str
    wait: timedelta = timedelta(0)
    says: Words = str
    body: Words = str
    until_paid: bool = False
    patience: timedelta = PATIENCE


@dataclass(frozen=True, slots=True)
class Automation:
    """One file. ``on`` are events about records of the kind ``fact``; ``when`` says which of these count.
    ``before``: it is set off by no event, but so long before a membership's period ends (``RENEWAL``).

    ``chooses_plans``: it is for the plans that whoever switches it on has ticked. ``unless_access``: no task
    about somebody who has access again. ``calls`` are the waits before a request that failed is sent again,
    ``job`` those before all of an act is tried again.
    """

    name: str
    title: str
    about: str
    on: frozenset[str]
    fact: str
    steps: tuple[Step, ...]
    when: tuple[Filter, ...] = ()
    chooses_plans: bool = False
    unless_access: bool = False
    before: timedelta | None = None
    calls: tuple[timedelta, ...] = ()
    job: tuple[timedelta, ...] = ()

    def step(self, number: int) -> Step | None:
        """The step of this number, if the file has it still."""
        return self.steps[number] if number < len(self.steps) else None

    def wait_after(self, failures: int) -> timedelta | None:
        """How long until an act that failed so often is tried again; None when that was the last time."""
        return self.job[failures - 1] if failures <= len(self.job) else None


def record_of(source_id: str) -> str:
    """The record that an act is about: one that is set off again and again has its moment behind an @."""
    return source_id.partition("@")[0]


def ends_of(source_id: str) -> str | None:
    """The end of the period that an act is about, where it is about one."""
    return source_id.partition("@")[2] or None


def waiting_for_payment(automations: Iterable[Automation]) -> list[tuple[str, int]]:
    """(automation, step) of the steps that wait until something is paid."""
    return [(one.name, at) for one in automations for at, step in enumerate(one.steps) if step.until_paid]


def paid_for(heard: Iterable[Heard]) -> set[str]:
    """The payments that these events say were paid, and the memberships that they are for."""
    found: set[str] = set()
    for one in heard:
        if one.told.name == PAID and one.told.ref is not None:
            fields = one.told.record.fields if one.told.record else {}
            found |= {id_ for id_ in (one.told.ref.id, fields.get("membership_id")) if id_}
    return found


class Switched(NamedTuple):
    """How an automation is set: facts from after ``since`` count, of these ``plans`` (where it chooses)."""

    since: str
    plans: frozenset[str]


class Heard(NamedTuple):
    """An event as it came in; ``event`` is its row."""

    event: int
    told: Told
    received_at: str


class Cause(NamedTuple):
    """Why there is something to do: what an event told, as far as it did. ``at`` is when it came about,
    ``heard_at`` when we were told."""

    automation: str
    kind: str
    id: str
    event: int
    at: str
    heard_at: str
    fields: dict[str, Any]


_TOLD: Final = ("membership_id", "plan_id", "product_id", "created_at", "paid_at", "total")
"""What is kept of what an event told. Who the buyer is stands in it by id alone."""


def causes(
    automations: Sequence[Automation], switched: Mapping[str, Switched], heard: Iterable[Heard]
) -> list[Cause]:
    """What these events set off, each record once for each automation."""
    found: dict[tuple[str, str], Cause] = {}
    for one in heard:
        for automation in automations:
            switch = switched.get(automation.name)
            if switch is not None and (cause := _cause(automation, switch, one)) is not None:
                found.setdefault((automation.name, cause.id), cause)
    return list(found.values())


def _cause(automation: Automation, switch: Switched, heard: Heard) -> Cause | None:
    told = heard.told
    if told.ref is None or told.name not in automation.on or told.ref.kind != automation.fact:
        return None
    at = notes.dated(told, told.record, heard.received_at)
    fields = told.record.fields if told.record else {}
    if at <= switch.since or not all(passes(fields, one) for one in automation.when):
        return None
    plan = fields.get(PLAN)
    if automation.chooses_plans and plan is not None and plan not in switch.plans:
        return None
    kept = dict(_kept(fields))
    return Cause(automation.name, told.ref.kind, told.ref.id, heard.event, at, heard.received_at, kept)


def _kept(fields: Fields) -> Iterator[tuple[str, Any]]:
    yield from ((name, fields[name]) for name in _TOLD if fields.get(name) is not None)
    user = fields.get("user_id") or (fields.get("user") or {}).get("id")
    if isinstance(user, str):
        yield "user_id", user


def is_meant(automation: Automation, fields: Fields) -> bool:
    """Whether a record, as it was read now, is one that the file means. What is not told is no yes."""
    return all(one.read(fields) is not UNKNOWN and passes(fields, one) for one in automation.when)


def first_due(automation: Automation, heard_at: datetime) -> datetime:
    """When the first step's time has come: what an event waited for to be taken counts."""
    return heard_at + automation.steps[0].wait
