"""The words that Whop's fields are known to hold. Any other passes as it is; that it is new is told once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from connector.core.records import SourceRecord

from .shapes import Columns
from .words import KNOWN

log = structlog.get_logger(__name__)

_MOST_TOLD: Final = 1_000
_LONGEST: Final = 80

WORDS: Final[Mapping[str, tuple[tuple[str, frozenset[str | None]], ...]]] = {
    kind: tuple((field, frozenset([None, *words])) for field, words in of.items())
    for kind, of in KNOWN.items()
}
"""Kind → its fields that hold one of a list of words, with that list (today's and the old dialects')."""


class NewWords:
    """Marks records with the words that are not in the lists; the log has each once in a life of this."""

    def __init__(self) -> None:
        self._told: set[tuple[str, str, object]] = set()

    def marked(self, record: SourceRecord) -> SourceRecord:
        """The record, with what is new in it."""
        kind, fields = record.ref.kind, record.fields
        new = [field for field, known in WORDS.get(kind, ()) if fields.get(field) not in known]
        if not new:
            return record
        for field in new:
            self._tell(kind, field, fields[field])
        return record._replace(new_words=tuple((field, str(fields[field])[:_LONGEST]) for field in new))

    def marked_all(self, kind: str, records: Sequence[SourceRecord], told: Columns) -> Sequence[SourceRecord]:
        """The same for many of one kind: where their columns hold known words alone, as they are."""
        if all(known.issuperset(told.get(name, ())) for name, known in WORDS.get(kind, ())):
            return records
        return [self.marked(record) for record in records]

    def _tell(self, kind: str, field: str, word: object) -> None:
        if (kind, field, word) in self._told or len(self._told) >= _MOST_TOLD:
            return
        self._told.add((kind, field, word))
        log.warning("Whop sent a word that is new here; it is kept", kind=kind, field=field, word=word)
