"""How a record stands beside its CRM record: exactly what a sync would change counts as a difference."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connector.core.case import Known
from connector.core.mapping import Own
from connector.core.matching import plan_write
from connector.core.plan import (
    Action,
    Found,
    Link,
    Reason,
    fingerprint,
    plan_failure,
    unwritten,
    value_hash,
)
from connector.core.reconciling import (
    GROUNDED,
    Cause,
    Flight,
    Judged,
    Standing,
    count,
    judge,
    share,
    without_source,
)
from connector.errors import MappingError
from tests.core.builders import REF, a_field, a_key, a_link, a_mapped, a_mapping, a_row

MAPPING = a_mapping(a_field("name"), a_field("key", unique=True), match=[a_key("key", identity=True)])


def judged(
    said: dict[str, Any], found: Found, link: Link | None = None, flight: Flight = GROUNDED, mapping=MAPPING
) -> Judged:
    mapped = a_mapped(**said)
    known = Known(link or a_link(None), found, fingerprint(mapped.values), "new-1", {})
    return judge(plan_write(mapped, mapped.values, mapping, known), mapping, link, found, flight)


def a_linked(**wrote: str) -> Link:
    return a_link(memory={name: (value_hash(value), 1) for name, value in wrote.items()})


def test_a_record_that_holds_what_the_source_says_is_in_step():
    assert judged({"name": "x"}, Found(a_row(name="x")), a_link()) == Judged(Standing.MATCH)


@pytest.mark.parametrize(
    ("there", "wrote", "cause"),
    [("theirs", "ours", Cause.DRIFT), ("ours", "ours", Cause.BEHIND), ("old", None, Cause.BEHIND)],
)
def test_a_field_that_differs_says_why(there, wrote, cause):
    link = a_linked(name=wrote) if wrote else a_link()

    found = judged({"name": "new"}, Found(a_row(name=there)), link)

    (one,) = found.differences
    assert found.standing is Standing.DIFFERS
    assert (one.cause, one.field, one.said, one.there, one.crm_id) == (cause, "name", "new", there, "crm-1")


@pytest.mark.parametrize("own", [Own.FILL, Own.ONCE])
def test_a_field_that_people_own_is_in_step_whatever_it_holds(own):
    mapping = a_mapping(a_field("name", own=own))

    assert judged({"name": "new"}, Found(a_row(name="theirs")), a_link(), mapping=mapping).differences == ()


def test_a_record_that_is_not_there_is_missing():
    (one,) = judged({"name": "x"}, Found()).differences

    assert (one.cause, one.crm_id, one.field) == (Cause.MISSING, None, None)


def test_a_second_record_that_says_it_is_the_same_is_a_duplicate():
    rows = (a_row("crm-1", key="k"), a_row("crm-2", key="k"), a_row("crm-3", key="k", deleted=True))

    found = judged({"key": "k"}, Found(rows[0], (("key", rows),)), a_link())

    assert [(one.cause, one.crm_id) for one in found.differences] == [(Cause.DUPLICATE, "crm-2")]


def test_a_record_that_cannot_be_brought_over_differs():
    plan = plan_failure(REF, "opportunity", MappingError("no number"))

    (one,) = judge(plan, MAPPING, None, Found()).differences

    assert (one.cause, one.said) == (Cause.FAILING, "no number")


@pytest.mark.parametrize(
    ("reason", "standing"), [(Reason.FILTERED, Standing.LEFT), (Reason.STALE, Standing.IN_FLIGHT)]
)
def test_what_is_left_alone_or_newer_already_is_no_difference(reason, standing):
    plan = unwritten(a_mapped(), None, Action.SKIP, reason, a_link())

    assert judge(plan, MAPPING, None, Found()) == Judged(standing)


def test_a_record_of_which_an_event_waits_is_on_its_way():
    flight = Flight(itself=True)

    assert judged({"name": "new"}, Found(a_row(name="old")), a_link(), flight).standing is Standing.IN_FLIGHT
    assert judged({"name": "same"}, Found(a_row(name="same")), a_link(), flight).standing is Standing.MATCH


def test_sums_may_be_on_their_way_and_nothing_else():
    mapping = a_mapping(a_field("name"), replace(a_field("paid"), source="payments.total_paid"))
    flight, link = Flight(sums=True), a_link()

    sums = judged({"name": "x", "paid": 2}, Found(a_row(name="x", paid=1)), link, flight, mapping)
    more = judged({"name": "x", "paid": 2}, Found(a_row(name="y", paid=1)), link, flight, mapping)

    assert sums.standing is Standing.IN_FLIGHT
    assert more.standing is Standing.DIFFERS


def test_a_link_without_a_source_names_the_crm_record():
    one = without_source(REF, "opportunity", "crm-1")

    assert (one.cause, one.crm_id, one.title) == (Cause.NO_SOURCE, "crm-1", REF.id)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({}, None),
        ({"person": {"left": 4}}, None),
        ({"person": {"match": 3, "differs": 1, "in_flight": 5}}, 0.75),
        ({"person": {"match": 1}, "opportunity": {"match": 1}}, 1.0),
    ],
)
def test_the_share_is_of_those_that_have_to_be_in_step(counts, expected):
    assert share(counts) == expected
    assert count(counts, Standing.MATCH) == sum(of.get("match", 0) for of in counts.values())
