"""The command that forgets what is old; the scheduler has the same done all day."""

from __future__ import annotations

import click

from connector.cli import base
from connector.sync import pruning


@base.command("prune")
@click.option("--show", is_flag=True, help="Only say what is kept how long.")
def prune(*, show: bool, as_json: bool) -> None:
    """Forget now what is older than the RETENTION_ settings say. The scheduler does so by itself, bit by bit.

    What waits, failed for good or is under way stays, and so does the last sync of each kind.

    Example: flask prune
    """
    with base.parts() as parts:
        kept = parts.janitor.keeping.in_days
        forgotten = {} if show else pruning.prune(parts.janitor)
    lines = [f"{name}: {days} days" for name, days in kept.items()]
    if not show:
        lines = [f"{count} {name}" for name, count in forgotten.items()] or ["Nothing is old enough."]
    base.show({"kept_days": kept, "forgotten": forgotten}, lines, as_json=as_json)


COMMANDS = (prune,)
