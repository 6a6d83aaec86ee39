"""``flask bench crm``: writing into a CRM with the limits and the times of a recorded server.

The floor of a sync is what its requests alone take: the wait for tokens, or the sum of the answers,
whichever is longer, for the writes and a dozen look-ups.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from connector.bootstrap import Parts
from connector.cli import processes, stage
from connector.cli.bench import batches, lanes, usage
from connector.cli.bench.report import Report
from connector.cli.stage import Size, Stage
from connector.core.outcomes import Result, sum_of
from connector.store import runs
from connector.store.connections import Connection
from connector.store.runs import Run

_PORTS = {"web": 0, "whop": 0, "twenty": 0}
_SANDBOXES = ("redis", "sandbox-whop", "sandbox-twenty")
_LOOK_UPS = 12
_ENOUGH = 4_000  # records, to know the CPU of a batch
#: Seconds of a recorded server per row that it created; of a request; the token bucket's size and pace.
_ANSWER = {"person": 0.70 / 200, "opportunity": 0.63 / 200}
_CALL, _BUCKET, _TOKEN = 0.005, 100, 0.6


@dataclass(frozen=True, slots=True)
class Work:
    """How many records to write."""

    people: int
    opportunities: int


@dataclass(frozen=True, slots=True)
class Floor:
    """What the requests alone would take, in seconds."""

    tokens: float
    answers: float

    @classmethod
    def of(cls, written: dict[str, int], cap: int) -> Floor:
        """For so many new rows of each object, in full requests."""
        requests = sum(math.ceil(rows / cap) for rows in written.values()) + _LOOK_UPS
        rows = sum(count * _ANSWER.get(name, 0.60 / 200) for name, count in written.items())
        return cls(max(0, requests - _BUCKET) * _TOKEN, rows + requests * _CALL)

    @property
    def seconds(self) -> float:
        """The longer of the two."""
        return max(self.tokens, self.answers)


def bench(work: Work, only: Collection[str]) -> Report:
    """Measure the parts of these names, in their order."""
    report = Report("crm")
    for name, part in PARTS.items():
        if name in only:
            part(report, work)
    return report


# --- a full sync at the limit


def _sync(cap: int, report: Report, work: Work) -> None:
    size = Size(work.people, work.opportunities, crm=("--recorded-times", "--batch-cap", str(cap)))
    with _installation(size) as (supervisor, set_up, parts):
        stage.meanwhile(supervisor, partial(_measure_sync, report, parts, set_up, supervisor, cap))


def _measure_sync(
    report: Report, parts: Parts, set_up: Stage, supervisor: processes.Supervisor, cap: int
) -> None:
    _, connection = stage.connect(parts, set_up, "bench")
    before = _stats(parts, set_up)
    run, seconds, cpu = _run(parts, supervisor, connection)
    written = {name: of.get(Result.CREATED, 0) for name, of in run.counts.items()}
    floor, at = Floor.of(written, cap), f"at {cap} a request"
    report.add(f"sync {at}: records written", sum_of(run.counts, Result.CREATED), "records")
    report.add(f"sync {at}: floor by tokens", floor.tokens, "s")
    report.add(f"sync {at}: floor by answers", floor.answers, "s")
    report.add(f"sync {at}: time", seconds, "s", ("<=", 300))
    report.add(f"sync {at}: time, times the floor", seconds / floor.seconds, "x", ("<=", 1.10))
    _report_requests(report, at, before, _stats(parts, set_up), written, cap)
    records = sum_of(run.counts)
    report.add(
        f"sync {at}: workers' CPU for 200 records", cpu / records * 200_000, "ms", note="the whole road"
    )
    verdict = stage.audit(parts, set_up, connection, stage.told(parts, run))
    report.add(f"sync {at}: differences between both sides", len(verdict.differences), "fields", ("<=", 0))


def _report_requests(
    report: Report, at: str, before: Any, after: Any, written: dict[str, int], cap: int
) -> None:
    made = {name: count - before.get(name, 0) for name, count in after.items()}
    writes = sum(count for name, count in made.items() if name.startswith("create"))
    full = sum(math.ceil(rows / cap) for rows in written.values())
    looks = sum(made.get(name, 0) for name in ("people", "opportunities", "whopProducts"))
    report.add(f"sync {at}: writing requests", writes, "requests", note=f"{full} if all were full")
    report.add(f"sync {at}: look-ups", looks, "requests")
    report.add(f"sync {at}: refused for the limit", made.get("refused", 0), "requests")


def _run(parts: Parts, supervisor: processes.Supervisor, connection: Connection) -> tuple[Run, float, float]:
    """The run that ended, its seconds, and the CPU seconds of all workers in it."""
    pids = [pid for name, pid in supervisor.pids().items() if name.startswith("worker")]
    cpu, started = usage.cpu_seconds(pids), time.monotonic()
    run = stage.start(parts, connection, "A bench")
    while run.active:
        time.sleep(0.1)
        with parts.database.reading() as session:
            run = runs.get(session, run.workspace_id, run.id)
    return run, time.monotonic() - started, usage.cpu_seconds(pids) - cpu


def _stats(parts: Parts, set_up: Stage) -> dict[str, int]:
    """The CRM's own count of requests by operation."""
    asked: dict[str, int] = (
        stage.crm_session(parts, set_up).request("GET", "/sandbox/stats").json()["requests"]
    )
    return asked


# --- webhooks beside a full sync


def _lanes(report: Report, _work: Work) -> None:
    size = Size(lanes.RECORDS, lanes.RECORDS, crm=("--batch-cap", str(lanes.CAP)))
    with _installation(size) as (supervisor, set_up, parts):
        stage.meanwhile(supervisor, partial(lanes.measure, report, parts, set_up))


# --- the writer alone


def _batch(report: Report, work: Work) -> None:
    size = Size(min(work.people, _ENOUGH), min(work.opportunities, _ENOUGH), limits=False)
    _beside_sandboxes(size, partial(batches.report_cpu, report))


def _bad(report: Report, work: Work) -> None:
    _beside_sandboxes(Size(1, 1, limits=False), partial(batches.report_bad, report, work.people))


def _beside_sandboxes(size: Size, measure: Callable[[Parts, Stage], None]) -> None:
    with _installation(size, _SANDBOXES) as (supervisor, set_up, parts):
        stage.meanwhile(supervisor, partial(measure, parts, set_up))


@contextmanager
def _installation(
    size: Size, names: Sequence[str] = ()
) -> Iterator[tuple[processes.Supervisor, Stage, Parts]]:
    """Running, with all processes or only those of these names."""
    with ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        lock = stack.enter_context(processes.DataLock(data))
        supervisor = stack.enter_context(processes.Supervisor(data / "logs", lock=lock))
        set_up = stack.enter_context(stage.set_up(data, _PORTS))
        children = [one for one in set_up.children(size) if not names or one.name in names]
        if not supervisor.start_all(children):
            raise SystemExit(130)
        yield supervisor, set_up, stack.enter_context(stage.parts(set_up))


PARTS: dict[str, Callable[[Report, Work], None]] = {
    "sync200": partial(_sync, 200),
    "sync60": partial(_sync, 60),
    "lanes": _lanes,
    "batch": _batch,
    "bad": _bad,
}
"""What there is to measure, by the names of ``--only``."""
