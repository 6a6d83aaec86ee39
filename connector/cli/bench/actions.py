"""``flask bench actions``: how soon a one-time purchase is cancelled on Whop, and what that costs the door.

The same deliveries come in while the automation is off and while it is on, in turns, so that what else the
machine does falls on both.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial

from connector.cli import stage
from connector.cli.bench import hooked
from connector.cli.bench.figures import percentile
from connector.cli.bench.hooked import Hooked, Json
from connector.cli.bench.posting import Sent
from connector.cli.bench.report import Report
from connector.cli.stage import Size
from connector.sources.whop.acting import PERMISSIONS, READ
from connector.store import acts
from connector.store.acts import Act, ActFilter
from connector.store.paging import NEWEST, Place
from connector.sync import switching

_NAME = "one_time_purchases"
_MOST = 10.0
_UNCHANGED = 1.5
_PATIENCE = 120.0
_TURNS = 2


def bench(purchases: int, rate: float, members: int) -> Report:
    """So many purchases with the automation on, so many a second, and as many with it off."""
    report = Report("actions")
    with hooked.installation(Size(members, members, limits=False)) as found:
        stage.meanwhile(found.supervisor, partial(_measure, report, found, purchases, rate))
    return report


def _measure(report: Report, found: Hooked, purchases: int, rate: float) -> None:
    found.sync()
    plan = next(one["id"] for one in found.whop("GET", "/records/plans") if one["plan_type"] == "one_time")
    found.post(_deliveries(found, plan, 5), rate=20)  # connections, compiled statements, imports
    off, on, each = list[Sent](), list[Sent](), max(1, purchases // _TURNS)
    for turn in range(_TURNS):
        off += found.post(_deliveries(found, plan, each), rate=rate * 4, seed=turn)
        found.settle()
        needs = (*(needed.name for needed in PERMISSIONS["cancel"]), *READ)
        switching.switch_on(found.parts.acts, found.connection, _NAME, {plan: plan}, needs)
        on += found.post(_deliveries(found, plan, each), rate=rate * 4, seed=turn)
        _wait(found, each * (turn + 1))
        switching.switch_off(found.parts.acts, found.connection, _NAME)
    _tell(report, found, _every(found), off, on)


def _deliveries(found: Hooked, plan: str, purchases: int) -> list[Json]:
    """What tells of so many purchases: four deliveries each."""
    return hooked.told(found, [{"what": "join", "plan_id": plan} for _ in range(purchases)])


def _wait(found: Hooked, number: int) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        ended = [one for one in _every(found) if one.ended_at is not None]
        if len(ended) >= number:
            return
        time.sleep(0.2)


def _every(found: Hooked) -> list[Act]:
    all_, place = list[Act](), NEWEST
    while True:
        with found.parts.database.reading() as session:
            leaf = acts.page(session, found.connection.workspace_id, ActFilter(), place, limit=500)
        all_ += leaf.items
        if leaf.older is None:
            return all_
        place = Place(before=leaf.older)


def _tell(report: Report, found: Hooked, made: Sequence[Act], off: list[Sent], on: list[Sent]) -> None:
    events = {one.id: one.event_id for one in found.events().values()}
    due = {one.id: one.due for one in on}
    took = sorted(_took(made, events, due))
    for percent, goal in ((50, None), (99, ("<=", _MOST)), (100, None)):
        figure = percentile(took, percent) if took else 0.0
        report.add(f"from the webhook to cancelled, p{percent}", figure, "s", goal)
    status = {one["id"]: one["status"] for one in found.whop("GET", "/records/memberships")}
    cancelled = sum(status.get(one.membership_id or "") == "canceled" for one in made)
    paid = len(on) // 4
    report.add("purchases that are cancelled on Whop", cancelled, "of all", ("==", paid), f"of {paid}")
    asked = found.whop("GET", "/stats")["requests"]
    calls = sum(number for name, number in asked.items() if name.endswith("/cancel"))
    report.add("requests to cancel", calls, "requests", ("==", paid), "one for each")
    for name, sent in (("off", off), ("on", on)):
        for percent in (50, 99):
            answered = percentile([one.seconds for one in sent], percent) * 1000
            report.add(f"acknowledgement with the automation {name}, p{percent}", answered, "ms")
    times = percentile([one.seconds for one in on], 99) / percentile([one.seconds for one in off], 99)
    report.add("acknowledgement: p99, on to off", times, "x", ("<=", _UNCHANGED))
    refused = sum(not 200 <= one.status < 300 for one in [*off, *on])
    report.add("answers other than 2xx", refused, "answers", ("<=", 0))


def _took(made: Sequence[Act], events: dict[int | None, str], due: dict[str, float]) -> Iterator[float]:
    """Seconds from when its delivery was due to when Whop had cancelled, of each that was."""
    for one in made:
        began = due.get(events.get(one.event, ""))
        if began is not None and one.state == "done" and one.ended_at is not None:
            yield one.ended_at.timestamp() - began
