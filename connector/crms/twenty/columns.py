"""A mapping's fields in Twenty's terms, worked out once and not for every row."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from typing import Any

from connector.core.mapping import FieldSpec, Mapping
from connector.core.naming import Names
from connector.core.plan import PlannedWrite, Stamp
from connector.core.records import CrmRow
from connector.crms.twenty import fields

_META = ("id", "createdAt", "updatedAt", "deletedAt")
AS_WRITTEN = Names()  # every object and field is called as in the mapping
_SENT_AS_IT_IS = frozenset(name for name, type_ in fields.TYPES.items() if type_.send is None)

Json = MappingType[str, Any]


@dataclass(frozen=True, slots=True)
class Columns:
    """One object as one mapping sees it, under the names that Twenty gives it now.

    ``object``, ``plural``, ``title`` and ``names`` (our field → Twenty's) are Twenty's words; everything else
    speaks the mapping's. ``unique`` are the fields by which two rows can collide,
    ``parents`` the object that each link points to, with its plural ("" where it is not known).
    """

    object: str
    plural: str
    title: str
    names: MappingType[str, str]
    specs: MappingType[str, FieldSpec]
    unique: tuple[str, ...]
    links: tuple[FieldSpec, ...]
    parents: MappingType[str, tuple[str, str]]
    readers: tuple[tuple[str, str, Callable[[Any], Any] | None], ...]
    sent: MappingType[str, tuple[str, str]]
    renamed: tuple[tuple[str, str], ...]
    further: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, mapping: Mapping, names: Names = AS_WRITTEN) -> Columns:
        specs = {spec.name: spec for spec in mapping.specs}
        unique = dict.fromkeys(key.field for key in mapping.match if key.field in specs)
        unique |= dict.fromkeys(name for name, spec in specs.items() if spec.unique)
        types = {name: spec.type for name, spec in specs.items()}
        object_ = mapping.object.name
        called = {name: names.field(object_, name) for name in specs}
        keys = {name: fields.answer_key(type_, name) for name, type_ in types.items()}
        theirs = {name: fields.answer_key(type_, called[name]) for name, type_ in types.items()}
        plural = names.plural(object_, mapping.object.plural)
        return cls(
            names.object(object_),
            plural,
            type_name(plural),
            called,
            specs,
            tuple(unique),
            tuple(spec for spec in specs.values() if spec.type == "relation"),
            {name: _parent(spec.target or "", names) for name, spec in specs.items()},
            tuple((name, keys[name], fields.TYPES[type_].read) for name, type_ in types.items()),
            {name: ("" if type_ in _SENT_AS_IT_IS else type_, theirs[name]) for name, type_ in types.items()},
            tuple((keys[name], theirs[name]) for name in specs if keys[name] != theirs[name]),
            tuple((name, part) for name, type_ in types.items() if (part := fields.TYPES[type_].further)),
        )

    # --- queries

    @property
    def look(self) -> str:
        """Takes ``f`` and ``n``; answers whole rows."""
        picks = (fields.selection(spec.type, self.names[name]) for name, spec in self.specs.items())
        return look_query(self.object, self.plural, [*_META, *picks])

    @property
    def stamp(self) -> str:
        """Takes ``f`` and ``n``; answers when each row changed, and what it points at."""
        picks = (fields.selection(spec.type, self.names[spec.name]) for spec in self.links)
        return look_query(self.object, self.plural, ["id", "updatedAt", *picks])

    def stamp_of(self, node: Json) -> Stamp:
        """A row of that answer."""
        return Stamp(node["updatedAt"], {spec.name: node.get(self.sent[spec.name][1]) for spec in self.links})

    def walk(self, picks: str) -> str:
        """Takes ``f``, ``n`` and a cursor ``c``; answers a page of rows with these picks."""
        head = f"query($f:{type_name(self.object)}FilterInput,$n:Int,$c:String)"
        node = f"edges{{node{{id {picks}}}}}pageInfo{{hasNextPage endCursor}}"
        return f"{head}{{{self.plural}(filter:$f,first:$n,after:$c){{{node}}}}}"

    def write(self, *, upsert: bool) -> str:
        """Takes ``data``, at most a batch of rows; answers id and times of each, in an order of its own."""
        type_, also = type_name(self.object), ",upsert:true" if upsert else ""
        head = f"mutation($data:[{type_}CreateInput!]!)"
        return f"{head}{{{self.written}(data:$data{also}){{id createdAt updatedAt}}}}"

    @property
    def written(self) -> str:
        """The name under which a write answers."""
        return f"create{self.title}"

    @property
    def change(self) -> str:
        """Takes a filter ``f`` and ``d``, the same change for all; answers the rows that it was made to."""
        type_ = type_name(self.object)
        head = f"mutation($f:{type_}FilterInput,$d:{type_}UpdateInput!)"
        return f"{head}{{{self.changed}(filter:$f,data:$d){{id createdAt updatedAt}}}}"

    @property
    def changed(self) -> str:
        """The name under which a change answers."""
        return f"update{self.title}"

    @property
    def destroy(self) -> str:
        """Takes ``f``; removes rows for good."""
        return f"mutation($f:{type_name(self.object)}FilterInput){{destroy{self.title}(filter:$f){{id}}}}"

    @property
    def remove(self) -> str:
        """Takes ``f``; puts rows into the bin."""
        head = f"mutation($f:{type_name(self.object)}FilterInput)"
        return f"{head}{{{self.removed}(filter:$f){{id updatedAt}}}}"

    @property
    def removed(self) -> str:
        """The name under which that answers."""
        return f"delete{self.title}"

    @property
    def put(self) -> str:
        """Takes ``f`` and ``data``: the same values for many rows."""
        type_ = type_name(self.object)
        head = f"mutation($f:{type_}FilterInput,$data:{type_}UpdateInput!)"
        return f"{head}{{{self.was_put}(filter:$f,data:$data){{id updatedAt}}}}"

    @property
    def was_put(self) -> str:
        """The name under which that answers."""
        return f"update{self.title}"

    # --- rows

    def row(self, node: Json) -> CrmRow:
        """A row of a look-up. Empty values are told apart here, because most are."""
        if self.renamed:
            node = {**node, **{ours: node.get(theirs) for ours, theirs in self.renamed}}
        get = node.get
        values: dict[str, Any] = {}
        for name, key, read in self.readers:
            raw = get(key)
            values[name] = (read(raw) if read else raw) if raw or fields.is_said(raw) else None
        deleted = get("deletedAt") is not None
        more = {name: found for name, part in self.further if (found := fields.further(get(name), part))}
        times = get("createdAt"), get("updatedAt")
        return CrmRow(node["id"], values, node, *times, deleted, more)

    def input(self, write: PlannedWrite) -> dict[str, Any]:
        """A row of a request: the id, and the values to be written."""
        row: dict[str, Any] = {"id": write.crm_id}
        sent, raw = self.sent, write.raw
        for name, value in write.values.items():
            type_, key = sent[name]
            row[key] = fields.as_change(type_, value, raw.get(name)) if type_ else value
        return row

    # --- refusals

    def field_of(self, spot: str | None, type_: str | None) -> str | None:
        """Our field that a refusal speaks of: by the server's name for it, or the only one of a type."""
        if spot is not None:
            name = spot.partition(".")[0]
            ours = {theirs: name for name, theirs in self.names.items()}
            return ours.get(name) or ours.get(name.removesuffix("Id")) or name
        found = [name for name, spec in self.specs.items() if spec.type == type_]
        return found[0] if len(found) == 1 else None


def look_query(object_: str, plural: str, picks: Iterable[str]) -> str:
    """A query for rows by a filter ``f``; at most ``n`` of them, without which Twenty cuts at 200."""
    return (
        f"query($f:{type_name(object_)}FilterInput,$n:Int)"
        f"{{{plural}(filter:$f,first:$n){{edges{{node{{{' '.join(picks)}}}}}}}}}"
    )


def _parent(target: str, names: Names) -> tuple[str, str]:
    standard = fields.CATALOGUE.objects.get(target)
    return names.object(target), names.plural(target, standard.plural if standard else "")


def type_name(name: str) -> str:
    return name[:1].upper() + name[1:]
