"""Records, links and mappings with honest defaults; each test names only what it is about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connector.core import rules
from connector.core.gone import KEEP
from connector.core.limits import USUAL
from connector.core.mapping import (
    FieldRule,
    FieldSpec,
    Filter,
    LinkRule,
    Mapping,
    MatchKey,
    ObjectSpec,
    OnMissing,
    OnNull,
    Own,
    Read,
    WhenDeleted,
    key_text,
)
from connector.core.notes import NoteRule
from connector.core.plan import Link
from connector.core.records import CrmRow, MappedRecord, Ref, SourceRecord

REF = Ref("whop", "membership", "mem_1")
KEYS = {"key", "email", "emails"}
OPPORTUNITY = ObjectSpec("opportunity", "opportunities", declared=False)


def a_record(updated_at: str | None = None, **fields: Any) -> SourceRecord:
    return SourceRecord(REF, {"id": "mem_1", **fields}, updated_at)


def a_field(
    name: str,
    read: Read | None = None,
    *,
    own: Own = Own.ALWAYS,
    on_null: OnNull = OnNull.CLEAR,
    unique: bool = False,
    type_: str = "text",
) -> FieldRule:
    spec = FieldSpec(name, type_, declared=True, label=name, unique=unique)
    return FieldRule(spec, read or rules.path(name), own, on_null, name, 1)


def a_link_rule(name: str, kind: str, path: str, own: Own = Own.ALWAYS) -> LinkRule:
    spec = FieldSpec(name, "relation", declared=False, target="person")
    return LinkRule(spec, kind, rules.parent_id(rules.path(path)), OnMissing.FETCH, own, path, 1)


def a_filter(path: str, *values: Any, negated: bool = False) -> Filter:
    return Filter(path, rules.filtered(rules.path(path)), frozenset(values), negated)


def a_mapping(
    *fields: FieldRule,
    links: Iterable[LinkRule] = (),
    only: Iterable[Filter] = (),
    match: Iterable[MatchKey] = (),
    title: Read | None = None,
    create: bool = True,
    update: bool = True,
    when_deleted: WhenDeleted = WhenDeleted.RESPECT,
    notes: Iterable[NoteRule] = (),
) -> Mapping:
    return Mapping(
        name="membership",
        version="1",
        source="whop",
        kind="membership",
        object=OPPORTUNITY,
        create=create,
        update=update,
        only=tuple(only),
        match=tuple(match),
        fields=fields,
        links=tuple(links),
        stamps=(FieldSpec("syncedAt", "date_time", declared=True),),
        when_deleted=when_deleted,
        when_gone=KEEP,
        limits=USUAL,
        title=title or rules.path("id"),
        notes=tuple(notes),
    )


def a_key(name: str, *, identity: bool = False, exclusive: bool = False) -> MatchKey:
    return MatchKey(name, rules.path(name), identity, identity or exclusive)


def a_mapped(ref: Ref = REF, *, updated_at: str | None = None, **values: Any) -> MappedRecord:
    keys = tuple((name, key_text(value)) for name, value in values.items() if name in KEYS and value)
    return MappedRecord(ref, "opportunity", values, keys, (), "A title", updated_at)


def a_link(crm_id: str | None = "crm-1", **more: Any) -> Link:
    return Link(REF, "opportunity", crm_id, **more)


def a_row(id_: str = "crm-1", *, deleted: bool = False, further: Iterable[str] = (), **values: Any) -> CrmRow:
    more = {"emails": tuple(further)} if further else {}
    return CrmRow(id_, values, {"raw": True}, "2026-01-01T00:00:00.000Z", None, deleted, more)
