"""Commands that compare the CRM with Whop, and mend what differs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

import click

from connector import logs
from connector.bootstrap import Parts
from connector.cli import base
from connector.core.reconciling import TARGET, Cause, Standing, count, share
from connector.store import connections, differences, reconciliations, workspaces
from connector.store.differences import DifferenceFilter, Kept
from connector.store.paging import Place
from connector.store.reconciliations import Reconciliation
from connector.sync import reconciling

_EVERY = {"night": 24, "week": 168, "off": 0}


@click.group("reconcile")
def reconcile_group() -> None:
    """Compare every record of Whop with its CRM record as it is."""


@base.command("start")
@click.argument("connection")
@click.option("--wait", is_flag=True, help="Wait for the end; exit 1 unless at least 99.9 % are in step.")
def start(connection: str, *, wait: bool, as_json: bool) -> None:
    """Compare a connection's records. Nothing is changed. A worker must be running.

    Example: flask reconcile start 1f0c… --wait
    """
    with base.parts() as parts:
        with parts.database.reading() as session:
            workspace_id = connections.owner_of(session, connection)
            found = connections.get(session, workspace_id, connection)
        id_ = reconciling.start(
            parts.tools, found, why="From the command line", correlation_id=logs.new_correlation_id()
        )
        one = _wait(parts, id_) if wait else _found(parts, id_)
    base.show(document(one), lines(one), as_json=as_json)
    rate = share(one.counts)
    if wait and (one.status != "done" or (rate is not None and rate < TARGET)):
        sys.exit(base.FAILED)


@base.command("list")
@click.argument("workspace", required=False)
def list_(workspace: str | None, *, as_json: bool) -> None:
    """List comparisons, newest first, of one workspace or of all.

    Example: flask reconcile list acme
    """
    with base.parts() as parts, parts.database.reading() as session:
        within = [workspaces.named(session, workspace)] if workspace else workspaces.every(session)
        found = [one for each in within for one in reconciliations.page(session, each.id).items]
    told = [line(one) for one in found] or ["Nothing was compared yet."]
    base.show([document(one) for one in found], told, as_json=as_json)


@base.command("show")
@click.argument("comparison")
@click.option("--cause", type=click.Choice([one.value for one in Cause]), default=None)
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000))
def show(comparison: str, cause: str | None, limit: int, *, as_json: bool) -> None:
    """Show what a comparison found: how many are in step, and what differs.

    Example: flask reconcile show 7b2e… --cause drift
    """
    with base.parts() as parts, parts.database.reading() as session:
        one = reconciliations.by_id(session, comparison)
        wanted = DifferenceFilter(cause=cause or "")
        found = differences.page(session, one.workspace_id, one.number, wanted, Place(), limit).items
    told = [*lines(one), *(difference_line(each) for each in found)]
    documents = [{name: getattr(each, name) for name in Kept.__slots__} for each in found]
    base.show(document(one) | {"differences": documents}, told, as_json=as_json)


@base.command("cancel")
@click.argument("comparison")
def cancel(comparison: str, *, as_json: bool) -> None:
    """End a comparison before it is through. What it had found until then stays.

    Example: flask reconcile cancel 7b2e…
    """
    with base.parts() as parts:
        one = _found(parts, comparison)
        reconciling.cancel(parts.tools, one.workspace_id, one.id, who="Somebody on the machine")
        one = _found(parts, comparison)
    base.show(document(one), [line(one)], as_json=as_json)


@base.command("repair")
@click.argument("comparison")
def repair(comparison: str, *, as_json: bool) -> None:
    """Mend what a comparison found, by a sync of just these records.

    Example: flask reconcile repair 7b2e…
    """
    with base.parts() as parts:
        one = _found(parts, comparison)
        run_id = reconciling.repair(
            parts.tools,
            one.workspace_id,
            one.id,
            why=f"Repair of comparison {one.number}, from the command line",
            correlation_id=logs.new_correlation_id(),
        )
    base.show({"run": run_id}, [f"{run_id}  `flask sync show {run_id}` says how it goes."], as_json=as_json)


@base.command("schedule")
@click.argument("connection")
@click.option("--every", type=click.Choice(list(_EVERY)), required=True)
def schedule(connection: str, every: str, *, as_json: bool) -> None:
    """Say how often a connection is compared by itself.

    Example: flask reconcile schedule 1f0c… --every night
    """
    with base.parts() as parts:
        with parts.database.reading() as session:
            workspace_id = connections.owner_of(session, connection)
        reconciling.plan(parts.tools, workspace_id, connection, _EVERY[every])
    base.show({"connection": connection, "every": every}, [f"Compared: {every}."], as_json=as_json)


def _found(parts: Parts, id_: str) -> Reconciliation:
    with parts.database.reading() as session:
        return reconciliations.by_id(session, id_)


def _wait(parts: Parts, id_: str) -> Reconciliation:
    while (one := _found(parts, id_)).active:
        time.sleep(0.3)
    return one


def document(one: Reconciliation) -> dict[str, Any]:
    """A comparison as data."""
    names = ("id", "number", "status", "why", "counts", "error", "repair_run")
    times = ("queued_at", "started_at", "ended_at")
    return {name: getattr(one, name) for name in (*names, *times)} | {"in_step": share(one.counts)}


def line(one: Reconciliation) -> str:
    """A comparison in one line."""
    rate = share(one.counts)
    in_step = "nothing to compare" if rate is None else f"{100 * rate:.2f} % in step"
    told = ", ".join(f"{count(one.counts, each)} {each.value}" for each in Standing)
    why = f" · {one.error['message']}" if one.error else ""
    return f"{one.id}  {one.status}  {in_step}: {told}{why}"


def lines(one: Reconciliation) -> Iterator[str]:
    """A comparison, object by object."""
    yield line(one)
    rows = [(name, *(of.get(each.value, 0) for each in Standing)) for name, of in one.counts.items()]
    yield from base.table(rows, ("object", *(each.value for each in Standing)))


def difference_line(one: Kept) -> str:
    """A difference in one line."""
    field = f" {one.field}: Whop {one.said!r}, CRM {one.there!r}" if one.field else f" {one.said or ''}"
    return f"{one.cause}  {one.kind} {one.source_id}  {one.title}{field}".rstrip()


for command in (start, list_, show, cancel, repair, schedule):
    reconcile_group.add_command(command)
COMMANDS = (reconcile_group,)
