"""Records into Twenty: look up in bulk, create with our own ids, update by id alone.

Reads and writes go over GraphQL, for three reasons taken from the recordings: one request looks up
thousands of keys, answers carry only what was selected (25 kB instead of 170 kB for 200 rows), and a
key-less REST look-up is cut at 16 kB of request line. The rules for writes are those of section 15 of
the API notes; ``write`` tells what an update by id cannot see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from connector.core.mapping import Mapping
from connector.core.naming import Names
from connector.core.outcomes import WriteResult
from connector.core.plan import Action, Found, PlannedWrite, Stamp
from connector.core.records import CrmRow, Ref
from connector.crms.twenty import remove
from connector.crms.twenty.client import TwentyClient
from connector.crms.twenty.columns import AS_WRITTEN, Columns
from connector.crms.twenty.further import Further
from connector.crms.twenty.look import living, look, stamps
from connector.crms.twenty.refusals import Refusal
from connector.crms.twenty.write import Batch, Batches
from connector.errors import ReconnectError
from connector.ports import CrmAccount, Seek

DEFAULT_BATCH = 200  # of recent servers; an older one names its own in its refusal


class TwentyWriter:
    """Fills ``ports.Writer``. ``batch`` is what the server took or named before, where known.

    ``names`` are Twenty's present names of what the mappings write.
    """

    def __init__(
        self, client: TwentyClient, *, batch: int = DEFAULT_BATCH, names: Names = AS_WRITTEN
    ) -> None:
        self._client = client
        self._batch = batch
        self._learned: int | None = None
        self._names = names
        self._further = Further(client)

    def account(self) -> CrmAccount:
        """The workspace that the credential opens. Asked once: of a Twenty that is down, all jobs ask it."""
        query = "query{currentWorkspace{id displayName metadataVersion}}"
        found = self._client.metadata(query, retry=False)
        workspace = found.get("currentWorkspace")
        if not workspace:
            raise ReconnectError("The API key opens no workspace of this Twenty.", code="crm_credential")
        name, version = workspace.get("displayName") or "", int(workspace.get("metadataVersion") or 0)
        return CrmAccount(workspace["id"], name, version)

    def batch_size(self) -> int:
        """Records per request."""
        return self._batch

    def reserved(self, requests: int = 1) -> AbstractContextManager[None]:
        """Wait until so many requests may be sent; inside, they are."""
        return self._client.reserved(requests)

    def learned(self) -> int | None:
        """What a refusal named, or else the full size once it was taken."""
        return self._learned

    def look(self, mapping: Mapping, seeks: Sequence[Seek]) -> dict[Ref, Found]:
        """One request per 2,000 seeks, deleted rows included."""
        return look(self._client, Columns.of(mapping, self._names), seeks, self._further)

    def living(self, mapping: Mapping, ids: Sequence[str]) -> set[str]:
        """One request for 5,000 ids."""
        return living(self._client, Columns.of(mapping, self._names), ids)

    def stamps(self, mapping: Mapping, ids: Sequence[str]) -> dict[str, Stamp]:
        """One request for 2,000 ids."""
        return stamps(self._client, Columns.of(mapping, self._names), ids)

    def apply(self, mapping: Mapping, writes: Sequence[PlannedWrite]) -> list[WriteResult]:
        """Creates first, then updates; results in the order of ``writes``.

        An error of the whole run (no answer, no credential, another data model) may come after some of it
        was written. Doing the same again finds that by its ids and is safe.
        """
        batches = Batches(self._client, Columns.of(mapping, self._names))
        results = {write.ref: _unchanged(write) for write in writes if not _says_something(write)}
        for action, send in ((Action.CREATE, batches.create), (Action.UPDATE, batches.update)):
            todo = [write for write in writes if write.action is action and _says_something(write)]
            results.update((result.ref, result) for result in self._send(todo, send))
        return [results[write.ref] for write in writes]

    def remove(self, mapping: Mapping, rows: Sequence[CrmRow]) -> set[str]:
        """One request: soft deletes, where nobody changed the row since it was looked at."""
        return remove.delete(self._client, Columns.of(mapping, self._names), rows)

    def put(self, mapping: Mapping, ids: Sequence[str], field: str, value: Any) -> dict[str, str]:
        """One request: the same value in one field of all of them."""
        return remove.put(self._client, Columns.of(mapping, self._names), ids, field, value)

    def _send(
        self, todo: list[PlannedWrite], send: Callable[[Batch], Iterator[WriteResult]]
    ) -> Iterator[WriteResult]:
        size = self._batch
        while todo:
            batch = _without_repeats(todo[:size])
            try:
                yield from send(batch)
                if len(batch) >= self._batch:
                    self._learned = self._batch
            except Refusal as refusal:  # it is too big, and nothing of it was written
                size = self._smaller(refusal, len(batch))
            else:
                del todo[: len(batch)]

    def _smaller(self, refusal: Refusal, size: int) -> int:
        """A size that may pass; a cap that the server names holds from now on."""
        if refusal.cap and refusal.cap < size:
            self._batch = self._learned = refusal.cap
            return refusal.cap
        return max(1, size // 2)


def _says_something(write: PlannedWrite) -> bool:
    # An empty update would still move Twenty's updatedAt.
    return write.action is Action.CREATE or write.restores or bool(write.values)


def _without_repeats(writes: list[PlannedWrite]) -> list[PlannedWrite]:
    """As far as no row comes twice: of two changes to one row in a request, Twenty keeps the last alone."""
    ids: set[str | None] = set()
    for place, write in enumerate(writes):
        if write.crm_id in ids:
            return writes[:place]
        ids.add(write.crm_id)
    return writes


def _unchanged(write: PlannedWrite) -> WriteResult:
    return WriteResult(write.ref, write.crm_id, write.created_at)
