"""``flask bench mapping``: what it costs to put a record into the CRM's words, and to read the files.

A membership goes through a file of 20 fields and two links, with every kind of line: functions, choices,
texts, money, times. Beside it stands a loop that makes the same number of values by hand, without any check.
Files are read once cold, as a process does when it starts, and then again and again, as an editor does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from connector.bootstrap import files
from connector.cli.bench.figures import percentile
from connector.cli.bench.report import Report
from connector.cli.worker import collect_seldom
from connector.core.mapping import Mapping, map_record
from connector.core.records import Ref, SourceRecord
from connector.crms.twenty.fields import CATALOGUE as CRM
from connector.mapping_files import load_texts, run_tests
from connector.sources.whop.catalogue import CATALOGUE as WHOP

_ROUNDS: Final = 7
_MOST_MICROSECONDS: Final = 40.0
_MOST_MILLISECONDS: Final = 150.0
_FIELDS: Final = 20

FILE: Final = """\
version: 1
source: {kind: membership, only: {status_not: [drafted]}}
target: {object: opportunity}
match: [whopMembershipId]
title: [product.title, product_id]
fields:
  name: {from: [product.title, product_id], using: trim, own: fill}
  amount: {from: [renewal_price, initial_price], using: money}
  stage: {from: status, own: fill, choices: {trialing: Meeting, past_due: Proposal, otherwise: Customer}}
  whopMembershipId: {from: id, type: text, unique: true, label: Membership}
  whopStatus: {from: status, type: select, label: Status, choices: status}
  whopPlanId: {from: plan_id, type: text, label: Plan}
  whopTier: {from: plan_id, type: select, label: Tier,
             choices: {plan_1: Gold, plan_2: Silver, otherwise: No}}
  whopRenewalDate: {from: current_period_end, type: date_time, label: Renewal}
  whopStarted: {from: current_period_start, type: date_time, label: Started}
  whopJoined: {from: created_at, type: date_time, label: Joined}
  whopMonth: {from: created_at, using: month, type: text, label: Month}
  whopCancels: {from: cancel_at_period_end, type: boolean, label: Cancels}
  whopReason: {from: cancellation_reason, using: [trim, {cut: 200}], type: text, label: Reason}
  whopDays: {from: billing_period_days, type: number, label: Days}
  whopManage: {from: manage_url, using: url, type: links, label: Manage}
  whopCollection: {from: collection_method, using: words, type: text, label: Collection}
  whopSummary: {text: "{product.title} ({plan_id})", type: text, label: Summary}
  whopCampaign: {from: metadata.campaign, using: lower, type: text, label: Campaign}
  whopTotalPaid: {from: payments.total_paid, using: money, type: currency, label: Paid}
  whopFailed: {from: payments.failed_count, type: number, label: Failed}
links:
  pointOfContact: {kind: member, id: member_id}
  whopProduct: {kind: product, id: product_id, label: Product}
choices:
  status: {trialing: Active, active: Active, completed: Active, canceling: Active, canceled: Cancelled,
           expired: Expired, past_due: Payment Failed, unresolved: Payment Failed, otherwise: keep}
"""


def bench(records: int, loads: int) -> Report:
    """Measure reading the files, then mapping so many records, ``_ROUNDS`` times each; the best counts."""
    report = Report("mapping")
    collect_seldom()
    cold, shipped = _timed(lambda: files.mappings(""))
    report.add(
        "reading and checking the shipped files, cold",
        cold * 1e3,
        "ms",
        ("<=", _MOST_MILLISECONDS),
        f"{len(shipped)} files",
    )
    again = [_timed(lambda: files.mappings(""))[0] for _ in range(loads)]
    report.add("again, median", percentile(again, 50) * 1e3, "ms", ("<=", _MOST_MILLISECONDS))
    seconds, results = _timed(lambda: [result for one in shipped for result in run_tests(one)])
    report.add("the tests in them", seconds * 1e3, "ms", None, f"{len(results)} tests")
    twenty = load_texts({**shipped.texts, "membership.yaml": FILE}, WHOP, CRM)["membership"]
    _measure(report, twenty, [_record(number) for number in range(records)])
    return report


def _measure(report: Report, mapping: Mapping, records: Sequence[SourceRecord]) -> None:
    mapped = map_record(records[0], mapping)
    values = len(mapped.values) if mapped else 0
    report.add("a membership: fields written", values, "fields", ("==", _FIELDS))
    plain, ours = [], []
    for _ in range(_ROUNDS):
        plain.append(_timed(lambda: [_by_hand(record.fields) for record in records])[0])
        ours.append(_timed(lambda: [map_record(record, mapping) for record in records])[0])
    each, by_hand = min(ours) / len(records) * 1e6, min(plain) / len(records) * 1e6
    report.add("a membership with 20 fields, mapped", each, "us", ("<=", _MOST_MICROSECONDS))
    report.add("20 values by hand, unchecked", by_hand, "us")
    report.add("times by hand", each / by_hand, "x")


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of the work, and what it gave."""
    started = time.process_time()
    made = work()
    return time.process_time() - started, made


def _by_hand(fields: Any) -> dict[str, Any]:
    """What anybody's first script does: as many values, none of them checked."""
    return {
        "name": fields["product"]["title"].strip(),
        "amount": float(fields["renewal_price"]["amount"]),
        "stage": fields["status"].upper(),
        "whopMembershipId": fields["id"],
        "whopStatus": fields["status"].upper(),
        "whopPlanId": fields["plan_id"],
        "whopTier": fields["plan_id"].upper(),
        "whopRenewalDate": fields["current_period_end"],
        "whopStarted": fields["current_period_start"],
        "whopJoined": fields["created_at"],
        "whopMonth": fields["created_at"][:7],
        "whopCancels": fields["cancel_at_period_end"],
        "whopReason": fields["cancellation_reason"].strip()[:200],
        "whopDays": fields["billing_period_days"],
        "whopManage": fields["manage_url"],
        "whopCollection": fields["collection_method"].replace("_", " ").capitalize(),
        "whopSummary": f"{fields['product']['title']} ({fields['plan_id']})",
        "whopCampaign": fields["metadata"]["campaign"].lower(),
        "whopTotalPaid": float(fields["payments"]["total_paid"]["amount"]),
        "whopFailed": fields["payments"]["failed_count"],
    }


def _record(number: int) -> SourceRecord:
    """A membership with everything, none like another."""
    day = f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}T08:00:00.000Z"
    fields = {
        "id": f"mem_{number:014}",
        "status": ("active", "trialing", "canceled", "past_due")[number % 4],
        "product": {"title": f" Gold Circle {number % 50}"},
        "product_id": f"prod_{number % 50:013}",
        "plan_id": f"plan_{number % 9}",
        "member_id": f"mber_{number:013}",
        "renewal_price": {"amount": f"{number % 500}.{number % 100:02}", "currency": "usd"},
        "initial_price": {"amount": "0.00", "currency": "usd"},
        "current_period_start": day,
        "current_period_end": day,
        "created_at": day,
        "cancel_at_period_end": number % 2 == 0,
        "cancellation_reason": f" It is reason number {number}",
        "billing_period_days": 30,
        "manage_url": f"https://whop.com/billing/manage/{number:014}",
        "collection_method": ("charge_automatically", "send_invoice")[number % 2],
        "metadata": {"campaign": f"Spring {number % 7}"},
        "payments": {"total_paid": {"amount": f"{number}.50", "currency": "usd"}, "failed_count": number % 3},
    }
    return SourceRecord(Ref("whop", "membership", str(fields["id"])), fields, day)
