"""``flask bench sync``: a full sync through every real process, beside a minimal loop of the same work.

The loop reads the payments too and adds them up, as their sums stand in the opportunities. Records are
members and memberships; what payments cost is counted into them, on both sides.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from connector.bootstrap import Parts
from connector.cli import fleet, processes, stage
from connector.cli.bench import usage
from connector.cli.bench.report import Report
from connector.cli.stage import Size, Stage
from connector.core.outcomes import Result, sum_of
from connector.store import runs
from connector.store.connections import Connection
from connector.store.runs import Run

_PORTS = {"web": 0, "whop": 0, "twenty": 0, "minimal": 0}
_WRITES = ("create", "update", "delete", "destroy", "restore")


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: its end, its wall time, and the CPU seconds of all workers in it."""

    run: Run
    seconds: float
    cpu: float


def measure(report: Report, members: int, memberships: int) -> None:
    """Measure ``members`` and ``memberships``, once fresh and once unchanged."""
    with installation(Size(members, memberships, limits=False)) as (supervisor, set_up):
        stage.meanwhile(supervisor, partial(_measured, report, supervisor, set_up, members + memberships))


@contextmanager
def installation(size: Size) -> Iterator[tuple[processes.Supervisor, Stage]]:
    """All processes, and a second CRM for the minimal loop."""
    with ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        lock = stack.enter_context(processes.DataLock(data))
        supervisor = stack.enter_context(processes.Supervisor(data / "logs", lock=lock))
        set_up = stack.enter_context(stage.set_up(data, _PORTS))
        children = set_up.children(size)
        spare = fleet.sandbox(
            "twenty", set_up.sockets["minimal"], data / "minimal", set_up.env, *size.twenty_options
        )
        if not supervisor.start_all([*children, replace(spare, name="sandbox-minimal", cwd=data)]):
            raise SystemExit(130)
        yield supervisor, set_up


def _measured(report: Report, supervisor: processes.Supervisor, set_up: Stage, records: int) -> None:
    with stage.parts(set_up) as parts:
        _, connection = stage.connect(parts, set_up, "bench")
        loop = _minimal(parts, set_up, connection)
        per_loop = loop["cpu_seconds"] / loop["records"]
        report.add("minimal loop: CPU per record", per_loop * 1000, "ms")
        first = run(parts, supervisor, connection)
        written = sum_of(first.run.counts, Result.CREATED)
        report.add("full sync: records", sum_of(first.run.counts), "records")
        report.add(
            "full sync: records a second, all processes", records / first.seconds, "records/s", (">=", 800)
        )
        _per_record(report, "full sync: CPU per record written", first.cpu / written, per_loop, 4)
        _check(report, parts, set_up, connection, first.run)
        before = _crm_writes(parts, set_up)
        second = run(parts, supervisor, connection)
        report.add("unchanged sync: CRM writes", _crm_writes(parts, set_up) - before, "requests", ("<=", 0))
        report.add("unchanged sync: unchanged", sum_of(second.run.counts, Result.UNCHANGED), "records")
        read = sum_of(second.run.counts)
        _per_record(report, "unchanged sync: CPU per record", second.cpu / read, per_loop, 2)


def _per_record(report: Report, name: str, seconds: float, loop: float, goal: float) -> None:
    report.add(name, seconds * 1000, "ms")
    report.add(f"{name}, times the minimal loop", seconds / loop, "x", ("<=", goal))


def _check(report: Report, parts: Parts, set_up: Stage, connection: Connection, run: Run) -> None:
    """Speed counts for nothing where the CRM is wrong."""
    verdict = stage.audit(parts, set_up, connection, stage.told(parts, run))
    report.add("full sync: differences between both sides", len(verdict.differences), "fields", ("<=", 0))


def workers(supervisor: processes.Supervisor) -> list[int]:
    """Their process ids."""
    return [pid for name, pid in supervisor.pids().items() if name.startswith("worker")]


def run(parts: Parts, supervisor: processes.Supervisor, connection: Connection) -> Measured:
    """A full sync from its start to its end."""
    pids = workers(supervisor)
    cpu, started = usage.cpu_seconds(pids), time.monotonic()
    one = stage.start(parts, connection, "A bench")
    while one.active:
        time.sleep(0.1)
        with parts.database.reading() as session:
            one = runs.get(session, one.workspace_id, one.id)
    return Measured(one, time.monotonic() - started, usage.cpu_seconds(pids) - cpu)


def _crm_writes(parts: Parts, set_up: Stage) -> int:
    counted: Mapping[str, int] = (
        stage.crm_session(parts, set_up).request("GET", "/sandbox/stats").json()["requests"]
    )
    return sum(number for name, number in counted.items() if name.startswith(_WRITES))


def _minimal(parts: Parts, set_up: Stage, connection: Connection) -> dict[str, Any]:
    """The minimal loop's figures; it fills a CRM of its own that has the same data model."""
    key = (set_up.data / "minimal" / "api-key").read_text(encoding="utf-8").strip()
    stage.provision_bare(parts, set_up.address("minimal"), key)
    spec = {
        "whop": set_up.address("whop"),
        "whop_key": set_up.key("whop"),
        "twenty": set_up.address("minimal"),
        "twenty_key": key,
        "company": connection.company_id,
    }
    argv = [sys.executable, "-m", "connector.cli.bench.minimal", json.dumps(spec)]
    done = subprocess.run(argv, cwd=fleet.ROOT, check=True, capture_output=True, text=True)  # noqa: S603
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures
