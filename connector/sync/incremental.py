"""An incremental sync: what moved since the last one, at a small part of a full one's cost.

Whop filters by no time of change. So each stream of records is taken in the way that it allows: what a list
can put in order of what happened last is read down to the checkpoint, with an overlap; and of each mapped
kind up to ``ROUND`` records are read in rounds, where the fingerprint of each tells whether it changed. Up
to that many records, a round is one sync, so nothing stays unseen for longer than the interval; of more,
each record comes up once in as many syncs as the round takes.

A checkpoint moves when its stream is done, in the transaction that says so in the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog

from connector.core.mapping import Mapping
from connector.core.records import Page, iso
from connector.errors import RefusedError
from connector.store import checkpoints, runs
from connector.store.checkpoints import Covered
from connector.sync import recent_sales, selling, stages, steps
from connector.sync.progress import saved
from connector.sync.reading import in_blocks
from connector.sync.scope import Progress, Scope
from connector.sync.tools import Tools

log = structlog.get_logger(__name__)

ROUND = 11_000
"""Records of each kind that one sync reads anew: a tenth more than the size that is promised an hour."""

OVERLAP = timedelta(minutes=15)
"""How far clocks may be apart, and how late a record may appear in a list."""

AHEAD = timedelta(minutes=5)
"""A checkpoint further in the future than this was saved by a clock that was wrong."""

_SURELY_WHOLE = 10_500  # records of a round that one sync will take, though some more were made since
_OF_STAGE = ("stage", "cursor", "read", "anew")
_FROM_MEMORY = 500  # memberships that are read one by one, because a payment of theirs moved


@dataclass(slots=True)
class Job:
    """One job of such a run."""

    tools: Tools
    scope: Scope
    until: datetime

    def is_over(self) -> bool:
        """Whether the job is to end, its place kept."""
        return self.tools.clock() >= self.until or stages.is_to_stop(self.tools, self.scope.run)

    def is_done(self, stream: str) -> bool:
        """Whether this run is through with a stream."""
        return stream in self.scope.run.checkpoint.get("done", ())

    def cursor(self, stream: str) -> str | None:
        """Where this run goes on in a stream."""
        checkpoint = self.scope.run.checkpoint
        return checkpoint.get("cursor") if checkpoint.get("stage") == stream else None

    def place(self, stream: str, cursor: str | None, **more: Any) -> dict[str, Any]:
        """The run's checkpoint at this place of a stream."""
        return {**stages.going_on(self.scope), "stage": stream, "cursor": cursor, **more}

    def covered(self, stream: str) -> Covered:
        """How far former syncs came."""
        run = self.scope.run
        with self.scope.database.reading() as session:
            return checkpoints.get(session, run.workspace_id, run.connection_id, stream)

    def since(self, stream: str) -> str | None:
        """From when on it is to be read; None where that is not known, or cannot be."""
        until, now = self.covered(stream).until, self.tools.clock()
        if until is None:
            return None
        if until > now + AHEAD:
            log.warning("a checkpoint is in the future; all is read", stream=stream, until=iso(until))
            return None
        return iso(until - OVERLAP)

    def close(self, stream: str, also: Iterable[str] = (), **reached: Any) -> None:
        """This run is through with a stream: it is covered up to where it began, and so are ``also``."""
        scope, run, known = self.scope, self.scope.run, self.covered(stream)
        others = [self.covered(one) for one in also]
        before = stages.going_on(scope)
        kept = {name: of for name, of in before.items() if name not in _OF_STAGE}
        checkpoint = {**kept, "done": [*kept.get("done", ()), stream]}
        if whole := (reached.get("round_") or {}).get("whole"):
            kind = stream.partition(":")[0]
            if "cursor" not in reached["round_"]:
                checkpoint["passed"] = {**kept.get("passed", {}), kind: whole["from"]}
        back = known.until is not None and known.until > self.tools.clock() + AHEAD
        if back:
            checkpoint["told"] = sorted({*kept.get("told", ()), "clock"})
        with scope.database.transaction() as session:
            runs.save(session, run, owner=scope.owner, checkpoint=checkpoint)
            ids = (run.workspace_id, run.connection_id)
            checkpoints.move(session, *ids, known, back=back, **reached)
            for one in others:
                checkpoints.move(session, *ids, one, until=self.began())
        scope.run = saved(run, checkpoint=checkpoint)

    def began(self) -> datetime:
        """When this run began: what moves from now on is for the next."""
        return self.scope.run.started_at or self.scope.run.queued_at


def work(tools: Tools, scope: Scope, until: datetime) -> bool:
    """Take stream after stream until the time is up; True when all are done."""
    job = Job(tools, scope, until)
    for mapping in scope.mappings:
        if mapping.kind == selling.PARENT and not _sales(job):
            return False
        for step in (_recent, _owed, _round):
            if not step(job, mapping):
                return False
    return True


def _sales(job: Job) -> bool:
    if not job.scope.sales_known:
        return stages.keep_sales(job.tools, job.scope, job.until)
    return recent_sales.take(job)


