"""The bucket in made-up time: what it lets through, to whom, and what it learns."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import accumulate, count, pairwise, repeat

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from server import Server, World, terms

from connector.budget import BRISK, bucket, levels
from connector.budget.levels import Level, Owed
from connector.ports import Lane, Limit

ALWAYS = 0.0
LANES: tuple[Lane, ...] = ("webhook", "incremental", "full")
limits = st.builds(Limit, st.integers(1, 200), st.sampled_from((0.5, 1.0, 10.0, 60.0, 100.0)))
gaps = st.lists(st.floats(0, 5), min_size=1, max_size=200)


def restless() -> repeat[float]:
    """Wants to send again as soon as it has sent."""
    return repeat(ALWAYS)


@given(st.sets(limits, min_size=1, max_size=2), st.lists(st.tuples(st.sampled_from(LANES), gaps), max_size=4))
def test_a_server_nobody_else_uses_never_refuses(
    real: set[Limit], senders: list[tuple[Lane, list[float]]]
) -> None:
    world = World(Server(*real), terms(*real))

    world.run(120, [(lane, accumulate(moments)) for lane, moments in senders])

    assert world.server.refused == []


@settings(max_examples=40)
@given(st.lists(st.sampled_from(LANES), min_size=1, max_size=4), limits)
def test_no_window_holds_more_than_the_bucket_and_what_comes_back(lanes: list[Lane], limit: Limit) -> None:
    world = World(Server(limit), terms(limit))

    world.run(3 * limit.seconds, [(lane, restless()) for lane in lanes])

    at = world.server.passed
    for first in range(len(at)):
        within = sum(1 for one in at[first:] if one < at[first] + limit.seconds)
        assert within <= 2 * limit.requests


def test_a_full_sync_uses_nearly_all_that_comes_back() -> None:
    world = World()

    world.run(600, [("full", restless())])

    assert len(world.sent["full"]) >= 0.97 * (100 + 600 / 0.6)


# With answers of 0.7 s two go together each 0.7 s, and the 0.1 s beyond a whole token cannot be had.
@pytest.mark.parametrize(("answer", "most"), [(0.05, 1.08), (0.2, 1.08), (0.35, 1.08), (0.7, 1.13)])
def test_two_at_a_time_lose_little_of_what_comes_back(answer: float, most: float) -> None:
    world, requests = World(), 346

    senders: list[tuple[Lane, Iterator[float]]] = [("full", repeat(at, requests // 2)) for at in (0, 0.13)]

    world.run(600, senders, answer=answer)

    floor = max((requests - 100) * 0.6, requests * answer / 2)
    assert len(world.sent["full"]) == requests
    assert max(world.sent["full"]) < most * floor


def test_a_short_sync_waits_for_nothing() -> None:
    world = World()

    world.run(60, [("full", repeat(ALWAYS, 10))], answer=0.2)

    assert world.waits["full"] == [0.0] * 10


def test_where_nothing_is_lost_by_haste_a_full_sync_takes_what_is_there() -> None:
    world = World(Server(Limit(600, 60)), replace(terms(Limit(600, 60)), lanes=BRISK))

    world.run(60, [("full", repeat(ALWAYS, 300))], answer=0.02)

    assert world.waits["full"] == [0.0] * 300
    assert world.server.refused == []


def test_a_webhook_waits_for_no_whole_token() -> None:
    world = World()

    world.run(60, [("webhook", repeat(ALWAYS, 90))], answer=0.2)

    assert world.waits["webhook"] == [0.0] * 90


def test_a_webhook_does_not_wait_while_a_full_sync_takes_everything() -> None:
    world = World()
    rounds = (one for at in count(3.7, 7.3) for one in (at, at + 0.05, at + 0.3))  # three requests a round

    world.run(600, [("full", restless()), ("full", restless()), ("webhook", rounds)])

    assert max(world.waits["webhook"]) < 1  # nobody had come for long, so little was kept for it
    assert max(world.waits["webhook"][12:]) < 0.001
    assert len(world.sent["webhook"]) > 200


def test_a_webhook_that_waits_goes_before_what_a_full_sync_is_owed_for_a_while() -> None:
    world = World()
    bursts = (at + step for at in count(100, 20) for step in [0.0] * 8)  # more than is kept for them

    world.run(600, [("full", restless()), ("full", restless()), ("webhook", bursts)])

    assert max(world.waits["webhook"]) < 0.7  # the time of one token


def test_an_incremental_sync_goes_before_a_full_one() -> None:
    world = World()

    world.run(600, [("full", restless()), ("incremental", restless())])

    late = [sum(1 for at in world.sent[lane] if at > 120) for lane in ("incremental", "full")]
    assert late[0] > 2 * late[1]


@pytest.mark.parametrize("stormy", [["webhook"], ["incremental"], ["webhook", "incremental", "webhook"]])
def test_a_full_sync_keeps_its_floor_in_a_storm_of_others(stormy: list[Lane]) -> None:
    world = World()

    world.run(600, [(lane, restless()) for lane in [*stormy, "full"]])

    late = [at for at in world.sent["full"] if at > 120]
    assert len(late) >= 0.9 * 0.2 * 480 / 0.612
    assert max(b - a for a, b in pairwise(late)) < 10


@pytest.mark.parametrize("missing", [1e-3, 1e-9, 1e-12, 1e-16])
def test_a_debt_that_is_nearly_due_is_waited_for_no_shorter_than_the_clock_can_tell(missing: float) -> None:
    now, spent = 1_000_000.0, terms()
    state = replace(bucket.fresh(spent, now), told_at=now, owed={"full": Owed(1 - missing, now)})
    state = replace(state, levels=tuple(Level(1, now) for _ in state.levels), cut_at=now)

    _, wait = bucket.take(spent, state, "full", 1, now)

    assert wait >= 0.001


@settings(max_examples=20)
@given(st.lists(st.sampled_from(LANES), min_size=2, max_size=6))
def test_no_lane_starves(lanes: list[Lane]) -> None:
    world = World()

    world.run(120, [(lane, restless()) for lane in lanes])

    assert all(any(at > 100 for at in world.sent[lane]) for lane in lanes)


def test_a_request_that_leaves_later_than_it_was_paid_is_counted_from_then() -> None:
    server, now = Server(Limit(2, 2)), 500.0
    state = bucket.fresh(terms(Limit(2, 2)), now)
    state, _ = bucket.set_aside(terms(), state, "webhook", 2, now)
    state, _ = bucket.leave(terms(), state, "webhook", now)
    assert server.ask(now) is None

    state, _ = bucket.leave(terms(), state, "webhook", now + 0.9)
    assert server.ask(now + 0.9) is None

    _, wait = bucket.take(terms(), state, "webhook", 1, now + 1.1)
    assert wait == pytest.approx(0.9 + 1.02 - 1.1)
    assert server.ask(now + 1.1) is not None
    assert server.ask(now + 1.1 + wait) is None


def test_a_token_that_is_nearly_whole_may_be_set_aside_and_leaves_when_it_is() -> None:
    server, now = Server(), 500.0
    state = bucket.fresh(terms(), now)
    for _ in range(100):
        state, _ = bucket.take(terms(), state, "webhook", 1, now)
        assert server.ask(now) is None

    state, wait = bucket.set_aside(terms(), state, "webhook", 1, now + 0.5)
    assert wait == 0
    assert bucket.set_aside(terms(), state, "webhook", 1, now + 0.5)[1] > 0

    _, wait = bucket.leave(terms(), state, "webhook", now + 0.55)
    assert wait == pytest.approx(0.062)
    state, left = bucket.leave(terms(), state, "webhook", now + 0.55 + wait)
    assert left == 0
    assert server.ask(now + 0.55 + wait) is None


def test_requests_set_aside_leave_together_and_lose_little() -> None:
    """Six at a time whose claims take up to 0.1 s, as those of a long sync do."""
    server, now, requests = Server(), 500.0, 346
    state, dice, last = bucket.fresh(terms(), now), random.Random(1), now
    todo = [(now + lane / 1000, lane, False) for lane in range(6)]
    while requests or any(is_paid for *_, is_paid in todo):
        at, lane, is_paid = heapq.heappop(todo)
        how = partial(bucket.leave, terms()) if is_paid else partial(bucket.set_aside, terms(), cost=1)
        state, wait = how(state=state, lane="full", now=at)
        if wait:
            heapq.heappush(todo, (at + wait, lane, is_paid))
        elif is_paid:
            assert server.ask(at) is None
            last = at
            heapq.heappush(todo, (at + 0.25, lane, False))
        elif requests:
            requests -= 1
            heapq.heappush(todo, (at + dice.uniform(0, 0.1), lane, True))

    assert last - now < 1.08 * (346 - 100) * 0.6


def test_after_several_that_left_together_the_next_leaves_time_for_the_last_to_arrive() -> None:
    state, now = bucket.fresh(terms(), 500.0), 500.0
    for _ in range(60):
        state, _ = bucket.set_aside(terms(), state, "full", 1, now)

    first = now + 1 + bucket.leave(terms(), state, "full", now + 1)[1]
    state, _ = bucket.leave(terms(), state, "full", first)
    _, after_one = bucket.leave(terms(), state, "full", first + 0.2)
    state, beside = bucket.leave(terms(), state, "full", first + 0.02)
    _, after_two = bucket.leave(terms(), state, "full", first + 0.22)

    assert beside == 0
    assert after_one == pytest.approx(0.612 - 0.2)
    assert after_two == pytest.approx(0.612 + 0.06 - 0.2)


def test_a_lower_limit_is_learned_from_the_first_refusal_that_counts() -> None:
    world = World(Server(Limit(100, 1), Limit(50, 60)), confirmed=False)

    world.run(300, [("full", restless())])

    assert bucket.standing(world.state, world.now).per_minute == 50
    assert world.state.share == 1  # nobody else is there
    assert len(world.server.refused) <= 2
    assert len(world.sent["full"]) >= 0.93 * (50 + 300 / 1.2)


def test_a_higher_limit_is_found_by_trying_a_little_more() -> None:
    world = World(Server(Limit(100, 1), Limit(240, 60)), confirmed=False)

    world.run(900, [("full", restless())])

    assert bucket.standing(world.state, world.now).per_minute == 240
    late = [at for at in world.sent["full"] if at > 600]
    assert len(late) > 0.95 * 300 * 4 / 1.02


def test_a_limit_that_was_confirmed_is_not_tried_again_for_a_day() -> None:
    world = World(confirmed=False)

    world.run(3600, [("full", restless())])

    assert len(world.server.refused) == 1


def test_another_window_takes_the_place_of_the_nearest() -> None:
    state = bucket.fresh(terms(), 0.0)

    state = bucket.refused(state, Limit(500, 100), 10.0)

    assert state.limits == (Limit(100, 1), Limit(500, 100))


def test_others_in_the_same_workspace_are_left_their_part() -> None:
    world = World()

    world.run(900, [("full", restless())], others=0.8)

    asked = int(900 * 0.8)
    foreign = len(world.server.passed) - len(world.sent["full"])
    assert foreign > 0.8 * asked
    assert world.state.share < 1
    assert len(world.sent["full"]) > 0.3 * 900 / 0.6


def test_the_share_grows_back_once_the_others_are_gone() -> None:
    state = bucket.fresh(terms(), 0.0)
    for at in range(100, 200, 5):
        state = bucket.refused(state, Limit(100, 60), float(at))
    assert bucket.standing(state, 200.0).share < 0.5

    assert bucket.standing(state, 400.0).share == 1


def test_refusals_of_one_moment_are_one_piece_of_news() -> None:
    state = bucket.fresh(terms(), 0.0)

    for at in (100.0, 100.3, 100.6, 101.9):
        state = bucket.refused(state, Limit(100, 60), at)

    assert state.share == pytest.approx(0.9)


def test_a_refusal_right_after_everything_was_forgotten_only_empties_the_bucket() -> None:
    state = bucket.fresh(terms(), 0.0)

    state = bucket.refused(state, Limit(100, 60), 5.0)

    assert state.share == 1
    assert bucket.take(terms(), state, "webhook", 1, 5.0)[1] == pytest.approx(0.612)


def test_a_refusal_without_a_number_empties_the_slowest_bucket() -> None:
    state = bucket.refused(bucket.fresh(terms(), 0.0), None, 5.0)

    assert [level.tokens for level in state.levels] == [100, 0]


def test_requests_are_short_only_while_somebody_waits() -> None:
    state = bucket.fresh(terms(), 1_000.0)
    assert not bucket.standing(state, 1_000.0).short

    for _ in range(101):
        state, _ = bucket.take(terms(), state, "full", 1, 1_001.0)

    assert bucket.standing(state, 1_002.0).short
    assert not bucket.standing(state, 1_060.0).short


def test_a_clock_that_was_set_back_does_not_stop_the_sync() -> None:
    state = bucket.fresh(terms(), 5_000.0)
    for _ in range(94):
        state, _ = bucket.take(terms(), state, "full", 1, 5_000.0)

    _, wait = bucket.take(terms(), state, "full", 1, 1_000.0)

    assert wait == pytest.approx(0.612)


def test_more_than_the_bucket_holds_is_had_when_it_is_full() -> None:
    small = terms(Limit(3, 3))
    state = bucket.fresh(small, 0.0)

    state, wait = bucket.take(small, state, "webhook", 8, 0.0)

    assert wait == 0
    assert bucket.take(small, state, "webhook", 1, 0.0)[1] == pytest.approx(6 * 1.02)


@given(st.lists(st.tuples(st.sampled_from(LANES), st.integers(1, 40), st.floats(0, 3)), max_size=30))
def test_what_is_kept_reads_back_the_same(turns: list[tuple[Lane, int, float]]) -> None:
    state, now = bucket.fresh(terms(), 0.0), 0.0
    for lane, cost, gap in turns:
        now += gap
        state, _ = bucket.take(terms(), state, lane, cost, now)

    assert levels.from_json(orjson.loads(orjson.dumps(levels.as_json(state)))) == state
