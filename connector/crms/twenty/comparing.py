"""The mappings' wants beside a workspace's data model: what to create, what is right, what a person decides.

Nothing that is there is changed but for two things, and only after the plan showed them: a choice field gets
options that it lacks, and a key field that holds no value twice is made unique. What a person called or
painted otherwise stays so. A field or object that was renamed is known by its id.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from connector.core.mapping import FieldSpec, ObjectSpec
from connector.core.naming import CrmName, Names
from connector.crms.twenty import drift
from connector.crms.twenty.fields import CATALOGUE, TYPES
from connector.crms.twenty.model import Field, Model, Object
from connector.crms.twenty.type_words import type_word
from connector.crms.twenty.wants import Want, new_options
from connector.ports.crm_model import SchemaStep

_AGAIN = "Then check again."


@dataclass(frozen=True, slots=True)
class Line:
    """A step, with what it is about in Twenty; None for what is not there."""

    step: SchemaStep
    object: Object | None
    field: Field | None = None


@dataclass(frozen=True, slots=True)
class _Spot:
    """Where in the mapping and in Twenty something is compared."""

    want: Want
    there: Object | None
    spec: FieldSpec | None = None
    found: Field | None = None

    @property
    def title(self) -> str:
        """As Twenty's pages call it, where it is there."""
        owner, spec = self.want.spec, self.spec
        object_ = self.there.label if self.there else owner.label or owner.name
        if spec is None:
            return f"“{object_}”"
        return f"“{self.found.label if self.found else spec.label or spec.name}” of “{object_}”"

    def step(self, do: str, why: str = "", todo: str = "") -> SchemaStep:
        owner, spec = self.want.spec, self.spec
        label = owner.label or owner.name
        if spec is not None:
            label = f"{label}: {spec.label or spec.name}"
        type_ = spec.type if spec else "object"
        return SchemaStep(do, owner.name, spec.name if spec else None, type_, label, why, todo, self._at())

    def _at(self) -> str:
        parts = ["/settings/objects"]
        if self.there is not None:
            parts.append(self.there.plural)
            parts += [self.found.name] if self.found else []
        return "/".join(parts)

    def conflict(self, why: str, todo: str) -> SchemaStep:
        return self.step("conflict", why, f"{todo} {_AGAIN}")


def compare(want: Want, model: Model, names: Names) -> Iterator[Line]:
    """A line for the object and for each of its fields; for an object in conflict, only its own."""
    there = model.find(want.spec.name, names.known(want.spec.name))
    spot = _Spot(want, there)
    step = _object_misfit(spot, model) or _object_step(spot, names)
    yield Line(step, there)
    if step.do == "conflict":
        return
    for spec in want.fields:
        found = _field_of(want, spec, there, names)
        field_spot = _Spot(want, there, spec, found)
        yield Line(_field_step(field_spot, spec, model, names), there, found)


def named(lines: list[Line]) -> Names:
    """What everything that was found is called."""
    objects: dict[str, CrmName] = {}
    for line in lines:
        if line.object is None or (line.step.do == "conflict" and line.step.field is None):
            continue
        own = objects.get(line.step.object) or CrmName(
            line.object.id, line.object.name, line.object.plural, {}
        )
        if line.field is not None and line.step.field is not None:
            own = replace(
                own, fields={**own.fields, line.step.field: CrmName(line.field.id, line.field.name)}
            )
        objects[line.step.object] = own
    return Names(objects)


def _field_of(want: Want, spec: FieldSpec, there: Object | None, names: Names) -> Field | None:
    """By the id that is remembered; else by its name, unless that is now the name of another of ours."""
    if there is None:
        return None
    known = names.known(want.spec.name, spec.name)
    by_id = {one.id: one for one in there.fields.values()}
    if known is not None and known.id in by_id:
        return by_id[known.id]
    found = there.fields.get(spec.name)
    return None if found is not None and _is_anothers(found, want, spec, names) else found


def _is_anothers(found: Field, want: Want, spec: FieldSpec, names: Names) -> bool:
    others = (names.known(want.spec.name, one.name) for one in want.fields if one is not spec)
    return any(other is not None and other.id == found.id for other in others)


# --- objects


def _object_misfit(spot: _Spot, model: Model) -> SchemaStep | None:
    spec, there = spot.want.spec, spot.there
    if there is not None and not there.active:
        return spot.conflict(
            f"The object {spot.title} is deactivated in Twenty.",
            f"Activate “{there.label}” in Twenty under Settings, Data model.",
        )
    if there is not None:
        return None
    if not spec.declared:
        return spot.conflict(
            f"Twenty has no object {spot.title}.",
            "If it was renamed, give it its name back under Settings, Data model, or change the mapping.",
        )
    return _object_without_a_name(spot, spec, model)


