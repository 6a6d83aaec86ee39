"""What has to be allowed on Whop, found out by asking the mappings: nothing that none of them uses.

A mapping is asked by giving its rules a record that has nothing in it and remembers what it was asked for.
So a rule cannot read a field that this does not see, in whatever way its file puts it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from connector.core import mapping as core
from connector.core.mapping import Own
from connector.core.sales import KINDS

SOURCE: Final = "whop"
IDENTITY: Final = ("openid", "profile", "email")
"""For knowing who approved. They open no data of the company."""

BY_KIND: Final[Mapping[str, str]] = {
    "product": "access_pass:basic:read",
    "plan": "plan:basic:read",
    "member": "member:basic:read",
    "membership": "member:basic:read",
    "payment": "payment:basic:read",
    "refund": "payment:basic:read",
    "dispute": "payment:dispute:read",
}
"""Without it a list may be short instead of refused, which would pass for records that are gone."""

BY_FIELD: Final[Mapping[str, Mapping[str, str]]] = {
    "member": {"email": "member:email:read", "phone_number": "member:phone:read"},
    "membership": {"phone_number": "member:phone:read"},
    "payment": {
        "customer_email": "member:email:read",
        "customer_phone": "member:phone:read",
        "member_id": "member:basic:read",
        "membership_id": "member:basic:read",
    },
    "dispute": {"buyer.email": "member:email:read"},
}
"""Fields that are null without a permission of their own."""

SUMS: Final = "payments"
"""The field of a membership below which stands what its payments add up to: ours, not Whop's."""

_SUMMED: Final = ("payment", "refund")

COMPANY: Final = "company:basic:read"

_WORDS: Final[Mapping[str, tuple[str, str, str]]] = {
    COMPANY: (
        "See which company this is",
        "Its name stands beside its connection, and its id keeps other companies' records out.",
        "The company cannot be connected.",
    ),
    "access_pass:basic:read": (
        "See your products",
        "One record in Twenty for each product.",
        "Products, and with them whole syncs, stop.",
    ),
    "plan:basic:read": ("See your plans and prices", "Plans come to Twenty.", "Syncs stop at the plans."),
    "member:basic:read": (
        "See who your members are and what they have joined",
        "One person in Twenty for each member, one opportunity for each membership.",
        "Members and memberships, and with them whole syncs, stop.",
    ),
    "member:email:read": (
        "See your members' e-mail addresses",
        "People who are in Twenty already are recognised by their address.",
        "E-mail addresses in Twenty stay as they are; people are recognised by their Whop id alone.",
    ),
    "member:phone:read": (
        "See your members' phone numbers",
        "Phone numbers come to Twenty.",
        "Phone numbers in Twenty stay as they are. Everything else works.",
    ),
    "payment:basic:read": (
        "See payments and refunds",
        "What each member has paid, and what was paid back, comes to Twenty.",
        "Payments and refunds are not read.",
    ),
    "payment:dispute:read": (
        "See disputed payments",
        "A payment that a buyer's bank disputes becomes a task in Twenty, due when Whop wants your evidence.",
        "No tasks come of disputed payments. Everything else works.",
    ),
}


@dataclass(frozen=True, slots=True)
class Scope:
    """One permission in plain words. ``used_by`` are the CRM objects, and ``object.field``, that need it."""

    name: str
    title: str
    enables: str
    without: str
    used_by: tuple[str, ...] = ()


def needed(mappings: Iterable[core.Mapping]) -> tuple[Scope, ...]:
    """What these mappings need of Whop, in the order of the words above."""
    users: dict[str, list[str]] = {COMPANY: []}
    for mapping in mappings:
        if mapping.source == SOURCE:
            for permission, user in _uses(mapping):
                users.setdefault(permission, []).append(user)
    known = (name for name in _WORDS if name in users)
    return tuple(Scope(name, *_WORDS[name], tuple(dict.fromkeys(users[name]))) for name in known)


def summed(mappings: Iterable[core.Mapping]) -> tuple[str, ...]:
    """The kinds that have to be read beside those that are mapped: a mapping wants what they add up to, or
    notes about them.
    """
    ours = [mapping for mapping in mappings if mapping.source == SOURCE]
    wanted = {kind for mapping in ours for kind, _ in _beside(mapping)}
    return tuple(kind for kind in KINDS if kind in wanted)


def title_of(name: str) -> str:
    """A permission to read, in plain words."""
    return _WORDS[name][0]


def asked(scopes: Iterable[Scope]) -> tuple[str, ...]:
    """What goes into the request for these."""
    return (*IDENTITY, *(scope.name for scope in scopes))


def _uses(mapping: core.Mapping) -> Iterator[tuple[str, str]]:
    """(permission, who needs it) of one mapping."""
    yield BY_KIND[mapping.kind], mapping.object.name
    yield from ((BY_KIND[kind], user) for kind, user in _beside(mapping))
    for kind, user, read in [*((mapping.kind, *one) for one in _reads(mapping)), *_said(mapping)]:
        asked = _read_by(read)
        for name, permission in BY_FIELD.get(kind, {}).items():
            if name.partition(".")[0] in asked:
                yield permission, user


def _beside(mapping: core.Mapping) -> Iterator[tuple[str, str]]:
    """(kind of payment, refund or dispute, who needs it). All of them are tied to people by their payment."""
    for user, read in _reads(mapping) if mapping.kind == "membership" else ():
        if SUMS in _read_by(read):
            yield from ((kind, user) for kind in _SUMMED)
    for rule in mapping.notes:
        if rule.fact in KINDS:
            yield from ((kind, rule.kind) for kind in dict.fromkeys((rule.fact, "payment")))


def _said(mapping: core.Mapping) -> Iterator[tuple[str, str, core.Read]]:
    """(kind, who needs it, what looks into a record of it) of notes and tasks."""
    for rule in mapping.notes:
        for read in (
            rule.title,
            rule.text,
            *(one for one in rule.due if callable(one)),
            rule.only,
            rule.done_in,
        ):
            if read is not None:
                yield rule.fact, rule.kind, read


def _reads(mapping: core.Mapping) -> Iterator[tuple[str, core.Read]]:
    """Everything of a mapping that looks into a record, and the CRM field or object it is for."""
    owner = mapping.object.name
    for rule in mapping.fields:
        if rule.own is not Own.NEVER:
            yield f"{owner}.{rule.spec.name}", rule.read
    for link in mapping.links:
        yield f"{owner}.{link.spec.name}", link.read_id
    for key in mapping.match:
        yield f"{owner}.{key.field}", key.read
    for one in mapping.only:
        yield owner, one.read
    yield owner, mapping.title


def _read_by(read: core.Read) -> set[str]:
    empty = _Remembering()
    read(empty)
    return empty.asked


class _Remembering(dict[str, Any]):
    """A record whose every field is empty: a rule that has more than one to look at looks at them all."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return None

    def __missing__(self, name: str) -> Any:
        return self.get(name)
