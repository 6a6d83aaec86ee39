"""Events in any order, twice or late end in one decision for each record."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.events import BACKOFF, Told, newest, wait_after
from connector.core.records import Ref, SourceRecord

REF = Ref("whop", "membership", "mem_1")
OTHER = Ref("whop", "membership", "mem_2")


def a_told(at: str | None = "10", ref: Ref | None = REF, **changed: Any) -> Told:
    record = SourceRecord(ref, {"status": changed.pop("status", at)}, at) if ref and at else None
    values: dict[str, Any] = {
        "name": "membership.updated",
        "sent_as": "membership.updated",
        "dialect": "v1",
        "event_id": "msg_1",
        "company": "biz_1",
        "occurred_at": at,
        "ref": ref,
        "record": record,
        "complete": record is not None,
    }
    return Told(**{**values, **changed})


def test_a_complete_body_newer_than_what_is_known_stands_for_its_record() -> None:
    told = a_told("11")

    work = newest([told], {REF: "10"})

    assert (work.use, work.read, work.stale) == ({REF: told.record}, {}, {})


def test_of_several_bodies_the_newest_stands() -> None:
    older, newer = a_told("10"), a_told("12")

    assert newest([newer, older], {}).use == {REF: newer.record}


def test_a_body_older_than_what_is_known_changes_nothing() -> None:
    assert newest([a_told("09")], {REF: "10"}).stale == {REF: None}


def test_equal_times_tell_no_order_so_the_record_is_read() -> None:
    assert newest([a_told("10")], {REF: "10"}).read == {REF: None}
    assert newest([a_told("10", status="a"), a_told("10", status="b")], {}).read == {REF: None}


def test_two_bodies_that_say_the_same_are_one() -> None:
    assert newest([a_told("10"), a_told("10")], {}).use.keys() == {REF}


@pytest.mark.parametrize("partial", [a_told("12", complete=False), a_told(None), a_told("12", record=None)])
def test_one_body_that_does_not_tell_all_has_the_record_read(partial: Told) -> None:
    assert newest([a_told("11"), partial], {REF: "10"}).read == {REF: None}


def test_records_do_not_mix_and_what_is_about_none_is_left_out() -> None:
    work = newest([a_told("11"), a_told("11", OTHER, complete=False), a_told("11", None)], {})

    assert (work.use.keys(), work.read) == ({REF}, {OTHER: None})


@given(st.lists(st.tuples(st.sampled_from(["08", "10", "12"]), st.booleans()), min_size=1), st.data())
def test_the_order_in_which_events_come_does_not_matter(found: list[tuple[str, bool]], data: Any) -> None:
    told = [a_told(at, complete=complete) for at, complete in found]
    shuffled = data.draw(st.permutations(told))

    assert newest(told, {REF: "10"}) == newest(shuffled, {REF: "10"})


def test_each_failure_waits_longer_until_the_event_is_parked() -> None:
    waits = [wait_after(number) for number in range(1, len(BACKOFF) + 2)]

    assert waits == [1, 5, 30, 120, 600, 3_600, 21_600, None]
