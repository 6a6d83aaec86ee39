"""Notes and tasks behind the records: once the records of a round are in line, their events leave them.

A row is kept before anything is sent, and the ids in the CRM follow from the row's key. So whatever is cut
off, the repeat sends the same ids again, and none is doubled. What stands in the way of a note is its
event's trouble alone: the record is written already, and the event is tried again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import NAMESPACE_URL, uuid5

import structlog

from connector.core import notes
from connector.core.events import Told
from connector.core.mapping import Mapping as Rules
from connector.core.mapping import ValueProblem
from connector.core.notes import Fact, NoteRule, Wanted
from connector.core.plan import LinkState
from connector.core.records import UNKNOWN, Ref, SourceRecord, iso
from connector.core.sales import KINDS, sale
from connector.errors import ReconnectError, RecordError, SchemaError, WriteRefusedError
from connector.ports.crm_notes import NewNote
from connector.store import connections, links, sales
from connector.store import notes as kept
from connector.store.notes import NewNote as Row
from connector.sync.scope import Scope

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Happened:
    """An event that is through: ``record`` is what it is about, ``owner`` the record that its notes go to.

    A ``quiet`` one closes tasks, and leaves nothing.
    """

    event: int
    told: Told
    received_at: str
    record: SourceRecord | None
    owner: Ref
    owner_record: SourceRecord | None
    quiet: bool = False


def leave(scope: Scope, mapping: Rules, happened: Sequence[Happened]) -> dict[int, RecordError]:
    """Have these events leave their notes and tasks; by event why that could not be.

    Raises TryLaterError and ReconnectError for what stands in the way of everything.
    """
    if not mapping.notes or scope.noter is None or not happened:
        return {}
    run = scope.run
    with scope.database.reading() as session:
        since = connections.get(session, run.workspace_id, run.connection_id).notes_since
        about = [one.told.ref.id for one in happened if one.told.ref and one.told.ref.kind in KINDS]
        latest = sales.latest(session, run.workspace_id, run.connection_id, about) if about else {}
    if since is None:
        return {}
    facts = [_fact(one, mapping, latest) for one in happened]
    try:
        loud = [fact for one, fact in zip(happened, facts, strict=True) if not one.quiet]
        of = [one for one in happened if not one.quiet]
        wanted = notes.wanted(mapping.notes, loud, iso(since))
        failed = _leave(scope, mapping, of, [(one, loud[one.fact]) for one in wanted])
        _close(scope, mapping, facts)
    except (ReconnectError, SchemaError) as error:
        if isinstance(error, ReconnectError) and error.code != "crm_permission":
            raise
        told = WriteRefusedError(str(error), code="note_refused", remedy=error.remedy)
        return {one.event: told for one in happened}
    return failed


def _fact(one: Happened, mapping: Rules, latest: Mapping[str, Mapping[str, object]]) -> Fact:
    ref, record = one.told.ref or one.owner, one.told.record if one.told.complete else one.record
    fields = record.fields if record else {}
    ids = {mapping.kind: one.owner.id, ref.kind: ref.id}
    if record and ref.kind in KINDS and (payment_id := sale(record).payment_id):
        ids["payment"] = payment_id
    now = latest.get(ref.id) or (one.record.fields if one.record else fields)
    at = notes.dated(one.told, record, one.received_at)
    return Fact(one.told.name, ref.kind, ids, at, fields, now)


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A note on its way: its row, what is sent of it, and the event that it comes from."""

    row: Row
    note: NewNote


def _leave(
    scope: Scope, mapping: Rules, happened: Sequence[Happened], wanted: Iterable[tuple[Wanted, Fact]]
) -> dict[int, RecordError]:
    """Keep a row for each that is new, send what is not left yet, and remember that it is."""
    leaves = list(_leaves(scope, mapping, happened, wanted))
    if not leaves or scope.noter is None:
        return {}
    run, rows = scope.run, [leaf.row for leaf in leaves]
    with scope.database.transaction() as session:
        todo = kept.begin(session, run.workspace_id, run.connection_id, rows, scope.clock())
    new = {leaf.note.id: leaf for leaf in leaves if leaf.row.key in todo and leaf.note.targets}
    if not new:
        return {}
    refused = scope.noter.leave([leaf.note for leaf in new.values()])
    left = {id_: leaf.row.waits for id_, leaf in new.items() if id_ not in refused}
    with scope.database.transaction() as session:
        kept.left(session, run.workspace_id, run.number, left)
    log.info("notes and tasks left", left=len(left), refused=len(refused))
    return {new[id_].row.event: error for id_, error in refused.items()}


