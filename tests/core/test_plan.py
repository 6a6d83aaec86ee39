"""The decision what to write: every rule of it, and the laws that hold for all of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.mapping import Own
from connector.core.plan import (
    Action,
    Found,
    LinkState,
    PlannedWrite,
    Reason,
    fingerprint,
    own_id,
    plan_failure,
    plan_from_link,
    plan_write,
    refused,
    value_hash,
)
from connector.core.records import CrmRow, Ref
from connector.errors import MappingError
from tests.core import strategies
from tests.core.builders import REF, a_field, a_key, a_link, a_mapped, a_mapping, a_row

OTHER = Ref("whop", "membership", "mem_2")
MAPPING = a_mapping(
    a_field("name"),
    a_field("key", unique=True),
    a_field("email"),
    match=[a_key("key", identity=True), a_key("email")],
)


def planned(mapped, link=None, found=None, mapping=MAPPING, taken=None, new_id="new-1") -> PlannedWrite:
    return plan_write(
        mapped,
        mapped.values,
        mapping,
        link or a_link(None),
        found or Found(),
        print_=fingerprint(mapped.values),
        new_id=new_id,
        taken={} if taken is None else taken,
    )


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


# --- creating


def test_a_record_that_is_nowhere_is_created():
    taken = {}

    plan = planned(a_mapped(name="x", key="k", email=None), taken=taken)

    assert (plan.action, plan.crm_id, plan.values) == (Action.CREATE, "new-1", {"name": "x", "key": "k"})
    assert plan.memory == ("name", "key", "email")
    assert taken == {("key", "k"): REF}


def test_a_key_is_given_to_one_record_of_a_block_only():
    plan = planned(a_mapped(key="k"), taken={("key", "k"): OTHER})

    assert (plan.action, plan.reason, plan.state) == (Action.SKIP, Reason.REVIEW, LinkState.REVIEW)
    assert plan.warnings == ("key k is also that of membership mem_2. Decide whether they are the same.",)


def test_a_record_may_be_planned_again_in_its_block():
    assert planned(a_mapped(key="k"), taken={("key", "k"): REF}).action is Action.CREATE


def test_a_mapping_may_forbid_to_create():
    plan = planned(a_mapped(name="x"), mapping=a_mapping(a_field("name"), create=False))

    assert (plan.action, plan.reason) == (Action.SKIP, Reason.FILTERED)


# --- adopting


def test_a_crm_record_with_the_same_key_is_adopted():
    found = Found(by_key=(("email", (a_row(name="old", email="e"),)),))

    plan = planned(a_mapped(name="x", email="e"), found=found)

    assert (plan.action, plan.reason, plan.crm_id) == (Action.UPDATE, Reason.ADOPTED, "crm-1")
    assert (plan.values, plan.before, plan.raw) == ({"name": "x"}, {"name": "old"}, {"raw": True})


def test_two_candidates_are_a_persons_decision():
    found = Found(by_key=(("key", (a_row("crm-1"),)), ("email", (a_row("crm-2"),))))

    plan = planned(a_mapped(key="k", email="e"), found=found)

    assert plan.reason is Reason.REVIEW
    assert plan.warnings[0].startswith("Its keys point to 2 records of the CRM: crm-1, crm-2.")


def test_one_record_found_by_two_keys_is_one_candidate():
    row = a_row(key="k", email="e")
    found = Found(by_key=(("key", (row,)), ("email", (row,))))

    assert planned(a_mapped(key="k", email="e"), found=found).reason is Reason.ADOPTED


@pytest.mark.parametrize("mine", ["k", None])
def test_a_crm_record_that_is_somebody_else_is_not_adopted(mine):
    found = Found(by_key=(("email", (a_row(key="other", email="e"),)),))

    plan = planned(a_mapped(key=mine, email="e"), found=found)

    assert plan.reason is Reason.REVIEW
    assert "already is key other" in plan.warnings[0]


def test_a_key_that_names_no_identity_may_differ():
    found = Found(by_key=(("key", (a_row(key="k", email="private"),)),))

    plan = planned(a_mapped(key="k", email="work"), found=found)

    assert (plan.reason, plan.values) == (Reason.ADOPTED, {"email": "work"})


def test_two_records_of_a_block_do_not_adopt_the_same_crm_record():
    found, taken = Found(by_key=(("email", (a_row(email="e"),)),)), {}

    first = planned(a_mapped(name="x", email="e"), found=found, taken=taken)
    second = planned(a_mapped(OTHER, name="y", email="e"), found=found, taken=taken)

    assert (first.reason, second.reason) == (Reason.ADOPTED, Reason.REVIEW)
    assert "also that of membership mem_1" in second.warnings[0]


def test_a_deleted_candidate_does_not_stand_in_the_way_of_a_living_one():
    found = Found(by_key=(("email", (a_row("dead", deleted=True), a_row("alive", email="e"))),))

    assert planned(a_mapped(email="e"), found=found).crm_id == "alive"


def test_a_deleted_record_is_not_made_again():
    found = Found(by_key=(("email", (a_row(deleted=True),)),))

    plan = planned(a_mapped(email="e"), found=found)

    assert (plan.action, plan.reason) == (Action.SKIP, Reason.DELETED_IN_CRM)
    assert plan.state is LinkState.DELETED_IN_CRM


# --- updating


def test_only_what_differs_is_sent():
    plan = planned(a_mapped(name="new", key="k"), a_link(), Found(a_row(name="old", key="k")))

    assert (plan.action, plan.values, plan.before) == (Action.UPDATE, {"name": "new"}, {"name": "old"})
    assert plan.memory == ("name", "key")
    assert plan.created_at == "2026-01-01T00:00:00.000Z"
    assert plan.finished is None


def test_nothing_is_sent_when_nothing_differs():
    plan = planned(a_mapped(name="x"), a_link(), Found(a_row(name="x")))

    assert (plan.action, plan.values) == (Action.NOTHING, {})


def test_a_mapping_may_forbid_to_update():
    mapping = a_mapping(a_field("name"), update=False)

    plan = planned(a_mapped(name="new"), a_link(), Found(a_row(name="old")), mapping)

    assert (plan.action, plan.reason) == (Action.SKIP, Reason.FILTERED)


@pytest.mark.parametrize("row", [None, a_row(deleted=True)])
def test_a_deletion_by_a_person_stands(row):
    plan = planned(a_mapped(name="x"), a_link(), Found(row))

    assert (plan.reason, plan.state, plan.crm_id) == (
        Reason.DELETED_IN_CRM,
        LinkState.DELETED_IN_CRM,
        "crm-1",
    )


def test_a_create_that_arrived_before_the_cut_is_counted_as_such():
    plan = planned(a_mapped(name="x"), a_link(None), Found(a_row("new-1", name="x")))

    assert (plan.action, plan.finished, plan.crm_id) == (Action.NOTHING, Action.CREATE, "new-1")


def test_an_update_that_arrived_before_the_cut_is_counted_as_such():
    plan = planned(a_mapped(name="x"), a_link(resumed=True), Found(a_row(name="x")))

    assert (plan.action, plan.finished) == (Action.NOTHING, Action.UPDATE)


@pytest.mark.parametrize(
    ("own", "current", "remembered", "written"),
    [
        (Own.ALWAYS, "theirs", None, True),
        (Own.ALWAYS, "ours", "ours", True),
        (Own.FILL, None, None, True),
        (Own.FILL, "theirs", None, False),
        (Own.FILL, "theirs", "ours", False),
        (Own.FILL, "ours", "ours", True),
        (Own.ONCE, None, None, False),
        (Own.ONCE, "ours", "ours", False),
        (Own.NEVER, None, None, False),
    ],
)
def test_the_owner_decides_what_is_written(own, current, remembered, written):
    memory = {"name": (value_hash(remembered), 1)} if remembered else {}
    mapping = a_mapping(a_field("name", own=own))

    plan = planned(a_mapped(name="new"), a_link(memory=memory), Found(a_row(name=current)), mapping)

    assert (plan.action is Action.UPDATE) is written
    assert plan.memory == (("name",) if written else ())


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
    others = {own_id("v", REF, "person"), own_id("w", OTHER, "person"), own_id("w", REF, "company")}
    assert len(others | {own_id("w", REF, "person"), own_id("w", REF, "person", 1)}) == 5


@given(strategies.flat_values, st.randoms(use_true_random=False))
def test_the_order_of_fields_does_not_change_the_fingerprint(values, random):
    names = list(values)
    random.shuffle(names)

    assert fingerprint({name: values[name] for name in names}) == fingerprint(values)


@given(strategies.flat_values, strategies.flat_values)
def test_different_values_have_different_fingerprints(left, right):
    assert (fingerprint(left) == fingerprint(right)) is (left == right)


OWNED = a_mapping(a_field("a"), a_field("b", own=Own.FILL), a_field("c", own=Own.ONCE))


@given(strategies.flat_values, strategies.flat_values)
def test_planning_again_after_a_write_plans_nothing(values, before):
    mapped = a_mapped(**values)
    plan = planned(mapped, a_link(), Found(a_row(**before)), OWNED)

    memory = {name: (value_hash(values[name]), 1) for name in plan.memory}
    link = a_link(fingerprint=plan.fingerprint, memory=memory)
    row = CrmRow("crm-1", {**before, **plan.values})

    assert plan_from_link(mapped, fingerprint(values), link).action is Action.NOTHING
    assert planned(mapped, link, Found(row), OWNED).action is Action.NOTHING


@given(strategies.flat_values)
def test_planning_again_after_a_create_plans_nothing(values):
    mapped = a_mapped(**values)
    plan = planned(mapped, mapping=OWNED)

    link = a_link(plan.crm_id, fingerprint=plan.fingerprint)
    again = planned(mapped, link, Found(CrmRow("new-1", plan.values)), OWNED)

    assert plan_from_link(mapped, fingerprint(values), link).action is Action.NOTHING
    assert again.action is Action.NOTHING
