"""An admin takes back a run: first a preview, then the same for good; and lets go of what is held."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from connector.core.outcomes import Result, sum_of
from connector.errors import RefusedError
from connector.store import connections, holds, notes, pasts, runs
from connector.store.db import Session
from connector.store.holds import Hold
from connector.store.runs import NewRun, Run
from connector.sync import mirror, undoing
from connector.sync.tools import Tools

_ENDED: Final = ("success", "partial")
_CHANGED: Final = (Result.CREATED, Result.UPDATED)


def check(session: Session, run: Run) -> None:
    """Raises RefusedError saying why a run cannot be taken back."""
    if run.active:
        raise RefusedError(
            f"Sync {run.number} is still under way.",
            code="undo_active",
            remedy="Wait for its end, or cancel it; what it has done by then can be taken back.",
        )
    if run.type in ("undo", "preview"):
        raise RefusedError(
            f"Sync {run.number} is itself one that takes back, or only showed something.",
            code="undo_of_undo",
            remedy="Let go of the records that it holds: the next sync brings them as they are on Whop.",
        )
    if not any(sum_of(run.counts, result) for result in _CHANGED) and not notes.of_run(
        session, run.workspace_id, run.number, None, 1
    ):
        raise RefusedError(
            f"Sync {run.number} changed nothing in Twenty.", code="undo_nothing", remedy="Nothing to do."
        )
    if run.pruned_at is not None:
        raise RefusedError(
            f"What Twenty held before sync {run.number} is not kept any more.",
            code="undo_pruned",
            remedy="The operator sets how long it is kept: RETENTION_UNDO_DAYS.",
        )
    if done := taken_back_by(session, run):
        raise RefusedError(
            f"Sync {run.number} was taken back already, by sync {done.number}.",
            code="undo_again",
            remedy="Nothing to do.",
        )


def taken_back_by(session: Session, run: Run) -> Run | None:
    """The run that took this one back, whole."""
    found = dict(pasts.undos(session, run.workspace_id, run.connection_id))
    return found.get(run.number)


def preview(tools: Tools, workspace_id: str, run_id: str, *, why: str, correlation_id: str) -> str:
    """Start the run that shows what taking a run back would do; its id. Raises RefusedError."""
    with tools.database.reading() as session:
        run = runs.get(session, workspace_id, run_id)
        check(session, run)
    return _start(tools, run, "preview", _place(run), why, correlation_id)


def begin(tools: Tools, workspace_id: str, preview_id: str, *, why: str, correlation_id: str) -> str:
    """Take back what a preview showed; the id of the run that does. Raises RefusedError."""
    with tools.database.reading() as session:
        seen = runs.get(session, workspace_id, preview_id)
        if seen.type != "preview" or not undoing.is_of_run(seen) or seen.status not in _ENDED:
            raise RefusedError(
                "There is no preview of this that came to its end.",
                code="undo_unseen",
                remedy="Look at a preview first: it shows what would be taken back.",
            )
        run = runs.numbered(session, workspace_id, seen.checkpoint["of"])
        check(session, run)
    checkpoint = {**_place(run), "agreed": seen.checkpoint.get("removed", 0)}
    return _start(tools, run, "undo", checkpoint, why, correlation_id)


def _place(of: Run) -> dict[str, Any]:
    """Where a run begins that takes back another."""
    return {"of": of.number, "of_id": of.id}


def _start(
    tools: Tools, of: Run, type_: str, checkpoint: dict[str, Any], why: str, correlation_id: str
) -> str:
    """It maps as the run did that it is about. One that only shows goes on beside any sync."""
    id_, now = str(uuid.uuid4()), tools.clock()
    new = NewRun(
        id_,
        of.workspace_id,
        of.connection_id,
        type_,
        why,
        correlation_id,
        now,
        checkpoint,
        alone=type_ == "undo",
        mapping_version=of.mapping_version,
    )
    with tools.database.transaction() as session:
        runs.start(session, new)
        started = runs.by_id(session, id_)
    mirror.ring(tools, started)
    return id_


def let_go(tools: Tools, workspace_id: str, wanted: Sequence[str], *, why: str, correlation_id: str) -> int:
    """Have these records, or all that are held, follow the source again; how many.

    A run takes them at once; where another sync of their connection is under way, or none may run, the next
    one that meets them does.
    """
    count = 0
    refs: dict[str, dict[str, list[str]]] = {}
    while found := _let_go(tools, workspace_id, wanted):
        count += len(found)
        for one in found:
            refs.setdefault(one.connection_id, {}).setdefault(one.kind, []).append(one.source_id)
    for connection_id, of in refs.items():
        with suppress(RefusedError):
            _take_again(tools, workspace_id, connection_id, of, why, correlation_id)
    return count


def _let_go(tools: Tools, workspace_id: str, wanted: Sequence[str]) -> list[Hold]:
    with tools.database.transaction() as session:
        found = holds.of_ids(session, workspace_id, wanted)
        holds.let_go(session, workspace_id, found)
    return found


def _take_again(
    tools: Tools,
    workspace_id: str,
    connection_id: str,
    refs: dict[str, list[str]],
    why: str,
    correlation_id: str,
) -> None:
    id_, checkpoint = str(uuid.uuid4()), {"refs": refs}
    new = NewRun(id_, workspace_id, connection_id, "repair", why, correlation_id, tools.clock(), checkpoint)
    with tools.database.transaction() as session:
        mirror.check_may_run(connections.get(session, workspace_id, connection_id))
        runs.start(session, new)
        started = runs.by_id(session, id_)
    mirror.ring(tools, started)