def _leaves(
    scope: Scope, mapping: Rules, happened: Sequence[Happened], wanted: Iterable[tuple[Wanted, Fact]]
) -> Iterator[_Leaf]:
    """What is wanted, in full; what would stand beside no record, ever, is left out.

    One that has to wait for a record, because a person has to decide about it, say, is sent beside the others
    at once, and once more when the record is there.
    """
    found = list(wanted)
    targets = _targets(scope, mapping, [happened[one.fact] for one, _ in found])
    for one, fact in found:
        event = happened[one.fact].event
        of = [targets[event][name] for name in one.rule.to if name in targets[event]]
        beside = tuple((target.object, target.crm_id) for target in of if target.crm_id)
        waits = next(((target.object, target.ref.id) for target in of if not target.crm_id), None)
        if of:
            rule, per = _key(mapping, one.key)
            id_ = str(uuid5(NAMESPACE_URL, f"note/{scope.run.workspace_id}/{rule}/{per}"))
            row = Row(rule, per, one.rule.kind, id_, event, waits)
            yield _Leaf(row, _note(id_, one.rule, fact, beside))


def _note(id_: str, rule: NoteRule, fact: Fact, beside: tuple[tuple[str, str], ...]) -> NewNote:
    title, text = rule.title(fact.fields), rule.text(fact.fields)
    if rule.kind == "note":
        return NewNote(id_, rule.kind, title, text, beside)
    return NewNote(id_, rule.kind, title, text, beside, notes.due_at(rule, fact), rule.assignee)


def _close(scope: Scope, mapping: Rules, facts: Sequence[Fact]) -> None:
    """Mark the tasks as done that these facts settle."""
    _close_all(scope, [_key(mapping, key) for key in notes.closing(mapping.notes, facts)])


def close_settled(scope: Scope, records: Iterable[SourceRecord]) -> None:
    """Mark the tasks as done that a read of these payments and disputes shows to be settled.

    Their events may never have come. A CRM that lets no task be closed keeps nothing from being read.
    """
    keys = [_key(mapping, key) for one in records for mapping, key in _settled_by(scope, one)]
    try:
        _close_all(scope, keys)
    except (ReconnectError, SchemaError) as error:
        if isinstance(error, ReconnectError) and error.code != "crm_permission":
            raise
        log.warning("tasks are not closed", why=str(error))


def _settled_by(scope: Scope, record: SourceRecord) -> Iterator[tuple[Rules, kept.Key]]:
    kind, fields, of = record.ref.kind, record.fields, sale(record)
    for mapping in scope.mappings:
        rules = [rule for rule in mapping.notes if rule.kind == "task" and rule.fact == kind]
        if rules:
            ids = {mapping.kind: of.membership_id, "payment": of.payment_id, kind: record.ref.id}
            known = {name: id_ for name, id_ in ids.items() if id_}
            for key in notes.closing(rules, [Fact("", kind, known, "", fields, fields)]):
                yield mapping, key


def _close_all(scope: Scope, keys: Sequence[kept.Key]) -> None:
    if not keys or scope.noter is None:
        return
    workspace_id = scope.run.workspace_id
    with scope.database.reading() as session:
        found = kept.find(session, workspace_id, keys)
    open_ = [one.crm_id for one in found.values() if one.state == "left"]
    if open_:
        scope.noter.close(open_)
        with scope.database.transaction() as session:
            kept.done(session, workspace_id, open_)


def _key(mapping: Rules, key: tuple[str, str]) -> kept.Key:
    return f"{mapping.name}/{key[0]}", key[1]


# --- where they go


class _Target(NamedTuple):
    """A record that a note is to stand beside; ``crm_id`` is None while it is not in the CRM."""

    object: str
    ref: Ref
    crm_id: str | None


def _targets(scope: Scope, mapping: Rules, happened: Sequence[Happened]) -> dict[int, dict[str, _Target]]:
    """Event → link ("" for the record itself) → the record."""
    wanted: dict[int, dict[str, tuple[str, Ref]]] = {
        one.event: {"": (mapping.object.name, one.owner), **_linked(mapping, one.owner_record)}
        for one in happened
    }
    by_kind: dict[tuple[str, str], dict[Ref, None]] = {}
    for of in wanted.values():
        for object_, ref in of.values():
            by_kind.setdefault((object_, ref.kind), {})[ref] = None
    ids: dict[tuple[str, Ref], str] = {}
    with scope.database.reading() as session:
        for (object_, _), refs in by_kind.items():
            found = links.find(session, scope.run.workspace_id, object_, list(refs))
            ids.update(
                ((object_, ref), link.crm_id)
                for ref, link in found.items()
                if link.crm_id and link.state is LinkState.LINKED
            )
    return {
        event: {name: _Target(*one, ids.get(one)) for name, one in of.items()} for event, of in wanted.items()
    }


def _linked(mapping: Rules, record: SourceRecord | None) -> dict[str, tuple[str, Ref]]:
    """The records that a record points at, by the link."""
    found: dict[str, tuple[str, Ref]] = {}
    for rule in mapping.links if record else ():
        try:
            id_ = rule.read_id(record.fields) if record else None
        except ValueProblem:
            continue
        if id_ is not None and id_ is not UNKNOWN and rule.spec.target:
            found[rule.spec.name] = (rule.spec.target, Ref(mapping.source, rule.kind, id_))
    return found
