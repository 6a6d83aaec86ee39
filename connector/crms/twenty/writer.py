"""Records into Twenty: look up in bulk, create with our own ids, update by id alone.

Reads and writes go over GraphQL, for three reasons taken from the recordings: one request looks up
thousands of keys, answers carry only what was selected (25 kB instead of 170 kB for 200 rows), and a
key-less REST look-up is cut at 16 kB of request line. The rules for writes are those of section 15 of
the API notes: an upsert by id restores deleted rows and inserts ghosts, so it is sent only for rows that
a look-up showed alive, and the answer's ``createdAt`` is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Mapping as MappingType
from typing import Any

from connector.core.mapping import Mapping, key_text
from connector.core.outcomes import WriteResult
from connector.core.plan import Action, Found, PlannedWrite, refused
from connector.core.records import CrmRow, Ref
from connector.crms.twenty import fields
from connector.crms.twenty.client import TwentyClient
from connector.crms.twenty.refusals import Kind, Refusal
from connector.errors import ReconnectError, TryLaterError
from connector.ports import CrmAccount, Seek

DEFAULT_BATCH = 200  # of recent servers; an older one names its own in its refusal
_LOOK_BLOCK = 2_000  # ids per look-up: 0.2 MB and about 0.2 s on a real server
_ANY = {"or": [{"deletedAt": {"is": "NULL"}}, {"deletedAt": {"is": "NOT_NULL"}}]}


class TwentyWriter:
    """Fills ``ports.Writer``. ``batch`` is what the server is known to take; it learns a lower cap."""

    def __init__(self, client: TwentyClient, *, batch: int = DEFAULT_BATCH) -> None:
        self._client = client
        self._batch = batch

    def account(self) -> CrmAccount:
        """The workspace that the credential opens."""
        found = self._client.metadata("query{currentWorkspace{id displayName metadataVersion}}")
        workspace = found.get("currentWorkspace")
        if not workspace:
            raise ReconnectError("The API key opens no workspace of this Twenty.", code="crm_credential")
        return CrmAccount(
            workspace["id"], workspace.get("displayName") or "", int(workspace.get("metadataVersion") or 0)
        )

    def batch_size(self) -> int:
        """Records per request."""
        return self._batch

    # --- look

    def look(self, mapping: Mapping, seeks: Sequence[Seek]) -> dict[Ref, Found]:
        """One request per 2,000 seeks, deleted rows included."""
        found: dict[Ref, Found] = {}
        for start in range(0, len(seeks), _LOOK_BLOCK):
            block = seeks[start : start + _LOOK_BLOCK]
            rows = list(self._rows(mapping, block))
            found.update(_matched(block, rows))
        return found

    def _rows(self, mapping: Mapping, seeks: Sequence[Seek]) -> Iterator[CrmRow]:
        query = _look_query(mapping)
        first = 2 * sum(1 + len(seek.keys) for seek in seeks) + 100
        data = self._client.query(query, {"f": _look_filter(mapping, seeks), "n": first})
        edges = data[mapping.object.plural]["edges"]
        if len(edges) < first:
            yield from (_row(mapping, edge["node"]) for edge in edges)
        elif len(seeks) > 1:  # more rows than asked for may be missing: never take a cut answer for whole
            middle = len(seeks) // 2
            yield from self._rows(mapping, seeks[:middle])
            yield from self._rows(mapping, seeks[middle:])
        else:
            yield from (_row(mapping, edge["node"]) for edge in edges)

    # --- apply

    def apply(self, mapping: Mapping, writes: Sequence[PlannedWrite]) -> list[WriteResult]:
        """Creates first, then updates; results in the order of ``writes``."""
        results: dict[Ref, WriteResult] = {}
        for action, send in ((Action.CREATE, self._create), (Action.UPDATE, self._update)):
            todo = [write for write in writes if write.action is action]
            for result in self._send(mapping, todo, send):
                results[result.ref] = result
        return [results[write.ref] for write in writes]

    def _send(
        self, mapping: Mapping, writes: Sequence[PlannedWrite], send: Callable[..., list[WriteResult]]
    ) -> Iterator[WriteResult]:
        todo = list(writes)
        while todo:
            batch = todo[: self._batch]
            try:
                yield from send(mapping, batch)
            except Refusal as refusal:
                if not self._learn(refusal, len(batch)):
                    raise
                continue
            del todo[: len(batch)]

    def _learn(self, refusal: Refusal, size: int) -> bool:
        """Whether a smaller batch may pass; remembers the size."""
        if refusal.kind is Kind.TOO_MANY and refusal.cap and refusal.cap < self._batch:
            self._batch = refusal.cap
            return True
        if refusal.kind in (Kind.TOO_LARGE, Kind.TOO_MANY) and size > 1:
            self._batch = max(1, size // 2)
            return True
        return False

    def _create(self, mapping: Mapping, batch: Sequence[PlannedWrite]) -> list[WriteResult]:
        try:
            return self._create_many(mapping, batch)
        except Refusal as refusal:
            if refusal.kind in (Kind.TOO_MANY, Kind.TOO_LARGE) and len(batch) > 1:
                raise
            return self._create_remainder(mapping, batch, refusal)

    def _create_many(self, mapping: Mapping, batch: Sequence[PlannedWrite]) -> list[WriteResult]:
        types = _types(mapping)
        rows = [_create_input(write, types) for write in batch]
        answer = self._client.mutate(_create_query(mapping, upsert=False), {"data": rows})
        made = {row["id"]: row for row in answer[f"create{_title(mapping.object.plural)}"]}
        return [_result(write, made.get(write.crm_id or "")) for write in batch]

    def _create_remainder(
        self, mapping: Mapping, batch: Sequence[PlannedWrite], refusal: Refusal
    ) -> list[WriteResult]:
        """After a refused create: our own ids that are there are done; the rest goes on in halves."""
        there = self.look(mapping, [Seek(write.ref, write.crm_id or "", ()) for write in batch])
        results: list[WriteResult] = []
        rest: list[PlannedWrite] = []
        for write in batch:
            row = there[write.ref].by_id
            if row is not None and not row.deleted:
                results.append(WriteResult(write.ref, row.id, row.created_at, row.updated_at))
            else:
                rest.append(write)
        if len(rest) == 1 and len(batch) == 1:
            return [_refused(rest[0], refusal)]
        middle = (len(rest) + 1) // 2
        for half in (rest[:middle], rest[middle:]):
            if half:
                results.extend(self._create(mapping, half))
        return results

    def _update(self, mapping: Mapping, batch: Sequence[PlannedWrite]) -> list[WriteResult]:
        types = _types(mapping)
        rows = [_update_input(write, types) for write in batch]
        try:
            answer = self._client.mutate(_create_query(mapping, upsert=True), {"data": rows})
        except Refusal as refusal:
            if refusal.kind in (Kind.TOO_MANY, Kind.TOO_LARGE) and len(batch) > 1:
                raise
            if len(batch) == 1:
                return [_refused(batch[0], refusal)]
            middle = len(batch) // 2
            return self._update(mapping, batch[:middle]) + self._update(mapping, batch[middle:])
        done = {row["id"]: row for row in answer[f"create{_title(mapping.object.plural)}"]}
        return [self._checked(mapping, write, done.get(write.crm_id or "")) for write in batch]

    def _checked(
        self, mapping: Mapping, write: PlannedWrite, row: MappingType[str, Any] | None
    ) -> WriteResult:
        """A row with another creation time is a ghost: the record was destroyed between look and write."""
        if row is None or write.created_at in (None, row["createdAt"]):
            return _result(write, row)
        self._destroy_ghost(mapping, row)
        error = refused(write, "it was deleted in the CRM while it was being written", code="crm_record_gone")
        return WriteResult(write.ref, error=error)

    def _destroy_ghost(self, mapping: Mapping, row: MappingType[str, Any]) -> None:
        name = f"destroy{_title(mapping.object.plural)}"
        same = [
            {"id": {"in": [row["id"]]}},
            {"createdAt": {"eq": row["createdAt"]}},
            {"updatedAt": {"eq": row["updatedAt"]}},
        ]
        query = f"mutation($f:{_title(mapping.object.name)}FilterInput){{{name}(filter:$f){{id}}}}"
        self._client.mutate(query, {"f": {"and": same}})


def _types(mapping: Mapping) -> dict[str, str]:
    return {spec.name: spec.type for spec in mapping.specs}


def _title(name: str) -> str:
    return name[:1].upper() + name[1:]


def _look_query(mapping: Mapping) -> str:
    wanted = {spec.name: fields.selection(spec.type, spec.name) for spec in mapping.specs}
    node = " ".join(["id", "createdAt", "updatedAt", "deletedAt", *wanted.values()])
    filter_type = f"{_title(mapping.object.name)}FilterInput"
    return (
        f"query($f:{filter_type},$n:Int){{{mapping.object.plural}(filter:$f,first:$n)"
        f"{{edges{{node{{{node}}}}}}}}}"
    )


def _look_filter(mapping: Mapping, seeks: Sequence[Seek]) -> dict[str, Any]:
    types = _types(mapping)
    by_field: dict[str, list[str]] = {}
    for seek in seeks:
        for field, value in seek.keys:
            by_field.setdefault(field, []).append(value)
    conditions: list[dict[str, Any]] = [{"id": {"in": [seek.id for seek in seeks]}}]
    for field, values in by_field.items():
        within: dict[str, Any] = {"in": values}
        parts = fields.TYPES[types[field]].parts
        conditions.append({field: {parts[0]: within} if parts else within})
    return {"and": [{"or": conditions}, _ANY]}


def _row(mapping: Mapping, node: MappingType[str, Any]) -> CrmRow:
    values = {
        spec.name: fields.canonical(spec.type, node.get(fields.answer_key(spec.type, spec.name)))
        for spec in mapping.specs
    }
    deleted = node.get("deletedAt") is not None
    return CrmRow(node["id"], values, node, node.get("createdAt"), node.get("updatedAt"), deleted)


def _matched(seeks: Sequence[Seek], rows: Sequence[CrmRow]) -> Iterator[tuple[Ref, Found]]:
    by_id = {row.id: row for row in rows}
    by_key: dict[tuple[str, str], list[CrmRow]] = {}
    fields_ = {field for seek in seeks for field, _ in seek.keys}
    for row in rows:
        for field in fields_:
            if (value := row.values.get(field)) is not None:
                by_key.setdefault((field, key_text(value)), []).append(row)
    for seek in seeks:
        hits = tuple((key[0], tuple(by_key[key])) for key in seek.keys if key in by_key)
        yield seek.ref, Found(by_id.get(seek.id), hits)


def _create_query(mapping: Mapping, *, upsert: bool) -> str:
    type_, name = _title(mapping.object.name), f"create{_title(mapping.object.plural)}"
    also = ",upsert:true" if upsert else ""
    return f"mutation($data:[{type_}CreateInput!]!){{{name}(data:$data{also}){{id createdAt updatedAt}}}}"


def _create_input(write: PlannedWrite, types: MappingType[str, str]) -> dict[str, Any]:
    row = {"id": write.crm_id}
    row.update(fields.as_input(types[name], name, value, {}) for name, value in write.values.items())
    return row


def _update_input(write: PlannedWrite, types: MappingType[str, str]) -> dict[str, Any]:
    row = {"id": write.crm_id}
    row.update(fields.as_input(types[name], name, value, write.raw) for name, value in write.values.items())
    return row


def _result(write: PlannedWrite, row: MappingType[str, Any] | None) -> WriteResult:
    if row is None:  # an answer that leaves a record out says nothing about it; the repeat finds out
        raise TryLaterError(f"Twenty's answer does not name {write.ref}.", code="crm_answer_incomplete")
    return WriteResult(write.ref, row["id"], row.get("createdAt"), row.get("updatedAt"))


def _refused(write: PlannedWrite, refusal: Refusal) -> WriteResult:
    code = {Kind.DUPLICATE: "crm_duplicate", Kind.PARENT_GONE: "crm_parent_gone"}.get(
        refusal.kind, "crm_bad_value"
    )
    return WriteResult(write.ref, error=refused(write, str(refusal), code=code))
