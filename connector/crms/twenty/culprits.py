"""Which records of a refused batch are to blame.

Twenty refuses a batch for one bad record and hardly ever says which. Its words and one look-up mostly
tell all the same: the value it shows, the id it names, the rows that hold a key already, the parents that
are gone. Where they do not, the batch has to be halved (``write``).
"""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from typing import Any

import orjson

from connector.core.mapping import key_text
from connector.core.outcomes import WriteResult
from connector.core.plan import VANISHED, Action, Found, PlannedWrite, refused
from connector.core.records import CrmRow, Ref
from connector.crms.twenty import fields
from connector.crms.twenty.client import TwentyClient
from connector.crms.twenty.columns import Columns
from connector.crms.twenty.look import living_or_deleted, look
from connector.crms.twenty.refusals import Kind, Refusal
from connector.ports import Seek

_CODES = {Kind.DUPLICATE: "crm_duplicate", Kind.PARENT_GONE: "crm_parent_gone"}

Results = dict[Ref, WriteResult]
Orphans = dict[Ref, tuple[str, ...]]
"""Record → its relations that point at nothing."""


class Culprits:
    """Looks into the refusals of writes to one object."""

    def __init__(self, client: TwentyClient, columns: Columns) -> None:
        self._client = client
        self._columns = columns
        self._plurals: MappingType[str, str] | None = None

    def find(self, batch: Sequence[PlannedWrite], refusal: Refusal, orphans: Orphans) -> Results:
        """What is settled by this refusal: failed, or found to be done. Empty where it cannot be told.

        ``orphans`` are those of this refusal; they can be sent again, without what they point at.
        """
        if refusal.row is not None:
            named = [write for write in batch if write.crm_id == refusal.row]
            return {write.ref: self.failed(write, refusal) for write in named}
        if refusal.kind is Kind.DUPLICATE:
            return self._by_key(batch, refusal)
        if refusal.kind is Kind.PARENT_GONE:
            return self._done_before(batch, refusal, orphans)
        return self._by_value(batch, refusal)

    def failed(self, write: PlannedWrite, refusal: Refusal, field: str | None = None) -> WriteResult:
        """This record is refused, in Twenty's words and with our name of the field."""
        field = field or self._columns.field_of(refusal.spot, refusal.type)
        code = _CODES.get(refusal.kind, "crm_bad_value")
        return WriteResult(write.ref, error=refused(write, str(refusal)[:500], code=code, field_=field))

    # --- by the value that the message shows

    def _by_value(self, batch: Sequence[PlannedWrite], refusal: Refusal) -> Results:
        # What Twenty will not take from one record it will not take from any: none of them is sent again.
        name = self._columns.field_of(refusal.spot, refusal.type)
        if name is None or name not in self._columns.specs:
            return {}
        guilty = [write for write in batch if self._has_value(write, name, refusal)]
        return {write.ref: self.failed(write, refusal) for write in guilty}

    def _has_value(self, write: PlannedWrite, name: str, refusal: Refusal) -> bool:
        if refusal.shown is None:
            is_null = str(refusal).startswith("null value")
            sent = name in write.values or write.action is Action.CREATE
            return is_null and sent and write.values.get(name) is None
        if name not in write.values:
            return False
        spec = self._columns.specs[name]
        value = fields.as_change(spec.type, write.values[name], write.raw.get(name))
        if isinstance(value, dict):
            part = (refusal.spot or "").partition(".")[2] or fields.TYPES[spec.type].parts[0]
            value = value.get(part)
        return any(_shows(refusal.shown, one) for one in (value if isinstance(value, list) else [value]))

    # --- by the rows that hold a key

    def _by_key(self, batch: Sequence[PlannedWrite], refusal: Refusal) -> Results:
        found = look(self._client, self._columns, [self._seek(write) for write in batch])
        settled = ((write, self._settled(write, found[write.ref], refusal)) for write in batch)
        return {write.ref: result for write, result in settled if result is not None}

    def _seek(self, write: PlannedWrite) -> Seek:
        values = ((name, write.values.get(name)) for name in self._columns.unique)
        keys = tuple((name, key_text(value)) for name, value in values if value is not None)
        return Seek(write.ref, write.crm_id or "", keys, further=False)

    def _settled(self, write: PlannedWrite, found: Found, refusal: Refusal) -> WriteResult | None:
        own = found.by_id
        if own is None:  # sent again, an update would make an empty row
            lost = write.action is Action.UPDATE
        else:
            lost = own.deleted and not write.restores
            if not own.deleted and _holds(own, write):
                return WriteResult(write.ref, own.id, own.created_at, own.updated_at)
        if lost:
            return gone(write)
        for field, rows in found.by_key:
            for row in rows:
                if row.id != write.crm_id:
                    return self.failed(write, _held_by(row, field, refusal), field)
        return None

    # --- parents that are gone

    def orphans(self, batch: Sequence[PlannedWrite], refusal: Refusal) -> Orphans:
        """Which records point at something that is gone, where that is what was refused."""
        if refusal.kind is not Kind.PARENT_GONE:
            return {}
        found: Orphans = {}
        for spec in self._columns.links:
            pointing = [write for write in batch if write.values.get(spec.name)]
            object_, known = self._columns.parents[spec.name]
            plural = (known or self._plural(object_)) if pointing else None
            if plural is None:
                continue
            ids = {write.values[spec.name] for write in pointing}
            there = living_or_deleted(self._client, object_, plural, ids)
            for write in pointing:
                if write.values[spec.name] not in there:
                    found[write.ref] = (*found.get(write.ref, ()), spec.name)
        return found

    def _done_before(self, batch: Sequence[PlannedWrite], refusal: Refusal, orphans: Orphans) -> Results:
        """Updates are single statements: some are done by now, some may be gone."""
        updates = [one for one in batch if one.action is Action.UPDATE]
        if not orphans or not updates:
            return {}
        found = look(self._client, self._columns, [Seek(one.ref, one.crm_id or "", ()) for one in updates])
        settled = ((one.ref, self._settled(one, found[one.ref], refusal)) for one in updates)
        return {ref: result for ref, result in settled if result is not None}

    def _plural(self, object_: str) -> str | None:
        if self._plurals is None:
            query = "query{objects(paging:{first:1000}){edges{node{nameSingular namePlural}}}}"
            edges = (self._client.metadata(query).get("objects") or {}).get("edges") or ()
            self._plurals = {edge["node"]["nameSingular"]: edge["node"]["namePlural"] for edge in edges}
        return self._plurals.get(object_)


def _holds(row: CrmRow, write: PlannedWrite) -> bool:
    """Whether the row is as it was to be written."""
    if write.action is Action.CREATE:  # its id is ours alone
        return True
    return all(row.values.get(name) == value for name, value in write.values.items())


def gone(write: PlannedWrite) -> WriteResult:
    """It was there when the write was planned."""
    error = refused(write, VANISHED, code="crm_record_gone")
    return WriteResult(write.ref, error=error)


def _shows(shown: str, value: Any) -> bool:
    """Whether a message shows this value: text with or without quotes of either kind, the rest as JSON."""
    as_json = orjson.dumps(value).decode()
    if isinstance(value, str):
        return shown in (value, f"'{value}'", f'"{value}"', as_json)
    return shown == as_json


def _held_by(row: CrmRow, field: str, refusal: Refusal) -> Refusal:
    where = "the deleted record" if row.deleted else "the record"
    return Refusal(Kind.DUPLICATE, f"{refusal}: {where} {row.id} has this {field} already")
