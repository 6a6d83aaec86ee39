"""The CRM's data model against what the mapping files declare: plan, then create what is missing.

Read by REST, because GraphQL answers ``isUnique: null`` even for unique fields. Both answer shapes are
taken: newer workspaces answer plainly, older ones wrap (section 5 of the API notes). Nothing that is
there is ever changed, except that options are added to a select field of ours.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from typing import Any

from connector.core.mapping import FieldSpec, Mapping, ObjectSpec
from connector.crms.twenty.client import TwentyClient
from connector.crms.twenty.fields import TYPES, select_value
from connector.crms.twenty.refusals import Refusal
from connector.errors import SchemaError
from connector.ports import SchemaStep

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

Json = MappingType[str, Any]


@dataclass(frozen=True, slots=True)
class Want:
    """One object and the fields the mappings need on it."""

    spec: ObjectSpec
    fields: tuple[FieldSpec, ...]


class TwentySchema:
    """Fills ``ports.SchemaKeeper`` for one workspace."""

    def __init__(self, client: TwentyClient) -> None:
        self._client = client

    def plan(self, mappings: Collection[Mapping]) -> list[SchemaStep]:
        """Compare, touching nothing: a step per object and field, conflicts with what to do."""
        there = self._objects()
        return [step for want in _wanted(mappings) for step in _compare(want, there)]

    def apply(self, mappings: Collection[Mapping]) -> list[SchemaStep]:
        """Create what is missing, objects before fields before relations; what is there is left alone."""
        steps = self.plan(mappings)
        if conflicts := [step for step in steps if step.do == "conflict"]:
            raise SchemaError(
                "\n".join(step.why for step in conflicts),
                code="crm_schema_conflict",
                remedy="Mend these in Twenty under Settings, Data model, then try again.",
            )
        wants = {want.spec.name: want for want in _wanted(mappings)}
        for step in _in_order(steps):
            self._carry_out(step, wants[step.object])
        return steps

    def _objects(self) -> dict[str, Json]:
        """Every object of the workspace with its fields, by singular name."""
        found: dict[str, Json] = {}
        after = ""
        while True:
            body = self._client.rest("GET", f"/rest/metadata/objects?limit=200{after}")
            data = body["data"]
            page = data["objects"] if isinstance(data, dict) else data
            found.update({object_["nameSingular"]: object_ for object_ in page})
            info = body.get("pageInfo") or {}
            if not page or not info.get("hasNextPage"):
                return found
            after = f"&starting_after={page[-1]['id']}"

    def _carry_out(self, step: SchemaStep, want: Want) -> None:
        try:
            if step.field is None:
                self._client.rest("POST", "/rest/metadata/objects", _object_body(want.spec))
            else:
                spec = next(one for one in want.fields if one.name == step.field)
                self._create_field(want.spec, spec, add_options=step.do == "options")
        except Refusal as refusal:
            why = f"Twenty refused {step.label}: {refusal}"
            raise SchemaError(why, code="crm_schema_refused") from refusal

    def _create_field(self, owner: ObjectSpec, spec: FieldSpec, *, add_options: bool) -> None:
        there = self._objects()
        if add_options:
            field = _fields(there[owner.name])[spec.name]
            options = {"options": [*field["options"], *_new_options(field, spec)]}
            self._client.rest("PATCH", f"/rest/metadata/fields/{field['id']}", options)
            return
        self._client.rest("POST", "/rest/metadata/fields", _field_body(spec, there[owner.name]["id"], there))


def _wanted(mappings: Collection[Mapping]) -> list[Want]:
    """The objects with their fields, merged over all mappings, in the mappings' order."""
    specs: dict[str, ObjectSpec] = {}
    fields: dict[str, dict[str, FieldSpec]] = {}
    for mapping in mappings:
        specs.setdefault(mapping.object.name, mapping.object)
        fields.setdefault(mapping.object.name, {}).update({spec.name: spec for spec in mapping.specs})
    return [Want(spec, tuple(fields[name].values())) for name, spec in specs.items()]


