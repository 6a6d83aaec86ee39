"""What records need to know of a schema: columns, relations, unique paths; compiled once per change."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]
Path = tuple[str, ...]

#: Composite types and how an unset one reads (recordings 211, 218, 222): text "" but amounts and places null.
COMPOSITES: dict[str, Row] = {
    "FULL_NAME": {"firstName": "", "lastName": ""},
    "EMAILS": {"primaryEmail": "", "additionalEmails": []},
    "PHONES": {
        "primaryPhoneNumber": "",
        "primaryPhoneCountryCode": "",
        "primaryPhoneCallingCode": "",
        "additionalPhones": [],
    },
    "LINKS": {"primaryLinkLabel": "", "primaryLinkUrl": "", "secondaryLinks": []},
    "CURRENCY": {"amountMicros": None, "currencyCode": None},
    "ADDRESS": {
        **dict.fromkeys(("addressStreet1", "addressStreet2", "addressCity"), ""),
        **dict.fromkeys(("addressPostcode", "addressState", "addressCountry"), ""),
        **dict.fromkeys(("addressLat", "addressLng"), None),
    },
    "RICH_TEXT": {"blocknote": None, "markdown": ""},
    "ACTOR": {"source": "MANUAL", "workspaceMemberId": None, "name": "System", "context": None},
}
UNIQUE_PART = {"EMAILS": "primaryEmail", "LINKS": "primaryLinkUrl", "PHONES": "primaryPhoneNumber"}
RELATIONS = ("RELATION", "MORPH_RELATION")


@dataclass(frozen=True, slots=True)
class Column:
    """One stored field. `options` are the values a SELECT takes."""

    name: str
    type: str
    label: str
    nullable: bool
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """A way from one object to another; `join` is the id column, which stands on the many side."""

    name: str
    single: bool
    target: str
    join: str
    on_delete: str


@dataclass(frozen=True, slots=True)
class Unique:
    path: Path
    label: str
    standard: bool

    @property
    def text(self) -> str:
        return ".".join(self.path)


@dataclass(slots=True)
class Shape:
    """A compiled object; `blank` is the row of an empty create. Rows are never changed in place."""

    object_id: str
    singular: str
    plural: str
    table: str
    columns: dict[str, Column] = field(default_factory=dict)
    relations: dict[str, Relation] = field(default_factory=dict)
    joins: dict[str, Relation] = field(default_factory=dict)
    uniques: tuple[Unique, ...] = ()
    required: tuple[str, ...] = ()
    blank: Row = field(default_factory=dict)

    def constraint(self, join: str) -> str:
        """TypeORM's name of a foreign key (recordings 224, 331)."""
        digest = hashlib.sha1(f"{self.table}_{join}".encode(), usedforsecurity=False)
        return f"FK_{digest.hexdigest()[:27]}"


def default_of(wire: dict[str, Any]) -> Any:
    """The value a row takes when the field is not sent; text defaults carry inner quotes."""
    if wire["type"] in COMPOSITES:
        return COMPOSITES[wire["type"]]
    value = wire.get("defaultValue")
    if isinstance(value, str) and value[:1] == "'" == value[-1:]:
        return value[1:-1]
    if value is not None and wire["type"] not in ("UUID", "DATE_TIME"):
        return value
    return "" if wire["type"] == "TEXT" else None


def compile_shape(entry: dict[str, Any], relations: dict[str, Relation]) -> Shape:
    """Compile one object; `entry` is {"wire": …, "fields": [{"wire": …, "standard": bool}, …]}."""
    wire = entry["wire"]
    table = wire["nameSingular"] if entry["standard"] else f"_{wire['nameSingular']}"
    shape = Shape(wire["id"], wire["nameSingular"], wire["namePlural"], table, relations=relations)
    uniques = []
    for item in entry["fields"]:
        if item["wire"]["type"] not in RELATIONS:
            _add_column(shape, item["wire"])
            if item["wire"]["isUnique"]:
                uniques.append(_unique(item))
    shape.joins = {relation.join: relation for relation in relations.values() if relation.single}
    shape.blank |= dict.fromkeys(shape.joins)
    # Postgres reports the first unique index that a row hits, and indexes stand in the order they were made.
    shape.uniques = tuple(sorted(uniques, key=lambda unique: not unique.standard))
    shape.required = tuple(column.name for column in shape.columns.values() if not column.nullable)
    return shape


def _add_column(shape: Shape, wire: dict[str, Any]) -> None:
    options = tuple(option["value"] for option in wire.get("options") or ())
    column = Column(wire["name"], wire["type"], wire["label"], bool(wire["isNullable"]), options)
    shape.columns[column.name] = column
    shape.blank[column.name] = default_of(wire)


def _unique(item: dict[str, Any]) -> Unique:
    wire = item["wire"]
    part = UNIQUE_PART.get(wire["type"])
    path = (wire["name"], part) if part else (wire["name"],)
    return Unique(path, wire["label"], bool(item["standard"]))


def at(row: Row, path: Path) -> Any:
    """The value at a path of one or two names."""
    value = row[path[0]]
    return value if len(path) == 1 or value is None else value[path[1]]
