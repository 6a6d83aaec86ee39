"""Notes and tasks: what an event leaves in the CRM beside its records. Decided as data; nothing is sent here.

A note is about a *fact*: a payment that failed, a membership that ended. However often a fact is told, the
note of one rule is made once, because its key and its id follow from the rule and the fact alone. Facts from
before notes were switched on leave nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

from connector.core import sales
from connector.core.events import Told
from connector.core.records import SourceRecord, iso

Kind = Literal["note", "task"]
Fields = Mapping[str, Any]
Words = Callable[[Fields], str]
"""The fields of a fact → the words of a note."""

OWNER: Final = "owner"
"""The assignee of a task who looks after the record that it stands beside."""


@dataclass(frozen=True, slots=True)
class NoteRule:
    """One entry of a file's ``notes`` or ``tasks``.

    ``on`` are events about records of the kind ``fact``, of which ``only`` tells those that count;
    ``once_per`` is the kind whose id tells one note from the next. ``to`` are links of the record, "" for the
    record itself. ``due`` says when a task is due: the first that is known. ``assignee`` is "", ``OWNER`` or
    an e-mail address. A task is done by one of the events ``done_on``, or when its fact is in a state that
    ``done_in`` knows.
    """

    name: str
    kind: Kind
    on: frozenset[str]
    fact: str
    once_per: str
    to: tuple[str, ...]
    title: Words
    text: Words
    only: Callable[[Fields], bool] | None = None
    due: tuple[timedelta | Callable[[Fields], Any], ...] = ()
    assignee: str = ""
    done_on: frozenset[str] = frozenset()
    done_in: Callable[[Fields], bool] | None = None


class Fact(NamedTuple):
    """What an event tells, as far as notes are concerned.

    ``ids`` has the id of everything that it belongs to by kind, its own among them. ``at`` is when it came
    about, ``fields`` the record as the event has it and ``latest`` as it is known now.
    """

    event: str
    kind: str
    ids: Mapping[str, str]
    at: str
    fields: Fields
    latest: Fields


class Wanted(NamedTuple):
    """A note or task that there has to be, and the place of its fact among those that were given."""

    rule: NoteRule
    per: str
    fact: int

    @property
    def key(self) -> tuple[str, str]:
        """What there is once."""
        return self.rule.name, self.per


def within(kind: str, parent: str) -> tuple[str, ...]:
    """The kinds whose ids a fact of this kind has, where its record's mapping is of ``parent``."""
    of_sale = (kind, "payment", parent) if kind in sales.KINDS else (kind,)
    return tuple(dict.fromkeys(of_sale))


def wanted(rules: Sequence[NoteRule], facts: Sequence[Fact], since: str) -> list[Wanted]:
    """What these facts leave, each once; nothing of facts from before ``since``."""
    found: dict[tuple[str, str], Wanted] = {}
    for place, fact in enumerate(facts):
        if fact.at <= since:
            continue
        for rule in rules:
            per = fact.ids.get(rule.once_per)
            if per and _is_meant(rule, fact) and not _is_settled(rule, fact):
                one = Wanted(rule, per, place)
                found.setdefault(one.key, one)
    return list(found.values())


def closing(rules: Sequence[NoteRule], facts: Iterable[Fact]) -> list[tuple[str, str]]:
    """The keys of tasks that these facts settle."""
    found: dict[tuple[str, str], None] = {}
    for fact in facts:
        for rule in rules:
            per = fact.ids.get(rule.once_per)
            if rule.kind == "task" and per and (fact.event in rule.done_on or _is_settled(rule, fact)):
                found[rule.name, per] = None
    return list(found)


def _is_meant(rule: NoteRule, fact: Fact) -> bool:
    told = fact.event in rule.on and fact.kind == rule.fact
    return told and (rule.only is None or rule.only(fact.fields))


def _is_settled(rule: NoteRule, fact: Fact) -> bool:
    """Whether there is nothing to do any more, whatever the event says: it may have come late."""
    return fact.kind == rule.fact and rule.done_in is not None and rule.done_in(fact.latest)


def dated(told: Told, record: SourceRecord | None, received_at: str) -> str:
    """When what an event tells came about: the earliest moment that anything about it allows.

    An event that is sent once more may bear the time of sending, and a record moves on after the event.
    """
    own = _own_date(told.name, record.fields, record.updated_at) if record else None
    known = [one for one in (own, told.occurred_at) if one is not None]
    return min(known, default=received_at)


def _own_date(event: str, fields: Fields, updated_at: str | None) -> str | None:
    kind, _, what = event.partition(".")
    if kind == "payment":
        dates = (fields.get(name) for name in ("paid_at", "last_payment_attempt_at", "created_at"))
        return max((one for one in dates if one), default=None)
    return fields.get("created_at") if what == "created" else updated_at


def due_at(rule: NoteRule, fact: Fact) -> str | None:
    """When a task is due; None where nothing says it."""
    for one in rule.due:
        if isinstance(one, timedelta):
            return iso(datetime.fromisoformat(fact.at) + one)
        value = one(fact.fields)
        if isinstance(value, str) and value:
            return value
    return None