def _recent(job: Job, mapping: Mapping) -> bool:
    """What moved last, as far as there is such a list, and where the round will not bring it anyway."""
    round_ = job.covered(f"{mapping.kind}:all").round or {}
    whole = round_.get("whole") or {}
    if "cursor" not in round_ and 0 < whole.get("read", 0) < _SURELY_WHOLE:
        return True
    for way in job.scope.reader.recents(mapping.kind):
        stream = f"{mapping.kind}:{way}"
        if job.is_done(stream):
            continue
        since = job.since(stream)
        if since is not None:
            pages = job.scope.reader.recent(mapping.kind, way, since, job.cursor(stream))
            if not _through(job, mapping, stream, in_blocks(pages, job.tools.block_pages)):
                return False
        job.close(stream, until=job.began())
    return True


def _through(
    job: Job,
    mapping: Mapping,
    stream: str,
    found: Iterable[list[Page]],
    more: Callable[[], dict[str, Any]] = dict,
) -> bool:
    """Take blocks the one road; False when the time is up before their end."""

    def advance(place: Progress | None) -> dict[str, Any]:
        return job.place(stream, place.cursor, **more()) if place else stages.going_on(job.scope)

    stopped = partial(stages.is_to_stop, job.tools, job.scope.run)
    with steps.Road(job.scope, mapping, advance, is_stopped=stopped) as road:
        for block in found:
            road.take(block)
            if stopped() or (job.is_over() and not block[-1].last):
                road.leave()
                return False
        road.finish()
    return True


def _owed(job: Job, mapping: Mapping) -> bool:
    """Records that something else moved, such as a payment of theirs; the rest of many waits its turn."""
    checkpoint = job.scope.run.checkpoint
    owed = checkpoint.get("owed", {}).get(mapping.kind, ())[:_FROM_MEMORY]
    while owed:
        block, owed = owed[:100], owed[100:]
        rest = {**job.scope.run.checkpoint.get("owed", {}), mapping.kind: owed}
        stages.take_again(job.scope, mapping, block, {"owed": rest})
        if job.is_over():
            return not owed
    return True


def _round(job: Job, mapping: Mapping) -> bool:
    """The next part of all records of a kind, and the place where the next sync goes on."""
    stream = f"{mapping.kind}:all"
    if job.is_done(stream):
        return True
    round_ = job.covered(stream).round or {}
    try:
        return _part(job, mapping, stream, round_)
    except RefusedError as error:
        if error.code != "source_cursor":
            raise
    log.warning("the place in the round is void; it begins anew", stream=stream)
    stages.save_place(job.scope, job.place(stream, None, anew=True, read=0))
    return _part(job, mapping, stream, {"whole": round_.get("whole")})


def _part(job: Job, mapping: Mapping, stream: str, round_: dict[str, Any]) -> bool:
    run = job.scope.run
    here = run.checkpoint if run.checkpoint.get("stage") == stream else {}
    if here.get("anew"):
        round_ = {"whole": round_.get("whole")}
    cursor = here.get("cursor", round_.get("cursor"))
    reading = _Reading(here.get("read", 0), cursor)
    found = reading.of(in_blocks(job.scope.reader.pages(mapping.kind, cursor), job.tools.block_pages))
    anew = {"anew": True} if here.get("anew") else {}
    if not _through(job, mapping, stream, found, lambda: {"read": reading.read, **anew}):
        return False
    now = iso(job.tools.clock())
    first, begun = round_.get("from") or run.number, round_.get("begun") or iso(job.began())
    read = round_.get("read", 0) + reading.read
    if reading.ended:
        whole = {"from": first, "begun": begun, "ended": now, "read": read}
        ways = job.scope.reader.recents(mapping.kind) if first == run.number else ()
        job.close(stream, [f"{mapping.kind}:{way}" for way in ways], round_={"whole": whole})
    else:
        going = {"cursor": reading.cursor, "from": first, "begun": begun, "read": read}
        job.close(stream, round_={**going, "whole": round_.get("whole")})
    return True


@dataclass(slots=True)
class _Reading:
    """How much of a round this sync has read, and up to where."""

    read: int
    cursor: str | None
    ended: bool = False

    def of(self, found: Iterator[list[Page]]) -> Iterator[list[Page]]:
        """The blocks, until a sync's share is read."""
        while self.read < ROUND and (block := next(found, None)):
            self.read += sum(len(page.items) for page in block)
            self.cursor, self.ended = block[-1].cursor, block[-1].last
            yield block


def after_full(scope: Scope, session: Any) -> None:
    """A full sync covers everything that was there when it began."""
    run, done = scope.run, scope.run.checkpoint.get("done", ())
    began = run.started_at or run.queued_at
    objects = {mapping.kind: mapping.object.name for mapping in scope.mappings}
    kinds = [(m.kind, True) for m in scope.mappings if f"{m.kind}:{m.object.name}" in done]
    kinds += [(kind, False) for kind in scope.kept if f"{kind}:kept" in done]
    for kind, mapped in kinds:
        for way in scope.reader.recents(kind):
            known = checkpoints.get(session, run.workspace_id, run.connection_id, f"{kind}:{way}")
            back = known.until is not None and known.until > scope.clock() + AHEAD
            checkpoints.move(session, run.workspace_id, run.connection_id, known, until=began, back=back)
        if mapped:
            known = checkpoints.get(session, run.workspace_id, run.connection_id, f"{kind}:all")
            whole = {"from": run.number, "begun": iso(began), "ended": iso(scope.clock())}
            whole["read"] = sum(run.counts.get(objects[kind], {}).values())
            checkpoints.move(session, run.workspace_id, run.connection_id, known, round_={"whole": whole})
