"""The data model of a workspace, as it is now.

Read by REST, because GraphQL answers ``isUnique: null`` even for unique fields; both of its answer shapes are
taken (section 5 of the API notes). REST needs the right to change the data model; who does not have it gets
the same by GraphQL, without knowing what is unique. REST in turn does not tell what a relation points to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from connector.core.naming import CrmName
from connector.crms.twenty.client import TwentyClient
from connector.errors import ReconnectError, TryLaterError

Json = Mapping[str, Any]

_OBJECT = "id nameSingular namePlural labelSingular labelPlural description icon isActive"
_FIELD = (
    "id name type label description icon isActive isUnique options settings "
    "relation{type targetObjectMetadata{nameSingular}}"
)


@dataclass(frozen=True, slots=True)
class Field:
    """``unique`` and ``target`` (an object's singular name) are None where they are not known."""

    id: str
    name: str
    type: str
    label: str
    description: str
    icon: str | None
    active: bool
    unique: bool | None
    options: tuple[Json, ...]
    relation: str
    target: str | None


@dataclass(frozen=True, slots=True)
class Object:
    """With its fields by name."""

    id: str
    name: str
    plural: str
    label: str
    label_plural: str
    description: str
    icon: str | None
    active: bool
    fields: Mapping[str, Field]


@dataclass(frozen=True, slots=True)
class Model:
    """Every object by its singular name. ``version`` was read before the rest."""

    version: int
    objects: Mapping[str, Object]
    may_change: bool

    def find(self, name: str, known: CrmName | None) -> Object | None:
        """By the id that is remembered; else by the name."""
        by_id = (one for one in self.objects.values() if known is not None and one.id == known.id)
        return next(by_id, None) or self.objects.get(name)


def read(client: TwentyClient) -> Model:
    """Every object. What relations point to, and for a reader all the fields, ``with_details`` adds."""
    version = _version(client)
    try:
        objects = {one.name: one for one in map(_object, _rest_pages(client))}
    except ReconnectError as error:
        if error.code != "crm_permission":
            raise
        found = _graphql_pages(client, "objects", "", _OBJECT)
        return Model(version, {one.name: one for one in map(_object, found)}, may_change=False)
    return Model(version, objects, may_change=True)


def with_details(client: TwentyClient, model: Model, names: Iterable[str]) -> Model:
    """The same, with what is missing of these objects."""
    objects = dict(model.objects)
    for name in names:
        one = objects[name]
        condition = f',filter:{{objectMetadataId:{{eq:"{one.id}"}}}}'
        told = [_field(node) for node in _graphql_pages(client, "fields", condition, _FIELD)]
        fields = {field.name: _joined(one.fields.get(field.name), field) for field in told}
        objects[name] = replace(one, fields={**one.fields, **fields})
    return replace(model, objects=objects)


def _joined(by_rest: Field | None, by_graphql: Field) -> Field:
    return replace(by_rest, target=by_graphql.target) if by_rest else replace(by_graphql, unique=None)


def _version(client: TwentyClient) -> int:
    workspace = client.metadata("query{currentWorkspace{id metadataVersion}}").get("currentWorkspace") or {}
    return int(workspace.get("metadataVersion") or 0)


def _rest_pages(client: TwentyClient) -> Iterator[Json]:
    after = ""
    while True:
        page, more = _rest_page(client.rest("GET", f"/rest/metadata/objects?limit=200{after}"))
        yield from page
        if not page or not more:
            return
        after = f"&starting_after={page[-1]['id']}"


def _rest_page(body: Any) -> tuple[list[Json], bool]:
    """The objects of an answer of either shape, and whether more follow."""
    try:
        data = body["data"]
        page = data["objects"] if isinstance(data, dict) else data
        return list(page), bool((body.get("pageInfo") or {}).get("hasNextPage"))
    except (KeyError, TypeError):
        raise _unreadable() from None


def _graphql_pages(client: TwentyClient, root: str, condition: str, picks: str) -> Iterator[Json]:
    after = ""
    while True:
        page = f"paging:{{first:200{after}}}{condition}"
        query = f"query{{{root}({page}){{pageInfo{{hasNextPage endCursor}} edges{{node{{{picks}}}}}}}}}"
        try:
            found = client.metadata(query)[root]
            yield from (edge["node"] for edge in found["edges"])
            if not found["pageInfo"]["hasNextPage"]:
                return
            after = f',after:"{found["pageInfo"]["endCursor"]}"'
        except (KeyError, TypeError):
            raise _unreadable() from None


def _unreadable() -> TryLaterError:
    return TryLaterError("Twenty's data model cannot be read.", code="crm_answer_incomplete")


def _object(wire: Json) -> Object:
    try:
        return Object(
            wire["id"],
            wire["nameSingular"],
            wire["namePlural"],
            wire.get("labelSingular") or "",
            wire.get("labelPlural") or "",
            wire.get("description") or "",
            wire.get("icon"),
            wire.get("isActive") is not False,
            {one.name: one for one in map(_field, wire.get("fields") or ())},
        )
    except (KeyError, TypeError):
        raise _unreadable() from None


def _field(wire: Json) -> Field:
    relation, settings = wire.get("relation") or {}, wire.get("settings") or {}
    return Field(
        wire["id"],
        wire["name"],
        wire["type"],
        wire.get("label") or "",
        wire.get("description") or "",
        wire.get("icon"),
        wire.get("isActive") is not False,
        bool(wire.get("isUnique")),
        tuple(wire.get("options") or ()),
        settings.get("relationType") or "",
        (relation.get("targetObjectMetadata") or {}).get("nameSingular"),
    )
