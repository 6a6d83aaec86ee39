"""The decision what to write, as data: gather inputs, call ``plan_write``, act on what it says.

Where two rules meet, the cautious one wins: two candidates are a person's decision, a deletion by a
person stands, and a field that a person owns stays theirs.
"""

from __future__ import annotations

import hashlib
import uuid
import zlib
from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import orjson

from connector.core.mapping import Mapping, Own, WhenDeleted
from connector.core.records import CrmRow, MappedRecord, Ref, Values
from connector.errors import ConnectorError, WriteRefusedError

_NAMESPACE = uuid.UUID("5f6a4c1e-7f0b-5a53-9d4e-2c4f2f0d9b11")


class Action(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    NOTHING = "nothing"
    SKIP = "skip"
    FAIL = "fail"


class Reason(StrEnum):
    """Why a record was skipped, or a note on how it was settled."""

    FILTERED = "filtered"
    STALE = "stale"
    DUPLICATE = "duplicate"
    GONE = "gone"
    DELETED_IN_CRM = "deleted_in_crm"
    REVIEW = "review"
    HELD = "held"
    UNDONE = "undone"
    ADOPTED = "adopted"


class LinkState(StrEnum):
    """What we know of the counterpart of a source record."""

    LINKED = "linked"
    REVIEW = "review"
    FAILED = "failed"
    DELETED_IN_CRM = "deleted_in_crm"
    GONE = "gone"


Memory = MappingType[str, Sequence[int]]
"""CRM field → (hash of the canonical value we last wrote, number of the run that wrote it)."""

NOTHING_YET: Final[MappingType[str, Any]] = MappingProxyType({})


# Named tuples, here and below: made for every record, and five times as quickly as a frozen dataclass.


class Link(NamedTuple):
    """The remembered pair of source record and CRM record; ``crm_id`` None while there is none yet.

    ``resumed`` says that this very run claimed it before and was cut off: the write may have arrived.
    ``seen_run`` is the number of the run that settled it last.
    """

    ref: Ref
    object: str
    crm_id: str | None = None
    state: LinkState = LinkState.LINKED
    generation: int = 0
    fingerprint: str | None = None
    source_updated_at: str | None = None
    crm_created_at: str | None = None
    memory: Memory = NOTHING_YET
    resumed: bool = False
    id: int | None = None
    seen_run: int | None = None


class Found(NamedTuple):
    """What a look-up of the CRM found: the row of the linked or own id, and the rows each key hit."""

    by_id: CrmRow | None = None
    by_key: tuple[tuple[str, tuple[CrmRow, ...]], ...] = ()


class PlannedWrite(NamedTuple):
    """What is to be done with one record. ``values`` holds only what is to be written.

    ``raw`` is the CRM row's composites as they are, for the parts we do not own. ``finished`` is the
    action that a cut-off attempt had already carried out, where nothing is left to send.
    """

    ref: Ref
    action: Action
    object: str
    crm_id: str | None = None
    values: MappingType[str, Any] = NOTHING_YET
    fingerprint: str | None = None
    reason: str | None = None
    before: Values | None = None
    raw: MappingType[str, Any] = NOTHING_YET
    memory: tuple[str, ...] = ()
    title: str = ""
    updated_at: str | None = None
    created_at: str | None = None
    warnings: tuple[str, ...] = ()
    error: ConnectorError | None = None
    finished: Action | None = None
    state: LinkState = LinkState.LINKED


Taken = dict[tuple[str, str], Ref]
"""Keys that an earlier record of the same block is about to hold, and ``("id", …)`` of rows it adopts."""


def fingerprint(values: Values) -> str:
    """Hash of planned values; equal means nothing to write. The order of the fields does not matter."""
    return hashlib.blake2b(orjson.dumps(values, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def value_hash(value: Any) -> int:
    """Hash of one canonical value, short and quick: it is kept per field and link, to know our own again."""
    text = value.encode() if type(value) is str else orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return zlib.crc32(text)


def own_id(workspace: str, ref: Ref, object_: str, generation: int = 0) -> str:
    """The id we give a CRM record that we create: the same for every attempt, so none makes a second.

    A UUIDv5 (RFC 9562, 5.5), put together here because ``uuid.uuid5`` costs four times as much.
    """
    name = f"{workspace}/{ref.source}/{ref.kind}/{ref.id}/{object_}/{generation}"
    made = hashlib.sha1(_NAMESPACE.bytes + name.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(made[16], 16) & 3]
    return f"{made[:8]}-{made[8:12]}-5{made[13:16]}-{variant}{made[17:20]}-{made[20:32]}"


def plan_from_link(mapped: MappedRecord, print_: str, link: Link | None) -> PlannedWrite | None:
    """The decision where the link alone tells it (in step, or stale); None where the CRM must be asked."""
    if link is None or link.crm_id is None or link.resumed:
        return None
    if _is_stale(mapped, link):
        return _unwritten(mapped, print_, Action.SKIP, Reason.STALE, link)
    if link.fingerprint == print_ and link.state is LinkState.LINKED:
        return _unwritten(mapped, print_, Action.NOTHING, None, link)
    return None


def _is_stale(mapped: MappedRecord, link: Link) -> bool:
    known, now = link.source_updated_at, mapped.updated_at
    return known is not None and now is not None and now < known


def plan_write(
    mapped: MappedRecord,
    values: Values,
    mapping: Mapping,
    link: Link,
    found: Found,
    *,
    print_: str,
    new_id: str,
    taken: Taken,
) -> PlannedWrite:
    """Decide what to do with a record, given all that is known of it.

    ``values`` are the mapped values with the relations resolved to CRM ids, ``print_`` their fingerprint.
    ``taken`` is added to when the plan is a create, so that a later record of the block cannot be given the
    same keys.
    """
    if link.crm_id is not None or found.by_id is not None:
        return _plan_known(mapped, values, mapping, link, found.by_id, print_)
    living = {row.id: row for _, rows in found.by_key for row in rows if not row.deleted}
    if living:
        return _plan_adoption(mapped, values, mapping, link, tuple(living.values()), print_, taken)
    if any(rows for _, rows in found.by_key):
        return _plan_deleted(mapped, print_, mapping, link)
    return _plan_create(mapped, values, mapping, link, print_, new_id, taken)


def _plan_known(
    mapped: MappedRecord, values: Values, mapping: Mapping, link: Link, row: CrmRow | None, print_: str
) -> PlannedWrite:
    if row is None or row.deleted:
        return _plan_deleted(mapped, print_, mapping, link)
    plan = _plan_update(mapped, values, mapping, link, row, print_)
    if link.crm_id is None:  # our own id is there already: a cut-off attempt created it
        return plan._replace(finished=Action.CREATE)
    return plan._replace(finished=Action.UPDATE) if link.resumed else plan


def _plan_adoption(
    mapped: MappedRecord,
    values: Values,
    mapping: Mapping,
    link: Link,
    rows: tuple[CrmRow, ...],
    print_: str,
    taken: Taken,
) -> PlannedWrite:
    if len(rows) > 1:
        ids = ", ".join(row.id for row in rows)
        return _review(mapped, print_, link, f"Its keys point to {len(rows)} records of the CRM: {ids}.")
    row = rows[0]
    for key in mapping.match:
        mine, theirs = dict(mapped.keys).get(key.field), row.values.get(key.field)
        if key.identity and theirs and mine != theirs:
            return _review(mapped, print_, link, f"The CRM record {row.id} already is {key.field} {theirs}.")
    other = taken.setdefault(("id", row.id), mapped.ref)
    if other != mapped.ref:
        return _review(mapped, print_, link, f"The CRM record {row.id} is also that of {other}.")
    plan = _plan_update(mapped, values, mapping, link, row, print_)
    return plan._replace(reason=Reason.ADOPTED)


def _plan_update(
    mapped: MappedRecord, values: Values, mapping: Mapping, link: Link, row: CrmRow, print_: str
) -> PlannedWrite:
    ownership = mapping.ownership
    changed = {
        name: value
        for name, value in values.items()
        if _may_write(ownership[name], value, row.values.get(name), link.memory.get(name))
    }
    ours = tuple(name for name in values if name in changed or row.values.get(name) == values[name])
    if changed and not mapping.update:
        return _unwritten(mapped, print_, Action.SKIP, Reason.FILTERED, link)
    return PlannedWrite(
        ref=mapped.ref,
        action=Action.UPDATE if changed else Action.NOTHING,
        object=mapped.object,
        crm_id=row.id,
        values=changed,
        fingerprint=print_,
        before={name: row.values.get(name) for name in changed},
        raw=row.raw,
        memory=ours,
        title=mapped.title,
        updated_at=mapped.updated_at,
        created_at=row.created_at,
    )


def _may_write(own: Own, new: Any, current: Any, remembered: Sequence[int] | None) -> bool:
    if new == current:
        return False
    if own is Own.ALWAYS:
        return True
    if own is Own.FILL:
        return current is None or (remembered is not None and remembered[0] == value_hash(current))
    return False


def _plan_deleted(mapped: MappedRecord, print_: str, mapping: Mapping, link: Link) -> PlannedWrite:
    # Only "respect" is spoken yet; the loader refuses a file that says otherwise.
    assert mapping.when_deleted is WhenDeleted.RESPECT  # noqa: S101
    plan = _unwritten(mapped, print_, Action.SKIP, Reason.DELETED_IN_CRM, link)
    return plan._replace(state=LinkState.DELETED_IN_CRM)


def _plan_create(
    mapped: MappedRecord,
    values: Values,
    mapping: Mapping,
    link: Link,
    print_: str,
    new_id: str,
    taken: Taken,
) -> PlannedWrite:
    if not mapping.create:
        return _unwritten(mapped, print_, Action.SKIP, Reason.FILTERED, link)
    for key in mapped.keys:
        other = taken.get(key)
        if other is not None and other != mapped.ref:
            return _review(mapped, print_, link, f"{key[0]} {key[1]} is also that of {other}.")
    taken.update(dict.fromkeys(mapped.keys, mapped.ref))
    return PlannedWrite(
        ref=mapped.ref,
        action=Action.CREATE,
        object=mapped.object,
        crm_id=new_id,
        values={name: value for name, value in values.items() if value is not None},
        fingerprint=print_,
        memory=tuple(values),
        title=mapped.title,
        updated_at=mapped.updated_at,
    )


def _review(mapped: MappedRecord, print_: str, link: Link, why: str) -> PlannedWrite:
    plan = _unwritten(mapped, print_, Action.SKIP, Reason.REVIEW, link)
    return plan._replace(warnings=(f"{why} Decide whether they are the same.",), state=LinkState.REVIEW)


def _unwritten(
    mapped: MappedRecord, print_: str | None, action: Action, reason: Reason | None, link: Link
) -> PlannedWrite:
    return PlannedWrite(
        ref=mapped.ref,
        action=action,
        object=mapped.object,
        crm_id=link.crm_id,
        fingerprint=print_,
        reason=reason,
        title=mapped.title,
        updated_at=mapped.updated_at,
        state=link.state,
    )


def plan_failure(ref: Ref, object_: str, error: ConnectorError, *, title: str = "") -> PlannedWrite:
    """A record that fails before anything could be written."""
    return PlannedWrite(
        ref=ref,
        action=Action.FAIL,
        object=object_,
        error=error,
        title=title or ref.id,
        state=LinkState.FAILED,
    )


def refused(plan: PlannedWrite, message: str, *, code: str, field_: str | None = None) -> WriteRefusedError:
    """The CRM's refusal of this record, in its own words."""
    return WriteRefusedError(f"{plan.ref}: {message}", code=code, field=field_)
