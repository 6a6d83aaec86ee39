"""What the CRM calls the objects and fields of the mappings now.

An admin may rename them there. Their ids stay, so ids are what is remembered; mappings, links and log keep
the mapping's own names, and only requests to the CRM speak the current ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CrmName:
    """The id and the current name of an object or a field; ``plural`` and ``fields`` are an object's."""

    id: str
    name: str
    plural: str = ""
    fields: Mapping[str, CrmName] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Names:
    """By the mapping's name of each object. What is not remembered is called as the mapping calls it."""

    objects: Mapping[str, CrmName] = field(default_factory=dict)

    @classmethod
    def of(cls, kept: Json | None) -> Names:
        """From what ``as_json`` gave."""
        return cls({name: _read(one) for name, one in (kept or {}).items()})

    def as_json(self) -> dict[str, Any]:
        """For keeping."""
        return {name: _kept(one) for name, one in self.objects.items()}

    def known(self, object_: str, field_: str | None = None) -> CrmName | None:
        """What is remembered of an object or of a field of it."""
        found = self.objects.get(object_)
        if field_ is None or found is None:
            return found
        return found.fields.get(field_)

    def object(self, name: str) -> str:
        """The current name of an object."""
        found = self.objects.get(name)
        return found.name if found else name

    def plural(self, name: str, plural: str) -> str:
        """The current plural of an object, which the mapping calls ``plural``."""
        found = self.objects.get(name)
        return found.plural if found and found.plural else plural

    def field(self, object_: str, name: str) -> str:
        """The current name of a field."""
        found = self.known(object_, name)
        return found.name if found else name

    def with_(self, newer: Names) -> Names:
        """These, and what is known better now. What the newer ones do not name stays remembered."""
        merged = {name: self._merged(name, one) for name, one in newer.objects.items()}
        return Names({**self.objects, **merged})

    def _merged(self, name: str, newer: CrmName) -> CrmName:
        old = self.objects.get(name)
        fields = {**(old.fields if old and old.id == newer.id else {}), **newer.fields}
        return CrmName(newer.id, newer.name, newer.plural, fields)


def _read(kept: Json) -> CrmName:
    fields = {name: _read(one) for name, one in (kept.get("fields") or {}).items()}
    return CrmName(kept["id"], kept["name"], kept.get("plural", ""), fields)


def _kept(one: CrmName) -> dict[str, Any]:
    kept: dict[str, Any] = {"id": one.id, "name": one.name}
    if one.plural:
        kept |= {"plural": one.plural, "fields": {name: _kept(each) for name, each in one.fields.items()}}
    return kept
