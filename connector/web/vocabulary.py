"""Names of objects and fields as Twenty shows them, and what happened to a record in these names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from connector.core.mapping import FieldSpec
from connector.mapping_files import FileMapping
from connector.store.runs import LogEntry
from connector.web.present import REASON, Value, plural, value

_OBJECTS: Final[Mapping[str, tuple[str, str]]] = {
    "person": ("Person", "People"),
    "opportunity": ("Opportunity", "Opportunities"),
    "company": ("Company", "Companies"),
    "note": ("Note", "Notes"),
    "task": ("Task", "Tasks"),
}
_API_NAME: Final = re.compile(r"\b[a-z][a-z0-9]*(?:[A-Z][a-z0-9]*)+\b")


class Change(NamedTuple):
    """One field of a record, before and after; ``drifted``: somebody had changed it in the CRM."""

    field: str
    before: Value
    after: Value
    drifted: bool = False


class Vocabulary:
    """Names of objects and fields as Twenty shows them, out of the mapping files."""

    def __init__(self, mappings: Iterable[FileMapping]) -> None:
        self._objects = dict(_OBJECTS)
        self._labels: dict[tuple[str, str], str] = {}
        self._options: dict[tuple[str, str], Mapping[str, str]] = {}
        self._fields: set[tuple[str, str]] = set()
        self.kinds = {f"{one.kind}:{one.object.name}": one.object.name for one in mappings}
        for one in mappings:
            if one.object.label:
                self._objects[one.object.name] = (one.object.label, one.object.label_plural)
            self._learn(one.object.name, one.specs)
            self._options.update({(one.object.name, name): labels for name, labels in one.labels.items()})

    def _learn(self, object_: str, specs: Iterable[FieldSpec]) -> None:
        for spec in specs:
            self._fields.add((object_, spec.name))
            if spec.label:
                self._labels[object_, spec.name] = spec.label

    @property
    def objects(self) -> tuple[str, ...]:
        """The objects that are written, parents before children."""
        return tuple(dict.fromkeys(self.kinds.values()))

    def object(self, name: str) -> str:
        """One record of an object: Person."""
        return self._objects[name][0] if name in self._objects else _spaced(name)

    def many(self, name: str) -> str:
        """The object's records: People."""
        return self._objects[name][1] if name in self._objects else _spaced(name)

    def counted(self, name: str, count: int) -> str:
        """So many records of an object: 2 people, 1 Whop product."""
        word = self.object(name) if count == 1 else self.many(name)
        return f"{count:,} {word.lower() if name in _OBJECTS else word}"

    def field(self, object_: str, name: str) -> str:
        """A field's label."""
        return self._labels.get((object_, name)) or _spaced(name)

    def in_words(self, object_: str, text: str) -> str:
        """A sentence of the log that names fields as Twenty's API does, with their labels instead."""
        head, colon, rest = text.partition(": ")
        if colon and (object_, head) in self._fields:
            return f"{self.field(object_, head)}: {self.in_words(object_, rest)}"
        return _API_NAME.sub(lambda found: self._quoted(object_, found.group()), text)

    def _quoted(self, object_: str, name: str) -> str:
        return f"“{self.field(object_, name)}”" if (object_, name) in self._fields else name

    def told(self, object_: str, name: str, raw: Any) -> str:
        """A field's value in words; a select's by its label."""
        return self.value(object_, name, raw).text

    def value(self, object_: str, name: str, raw: Any) -> Value:
        """The same, to be shown: cut where it is long, and a moment where it is one."""
        return value(raw, self._options.get((object_, name)))

    def changes(self, entry: LogEntry) -> list[Change]:
        """Field by field what a record was and is, in the order of writing."""
        before, after = entry.before or {}, entry.after or {}
        return [
            Change(
                self.field(entry.object, name),
                self.value(entry.object, name, before.get(name)),
                self.value(entry.object, name, after.get(name)),
                name in (entry.drift or ()),
            )
            for name in {**after, **before}
        ]

    def story(self, entry: LogEntry) -> str:
        """What happened to a record, in one line."""
        if entry.error:
            return self.in_words(entry.object, _without_ref(entry, str(entry.error.get("message", ""))))
        if entry.result == "skipped" and entry.reason:
            return REASON.get(entry.reason, entry.reason)
        named = [self.field(entry.object, name).lower() for name in entry.after or {}]
        if entry.result == "created" or len(named) > 4:
            return plural(len(named), "field")
        listed = f"{plural(len(named), 'field')}: {', '.join(named)}" if named else "nothing to write"
        reason = REASON.get(entry.reason or "")
        return f"{reason}; {listed}" if reason else listed


def _without_ref(entry: LogEntry, message: str) -> str:
    # The record stands beside the message already.
    return message.removeprefix(f"{entry.kind} {entry.source_id}: ")


def _spaced(name: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()
    return words[:1].upper() + words[1:]
