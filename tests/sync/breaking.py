"""Ports and tools that can be broken off: a worker that is killed, at a place that has a name.

A ``Killed`` goes through every ``except Exception``, as a ``kill -9`` would: leases and claims stay behind.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from scene import Scene

from connector.core.records import Page, SourceRecord
from connector.crms.twenty.client import TwentyClient
from connector.crms.twenty.notes import TwentyNoter
from connector.crms.twenty.writer import TwentyWriter
from connector.outbound import OutboundSession
from connector.ports import Lane, Reader, Writer
from connector.sources.whop import headers
from connector.sources.whop.reader import WhopReader
from connector.store.connections import Connection
from connector.store.db import Database, Session
from connector.store.workspaces import Workspace
from connector.sync.tools import Tools


class Killed(BaseException):
    """The end of a worker."""


SEAMS = (
    "before a lease, claim, window or release is committed",
    "after a lease, claim, window or release is committed",
    "before the CRM is asked",
    "after the CRM has answered",
    "before Whop is asked",
    "after Whop has answered",
    "before the ring",
    "after the ring",
)
(
    BEFORE_COMMIT,
    AFTER_COMMIT,
    BEFORE_CRM,
    AFTER_CRM,
    BEFORE_WHOP,
    AFTER_WHOP,
    BEFORE_RING,
    AFTER_RING,
) = SEAMS


@dataclass
class Fate:
    """Kills at the nth passing of a seam, once. ``passed`` says how often it was passed in all."""

    seam: str = ""
    nth: int = 0
    passed: dict[str, int] = field(default_factory=dict)
    struck: bool = False
    act: Callable[[], None] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def at(self, seam: str) -> None:
        with self._lock:
            self.passed[seam] = self.passed.get(seam, 0) + 1
            strikes = seam == self.seam and self.passed[seam] == self.nth and not self.struck
            self.struck = self.struck or strikes
        if strikes:
            if self.act is None:
                raise Killed(seam)
            self.act()


class BreakableDatabase:
    """A database whose transactions are seams. Only the job's own count, not its heartbeat's."""

    def __init__(self, database: Database, fate: Fate) -> None:
        self._database = database
        self._fate = fate
        self.reading = database.reading

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        if threading.current_thread().name == "heartbeat":
            with self._database.transaction() as session:
                yield session
            return
        with self._database.transaction() as session:
            yield session
            self._fate.at(BEFORE_COMMIT)
        self._fate.at(AFTER_COMMIT)


class DeadDatabase(BreakableDatabase):
    """As a killed worker's: nothing is tidied up afterwards."""

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        if self._fate.struck:
            raise Killed
        with super().transaction() as session:
            yield session


class BreakableSession:
    """A session of the door whose requests are seams."""

    def __init__(self, session: OutboundSession, fate: Fate, before: str, after: str) -> None:
        self._session = session
        self._fate = fate
        self._before, self._after = before, after

    def request(self, *args: Any, **kwargs: Any) -> Any:
        self._fate.at(self._before)
        answer = self._session.request(*args, **kwargs)
        self._fate.at(self._after)
        return answer


class BreakableBell:
    def __init__(self, bell: Any, fate: Fate) -> None:
        self._bell = bell
        self._fate = fate

    def ring(self, job: str, queue: str, **ids: Any) -> None:
        self._fate.at(BEFORE_RING)
        self._bell.ring(job, queue, **ids)
        self._fate.at(AFTER_RING)


def seamed_whop(scene: Scene, fate: Fate) -> BreakableSession:
    """A session with Whop whose requests are seams."""
    session = scene.parts.door.session(scene.parts.settings.whop_api_url, headers=headers(scene.whop_key))
    return BreakableSession(session, fate, BEFORE_WHOP, AFTER_WHOP)


def seamed_crm(scene: Scene, fate: Fate, workspace: Workspace) -> TwentyClient:
    """A client of the CRM whose requests are seams."""
    bearer = {"Authorization": f"Bearer {scene.crm_key}"}
    session = scene.parts.door.session(workspace.crm_url, headers=bearer)
    seamed = BreakableSession(session, fate, BEFORE_CRM, AFTER_CRM)
    return TwentyClient(seamed, pause=lambda _seconds: None)


def breakable(scene: Scene, fate: Fate) -> Tools:
    """The scene's tools with a seam at every commit, request and ring."""
    tools = scene.tools

    def reader(_connection: Connection, _lane: Lane = "full") -> Reader:
        size = scene.parts.settings.whop_sync_batch_size
        return WhopReader(seamed_whop(scene, fate), company_id=_connection.company_id, page_size=size)

    def writer(workspace: Workspace, _lane: Lane) -> Writer:
        return TwentyWriter(seamed_crm(scene, fate, workspace), batch=workspace.batch_cap or 200)

    def noter(workspace: Workspace, _lane: Lane) -> TwentyNoter:
        return TwentyNoter(seamed_crm(scene, fate, workspace), batch=workspace.batch_cap or 200)

    return replace(
        tools,
        database=BreakableDatabase(tools.database, fate),  # type: ignore[arg-type]
        queue=BreakableBell(tools.queue, fate),
        open_reader=reader,
        open_writer=writer,
        open_noter=noter,
    )


class LateReader:
    """As if these records had been made after their list was read: only ``fetch`` finds them."""

    def __init__(self, reader: Reader, late: Collection[str]) -> None:
        self._reader = reader
        self._late = late

    def account(self) -> Any:
        return self._reader.account()

    def pages(self, kind: str, cursor: str | None) -> Iterator[Page]:
        for page in self._reader.pages(kind, cursor):
            yield replace(page, items=tuple(one for one in page.items if one.ref.id not in self._late))

    def fetch(self, kind: str, ids: Sequence[str]) -> Any:
        return self._reader.fetch(kind, ids)

    def may_read(self, kind: str) -> bool:
        return bool(self._reader.may_read(kind))

    def recents(self, kind: str) -> tuple[str, ...]:
        return tuple(self._reader.recents(kind))

    def parents(self, kind: str, ids: Sequence[str]) -> Any:
        return self._reader.parents(kind, ids)


def with_late(tools: Tools, late: Collection[str]) -> Tools:
    """The tools with a reader that lists these records too late."""
    return replace(
        tools,
        open_reader=lambda connection, lane="full": LateReader(tools.open_reader(connection, lane), late),
    )


class ChangedReader(LateReader):
    """As if everybody had changed their name and every membership its status since the last sync."""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader, ())

    def pages(self, kind: str, cursor: str | None) -> Iterator[Page]:
        for page in super().pages(kind, cursor):
            yield replace(page, items=tuple(_changed(one) for one in page.items))


def _changed(record: Any) -> Any:
    if not isinstance(record, SourceRecord):
        return record
    new: dict[str, Any] = {"title": "Another title"}
    if record.ref.kind == "membership" and record.fields["status"] != "drafted":
        new = {"status": "past_due"}
    elif record.fields.get("user"):
        new = {"user": {**record.fields["user"], "username": f"new-{record.ref.id}"}}
    return SourceRecord(record.ref, {**record.fields, **new}, record.updated_at)


def with_changes(tools: Tools) -> Tools:
    """The tools with a reader whose every record has changed."""
    return replace(
        tools, open_reader=lambda connection, lane="full": ChangedReader(tools.open_reader(connection, lane))
    )
