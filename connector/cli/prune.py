"""The command that forgets what is old; the scheduler has the same done all day."""

from __future__ import annotations

from datetime import timedelta

import click

from connector.cli import base
from connector.sync import pruning
from connector.sync.pruning import Keeping


@base.command("prune")
@click.option("--show", is_flag=True, help="Only say what is kept how long.")
def prune(*, show: bool, as_json: bool) -> None:
    """Forget now what is older than the RETENTION_ settings say. The scheduler does so by itself, bit by bit.

    What waits, failed for good or is under way stays, and so does the last sync of each kind.

    Example: flask prune
    """
    with base.parts() as parts:
        kept = _kept(parts.janitor.keeping)
        forgotten = {} if show else pruning.prune(parts.janitor)
    lines = [f"{name}: {days} days" for name, days in kept.items()]
    if not show:
        lines = [f"{count} {name}" for name, count in forgotten.items()] or ["Nothing is old enough."]
    base.show({"kept_days": kept, "forgotten": forgotten}, lines, as_json=as_json)


def _kept(keeping: Keeping) -> dict[str, int]:
    ages: dict[str, timedelta] = {
        "syncs can be undone": keeping.undo,
        "sync log": keeping.whole_log,
        "events": keeping.events,
        "audit log": keeping.audit,
    }
    return {name: age.days for name, age in ages.items()}


COMMANDS = (prune,)
