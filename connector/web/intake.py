"""Webhook deliveries on their way into the inbox: who may deliver, one commit for many, a ring of the bell.

Whop is answered once the event is committed, and not before. Deliveries that arrive together share a commit:
while one is under way the others gather, and the first of them commits for all: one wait for the disk.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

import structlog

from connector.errors import VaultError
from connector.ports import Clock
from connector.sources.whop.gate import Scheme, Secret
from connector.store import hooks, inbox
from connector.store.db import Database, Unavailable
from connector.store.hooks import Hook, Refused
from connector.store.inbox import InboxEvent
from connector.sync.hooking import secret_binding
from connector.vault import Vault

log = structlog.get_logger(__name__)

T = TypeVar("T")

_FRESH = timedelta(seconds=2)
"""How long what is known of a connection is believed: a secret that was taken back ends this much later."""

_MOST_KNOWN = 1_000


@dataclass(slots=True)
class _Waiting(Generic[T]):
    """One item. Its thread is ``called`` when the item is ``done``, or when it is its turn to commit."""

    item: T
    called: threading.Event = field(default_factory=threading.Event)
    done: bool = False
    error: Exception | None = None


class Together(Generic[T]):
    """Has ``commit`` called with all items that wait, by one of the threads that brought them.

    Each thread is called by itself: with one lock for all, those whose items are committed would queue for it
    among those who wait for the next commit.
    """

    def __init__(self, commit: Callable[[Sequence[T]], None]) -> None:
        self._commit = commit
        self._waiting: list[_Waiting[T]] = []
        self._busy = False
        self._lock = threading.Lock()

    def __call__(self, item: T) -> bool:
        """Returns when the item is committed: True to one of those who share the commit.

        Raises Unavailable where it, and those beside it, were not.
        """
        mine = _Waiting(item)
        with self._lock:
            self._waiting.append(mine)
            waits, self._busy = self._busy, True
        if waits:
            mine.called.wait()
        leads = not mine.done
        if leads:
            self._commit_all()
        if mine.error is not None:
            raise mine.error
        return leads

    def _commit_all(self) -> None:
        with self._lock:
            batch, self._waiting = self._waiting, []
        error: Exception | None = Unavailable("the commit they shared was broken off")
        try:
            self._commit([one.item for one in batch])
            error = None
        except Unavailable as found:
            error = found
        finally:  # each of those who wait hears of it, and raises it at its own door
            self._call_next()
            for one in batch:
                one.error, one.done = error, True
                one.called.set()

    def _call_next(self) -> None:
        with self._lock:
            self._busy = bool(self._waiting)
            if self._busy:
                self._waiting[0].called.set()


@dataclass(frozen=True, slots=True)
class Known:
    """What the door knows of a connection, with its secrets opened."""

    hook: Hook
    secrets: tuple[Secret, ...] = field(repr=False)


class Intake:
    """The door's memory and its way into the store. One for each process; its threads share it."""

    def __init__(self, database: Database, vault: Vault, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self._known: dict[str, tuple[datetime, Known | None]] = {}
        self._of_company: dict[str, tuple[datetime, list[Hook]]] = {}
        self._uncounted: Counter[Refused] = Counter()
        self._lock = threading.Lock()
        self.keep = Together[Sequence[InboxEvent]](self._commit)

    def known(self, connection_id: str) -> Known | None:
        """A connection by its id; None for one that there is not. Raises Unavailable."""
        return _remembered(self._known, connection_id, self._clock(), self._look_up)

    def of_company(self, company_id: str) -> list[Hook]:
        """The connections of a company, of all workspaces. Raises Unavailable."""
        return _remembered(self._of_company, company_id, self._clock(), self._look_up_company)

    def refuse(self, refused: Refused, *, address: str, save: bool) -> None:
        """Count a refusal; where ``save`` is false, it is saved along with the next one that is saved."""
        with self._lock:
            self._uncounted[refused] += 1
            if not save:
                return
            found, self._uncounted = self._uncounted, Counter()
        with self._database.transaction() as session:
            hooks.count_refusals(session, found, at=self._clock(), address=address)

    def _commit(self, found: Sequence[Sequence[InboxEvent]]) -> None:
        inbox.take_in(self._database, [event for events in found for event in events])

    def _look_up(self, connection_id: str) -> Known | None:
        now = self._clock()
        with self._database.reading() as session:
            found = hooks.hook(session, connection_id, now)
        return None if found is None else Known(found, tuple(self._opened(found)))

    def _opened(self, found: Hook) -> Iterable[Secret]:
        binding = secret_binding(found.workspace_id, found.connection_id)
        for one in found.secrets:
            try:
                plain = self._vault.open(one.secret_sealed, bound_to=binding)
            except VaultError as error:
                log.error("a webhook secret does not open", connection=found.connection_id, error=str(error))
            else:
                yield Secret(Scheme(one.scheme), plain.encode())

    def _look_up_company(self, company_id: str) -> list[Hook]:
        with self._database.reading() as session:
            return hooks.hooks_of_company(session, company_id)


def _remembered(
    memory: dict[str, tuple[datetime, T]], key: str, now: datetime, look_up: Callable[[str], T]
) -> T:
    found = memory.get(key)
    if found is not None and now - found[0] < _FRESH:
        return found[1]
    value = look_up(key)
    if len(memory) >= _MOST_KNOWN:  # invented ids must not fill the memory
        memory.clear()
    memory[key] = (now, value)
    return value
