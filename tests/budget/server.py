"""A server that counts as Twenty does (recordings 600 to 610), and lanes that send to it in made-up time."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from connector.budget import LANES, Terms, bucket
from connector.ports import Lane, Limit

TWENTY = (Limit(100, 1), Limit(100, 60))


def terms(*limits: Limit) -> Terms:
    return Terms("Twenty", "crm_rate_limit", limits or TWENTY, LANES)


class Server:
    """Whole tokens come back, counted from the last request that passed."""

    def __init__(self, *limits: Limit) -> None:
        self.limits = limits or TWENTY
        self.passed: list[float] = []
        self.refused: list[float] = []
        self._levels: dict[Limit, tuple[int, float]] = {}

    def ask(self, now: float) -> Limit | None:
        """The limit that refuses, or None."""
        levels = {limit: self._level(limit, now) for limit in self.limits}
        for limit, level in levels.items():
            if level < 1:
                self.refused.append(now)
                return limit
        self._levels = {limit: (level - 1, now) for limit, level in levels.items()}
        self.passed.append(now)
        return None

    def _level(self, limit: Limit, now: float) -> int:
        tokens, since = self._levels.get(limit, (limit.requests, now))
        return min(limit.requests, tokens + int((now - since) * limit.requests / limit.seconds + 1e-6))


@dataclass
class World:
    """Senders who wait as long as they are told and then send; in made-up time."""

    server: Server = field(default_factory=Server)
    terms: Terms = field(default_factory=terms)
    confirmed: bool = True  # a refusal has named the limit before, so nobody tries for more
    now: float = 1_000_000.0
    sent: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    waits: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.begin = self.now
        self.state = replace(bucket.fresh(self.terms, self.now), told_at=self.now if self.confirmed else 0.0)

    def run(
        self,
        seconds: float,
        senders: Iterable[tuple[Lane, Iterable[float]]],
        *,
        others: float = 0,
        answer: float = 0,
    ) -> None:
        """Each sender wants to send at its moments, one after the other; others send so many a second.

        ``answer`` is how long the server takes for one request.
        """
        todo: list[tuple[float, int, Lane, Iterator[float], float]] = []
        for number, (lane, at_all) in enumerate(senders):
            moments = iter(at_all)
            if (first := next(moments, None)) is not None:
                heapq.heappush(todo, (first, number, lane, moments, first))
        foreign = [(at + 1) / others for at in range(int(seconds * others))] if others else []
        while todo and todo[0][0] < seconds:
            at, number, lane, moments, wanted = heapq.heappop(todo)
            while foreign and foreign[0] <= at:
                self.server.ask(self.begin + foreign.pop(0))
            wait = self._send(lane, at, wanted)
            if wait:
                heapq.heappush(todo, (at + wait, number, lane, moments, wanted))
            elif (following := next(moments, None)) is not None:
                following = max(following, at + answer)
                heapq.heappush(todo, (following, number, lane, moments, following))
        self.now = self.begin + seconds

    def _send(self, lane: Lane, at: float, wanted: float) -> float:
        now = self.begin + at
        self.state, wait = bucket.take(self.terms, self.state, lane, 1, now)
        if wait:
            return wait
        if (limit := self.server.ask(now)) is not None:
            self.state = bucket.refused(self.state, limit, now)
            return 0.001
        self.sent[lane].append(at)
        self.waits[lane].append(at - wanted)
        return 0.0
