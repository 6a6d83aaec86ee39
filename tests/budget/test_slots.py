"""So many requests at a time, in made-up time."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from connector.budget import slots
from connector.budget.slots import Taken
from connector.ports import Lane

LANES: tuple[Lane, ...] = ("webhook", "incremental", "full")
turns = st.lists(
    st.tuples(st.sampled_from(LANES), st.integers(0, 6), st.booleans(), st.floats(0, 2)), max_size=40
)


def borrow(taken: Taken, lane: Lane, who: str, now: float) -> tuple[Taken, bool]:
    taken, wait = slots.borrow(taken, 2, lane, who, now=now, until=now + 60)
    return taken, not wait


@given(turns)
def test_there_are_never_more_than_two_in_flight(turns: list[tuple[Lane, int, bool, float]]) -> None:
    taken, now = Taken(), 0.0
    holding: set[str] = set()
    for lane, number, borrows, gap in turns:
        now, who = now + gap, str(number)
        if borrows:
            taken, got = borrow(taken, lane, who, now)
            holding |= {who} if got else set()
        else:
            taken = slots.give_back(taken, who)
            holding.discard(who)

        assert len(holding) <= 2
        assert holding == set(taken.slots)


def test_a_slot_that_is_given_back_serves_the_next() -> None:
    taken, _ = borrow(Taken(), "full", "a", 0)
    taken, _ = borrow(taken, "full", "b", 0)
    taken, got = borrow(taken, "full", "c", 1)
    assert not got

    _, got = borrow(slots.give_back(taken, "a"), "full", "c", 1.1)

    assert got


def test_a_worker_that_was_killed_keeps_its_slot_no_longer_than_a_request_lasts() -> None:
    taken, _ = borrow(Taken(), "full", "killed", 0)
    taken, _ = borrow(taken, "full", "b", 0)

    assert not borrow(taken, "full", "c", 59)[1]
    assert borrow(taken, "full", "c", 61)[1]


def test_a_webhook_that_waits_goes_before_a_full_sync() -> None:
    taken, _ = borrow(Taken(), "full", "a", 0)
    taken, _ = borrow(taken, "full", "b", 0)
    taken, _ = borrow(taken, "full", "c", 1.0)
    taken, _ = borrow(taken, "webhook", "d", 1.2)

    taken, full_got = borrow(slots.give_back(taken, "a"), "full", "c", 1.3)
    taken, webhook_got = borrow(taken, "webhook", "d", 1.3)

    assert (full_got, webhook_got) == (False, True)


def test_a_full_sync_that_waited_long_waits_behind_nobody() -> None:
    taken, _ = borrow(Taken(), "webhook", "a", 0)
    taken, _ = borrow(taken, "webhook", "b", 0)
    for tenth in range(35):
        taken, _ = borrow(taken, "full", "c", tenth / 10)
        taken, _ = borrow(taken, "webhook", "d", tenth / 10)

    _, got = borrow(slots.give_back(taken, "a"), "full", "c", 3.6)

    assert got


def test_nobody_waits_for_a_webhook_that_went_away() -> None:
    taken, _ = borrow(Taken(), "full", "a", 0)
    taken, _ = borrow(taken, "full", "b", 0)
    taken, _ = borrow(taken, "webhook", "d", 0)

    _, got = borrow(slots.give_back(taken, "a"), "full", "c", 1.5)

    assert got


def test_what_is_kept_reads_back_the_same() -> None:
    taken, _ = borrow(Taken(), "full", "a", 0)
    taken, _ = borrow(taken, "full", "b", 0)
    taken, _ = borrow(taken, "webhook", "c", 0.5)

    assert slots.from_json(orjson.loads(orjson.dumps(slots.as_json(taken)))) == taken