def _object_without_a_name(spot: _Spot, spec: ObjectSpec, model: Model) -> SchemaStep | None:
    taken = {one.plural: one.label for one in model.objects.values()}
    for name in (spec.name, spec.plural):
        if name in CATALOGUE.reserved:
            return spot.conflict(
                f"{spot.title} cannot be made: {name} is a name that Twenty keeps for itself.",
                "Give the object another name in the mapping file.",
            )
        if name in taken:
            return spot.conflict(
                f"{spot.title} cannot be made: {name} is the plural of the object “{taken[name]}” in Twenty.",
                "Give the object another name in the mapping file, or in Twenty.",
            )
        if name in model.objects:  # the singular is not: then the object would have been found
            return spot.conflict(
                f"{spot.title} cannot be made: {name} is what “{model.objects[name].label}” is called.",
                "Give the object another plural in the mapping file, or rename the other one in Twenty.",
            )
    return None


def _object_step(spot: _Spot, names: Names) -> SchemaStep:
    spec, there = spot.want.spec, spot.there
    if there is None:
        return spot.step("create", _was_deleted(names.known(spec.name)))
    changed = drift.of_object(spec, there)
    return spot.step("drifted", drift.sentence(changed)) if changed else spot.step("right")


def _was_deleted(known: CrmName | None) -> str:
    return "It was deleted in Twenty. It is made again, empty, and the next sync fills it." if known else ""


# --- fields


def _field_step(spot: _Spot, spec: FieldSpec, model: Model, names: Names) -> SchemaStep:
    found = spot.found
    if found is None:
        return _absent(spot, spec, names)
    if misfit := _misfit(spot, spec, found, model, names):
        return misfit
    if spec.unique and found.unique is False:
        return spot.step("unique", "It is made unique, so that no two records can have the same value.")
    if spec.declared and new_options(found.options, spec.options):
        return spot.step("options", drift.sentence(drift.of_field(spec, found)))
    if changed := drift.of_field(spec, found):
        return spot.step("drifted", drift.sentence(changed))
    if spec.unique and found.unique is None:
        return spot.step("right", "Whether it is unique is not known: this credential may not read that.")
    return spot.step("right")


def _absent(spot: _Spot, spec: FieldSpec, names: Names) -> SchemaStep:
    owner = spot.want.spec
    if spot.there is None and owner.declared and spec.name == "name":
        return spot.step("right")  # Twenty makes it with the object
    if not spec.declared:
        return spot.conflict(
            f"Twenty has no field {spot.title}.",
            "If it was renamed, give it its name back in Twenty, or take it out of the mapping.",
        )
    if spec.name in CATALOGUE.reserved:
        return spot.conflict(
            f"{spot.title} cannot be made: {spec.name} is a name that Twenty keeps for itself.",
            "Give the field another name in the mapping file.",
        )
    if spot.there is not None and spec.name in spot.there.fields:
        return spot.conflict(
            f"{spot.title} cannot be made: another of our fields is called {spec.name} in Twenty now.",
            "Give that field another name in Twenty under Settings, Data model.",
        )
    return spot.step("create", _was_deleted(names.known(owner.name, spec.name)))


def _misfit(spot: _Spot, spec: FieldSpec, found: Field, model: Model, names: Names) -> SchemaStep | None:
    if found.type != TYPES[spec.type].name:
        return spot.conflict(
            f"{spot.title} is of the type {type_word(found.type)} in Twenty; "
            f"the mapping needs {type_word(TYPES[spec.type].name)}.",
            "Rename or delete that field in Twenty, so that ours can be made; or change the mapping file.",
        )
    if not found.active:
        return spot.conflict(
            f"{spot.title} is deactivated in Twenty.",
            f"Activate “{found.label}” in Twenty, or take it out of the mapping file.",
        )
    if spec.type == "relation":
        return _misdirected(spot, spec, found, model, names)
    missing = [one["label"] for one in new_options(found.options, spec.options)] if not spec.declared else []
    if missing:
        return spot.conflict(
            f"{spot.title} lacks the options {', '.join(missing)} in Twenty.",
            "Add them to that field in Twenty, or change the choices in the mapping file.",
        )
    return None


def _misdirected(spot: _Spot, spec: FieldSpec, found: Field, model: Model, names: Names) -> SchemaStep | None:
    if found.relation not in ("", "MANY_TO_ONE"):
        return spot.conflict(
            f"{spot.title} points to many records in Twenty; the mapping needs a field that points to one.",
            "Rename or delete that field in Twenty, so that ours can be made.",
        )
    target = model.find(spec.target or "", names.known(spec.target or ""))
    wanted = target.name if target else spec.target
    if found.target is not None and found.target != wanted:
        there, needed = (_label(model, name or "") for name in (found.target, wanted))
        return spot.conflict(
            f"{spot.title} points to “{there}” in Twenty; the mapping needs it to point to “{needed}”.",
            "Rename or delete that field in Twenty, so that ours can be made.",
        )
    return None


def _label(model: Model, name: str) -> str:
    found = model.objects.get(name)
    return found.label if found else name
