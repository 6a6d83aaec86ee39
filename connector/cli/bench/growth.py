"""What a full sync costs by the number of memberships: time that grows with them, memory that does not.

Each size has an installation of its own, so that a worker's largest memory is that of its one sync. There is
one member for ten memberships, at every size, so that the mixture is the same.

Whop's limit of 600 requests a minute would hide all of that: the payments of 10,000 memberships are read
before it is reached, those of 100,000 wait for it. So the sandbox has none here, and none is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from connector.cli import processes, stage
from connector.cli.bench import sync, usage
from connector.cli.bench.report import Report
from connector.cli.stage import Size, Stage
from connector.core.outcomes import sum_of

SIZES = (10_000, 30_000, 100_000)
_FOR_EACH = 10
_SLOWER, _LARGER = 1.25, 1.15


class Cost(NamedTuple):
    """One size: milliseconds for each record, by the clock and of the workers, and their memory in MB."""

    millis: float
    cpu_millis: float
    memory: float


def measure(report: Report, sizes: Sequence[int]) -> None:
    """Measure each of these sizes, and the largest beside the smallest."""
    costs = {}
    for memberships in sorted(set(sizes)):
        size = Size(memberships // _FOR_EACH, memberships, limits=False)
        with sync.installation(size) as (supervisor, set_up):
            cost = stage.meanwhile(supervisor, partial(_measured, report, supervisor, set_up, memberships))
        if cost is not None:
            costs[memberships] = cost
    if len(costs) > 1:
        few, many = costs[min(costs)], costs[max(costs)]
        named = f"{max(costs):,} beside {min(costs):,}"
        report.add(f"{named}: time for each record", many.millis / few.millis, "x", ("<=", _SLOWER))
        report.add(f"{named}: a worker's memory", many.memory / few.memory, "x", ("<=", _LARGER))


def _measured(report: Report, supervisor: processes.Supervisor, set_up: Stage, memberships: int) -> Cost:
    with stage.parts(set_up) as parts:
        _, connection = stage.connect(parts, set_up, "bench")
        one = sync.run(parts, supervisor, connection)
        records = sum_of(one.run.counts)
        memory = usage.most_resident(sync.workers(supervisor))
    named = f"{memberships:,} memberships"
    report.add(f"{named}: records", records, "records")
    report.add(f"{named}: from start to end", one.seconds, "s")
    cost = Cost(one.seconds / records * 1000, one.cpu / records * 1000, memory)
    report.add(f"{named}: time for each record", cost.millis, "ms")
    report.add(f"{named}: CPU for each record", cost.cpu_millis, "ms")
    report.add(f"{named}: a worker's memory at its most", cost.memory, "MB")
    return cost
