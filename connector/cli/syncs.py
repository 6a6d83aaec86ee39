"""Commands about sync runs and their log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

import click

from connector import logs
from connector.bootstrap import Parts
from connector.cli import base
from connector.core.outcomes import Counts, Result, sum_of
from connector.errors import RefusedError
from connector.store import connections, runs, workspaces
from connector.store.runs import LogEntry, Run
from connector.sync import answering, limiting, onboarding, rehearsing, steering
from connector.sync.rehearsing import Wanted


@click.group("sync")
def sync_group() -> None:
    """Sync runs, and what each did with every record."""


@base.command("start")
@click.argument("connection")
@click.option(
    "--type", "type_", type=click.Choice(["full", "incremental"]), default="full", show_default=True
)
@click.option("--dry-run", is_flag=True, help="Write nothing; tell record by record what would be done.")
@click.option("--wait", is_flag=True, help="Wait for the end; exit 1 unless every record was settled well.")
def start(connection: str, type_: str, *, dry_run: bool, wait: bool, as_json: bool) -> None:
    """Start a sync run. A worker must be running (`flask up` starts them).

    A dry run reads every record, whatever the type, and looks for none that is gone from Whop.

    Example: flask sync start 1f0c… --type full --wait
    """
    with base.parts() as parts:
        with parts.database.reading() as session:
            workspace_id = connections.owner_of(session, connection)
            found = connections.get(session, workspace_id, connection)
        asked = {"why": "From the command line", "correlation_id": logs.new_correlation_id()}
        if dry_run:
            id_ = rehearsing.start(parts.tools, found, Wanted(), **asked)
        else:
            id_ = onboarding.start_sync(parts.tools, found, type_, **asked)
        run = wait_for(parts, workspace_id, id_) if wait else _run(parts, workspace_id, id_)
    base.show(document(run), [line(run)], as_json=as_json)
    if wait and run.status != "success":
        sys.exit(base.FAILED)


@base.command("record")
@click.argument("connection")
@click.argument("kind")
@click.argument("record_id")
@click.option("--dry-run", is_flag=True, help="Write nothing; tell what would be done.")
def record(connection: str, kind: str, record_id: str, *, dry_run: bool, as_json: bool) -> None:
    """Take one record of Whop through a sync, and wait for its end; exit 1 where it fails.

    Example: flask sync record 1f0c… membership mem_4QxLq2mTn8VrYe --dry-run
    """
    asked = {"why": "From the command line", "correlation_id": logs.new_correlation_id()}
    refs = {kind: [record_id]}
    with base.parts() as parts:
        with parts.database.reading() as session:
            workspace_id = connections.owner_of(session, connection)
            found = connections.get(session, workspace_id, connection)
        _check_mapped(parts, workspace_id, kind)
        if dry_run:
            id_ = rehearsing.start(parts.tools, found, Wanted(refs), **asked)
        else:
            id_ = steering.take_again(parts.tools, workspace_id, connection, refs, **asked)
        run = wait_for(parts, workspace_id, id_)
        with parts.database.reading() as session:
            told = runs.entries(session, workspace_id, run.number)
    lines = [line(run), *(shown for entry in told for shown in [entry_line(entry), *change_lines(entry)])]
    base.show(document(run) | {"entries": [entry_document(one) for one in told]}, lines, as_json=as_json)
    if run.status != "success" or sum_of(run.counts, Result.FAILED):
        sys.exit(base.FAILED)


def _check_mapped(parts: Parts, workspace_id: str, kind: str) -> None:
    kinds = [one.kind for one in parts.tools.mappings.of(workspace_id)]
    if kind not in kinds:
        raise RefusedError(
            f"No mapping file is about {kind!r}.",
            code="not_mapped",
            remedy=f"Name one of {', '.join(kinds)}.",
        )


def change_lines(entry: LogEntry) -> Iterator[str]:
    """Field by field what a record held and would hold, or holds."""
    before = entry.before or {}
    for name, value in (entry.after or {}).items():
        yield f"    {name}: {before.get(name)!r} → {value!r}"


def _run(parts: Parts, workspace_id: str, id_: str) -> Run:
    with parts.database.reading() as session:
        return runs.get(session, workspace_id, id_)


def wait_for(parts: Parts, workspace_id: str, id_: str) -> Run:
    """The run, once it has nothing left to do."""
    while (run := _run(parts, workspace_id, id_)).active:
        time.sleep(0.3)
    return run


@base.command("list")
@click.argument("workspace", required=False)
def list_(workspace: str | None, *, as_json: bool) -> None:
    """List sync runs, newest first, of one workspace or of all.

    Example: flask sync list acme
    """
    with base.parts() as parts, parts.database.reading() as session:
        within = [workspaces.named(session, workspace)] if workspace else workspaces.every(session)
        found = [run for one in within for run in runs.of_workspace(session, one.id)]
    lines = [line(run) for run in found] or ["There is no sync run yet."]
    base.show([document(run) for run in found], lines, as_json=as_json)


@base.command("show")
@click.argument("run")
@click.option("--result", "results", multiple=True, type=click.Choice([one.value for one in Result]))
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000))
def show(run: str, results: tuple[str, ...], limit: int, *, as_json: bool) -> None:
    """Show one run: its counts, and what happened to each record that was not simply unchanged.

    Example: flask sync show 7b2e… --result failed
    """
    with base.parts() as parts, parts.database.reading() as session:
        workspace_id = runs.owner_of(session, run)
        found = runs.get(session, workspace_id, run)
        told = runs.entries(session, workspace_id, found.number, results=results, limit=limit)
    lines = [line(found), *count_lines(found.counts), *(entry_line(entry) for entry in told)]
    base.show(document(found) | {"entries": [entry_document(one) for one in told]}, lines, as_json=as_json)


@base.command("cancel")
@click.argument("run")
def cancel(run: str, *, as_json: bool) -> None:
    """End a run before it is through. What it has done stays; what it had left comes with the next sync.

    Example: flask sync cancel 7b2e…
    """
    with base.parts() as parts:
        with parts.database.reading() as session:
            workspace_id = runs.owner_of(session, run)
        steering.cancel(parts.tools, workspace_id, run, who="Somebody on the machine")
        ended = _run(parts, workspace_id, run)
    base.show(document(ended), [line(ended)], as_json=as_json)


@base.command("answer")
@click.argument("run")
@click.argument("decision", type=click.Choice(["approve", "refuse"]))
def answer(run: str, decision: str, *, as_json: bool) -> None:
    """Answer a sync that would remove, or change, more records than it does without asking.

    Its page shows which. Before a removal that was approved, each record is looked for on Whop once more.
    Where changes are too many, approve lets the sync make the rest, and refuse cancels it.

    Example: flask sync answer 7b2e… refuse
    """
    who = "somebody on the machine"
    with base.parts() as parts:
        with parts.database.reading() as session:
            workspace_id = runs.owner_of(session, run)
        if limiting.asks(found := _run(parts, workspace_id, run)):
            if decision == "refuse":
                steering.cancel(parts.tools, workspace_id, run, who=who.capitalize())
            else:
                answering.agree(parts.tools, workspace_id, run)
            found = _run(parts, workspace_id, run)
        elif decision == "refuse":
            answering.refuse(parts.tools, workspace_id, run, who=who)
            found = _run(parts, workspace_id, run)
        else:
            reference = logs.new_correlation_id()
            new = answering.approve(parts.tools, workspace_id, run, who=who, correlation_id=reference)
            found = _run(parts, workspace_id, new)
    base.show(document(found), [line(found)], as_json=as_json)


def document(run: Run) -> dict[str, Any]:
    """A run as data."""
    names = ("id", "number", "type", "status", "why", "counts", "drift", "unknown_choices", "error")
    times = ("queued_at", "started_at", "ended_at")
    shown = {name: getattr(run, name) for name in (*names, *times)}
    return shown | {"records": sum_of(run.counts)}


def line(run: Run) -> str:
    """A run in one line."""
    told = ", ".join(f"{sum_of(run.counts, result)} {result.value}" for result in Result)
    why = f" · {run.drift} put back after a change in the CRM" if run.drift else ""
    why += f" · {run.error['message']}" if run.error else ""
    return f"{run.id}  {run.type} {run.status}  {sum_of(run.counts)} records: {told}{why}"


def count_lines(counts: Counts) -> Iterator[str]:
    """A table of object by result."""
    rows = [(name, *(results.get(result.value, 0) for result in Result)) for name, results in counts.items()]
    return base.table(rows, ("object", *(result.value for result in Result)))


def entry_line(entry: LogEntry) -> str:
    """A log entry in one line."""
    why = entry.error["message"] if entry.error else "; ".join(entry.warnings or ())
    reason = f" ({entry.reason})" if entry.reason else ""
    return f"{entry.result}{reason}  {entry.kind} {entry.source_id}  {entry.title}{f': {why}' if why else ''}"


def entry_document(entry: LogEntry) -> dict[str, Any]:
    """A log entry as data."""
    return {name: getattr(entry, name) for name in LogEntry.__slots__ if name != "run"}


for one in (start, record, list_, show, cancel, answer):
    sync_group.add_command(one)
COMMANDS = (sync_group,)
