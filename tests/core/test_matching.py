"""Which CRM record a record is and what is written: every rule, and the laws that hold for all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.case import Known
from connector.core.mapping import Own, WhenDeleted
from connector.core.matching import plan_write
from connector.core.plan import (
    Action,
    Choice,
    Decision,
    Found,
    Holder,
    LinkState,
    PlannedWrite,
    Reason,
    Why,
    fingerprint,
    plan_from_link,
    value_hash,
)
from connector.core.records import CrmRow, Ref
from tests.core import strategies
from tests.core.builders import REF, a_field, a_key, a_link, a_mapped, a_mapping, a_row

OTHER = Ref("whop", "membership", "mem_2")
MAPPING = a_mapping(
    a_field("name"),
    a_field("key", unique=True),
    a_field("email"),
    match=[a_key("key", identity=True), a_key("email")],
)


def planned(mapped, link=None, found=None, mapping=MAPPING, taken=None, **known) -> PlannedWrite:
    all_that_is_known = Known(
        link or a_link(None),
        found or Found(),
        fingerprint(mapped.values),
        known.pop("new_id", "new-1"),
        {} if taken is None else taken,
        known.pop("next_id", "next-1"),
        **known,
    )
    return plan_write(mapped, mapped.values, mapping, all_that_is_known)


# --- creating


def test_a_record_that_is_nowhere_is_created():
    taken = {}

    plan = planned(a_mapped(name="x", key="k", email=None), taken=taken)

    assert (plan.action, plan.crm_id, plan.values) == (Action.CREATE, "new-1", {"name": "x", "key": "k"})
    assert plan.memory == ("name", "key", "email")
    assert taken == {("key", "k"): (REF, CrmRow("new-1", {"name": "x", "key": "k", "email": None}))}


def test_a_key_is_given_to_one_record_of_a_block_only():
    plan = planned(a_mapped(key="k"), taken={("key", "k"): (OTHER, a_row("new-0", key="k"))})

    assert (plan.action, plan.reason, plan.state) == (Action.SKIP, Reason.REVIEW, LinkState.REVIEW)
    assert plan.warnings[0].startswith("The CRM record new-0 is also that of membership mem_2.")
    (candidate,) = plan.doubt.candidates
    assert (candidate.row.id, candidate.fits, candidate.holder) == ("new-0", ("key",), OTHER)


def test_a_record_may_be_planned_again_in_its_block():
    assert planned(a_mapped(key="k"), taken={("key", "k"): (REF, a_row())}).action is Action.CREATE


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

    assert (plan.reason, plan.doubt.why, plan.doubt.only_one) == (Reason.REVIEW, Why.SOMEBODY_ELSE, False)
    assert "already is somebody else's" in plan.warnings[0]


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


# --- what another record holds

HELD = a_mapping(
    a_field("name"),
    a_field("key", unique=True),
    a_field("email"),
    match=[a_key("key", identity=True), a_key("email", exclusive=True)],
)


@pytest.mark.parametrize(("deleted", "where"), [(False, "the CRM record"), (True, "the deleted CRM record")])
def test_a_value_that_another_row_holds_is_left_out_and_told(deleted, where):
    mine, other = a_row(name="old", key="k"), a_row("crm-2", email="e", deleted=deleted)
    found = Found(mine, (("key", (mine,)), ("email", (other,))))

    plan = planned(a_mapped(name="new", key="k", email="e"), a_link(), found, HELD)

    assert (plan.values, plan.memory) == ({"name": "new"}, ("name", "key"))
    assert plan.warnings == (f"email is not written here: {where} crm-2 has it.",)


def test_a_value_that_no_row_needs_for_itself_may_be_shared():
    other = a_row("crm-2", email="e")

    plan = planned(a_mapped(email="e"), a_link(), Found(a_row(), (("email", (other,)),)), MAPPING)

    assert (plan.values, plan.warnings) == ({"email": "e"}, ())


# --- e-mails

PEOPLE = a_mapping(
    a_field("key", unique=True),
    a_field("emails", own=Own.FILL, type_="emails"),
    match=[a_key("key", identity=True), a_key("emails", exclusive=True)],
)


def emails(first: str, *further: str) -> dict:
    return {"primaryEmail": first, "additionalEmails": list(further)} if further else {"primaryEmail": first}


def with_emails(own: Own = Own.FILL):
    return a_mapping(a_field("emails", own=own, type_="emails"), match=[a_key("emails", exclusive=True)])


def remembered(address: str) -> dict:
    return {"emails": (value_hash(emails(address)), 1)}


@pytest.mark.parametrize(
    ("own", "first", "further", "memory", "written"),
    [
        (Own.FILL, None, (), {}, emails("new@x")),
        (Own.FILL, None, ("other@x",), {}, emails("new@x", "other@x")),
        (Own.FILL, None, ("new@x",), {}, emails("new@x")),
        # A second address is added, never put in place of the first.
        (Own.FILL, "theirs@x", (), {}, emails("theirs@x", "new@x")),
        (Own.FILL, "theirs@x", ("other@x",), {}, emails("theirs@x", "other@x", "new@x")),
        (Own.ALWAYS, "theirs@x", (), {}, emails("theirs@x", "new@x")),
        (Own.FILL, "theirs@x", ("new@x",), {}, None),
        (Own.ALWAYS, "theirs@x", ("new@x",), {}, None),
        # One of ours follows Whop, and what it was is not lost.
        (Own.FILL, "ours@x", (), remembered("ours@x"), emails("new@x", "ours@x")),
        (Own.ALWAYS, "ours@x", ("new@x",), remembered("ours@x"), emails("new@x", "ours@x")),
        # What a person took away stays away, unless the mapping says that Whop decides.
        (Own.FILL, "theirs@x", (), remembered("new@x"), None),
        (Own.ALWAYS, "theirs@x", (), remembered("new@x"), emails("theirs@x", "new@x")),
        (Own.ONCE, None, (), {}, None),
        (Own.NEVER, "theirs@x", (), {}, None),
    ],
)
def test_an_address_finds_its_place_beside_the_others(own, first, further, memory, written):
    row = a_row(emails=emails(first) if first else None, further=further)

    plan = planned(a_mapped(emails=emails("new@x")), a_link(memory=memory), Found(row), with_emails(own))

    assert plan.values == ({"emails": written} if written else {})


def test_an_address_among_the_further_ones_is_remembered_as_ours():
    row = a_row(emails=emails("theirs@x"), further=("new@x",))

    assert planned(a_mapped(emails=emails("new@x")), a_link(), Found(row), with_emails()).memory == (
        "emails",
    )


@pytest.mark.parametrize(("own", "values"), [(Own.ALWAYS, {"emails": None}), (Own.FILL, {})])
def test_no_address_empties_what_is_ours_to_empty(own, values):
    row = a_row(emails=emails("theirs@x"))

    assert planned(a_mapped(emails=None), a_link(), Found(row), with_emails(own)).values == values


def test_an_address_that_is_somebodys_first_is_not_added_here():
    row, other = a_row(emails=emails("theirs@x")), a_row("crm-2", emails=emails("new@x"))

    plan = planned(
        a_mapped(emails=emails("new@x")), a_link(), Found(row, (("emails", (other,)),)), with_emails()
    )

    assert plan.values == {}
    assert "crm-2 has it" in plan.warnings[0]


def test_an_address_that_somebody_has_as_a_further_one_hinders_nobody():
    row, other = a_row(), a_row("crm-2", emails=emails("theirs@x"), further=("new@x",))

    plan = planned(
        a_mapped(emails=emails("new@x")), a_link(), Found(row, (("emails", (other,)),)), with_emails()
    )

    assert plan.values == {"emails": emails("new@x")}


def test_a_person_is_known_by_a_further_address():
    row = a_row(emails=emails("first@x"), further=("new@x",))

    plan = planned(
        a_mapped(key="k", emails=emails("new@x")), found=Found(by_key=(("emails", (row,)),)), mapping=PEOPLE
    )

    assert (plan.reason, plan.crm_id, plan.values) == (Reason.ADOPTED, "crm-1", {"key": "k"})


# --- whose row it is


def held_by(*holders, id_="crm-1"):
    return {id_: holders}


def a_holder(before=True, active=True, **memory):
    written = {name: (value_hash(value), 1) for name, value in memory.items()}
    return Holder(OTHER, written, before, active)


def test_a_row_that_is_another_records_is_not_adopted():
    found = Found(by_key=(("email", (a_row(email="e"),)),))

    plan = planned(a_mapped(name="x", email="e"), found=found, holders=held_by(a_holder()))

    assert (plan.reason, plan.doubt.why) == (Reason.REVIEW, Why.TAKEN)
    assert plan.doubt.candidates[0].holder == OTHER
    assert "also that of membership mem_2" in plan.warnings[0]


def test_the_same_identity_shares_its_row_and_fills_only():
    found = Found(by_key=(("key", (a_row(key="k", name="first"),)),))

    plan = planned(a_mapped(name="x", key="k", email="e"), found=found, holders=held_by(a_holder(key="k")))

    assert (plan.reason, plan.values, plan.memory) == (Reason.ADOPTED, {"email": "e"}, ("email",))


@pytest.mark.parametrize(
    ("row", "holder", "written"),
    [
        (a_row(name="theirs", key="k"), a_holder(key="k"), False),
        (a_row(name="theirs", key="k"), a_holder(before=False, key="k"), True),
        (a_row(name="theirs", key="k"), a_holder(before=False, active=False, key="k"), True),
        # The row names us: who was here before, but as another, is second.
        (a_row(name="theirs", key="k"), a_holder(), True),
        # The row names another, and that one is here.
        (a_row(name="theirs", key="other"), a_holder(before=False, key="other"), False),
        # The row names another, who is not here: a hand-made change of a field of ours.
        (a_row(name="theirs", key="other"), a_holder(), True),
        (a_row(name="theirs"), a_holder(), False),
        (a_row(name="theirs"), a_holder(before=False), True),
    ],
)
def test_of_two_the_first_decides(row, holder, written):
    plan = planned(a_mapped(name="ours", key="k"), a_link(), Found(row), holders=held_by(holder))

    assert ("name" in plan.values) is written


def test_the_second_keeps_up_what_it_filled_until_the_first_says_so_too():
    mine = {"name": (value_hash("old"), 1)}
    row = a_row(name="old")

    def values(**firsts):
        link = a_link(memory=mine)
        return planned(a_mapped(name="new"), link, Found(row), holders=held_by(a_holder(**firsts))).values

    assert values() == {"name": "new"}
    assert values(name="old") == {}


@pytest.mark.parametrize("field", ["name", "emails"])
def test_the_second_does_not_fill_what_the_first_says_is_empty(field):
    mapping = a_mapping(a_field("name"), a_field("emails", type_="emails"))
    said = {"name": "x"} if field == "name" else {"emails": emails("a@x")}
    holders = held_by(a_holder(**{field: None}))

    plan = planned(a_mapped(**said), a_link(), Found(a_row(**{field: None})), mapping, holders=holders)

    assert plan.values == {}


# --- a record that was destroyed: merging does that


def test_the_survivor_of_a_merge_is_followed():
    survivor = a_row("crm-2", key="k", name="x")

    plan = planned(a_mapped(name="x", key="k"), a_link(), Found(None, (("key", (survivor,)),)))

    assert (plan.reason, plan.crm_id, plan.state) == (Reason.MERGED, "crm-2", LinkState.LINKED)


def test_where_the_survivor_is_another_source_record_its_identity_stays():
    survivor = a_row("crm-2", key="other", email="e", name="theirs")

    plan = planned(a_mapped(name="x", key="k", email="e"), a_link(), Found(None, (("email", (survivor,)),)))

    assert (plan.reason, plan.action, plan.values) == (Reason.MERGED, Action.NOTHING, {})


def test_what_was_written_into_the_loser_is_not_taken_for_the_survivors():
    mapping = a_mapping(a_field("name", own=Own.FILL), a_field("key"), match=[a_key("key")])
    link = a_link(memory={"name": (value_hash("ours"), 1)})
    survivor = a_row("crm-2", key="k", name="ours")

    plan = planned(a_mapped(name="new", key="k"), link, Found(None, (("key", (survivor,)),)), mapping)

    assert plan.values == {}


def test_two_possible_survivors_are_a_persons_decision():
    found = Found(None, (("key", (a_row("crm-2", key="k"),)), ("email", (a_row("crm-3"),))))

    plan = planned(a_mapped(key="k", email="e"), a_link(), found)

    assert (plan.reason, plan.doubt.why, plan.doubt.only_one) == (Reason.REVIEW, Why.SEVERAL, True)
    assert plan.crm_id == "crm-1"


# --- deleted by a person: restore and recreate


def deleting(policy, **more):
    fields = (a_field("name"), a_field("key", unique=True), a_field("email"))
    match = [a_key("key", identity=True), a_key("email", exclusive=True)]
    return a_mapping(*fields, match=match, when_deleted=policy, **more)


RESTORE, RECREATE = deleting(WhenDeleted.RESTORE), deleting(WhenDeleted.RECREATE)
BIN = a_row(deleted=True, name="old", key="k")


def test_what_we_removed_ourselves_comes_back_whatever_the_mapping_says_of_deletions():
    gone = a_link(state=LinkState.GONE)

    plan = planned(a_mapped(name="old", key="k"), gone, Found(BIN))
    anew = planned(a_mapped(name="old", key="k"), gone, Found(), new_id="crm-1")

    assert (plan.action, plan.reason, plan.restores) == (Action.UPDATE, Reason.RESTORED, True)
    assert (anew.action, anew.crm_id) == (Action.CREATE, "crm-1")
    assert plan.state == anew.state == LinkState.LINKED


@pytest.mark.parametrize("link", [a_link(), a_link(None)])
def test_a_deleted_record_is_restored_and_updated(link):
    found = Found(BIN) if link.crm_id else Found(by_key=(("key", (BIN,)),))

    plan = planned(a_mapped(name="new", key="k"), link, found, RESTORE)

    assert (plan.action, plan.reason, plan.crm_id) == (Action.UPDATE, Reason.RESTORED, "crm-1")
    assert (plan.values, plan.restores) == ({"name": "new"}, True)


def test_a_deleted_record_is_restored_even_where_nothing_else_changes():
    plan = planned(a_mapped(name="old", key="k"), a_link(), Found(BIN), RESTORE)

    assert (plan.action, plan.values, plan.restores) == (Action.UPDATE, {}, True)


def test_which_of_two_deleted_records_comes_back_is_a_persons_decision():
    found = Found(by_key=(("key", (BIN,)), ("email", (a_row("crm-2", deleted=True, email="e"),))))

    plan = planned(a_mapped(key="k", email="e"), found=found, mapping=RESTORE)

    assert (plan.reason, plan.doubt.why) == (Reason.REVIEW, Why.SEVERAL)


@pytest.mark.parametrize("mapping", [MAPPING, RESTORE, RECREATE])
def test_a_deleted_record_of_somebody_else_is_a_persons_decision(mapping):
    found = Found(by_key=(("email", (a_row(deleted=True, key="other", email="e"),)),))

    plan = planned(a_mapped(key="k", email="e"), found=found, mapping=mapping)

    assert (plan.reason, plan.doubt.why) == (Reason.REVIEW, Why.SOMEBODY_ELSE)


@pytest.mark.parametrize("mapping", [RESTORE, RECREATE])
def test_a_destroyed_record_is_made_anew_under_the_next_id(mapping):
    plan = planned(a_mapped(name="x", key="k"), a_link(generation=2), Found(), mapping)

    assert (plan.action, plan.reason, plan.crm_id) == (Action.CREATE, Reason.RECREATED, "next-1")
    assert plan.generation == 3


def test_a_record_in_the_bin_is_made_anew_where_it_holds_nothing_unique():
    mapping = a_mapping(a_field("name"), when_deleted=WhenDeleted.RECREATE)

    plan = planned(a_mapped(name="x"), a_link(), Found(a_row(deleted=True, name="x")), mapping)

    assert (plan.action, plan.crm_id) == (Action.CREATE, "next-1")


def test_what_the_bin_still_holds_is_told_and_nothing_is_made():
    row = a_row(deleted=True, key="k", email="e")

    plan = planned(a_mapped(name="x", key="k", email="e"), a_link(), Found(row), RECREATE)

    assert (plan.action, plan.reason, plan.state) == (
        Action.SKIP,
        Reason.DELETED_IN_CRM,
        LinkState.DELETED_IN_CRM,
    )
    assert "crm-1 still holds its key and email in the CRM's bin" in plan.warnings[0]
    assert "Delete it there for good" in plan.warnings[0]


def test_nothing_is_made_anew_where_the_mapping_makes_nothing():
    mapping = deleting(WhenDeleted.RECREATE, create=False)

    assert planned(a_mapped(name="x"), a_link(), Found(), mapping).reason is Reason.FILTERED


def test_making_anew_does_not_take_the_keys_of_another():
    taken = {("key", "k"): (OTHER, a_row("new-0", key="k"))}

    assert planned(a_mapped(key="k"), a_link(), Found(), RECREATE, taken).doubt.why is Why.TAKEN


# --- what a person decided


def chose(choice, crm_id=None):
    return Decision(choice, crm_id)


def test_what_was_left_out_stays_out():
    plan = planned(a_mapped(key="k"), decision=chose(Choice.IGNORE))

    assert (plan.action, plan.reason, plan.state) == (Action.SKIP, Reason.IGNORED, LinkState.IGNORED)


def test_the_chosen_record_is_linked_and_filled():
    chosen = a_row("crm-2", email="e")
    found = Found(chosen, (("email", (chosen, a_row("crm-3"))),))

    plan = planned(a_mapped(name="x", key="k", email="e"), found=found, decision=chose(Choice.LINK, "crm-2"))

    assert (plan.action, plan.reason, plan.crm_id) == (Action.UPDATE, Reason.CHOSEN, "crm-2")
    assert plan.values == {"name": "x", "key": "k"}


def test_linking_to_somebody_elses_record_leaves_it_theirs():
    found = Found(a_row("crm-2", key="other", name="theirs"))

    plan = planned(a_mapped(name="x", key="k", email="e"), found=found, decision=chose(Choice.LINK, "crm-2"))

    assert (plan.reason, plan.values) == (Reason.CHOSEN, {"email": "e"})


@pytest.mark.parametrize("row", [None, a_row("crm-2", deleted=True)])
def test_a_choice_that_is_gone_is_asked_again(row):
    found = Found(row, (("email", (a_row("crm-3", email="e"),)),))

    plan = planned(a_mapped(key="k", email="e"), found=found, decision=chose(Choice.LINK, "crm-2"))

    assert (plan.reason, plan.doubt.why) == (Reason.REVIEW, Why.CHOICE_GONE)
    assert [one.row.id for one in plan.doubt.candidates] == ["crm-3"]


def test_a_choice_in_the_bin_comes_out_where_the_mapping_restores():
    found = Found(a_row("crm-2", deleted=True))

    plan = planned(a_mapped(key="k"), found=found, mapping=RESTORE, decision=chose(Choice.LINK, "crm-2"))

    assert (plan.reason, plan.restores) == (Reason.CHOSEN, True)


def test_a_new_record_goes_without_what_another_holds():
    found = Found(by_key=(("email", (a_row("crm-2", key="other", email="e"),)),))

    plan = planned(
        a_mapped(name="x", key="k", email="e"), found=found, mapping=HELD, decision=chose(Choice.CREATE)
    )

    assert (plan.action, plan.reason) == (Action.CREATE, Reason.CHOSEN)
    assert (plan.values, plan.memory) == ({"name": "x", "key": "k"}, ("name", "key"))
    assert plan.warnings == ("email is not written here: the CRM record crm-2 has it.",)


@pytest.mark.parametrize("deleted", [True, False])
def test_no_second_record_is_made_of_one_that_is_there(deleted):
    found = Found(by_key=(("key", (a_row("crm-2", key="k", deleted=deleted),)),))

    plan = planned(a_mapped(key="k"), found=found, decision=chose(Choice.CREATE))

    assert (plan.reason, plan.doubt.why, plan.doubt.only_one) == (Reason.REVIEW, Why.NOT_NEW, True)


def test_a_new_record_that_arrived_before_the_cut_is_not_made_twice():
    found = Found(a_row("new-1", name="x", key="k"))

    plan = planned(a_mapped(name="x", key="k"), found=found, decision=chose(Choice.CREATE))

    assert (plan.action, plan.finished, plan.crm_id) == (Action.NOTHING, Action.CREATE, "new-1")


# --- laws

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


ADDRESSES = st.sampled_from(["a@x", "b@x", "c@x"])
PERSON = st.tuples(st.none() | ADDRESSES, st.lists(ADDRESSES, max_size=2, unique=True))


def written_into(row: CrmRow, plan: PlannedWrite) -> CrmRow:
    """The row after the write, as the CRM keeps it."""
    values, further = {**row.values, **plan.values}, row.further
    if isinstance(sent := plan.values.get("emails"), dict):
        values["emails"] = emails(sent["primaryEmail"])
        further = {"emails": tuple(sent.get("additionalEmails", ()))}
    return CrmRow(row.id, values, further=further)


def link_after(link, plan, mapped):
    memory = {**link.memory, **{name: (value_hash(mapped.values[name]), 1) for name in plan.memory}}
    return link._replace(memory=memory)


@given(st.sampled_from(Own), PERSON, ADDRESSES, st.none() | ADDRESSES)
def test_no_address_is_ever_lost_and_writing_once_is_enough(own, person, address, ours):
    first, further = person
    row = a_row(emails=emails(first) if first else None, further=[one for one in further if one != first])
    mapped, mapping = a_mapped(emails=emails(address)), with_emails(own)
    link = a_link(memory=remembered(ours) if ours else {})
    before = {first, *further} - {None}

    plan = planned(mapped, link, Found(row), mapping)
    after = written_into(row, plan)

    there = {
        after.values["emails"] and after.values["emails"]["primaryEmail"],
        *after.further.get("emails", ()),
    }
    assert before <= there
    assert first in (None, ours) or after.values["emails"] == emails(first)
    assert planned(mapped, link_after(link, plan, mapped), Found(after), mapping).values == {}


SHARED = a_mapping(
    a_field("key", unique=True),
    a_field("name"),
    a_field("nick", own=Own.FILL),
    match=[a_key("key", identity=True)],
)
SAID = st.fixed_dictionaries(
    {"name": st.none() | st.sampled_from("xyz"), "nick": st.none() | st.sampled_from("xyz")}
)


@given(st.lists(st.tuples(st.booleans(), SAID), max_size=6), SAID)
def test_two_connections_never_fight_over_one_row(changes, start):
    """Whatever either says and whichever syncs, a round in which nothing changed writes nothing."""
    row, links = CrmRow("crm-1", {"key": "k", **start}), [a_link(), a_link()]
    said = [{"name": None, "nick": None}, {"name": None, "nick": None}]

    def sync(who: int) -> PlannedWrite:
        nonlocal row
        other = links[1 - who]
        holders = held_by(Holder(OTHER, other.memory, before=who == 1))
        mapped = a_mapped(key="k", **said[who])
        plan = planned(mapped, links[who], Found(row), SHARED, holders=holders)
        row, links[who] = written_into(row, plan), link_after(links[who], plan, mapped)
        return plan

    for first, values in changes:
        said[0 if first else 1] = values
        sync(0 if first else 1)
    sync(0), sync(1)

    assert [sync(0).values, sync(1).values] == [{}, {}]
    assert row.values["name"] in (said[0]["name"], said[1]["name"] if said[0]["name"] is None else None)
