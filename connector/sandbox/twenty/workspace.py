"""One workspace: its schema documents, the compiled shapes and the tables. Other workspaces share nothing."""

from typing import Any
from uuid import NAMESPACE_OID, uuid4, uuid5

from connector.sandbox.twenty.shape import RELATIONS, Relation, Row, Shape, compile_shape
from connector.sandbox.twenty.table import Table

Entry = dict[str, Any]
#: A person: ids of the user, of the seat here and of the member record; e-mail, names, role.
User = dict[str, Any]
#: What is kept of a workspace beside its rows, by attribute.
KEPT = ("version", "keys", "objects", "roles", "users", "layout", "webhooks")


class Workspace:
    """`objects` are the schema documents by id.

    Each is {"wire", "standard", "fields": [{"wire", "standard", "target"}, …]}, and the `target` of a
    relation field is {"object": id, "field": id} of the other side.
    """

    def __init__(self, identity: str, name: str) -> None:
        self.id = identity
        self.name = name
        self.version = 3
        self.objects: dict[str, Entry] = {}
        self.tables: dict[str, Table] = {}
        self.keys: dict[str, dict[str, Any]] = {}
        self.roles: dict[str, dict[str, Any]] = {}
        self.users: dict[str, User] = {}
        self.layout: dict[str, dict[str, Any]] = {}
        self.webhooks: dict[str, Any] = {}
        self.plurals: dict[str, Shape] = {}
        self.singulars: dict[str, Shape] = {}
        self.roots: dict[str, tuple[str, Shape]] = {}
        self.changed = True

    def fixed_id(self, *parts: str) -> str:
        """An id that is the same after a restart and different in every workspace."""
        return str(uuid5(NAMESPACE_OID, "/".join((self.id, *parts))))

    def table(self, shape: Shape) -> Table:
        return self.tables[shape.object_id]

    def target(self, relation: Relation) -> Shape:
        return self.tables[relation.target].shape

    def field(self, field_id: str) -> tuple[Entry, Entry] | None:
        """The object and the field of a field id."""
        for entry in self.objects.values():
            for item in entry["fields"]:
                if item["wire"]["id"] == field_id:
                    return entry, item
        return None

    def schema_changed(self) -> None:
        """One schema change: the version moves (181), shapes and indexes are made again."""
        self.version += 1
        self.compile()

    def compile(self) -> None:
        self.changed = True
        shapes = [compile_shape(entry, self._relations(entry)) for entry in self.objects.values()]
        for shape in shapes:
            if shape.object_id in self.tables:
                self.tables[shape.object_id].reshape(shape)
            else:
                self.tables[shape.object_id] = Table(shape)
        for gone in self.tables.keys() - self.objects.keys():
            del self.tables[gone]
        self.plurals = {shape.plural: shape for shape in shapes}
        self.singulars = {shape.singular: shape for shape in shapes}
        self.roots = _roots(shapes)

    def _relations(self, entry: Entry) -> dict[str, Relation]:
        found = {}
        for item in entry["fields"]:
            if item["wire"]["type"] in RELATIONS:
                relation = self._relation(item)
                found[relation.name] = relation
        return found

    def _relation(self, item: Entry) -> Relation:
        settings, target = item["wire"]["settings"], item["target"]
        single = settings["relationType"] == "MANY_TO_ONE"
        if not single:
            other = self.field(target["field"])
            settings = other[1]["wire"]["settings"] if other else settings
        join, rule = settings["joinColumnName"], settings.get("onDelete", "SET_NULL")
        return Relation(item["wire"]["name"], single, target["object"], join, rule)

    def rewrite(self, table: Table, change: dict[str, Any], drop: str | None = None) -> None:
        """Give every row the columns of `change` that it lacks, without the column `drop`."""
        for row in list(table.rows.values()):
            new: Row = {**change, **row}
            new.pop(drop or "", None)
            table.rows[row["id"]] = table.dirty[row["id"]] = new


def _roots(shapes: list[Shape]) -> dict[str, tuple[str, Shape]]:
    """GraphQL root fields: what each does and to which object."""
    roots: dict[str, tuple[str, Shape]] = {}
    for shape in shapes:
        one, many = _capital(shape.singular), _capital(shape.plural)
        roots |= {shape.singular: ("find_one", shape), shape.plural: ("find_many", shape)}
        roots[f"merge{many}"] = ("merge", shape)
        for verb in ("create", "update", "delete", "restore", "destroy"):
            roots |= {f"{verb}{one}": (f"{verb}_one", shape), f"{verb}{many}": (f"{verb}_many", shape)}
    return roots


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]


def new_id() -> str:
    return str(uuid4())
