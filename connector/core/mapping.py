"""A mapping: which kind becomes which object, field by field; and the step that applies it.

A value's way is always the same: from → using → choices → type check → ownership → compare → write.
The first four happen in a rule's ``read``, compiled at loading (``core.rules``); the rest in ``core.plan``.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from connector.core.gone import WhenGone
from connector.core.limits import Limits
from connector.core.notes import NoteRule
from connector.core.records import UNKNOWN, MappedRecord, Ref, SourceRecord, Values
from connector.errors import MappingError


class Own(StrEnum):
    """Who decides what a CRM field holds."""

    ALWAYS = "always"
    FILL = "fill"
    ONCE = "once"
    NEVER = "never"


class OnNull(StrEnum):
    """What an empty source value does."""

    CLEAR = "clear"
    KEEP = "keep"
    SKIP = "skip"


class OnMissing(StrEnum):
    """What happens when the parent of a link is not in the CRM yet."""

    FETCH = "fetch"
    SKIP = "skip"
    EMPTY = "empty"


class WhenDeleted(StrEnum):
    """What happens to a record that a person deleted in the CRM."""

    RESPECT = "respect"
    RESTORE = "restore"
    RECREATE = "recreate"


Fields = MappingType[str, Any]
Read = Callable[[Fields], Any]
"""Canonical fields of a source record → canonical CRM value, None or UNKNOWN. Raises ValueProblem."""


class ValueProblem(Exception):
    """A value does not fit. ``found`` is shown to the admin, shortened."""

    def __init__(self, expected: str, found: object) -> None:
        super().__init__(expected)
        self.expected = expected
        self.found = shown(found)


@dataclass(frozen=True, slots=True)
class UnknownChoice:
    """A source value that the choices do not list, and what is written in its stead."""

    value: str
    instead: Any


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A CRM field as a mapping file needs it to be; ``declared`` ones are created, the others expected."""

    name: str
    type: str
    declared: bool
    label: str = ""
    unique: bool = False
    options: tuple[str, ...] = ()
    target: str | None = None
    description: str = ""
    icon: str | None = None


@dataclass(frozen=True, slots=True)
class ObjectSpec:
    """A CRM object as the mapping files need it to be."""

    name: str
    plural: str
    declared: bool
    label: str = ""
    label_plural: str = ""
    description: str = ""
    icon: str | None = None


@dataclass(frozen=True, slots=True)
class FieldRule:
    """How one CRM field gets its value. ``source`` says in the file's words where it comes from."""

    spec: FieldSpec
    read: Read
    own: Own
    on_null: OnNull
    source: str
    line: int


@dataclass(frozen=True, slots=True)
class LinkRule:
    """How one relation of the CRM record is filled: with the counterpart of record ``kind``/id."""

    spec: FieldSpec
    kind: str
    read_id: Read
    on_missing: OnMissing
    own: Own
    source: str
    line: int


@dataclass(frozen=True, slots=True)
class MatchKey:
    """A field that tells a CRM record. ``identity``: of one source record; ``exclusive``: none share it."""

    field: str
    read: Read
    identity: bool
    exclusive: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """One line of ``only``. Unknown values pass: what we were not told cannot exclude a record."""

    path: str
    read: Read
    values: frozenset[Any]
    negated: bool


@dataclass(frozen=True, slots=True)
class Mapping:
    """One mapping file, checked and compiled. ``version`` is the hash of its text."""

    name: str
    version: str
    source: str
    kind: str
    object: ObjectSpec
    create: bool
    update: bool
    only: tuple[Filter, ...]
    match: tuple[MatchKey, ...]
    fields: tuple[FieldRule, ...]
    links: tuple[LinkRule, ...]
    stamps: tuple[FieldSpec, ...]
    when_deleted: WhenDeleted
    when_gone: WhenGone
    limits: Limits
    title: Read
    notes: tuple[NoteRule, ...]

    @property
    def specs(self) -> tuple[FieldSpec, ...]:
        """Every CRM field that this mapping reads or writes."""
        return (*(rule.spec for rule in self.fields), *(rule.spec for rule in self.links), *self.stamps)

    @property
    def ownership(self) -> dict[str, Own]:
        """CRM field → who decides, relations included."""
        own = {rule.spec.name: rule.own for rule in self.fields}
        return own | {rule.spec.name: rule.own for rule in self.links}


