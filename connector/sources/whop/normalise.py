"""An item as Whop sends it, in whatever dialect → a source record in today's names, or BadRecordError.

An item of an old dialect is translated first; then all go the same way, so that nothing is checked twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeGuard

from connector.core.records import Ref, SourceRecord
from connector.errors import BadRecordError

from .catalogue import SENT
from .dialects import CURRENT, NAMES_ACCOUNT, TRANSLATIONS, dialect_of
from .shapes import Shape, bad_value, changed, check, compiled

SOURCE: Final = "whop"

Read = Callable[[dict[str, Any]], Mapping[str, Any]]
"""An item of today's dialect → canonical fields. Raises BadRecordError."""

_LONGEST_ID: Final = 100
_ID: Final = re.compile(rf"[!-~]{{1,{_LONGEST_ID}}}")
#: Null here would be taken for empty and clear a field of the CRM, or let a late event pass for a new one.
NEVER_NULL: Final[Mapping[str, str]] = {
    "product": "id title created_at updated_at",
    "plan": "id plan_type currency created_at updated_at",
    "member": "id account_id status display_name created_at joined_at",
    "membership": "id account status product_id plan_id cancel_at_period_end created_at updated_at",
    "payment": "id status substatus currency created_at updated_at",
    "refund": "id payment_id status created_at updated_at",
    "dispute": "id status currency amount inquiry created_at updated_at",
    "user": "id username created_at",
}
SHAPES: Final[Mapping[str, Shape]] = {
    kind: compiled(SENT[kind], frozenset(NEVER_NULL[kind].split())) for kind in SENT
}
#: What is no data of the company, or has a name that is ours: it never becomes part of a record.
DROPPED: Final[Mapping[str, tuple[str, ...]]] = {"membership": ("payments",), "payment": ("client_secret",)}


def normalise(kind: str, item: object, withheld: frozenset[str] = frozenset()) -> SourceRecord:
    """The record of an item; its fields may be the item itself, so it must not be changed afterwards.

    ``withheld`` names the fields that the credential may not read: Whop sends null for them, which
    tells nothing. Raises BadRecordError.
    """
    if not isinstance(item, dict):
        raise bad_value(kind, f"a {kind}", item)
    id_ = item.get("id")
    if not is_id(id_):
        raise bad_value("id", f"the id of a {kind}", id_)
    dialect = dialect_of(kind, item)
    fields = _READERS[kind](item if dialect == CURRENT else _translated(dialect, kind, item))
    if withheld:
        fields = without_nulls(fields, withheld)
    return SourceRecord(Ref(SOURCE, kind, id_), fields, fields.get("updated_at"))


def without_nulls(fields: Mapping[str, Any], names: frozenset[str]) -> Mapping[str, Any]:
    """The fields without those of these names, dotted ones included, that are null."""
    nulls = [name for name in names if fields.get(name, "") is None]
    if nulls:
        fields = _without(fields, nulls)
    for name in names:
        outer, _, inner = name.partition(".")
        part = fields.get(outer) if inner else None
        if part and part.get(inner, "") is None:
            fields = {**fields, outer: _without(part, [inner])}
    return fields


def _without(fields: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


def is_id(value: object) -> TypeGuard[str]:
    """Whether this can be an id of Whop: opaque, but short, visible and plain."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def are_ids(texts: Sequence[str]) -> bool:
    """Whether ``is_id`` holds for each of these texts; asked of all at once."""
    joined, lengths = "".join(texts), set(map(len, texts))
    plain = joined.isascii() and joined.isprintable() and " " not in joined
    return plain and lengths.isdisjoint((0,)) and max(lengths, default=1) <= _LONGEST_ID


def owner(kind: str, fields: Mapping[str, Any]) -> str | None:
    """The company that a canonical record names as its own, None where it names none."""
    if kind not in NAMES_ACCOUNT:
        return fields.get("account_id")
    account = fields.get("account")
    return account.get("id") if account else None


def _translated(dialect: str, kind: str, item: dict[str, Any]) -> dict[str, Any]:
    translate = TRANSLATIONS[dialect].get(kind)
    if translate is not None:
        return translate(item)
    raise BadRecordError(
        f"Whop sent this {kind} in the dialect {dialect}, which has no such records as far as is known.",
        field="created_at",
        expected=f"a {kind} in the dialect of {CURRENT}",
        found=f"one in the dialect {dialect}",
        remedy=f"Set the API version of the webhook to {CURRENT} on Whop.",
    )


def _current(kind: str) -> Read:
    shape = SHAPES[kind]
    dropped = DROPPED.get(kind, ())

    def read(item: dict[str, Any]) -> dict[str, Any]:
        for name in dropped:
            if item.get(name) is not None:
                item = _without(item, dropped)
        return _canonical(item, shape)

    return read


def _canonical(item: dict[str, Any], shape: Shape) -> dict[str, Any]:
    check(item, shape)
    found = changed(item, shape)
    return {**item, **found} if found else item


_READERS: Final[Mapping[str, Read]] = {kind: _current(kind) for kind in SENT}
