"""Commands that measure."""

from __future__ import annotations

import sys

import click

from connector import logs
from connector.cli import base
from connector.cli.bench import sync


@click.group("bench")
def bench_group() -> None:
    """Measure, each figure beside its goal; exits 1 where a goal is missed."""


@base.command("sync")
@click.option("--members", default=10_000, show_default=True)
@click.option("--memberships", default=10_000, show_default=True)
@click.option("--many", default=100_000, show_default=True, help="Memberships of the memory part; 0: none.")
def sync_command(members: int, memberships: int, many: int, *, as_json: bool) -> None:
    """A full sync, the same again unchanged, and the workers' memory with many memberships.

    Example: flask bench sync --many 0
    """
    logs.configure("WARNING", "auto")
    report = sync.bench(members, memberships, many)
    base.show(report.document(), report.lines(), as_json=as_json)
    if not report.met:
        sys.exit(base.FAILED)


bench_group.add_command(sync_command)
COMMANDS = (bench_group,)