def _compare(want: Want, there: MappingType[str, Json]) -> Iterator[SchemaStep]:
    spec, found = want.spec, there.get(want.spec.name)
    if found is None and not spec.declared:
        yield _conflict(spec.name, None, f"Twenty has no object {spec.name}.")
        return
    if found is not None and found.get("isActive") is False:
        yield _conflict(spec.name, None, f"The object {spec.name} is deactivated in Twenty: activate it.")
        return
    yield SchemaStep("right" if found else "create", spec.name, None, "object", spec.label or spec.name)
    fields = _fields(found) if found else {}
    for field in want.fields:
        yield _compare_field(spec, field, fields.get(field.name))


def _compare_field(owner: ObjectSpec, spec: FieldSpec, found: Json | None) -> SchemaStep:
    where = f"{owner.name}.{spec.name}"
    label = f"{owner.label or owner.name}: {spec.label or spec.name}"
    made_with_object = found is None and owner.declared and spec.name == "name"
    if found is None and not spec.declared and not made_with_object:
        return _conflict(owner.name, spec.name, f"Twenty has no field {where}.")
    if found is not None and (why := _misfit(where, spec, found)):
        return _conflict(owner.name, spec.name, why)
    if found is not None and spec.declared and _new_options(found, spec):
        return SchemaStep("options", owner.name, spec.name, spec.type, label)
    do = "right" if found is not None or made_with_object else "create"
    return SchemaStep(do, owner.name, spec.name, spec.type, label)


def _misfit(where: str, spec: FieldSpec, found: Json) -> str | None:
    if found["type"] != TYPES[spec.type].name:
        return f"{where} is of type {found['type']} in Twenty; the mapping needs {TYPES[spec.type].name}."
    if found.get("isActive") is False:
        return f"{where} is deactivated in Twenty: activate it."
    if spec.unique and not found.get("isUnique"):
        return f"{where} is not unique in Twenty: make it unique, or delete it so that it is made anew."
    if missing := [option["label"] for option in _new_options(found, spec) if not spec.declared]:
        return f"{where} lacks the options {', '.join(missing)} in Twenty: add them, or change the mapping."
    return None


def _new_options(found: Json, spec: FieldSpec) -> list[dict[str, Any]]:
    there = {option["value"] for option in found.get("options") or ()}
    return [option for option in _options(spec, len(there)) if option["value"] not in there]


def _options(spec: FieldSpec, start: int = 0) -> list[dict[str, Any]]:
    return [
        {
            "label": label,
            "value": select_value(label),
            "color": _COLORS[(start + position) % len(_COLORS)],
            "position": start + position,
        }
        for position, label in enumerate(spec.options)
    ]


def _fields(object_: Json) -> dict[str, Json]:
    return {field["name"]: field for field in object_.get("fields") or ()}


def _conflict(object_: str, field: str | None, why: str) -> SchemaStep:
    return SchemaStep("conflict", object_, field, "", field or object_, why)


def _in_order(steps: list[SchemaStep]) -> list[SchemaStep]:
    todo = [step for step in steps if step.do in ("create", "options")]
    return sorted(todo, key=lambda step: (step.field is not None, step.type == "relation"))


def _object_body(spec: ObjectSpec) -> dict[str, Any]:
    return {
        "nameSingular": spec.name,
        "namePlural": spec.plural,
        "labelSingular": spec.label,
        "labelPlural": spec.label_plural,
        "description": spec.description,
        "icon": spec.icon or "IconBox",
    }


def _field_body(spec: FieldSpec, owner_id: str, there: MappingType[str, Json]) -> dict[str, Any]:
    body: dict[str, Any] = {
        "objectMetadataId": owner_id,
        "type": TYPES[spec.type].name,
        "name": spec.name,
        "label": spec.label,
        "description": spec.description,
        "icon": spec.icon or _ICONS.get(spec.type, "IconTag"),
    }
    if spec.unique:
        body["isUnique"] = True
    if spec.type == "select":
        body["options"] = _options(spec)
    if spec.type == "relation":
        body["relationCreationPayload"] = _relation(spec, there)
    return body


def _relation(spec: FieldSpec, there: MappingType[str, Json]) -> dict[str, Any]:
    owner_label = spec.description or "Opportunities"
    return {
        "type": "MANY_TO_ONE",
        "targetObjectMetadataId": there[spec.target or ""]["id"],
        "targetFieldLabel": owner_label,
        "targetFieldIcon": "IconTargetArrow",
    }
