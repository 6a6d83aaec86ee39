"""The CRM's data model against what the mapping files declare: plan, then create what is missing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from connector.core.mapping import Mapping
from connector.core.naming import Names
from connector.crms.twenty import comparing, duplicates, front, model
from connector.crms.twenty.client import TwentyClient
from connector.crms.twenty.columns import AS_WRITTEN
from connector.crms.twenty.comparing import Line
from connector.crms.twenty.model import Model
from connector.crms.twenty.refusals import Refusal
from connector.crms.twenty.wants import Want, field_body, new_options, object_body, wanted
from connector.errors import ReconnectError, SchemaError
from connector.ports.crm_model import SchemaPlan, SchemaStep

RIGHT = "Data model"


class TwentySchema:
    """Fills ``ports.SchemaKeeper`` for one workspace. ``names`` are what it is remembered to be called."""

    def __init__(self, client: TwentyClient, *, names: Names = AS_WRITTEN) -> None:
        self._client = client
        self._names = names

    def plan(self, mappings: Collection[Mapping]) -> SchemaPlan:
        """A step per object and field, conflicts with what to do."""
        wants = wanted(mappings)
        there = self._model(wants)
        return self._planned(self._compared(wants, there), there)

    def apply(self, mappings: Collection[Mapping]) -> SchemaPlan:
        """Objects before fields before relations; what is there is left alone.

        Cut off anywhere, it goes on where it stopped when it is called again.
        """
        wants = wanted(mappings)
        there = self._model(wants)
        lines = self._compared(wants, there)
        plan = self._planned(lines, there)
        _check(plan)
        if not plan.changes:
            return plan
        self._make_objects(wants, plan)
        if any(step.field is None for step in plan.changes):  # their ids, for fields and relations
            there = self._model(wants)
            lines = self._compared(wants, there)
        for line in _in_order(lines):
            self._change(next(want for want in wants if want.spec.name == line.step.object), line, there)
        return replace(self.plan(mappings), steps=plan.steps)

    def front(self) -> str:
        """Where the workspace's pages are."""
        return front.find(self._client)

    # --- looking

    def _model(self, wants: Sequence[Want]) -> Model:
        there = model.read(self._client)
        objects = ((want, there.find(want.spec.name, self._names.known(want.spec.name))) for want in wants)
        lacking = [one.name for want, one in objects if one and (want.has_links or not there.may_change)]
        return model.with_details(self._client, there, lacking)

    def _compared(self, wants: Sequence[Want], there: Model) -> list[Line]:
        lines = (line for want in wants for line in comparing.compare(want, there, self._names))
        return [self._without_duplicates(line) for line in lines]

    def _without_duplicates(self, line: Line) -> Line:
        if line.step.do != "unique" or line.object is None or line.field is None:
            return line
        twice = duplicates.find(self._client, line.object, line.field)
        return replace(line, step=_not_unique(line.step, twice)) if twice else line

    def _planned(self, lines: list[Line], there: Model) -> SchemaPlan:
        steps = tuple(line.step for line in lines)
        plan = SchemaPlan(steps, comparing.named(lines), there.version)
        return plan if there.may_change or not plan.changes else replace(plan, lacks=RIGHT)

    # --- changing

    def _make_objects(self, wants: Sequence[Want], plan: SchemaPlan) -> None:
        specs = {want.spec.name: want.spec for want in wants}
        for step in plan.changes:
            if step.field is None:
                self._send("POST", "objects", object_body(specs[step.object]), step)

    def _change(self, want: Want, line: Line, there: Model) -> None:
        spec, step = want.field(line.step.field), line.step
        if line.field is not None and step.do == "unique":
            self._send("PATCH", f"fields/{line.field.id}", {"isUnique": True}, step)
        elif line.field is not None:
            # Options sent without their id would get new ones, and views that filter by them would break.
            options = [*line.field.options, *new_options(line.field.options, spec.options)]
            self._send("PATCH", f"fields/{line.field.id}", {"options": options}, step)
        elif line.object is not None:
            target = there.find(spec.target, self._names.known(spec.target)) if spec.target else None
            if spec.target and target is None:
                raise SchemaError(
                    f"{step.object}.{spec.name} points to {spec.target}, which Twenty does not have.",
                    code="crm_schema_conflict",
                )
            self._send("POST", "fields", field_body(want.spec, spec, line.object.id, target), step)

    def _send(self, method: str, path: str, body: dict[str, Any], step: SchemaStep) -> None:
        try:
            self._client.rest(method, f"/rest/metadata/{path}", body)
        except Refusal as refusal:
            where = ".".join(part for part in (step.object, step.field) if part)
            raise SchemaError(
                f"Twenty refused to make {where} ({step.label}): {refusal}",
                code="crm_schema_refused",
                remedy="Mend this in Twenty under Settings, Data model, or in the mapping file; try again.",
            ) from refusal


def _check(plan: SchemaPlan) -> None:
    if plan.conflicts:
        raise SchemaError(
            "\n".join(f"{step.why} {step.todo}" for step in plan.conflicts),
            code="crm_schema_conflict",
            remedy="Mend these, then try again. Nothing was created.",
        )
    if plan.lacks:
        raise ReconnectError(
            f"This credential may not change Twenty's data model: its role lacks “{plan.lacks}”.",
            code="crm_permission",
            remedy=f"Give its role “{plan.lacks}” in Twenty under Settings, Roles; then try again.",
        )


def _not_unique(step: SchemaStep, twice: str) -> SchemaStep:
    return replace(
        step,
        do="conflict",
        why=f"{step.object}.{step.field} must be unique, and {twice}.",
        todo="Clear the value in all but one of these records in Twenty, deleted ones too. Then check again.",
    )


def _in_order(lines: Sequence[Line]) -> list[Line]:
    todo = [line for line in lines if line.step.field is not None and line.step.changes]
    return sorted(todo, key=lambda line: line.step.type == "relation")
