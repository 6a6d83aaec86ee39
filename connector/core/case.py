"""One record with all that is known of it, and the questions that the decision asks of it."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from typing import NamedTuple

from connector.core.mapping import Mapping, key_text
from connector.core.plan import (
    NOTHING_YET,
    Action,
    Decision,
    Found,
    Holder,
    Link,
    PlannedWrite,
    Reason,
    Taken,
    unwritten,
)
from connector.core.records import CrmRow, MappedRecord, Values

Holders = MappingType[str, tuple[Holder, ...]]
"""CRM id → the other source records whose counterpart it is."""


class Known(NamedTuple):
    """All that is known of a record besides itself.

    ``decision`` is one that is still to be carried out, or that stands for ever. ``new_id`` is our own id
    of this generation, ``next_id`` that of the next. ``taken`` is shared by the records of a block.
    """

    link: Link
    found: Found
    print_: str
    new_id: str
    taken: Taken
    next_id: str = ""
    decision: Decision | None = None
    holders: Holders = NOTHING_YET


class Case(NamedTuple):
    mapped: MappedRecord
    values: Values
    mapping: Mapping
    known: Known

    @property
    def keys(self) -> dict[str, str]:
        """Match field → the text that the record is looked up by."""
        return dict(self.mapped.keys)

    def hits(self) -> list[CrmRow]:
        """Every row that a key hit, once."""
        return list({row.id: row for _, rows in self.known.found.by_key for row in rows}.values())

    def living(self) -> list[CrmRow]:
        """Those that are not in the CRM's bin."""
        return [row for row in self.hits() if not row.deleted]

    def identity_of(self, row: CrmRow) -> tuple[str | None, bool | None]:
        """The field that names whose row it is, and whether that is this record; (None, None): nobody's."""
        keys = self.keys
        for key in self.mapping.match:
            theirs = row.values.get(key.field) if key.identity else None
            if theirs is not None:
                return key.field, key_text(theirs) == keys.get(key.field)
        return None, None

    def is_same(self, row: CrmRow) -> bool:
        """Whether the row says that it is this record."""
        return self.identity_of(row)[1] is True

    def held(self, id_: str) -> dict[str, CrmRow]:
        """Fields whose value another row than this holds: the CRM would refuse it. The bin counts too."""
        exclusive = {key.field for key in self.mapping.match if key.exclusive}
        keys, held = self.keys, dict[str, CrmRow]()
        for field, rows in self.known.found.by_key:
            for row in rows if field in exclusive else ():
                value = row.values.get(field)
                if row.id != id_ and value is not None and key_text(value) == keys[field]:
                    held[field] = row
        return held

    def unwritten(self, reason: Reason) -> PlannedWrite:
        """Left as it is, and why."""
        return unwritten(self.mapped, self.known.print_, Action.SKIP, reason, self.known.link)
