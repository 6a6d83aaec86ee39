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
from .shapes import Shape, bad_value, changed_times, check, compiled

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
}
#: Names that only the legacy dialect has, for the lists in which it leaves ``company`` out.
_LEGACY_ONLY: Final = frozenset({"company_token_balance", "payment_collection_paused"})


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
        fields = _without(fields, [name for name in withheld if fields.get(name, "") is None])
    return SourceRecord(Ref(SOURCE, kind, id_), fields, fields.get("updated_at"))


def _without(fields: Mapping[str, Any], names: Sequence[str]) -> Mapping[str, Any]:
    if not names:
        return fields
    fewer = dict(fields)
    for name in names:
        del fewer[name]
    return fewer


def is_id(value: object) -> TypeGuard[str]:
    """Whether this can be an id of Whop: opaque, but short, visible and plain."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def owner(kind: str, fields: Mapping[str, Any]) -> str | None:
    """The company that a canonical record names as its own, None where it names none."""
    if kind == "member":
        return fields.get("account_id")
    account = fields.get("account")
    return account.get("id") if account else None


def dialect_of(kind: str, item: Mapping[str, Any]) -> str:
    """The API version whose names an item uses."""
    if ("account_id" if kind == "member" else "account") in item:
        return CURRENT
    return LEGACY if "company" in item or not _LEGACY_ONLY.isdisjoint(item) else CURRENT


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
    return lambda item: _canonical(item, shape)


def _canonical(item: dict[str, Any], shape: Shape) -> dict[str, Any]:
    check(item, shape)
    changed = changed_times(item, shape)
    if changed:
        item = {**item, **changed}
    return item


def _current_membership() -> Read:
    plain = _current("membership")

    def read(item: dict[str, Any]) -> Mapping[str, Any]:
        # The name is ours, for the roll-ups: whatever Whop should come to mean by it.
        return plain(item if "payments" not in item else dict(_without(item, ["payments"])))

    return read


_DIALECTS: Final[Mapping[str, Mapping[str, Read]]] = {
    CURRENT: {
        "product": _current("product"),
        "plan": _current("plan"),
        "member": _current("member"),
        "membership": _current_membership(),
    },
}