def is_wanted(record: SourceRecord, mapping: Mapping) -> bool:
    """Whether the record passes the mapping's ``only``."""
    for one in mapping.only:  # noqa: SIM110 - a loop costs half of a generator, for every record
        if not passes(record.fields, one):
            return False
    return True


def passes(fields: Fields, one: Filter) -> bool:
    """Whether a record passes one line of ``only``."""
    value = one.read(fields)
    return value is UNKNOWN or ((value in one.values) is not one.negated)


def map_record(record: SourceRecord, mapping: Mapping) -> MappedRecord | None:
    """Put a source record into the CRM's words; None when it is filtered out.

    Raises MappingError naming the CRM field, what was expected and what was found.
    """
    fields = record.fields
    if mapping.only and not is_wanted(record, mapping):
        return None
    unknown: list[tuple[str, str]] = []
    values = _values(record.ref, fields, mapping, unknown)
    if values is None:
        return None
    return MappedRecord(
        ref=record.ref,
        object=mapping.object.name,
        values=values,
        keys=_keys(record.ref, fields, mapping, values),
        parents=_parents(record.ref, fields, mapping),
        title=_title(record, mapping),
        updated_at=record.updated_at,
        unknown_choices=(*unknown, *record.new_beside(unknown)),
    )


_NEVER, _CLEAR, _SKIP = Own.NEVER, OnNull.CLEAR, OnNull.SKIP  # on their class they are slow to look up


def _values(ref: Ref, fields: Fields, mapping: Mapping, unknown: list[tuple[str, str]]) -> Values | None:
    values: Values = {}
    for rule in mapping.fields:
        if rule.own is _NEVER:
            continue
        try:
            value = rule.read(fields)
        except ValueProblem as problem:
            raise _error(ref, rule.spec.name, rule.source, problem) from problem
        if type(value) is UnknownChoice:
            unknown.append((rule.spec.name, value.value))
            value = value.instead
        if value is UNKNOWN:
            continue
        if value is None and rule.on_null is not _CLEAR:
            if rule.on_null is _SKIP:
                return None
            continue
        values[rule.spec.name] = value
    return values


def _keys(ref: Ref, fields: Fields, mapping: Mapping, values: Values) -> tuple[tuple[str, str], ...]:
    keys = []
    for key in mapping.match:
        value = values.get(key.field)
        if value is None:  # not written (own: never, on_null: keep), yet it may tell who it is
            value = _key_value(ref, fields, key)
        if value is not None:
            keys.append((key.field, key_text(value)))
    return tuple(keys)


def _key_value(ref: Ref, fields: Fields, key: MatchKey) -> Any:
    try:
        value = key.read(fields)
    except ValueProblem as problem:
        raise _error(ref, key.field, "match", problem) from problem
    return None if value is UNKNOWN else value


def key_text(value: Any) -> str:
    """The text under which a canonical value is looked up; a composite's first part carries it."""
    return str(next(iter(value.values()))) if isinstance(value, dict) else str(value)


def _parents(ref: Ref, fields: Fields, mapping: Mapping) -> tuple[tuple[str, Ref | None], ...]:
    parents: list[tuple[str, Ref | None]] = []
    for rule in mapping.links:
        try:
            id_ = rule.read_id(fields)
        except ValueProblem as problem:
            raise _error(ref, rule.spec.name, rule.source, problem) from problem
        if id_ is not UNKNOWN:
            parents.append((rule.spec.name, None if id_ is None else Ref(ref.source, rule.kind, id_)))
    return tuple(parents)


def _title(record: SourceRecord, mapping: Mapping) -> str:
    try:
        value = mapping.title(record.fields)
    except ValueProblem:
        value = None
    # PostgreSQL takes no NUL in text, and one would keep a whole window of outcomes from being saved.
    return (str(value).replace("\x00", "")[:200] if value else "") or record.ref.id


def _error(ref: Ref, field: str, source: str, problem: ValueProblem) -> MappingError:
    said = f"{ref}: {field} (from {source}) expected {problem.expected}, found {problem.found}"
    return MappingError(said, field=field, expected=problem.expected, found=problem.found)


def shown(value: object, limit: int = 80) -> str:
    """A value as an error message may show it: short, on one line, text in quotes."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"
