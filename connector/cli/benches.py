"""Commands that measure."""

from __future__ import annotations

import sys

import click

from connector import logs
from connector.cli import base, chaos
from connector.cli.bench import (
    actions,
    crm,
    growth,
    incremental,
    mapping,
    pages,
    source,
    sync,
    webhooks,
)
from connector.cli.bench.pages import Work
from connector.cli.bench.report import Report

_ENTRIES = click.IntRange(5_000)  # with fewer, some pages would have nothing to show


@click.group("bench")
def bench_group() -> None:
    """Measure, each figure beside its goal; exits 1 where a goal is missed."""


_SYNC_PARTS = ("speed", "growth")


@base.command("sync")
@click.option("--members", default=10_000, show_default=True, help="Of the part speed.")
@click.option("--memberships", default=10_000, show_default=True, help="Of the part speed.")
@click.option(
    "--size",
    "sizes",
    type=click.IntRange(100),
    multiple=True,
    default=growth.SIZES,
    show_default=True,
    help="Memberships of the part growth; repeatable.",
)
@click.option("--only", type=click.Choice(_SYNC_PARTS), multiple=True, help="This part alone; repeatable.")
def sync_command(
    members: int, memberships: int, sizes: tuple[int, ...], only: tuple[str, ...], *, as_json: bool
) -> None:
    """A full sync, the same again unchanged; time and memory as the memberships become many.

    Example: flask bench sync --only growth --size 10000 --size 30000
    """
    logs.configure("WARNING", "auto")
    report, wanted = Report("sync"), only or _SYNC_PARTS
    if "speed" in wanted:
        sync.measure(report, members, memberships)
    if "growth" in wanted:
        growth.measure(report, sizes)
    base.show(report.document(), report.lines(), as_json=as_json)
    if not report.met:
        sys.exit(base.FAILED)


@base.command("pages")
@click.option("--runs", type=click.IntRange(2), default=200, show_default=True)
@click.option("--entries", type=_ENTRIES, default=100_000, show_default=True, help="In the sync log.")
@click.option("--requests", type=click.IntRange(1), default=100, show_default=True, help="Of each page.")
@click.option(
    "--watching", type=click.IntRange(1), default=10, show_default=True, help="Open pages of a run."
)
@click.option(
    "--seconds", type=click.FloatRange(4), default=20.0, show_default=True, help="How long they are open."
)
def pages_command(
    runs: int, entries: int, requests: int, watching: int, seconds: float, *, as_json: bool
) -> None:
    """Every page's time and weight with a long sync log, and what following a sync costs.

    Example: flask bench pages --requests 20
    """
    logs.configure("WARNING", "auto")
    report = pages.bench(Work(runs, entries, requests, watching, seconds))
    base.show(report.document(), report.lines(), as_json=as_json)
    if not report.met:
        sys.exit(base.FAILED)


@base.command("crm")
@click.option("--people", type=click.IntRange(1), default=10_000, show_default=True)
@click.option("--opportunities", type=click.IntRange(1), default=10_000, show_default=True)
@click.option(
    "--only", type=click.Choice(list(crm.PARTS)), multiple=True, help="This part alone; repeatable."
)
def crm_command(people: int, opportunities: int, only: tuple[str, ...], *, as_json: bool) -> None:
    """Writing into a CRM that answers as slowly, and limits as hard, as a recorded server did.

    Example: flask bench crm --only batch --only bad
    """
    logs.configure("WARNING", "auto")
    report = crm.bench(crm.Work(people, opportunities), only or tuple(crm.PARTS))
    base.show(report.document(), report.lines(), as_json=as_json)
    if not report.met:
        sys.exit(base.FAILED)


@base.command("source")
@click.option("--members", type=click.IntRange(100), default=5_000, show_default=True)
@click.option("--memberships", type=click.IntRange(100), default=10_000, show_default=True)
def source_command(members: int, memberships: int, *, as_json: bool) -> None:
    """What reading Whop costs, beside parsing the same pages alone.

    Example: flask bench source --memberships 2000
    """
    logs.configure("WARNING", "auto")
    report = source.bench(members, memberships)
    base.show(report.document(), report.lines(), as_json=as_json)
    if not report.met:
        sys.exit(base.FAILED)


