"""Many events at once: from the delivery to the CRM, in a burst, with payments, and with workers that die.

What is checked is checked by others: the auditor of ``agreement`` compares both services field by field, and
sums are made of what Whop lists, in plain Python.
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal

from connector.cli import agreement, stage
from connector.cli.bench import hooked
from connector.cli.bench.figures import percentile
from connector.cli.bench.hooked import Hooked, Json
from connector.cli.bench.posting import Sent
from connector.cli.bench.report import Report
from connector.core.sales import roll_up
from connector.errors import ConnectorError
from connector.store import sales

_AT_ONCE = 16
_STATUSES = ("past_due", "active", "canceling", "trialing")
_MOST_REQUESTS = 150
_FIRST = 1.0  # seconds until the first kill: a small burst is soon through
_PAUSE = 3.0  # seconds between two kills: a worker that never lives is given up by its supervisor
_SOMETIMES = 5.0
_KILLS = 8
_PAYMENTS_EACH = 5
_IDS = re.compile(r"(?:pay|mem)_\w+")

Sums = dict[tuple[str, str], Decimal]


# --- one after the other, as they come


def until_written(
    report: Report, found: Hooked, bodies: Sequence[Json], *, rate: float, at: str, most: float
) -> None:
    """Seconds from the moment an event is due to be delivered until its record is in line in the CRM."""
    sent = found.post(bodies, rate=rate)
    found.settle()
    events = found.events()
    seconds = [
        settled.timestamp() - one.due for one in sent if (settled := events[one.id].settled_at) is not None
    ]
    report.add(f"{at}: delivery to CRM record, p50", percentile(seconds, 50), "s")
    report.add(f"{at}: delivery to CRM record, p99", percentile(seconds, 99), "s", ("<=", most))
    _report_ends(report, found, sent, at)


# --- a burst


def burst(report: Report, found: Hooked, number: int, *, at: str, kills: bool = False) -> None:
    """Everything at once, a fifth of it twice, in no order; on Whop all of it has happened already."""
    dice = random.Random(1)  # noqa: S311 - the same order each time
    told_by = {entry.source_id for entry in stage.told(found.parts, found.sync())}
    rows = _rows(found)
    bodies = _changes(found, number)
    deliveries = [*bodies, *dice.sample(bodies, number // 5)]
    dice.shuffle(deliveries)
    before, started = _crm_requests(found), time.monotonic()
    if kills:
        with _killing(found, dice) as killed:
            sent = found.post(deliveries, at_once=_AT_ONCE)
            found.settle()
        report.add(f"{at}: workers killed, and Redis flushed once", len(killed), "kills", (">=", 1))
    else:
        sent = found.post(deliveries, at_once=_AT_ONCE)
        posted = time.monotonic() - started
        found.settle()
        report.add(f"{at}: deliveries accepted", len(sent) / posted, "a second")
    seconds, asked = time.monotonic() - started, _crm_requests(found) - before
    report.add(f"{at}: from the first delivery to the last record", seconds, "s")
    report.add(f"{at}: CRM requests", asked, "requests", None if kills else ("<=", _MOST_REQUESTS))
    _report_ends(report, found, sent, at)
    kept = len(found.events())
    report.add(f"{at}: events kept", kept, "events", ("==", number), f"of {len(deliveries)} deliveries")
    report.add(f"{at}: CRM records more than before", _rows(found) - rows, "records", ("==", 0))
    _report_differences(report, found, told_by, at)


def _changes(found: Hooked, number: int) -> list[Json]:
    """So many changes, going round the memberships, and what tells of them."""
    ids = [one["id"] for one in found.whop("GET", "/records/memberships") if one["status"] != "drafted"]
    happenings = [
        {
            "what": "change_membership",
            "id": ids[place % len(ids)],
            "status": _STATUSES[place // len(ids) % len(_STATUSES)],
        }
        for place in range(number)
    ]
    return [
        body
        for start in range(0, number, 500)
        for body in hooked.told(found, happenings[start : start + 500])
    ]


@contextmanager
def _killing(found: Hooked, dice: random.Random) -> Iterator[list[str]]:
    """Workers die meanwhile, one at a time, and once everything in Redis is gone."""
    stop, killed = threading.Event(), list[str]()

    def kill() -> None:
        names = [name for name in found.supervisor.pids() if name.startswith("worker")]
        pause = _FIRST
        while len(killed) < _KILLS and not stop.wait(pause):
            pause = _PAUSE + dice.random() * _SOMETIMES
            killed.append(dice.choice(names))
            found.supervisor.kill(killed[-1])
            if len(killed) == 2:
                found.parts.redis.flushall()

    with ThreadPoolExecutor(1) as aside:
        killing = aside.submit(kill)
        try:
            yield killed
        finally:
            stop.set()
            killing.result()


def _rows(found: Hooked) -> int:
    crm = stage.crm_session(found.parts, found.stage)
    return sum(
        len(agreement.crm_rows(crm, name, "id")) for name in ("people", "whopProducts", "opportunities")
    )


def _crm_requests(found: Hooked) -> int:
    """What the CRM was asked so far, data model included."""
    asked = stage.crm_session(found.parts, found.stage).request("GET", "/sandbox/stats").json()["requests"]
    return int(asked["total"])


# --- payments


def payments(report: Report, found: Hooked, number: int) -> None:
    """Each is seen three times: by its event, by the event's repeat, and by a full sync."""
    found.sync()
    found.switch_notes_on()
    ids = [one["id"] for one in found.whop("GET", "/records/memberships") if one["status"] == "active"]
    paying = ids[: max(1, number // _PAYMENTS_EACH)]
    happenings = [{"what": "pay", "id": paying[place % len(paying)]} for place in range(number)]
    bodies = [one for one in hooked.told(found, happenings) if one["type"] == "payment.succeeded"]
    sent = found.post([*bodies, *bodies], at_once=_AT_ONCE)
    found.settle()
    _report_ends(report, found, sent, "payments")
    wanted = _sums_of_whop(found)
    report.add("payments: paid on Whop", len(bodies), "payments", ("==", number))
    report.add("payments: wrong totals after the events", _wrong(found, wanted, paying), "sums", ("==", 0))
    found.sync()
    report.add("payments: wrong totals after the sync", _wrong(found, wanted, paying), "sums", ("==", 0))
    _report_dates(report, found, paying)
    report_notes(report, found, "payments", {one["data"]["id"] for one in bodies})


def _sums_of_whop(found: Hooked) -> Sums:
    """What was paid for each membership, in each currency."""
    sums: Sums = {}
    for one in _listed(found):
        if one["status"] == "paid":
            key = (one["membership_id"], one["total"]["currency"])
            sums[key] = sums.get(key, Decimal()) + Decimal(one["total"]["amount"])
    return sums


def _listed(found: Hooked) -> list[Json]:
    whop = stage.whop_session(found.parts, found.stage)
    return [dict(one) for one in agreement.whop_records(whop, "payments", found.connection.company_id)]


def _wrong(found: Hooked, wanted: Sums, ids: Sequence[str]) -> int:
    """How many sums of these memberships, as they are added up for mappings, are not what Whop lists."""
    of = found.connection
    with found.parts.database.reading() as session:
        kept = sales.paid(session, of.workspace_id, of.id, ids)
    ours = {
        (id_, currency): Decimal(sums["total_paid"]["amount"])
        for id_, paid in kept.items()
        for currency, sums in roll_up(paid)["by_currency"].items()
    }
    theirs = {key: amount for key, amount in wanted.items() if key[0] in set(ids) and amount}
    return sum(ours.get(key) != theirs.get(key) for key in {*ours, *theirs})


def _report_dates(report: Report, found: Hooked, ids: Sequence[str]) -> None:
    """The date of the last payment as it stands in the CRM."""
    last: dict[str, str] = {}
    for one in _listed(found):
        if one["status"] == "paid" and Decimal(one["total"]["amount"]) and one["membership_id"] in set(ids):
            last[one["membership_id"]] = max(one["paid_at"], last.get(one["membership_id"], ""))
    crm = stage.crm_session(found.parts, found.stage)
    rows = agreement.crm_rows(crm, "opportunities", "whopMembershipId whopLastPaymentDate")
    there = {row["whopMembershipId"]: row["whopLastPaymentDate"] for row in rows}
    wrong = sum(there.get(id_) != at for id_, at in last.items())
    report.add(
        "payments: wrong dates of the last payment in the CRM", wrong, "dates", ("==", 0), f"of {len(last)}"
    )


# --- what all of them report


def with_contact(found: Hooked) -> set[str]:
    """The memberships whose person is in the CRM: some wait for somebody to decide who it is."""
    crm = stage.crm_session(found.parts, found.stage)
    rows = agreement.crm_rows(crm, "opportunities", "whopMembershipId pointOfContactId")
    return {row["whopMembershipId"] for row in rows if row["pointOfContactId"]}


def report_notes(report: Report, found: Hooked, at: str, about: set[str]) -> None:
    """Exactly one note about each of these ids, and no other."""
    crm = stage.crm_session(found.parts, found.stage)
    texts = [row["bodyV2"]["markdown"] for row in agreement.crm_rows(crm, "notes", "bodyV2{markdown}")]
    named = Counter(id_ for text in texts for id_ in _IDS.findall(text.replace("\\", "")) if id_ in about)
    wrong = sum(named[id_] != 1 for id_ in about) + len(texts) - named.total()
    report.add(
        f"{at}: notes that are missing, doubled or of nothing", wrong, "notes", ("==", 0), f"of {len(about)}"
    )


def _report_ends(report: Report, found: Hooked, sent: Sequence[Sent], at: str) -> None:
    refused = sum(not 200 <= one.status < 300 for one in sent)
    report.add(f"{at}: answers other than 2xx", refused, "answers", ("<=", 0), f"of {len(sent)}")
    undone = [one for one in found.events().values() if one.state != "done"]
    why = " ".join(sorted({f"{one.state} {(one.error or {}).get('code', one.reason)}" for one in undone}))
    report.add(f"{at}: events that are not done", len(undone), "events", ("<=", 0), why)


def _report_differences(report: Report, found: Hooked, told_by: set[str], at: str) -> None:
    whop, crm = (of(found.parts, found.stage) for of in (stage.whop_session, stage.crm_session))
    verdict = agreement.audit(whop, crm, found.connection.company_id, set_aside=told_by.__contains__)
    if not verdict.compared["membership"]:
        raise ConnectorError("Nothing was compared.", code="bench")
    report.add(f"{at}: differences between both sides", len(verdict.differences), "fields", ("<=", 0))
