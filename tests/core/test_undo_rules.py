"""What becomes of a record when a run is taken back: every rule of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connector.core.records import CrmRow
from connector.core.removal import Known
from connector.core.undoing import Do, Fate, Past, Seen, decide, same
from tests.core.builders import REF, a_row

TYPES = ("name", "stage", "emails")


def a_past(**changed: Any) -> Past:
    return Past(REF, "opportunity", "Monthly", 7)._replace(**changed)


def seen(row: CrmRow | None, **more: Any) -> Seen:
    known = Known(REF, "crm-1", more.pop("ours", "crm-1"), "c", more.pop("updated_at", "u"))
    known = known._replace(**{name: more.pop(name) for name in ("shared", "resumed") if name in more})
    return Seen(known, row, TYPES)._replace(**more)


def alive(**values: Any) -> CrmRow:
    return replace(a_row(**values), created_at="c", updated_at="u")


WROTE = a_past(before={"name": "A", "stage": "X"}, after={"name": "B", "stage": "Y"})


def test_fields_that_hold_what_was_written_are_put_back():
    assert decide(WROTE, seen(alive(name="B", stage="Y"))) == Fate(Do.PUT, {"name": "A", "stage": "X"})


def test_only_those_that_do():
    fate = decide(WROTE, seen(alive(name="By hand", stage="Y")))

    assert (fate.do, fate.values) == (Do.PUT, {"stage": "X"})
    assert fate.left == ("name: somebody changed it in Twenty since.",)


def test_what_holds_it_already_needs_nothing():
    assert decide(WROTE, seen(alive(name="A", stage="X"))) == Fate(Do.SAME)


def test_what_this_very_run_put_back_before_it_was_cut_off_is_its_own():
    fate = decide(WROTE, seen(alive(name="A", stage="X"), begun={"name": "A"}))

    assert fate == Fate(Do.PUT, {"name": "A"}, done=True)


def test_what_a_later_sync_wrote_stays_although_it_wrote_the_same():
    fate = decide(WROTE, seen(alive(name="B", stage="Y"), later={"name": 9}))

    assert (fate.values, fate.left) == ({"stage": "X"}, ("name: sync 9 wrote it since.",))


@pytest.mark.parametrize(
    ("past", "why"),
    [
        (a_past(before={"old": 1}, after={"old": 2}), "old: the mapping does not write it any more."),
        (a_past(before={}, after={"name": "B"}), "name: what it held was too long to be kept."),
    ],
)
def test_what_cannot_be_put_back_is_told(past, why):
    assert decide(past, seen(alive(name="B", old=2))) == Fate(Do.LEAVE, left=(why,))


@pytest.mark.parametrize("row", [None, a_row(deleted=True)])
def test_a_record_that_is_not_there_any_more_stays_so(row):
    assert decide(WROTE, seen(row)).do is Do.GONE
    assert decide(a_past(made=True), seen(row)).do is Do.GONE


MADE = a_past(made=True, after={"name": "B"})


@pytest.mark.parametrize(
    ("more", "fate"),
    [
        ({}, Fate(Do.DELETE)),
        ({"updated_at": "earlier"}, Fate(Do.LEAVE, left=("Somebody changed it in Twenty since.",))),
        ({"shared": True}, Fate(Do.LEAVE, left=("Another company of this workspace has it too.",))),
        ({"ours": "own"}, Fate(Do.LEAVE, left=("It was made part of another record in Twenty since.",))),
    ],
)
def test_what_the_run_made_goes_into_the_bin_unless_others_had_a_hand_in_it(more, fate):
    assert decide(MADE, seen(alive(name="B"), **more)) == fate


def test_what_this_very_run_deleted_before_it_was_cut_off_is_its_own():
    assert decide(MADE, seen(a_row(deleted=True), resumed=True)) == Fate(Do.DELETE, done=True)


def test_what_the_run_took_out_of_the_bin_goes_back_whoever_made_it():
    past = a_past(restored=True, before={"name": "A"}, after={"name": "B"})

    assert decide(past, seen(alive(name="B"), ours="own")) == Fate(Do.DELETE)


REMOVED = a_past(before={"deletedAt": None}, after={"deletedAt": "2026-01-01T00:00:00.000Z"})


@pytest.mark.parametrize(
    ("row", "resumed", "fate"),
    [
        (a_row(deleted=True), False, Fate(Do.RESTORE)),
        (alive(), False, Fate(Do.SAME)),
        (alive(), True, Fate(Do.RESTORE, done=True)),
        (None, False, Fate(Do.GONE, left=("It is in the bin of Twenty no more.",))),
    ],
)
def test_what_the_run_put_into_the_bin_comes_out_of_it(row, resumed, fate):
    assert decide(REMOVED, seen(row, resumed=resumed)) == fate


def test_addresses_are_put_back_whole_and_compared_whole():
    alone, more = {"primaryEmail": "a@x"}, {"primaryEmail": "a@x", "additionalEmails": ["b@x"]}
    past = a_past(before={"emails": alone}, after={"emails": more})

    assert decide(past, seen(replace(alive(emails=alone), further={"emails": ("b@x",)}))) == Fate(
        Do.PUT, {"emails": {"primaryEmail": "a@x", "additionalEmails": []}}
    )
    assert same(alone, {**alone, "additionalEmails": []})
    assert not same(alone, more)