@base.command("mapping")
@click.option("--records", type=click.IntRange(100), default=20_000, show_default=True)
@click.option(
    "--loads", type=click.IntRange(1), default=20, show_default=True, help="How often files are read."
)
def mapping_command(records: int, loads: int, *, as_json: bool) -> None:
    """What it costs to map a membership with 20 fields, and to read and check the mapping files.

    Example: flask bench mapping --records 2000
    """
    logs.configure("WARNING", "auto")
    report = mapping.bench(records, loads)
    base.show(report.document(), report.lines(), as_json=as_json)
    if not report.met:
        sys.exit(base.FAILED)


@base.command("incremental")
@click.option("--members", type=click.IntRange(100), default=10_000, show_default=True)
@click.option("--memberships", type=click.IntRange(100), default=10_000, show_default=True)
def incremental_command(members: int, memberships: int, *, as_json: bool) -> None:
    """What an hour without changes costs, that one with changes finds them all, and what comparing costs.

    Example: flask bench incremental --members 1000 --memberships 1000
    """
    logs.configure("WARNING", "auto")
    report = incremental.bench(members, memberships)
    base.show(report.document(), report.lines(), as_json=as_json)
    if not report.met:
        sys.exit(base.FAILED)


@base.command("webhooks")
@click.option(
    "--seconds", type=click.FloatRange(1), default=60.0, show_default=True, help="How long each load lasts."
)
@click.option("--memberships", type=click.IntRange(20), default=2_000, show_default=True)
@click.option("--events", type=click.IntRange(10), default=10_000, show_default=True, help="Of the burst.")
@click.option("--payments", type=click.IntRange(1), default=1_000, show_default=True)
@click.option("--database-url", default="", help="A PostgreSQL to fill; default: one of our own.")
@click.option(
    "--only", type=click.Choice(list(webhooks.PARTS)), multiple=True, help="This part alone; repeatable."
)
def webhooks_command(
    seconds: float,
    memberships: int,
    events: int,
    payments: int,
    database_url: str,
    only: tuple[str, ...],
    *,
    as_json: bool,
) -> None:
    """How soon webhooks are acknowledged and in the CRM, and that a burst of them loses and doubles nothing.

    Example: flask bench webhooks --only ack-sqlite --seconds 10
    """
    logs.configure("WARNING", "auto")
    work = webhooks.Work(seconds, memberships, events, payments, database_url)
    report = webhooks.bench(work, only or tuple(webhooks.PARTS))
    base.show(report.document(), report.lines(), as_json=as_json)
    if not report.met:
        sys.exit(base.FAILED)


@base.command("actions")
@click.option("--purchases", type=click.IntRange(2), default=200, show_default=True)
@click.option(
    "--rate", type=click.FloatRange(0.1), default=4.0, show_default=True, help="Purchases a second."
)
@click.option("--members", type=click.IntRange(20), default=200, show_default=True)
def actions_command(purchases: int, rate: float, members: int, *, as_json: bool) -> None:
    """How soon a one-time purchase is cancelled on Whop, and what that costs the acknowledgement of webhooks.

    Example: flask bench actions --purchases 20
    """
    logs.configure("WARNING", "auto")
    report = actions.bench(purchases, rate, members)
    base.show(report.document(), report.lines(), as_json=as_json)
    if not report.met:
        sys.exit(base.FAILED)


@base.command("chaos")
@click.option("--minutes", type=click.FloatRange(0.1), default=10.0, show_default=True)
@click.option("--members", type=click.IntRange(20), default=100, show_default=True)
@click.option("--seed", default=1, show_default=True, help="The same seed, the same misfortunes.")
def chaos_command(minutes: float, members: int, seed: int, *, as_json: bool) -> None:
    """Break everything that can break while members join, pay and cancel; then see that nothing was lost.

    Example: flask chaos --minutes 2
    """
    logs.configure("CRITICAL", "auto")
    report = chaos.run(minutes, seed, members)
    base.show(report.document(), report.lines(), as_json=as_json)
    if not report.met:
        sys.exit(base.FAILED)


bench_group.add_command(sync_command)
bench_group.add_command(source_command)
bench_group.add_command(incremental_command)
bench_group.add_command(mapping_command)
bench_group.add_command(crm_command)
bench_group.add_command(pages_command)
bench_group.add_command(webhooks_command)
bench_group.add_command(actions_command)
COMMANDS = (bench_group, chaos_command)
