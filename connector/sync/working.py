"""What a run of each type does in a slice of time; True when nothing is left of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from connector.store.runs import Run
from connector.sync import incremental, leaving, previewing, removing, stages, undoing
from connector.sync.scope import Scope
from connector.sync.tools import Tools


def _undo(tools: Tools, scope: Scope, until: datetime) -> bool:
    return undoing.work(tools, scope, until) if undoing.is_of_run(scope.run) else leaving.work(scope, until)


def _preview(tools: Tools, scope: Scope, until: datetime) -> bool:
    work = undoing.work if undoing.is_of_run(scope.run) else previewing.work
    return work(tools, scope, until)


WORK: dict[str, Callable[[Tools, Scope, datetime], bool]] = {
    "full": lambda *job: stages.mirror(*job) and removing.passed_all(job[1]) and removing.work(*job),
    "incremental": lambda *job: incremental.work(*job) and removing.work(*job),
    "repair": lambda *job: stages.repair(*job) and removing.work(*job),
    "undo": _undo,
    "preview": _preview,
}


def needs_no_source(run: Run) -> bool:
    """Whether it takes back, or shows what that would be. It goes on while a connection's syncs are paused:
    who undoes one that went wrong has stopped the others."""
    return run.type == "undo" or undoing.is_of_run(run)
