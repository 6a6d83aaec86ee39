"""What is wrong enough to tell somebody, and what makes it one incident."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.core.alerting import (
    CLEARS_AFTER,
    Condition,
    Facts,
    Kind,
    LastRun,
    Thresholds,
    changes,
    conditions,
    waits,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LIMITS = Thresholds()


def facts(**changed: Any) -> Facts:
    return Facts(**{"connection_id": "c1", "title": "Acme", "status": "active", **changed})


def a_run(**changed: Any) -> LastRun:
    values = {"id": "r1", "number": 7, "status": "success", "message": "No.", "total": 1000}
    return LastRun(**{**values, **changed})


def kinds(one: Facts, limits: Thresholds = LIMITS) -> list[Kind]:
    return [found.kind for found in conditions([one], limits, NOW)]


def ago(minutes: int) -> datetime:
    return NOW - timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (facts(status="expired"), Kind.ACCESS_LOST),
        (facts(crm_refused="The key was revoked."), Kind.CRM_LOST),
        (facts(ended=a_run(status="failed")), Kind.RUN_FAILED),
        (facts(ended=a_run(status="partial", failed=50)), Kind.RECORDS_FAILING),
        (facts(asks=a_run(status="waiting")), Kind.BREAKER),
        (facts(active=a_run(status="running", stuck="service", since=ago(15))), Kind.CANNOT_CONNECT),
        (facts(active=a_run(status="running", stuck="limit", since=ago(30))), Kind.RATE_LIMITED),
        (facts(parked=1), Kind.EVENTS_PARKED),
        (facts(hook_trouble="It is off."), Kind.WEBHOOKS_SILENT),
        (facts(untold=3), Kind.WEBHOOKS_SILENT),
        (facts(in_step=0.9989), Kind.OUT_OF_STEP),
    ],
)
def test_what_is_wrong_is_told_with_a_page_that_mends_it(found, kind):
    (one,) = conditions([found], LIMITS, NOW)

    assert one.kind is kind
    assert one.path.startswith("/")
    assert one.text


@pytest.mark.parametrize(
    "found",
    [
        facts(),
        facts(ended=a_run(status="partial", failed=4, total=20)),  # too few to be a pattern
        facts(ended=a_run(status="partial", failed=49)),
        facts(active=a_run(status="running", stuck="service", since=ago(14))),
        facts(active=a_run(status="running", stuck="limit", since=ago(29))),
        facts(active=a_run(status="running")),
        facts(untold=2),
        facts(in_step=0.999),
        facts(status="expired", parked=5)._replace(status="revoked"),
    ],
)
def test_what_is_not_wrong_enough_is_not_told(found):
    assert kinds(found) == []


def test_an_expired_connection_is_told_as_that_alone():
    assert kinds(facts(status="expired", parked=3, ended=a_run(status="failed"))) == [Kind.ACCESS_LOST]


def test_a_threshold_that_somebody_set_holds_and_others_stay():
    limits = Thresholds.of({"parked": 10, "no_such_thing": 3})

    assert kinds(facts(parked=9), limits) == []
    assert kinds(facts(parked=10, untold=3), limits) == [Kind.EVENTS_PARKED, Kind.WEBHOOKS_SILENT]


def test_what_concerns_the_whole_workspace_is_told_once():
    both = [facts(crm_refused="No."), facts(connection_id="c2", crm_refused="No.")]

    assert len(conditions(both, LIMITS, NOW)) == 1


def test_the_same_trouble_of_two_companies_is_two_incidents():
    both = [facts(parked=1), facts(connection_id="c2", parked=1)]

    assert len({one.key for one in conditions(both, LIMITS, NOW)}) == 2


def a_condition(key: str) -> Condition:
    return Condition(Kind.EVENTS_PARKED, key, "t", "x", "/")


def test_a_look_says_what_began_what_goes_on_and_what_is_over():
    old, new = a_condition("old"), a_condition("new")
    opened = {old.key: NOW, "gone": NOW - CLEARS_AFTER, "just gone": NOW - CLEARS_AFTER / 2}

    found = changes([old, new], opened, NOW)

    assert found == ((new,), (old.key,), ("gone",))


def test_a_message_that_is_not_taken_is_given_up_some_day():
    found = [waits(tries) for tries in range(1, 10)]

    assert found[0] == timedelta(minutes=1)
    assert found[-1] is None
    given = [wait for wait in found if wait is not None]
    assert given == sorted(given)
