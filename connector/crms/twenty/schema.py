"""The CRM's data model against what the mapping files declare: plan, then create what is missing.

Read by REST, because GraphQL answers ``isUnique: null`` even for unique fields. Both answer shapes are
taken: newer workspaces answer plainly, older ones wrap (section 5 of the API notes). Nothing that is
there is ever changed, except that options are added to a select field of ours.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from typing import Any

from connector.core.mapping import FieldSpec, Mapping, ObjectSpec
from connector.crms.twenty.client import TwentyClient
from connector.crms.twenty.fields import CATALOGUE, TYPES
from connector.crms.twenty.refusals import Refusal
from connector.crms.twenty.values import select_value
from connector.errors import SchemaError, TryLaterError
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
        """Create what is missing, objects before fields before relations; what is there is left alone.

        Cut off anywhere, it goes on where it stopped when it is called again.
        """
        there, wants = self._objects(), _wanted(mappings)
        steps = [step for want in wants for step in _compare(want, there)]
        if conflicts := [step for step in steps if step.do == "conflict"]:
            raise SchemaError(
                "\n".join(step.why for step in conflicts),
                code="crm_schema_conflict",
                remedy="Mend these in Twenty under Settings, Data model, then try again.",
            )
        by_name = {want.spec.name: want for want in wants}
        objects = [step for step in steps if step.field is None and step.do == "create"]
        for step in objects:
            self._post("objects", _object_body(by_name[step.object].spec), step)
        if objects:  # their ids, for their fields and for relations to them
            there = self._objects()
        for step in _fields_in_order(steps):
            self._make_field(by_name[step.object], step, there)
        return steps

    def _objects(self) -> dict[str, Json]:
        """Every object of the workspace with its fields, by singular name."""
        found: dict[str, Json] = {}
        after = ""
        while True:
            body = self._client.rest("GET", f"/rest/metadata/objects?limit=200{after}")
            page, more = _page(body)
            found.update({object_["nameSingular"]: object_ for object_ in page})
            if not page or not more:
                return found
            after = f"&starting_after={page[-1]['id']}"

    def _make_field(self, want: Want, step: SchemaStep, there: MappingType[str, Json]) -> None:
        spec = next(one for one in want.fields if one.name == step.field)
        owner = there[want.spec.name]
        if step.do == "options":
            field = _fields(owner)[spec.name]
            # Options sent without their id would get new ones, and views that filter by them would break.
            options = [*field["options"], *_new_options(field, spec)]
            self._send("PATCH", f"fields/{field['id']}", {"options": options}, step)
        else:
            self._post("fields", _field_body(want.spec, spec, owner, there), step)

    def _post(self, path: str, body: Json, step: SchemaStep) -> None:
        self._send("POST", path, body, step)

    def _send(self, method: str, path: str, body: Json, step: SchemaStep) -> None:
        try:
            self._client.rest(method, f"/rest/metadata/{path}", body)
        except Refusal as refusal:
            where = ".".join(part for part in (step.object, step.field) if part)
            raise SchemaError(
                f"Twenty refused to make {where} ({step.label}): {refusal}",
                code="crm_schema_refused",
                remedy="Mend this in Twenty under Settings, Data model, or in the mapping file; try again.",
            ) from refusal


def _page(body: Any) -> tuple[list[Json], bool]:
    """The objects of an answer of either shape, and whether more follow."""
    try:
        data = body["data"]
        page = data["objects"] if isinstance(data, dict) else data
        return list(page), bool((body.get("pageInfo") or {}).get("hasNextPage"))
    except (KeyError, TypeError):
        raise TryLaterError(
            "Twenty's list of objects cannot be read.", code="crm_answer_incomplete"
        ) from None


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
    if why := _object_misfit(spec, found, there):
        yield _conflict(spec.name, None, why)
        return
    yield SchemaStep("right" if found else "create", spec.name, None, "object", spec.label or spec.name)
    fields = _fields(found) if found else {}
    for field in want.fields:
        yield _compare_field(spec, field, fields.get(field.name), there)


def _object_misfit(spec: ObjectSpec, found: Json | None, there: MappingType[str, Json]) -> str | None:
    if found is None and not spec.declared:
        return f"Twenty has no object {spec.name}."
    if found is None:
        taken = {object_["namePlural"]: name for name, object_ in there.items()}
        for name in (spec.name, spec.plural):
            if name in CATALOGUE.reserved:
                return f"{name} is a name that Twenty keeps for itself: give the object another one."
            if name in taken:
                return f"{name} is the plural of the object {taken[name]} in Twenty: give the object another."
        return None
    if found.get("isActive") is False:
        return f"The object {spec.name} is deactivated in Twenty: activate it."
    if found["namePlural"] != spec.plural:
        return f"The plural of {spec.name} is {found['namePlural']} in Twenty, {spec.plural} in the mapping."
    return None


def _compare_field(
    owner: ObjectSpec, spec: FieldSpec, found: Json | None, there: MappingType[str, Json]
) -> SchemaStep:
    label = f"{owner.label or owner.name}: {spec.label or spec.name}"
    made_with_object = found is None and owner.declared and owner.name not in there and spec.name == "name"
    if made_with_object:
        return SchemaStep("right", owner.name, spec.name, spec.type, label)
    where = f"{owner.name}.{spec.name}"
    why = _absent(where, spec) if found is None else _misfit(where, spec, found)
    if why:
        return _conflict(owner.name, spec.name, why)
    if found is None:
        return SchemaStep("create", owner.name, spec.name, spec.type, label)
    do = "options" if spec.declared and _new_options(found, spec) else "right"
    return SchemaStep(do, owner.name, spec.name, spec.type, label)


def _absent(where: str, spec: FieldSpec) -> str | None:
    if not spec.declared:
        return f"Twenty has no field {where}: take it out of the mapping, or make it in Twenty."
    if spec.name in CATALOGUE.reserved:
        return f"{where} has a name that Twenty keeps for itself: give the field another one."
    return None


def _misfit(where: str, spec: FieldSpec, found: Json) -> str | None:
    if found["type"] != TYPES[spec.type].name:
        return f"{where} is of type {found['type']} in Twenty; the mapping needs {TYPES[spec.type].name}."
    if found.get("isActive") is False:
        return f"{where} is deactivated in Twenty: activate it."
    if spec.unique and not found.get("isUnique"):
        return f"{where} is not unique in Twenty: make it unique, or delete it so that it is made anew."
    kind = (found.get("settings") or {}).get("relationType")
    if spec.type == "relation" and kind not in (None, "MANY_TO_ONE"):
        return f"{where} points to many records in Twenty; the mapping needs a field that points to one."
    if missing := [option["label"] for option in _new_options(found, spec) if not spec.declared]:
        return f"{where} lacks the options {', '.join(missing)} in Twenty: add them, or change the mapping."
    return None


def _new_options(found: Json, spec: FieldSpec) -> list[dict[str, Any]]:
    """The options that are to be added, after those that are there."""
    there = found.get("options") or ()
    values = {option["value"] for option in there}
    last = max((option.get("position") or 0 for option in there), default=-1)
    return _options([label for label in spec.options if select_value(label) not in values], int(last) + 1)


def _options(labels: Sequence[str], start: int = 0) -> list[dict[str, Any]]:
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


def _fields(object_: Json) -> dict[str, Json]:
    return {field["name"]: field for field in object_.get("fields") or ()}


def _conflict(object_: str, field: str | None, why: str) -> SchemaStep:
    return SchemaStep("conflict", object_, field, "", field or object_, why)


def _fields_in_order(steps: Collection[SchemaStep]) -> list[SchemaStep]:
    todo = [step for step in steps if step.field is not None and step.do in ("create", "options")]
    return sorted(todo, key=lambda step: step.type == "relation")


def _object_body(spec: ObjectSpec) -> dict[str, Any]:
    return {
        "nameSingular": spec.name,
        "namePlural": spec.plural,
        "labelSingular": spec.label,
        "labelPlural": spec.label_plural,
        "description": spec.description,
        "icon": spec.icon or "IconBox",
    }


def _field_body(
    owner: ObjectSpec, spec: FieldSpec, found: Json, there: MappingType[str, Json]
) -> dict[str, Any]:
    body: dict[str, Any] = {
        "objectMetadataId": found["id"],
        "type": TYPES[spec.type].name,
        "name": spec.name,
        "label": spec.label or spec.name,
        "description": spec.description,
        "icon": spec.icon or _ICONS.get(spec.type, "IconTag"),
    }
    if spec.unique:
        body["isUnique"] = True
    if spec.type == "select":
        body["options"] = _options(spec.options)
    if spec.type == "relation":
        body["relationCreationPayload"] = _relation(owner, spec, there)
    return body


def _relation(owner: ObjectSpec, spec: FieldSpec, there: MappingType[str, Json]) -> dict[str, Any]:
    target = there.get(spec.target or "")
    if target is None:
        raise SchemaError(f"{owner.name}.{spec.name} points to {spec.target}, which Twenty does not have.")
    label = owner.label_plural or f"{owner.plural[:1].upper()}{owner.plural[1:]}"
    if any(_squeezed(name) == _squeezed(label) for name in _fields(target)):
        label = f"{label} ({spec.label or spec.name})"  # the other side's name is made of its label
    return {
        "type": "MANY_TO_ONE",
        "targetObjectMetadataId": target["id"],
        "targetFieldLabel": label,
        "targetFieldIcon": "IconTargetArrow",
    }


def _squeezed(text: str) -> str:
    return "".join(sign for sign in text if sign.isalnum()).lower()
