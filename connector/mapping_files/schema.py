"""The JSON Schema of mapping files, for editors: made of the very tables that the loader checks by.

It says what the form of a file is, and never refuses what the loader takes. What needs more than form (types
that fit, files beside each other, circles) the loader alone can tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from connector.core.catalogue import CrmCatalogue, SourceCatalogue
from connector.core.gone import Gone
from connector.core.mapping import OnMissing, OnNull, Own, WhenDeleted
from connector.core.transforms import Transform
from connector.mapping_files import gone, limits, lines, notes, outline, schema_words, trials
from connector.mapping_files.schema_kinds import Kind
from connector.mapping_files.values import SOURCES

Json = dict[str, Any]

TEXT: Final[Json] = {"type": "string", "pattern": r"\S"}
TEXTS: Final[Json] = {"anyOf": [TEXT, {"type": "array", "items": TEXT, "minItems": 1}]}
FLAG: Final[Json] = {"type": "boolean"}
_THERE: Final[Json] = {"not": {"type": "null"}}
_BRACES: Final = r"^[^{}]*(\{[^{}]*\}[^{}]*)*$"
_SAID: Final[Json] = {"allOf": [TEXT, {"pattern": _BRACES}]}
_SHARE: Final[Json] = {"type": "string", "pattern": r"^\s*(100|[1-9]?[0-9])\s?%\s*$"}


def schema(source: SourceCatalogue, crm: CrmCatalogue, functions: Mapping[str, Transform]) -> Json:
    """The whole of it."""
    kinds = [Kind(name, paths) for name, paths in source.kinds.items()]
    needed = ("version", "source", "target", "fields")
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": f"A mapping file: what a record of {source.source} becomes",
        **_table(outline.KEYS, schema_words.FILE, _file(source, crm), needed),
        "allOf": [kind.only_there() for kind in kinds],
        "definitions": {
            "field": _field(crm),
            "link": _link(source),
            "function": _function(functions),
            "choices": _choices(),
            **{name: made for kind in kinds for name, made in kind.definitions().items()},
        },
    }


def _table(
    keys: Iterable[str], told: Mapping[str, str], values: Mapping[str, Json], required: Iterable[str] = ()
) -> Json:
    """A table of these keys and no others."""
    properties = {key: {**values.get(key, {}), "description": told[key]} for key in keys}
    made: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**made, "required": list(required)} if required else made


def _listed(item: Json, *, least: int = 0) -> Json:
    return {"type": "array", "items": item, **({"minItems": least} if least else {})}


def _words(words: Iterable[str]) -> Json:
    return {"enum": [str(word) for word in words]}


def _file(source: SourceCatalogue, crm: CrmCatalogue) -> Mapping[str, Json]:
    name = {"pattern": f"^{lines.NAME.pattern}$"}
    return {
        "version": {"const": 1},
        "source": _table(
            outline.SOURCE_KEYS,
            schema_words.SOURCE,
            {"kind": _words(source.kinds), "only": {"type": "object"}},
            ("kind",),
        ),
        "target": _target(crm),
        "objects": _listed(_object(crm), least=1),
        "match": TEXTS,
        "fields": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": name,
            "additionalProperties": {"$ref": "#/definitions/field"},
            "properties": {one: {"$ref": "#/definitions/field"} for one in _standard(crm, relations=False)},
        },
        "links": {
            "type": "object",
            "propertyNames": name,
            "additionalProperties": {"$ref": "#/definitions/link"},
            "properties": {one: {"$ref": "#/definitions/link"} for one in _standard(crm, relations=True)},
        },
        "choices": {"type": "object", "additionalProperties": {"$ref": "#/definitions/choices"}},
        "when_deleted_in_crm": _words(WhenDeleted),
        "when_gone": _when_gone(),
        "limits": _table(limits.KEYS, schema_words.LIMITS, dict.fromkeys(limits.KEYS, _SHARE)),
        "title": TEXTS,
        "tests": _listed(_test()),
        "notes": _listed(_note(source, notes.NOTE_KEYS)),
        "tasks": _listed(_note(source, notes.TASK_KEYS)),
    }


def _standard(crm: CrmCatalogue, *, relations: bool) -> list[str]:
    found = (
        name
        for object_ in crm.objects.values()
        for name, type_ in object_.fields.items()
        if (type_ == "relation") is relations
    )
    return list(dict.fromkeys(found))


def _target(crm: CrmCatalogue) -> Json:
    named = {"anyOf": [_words(crm.objects), TEXT]}
    made = _table(
        outline.TARGET_KEYS,
        schema_words.TARGET,
        {"object": named, "create": FLAG, "update": FLAG},
        ("object",),
    )
    never = {"properties": {"create": {"const": False}, "update": {"const": False}}}
    return {**made, "not": {**never, "required": ["create", "update"]}}


def _object(crm: CrmCatalogue) -> Json:
    name = {
        "type": "string",
        "pattern": f"^{outline.OBJECT_NAME.pattern}$",
        "not": _words(sorted({*crm.objects, *crm.reserved})),
    }
    values = {key: name if key in ("name", "plural") else TEXT for key in outline.OBJECT_KEYS}
    return _table(
        outline.OBJECT_KEYS, schema_words.OBJECT, values, ("name", "plural", "label", "label_plural")
    )


def _field(crm: CrmCatalogue) -> Json:
    function = {"$ref": "#/definitions/function"}
    made = _table(
        lines.FIELD_KEYS,
        schema_words.FIELD,
        {
            "from": TEXTS,
            "value": _THERE,
            "text": TEXT,
            "stamp": {"const": "written_at"},
            "using": {"anyOf": [function, _listed(function)]},
            "choices": {"anyOf": [{"type": "string"}, {"$ref": "#/definitions/choices"}]},
            "options": _listed(TEXT, least=1),
            "type": _words(word for word in crm.types if word != "relation"),
            "unique": FLAG,
            "label": TEXT,
            "description": TEXT,
            "own": _words(Own),
            "on_null": _words(OnNull),
        },
    )
    never = {"properties": {"own": {"const": "never"}}, "required": ["own"]}
    none = {"not": {"anyOf": [{"required": [key]} for key in SOURCES]}}
    return {
        **made,
        "oneOf": [*({"required": [key]} for key in SOURCES), {"allOf": [never, none]}],
        "dependencies": {
            "value": _without("using", "choices"),
            "stamp": _without("using", "choices", *lines.NOT_BESIDE_STAMP),
        },
    }


def _without(*keys: str) -> Json:
    return {"not": {"anyOf": [{"required": [key]} for key in keys]}}


def _function(functions: Mapping[str, Transform]) -> Json:
    """A name, or a table of one name with its argument."""
    alone = [name for name, one in sorted(functions.items()) if one.argument is None]
    with_one = {
        name: {**one.argument.schema, "description": f"{one.doc} Expects {one.argument.expected}."}
        for name, one in sorted(functions.items())
        if one.argument is not None
    }
    table = {"type": "object", "properties": with_one, "additionalProperties": False}
    return {"anyOf": [_words(alone), {**table, "minProperties": 1, "maxProperties": 1}]}


def _choices() -> Json:
    otherwise: Json = {
        "type": ["string", "number", "boolean"],
        "description": "The answer to a value that is not listed: keep, empty, fail, or what is written.",
    }
    return {"type": "object", "properties": {"otherwise": otherwise}, "required": ["otherwise"]}


def _link(source: SourceCatalogue) -> Json:
    values: Mapping[str, Json] = {
        "kind": _words(source.kinds),
        "id": TEXTS,
        "on_missing": _words(OnMissing),
        "own": _words(lines.LINK_OWN),
        "label": TEXT,
        "description": TEXT,
    }
    return _table(lines.LINK_KEYS, schema_words.LINK, values, ("kind", "id"))


def _when_gone() -> Json:
    plain = [Gone.KEEP, Gone.DELETE]
    table = _table(
        gone.KEYS, schema_words.GONE, {"do": _words(Gone), "field": TEXT, "value": _THERE}, ("do",)
    )
    shapes = [
        {"properties": {"do": _words(plain)}, **_without("field", "value")},
        {"properties": {"do": {"const": str(Gone.CLEAR)}}, "required": ["field"], **_without("value")},
        {"properties": {"do": {"const": str(Gone.MARK)}}, "required": ["field", "value"]},
    ]
    return {"anyOf": [_words(plain), {**table, "anyOf": shapes}]}


def _note(source: SourceCatalogue, keys: Iterable[str]) -> Json:
    event = _words(source.events)
    values: Mapping[str, Json] = {
        "name": {"type": "string", "pattern": f"^{notes.NAME.pattern}$"},
        "on": {"anyOf": [event, _listed(event, least=1)]},
        "only": {"type": "object"},
        "once_per": _words(source.kinds),
        "to": TEXTS,
        "title": _SAID,
        "text": _SAID,
        "due": TEXTS,
        "assignee": TEXT,
        "done_on": {"anyOf": [event, _listed(event, least=1), {"type": "object"}]},
    }
    return _table(keys, schema_words.NOTE, values, ("on", "once_per", "text"))


def _test() -> Json:
    values: Mapping[str, Json] = {
        "name": TEXT,
        "given": {"type": "object"},
        "expect": {"anyOf": [{"const": trials.FILTERED}, {"type": "object"}]},
        "unwritten": TEXTS,
        "fails": TEXTS,
    }
    made = _table(trials.KEYS, schema_words.TEST, values, ("name", "given"))
    return {**made, "anyOf": [{"required": [key]} for key in ("expect", "unwritten", "fails")]}
