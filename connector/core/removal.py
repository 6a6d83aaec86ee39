"""What becomes of a CRM record whose source is gone, or was disconnected: decided here, as data."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from connector.core.mapping import Own
from connector.core.plan import NOTHING_YET, value_hash
from connector.core.records import CrmRow, Ref


class Known(NamedTuple):
    """What a link remembers of a record that may be removed. ``ours`` is the id that we would have given it.

    ``resumed`` says that this very run was at it before and was cut off: what is gone was removed by it.
    """

    ref: Ref
    crm_id: str
    ours: str
    created_at: str | None
    updated_at: str | None
    memory: MappingType[str, Sequence[int]] = NOTHING_YET
    shared: bool = False
    resumed: bool = False


class Verdict(NamedTuple):
    """``do``: remove it, it is removed, or leave it; ``why`` tells the admin why it is left."""

    do: str
    why: str = ""


REMOVE: Final = Verdict("remove")
REMOVED: Final = Verdict("removed")
SAME: Final = Verdict("same")
GONE: Final = Verdict("gone", "Somebody deleted it in Twenty already.")
SHARED: Final = Verdict("leave", "Another company of this workspace has it too.")
THEIRS: Final = Verdict("leave", "It was in Twenty before it was synced.")
TOUCHED: Final = Verdict("leave", "Somebody changed it in Twenty since.")
UNSURE: Final = Verdict("leave", "It is not known whether somebody changed it in Twenty since.")


def may_delete(known: Known, row: CrmRow | None) -> Verdict:
    """Only what we made and nobody has touched since: our own id, and the CRM's times as we left them."""
    if known.crm_id != known.ours:
        return THEIRS
    if row is None or row.deleted:
        return REMOVED if known.resumed else GONE
    if known.shared:
        return SHARED
    if known.updated_at is None:  # a write whose answer was lost: it was ours, but when it was is not known
        return UNSURE
    return REMOVE if _is_as_we_left_it(known, row) else TOUCHED


def may_mark(known: Known, row: CrmRow | None, own: Own, name: str, value: Any) -> Verdict:
    """Whatever is in step with a record of this company alone, and whose field is ours to write."""
    if row is None or row.deleted:
        return GONE
    if known.shared:
        return SHARED
    current = row.values.get(name)
    if current == value:
        return REMOVED if known.resumed else SAME
    if own is not Own.ALWAYS and current is not None and not _wrote(known, name, current):
        return TOUCHED
    return REMOVE


def _wrote(known: Known, name: str, current: Any) -> bool:
    remembered = known.memory.get(name)
    return remembered is not None and remembered[0] == value_hash(current)


def _is_as_we_left_it(known: Known, row: CrmRow) -> bool:
    return (row.created_at, row.updated_at) == (known.created_at, known.updated_at)
