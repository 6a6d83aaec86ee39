"""``ports.Budget`` twice: by tokens and by slots."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from redis import Redis

from connector.budget import bucket, levels, slots
from connector.budget.bucket import Standing
from connector.budget.levels import State
from connector.budget.shared import Shared
from connector.budget.slots import Taken
from connector.budget.terms import Terms
from connector.errors import TryLaterError
from connector.ports import Budget, Lane, Limit

T = TypeVar("T")

_PATIENCE = 20.0  # seconds that a worker waits: at the limit the next request is much nearer than that


def client(url: str) -> Redis:
    """A client whose every answer is waited for only shortly; nothing is sent yet."""
    return Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1, health_check_interval=30)


@dataclass(frozen=True, slots=True)
class Slots:
    """No more than ``at_once`` requests at a time, each of at most ``longest`` seconds."""

    who: str
    code: str
    at_once: int = 2
    longest: float = 60.0


class Budgets:
    """Every budget of a process. ``tick`` is its own clock in seconds, for when Redis does not answer."""

    def __init__(
        self,
        redis: Redis,
        *,
        pause: Callable[[float], None],
        tick: Callable[[], float],
        patience: float = _PATIENCE,
    ) -> None:
        self._redis = redis
        self._shared = Shared(redis, tick)
        self._pause = pause
        self._patience = patience

    def close(self) -> None:
        """Give the connections back."""
        self._redis.close()

    def tokens(self, key: str, terms: Terms, lane: Lane) -> Budget:
        """The budget of this key for one lane. Opens nothing."""
        return _Tokens(
            self._shared, key, terms, lane, _Queue(terms.who, terms.code, self._pause, self._patience)
        )

    def slots(self, key: str, terms: Slots, lane: Lane) -> Budget:
        """The same where a service limits nothing: so many requests at a time."""
        return _Slots(
            self._shared, key, terms, lane, _Queue(terms.who, terms.code, self._pause, self._patience)
        )

    def standing(self, key: str) -> Standing | None:
        """How the tokens of this key stand; None where nobody took any yet, or nobody can tell."""
        seen = self._shared.look(key)
        state = _state_of(seen[0]) if seen else None
        return bucket.standing(state, seen[1]) if seen and state else None


@dataclass(frozen=True, slots=True)
class _Queue:
    """Waits until asking gives leave, or for so long that the worker had better do something else."""

    who: str
    code: str
    pause: Callable[[float], None]
    patience: float

    def wait(self, ask: Callable[[], float]) -> None:
        waited = 0.0
        while wait := ask():
            waited += wait
            if waited > self.patience:
                raise TryLaterError(f"{self.who} is at its request limit.", after=wait, code=self.code)
            self.pause(wait)


class _Aside(threading.local):
    """What a thread has set aside for itself."""

    tokens = 0
    slot = ""


_Take = Callable[[Terms, State, Lane, int, float], tuple[State, float]]


class _Tokens:
    def __init__(self, shared: Shared, key: str, terms: Terms, lane: Lane, queue: _Queue) -> None:
        self._shared, self._key, self._terms, self._lane = shared, key, terms, lane
        self._queue = queue
        self._mine = _Aside()

    @contextmanager
    def reserved(self, requests: int = 1) -> Iterator[None]:
        if (missing := requests - self._mine.tokens) > 0:
            self._have(bucket.set_aside, missing)
            self._mine.tokens += missing
        yield  # what is left over serves the next request

    @contextmanager
    def sending(self) -> Iterator[None]:
        if self._mine.tokens:
            self._mine.tokens -= 1
            self._queue.wait(
                lambda: self._change(lambda terms, state, now: bucket.leave(terms, state, self._lane, now))
            )
        else:
            self._have(bucket.take, 1)
        yield

    def refused(self, limit: Limit | None) -> None:
        self._mine.tokens = 0  # of a bucket that was not there
        self._change(lambda _terms, state, now: (bucket.refused(state, limit, now), None))

    def _have(self, how: _Take, cost: int) -> None:
        self._queue.wait(
            lambda: self._change(lambda terms, state, now: how(terms, state, self._lane, cost, now))
        )

    def _change(self, decide: Callable[[Terms, State, float], tuple[State, T]]) -> T:
        def of(terms: Terms) -> Callable[[object, float], tuple[object, T]]:
            def change(kept: object, now: float) -> tuple[object, T]:
                state, answer = decide(terms, _state_of(kept) or bucket.fresh(terms, now), now)
                return levels.as_json(state), answer

            return change

        return self._shared.change(self._key, of(self._terms), of(self._terms.halved()))


class _Slots:
    def __init__(self, shared: Shared, key: str, terms: Slots, lane: Lane, queue: _Queue) -> None:
        self._shared, self._key, self._terms, self._lane = shared, key, terms, lane
        self._queue = queue
        self._mine = _Aside()

    @contextmanager
    def reserved(self, requests: int = 1) -> Iterator[None]:
        """One slot serves them all, one after the other."""
        held_before = self._mine.slot
        self._mine.slot = held_before or uuid.uuid4().hex
        try:
            self._queue.wait(self._borrow)
            yield
        finally:
            if not held_before:
                who, self._mine.slot = self._mine.slot, ""
                self._change(lambda taken, _now: (slots.give_back(taken, who), None))

    def sending(self) -> AbstractContextManager[None]:
        return self.reserved()

    def refused(self, limit: Limit | None) -> None:
        """A service that limits all the same says when it has enough: wait as it says."""
        self._queue.pause(limit.seconds / limit.requests if limit else 1.0)

    def _borrow(self) -> float:
        terms, lane, who = self._terms, self._lane, self._mine.slot
        return self._change(
            lambda taken, now: slots.borrow(
                taken, terms.at_once, lane, who, now=now, until=now + terms.longest
            )
        )

    def _change(self, decide: Callable[[Taken, float], tuple[Taken, T]]) -> T:
        def change(kept: object, now: float) -> tuple[object, T]:
            taken, answer = decide(_taken_of(kept), now)
            return slots.as_json(taken), answer

        return self._shared.change(self._key, change, change)


def _state_of(kept: object) -> State | None:
    """What is no state, of a former version maybe, is as good as none."""
    try:
        return levels.from_json(kept) if isinstance(kept, Mapping) else None
    except (KeyError, TypeError, ValueError):
        return None


def _taken_of(kept: Any) -> Taken:
    try:
        return slots.from_json(kept) if isinstance(kept, Mapping) else Taken()
    except (KeyError, TypeError, ValueError):
        return Taken()
