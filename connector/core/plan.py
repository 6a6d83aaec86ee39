"""What a plan is made of, and the decisions that need no look at the CRM.

``matching.plan_write`` makes the others: gather inputs, call it, act on what it says.
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
    IGNORED = "ignored"
    ADOPTED = "adopted"
    CHOSEN = "chosen"
    MERGED = "merged"
    RESTORED = "restored"
    RECREATED = "recreated"
    KEPT = "kept"
    REMOVED = "removed"
    PUT_BACK = "put_back"
    UNMADE = "unmade"
    TAKEN_BACK = "taken_back"


class LinkState(StrEnum):
    """What we know of the counterpart of a source record."""

    LINKED = "linked"
    REVIEW = "review"
    FAILED = "failed"
    DELETED_IN_CRM = "deleted_in_crm"
    GONE = "gone"
    IGNORED = "ignored"


class Why(StrEnum):
    """Why nobody but a person can tell which CRM record a source record is."""

    SEVERAL = "several"
    SOMEBODY_ELSE = "somebody_else"
    TAKEN = "taken"
    CHOICE_GONE = "choice_gone"
    NOT_NEW = "not_new"


class Choice(StrEnum):
    """What a person decided about it."""

    LINK = "link"
    CREATE = "create"
    IGNORE = "ignore"


Memory = MappingType[str, Sequence[int]]
"""CRM field → (hash of the canonical value we last wrote, number of the run that wrote it)."""

NOTHING_YET: Final[MappingType[str, Any]] = MappingProxyType({})


# Named tuples, here and below: made for every record, and five times as quickly as a frozen dataclass.


class Link(NamedTuple):
    """The remembered pair of source record and CRM record; ``crm_id`` None while there is none yet.

    ``resumed`` says that this very run claimed it before and was cut off: the write may have arrived.
    ``seen_run`` is the number of the run that settled it last. ``crm_seen_at`` is the CRM's time of the
    record when it was last compared whole. ``held_run`` took its last change back, and it stays so.
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
    crm_seen_at: str | None = None
    held_run: int | None = None


class Stamp(NamedTuple):
    """What tells whether a CRM record moved: its time, and what its relations point at. Those are apart,
    because a record that is destroyed empties the relations to it and moves no time."""

    updated_at: str | None
    relations: MappingType[str, str | None] = NOTHING_YET


class Found(NamedTuple):
    """What a look-up of the CRM found: the row of the linked or own id, and the rows each key hit."""

    by_id: CrmRow | None = None
    by_key: tuple[tuple[str, tuple[CrmRow, ...]], ...] = ()


class Holder(NamedTuple):
    """Another source record whose counterpart a CRM record is too.

    ``before``: it was here first, and its connection stands. ``active``: its connection stands.
    """

    ref: Ref
    memory: Memory = NOTHING_YET
    before: bool = False
    active: bool = True


class Decision(NamedTuple):
    """What a person chose; ``crm_id`` names the CRM record to link."""

    choice: Choice
    crm_id: str | None = None


class Candidate(NamedTuple):
    """A CRM record that a source record may be: the fields by which it fits, and whose it is already."""

    row: CrmRow
    fits: tuple[str, ...]
    holder: Ref | None = None


class Doubt(NamedTuple):
    """A question to a person. ``only_one``: the record is in the CRM already, so none may be made."""

    why: Why
    candidates: tuple[Candidate, ...]
    only_one: bool = False


class PlannedWrite(NamedTuple):
    """What is to be done with one record. ``values`` holds only what is to be written.

    ``raw`` is the CRM row's composites as they are, for the parts we do not own. ``finished`` is the
    action that a cut-off attempt had already carried out, where nothing is left to send. ``restores``:
    the row is in the CRM's bin, and this update is meant to take it out. ``drift`` are the fields that
    somebody changed in the CRM and that are put back; ``seen_at`` is the CRM's time of the row compared.
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
    restores: bool = False
    generation: int | None = None
    doubt: Doubt | None = None
    drift: tuple[str, ...] = ()
    seen_at: str | None = None


Taken = dict[tuple[str, str], tuple[Ref, CrmRow]]
"""What an earlier record of the same block is about to hold: its keys, and ``("id", …)`` of a row."""


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
    """The decision where the link alone tells it: in step, stale or held. None: the CRM must be asked."""
    if link is None or link.crm_id is None or link.resumed:
        return None
    if _is_stale(mapped, link):
        return unwritten(mapped, print_, Action.SKIP, Reason.STALE, link)
    if link.held_run is not None and _says_the_same(mapped, print_, link):
        return unwritten(mapped, print_, Action.SKIP, Reason.UNDONE, link)
    if link.fingerprint == print_ and link.state is LinkState.LINKED:
        return unwritten(mapped, print_, Action.NOTHING, None, link)
    return None


def is_as_left(link: Link, values: Values, stamp: Stamp | None) -> bool:
    """Whether the CRM record is as it was when it was last compared: nobody wrote it, deleted it, or took
    away what it points at. ``stamp`` is None for one that is not there, or in the bin."""
    if stamp is None or stamp.updated_at is None or stamp.updated_at != link.crm_seen_at:
        return False
    return all(values.get(name, at) == at for name, at in stamp.relations.items())


def _is_stale(mapped: MappedRecord, link: Link) -> bool:
    known, now = link.source_updated_at, mapped.updated_at
    return known is not None and now is not None and now < known


def _says_the_same(mapped: MappedRecord, print_: str, link: Link) -> bool:
    """Whether the source says what it said when its last change was taken back, as far as is known."""
    if link.fingerprint is not None:
        return link.fingerprint == print_
    return (mapped.updated_at or "") <= (link.source_updated_at or "")


def unwritten(
    mapped: MappedRecord, print_: str | None, action: Action, reason: Reason | None, link: Link
) -> PlannedWrite:
    """A record that is left as it is, in the state that it is in."""
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


VANISHED: Final = "it was deleted in the CRM while it was being written"


def refused(plan: PlannedWrite, message: str, *, code: str, field_: str | None = None) -> WriteRefusedError:
    """The CRM's refusal of this record, in its own words."""
    return WriteRefusedError(f"{plan.ref}: {message}", code=code, field=field_)
