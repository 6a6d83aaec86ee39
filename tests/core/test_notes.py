"""What events leave, when it is due and when it is done: decided from facts alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.core.events import Told
from connector.core.notes import Fact, NoteRule, closing, dated, due_at, wanted, within
from connector.core.records import Ref, SourceRecord, iso

SINCE = "2026-11-20T12:00:00.000Z"
AFTER = "2026-11-20T12:00:01.000Z"


def a_rule(**changed: Any) -> NoteRule:
    values: dict[str, Any] = {
        "name": "failed",
        "kind": "task",
        "on": frozenset({"payment.failed"}),
        "fact": "payment",
        "once_per": "payment",
        "to": ("",),
        "title": lambda _: "Title",
        "text": lambda _: "Text",
    }
    return NoteRule(**{**values, **changed})


def a_fact(event: str = "payment.failed", at: str = AFTER, **changed: Any) -> Fact:
    ids = changed.pop("ids", {"payment": "pay_1", "membership": "mem_1"})
    fields = changed.pop("fields", {"status": "open"})
    return Fact(event, changed.pop("kind", "payment"), ids, at, fields, changed.pop("latest", fields))


def is_paid(fields: Any) -> bool:
    return bool(fields.get("status") == "paid")


def keys(rules: list[NoteRule], *facts: Fact) -> list[tuple[str, str]]:
    return [one.key for one in wanted(rules, facts, SINCE)]


def test_a_fact_that_is_told_often_leaves_one_note() -> None:
    assert keys([a_rule()], a_fact(), a_fact(), a_fact()) == [("failed", "pay_1")]


def test_two_rules_leave_one_each_and_other_events_nothing() -> None:
    rules = [a_rule(), a_rule(name="note", kind="note", once_per="membership")]

    assert keys(rules, a_fact(), a_fact("payment.succeeded")) == [("failed", "pay_1"), ("note", "mem_1")]


@pytest.mark.parametrize("at", [SINCE, "2026-11-20T11:59:59.999Z", "2020-01-01T00:00:00.000Z"])
def test_what_came_about_before_leaves_nothing(at: str) -> None:
    assert keys([a_rule()], a_fact(at=at)) == []


def test_an_event_by_this_name_about_another_kind_leaves_nothing() -> None:
    assert keys([a_rule()], a_fact(kind="refund")) == []
    assert keys([a_rule()], a_fact(ids={"membership": "mem_1"})) == []


def test_only_those_that_a_rule_means_leave_something() -> None:
    rules = [a_rule(only=is_paid)]

    assert keys(rules, a_fact()) == []
    assert keys(rules, a_fact(fields={"status": "paid"})) == [("failed", "pay_1")]


def test_what_is_settled_by_now_leaves_no_task() -> None:
    assert keys([a_rule(done_in=is_paid)], a_fact(latest={"status": "paid"})) == []


def test_a_task_is_closed_by_a_state_or_by_an_event() -> None:
    by_state, by_event = a_rule(done_in=is_paid), a_rule(name="e", done_on=frozenset({"payment.succeeded"}))
    rules = [by_state, by_event, a_rule(name="note", kind="note", done_in=is_paid)]

    assert closing(rules, [a_fact()]) == []
    assert closing(rules, [a_fact("payment.updated", latest={"status": "paid"})]) == [("failed", "pay_1")]
    assert closing(rules, [a_fact("payment.succeeded")]) == [("e", "pay_1")]
    assert closing(rules, [a_fact("payment.succeeded", kind="refund", ids={})]) == []


def test_a_task_is_due_at_the_first_that_is_known() -> None:
    def evidence(fields: Any) -> Any:
        return fields.get("evidence_due_at")

    rule = a_rule(due=(evidence, timedelta(days=3)))

    assert due_at(rule, a_fact(fields={"evidence_due_at": "2026-12-01T00:00:00.000Z"})) == (
        "2026-12-01T00:00:00.000Z"
    )
    assert due_at(rule, a_fact()) == "2026-11-23T12:00:01.000Z"
    assert due_at(a_rule(due=(evidence,)), a_fact()) is None


def test_facts_know_what_they_belong_to() -> None:
    assert within("payment", "membership") == ("payment", "membership")
    assert within("dispute", "membership") == ("dispute", "payment", "membership")
    assert within("member", "member") == ("member",)


OLD, SENT = "2026-01-01T00:00:00.000Z", "2026-11-21T00:00:00.000Z"


@pytest.mark.parametrize(
    ("name", "fields", "updated_at", "occurred_at", "at"),
    [
        # Sent once more: the fact is as old as it is.
        ("payment.succeeded", {"paid_at": OLD, "created_at": OLD}, SENT, SENT, OLD),
        ("payment.failed", {"created_at": OLD, "last_payment_attempt_at": AFTER}, SENT, SENT, AFTER),
        ("refund.created", {"created_at": OLD}, SENT, SENT, OLD),
        ("dispute.updated", {"created_at": OLD}, AFTER, SENT, AFTER),
        # The record has moved on since: the event is as old as it is.
        ("membership.deactivated", {"created_at": OLD}, SENT, AFTER, AFTER),
        ("payment.succeeded", {}, SENT, AFTER, AFTER),
        ("payment.succeeded", {}, None, None, "received"),
        ("membership.updated", None, None, None, "received"),
    ],
)
def test_a_fact_is_dated_by_the_earliest_that_tells_of_it(
    name: str, fields: Any, updated_at: str | None, occurred_at: str | None, at: str
) -> None:
    ref = Ref("whop", name.partition(".")[0], "id")
    record = SourceRecord(ref, fields, updated_at) if fields is not None else None
    told = Told(name, name, "", "msg_1", None, occurred_at, ref, record)

    assert dated(told, record, "received") == at


def test_moments_are_written_as_records_have_them() -> None:
    assert iso(datetime(2026, 11, 20, 12, tzinfo=UTC)) == SINCE
