"""``flask bench incremental``: an hour in which nothing changed, and one in which a few things did.

Every process is real. What is counted is what the services counted: requests to Whop, writes to the CRM.
Our own time is the CPU of the workers.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from connector import logs
from connector.bootstrap import Parts
from connector.cli import processes, stage
from connector.cli.bench import usage
from connector.cli.bench.report import Report
from connector.cli.stage import Size, Stage
from connector.core.outcomes import Result, sum_of
from connector.store import runs
from connector.store.connections import Connection
from connector.store.runs import Run
from connector.sync import onboarding

_PORTS = {"web": 0, "whop": 0, "twenty": 0}
_WRITES = ("create", "update", "delete", "destroy", "restore")
_MOST_REQUESTS, _MOST_SECONDS = 220, 30
_CHANGED = 25


@dataclass(frozen=True, slots=True)
class Hour:
    """One incremental sync: how it ended, wall and CPU seconds, and what the services counted meanwhile."""

    run: Run
    seconds: float
    cpu: float
    whop: int
    writes: int


def bench(members: int, memberships: int) -> Report:
    """Measure an unchanged hour, then one with changes that no webhook told."""
    report = Report("incremental")
    with _installation(Size(members, memberships, limits=False)) as (supervisor, set_up):
        stage.meanwhile(supervisor, partial(_measure, report, supervisor, set_up))
    return report


@contextmanager
def _installation(size: Size) -> Iterator[tuple[processes.Supervisor, Stage]]:
    with ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        lock = stack.enter_context(processes.DataLock(data))
        supervisor = stack.enter_context(processes.Supervisor(data / "logs", lock=lock))
        set_up = stack.enter_context(stage.set_up(data, _PORTS))
        if not supervisor.start_all(set_up.children(size)):
            raise SystemExit(130)
        yield supervisor, set_up


def _measure(report: Report, supervisor: processes.Supervisor, set_up: Stage) -> None:
    with stage.parts(set_up) as parts:
        _, connection = stage.connect(parts, set_up, "bench")
        _ended(parts, stage.start(parts, connection, "A bench"))
        hour = partial(_hour, parts, supervisor, set_up, connection)
        quiet = hour()
        report.add("unchanged hour: records looked at", sum_of(quiet.run.counts), "records")
        report.add("unchanged hour: Whop requests", quiet.whop, "requests", ("<=", _MOST_REQUESTS))
        report.add("unchanged hour: CRM writes", quiet.writes, "requests", ("<=", 0))
        report.add("unchanged hour: our own time", quiet.cpu, "s", ("<=", _MOST_SECONDS))
        report.add("unchanged hour: from start to end", quiet.seconds, "s")
        changed = _change(parts, set_up)
        busy = hour()
        found = sum_of(busy.run.counts, Result.UPDATED)
        report.add("an hour with changes: changed on Whop", changed, "records")
        report.add("an hour with changes: found", found, "records", (">=", changed))
        report.add("an hour with changes: Whop requests", busy.whop, "requests")
        verdict = stage.audit(parts, set_up, connection, stage.told(parts, busy.run))
        report.add(
            "afterwards: differences between both sides", len(verdict.differences), "fields", ("<=", 0)
        )


def _hour(parts: Parts, supervisor: processes.Supervisor, set_up: Stage, connection: Connection) -> Hour:
    pids = [pid for name, pid in supervisor.pids().items() if name.startswith("worker")]
    before = _whop_requests(parts, set_up), _crm_writes(parts, set_up)
    cpu, started = usage.cpu_seconds(pids), time.monotonic()
    run_id = onboarding.start_sync(
        parts.tools, connection, "incremental", why="A bench", correlation_id=logs.new_correlation_id()
    )
    with parts.database.reading() as session:
        run = runs.by_id(session, run_id)
    run = _ended(parts, run)
    seconds, spent = time.monotonic() - started, usage.cpu_seconds(pids) - cpu
    after = _whop_requests(parts, set_up), _crm_writes(parts, set_up)
    return Hour(run, seconds, spent, after[0] - before[0], after[1] - before[1])


def _ended(parts: Parts, run: Run) -> Run:
    while run.active:
        time.sleep(0.1)
        with parts.database.reading() as session:
            run = runs.by_id(session, run.id)
    return run


def _change(parts: Parts, set_up: Stage) -> int:
    """Memberships that are to end with their period now, which no list puts in order."""
    door = parts.door.session(set_up.address("whop"))
    listed = door.request("GET", "/sandbox/records/memberships").json()
    wanted = [one for one in listed if one["status"] == "active" and not one["cancel_at_period_end"]]
    chosen = wanted[:: max(1, len(wanted) // _CHANGED)][:_CHANGED]
    for one in chosen:
        door.request(
            "PATCH", f"/sandbox/records/memberships/{one['id']}", json={"cancel_at_period_end": True}
        )
    return len(chosen)


def _whop_requests(parts: Parts, set_up: Stage) -> int:
    counted = parts.door.session(set_up.address("whop")).request("GET", "/sandbox/stats").json()
    return int(counted["requests"]["total"])


def _crm_writes(parts: Parts, set_up: Stage) -> int:
    session = stage.crm_session(parts, set_up)
    counted: Mapping[str, int] = session.request("GET", "/sandbox/stats").json()["requests"]
    return sum(number for name, number in counted.items() if name.startswith(_WRITES))
