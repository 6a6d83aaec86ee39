"""Batches of creates and updates: sent once, and a refused one taken apart in few requests.

A create is one statement, all or nothing. The updates of an upsert are single statements: of a refused
one the first may be written, which the repeat of the good ones settles. Validation comes before both.

A change that is the same for all rows of a batch (one row, a renamed product, a stamp) goes by a filter of
living ids, which leaves alone what is gone. Other updates have to be an upsert by id.

**What an upsert by id does to rows that were not there**: it restores a soft-deleted one and inserts a
nearly empty one for a destroyed one. So updates are only for rows that a look-up of the same job showed
alive, not long ago: whoever has them wait asks again (``ports.Writer.living``). The empty row is seen by its
``createdAt`` and destroyed again; a row that somebody deletes in the moment between that and the write is
restored, and nothing in Twenty's answer tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from connector.core.outcomes import WriteResult
from connector.core.plan import PlannedWrite
from connector.core.records import Ref
from connector.crms.twenty.client import TwentyClient
from connector.crms.twenty.columns import Columns, Json
from connector.crms.twenty.culprits import Culprits, Orphans, gone
from connector.crms.twenty.refusals import Kind, Refusal
from connector.errors import TryLaterError

Batch = Sequence[PlannedWrite]
Send = Callable[[Batch], list[WriteResult]]

_TOO_BIG = (Kind.TOO_MANY, Kind.TOO_LARGE)


class Batches:
    """Sends writes to one object.

    Its methods raise Refusal only for a batch that is too big, before any of it was written; the run-level
    errors pass through, and then doing the same again is safe.
    """

    def __init__(self, client: TwentyClient, columns: Columns) -> None:
        self._client = client
        self._columns = columns
        self._culprits = Culprits(client, columns)

    def create(self, batch: Batch) -> Iterator[WriteResult]:
        """New records with the ids we gave them; one that is there under its id already is done."""
        return self._carry(self._create, batch)

    def update(self, batch: Batch) -> Iterator[WriteResult]:
        """Changes of records that were alive just now."""
        return self._carry(self._update, batch)

    # --- a batch that is refused

    def _carry(self, send: Send, batch: Batch) -> Iterator[WriteResult]:
        todo, cut = list(batch), dict[Ref, tuple[str, ...]]()
        while todo:
            try:
                yield from (result._replace(left_out=cut.get(result.ref, ())) for result in send(todo))
                return
            except Refusal as refusal:
                if refusal.kind in _TOO_BIG and len(todo) > 1:
                    raise
                orphans = self._culprits.orphans(todo, refusal)
                settled = self._culprits.find(todo, refusal, orphans)
                yield from settled.values()
                if not settled and not orphans:
                    yield from self._find_one(send, todo, refusal)
                    return
            cut |= {ref: (*cut.get(ref, ()), *names) for ref, names in orphans.items()}
            todo = [_without(write, orphans) for write in todo if write.ref not in settled]

    def _find_one(self, send: Send, batch: Batch, refusal: Refusal) -> Iterator[WriteResult]:
        """Close in on one bad record; everything set aside on the way goes in one request after it."""
        suspects, aside = batch, list[PlannedWrite]()
        while len(suspects) > 1:
            middle = len(suspects) // 2
            left, right = suspects[:middle], suspects[middle:]
            try:
                yield from send(left)
                suspects = right
            except Refusal as again:
                suspects, refusal = left, again
                aside.extend(right)
        yield self._culprits.failed(suspects[0], refusal)
        yield from self._whole_or_halves(send, aside)

    def _whole_or_halves(self, send: Send, batch: Batch) -> Iterator[WriteResult]:
        if not batch:
            return
        try:
            yield from send(batch)
        except Refusal as refusal:
            yield from self._halves(send, batch, refusal)

    def _halves(self, send: Send, batch: Batch, refusal: Refusal) -> Iterator[WriteResult]:
        """Where there are several bad records: at most two requests for each record."""
        if len(batch) == 1:
            yield self._culprits.failed(batch[0], refusal)
            return
        middle = len(batch) // 2
        left, right = batch[:middle], batch[middle:]
        try:
            yield from send(left)
        except Refusal as again:
            yield from self._halves(send, left, again)
            yield from self._whole_or_halves(send, right)
        else:  # the left is good, so the refusal was about the right
            yield from self._halves(send, right, refusal)

    # --- one request

    def _create(self, batch: Batch) -> list[WriteResult]:
        made = self._written([self._columns.input(write) for write in batch], upsert=False)
        return [_result(write, made.get(write.crm_id or "")) for write in batch]

    def _update(self, batch: Batch) -> list[WriteResult]:
        rows = [self._columns.input(write) for write in batch]
        if _are_alike(rows) and not any(write.restores for write in batch):
            return self._change_alike(batch, rows[0])
        done = self._written(rows, upsert=True)
        return [self._checked(write, done.get(write.crm_id or "")) for write in batch]

    def _change_alike(self, batch: Batch, row: Json) -> list[WriteResult]:
        """The same values for all of these rows. One that is not answered is not there any more."""
        ids = {"id": {"in": [write.crm_id for write in batch]}}
        living = {"and": [ids, {"deletedAt": {"is": "NULL"}}]}
        data = {name: value for name, value in row.items() if name != "id"}
        rows = self._answered(self._columns.changed, self._columns.change, {"f": living, "d": data})
        return [
            _result(write, rows[id_]) if (id_ := write.crm_id) in rows else gone(write) for write in batch
        ]

    def _written(self, rows: Sequence[Json], *, upsert: bool) -> dict[str, Json]:
        return self._answered(self._columns.written, self._columns.write(upsert=upsert), {"data": rows})

    def _answered(self, name: str, mutation: str, variables: Json) -> dict[str, Json]:
        """The answered rows by id: their order is not that of the request."""
        rows = self._client.mutate(mutation, variables).get(name)
        if not isinstance(rows, list):
            raise TryLaterError(f"Twenty's answer holds no {name}.", code="crm_answer_incomplete")
        return {row["id"]: row for row in rows}

    def _checked(self, write: PlannedWrite, row: Json | None) -> WriteResult:
        """A row with another creation time is a ghost: the record was destroyed between look and write."""
        if row is None or write.created_at in (None, row.get("createdAt")):
            return _result(write, row)
        same: list[dict[str, Any]] = [
            {"id": {"in": [row["id"]]}},
            {"createdAt": {"eq": row["createdAt"]}},
            {"updatedAt": {"eq": row["updatedAt"]}},
        ]
        self._client.mutate(self._columns.destroy, {"f": {"and": same}})
        return gone(write)


def _without(write: PlannedWrite, orphans: Orphans) -> PlannedWrite:
    """The write without the relations that point at nothing."""
    names = orphans.get(write.ref)
    if not names:
        return write
    return write._replace(values={name: value for name, value in write.values.items() if name not in names})


def _are_alike(rows: Sequence[Json]) -> bool:
    """Whether they differ by their ids alone."""
    first = {**rows[0], "id": ""}
    return all({**row, "id": ""} == first for row in rows)


def _result(write: PlannedWrite, row: Json | None) -> WriteResult:
    if row is None:  # an answer that leaves a record out says nothing about it; the repeat finds out
        raise TryLaterError(f"Twenty's answer does not name {write.ref}.", code="crm_answer_incomplete")
    return WriteResult(write.ref, row["id"], row.get("createdAt"), row.get("updatedAt"))
