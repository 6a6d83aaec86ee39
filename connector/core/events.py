"""What webhook events tell, and what follows from it: pure decisions over a handful of events at a time.

Events come late, twice and in any order. So an event is never applied: it says which record to bring in
line, and its body is a shortcut where nothing can be wrong with it. Everything else reads the record anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from connector.core.records import Ref, SourceRecord
from connector.errors import RecordError

BACKOFF: Final = (1, 5, 30, 120, 600, 3_600, 21_600)
"""Seconds to wait after the first, second, … failure; after the last the event is parked."""


@dataclass(frozen=True, slots=True)
class Told:
    """What an event tells.

    ``name`` is today's name of the event, ``sent_as`` the one it came by. ``event_id`` is None in the
    dialects that send none, ``company`` where nothing names one. ``ref`` is the record that it is about,
    None for what has no record here; an old ``user.*`` event is about a user. ``record`` is what the body
    says of it, or ``problem`` why that cannot be read. A ``complete`` record is all that a read by id would
    give, with its time of change; any other only tells that the record changed. ``is_deleted``: the body
    shows what is not there any more. ``sought`` is another id by which the record may be fetched, many at a
    time where the source allows that. ``chat`` is the channel, and ``writer`` the user, of a message.
    """

    name: str
    sent_as: str
    dialect: str
    event_id: str | None
    company: str | None
    occurred_at: str | None
    ref: Ref | None
    record: SourceRecord | None = None
    problem: RecordError | None = None
    complete: bool = False
    is_deleted: bool = False
    sought: str | None = None
    chat: str | None = None
    writer: str | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What a handful of events comes down to, record by record.

    ``use`` are the bodies that may stand for their record; ``read`` are to be read anew; ``stale`` tell
    nothing that is not known.
    """

    use: dict[Ref, SourceRecord] = field(default_factory=dict)
    read: dict[Ref, None] = field(default_factory=dict)
    stale: dict[Ref, None] = field(default_factory=dict)


def newest(told: Iterable[Told], known: Mapping[Ref, str]) -> Work:
    """One decision for each record, whatever the order of its events.

    ``known`` is the time of change of what was brought in line last; a ref that is absent has none. A body
    stands for its record when all of the record's events are complete and it alone is the newest, and newer
    than what is known. Equal times tell nothing of the order, so the record is read.
    """
    work = Work()
    for ref, events in _by_record(told).items():
        records = [one.record for one in events if one.complete and one.record is not None]
        if len(records) < len(events):
            work.read[ref] = None
            continue
        times = sorted({record.updated_at or "" for record in records})
        latest = [record for record in records if (record.updated_at or "") == times[-1]]
        before = known.get(ref, "")
        if times[-1] < before:
            work.stale[ref] = None
        elif times[-1] == before or not _all_alike(latest):
            work.read[ref] = None
        else:
            work.use[ref] = latest[0]
    return work


def wait_after(failures: int) -> int | None:
    """Seconds until an event that failed so often is tried again; None when it is to be parked."""
    return BACKOFF[failures - 1] if failures <= len(BACKOFF) else None


def _by_record(told: Iterable[Told]) -> dict[Ref, list[Told]]:
    found: dict[Ref, list[Told]] = {}
    for one in told:
        if one.ref is not None:
            found.setdefault(one.ref, []).append(one)
    return found


def _all_alike(records: Sequence[SourceRecord]) -> bool:
    return all(record.fields == records[0].fields for record in records)
