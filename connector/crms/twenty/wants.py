"""What the mappings want of the data model, merged over all of them, and what asks Twenty for it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from connector.core.mapping import FieldSpec, Mapping, ObjectSpec
from connector.crms.twenty.fields import TYPES
from connector.crms.twenty.model import Object
from connector.crms.twenty.values import select_value

_COLORS = ("green", "red", "gray", "orange", "blue", "purple", "turquoise", "yellow", "pink", "sky")
_ICONS = {
    "text": "IconTag",
    "number": "IconNumbers",
    "boolean": "IconToggleRight",
    "date_time": "IconCalendarClock",
    "select": "IconTag",
    "currency": "IconMoneybag",
    "links": "IconLink",
    "relation": "IconRelationManyToOne",
}


@dataclass(frozen=True, slots=True)
class Want:
    """One object and the fields the mappings need on it."""

    spec: ObjectSpec
    fields: tuple[FieldSpec, ...]

    @property
    def has_links(self) -> bool:
        return any(spec.type == "relation" for spec in self.fields)

    def field(self, name: str | None) -> FieldSpec:
        return next(spec for spec in self.fields if spec.name == name)


def wanted(mappings: Collection[Mapping]) -> list[Want]:
    """The objects with their fields, in the mappings' order."""
    specs: dict[str, ObjectSpec] = {}
    fields: dict[str, dict[str, FieldSpec]] = {}
    for mapping in mappings:
        specs.setdefault(mapping.object.name, mapping.object)
        fields.setdefault(mapping.object.name, {}).update({spec.name: spec for spec in mapping.specs})
    return [Want(spec, tuple(fields[name].values())) for name, spec in specs.items()]


def new_options(there: Iterable[Any], labels: Iterable[str]) -> list[dict[str, Any]]:
    """The options that are to be added, after those that are there."""
    there = tuple(there)
    values = {option["value"] for option in there}
    last = max((option.get("position") or 0 for option in there), default=-1)
    return options([label for label in labels if select_value(label) not in values], int(last) + 1)


def options(labels: Sequence[str], start: int = 0) -> list[dict[str, Any]]:
    by_value: dict[str, str] = {}
    for label in labels:
        by_value.setdefault(select_value(label), label)
    return [
        {
            "label": label,
            "value": value,
            "color": _COLORS[position % len(_COLORS)],
            "position": position,
        }
        for position, (value, label) in enumerate(by_value.items(), start)
    ]


def object_body(spec: ObjectSpec) -> dict[str, Any]:
    return {
        "nameSingular": spec.name,
        "namePlural": spec.plural,
        "labelSingular": spec.label,
        "labelPlural": spec.label_plural,
        "description": spec.description,
        "icon": spec.icon or "IconBox",
    }


def field_body(owner: ObjectSpec, spec: FieldSpec, owner_id: str, target: Object | None) -> dict[str, Any]:
    """``target`` is what a relation points to."""
    body: dict[str, Any] = {
        "objectMetadataId": owner_id,
        "type": TYPES[spec.type].name,
        "name": spec.name,
        "label": spec.label or spec.name,
        "description": spec.description,
        "icon": spec.icon or _ICONS.get(spec.type, "IconTag"),
    }
    if spec.unique:
        body["isUnique"] = True
    if spec.type == "select":
        body["options"] = options(spec.options)
    if target is not None:
        body["relationCreationPayload"] = _relation(owner, spec, target)
    return body


def _relation(owner: ObjectSpec, spec: FieldSpec, target: Object) -> dict[str, Any]:
    label = owner.label_plural or f"{owner.plural[:1].upper()}{owner.plural[1:]}"
    if any(_squeezed(name) == _squeezed(label) for name in target.fields):
        label = f"{label} ({spec.label or spec.name})"  # the other side's name is made of its label
    return {
        "type": "MANY_TO_ONE",
        "targetObjectMetadataId": target.id,
        "targetFieldLabel": label,
        "targetFieldIcon": "IconTargetArrow",
    }


def _squeezed(text: str) -> str:
    return "".join(sign for sign in text if sign.isalnum()).lower()
