"""One budget for many: real Redis, real processes, and no Redis at all."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic, sleep

import pytest
from redis import Redis

from connector import budget
from connector.budget import BRISK, Budgets, Slots, Terms
from connector.errors import TryLaterError
from connector.ports import Limit

SLOW = Terms("Twenty", "crm_rate_limit", (Limit(100, 100_000),))  # hardly anything comes back during a test
TWO = Slots("Twenty", "crm_busy", at_once=2)
NOWHERE = "unix:///nowhere/redis.sock"

# Takes what it can without waiting, says how much that was, and stays until it is ended.
TAKER = """
import sys
from connector import budget
from connector.errors import TryLaterError
from connector.ports import Limit
terms = budget.Terms("Twenty", "crm_rate_limit", (Limit(100, 100_000),))
budgets = budget.Budgets(budget.client(sys.argv[1]), pause=lambda _: None, tick=lambda: 0.0)
taken, mine = 0, budgets.tokens("k", terms, "webhook")
sys.stdin.readline()
try:
    while True:
        with mine.sending():
            taken += 1
except TryLaterError:
    print(taken, flush=True)
"""
HOLDER = """
import sys, time
from connector import budget
slots = budget.Slots("Twenty", "crm_busy", at_once=2, longest=float(sys.argv[2]))
budgets = budget.Budgets(budget.client(sys.argv[1]), pause=time.sleep, tick=time.monotonic)
with budgets.slots("k", slots, "full").sending():
    print("holds", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with budget.client(redis_url) as client:
        yield client


class Time:
    """A process's own clock, moved by whoever waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def pause(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def tick(self) -> float:
        return self.now


def budgets_of(redis: Redis, time: Time | None = None) -> Budgets:
    time = time or Time()
    return Budgets(redis, pause=time.pause, tick=time.tick)


def drained(one: budget.Budget) -> int:
    """How many requests it lets through before somebody would have to wait long."""
    sent = 0
    try:
        while True:
            with one.sending():
                sent += 1
    except TryLaterError:
        return sent


@contextmanager
def process(program: str, redis_url: str, *args: str) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-c", program, redis_url, *args]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child
        finally:
            child.kill()


def say(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.write("\n")
    child.stdin.flush()


def line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def at_once(number: int, act: Callable[[], int]) -> list[int]:
    results: list[int] = []
    threads = [threading.Thread(target=lambda: results.append(act())) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_two_processes_share_one_budget(redis_url: str) -> None:
    with process(TAKER, redis_url) as one, process(TAKER, redis_url) as other:
        say(one)
        say(other)
        taken = [int(line(one)), int(line(other))]

    assert sum(taken) == 100


def test_many_threads_never_take_a_token_twice(redis: Redis) -> None:
    budgets = budgets_of(redis)

    taken = at_once(6, lambda: drained(budgets.tokens("k", SLOW, "webhook")))

    assert sum(taken) == 100


def test_another_workspace_has_a_budget_of_its_own(redis: Redis) -> None:
    budgets = budgets_of(redis)
    drained(budgets.tokens("twenty:a:api_key", SLOW, "full"))

    assert drained(budgets.tokens("twenty:b:api_key", SLOW, "webhook")) == 100


def test_a_full_sync_leaves_the_last_tokens_to_webhooks(redis: Redis) -> None:
    budgets = budgets_of(redis)
    known = replace(SLOW, lanes=BRISK)  # nobody tries for more than is known
    with budgets.tokens("k", known, "webhook").sending():
        pass

    taken = [drained(budgets.tokens("k", known, lane)) for lane in ("full", "incremental", "webhook")]

    assert taken == [94, 2, 3]


def test_of_a_lane_that_nobody_came_in_little_is_kept(redis: Redis) -> None:
    budgets = budgets_of(redis)
    known = replace(SLOW, lanes=BRISK)

    taken = [drained(budgets.tokens("k", known, lane)) for lane in ("full", "webhook")]

    assert taken == [98, 2]


def test_what_was_set_aside_is_sent_without_waiting(redis: Redis) -> None:
    time = Time()
    mine, other = (budgets_of(redis, time).tokens("k", SLOW, "webhook") for _ in range(2))

    with mine.reserved(3):
        assert drained(other) == 97
        time.waits.clear()
        for _ in range(3):
            with mine.sending():
                pass

    assert time.waits == []
    with pytest.raises(TryLaterError) as told, mine.sending():
        pass
    assert told.value.code == "crm_rate_limit"
    assert told.value.after == pytest.approx(1020, rel=0.05)


def test_what_was_learned_by_one_is_known_to_all(redis: Redis) -> None:
    budgets_of(redis).tokens("k", SLOW, "full").refused(Limit(50, 100_000))

    standing = budgets_of(redis).standing("k")

    assert standing is not None
    assert standing.per_minute == pytest.approx(0.03)
    assert drained(budgets_of(redis).tokens("k", SLOW, "webhook")) == 0


def test_a_flushed_redis_is_a_full_bucket(redis: Redis) -> None:
    mine = budgets_of(redis).tokens("k", SLOW, "webhook")
    drained(mine)

    redis.flushall()
    redis.script_flush()

    assert drained(mine) == 100


def test_what_somebody_else_wrote_under_our_key_is_written_over(redis: Redis) -> None:
    for strange in ("{", "[]", '{"limits": 3}', '"x"'):
        redis.set("budget:k", strange)

        assert drained(budgets_of(redis).tokens("k", SLOW, "webhook")) == 100
        redis.delete("budget:k")


def test_without_redis_a_process_goes_on_with_half_of_the_limit() -> None:
    with budget.client(NOWHERE) as redis:
        budgets = budgets_of(redis)

        assert drained(budgets.tokens("k", SLOW, "webhook")) == 50
        assert budgets.standing("k") is None


def test_a_redis_that_came_back_is_asked_again(redis: Redis, redis_url: str) -> None:
    time = Time()
    with budget.client(NOWHERE) as gone:
        budgets = budgets_of(gone, time)
        mine = budgets.tokens("k", SLOW, "webhook")
        drained(mine)
        gone.connection_pool = redis.connection_pool
        assert drained(mine) == 0

        time.now += 6

        assert drained(mine) == 100


def test_a_holder_that_was_killed_gives_its_slot_back(redis_url: str, redis: Redis) -> None:
    budgets = Budgets(redis, pause=sleep, tick=monotonic)
    with process(HOLDER, redis_url, "0.5") as one, process(HOLDER, redis_url, "60") as other:
        assert (line(one), line(other)) == ("holds", "holds")
        one.send_signal(signal.SIGKILL)
        one.wait()

        with budgets.slots("k", TWO, "full").sending():
            pass


def test_a_slot_serves_all_that_was_reserved_and_is_free_afterwards(redis: Redis) -> None:
    mine, *others = (budgets_of(redis).slots("k", TWO, "full") for _ in range(3))

    with mine.reserved(3), others[0].sending():
        with mine.sending():
            pass
        with mine.sending():
            pass
        with pytest.raises(TryLaterError), others[1].sending():
            pass

    with others[0].sending(), others[1].sending():
        pass


def test_a_slot_is_free_again_after_an_error(redis: Redis) -> None:
    mine = budgets_of(redis).slots("k", Slots("Twenty", "crm_busy", at_once=1), "full")
    with pytest.raises(ZeroDivisionError), mine.sending():
        raise ZeroDivisionError

    with mine.sending():
        pass
