"""What a sync's page says of undoing: whether it can be, or was, or is itself one that does."""

from __future__ import annotations

from typing import Any

from connector.errors import RefusedError
from connector.store import logbook, runs
from connector.store.db import Session
from connector.store.runs import Run
from connector.sync import undo, undoing


def about(session: Session, run: Run) -> dict[str, Any]:
    """What a run's page shows of undoing: whether it can be, was, or is itself one that does."""
    if undoing.is_of_run(run):
        of = runs.numbered(session, run.workspace_id, run.checkpoint["of"])
        counts = logbook.reasons(session, run.workspace_id, run.number)
        return {"undo": {"of": of, "preview": undoing.is_preview(run), "counts": counts}}
    done = undo.taken_back_by(session, run)
    return {"undo": {"by": done, "may": done is None and _may(session, run)}}


def _may(session: Session, run: Run) -> bool:
    try:
        undo.check(session, run)
    except RefusedError:
        return False
    return True
