"""What the steps of the road share: one job's view of its run, and one record on its way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from connector.core.mapping import Mapping
from connector.core.outcomes import Outcome, WriteResult
from connector.core.plan import Link, PlannedWrite
from connector.core.records import MappedRecord, Ref, Values
from connector.ports import Clock, Reader, Writer
from connector.ports.crm_notes import Noter
from connector.store import runs
from connector.store.db import Database
from connector.store.intents import Intent
from connector.store.links import Claimed
from connector.store.relations import Open
from connector.store.reviews import Asked


@dataclass(frozen=True, slots=True)
class Pace:
    """How writes are gathered and sent.

    ``rows``: records in flight. A recorded server wrote 639 of them a second with one request of 200, 953
    with two, 785 with four. ``lanes``: requests in flight at most, where they are smaller. ``ahead``: how
    many more may wait while the next block is read. ``most_held``: records read on while a write waits for
    company. ``read_again``: records that the next job may read again, so that this one ends with full
    requests. ``kept``: records whose outcomes one transaction saves; with fewer, others write in between.
    """

    rows: int = 400
    lanes: int = 6
    ahead: int = 2
    most_held: int = 4_000
    read_again: int = 500
    kept: int = 1_000

    def in_flight(self, batch: int) -> int:
        """Requests of so many records at a time."""
        return max(1, min(self.lanes, self.rows // batch))


@dataclass(slots=True)
class Scope:
    """One job's view of the run it works on. ``run`` is replaced as its progress is saved.

    ``known_batch``: how many records a request takes, where that was found out not long ago.
    ``returning``: a record may come more than once, as in a run of events. ``outcomes`` has what became of
    each record last, where somebody asks. ``sales_known``: every payment of the connection was read once.
    ``kept`` are the kinds that are kept for what they add up to. ``tries``: the jobs in a row, before this
    one, that got nowhere. ``noter`` leaves notes, in a run of events, closes tasks in any, and
    takes back both in one that undoes.
    ``alive`` are the CRM records of others that this job has seen to be there. ``pretended`` has what would
    be there of others, where nothing is written.
    """

    database: Database
    mappings: tuple[Mapping, ...]
    reader: Reader
    writer: Writer
    clock: Clock
    owner: str
    lease: timedelta
    run: runs.Run
    pace: Pace = field(default_factory=Pace)
    known_batch: int | None = None
    returning: bool = False
    outcomes: dict[Ref, Outcome] | None = None
    sales_known: bool = False
    kept: tuple[str, ...] = ()
    tries: int = 0
    noter: Noter | None = None
    alive: set[str] = field(default_factory=set)
    pretended: dict[Ref, Link] = field(default_factory=dict)

    def claims(self, mapping: Mapping) -> Claimed:
        """What this run claims when it writes records of this mapping."""
        run = self.run
        return Claimed(run.workspace_id, run.connection_id, mapping.source, mapping.kind, mapping.object.name)


@dataclass(slots=True)
class Item:
    """One record on its way through a block. ``plan`` is set as soon as it is decided.

    ``ahead`` is what a worker that died noted before it wrote; ``noted``, under which id this one did.
    """

    ref: Ref
    page: int
    mapped: MappedRecord | None = None
    values: Values = field(default_factory=dict)
    link: Link | None = None
    plan: PlannedWrite | None = None
    warnings: tuple[str, ...] = ()
    new_id: str = ""
    next_id: str = ""
    print_: str = ""
    asked: Asked | None = None
    left_open: tuple[Open, ...] = ()
    quick: bool = False
    noted: int | None = None
    ahead: Intent | None = None
    ends_at: str | None = None
    result: WriteResult | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """The place to resume from once the records before it are saved."""

    kind: str
    cursor: str | None
    last: bool


Advance = Callable[[Progress | None], dict[str, Any]]
"""From the place that was reached (None: the one before) to the run's checkpoint."""
