"""The part of the schema that depends on the kind of record: which paths there are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from connector.core.catalogue import ValueType
from connector.mapping_files.world import LONGEST_PATH

Json = dict[str, Any]

_NAME: Final = r"[A-Za-z0-9_]+"
_SCALAR: Final[Json] = {"type": ["string", "number", "boolean", "null"]}
_MONEY_PARTS: Final = ("amount", "currency")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of record and its paths with their types."""

    name: str
    paths: Mapping[str, ValueType]

    def definitions(self) -> dict[str, Json]:
        """What may be said of this kind: a path, a text with paths, a filter, a record that is given."""
        names = sorted({*self.paths, *self._outer(), *self._money_parts()})
        free = self._undescribed()
        inside = [rf"({'|'.join(re.escape(path) for path in free)})(\.{_NAME})+"] if free else []
        any_path = "|".join([*(re.escape(name) for name in names), *inside])
        patterns = [{"type": "string", "maxLength": LONGEST_PATH, "pattern": f"^{one}$"} for one in inside]
        path = self._ref("path")
        return {
            f"{self.name} path": {"anyOf": [{"enum": names}, *patterns]},
            f"{self.name} paths": {"anyOf": [path, {"type": "array", "items": path, "minItems": 1}]},
            f"{self.name} text": {
                "type": "string",
                "pattern": rf"^[^{{}}]*(\{{({any_path})\}}[^{{}}]*)+$",
            },
            f"{self.name} filter": {
                "propertyNames": {"anyOf": [path, {"pattern": f"^({any_path})_not$"}]},
                "additionalProperties": {"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR}]},
            },
            f"{self.name} given": self._given(),
        }

    def only_there(self) -> Json:
        """These hold for the files of this kind."""
        kind = {"properties": {"kind": {"const": self.name}}, "required": ["kind"]}
        field = {"properties": {"from": self._ref("paths"), "text": self._ref("text")}}
        link = {"properties": {"id": self._ref("paths")}}
        test = {"properties": {"given": self._ref("given")}}
        return {
            "if": {"properties": {"source": kind}, "required": ["source"]},
            "then": {
                "properties": {
                    "source": {"properties": {"only": self._ref("filter")}},
                    "fields": {"additionalProperties": field},
                    "links": {"additionalProperties": link},
                    "title": {"anyOf": [self._ref("paths"), self._ref("text")]},
                    "tests": {"items": test},
                }
            },
        }

    def _ref(self, what: str) -> Json:
        return {"$ref": f"#/definitions/{self.name} {what}"}

    def _outer(self) -> set[str]:
        """The objects that described paths lie in."""
        return {path[:at] for path in self.paths for at, sign in enumerate(path) if sign == "."}

    def _money_parts(self) -> set[str]:
        money = (path for path, type_ in self.paths.items() if type_ == "money")
        return {f"{path}.{part}" for path in money for part in _MONEY_PARTS}

    def _undescribed(self) -> list[str]:
        """Objects in which every name is free."""
        outer = self._outer()
        return sorted(path for path, type_ in self.paths.items() if type_ == "object" and path not in outer)

    def _given(self) -> Json:
        made: Json = {"type": "object", "properties": {}, "additionalProperties": False}
        for path in sorted({*self.paths, *self._outer()}):
            at = made
            *outer, name = path.split(".")
            for one in outer:
                at = at["properties"][one]
                at.setdefault("properties", {})
                at["additionalProperties"] = False
            at["properties"].setdefault(name, {})
        return made
