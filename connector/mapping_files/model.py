"""What loading gives: mappings with their tests, and the set of them."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from typing import Any

from connector.core.mapping import FieldSpec, Mapping, ObjectSpec


@dataclass(frozen=True, slots=True)
class MappingTest:
    """One entry of ``tests``. ``expect`` has canonical values, and for links the parent's id."""

    name: str
    line: int
    given: MappingType[str, Any]
    expect: MappingType[str, Any]
    unwritten: tuple[str, ...] = ()
    filtered: bool = False
    fails: str | None = None


@dataclass(frozen=True, slots=True)
class FileMapping(Mapping):
    """A mapping as its file gives it. ``labels``: select field → stored value → label."""

    file: str
    tests: tuple[MappingTest, ...]
    labels: MappingType[str, MappingType[str, str]]


@dataclass(frozen=True, slots=True)
class MappingSet:
    """All mappings, parents before children. ``version`` is the hash of all ``texts``, which are by file.

    ``advice``: ``file:line:column: found …, expected …`` for what is allowed and may not have been meant.
    """

    mappings: tuple[FileMapping, ...]
    version: str
    texts: MappingType[str, str]
    advice: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[FileMapping]:
        return iter(self.mappings)

    def __len__(self) -> int:
        return len(self.mappings)

    def __getitem__(self, kind: str) -> FileMapping:
        """The mapping of a source kind; KeyError where there is none."""
        for mapping in self.mappings:
            if mapping.kind == kind:
                return mapping
        raise KeyError(kind)

    def __contains__(self, kind: object) -> bool:
        return any(mapping.kind == kind for mapping in self.mappings)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The source kinds, parents before children."""
        return tuple(mapping.kind for mapping in self.mappings)

    @property
    def objects(self) -> dict[str, tuple[ObjectSpec, tuple[FieldSpec, ...]]]:
        """CRM object → what the files need of it, its fields merged over all mappings."""
        specs: dict[str, ObjectSpec] = {}
        fields: dict[str, dict[str, FieldSpec]] = {}
        for mapping in self.mappings:
            specs.setdefault(mapping.object.name, mapping.object)
            fields.setdefault(mapping.object.name, {}).update({spec.name: spec for spec in mapping.specs})
        return {name: (spec, tuple(fields[name].values())) for name, spec in specs.items()}
