"""What a run is done with: built once, by ``bootstrap``, and handed to every job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from connector.core.automation import Automation
from connector.core.events import Told
from connector.errors import BadRecordError
from connector.ports import Clock, JobQueue, Lane, Reader, Writer
from connector.ports.crm_model import SchemaKeeper
from connector.ports.crm_notes import Noter
from connector.store.connections import Connection
from connector.store.db import Database
from connector.store.workspaces import Workspace
from connector.sync.mappings import Mappings
from connector.sync.scope import Pace


class OpenSchema(Protocol):
    """The data model of a workspace. What its own credential may not do, this admin's sign-in does."""

    def __call__(self, workspace: Workspace, admin_id: str | None = None) -> SchemaKeeper: ...


class OpenReader(Protocol):
    """A reader of a connection, whose requests go ahead of those of lower lanes."""

    def __call__(self, connection: Connection, lane: Lane = "full") -> Reader: ...


def unheard(raw: bytes) -> Told:
    """What is heard where nobody listens for automations."""
    raise BadRecordError(f"{len(raw)} bytes were not listened to.")


@dataclass(frozen=True, slots=True)
class Tools:
    """What a run is done with. The openers make an adapter from a row and its sealed credential.

    ``mappings`` has what each workspace maps by. ``block_pages`` are the pages of the source that one
    look-up of the CRM covers. ``ends`` says that the worker is to end, so that its job stops before the next
    request. ``every`` is the time between two syncs by the clock where a connection has no other; None: there
    are none in this installation. ``hear`` reads what the body of an event tells, without asking the source
    anything.
    """

    database: Database
    mappings: Mappings
    clock: Clock
    queue: JobQueue
    block_pages: int
    open_reader: OpenReader
    open_writer: Callable[[Workspace, Lane], Writer]
    open_noter: Callable[[Workspace, Lane], Noter]
    open_schema: OpenSchema
    pace: Pace = field(default_factory=Pace)
    ends: Callable[[], bool] = lambda: False
    every: timedelta | None = None
    automations: tuple[Automation, ...] = ()
    hear: Callable[[bytes], Told] = unheard
