"""Notes and tasks in Twenty: made with our own ids, tied to records by rows that have ids of ours too.

Nothing in Twenty keeps a note from being made twice, or a tie from being made twice; ids do. They are sent by
plain creates, which refuse an id that is there (in the bin or out of it) and never bring anything back. So
after a cut-off request the same is sent again, and what is refused as a duplicate is looked up.

A tie's field is called after its object: ``targetPersonId``, and ``personId`` on servers before 2.x. Which of
them a server has, its refusal tells.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

import structlog

from connector.core.notes import OWNER
from connector.core.notes import Kind as NoteKind
from connector.core.undoing import LeftNote
from connector.crms.twenty.client import TwentyClient
from connector.crms.twenty.columns import look_query, type_name
from connector.crms.twenty.further import ANY
from connector.crms.twenty.refusals import Kind, Refusal
from connector.crms.twenty.writer import DEFAULT_BATCH
from connector.errors import RecordError, SchemaError, TryLaterError, WriteRefusedError
from connector.ports.crm_notes import NewNote

log = structlog.get_logger(__name__)

Row = dict[str, Any]


class _Object(NamedTuple):
    """An object of Twenty as it is asked for."""

    name: str
    plural: str


class _Sort(NamedTuple):
    """Notes or tasks, and what ties them to records."""

    of: _Object
    ties: _Object
    id_field: str


_SORTS: Final[Mapping[str, _Sort]] = {
    "note": _Sort(_Object("note", "notes"), _Object("noteTarget", "noteTargets"), "noteId"),
    "task": _Sort(_Object("task", "tasks"), _Object("taskTarget", "taskTargets"), "taskId"),
}
_OWNERS: Final = {"opportunity": ("opportunities", "ownerId"), "company": ("companies", "accountOwnerId")}
_DONE: Final = "DONE"
_ALIVE: Final = {"deletedAt": {"is": "NULL"}}


class TwentyNoter:
    """Fills ``ports.Noter``. ``batch`` is what the server took or named before, where known."""

    def __init__(self, client: TwentyClient, *, batch: int = DEFAULT_BATCH) -> None:
        self._client = client
        self._batch = batch
        self._prefix = "target"
        self._members: dict[str, str | None] = {}

    def leave(self, notes: Sequence[NewNote]) -> dict[str, RecordError]:
        """First the notes, then their ties: one without ties was cut off, and the repeat ties it."""
        failed: dict[str, RecordError] = {}
        assignees = self._assignees(notes)
        for kind, sort in _SORTS.items():
            todo = [one for one in notes if one.kind == kind]
            made = self._create(sort.of, [_row(one, assignees.get(one.id)) for one in todo])
            failed.update(made.failed)
            there = [one for one in todo if one.id not in made.failed and one.id not in made.deleted]
            self._tie(sort, there)
        return failed

    def close(self, task_ids: Sequence[str]) -> None:
        """One change for many tasks, by a filter that leaves out what is deleted or done already."""
        tasks = _SORTS["task"].of
        for start in range(0, len(task_ids), self._batch):
            ids = list(task_ids[start : start + self._batch])
            still_open = [{"id": {"in": ids}}, _ALIVE, {"status": {"neq": _DONE}}]
            query = "mutation($f:TaskFilterInput,$d:TaskUpdateInput!){updateTasks(filter:$f,data:$d){id}}"
            variables = {"f": {"and": still_open}, "d": {"status": _DONE}}
            try:
                self._mutate(f"update{type_name(tasks.plural)}", query, variables)
            except Refusal as refusal:
                raise SchemaError(f"Twenty does not let tasks be closed: {refusal}") from refusal

    def look(self, kind: NoteKind, ids: Sequence[str]) -> dict[str, LeftNote]:
        """One request."""
        rows = self._look(_SORTS[kind].of, ids, "title", "createdAt", "updatedAt", "deletedAt") if ids else []
        return {
            row["id"]: LeftNote(
                row["id"],
                row.get("title") or "",
                row.get("createdAt"),
                row.get("updatedAt"),
                row.get("deletedAt") is not None,
            )
            for row in rows
        }

    def remove(self, kind: NoteKind, notes: Sequence[LeftNote]) -> set[str]:
        """One request. The guard names all their times: what somebody changes meanwhile gets a later one."""
        if not notes:
            return set()
        of = _SORTS[kind].of
        name, type_ = f"delete{type_name(of.plural)}", type_name(of.name)
        times = sorted({one.updated_at for one in notes if one.updated_at})
        same = [{"id": {"in": [one.id for one in notes]}}, {"updatedAt": {"in": times}}, _ALIVE]
        query = f"mutation($f:{type_}FilterInput){{{name}(filter:$f){{id}}}}"
        try:
            return {row["id"] for row in self._mutate(name, query, {"f": {"and": same}})}
        except Refusal as refusal:
            raise SchemaError(f"Twenty does not let {of.plural} be deleted: {refusal}") from refusal

    # --- who does it

    def _assignees(self, notes: Sequence[NewNote]) -> dict[str, str]:
        """Note → the workspace member who is to do it, as far as there is one."""
        found = {one.id: self._member(one.assignee) for one in notes if one.assignee not in ("", OWNER)}
        owned = [one for one in notes if one.assignee == OWNER]
        owners: dict[str, str] = {}
        for object_, (plural, field) in _OWNERS.items():
            ids = {id_ for one in owned for of, id_ in one.targets if of == object_}
            rows = self._look(_Object(object_, plural), ids, field) if ids else []
            owners.update({row["id"]: row[field] for row in rows if row.get(field)})
        for one in owned:
            found[one.id] = next((owners[id_] for _, id_ in one.targets if id_ in owners), None)
        return {id_: member for id_, member in found.items() if member}

    def _member(self, email: str) -> str | None:
        """The member of this e-mail address; a task of somebody who left is nobody's."""
        if email not in self._members:
            query = look_query("workspaceMember", "workspaceMembers", ["id"])
            wanted = {
                "userEmail": {"ilike": email.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")}
            }
            rows = _nodes(self._client.query(query, {"f": wanted, "n": 2}), "workspaceMembers")
            self._members[email] = rows[0]["id"] if len(rows) == 1 else None
            if len(rows) != 1:
                log.warning("a task is nobody's: no member of the CRM has this address", found=len(rows))
        return self._members[email]

    # --- ties

    def _tie(self, sort: _Sort, notes: Sequence[NewNote]) -> None:
        """A record that is not there any more has nothing tied to it: that is no failure of the note."""
        if not notes:
            return
        try:
            made = self._create(sort.ties, list(self._ties(sort, notes)))
        except SchemaError as error:
            if self._prefix == "" or f'any "{self._prefix}' not in str(error):
                raise
            self._prefix = ""
            made = self._create(sort.ties, list(self._ties(sort, notes)))
        for id_, refused in made.failed.items():
            log.info("not tied to a record", tie=id_, why=str(refused))

    def _ties(self, sort: _Sort, notes: Sequence[NewNote]) -> Iterator[Row]:
        for note in notes:
            for object_, id_ in note.targets:
                name = f"{self._prefix}{type_name(object_)}Id" if self._prefix else f"{object_}Id"
                tie_id = str(uuid5(UUID(note.id), f"{object_}/{id_}"))
                yield {"id": tie_id, sort.id_field: note.id, name: id_}

    # --- creates

    def _create(self, of: _Object, rows: Sequence[Row]) -> _Made:
        made = _Made({}, set())
        todo, size = list(rows), self._batch
        while todo:
            batch = todo[:size]
            try:
                self._send(of, batch)
            except Refusal as refusal:
                if refusal.kind in (Kind.TOO_MANY, Kind.TOO_LARGE) and len(batch) > 1:
                    size = max(1, min(refusal.cap or len(batch), len(batch) // 2))
                    self._batch = min(self._batch, refusal.cap or self._batch)
                    continue
                self._take_apart(of, batch, refusal, made)
            todo = todo[len(batch) :]
        return made

    def _take_apart(self, of: _Object, rows: Sequence[Row], refusal: Refusal, made: _Made) -> None:
        """Set aside what is there already and what is to blame, and send the rest."""
        if refusal.kind is Kind.DUPLICATE:
            found = {row["id"]: row for row in self._look(of, {row["id"] for row in rows}, "deletedAt")}
            made.deleted.update(id_ for id_, row in found.items() if row.get("deletedAt"))
            left = [row for row in rows if row["id"] not in found]
            if len(left) < len(rows):
                return self._again(of, left, made)
        if len(rows) == 1:
            code = "note_refused"
            made.failed[rows[0]["id"]] = WriteRefusedError(
                f"Twenty does not take the {of.name}: {refusal}", code=code
            )
            return None
        middle = len(rows) // 2
        self._again(of, rows[:middle], made)
        return self._again(of, rows[middle:], made)

    def _again(self, of: _Object, rows: Sequence[Row], made: _Made) -> None:
        if not rows:
            return
        try:
            self._send(of, rows)
        except Refusal as refusal:
            self._take_apart(of, rows, refusal, made)

    def _send(self, of: _Object, rows: Sequence[Row]) -> None:
        name = f"create{type_name(of.plural)}"
        query = f"mutation($data:[{type_name(of.name)}CreateInput!]!){{{name}(data:$data){{id}}}}"
        self._mutate(name, query, {"data": rows})

    def _mutate(self, name: str, query: str, variables: Mapping[str, Any]) -> list[Row]:
        rows = self._client.mutate(query, variables).get(name)
        if not isinstance(rows, list):
            raise TryLaterError(f"Twenty's answer holds no {name}.", code="crm_answer_incomplete")
        return rows

    def _look(self, of: _Object, ids: Collection[str], *pick: str) -> list[Row]:
        """These rows, in the bin or out of it."""
        query = look_query(of.name, of.plural, ["id", *pick])
        wanted = {"and": [{"id": {"in": sorted(ids)}}, ANY]}
        try:
            return _nodes(self._client.query(query, {"f": wanted, "n": 2 * len(ids) + 100}), of.plural)
        except Refusal as refusal:
            raise SchemaError(f"Twenty refused to look for {of.plural}: {refusal}") from refusal


class _Made(NamedTuple):
    """What became of a batch: why some failed, and which somebody has deleted meanwhile."""

    failed: dict[str, RecordError]
    deleted: set[str]


def _row(note: NewNote, assignee: str | None) -> Row:
    row: Row = {"id": note.id, "title": note.title, "bodyV2": {"markdown": note.text}}
    if note.kind == "task":
        row |= {"status": "TODO", "dueAt": note.due_at, "assigneeId": assignee}
    return row


def _nodes(data: Mapping[str, Any], plural: str) -> list[Row]:
    try:
        return [edge["node"] for edge in data[plural]["edges"]]
    except (KeyError, TypeError):
        raise TryLaterError(
            f"Twenty's answer holds no list of {plural}.", code="crm_answer_incomplete"
        ) from None
