"""``flask bench incremental``: an hour in which nothing changed, one in which a few things did, and a
comparison of everything.

Every process is real. What is counted is what the services counted: requests to Whop, writes to the CRM.
Our own time is the CPU of the workers.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from connector import logs
from connector.bootstrap import Parts
from connector.cli import processes, stage
from connector.cli.bench import usage
from connector.cli.bench.report import Report
from connector.cli.stage import Size, Stage
from connector.core.outcomes import Result, sum_of
from connector.core.reconciling import share
from connector.errors import RefusedError
from connector.store import reconciliations, runs
from connector.store.connections import Connection
from connector.store.reconciliations import Reconciliation
from connector.store.runs import Run
from connector.sync import onboarding, reconciling

T = TypeVar("T")

_PORTS = {"web": 0, "whop": 0, "twenty": 0}
_WRITES = ("create", "update", "delete", "destroy", "restore")
_MOST_REQUESTS, _MOST_SECONDS, _MOST_GROWTH = 220, 30, 50
_CHANGED = 25


@dataclass(frozen=True, slots=True)
class Cost:
    """Wall and CPU seconds, and what the services counted meanwhile, by operation."""

    seconds: float
    cpu: float
    whop: Counter[str]
    crm: Counter[str]

    @property
    def writes(self) -> int:
        """Requests that change something in the CRM."""
        return sum(number for name, number in self.crm.items() if name.startswith(_WRITES))


@dataclass(frozen=True, slots=True)
class Site:
    """A running installation, connected."""

    parts: Parts
    supervisor: processes.Supervisor
    set_up: Stage
    connection: Connection

    @property
    def workers(self) -> list[int]:
        """Their process ids."""
        return [pid for name, pid in self.supervisor.pids().items() if name.startswith("worker")]


def bench(members: int, memberships: int) -> Report:
    """Measure an unchanged hour, then one with changes that no webhook told, then a comparison."""
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
        site = Site(parts, supervisor, set_up, connection)
        _measure_quiet(report, site)
        _measure_busy(report, site)
        _measure_comparison(report, site)


def _measure_quiet(report: Report, site: Site) -> None:
    run, cost = _measured(site, lambda: _hour(site))
    report.add("unchanged hour: records looked at", sum_of(run.counts), "records")
    report.add("unchanged hour: Whop requests", cost.whop.total(), "requests", ("<=", _MOST_REQUESTS))
    _add_operations(report, cost)
    report.add("unchanged hour: CRM writes", cost.writes, "requests", ("<=", 0))
    report.add("unchanged hour: our own time", cost.cpu, "s", ("<=", _MOST_SECONDS))
    report.add("unchanged hour: from start to end", cost.seconds, "s")


def _measure_busy(report: Report, site: Site) -> None:
    changed = _change(site.parts, site.set_up)
    run, cost = _measured(site, lambda: _hour(site))
    found = sum_of(run.counts, Result.UPDATED)
    report.add("an hour with changes: changed on Whop", changed, "records")
    report.add("an hour with changes: found", found, "records", (">=", changed))
    report.add("an hour with changes: Whop requests", cost.whop.total(), "requests")
    verdict = stage.audit(site.parts, site.set_up, site.connection, stage.told(site.parts, run))
    report.add("afterwards: differences between both sides", len(verdict.differences), "fields", ("<=", 0))


def _measure_comparison(report: Report, site: Site) -> None:
    """Of every record with its CRM record as it is, by workers, as every night."""
    before = usage.resident(site.workers)
    one, cost = _measured(site, lambda: _comparison(site))
    compared = sum(sum(of.values()) for of in one.counts.values())
    in_step = 100 * (share(one.counts) or 0) if one.status == "done" else 0
    report.add("comparison: records", compared, "records")
    report.add("comparison: in step", in_step, "%", (">=", 100))
    report.add("comparison: from start to end", cost.seconds, "s")
    report.add("comparison: our own time", cost.cpu, "s")
    report.add("comparison: Whop requests", cost.whop.total(), "requests")
    _add_operations(report, cost)
    report.add("comparison: CRM requests", cost.crm["total"], "requests")
    report.add("comparison: CRM writes", cost.writes, "requests", ("<=", 0))
    growth = usage.resident(site.workers) - before
    report.add("comparison: growth of a worker's memory", growth, "MB", ("<=", _MOST_GROWTH))


def _add_operations(report: Report, cost: Cost) -> None:
    for operation, number in cost.whop.most_common():
        report.add(f"  of these {operation}", number, "requests")


def _measured(site: Site, work: Callable[[], T]) -> tuple[T, Cost]:
    pids, started = site.workers, time.monotonic()
    cpu, whop, crm = usage.cpu_seconds(pids), _whop_requests(site), _crm_requests(site)
    done = work()
    seconds, spent = time.monotonic() - started, usage.cpu_seconds(pids) - cpu
    return done, Cost(seconds, spent, _whop_requests(site) - whop, _crm_requests(site) - crm)


def _hour(site: Site) -> Run:
    parts, words = site.parts, {"why": "A bench", "correlation_id": logs.new_correlation_id()}
    while True:
        try:
            run_id = onboarding.start_sync(parts.tools, site.connection, "incremental", **words)
            break
        except RefusedError as error:  # what ended without an event is looked at by the clock
            if error.code != "run_active":
                raise
            time.sleep(0.1)
    with parts.database.reading() as session:
        run = runs.by_id(session, run_id)
    return _ended(parts, run)


def _comparison(site: Site) -> Reconciliation:
    parts, reference = site.parts, logs.new_correlation_id()
    id_ = reconciling.start(parts.tools, site.connection, why="A bench", correlation_id=reference)
    while True:
        with parts.database.reading() as session:
            one = reconciliations.by_id(session, id_)
        if not one.active:
            return one
        time.sleep(0.1)


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


def _whop_requests(site: Site) -> Counter[str]:
    door = site.parts.door.session(site.set_up.address("whop"))
    counted = door.request("GET", "/sandbox/stats").json()["requests"]
    return Counter({name: number for name, number in counted.items() if name != "total"})


def _crm_requests(site: Site) -> Counter[str]:
    session = stage.crm_session(site.parts, site.set_up)
    return Counter(session.request("GET", "/sandbox/stats").json()["requests"])
