"""Lists in Twenty by what comes from Whop: who is paying, who is at risk, what each product sells.

A view's id is ours (a UUIDv5 of workspace and view, which Twenty takes: recordings 1012, 1023), so a second
request finds the first one's work, also where that was cut off; names do not help, they may repeat (1022).
A view that a person deleted keeps its id, so asking again makes one with the next id.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from connector.core.mapping import Mapping as RecordMapping
from connector.core.naming import Names
from connector.crms.twenty import model
from connector.crms.twenty.client import TwentyClient
from connector.crms.twenty.columns import AS_WRITTEN
from connector.crms.twenty.model import Field, Model, Object
from connector.crms.twenty.refusals import Kind, Refusal
from connector.errors import ReconnectError, RefusedError, SchemaError
from connector.ports.crm_model import CrmView

_NAMESPACE = uuid.UUID("5b0f6d0c-9a53-5d1e-8f57-6c1f0f0c7e21")
_GENERATIONS = 20
_WIDTH = 180
_COLUMNS = "mutation($i:[CreateViewFieldInput!]!){createManyViewFields(inputs:$i){id}}"


@dataclass(frozen=True, slots=True)
class View:
    """A list to be made. ``field`` is filtered by ``values``; without one all records are shown."""

    key: str
    name: str
    about: str
    object: str
    icon: str
    columns: tuple[str, ...]
    field: str = ""
    values: tuple[str, ...] = ()


_DEAL = ("name", "pointOfContact", "whopProduct", "amount", "whopMembershipStatus", "whopRenewalDate")

VIEWS = (
    View(
        "paying",
        "Whop: paying",
        "Opportunities whose membership is active, with product and renewal date",
        "opportunity",
        "IconCoin",
        _DEAL,
        "whopMembershipStatus",
        ("ACTIVE",),
    ),
    View(
        "at_risk",
        "Whop: at risk",
        "Opportunities whose last payment failed",
        "opportunity",
        "IconAlertTriangle",
        (*_DEAL, "whopLastPaymentDate", "whopCancelAtPeriodEnd"),
        "whopMembershipStatus",
        ("PAYMENT_FAILED",),
    ),
    View(
        "by_product",
        "Whop: by product",
        "Every product with the opportunities that belong to it",
        "whopProduct",
        "IconPackage",
        ("name", "visibility", "opportunities", "whopCreatedAt"),
    ),
)


class TwentyViews:
    """Fills ``ports.Views`` for one workspace of ours; ``names`` are what it is remembered to be called."""

    def __init__(self, client: TwentyClient, workspace_id: str, *, names: Names = AS_WRITTEN) -> None:
        self._client = client
        self._workspace_id = workspace_id
        self._names = names

    def look(self, mappings: Collection[RecordMapping]) -> list[CrmView]:
        """Which of the views are there."""
        there = self._model()
        return [self._shown(view, there, self._found(view, there)) for view in _usable(mappings)]

    def make(self, mappings: Collection[RecordMapping]) -> list[CrmView]:
        """Those that are missing, and what an attempt that was cut off left out of the others."""
        there = self._model()
        try:
            return [self._made(view, there) for view in _usable(mappings)]
        except ReconnectError as error:
            if error.code != "crm_permission":
                raise
            raise RefusedError(
                f"This credential may not make views in Twenty: {error}",
                code="crm_views",
                remedy="Give its role “Views” in Twenty under Settings, Roles; then try again.",
            ) from error
        except Refusal as error:
            raise SchemaError(f"Twenty refused to make a view: {error}", code="crm_schema_refused") from error

    def _model(self) -> Model:
        there = model.read(self._client)
        objects = [one for view in VIEWS if (one := self._object(view, there))]
        return (
            there
            if there.may_change
            else model.with_details(self._client, there, {one.name for one in objects})
        )

    def _object(self, view: View, there: Model) -> Object | None:
        return there.find(view.object, self._names.known(view.object))

    def _field(self, view: View, object_: Object, name: str) -> Field | None:
        known = self._names.known(view.object, name)
        by_id = (one for one in object_.fields.values() if known is not None and one.id == known.id)
        return next(by_id, None) or object_.fields.get(name)

    def _lacks(self, view: View, there: Model) -> tuple[str, ...]:
        object_ = self._object(view, there)
        if object_ is None:
            return (view.object,)
        return (view.field,) if view.field and self._field(view, object_, view.field) is None else ()

    # --- what is there

    def _found(self, view: View, there: Model) -> Mapping[str, Any] | None:
        object_ = self._object(view, there)
        if object_ is None:
            return None
        listed = self._client.rest("GET", f"/rest/metadata/views?objectMetadataId={object_.id}")
        living = {one["id"]: one for one in _rows(listed) if not one.get("deletedAt")}
        return next((living[id_] for id_ in self._ids(view) if id_ in living), None)

    def _ids(self, view: View) -> Iterator[str]:
        for generation in range(_GENERATIONS):
            yield str(uuid.uuid5(_NAMESPACE, f"{self._workspace_id}/{view.key}/{generation}"))

    def _shown(self, view: View, there: Model, found: Mapping[str, Any] | None) -> CrmView:
        object_ = self._object(view, there)
        shown = CrmView(view.name, view.object, view.about, lacks=self._lacks(view, there))
        if found is None or object_ is None:
            return shown
        return replace(shown, name=found["name"], at=f"/objects/{object_.plural}?viewId={found['id']}")

    # --- making

    def _made(self, view: View, there: Model) -> CrmView:
        object_ = self._object(view, there)
        if object_ is None or self._lacks(view, there):
            return self._shown(view, there, None)
        found = self._found(view, there) or self._create(view, object_)
        if view.field and not found.get("viewFilterIds"):
            self._filter(view, object_, found["id"])
        if not found.get("viewFieldIds"):
            self._show_columns(view, object_, found["id"])
        return self._shown(view, there, found)

    def _create(self, view: View, object_: Object) -> Mapping[str, Any]:
        body = {"name": view.name, "objectMetadataId": object_.id, "type": "TABLE", "icon": view.icon}
        for id_ in self._ids(view):
            try:
                self._client.rest("POST", "/rest/metadata/views", {"id": id_, **body})
            except Refusal as refusal:
                if refusal.kind is not Kind.DUPLICATE:
                    raise
            else:
                return {"id": id_, "name": view.name}
        raise SchemaError(
            f"“{view.name}” was made and deleted too often in Twenty.", code="crm_schema_refused"
        )

    def _filter(self, view: View, object_: Object, view_id: str) -> None:
        field = self._field(view, object_, view.field)
        if field is not None:
            body = {
                "viewId": view_id,
                "fieldMetadataId": field.id,
                "operand": "IS",
                "value": list(view.values),
            }
            self._client.rest("POST", "/rest/metadata/viewFilters", body)

    def _show_columns(self, view: View, object_: Object, view_id: str) -> None:
        """All in one request, by GraphQL: REST takes one at a time."""
        found = (self._field(view, object_, name) for name in view.columns)
        inputs = [
            {
                "viewId": view_id,
                "fieldMetadataId": field.id,
                "position": place,
                "size": _WIDTH,
                "isVisible": True,
            }
            for place, field in enumerate(field for field in found if field is not None)
        ]
        self._client.alter(_COLUMNS, {"i": inputs})


def _usable(mappings: Collection[RecordMapping]) -> list[View]:
    """The views of objects and fields that the mapping files write."""
    written = {(one.object.name, spec.name) for one in mappings for spec in one.specs}
    objects = {one.object.name for one in mappings}
    return [
        view
        for view in VIEWS
        if view.object in objects and (not view.field or (view.object, view.field) in written)
    ]


def _rows(body: Any) -> list[Mapping[str, Any]]:
    """The views of an answer; plain on newer workspaces, wrapped on older ones."""
    found = body.get("data") if isinstance(body, dict) else body
    found = next(iter(found.values()), ()) if isinstance(found, dict) else found
    return [one for one in found or () if isinstance(one, dict)]
