"""What became of the events of a round, written down together: each commit waits for the disk."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connector.core.events import wait_after
from connector.core.outcomes import as_json
from connector.errors import ConnectorError
from connector.store import inbox
from connector.store.inbox import InboxEvent, Settled
from connector.sync.scope import Scope

_NEXT_ROUND = timedelta(seconds=0.5)


@dataclass(slots=True)
class Endings:
    """The ends of events that are not written down yet."""

    scope: Scope
    _ended: dict[tuple[Settled, str | None], list[InboxEvent]] = field(default_factory=dict)
    _failed: list[tuple[InboxEvent, ConnectorError, bool]] = field(default_factory=list)
    _put_off: list[InboxEvent] = field(default_factory=list)

    def end(self, events: Iterable[InboxEvent], state: Settled, reason: str | None = None) -> None:
        """These are through."""
        self._ended.setdefault((state, reason), []).extend(events)

    def fail(self, events: Iterable[InboxEvent], error: ConnectorError, *, parked: bool = False) -> None:
        """These failed: they are tried again later, or ``parked`` at once for a person."""
        self._failed += [(event, error, parked) for event in events]

    def put_off(self, events: Iterable[InboxEvent]) -> None:
        """Another job is at the record of these: the next round takes them."""
        self._put_off += events

    def write_down(self) -> None:
        """All of it in one transaction."""
        if not (self._ended or self._failed or self._put_off):
            return
        now, workspace_id, run = self.scope.clock(), self.scope.run.workspace_id, self.scope.run.number
        with self.scope.database.transaction() as session:
            for (state, reason), events in self._ended.items():
                inbox.settle(session, workspace_id, _ids(events), state, now=now, run=run, reason=reason)
            for event, error, parked in self._failed:
                due_at, told = None if parked else _due(now, event.attempts + 1), as_json(error) or {}
                inbox.fail(session, workspace_id, event.id or 0, told, due_at=due_at, run=run)
            if self._put_off:
                inbox.put_off(session, workspace_id, _ids(self._put_off), now + _NEXT_ROUND)
        self._ended, self._failed, self._put_off = {}, [], []


def _due(now: datetime, failures: int) -> datetime | None:
    wait = wait_after(failures)
    return None if wait is None else now + timedelta(seconds=wait)


def _ids(events: Iterable[InboxEvent]) -> list[int]:
    return [event.id for event in events if event.id is not None]
