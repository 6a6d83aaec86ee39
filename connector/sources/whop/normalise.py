"""An item as Whop sends it → a source record in today's names, or BadRecordError.

A dialect is a table of readers by kind, and which dialect an item speaks is told by the item: webhooks
and keys carry pins of their own, so one company can send several.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeGuard

from connector.core.records import Ref, SourceRecord
from connector.errors import BadRecordError

from .catalogue import SENT
from .shapes import Shape, bad_value, changed, check, compiled

SOURCE: Final = "whop"
CURRENT: Final = "2026-10-15-1"
LEGACY: Final = "2025-01-01"

Read = Callable[[dict[str, Any]], Mapping[str, Any]]
"""An item of one dialect and kind → canonical fields. Raises BadRecordError."""

_ID: Final = re.compile(r"[!-~]{1,100}")
#: Null here would be taken for empty and clear a field of the CRM, or let a late event pass for a new one.
_NEVER_NULL: Final[Mapping[str, str]] = {
    "product": "id title created_at updated_at",
    "plan": "id plan_type currency created_at updated_at",
    "member": "id account_id status display_name created_at joined_at",
    "membership": "id account status product_id plan_id cancel_at_period_end created_at updated_at",
    "payment": "id status substatus currency created_at updated_at",
    "refund": "id payment_id status created_at updated_at",
    "dispute": "id status currency amount inquiry created_at updated_at",
    "user": "id username created_at",
}
#: Names that only the legacy dialect has, for where it leaves ``company`` out.
_LEGACY_ONLY: Final[Mapping[str, str]] = {"member": "company_token_balance", "refund": "currency"}
#: What is no data of the company, or has a name that is ours: it never becomes part of a record.
_DROPPED: Final[Mapping[str, tuple[str, ...]]] = {"membership": ("payments",), "payment": ("client_secret",)}
_NAMES_ACCOUNT: Final = frozenset({"product", "plan", "membership"})
"""The kinds that show their company as an object; the others name its id, except a user, who has none."""


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
    fields = _reader(kind, item)(item)
    if withheld:
        fields = _without_nulls(fields, withheld)
    return SourceRecord(Ref(SOURCE, kind, id_), fields, fields.get("updated_at"))


def _without_nulls(fields: Mapping[str, Any], names: frozenset[str]) -> Mapping[str, Any]:
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


def owner(kind: str, fields: Mapping[str, Any]) -> str | None:
    """The company that a canonical record names as its own, None where it names none."""
    if kind not in _NAMES_ACCOUNT:
        return fields.get("account_id")
    account = fields.get("account")
    return account.get("id") if account else None


def dialect_of(kind: str, item: Mapping[str, Any]) -> str:
    """The API version whose names an item uses."""
    if ("account" if kind in _NAMES_ACCOUNT else "account_id") in item:
        return CURRENT
    return LEGACY if "company" in item or _LEGACY_ONLY.get(kind, "company") in item else CURRENT


def _reader(kind: str, item: Mapping[str, Any]) -> Read:
    dialect = dialect_of(kind, item)
    try:
        return _DIALECTS[dialect][kind]
    except KeyError:
        message = f"Whop sent this {kind} in the dialect of {dialect}, which is not read yet."
        raise BadRecordError(
            message,
            field="company",
            expected=f"a {kind} in the dialect of {CURRENT}",
            found=f"one in the dialect of {dialect}",
            remedy=f"Set the API version of the webhook, or of the key, to {CURRENT} on Whop.",
        ) from None


def _current(kind: str) -> Read:
    shape = compiled(SENT[kind], frozenset(_NEVER_NULL[kind].split()))
    dropped = _DROPPED.get(kind, ())

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


_DIALECTS: Final[Mapping[str, Mapping[str, Read]]] = {CURRENT: {kind: _current(kind) for kind in SENT}}
