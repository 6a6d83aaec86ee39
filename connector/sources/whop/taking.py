"""What becomes of what Whop sent: a record of this company, or what is wrong with it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from connector.core.records import BadRecord, Ref, SourceRecord
from connector.errors import BadRecordError

from . import quick
from .normalise import SOURCE, is_id, normalise, owner
from .shapes import bad_value
from .vocabulary import NewWords

Item = SourceRecord | BadRecord


def page(
    kind: str, items: Sequence[Any], company: str, withheld: frozenset[str], new_words: NewWords
) -> Iterable[Item]:
    """The items of a list that was asked for one company's records: at once, or else one by one."""
    read = quick.read(kind, items, company, withheld)
    if read is None:
        return [listed(kind, item, company, withheld, new_words) for item in items]
    return new_words.marked_all(kind, read.records, read.columns)


def listed(kind: str, item: object, company: str, withheld: frozenset[str], new_words: NewWords) -> Item:
    """An item of such a list.

    The filter is not believed: without it a list is that of the public marketplace. Whop may leave out whose
    a product or a payment is; then nothing says that it is the company's.
    """
    try:
        record = normalise(kind, item, withheld)
        named = owner(kind, record.fields)
        if named != company:
            raise _foreign(record.ref, named, company)
    except BadRecordError as err:
        return BadRecord(_ref_of(kind, item), err)
    return new_words.marked(record)


def asked_for(ref: Ref, item: object, company: str, withheld: frozenset[str]) -> SourceRecord:
    """An item read by its id: nothing but the item itself says whose it is, so it must say so."""
    record = normalise(ref.kind, item, withheld)
    if record.ref != ref:  # a membership is also found by its licence key
        raise bad_value("id", ref.id, record.ref.id)
    named = owner(ref.kind, record.fields)
    if named != company and ref.kind != "user":
        raise _foreign(ref, named, company)
    return record


def _ref_of(kind: str, item: object) -> Ref:
    """The ref of an unreadable item; without a usable id it gets one made from what it holds."""
    id_ = item.get("id") if isinstance(item, dict) else None
    if is_id(id_):
        return Ref(SOURCE, kind, id_)
    digest = hashlib.sha256(repr(item).encode("utf-8", "backslashreplace")).hexdigest()
    return Ref(SOURCE, kind, f"unreadable-{digest[:16]}")


def _foreign(ref: Ref, named: str | None, company: str) -> BadRecordError:
    found = named or "no company"
    return BadRecordError(
        f"Whop sent {ref} as a record of {found}, not of {company}: it is not brought over.",
        field="account.id" if ref.kind in ("product", "plan", "membership") else "account_id",
        expected=company,
        found=found,
        code="foreign_record",
        remedy="If it happens again, report it to Whop: the key shows another company's records.",
    )
