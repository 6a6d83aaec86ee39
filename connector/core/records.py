"""What flows along the one road, from a page of the source to an outcome."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple


class Unknown:
    """A value that the source did not tell us. Never the same as empty: it writes nothing."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> bool:
        return False


UNKNOWN: Final = Unknown()

Values = dict[str, Any]
"""CRM field name → value in the canonical form of its type, as the CRM stores it (JSON-able)."""


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds, as records have times: they compare as text."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Ref(NamedTuple):
    """The identity of a source record: ``Ref("whop", "membership", "mem_…")``."""

    source: str
    kind: str
    id: str

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class SourceRecord(NamedTuple):
    """One record in canonical form; a tuple, because one is made of everything that is read.

    ``fields`` has the names of the source's current dialect; a name that is absent is unknown, a value
    of None is empty. Times are ISO 8601 text in UTC with milliseconds and ``Z``, so they compare as text.
    ``new_words`` are (field, word) that the source has not been known to use; they are in ``fields`` too.
    """

    ref: Ref
    fields: Mapping[str, Any]
    updated_at: str | None = None
    new_words: tuple[tuple[str, str], ...] = ()

    def new_beside(self, told: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        """The new words by kind and field, but for those that are told by another field already."""
        if not self.new_words:
            return ()
        known = {word for _, word in told}
        return tuple(
            (f"{self.ref.kind}.{field}", word) for field, word in self.new_words if word not in known
        )


@dataclass(frozen=True, slots=True)
class AbsentRecord:
    """A record that was asked for by id and that the source does not have (404)."""

    ref: Ref


@dataclass(frozen=True, slots=True)
class BadRecord:
    """An item of a page that could not be read; it becomes a failed outcome, never a gap."""

    ref: Ref
    error: Exception


class MappedRecord(NamedTuple):
    """A source record in the CRM's words.

    ``keys`` are the match fields with a value, in the order they are tried. ``parents`` gives for each
    relation field the ref it must point at; None empties the relation.
    """

    ref: Ref
    object: str
    values: Values
    keys: tuple[tuple[str, str], ...]
    parents: tuple[tuple[str, Ref | None], ...]
    title: str
    updated_at: str | None
    unknown_choices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class CrmRow:
    """A CRM record as a look-up found it. ``values`` are canonical; ``raw`` holds composites whole.

    ``further`` are a field's values beside the first, as the texts under which they are looked up.
    """

    id: str
    values: Values
    raw: Mapping[str, Any] = field(default_factory=dict)
    created_at: str | None = None
    updated_at: str | None = None
    deleted: bool = False
    further: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """What one read of the source returns. ``cursor`` resumes after this page; ``last`` ends the kind."""

    items: tuple[SourceRecord | BadRecord | AbsentRecord, ...]
    cursor: str | None
    last: bool
