"""Records of Whop that were read a while ago: good enough for what another record only points at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

import orjson
import structlog

from connector.core.records import BadRecord, Ref, SourceRecord

from .normalise import SOURCE

log = structlog.get_logger(__name__)

HOUR: Final = 3600
KEPT: Final[Mapping[str, int]] = {"product": 24 * HOUR, "plan": 24 * HOUR, "member": HOUR, "user": HOUR}
"""Seconds for which a record of these kinds is kept; the others change too often."""


class Store(Protocol):
    """What is needed of the cache."""

    def get(self, names: Iterable[str]) -> dict[str, bytes]: ...

    def put(self, values: Mapping[str, bytes], seconds: int) -> None: ...

    def drop(self, names: Iterable[str]) -> None: ...


class Remembered:
    """The kept records of one connection."""

    def __init__(self, store: Store, connection_id: str) -> None:
        self._store = store
        self._of = f"whop:{connection_id}"

    def find(self, kind: str, ids: Sequence[str]) -> dict[str, SourceRecord]:
        """The kept ones of these; the log says how many that were."""
        if kind not in KEPT:
            return {}
        kept = self._store.get([self._name(kind, id_) for id_ in ids])
        found = {id_: kept[name] for id_ in ids if (name := self._name(kind, id_)) in kept}
        log.info("Whop's records from the cache", kind=kind, asked=len(ids), helped=len(found))
        return {id_: _record(kind, raw) for id_, raw in found.items()}

    def keep(self, kind: str, records: Mapping[str, SourceRecord | BadRecord]) -> None:
        """Keep what was just read, under the ids that it was asked for by."""
        if kind in KEPT:
            fresh = {
                self._name(kind, id_): orjson.dumps([record.ref.id, record.updated_at, dict(record.fields)])
                for id_, record in records.items()
                if isinstance(record, SourceRecord)
            }
            self._store.put(fresh, KEPT[kind])

    def forget(self, kind: str, ids: Iterable[str]) -> None:
        """These changed: an event says so."""
        self._store.drop(self._name(kind, id_) for id_ in ids)

    def _name(self, kind: str, id_: str) -> str:
        return f"{self._of}:{kind}:{id_}"


def _record(kind: str, raw: bytes) -> SourceRecord:
    id_, updated_at, fields = orjson.loads(raw)
    return SourceRecord(Ref(SOURCE, kind, id_), fields, updated_at)
