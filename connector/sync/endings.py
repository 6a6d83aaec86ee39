"""What became of the events of a round, written down together: each commit waits for the disk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connector.core.events import wait_after
from connector.core.outcomes import as_json
from connector.errors import ConnectorError
from connector.store import inbox
from connector.store.inbox import InboxEvent, Settled
from connector.sync.scope import Scope

_NEXT_ROUND = timedelta(seconds=0.5)
AT_ONCE = 100
"""Events that one transaction ends."""


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
        """All of it, a few at a time: the door that takes events in waits for each transaction to end."""
        for (state, reason), events in self._ended.items():
            for start in range(0, len(events), AT_ONCE):
                self._settle(events[start : start + AT_ONCE], state, reason)
        if self._failed or self._put_off:
            self._postpone()
        self._ended, self._failed, self._put_off = {}, [], []

    def _settle(self, events: Sequence[InboxEvent], state: Settled, reason: str | None) -> None:
        run = self.scope.run
        with self.scope.database.transaction() as session:
            inbox.settle(
                session,
                run.workspace_id,
                _ids(events),
                state,
                now=self.scope.clock(),
                run=run.number,
                reason=reason,
            )

    def _postpone(self) -> None:
        now, workspace_id, run = self.scope.clock(), self.scope.run.workspace_id, self.scope.run.number
        with self.scope.database.transaction() as session:
            for event, error, parked in self._failed:
                due_at, told = None if parked else _due(now, event.attempts + 1), as_json(error) or {}
                inbox.fail(session, workspace_id, event.id or 0, told, due_at=due_at, run=run)
            if self._put_off:
                inbox.put_off(session, workspace_id, _ids(self._put_off), now + _NEXT_ROUND)


def _due(now: datetime, failures: int) -> datetime | None:
    wait = wait_after(failures)
    return None if wait is None else now + timedelta(seconds=wait)


def _ids(events: Iterable[InboxEvent]) -> list[int]:
    return [event.id for event in events if event.id is not None]
