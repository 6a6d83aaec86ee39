"""What one job does of its run: kind after kind, until its time is up. The checkpoint says where it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

import structlog

from connector.core.mapping import Mapping
from connector.core.records import AbsentRecord, Page, Ref
from connector.store import connections, runs
from connector.sync import limiting, reading, selling, steps
from connector.sync.progress import saved
from connector.sync.scope import Advance, Progress, Scope
from connector.sync.tools import Tools

log = structlog.get_logger(__name__)

ONLY: Final = "only"
"""In a run's checkpoint: the kinds that it is about, where those are not all."""

_REPAIR_BLOCK = 100
_KEPT_AT_ONCE = 5  # pages: a transaction costs as much as a page, and must not keep others waiting


def mirror(tools: Tools, scope: Scope, until: datetime) -> bool:
    """Read and settle blocks until the time is up; True when every kind is done."""
    for mapping in filter(partial(is_meant, scope), scope.mappings):
        stage = f"{mapping.kind}:{mapping.object.name}"
        if stage in scope.run.checkpoint.get("done", ()):
            continue
        if mapping.kind == selling.PARENT and not keep_sales(tools, scope, until):
            return False
        cursor = scope.run.checkpoint.get("cursor") if scope.run.checkpoint.get("stage") == stage else None
        advance_, stopped = _checkpoints(scope, stage), partial(is_to_stop, tools, scope.run)
        with steps.Road(scope, mapping, advance_, is_stopped=stopped) as road:
            for block in reading.blocks(scope.reader, mapping.kind, cursor, tools.block_pages):
                road.take(block)
                if tools.clock() >= until or stopped():
                    road.leave()
                    return _is_done(scope)
            road.finish()
    return True


def is_meant(scope: Scope, mapping: Mapping) -> bool:
    """Whether a run is about a mapping."""
    only = scope.run.checkpoint.get(ONLY)
    return only is None or mapping.kind in only


def keep_sales(tools: Tools, scope: Scope, until: datetime) -> bool:
    """Read what memberships were paid, ahead of them; True when all of it was, as far as it may be read."""
    stages = [f"{kind}:kept" for kind in scope.kept]
    for kind, stage in zip(scope.kept, stages, strict=True):
        checkpoint = scope.run.checkpoint
        if stage in checkpoint.get("done", ()):
            continue
        if not scope.reader.may_read(kind):
            log.info("not read, because it may not be", kind=kind)
            continue
        cursor = checkpoint.get("cursor") if checkpoint.get("stage") == stage else None
        advance_ = _checkpoints(scope, stage)
        for block in reading.blocks(scope.reader, kind, cursor, _KEPT_AT_ONCE):
            page = block[-1]
            place = Progress(kind, page.cursor, page.last)
            through = page.last and kind == "payment"
            selling.keep_pages(scope, kind, block, advance_(place), last=through)
            if not page.last and (tools.clock() >= until or is_to_stop(tools, scope.run)):
                return False
    return True


def repair(tools: Tools, scope: Scope, until: datetime) -> bool:
    """Take single records again by id, or all of some kinds; True when none is left."""
    if ONLY in scope.run.checkpoint:
        return mirror(tools, scope, until)
    for mapping in scope.mappings:
        while ids := scope.run.checkpoint.get("refs", {}).get(mapping.kind, ()):
            block, rest = ids[:_REPAIR_BLOCK], ids[_REPAIR_BLOCK:]
            left = {**scope.run.checkpoint.get("refs", {}), mapping.kind: rest}
            take_again(scope, mapping, block, {"refs": left})
            if tools.clock() >= until or is_to_stop(tools, scope.run):
                return not any(scope.run.checkpoint["refs"].values())
    return True


def take_again(scope: Scope, mapping: Mapping, ids: Sequence[str], then: dict[str, Any]) -> None:
    """Take these records as the source has them now; ``then`` is the change of the run's place after them."""
    fetched = scope.reader.fetch(mapping.kind, ids)
    refs = [Ref(mapping.source, mapping.kind, id_) for id_ in ids]
    page = Page(tuple(fetched.get(ref.id) or AbsentRecord(ref) for ref in refs), None, last=False)
    steps.process(scope, mapping, [page], partial(_left, scope, then))


def _left(scope: Scope, then: dict[str, Any], place: Progress | None) -> dict[str, Any]:
    return {**going_on(scope), **then} if place else going_on(scope)


def save_place(scope: Scope, checkpoint: dict[str, Any]) -> None:
    """Save where the run is, where no record is saved with it."""
    with scope.database.transaction() as session:
        runs.save(session, scope.run, owner=scope.owner, checkpoint=checkpoint)
    scope.run = saved(scope.run, checkpoint=checkpoint)


def going_on(scope: Scope) -> dict[str, Any]:
    """The place as it is, without the trouble that there was at it: something was saved."""
    return {name: of for name, of in scope.run.checkpoint.items() if name not in ("tries", "breaks")}


def _is_done(scope: Scope) -> bool:
    done = scope.run.checkpoint.get("done", ())
    return all(
        f"{mapping.kind}:{mapping.object.name}" in done
        for mapping in scope.mappings
        if is_meant(scope, mapping)
    )


def _checkpoints(scope: Scope, stage: str) -> Advance:
    def advance_(place: Progress | None) -> dict[str, Any]:
        done = list(scope.run.checkpoint.get("done", ()))
        if place is None:
            return going_on(scope)
        kept = {name: of for name, of in scope.run.checkpoint.items() if name in (limiting.ASKED, ONLY)}
        if place.last:
            return {**kept, "done": [*done, stage]}
        kept |= {name: n for name, n in scope.run.checkpoint.items() if name == "astray"}
        return {**kept, "done": done, "stage": stage, "cursor": place.cursor}

    return advance_


def is_to_stop(tools: Tools, run: runs.Run) -> bool:
    """Whether somebody paused it, or the worker is to end."""
    if tools.ends():
        return True
    with tools.database.reading() as session:
        return connections.get(session, run.workspace_id, run.connection_id).paused
