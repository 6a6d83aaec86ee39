"""The words that exist around a file: the source's paths, the CRM's objects, and what other files declare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from connector.core.catalogue import CrmCatalogue, SourceCatalogue
from connector.core.mapping import ObjectSpec
from connector.core.transforms import Transform
from connector.mapping_files.nodes import Scalar
from connector.mapping_files.problems import Problems

Flow = frozenset[str]
"""The value types that may arrive at a place; empty where anything may."""

LONGEST_PATH: Final = 200

ANYTHING: Flow = frozenset()


@dataclass(frozen=True, slots=True)
class World:
    """``targets``: kind → object, over all files. ``whole`` is False while some file could not be read."""

    source: SourceCatalogue
    crm: CrmCatalogue
    problems: Problems
    functions: Mapping[str, Transform]
    objects: dict[str, ObjectSpec] = field(default_factory=dict)
    targets: dict[str, str] = field(default_factory=dict)
    whole: bool = True

    def object_names(self) -> set[str]:
        """Standard and declared objects."""
        return {*self.crm.objects, *self.objects}

    def object_of(self, name: str) -> ObjectSpec | None:
        """The object of that name, if there is one."""
        if name in self.crm.objects:
            return ObjectSpec(name, self.crm.objects[name].plural, declared=False)
        return self.objects.get(name)

    def standard_fields(self, object_: str) -> Mapping[str, str]:
        """The fields that an object has without us, with their types; relations included."""
        standard = self.crm.objects.get(object_)
        if standard is None:
            return {"name": "text"}  # a CRM gives every custom object its name
        return {**standard.fields, **dict.fromkeys(standard.relations, "relation")}

    def relation_target(self, object_: str, name: str) -> str | None:
        """The object that a standard relation points at."""
        standard = self.crm.objects.get(object_)
        return standard.relations.get(name) if standard else None

    def flow(self, kind: str, spot: Scalar, path: str) -> Flow | None:
        """The type at a path; None, reported, where the kind has no such field."""
        paths = self.source.kinds[kind]
        found = type_at(path, paths)
        if found is None:
            self.problems.unknown(spot, path, f"a field of the {self.source.source} {kind}", paths)
        return found


def type_at(path: str, paths: Mapping[str, str]) -> Flow | None:
    """The type at a dotted path; ANYTHING inside what is not described, None where there is nothing."""
    if len(path) > LONGEST_PATH:
        return None
    if path in paths:
        return frozenset({paths[path]})
    if any(one.startswith(f"{path}.") for one in paths):
        return frozenset({"object"})
    outer, dot, inner = path.rpartition(".")
    while dot:
        if paths.get(outer) == "money":
            return frozenset({"text"}) if inner in {"amount", "currency"} else None
        if paths.get(outer) == "object" and all(path[len(outer) + 1 :].split(".")):
            described = any(one.startswith(f"{outer}.") for one in paths)
            return None if described else ANYTHING
        outer, dot, inner = outer.rpartition(".")
    return None
