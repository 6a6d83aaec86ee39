"""Commands that take a sync back, and let go of what is held since."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from connector import logs
from connector.bootstrap import Parts
from connector.cli import base
from connector.cli.syncs import document, entry_document, entry_line, line, sync_group, wait_for
from connector.store import audit, holds, runs, workspaces
from connector.store.paging import NEWEST, Place
from connector.store.runs import Run
from connector.sync import undo as undoing

_WHY = "From the command line"


@base.command("undo")
@click.argument("run")
@click.option("--yes", is_flag=True, help="Take it back without asking, once the preview is through.")
@click.option("--preview", "only", is_flag=True, help="Only show what would be taken back.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000))
def undo(run: str, *, yes: bool, only: bool, limit: int, as_json: bool) -> None:
    """Take back what a sync changed in the CRM: first a preview, then, once agreed to, for good.

    What people or later syncs changed since stays. A worker must be running (`flask up` starts them).

    Example: flask sync undo 7b2e… --preview
    """
    with base.parts() as parts:
        with parts.database.reading() as session:
            workspace_id = runs.owner_of(session, run)
        words = {"why": _WHY, "correlation_id": logs.new_correlation_id()}
        found = wait_for(parts, workspace_id, undoing.preview(parts.tools, workspace_id, run, **words))
        if not only and found.status in ("success", "partial"):
            if not yes:
                base.show(None, _told(parts, found, limit), as_json=False)
                click.confirm("Take this back?", abort=True)
            found = wait_for(parts, workspace_id, undoing.begin(parts.tools, workspace_id, found.id, **words))
            _record(parts, workspace_id, "undo_started", {"run": found.checkpoint["of"]})
        with parts.database.reading() as session:
            told = runs.entries(session, workspace_id, found.number, limit=limit)
        lines = list(_told(parts, found, limit))
    base.show(document(found) | {"entries": [entry_document(one) for one in told]}, lines, as_json=as_json)
    if found.status != "success":
        sys.exit(base.FAILED)


def _told(parts: Parts, run: Run, limit: int) -> Iterator[str]:
    yield line(run)
    with parts.database.reading() as session:
        for entry in runs.entries(session, run.workspace_id, run.number, limit=limit):
            yield entry_line(entry)


@click.group("held")
def held_group() -> None:
    """Records that no sync writes, because what one had written was taken back."""


@base.command("list")
@click.argument("workspace")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--before", type=int, help="Go on before this number, the last one listed.")
def list_(workspace: str, *, limit: int, before: int | None, as_json: bool) -> None:
    """List the records that are held.

    Example: flask held list acme
    """
    with base.parts() as parts, parts.database.reading() as session:
        within = workspaces.named(session, workspace).id
        found = holds.page(session, within, Place(before=before) if before else NEWEST, limit).items
    lines = [f"{one.id}  {one.kind} {one.source_id}  held by sync {one.run}" for one in found]
    shown = [
        {"id": one.id, "kind": one.kind, "source_id": one.source_id, "crm_id": one.crm_id, "run": one.run}
        for one in found
    ]
    base.show(shown, lines or ["Nothing is held."], as_json=as_json)


@base.command("let-go")
@click.argument("workspace")
@click.argument("records", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All that are held.")
def let_go(workspace: str, records: tuple[str, ...], *, every: bool, as_json: bool) -> None:
    """Have records follow Whop again: those of these ids on Whop, or all.

    Example: flask held let-go acme mber_8xk2
    """
    if bool(records) is every:
        raise click.UsageError("Name the records, or say --all.")
    with base.parts() as parts:
        with parts.database.reading() as session:
            within = workspaces.named(session, workspace).id
        correlation_id = logs.new_correlation_id()
        count = undoing.let_go(parts.tools, within, records, why=_WHY, correlation_id=correlation_id)
        _record(parts, within, "undo_let_go", {"records": count})
    base.show({"let_go": count}, [f"{count} records follow Whop again."], as_json=as_json)


def _record(parts: Parts, workspace_id: str, what: str, about: audit.About) -> None:
    event = audit.NewEvent(what, parts.tools.clock(), workspace_id=workspace_id, about=about)
    with parts.database.transaction() as session:
        audit.record(session, event)


sync_group.add_command(undo)
for one in (list_, let_go):
    held_group.add_command(one)
COMMANDS = (held_group,)
