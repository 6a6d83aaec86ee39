"""What becomes of a record when a run is taken back: decided here, as data.

What that run made goes into the bin, what it took out of the bin or put there goes back, and each field that
still holds what it wrote holds again what was there before. What somebody, or a later sync, changed since
stays theirs.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping as MappingType
from enum import StrEnum
from typing import Any, Final, NamedTuple

from connector.core import removal
from connector.core.ownership import FURTHER, held
from connector.core.plan import NOTHING_YET
from connector.core.records import CrmRow, Ref, Values
from connector.core.removal import Known

DELETED_AT: Final = "deletedAt"
"""Under which the log has that a run put a record into the bin."""


class Past(NamedTuple):
    """What one run did to one record, by all of its log entries; ``last`` is the newest of them."""

    ref: Ref
    object: str
    title: str
    last: int
    made: bool = False
    restored: bool = False
    before: MappingType[str, Any] = NOTHING_YET
    after: MappingType[str, Any] = NOTHING_YET


class LeftNote(NamedTuple):
    """A note or task as the CRM has it now."""

    id: str
    title: str
    created_at: str | None
    updated_at: str | None
    deleted: bool = False


class Do(StrEnum):
    DELETE = "delete"
    RESTORE = "restore"
    PUT = "put"
    SAME = "same"
    LEAVE = "leave"
    GONE = "gone"


class Fate(NamedTuple):
    """What is to be done; ``values`` are put back, ``left`` says of each field that stays why it does.

    ``done``: this very run did so before it was cut off, and nothing is left to send.
    """

    do: Do
    values: MappingType[str, Any] = NOTHING_YET
    left: tuple[str, ...] = ()
    done: bool = False


class Seen(NamedTuple):
    """What is known of a record now. ``types`` are the fields that can be written, ``later`` those that
    another sync wrote since, with its number. ``begun`` is what this run put back before it was cut off."""

    known: Known
    row: CrmRow | None
    types: Collection[str]
    later: MappingType[str, int] = NOTHING_YET
    begun: MappingType[str, Any] = NOTHING_YET


_ALREADY_GONE: Final = "Somebody deleted it in Twenty since."
_OUT_OF_BIN: Final = "It is in the bin of Twenty no more."
_TOUCHED: Final = "Somebody changed it in Twenty since."
_CLOSED: Final = "It was marked as done since."
_MERGED: Final = "It was made part of another record in Twenty since."


def decide(past: Past, seen: Seen) -> Fate:
    """What becomes of a record."""
    if DELETED_AT in past.after:
        return _out_of_bin(seen)
    if past.made or past.restored:
        return _into_bin(past, seen)
    return _fields(past, seen)


def decide_note(row: LeftNote | None, *, closed: bool, begun: bool) -> Fate:
    """What becomes of a note or task that a run left.

    The CRM's two times of it are one until somebody changes it. ``closed``: we marked it as done; ``begun``:
    this very run was at it before it was cut off.
    """
    if row is None or row.deleted:
        return Fate(Do.DELETE, done=True) if begun else Fate(Do.GONE, left=(_ALREADY_GONE,))
    if closed:
        return Fate(Do.LEAVE, left=(_CLOSED,))
    return Fate(Do.DELETE) if row.updated_at == row.created_at else touched()


def touched() -> Fate:
    """What somebody changed stays theirs."""
    return Fate(Do.LEAVE, left=(_TOUCHED,))


def _out_of_bin(seen: Seen) -> Fate:
    if seen.row is None:
        return Fate(Do.GONE, left=(_OUT_OF_BIN,))
    if seen.row.deleted:
        return Fate(Do.RESTORE)
    return Fate(Do.RESTORE, done=True) if seen.known.resumed else Fate(Do.SAME)


def _into_bin(past: Past, seen: Seen) -> Fate:
    known = seen.known
    if past.restored:  # it was theirs, and lay in the bin
        known = known._replace(ours=known.crm_id)
    verdict = removal.may_delete(known, seen.row)
    if verdict is removal.REMOVE:
        return Fate(Do.DELETE)
    if verdict is removal.REMOVED:
        return Fate(Do.DELETE, done=True)
    if verdict is removal.GONE:
        return Fate(Do.GONE, left=(_ALREADY_GONE,))
    return Fate(Do.LEAVE, left=(_MERGED if verdict is removal.THEIRS else verdict.why,))


def _fields(past: Past, seen: Seen) -> Fate:
    row = seen.row
    if row is None or row.deleted:
        return Fate(Do.GONE, left=(_ALREADY_GONE,))
    values: Values = {}
    done: Values = {}
    left: list[str] = []
    for name in past.after:
        why = _stays(name, past, seen, row)
        if why:
            left.append(f"{name}: {why}")
        elif not _is_back(name, past, row):
            values[name] = whole(past.before[name])
        elif name in seen.begun:
            done[name] = whole(past.before[name])
    if values:
        return Fate(Do.PUT, {**done, **values}, tuple(left))
    if done:
        return Fate(Do.PUT, done, tuple(left), done=True)
    return Fate(Do.LEAVE if left else Do.SAME, left=tuple(left))


def _stays(name: str, past: Past, seen: Seen, row: CrmRow) -> str:
    """Why a field is left as it is; empty where it is not."""
    if name not in seen.types:
        return "the mapping does not write it any more."
    if name not in past.before:
        return "what it held was too long to be kept."
    if _is_back(name, past, row):
        return ""
    if name in seen.later:
        return f"sync {seen.later[name]} wrote it since."
    if not same(held(row, (name,)).get(name), past.after[name]):
        return "somebody changed it in Twenty since."
    return ""


def _is_back(name: str, past: Past, row: CrmRow) -> bool:
    """Whether it holds already what it held before."""
    return same(held(row, (name,)).get(name), past.before[name])


def same(one: Any, other: Any) -> bool:
    """Whether two values are one, as the CRM keeps them: an address with none beside it is that address."""
    return whole(one) == whole(other) if _is_emails(one) or _is_emails(other) else bool(one == other)


def whole(value: Any) -> Any:
    """A value that is written whole: addresses say that there are no further ones."""
    if not _is_emails(value):
        return value
    return {"primaryEmail": value["primaryEmail"], FURTHER: list(value.get(FURTHER) or ())}


def _is_emails(value: Any) -> bool:
    return isinstance(value, dict) and "primaryEmail" in value
