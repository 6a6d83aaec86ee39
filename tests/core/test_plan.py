"""The decision what to write: every rule of it, and the laws that hold for all of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.plan import (
    Action,
    LinkState,
    Reason,
    fingerprint,
    own_id,
    plan_failure,
    plan_from_link,
    refused,
)
from connector.errors import MappingError
from tests.core import strategies
from tests.core.builders import REF, a_link, a_mapped

# --- the link alone


def test_a_record_without_a_link_is_looked_up():
    assert plan_from_link(a_mapped(name="x"), "print", None) is None
    assert plan_from_link(a_mapped(name="x"), "print", a_link(None)) is None


def test_a_record_of_a_cut_off_attempt_is_looked_up():
    assert plan_from_link(a_mapped(name="x"), "print", a_link(fingerprint="print", resumed=True)) is None


def test_a_record_in_step_costs_nothing():
    plan = plan_from_link(a_mapped(name="x"), "print", a_link(fingerprint="print"))

    assert (plan.action, plan.reason, plan.crm_id, plan.values) == (Action.NOTHING, None, "crm-1", {})


def test_a_changed_record_is_looked_up():
    assert plan_from_link(a_mapped(name="x"), "print", a_link(fingerprint="other")) is None


def test_a_record_in_step_but_not_linked_is_looked_up():
    link = a_link(fingerprint="print", state=LinkState.FAILED)

    assert plan_from_link(a_mapped(name="x"), "print", link) is None


@pytest.mark.parametrize(
    ("known", "now", "stale"),
    [
        ("2026-02", "2026-01", True),
        ("2026-01", "2026-01", False),
        ("2026-01", "2026-02", False),
        (None, "2026-01", False),
        ("2026-01", None, False),
    ],
)
def test_an_older_record_does_not_overwrite_a_newer(known, now, stale):
    plan = plan_from_link(a_mapped(name="x", updated_at=now), "print", a_link(source_updated_at=known))

    assert (plan is not None and plan.reason is Reason.STALE) is stale


# --- the rest


def test_a_failure_before_the_write_is_a_plan_too():
    error = MappingError("no")

    plan = plan_failure(REF, "opportunity", error)

    assert (plan.action, plan.error, plan.title, plan.state) == (
        Action.FAIL,
        error,
        "mem_1",
        LinkState.FAILED,
    )
    assert plan_failure(REF, "opportunity", error, title="Gold").title == "Gold"


def test_a_refusal_is_told_in_the_words_of_the_crm():
    error = refused(plan_failure(REF, "opportunity", MappingError("no")), "too long", code="c", field_="name")

    assert (str(error), error.code, error.field) == ("membership mem_1: too long", "c", "name")


def test_our_own_id_is_the_same_for_every_attempt():
    assert own_id("w", REF, "person") == own_id("w", REF, "person")
    others = {
        own_id("v", REF, "person"),
        own_id("w", REF._replace(id="mem_2"), "person"),
        own_id("w", REF, "company"),
    }
    assert len(others | {own_id("w", REF, "person"), own_id("w", REF, "person", 1)}) == 5


@given(strategies.flat_values, st.randoms(use_true_random=False))
def test_the_order_of_fields_does_not_change_the_fingerprint(values, random):
    names = list(values)
    random.shuffle(names)

    assert fingerprint({name: values[name] for name in names}) == fingerprint(values)


@given(strategies.flat_values, strategies.flat_values)
def test_different_values_have_different_fingerprints(left, right):
    assert (fingerprint(left) == fingerprint(right)) is (left == right)


# --- what was taken back


def test_what_was_taken_back_is_held_while_the_source_says_the_same():
    plan = plan_from_link(a_mapped(name="x"), "print", a_link(fingerprint="print", held_run=7))

    assert (plan.action, plan.reason) == (Action.SKIP, Reason.UNDONE)


def test_what_was_taken_back_is_written_again_once_the_source_says_something_else():
    assert plan_from_link(a_mapped(name="x"), "print", a_link(fingerprint="other", held_run=7)) is None


@pytest.mark.parametrize(
    ("known", "now", "held"), [("2026-01", "2026-01", True), ("2026-01", "2026-02", False)]
)
def test_where_its_fingerprint_is_not_known_the_time_of_its_change_tells(known, now, held):
    link = a_link(fingerprint=None, source_updated_at=known, held_run=7)

    plan = plan_from_link(a_mapped(updated_at=now, name="x"), "print", link)

    assert (plan is not None and plan.reason is Reason.UNDONE) is held
