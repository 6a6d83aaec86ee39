"""Token buckets as data: a state and the present moment go in, a state and a wait come out.

The arithmetic is that of Twenty's server, as recorded: whole tokens come back, counted from the last
request that passed, so a request that comes early loses the part of a token that was growing. Counting
as it does, or more strictly, is what keeps it from ever refusing while nobody else sends.

* **Lanes.** Each lane leaves some tokens to the lanes before it, so a webhook finds one at once while a
  full sync takes every token that comes back: few as long as nobody else is there, more once somebody is.
  A lane with a floor is owed that share of the pace: when it got less, it may take what the others would
  keep from it; while somebody waits in a lane before it, not until it is owed more.
* **Together.** As each request loses a part of a token, those of a patient lane go together, when one has
  just become whole. So a long sync gets what comes back while it spends what was saved up.
* **Ahead.** What is set aside for a request that leaves soon is counted by the server from when it leaves:
  ``leave`` waits for that moment, so the work in between is done while the token grows.
* **Learning.** A refusal names the limit, which takes the place of the known one with the nearest window.
* **Others.** A refusal although we had tokens means that somebody else spends them too: our share of the
  pace shrinks by a tenth, and grows again slowly.
* **More.** As long as no refusal has confirmed a limit within a day, who would have to wait sends all the
  same now and then, the sooner the longer it goes well. So a server with a higher limit is used to that
  limit, and what the server has beyond our count is used up, at the cost of one refusal a day: a request
  that is refused costs no token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import floor, log
from typing import NamedTuple

from connector.budget.levels import Level, Owed, State
from connector.budget.terms import Terms
from connector.ports import Lane, Limit

_SLACK = 1.02  # our clock and the way to the server are not the server's
_LEAST_SHARE = 0.2
_CUT = 0.9  # of the share, for a refusal that is news
_NEWS = 2.0  # refusals within so many seconds tell the same
_REGROWTH = 0.005  # of the share, in a second: from 0.9 to the whole in 20 s
_TRY, _SOONER, _SOONEST = 0.25, 0.9, 0.1  # seconds to the next request beyond the known limit
_CONFIRMED = 24 * 3600.0
_LONG_OWED = 3.0  # tokens for which a lane goes even before one that is before it
_ASKS = 1.0  # somebody who waits for what is owed is back within this after its wait
_PLENTY = 0.9  # of a bucket: nothing is lost yet that a sync would miss
_MUCH = 0.5  # of a bucket: to wait for more than one whole token is not worth it
_NEARLY = 0.25  # of the time in which a token grows: so much of one may be lost
_TOGETHER = 0.25  # of the time in which a token grows, from the first of those that go together
_AHEAD = 0.15  # seconds before a token is whole that it may be set aside: what comes before a request
_SPREAD = 0.06  # seconds by which the last of those that left together may arrive late: a busy server
_BREATH = 0.001  # no wait is shorter
_SHORT = 10.0  # requests are short while somebody had to wait within this
_QUIET = 60.0  # a lane that nobody came in for so long is left fewer tokens
_ALONE = 600.0  # others who took a part of the limit within this may do so again


class Standing(NamedTuple):
    """What a page tells: requests a minute that the service allows, our share of them, who had to wait."""

    per_minute: float
    share: float
    short: bool


def fresh(terms: Terms, now: float) -> State:
    """A bucket nobody has taken from."""
    levels = tuple(Level(limit.requests, now) for limit in terms.limits)
    return State(terms.limits, levels, born=now, share_at=now)


def take(terms: Terms, state: State, lane: Lane, cost: int, now: float) -> tuple[State, float]:
    """Take ``cost`` tokens for requests that leave now; or in how many seconds to ask again (0.0: taken)."""
    after, wait, is_regular = _taken(terms, state, lane, cost, now)
    if wait:
        return after, wait
    if is_regular and (moment := _until_whole(terms, state, lane, now)):
        return state, moment
    return _left(after, now), 0.0


def set_aside(terms: Terms, state: State, lane: Lane, cost: int, now: float) -> tuple[State, float]:
    """The same for requests that ``leave`` later. A token that is nearly whole may be set aside."""
    after, wait, _ = _taken(terms, state, lane, cost, now)
    if wait > _AHEAD:
        return after, max(_BREATH, wait - _AHEAD)
    if wait:
        after, wait, _ = _taken(terms, state, lane, cost, now + wait)
    return after, wait


def leave(terms: Terms, state: State, lane: Lane, now: float) -> tuple[State, float]:
    """A request whose token was set aside leaves now; or in how many seconds to ask again (0.0: it left)."""
    early = max(since - now for _, since in state.levels)
    wait = early if _BREATH < early <= _AHEAD else _until_whole(terms, state, lane, now)
    if wait:
        return state, wait
    most = (limit.requests - 1 for limit in state.limits)  # of a full bucket, one is gone now
    levels = zip(_levels(state, now), most, strict=True)
    return _left(replace(state, levels=tuple(Level(min(one.tokens, n), now) for one, n in levels)), now), 0.0


def _taken(terms: Terms, state: State, lane: Lane, cost: int, now: float) -> tuple[State, float, bool]:
    """The state without these tokens, or a wait; and whether it was this lane's turn."""
    state = _grown(terms, state, now)
    levels = _levels(state, now)
    wait = regular = _wait(state, levels, cost, _kept(terms, state, lane, now), now)
    if regular:
        wait = min(regular, max(_wait(state, levels, cost, 0, now), _until_owed(terms, state, lane, now)))
    may_try = terms.tries and terms.lanes[lane].patient and now - state.told_at > _CONFIRMED
    if is_trying := bool(wait) and may_try:
        wait = min(wait, max(0.0, state.tried_at + (state.try_after or _TRY) - now))
    if wait:
        wait = max(wait, _BREATH)  # what is missing may be less than the clock tells apart
        return _waiting(state, lane, cost, now, wait), wait, not regular
    if is_trying:
        return _tried(state, levels, cost, now), 0.0, False
    left = tuple(level._replace(tokens=level.tokens - cost) for level in levels)
    owed = _paid(state.owed, lane, cost, on_floor=bool(regular))
    return replace(state, levels=left, owed=owed, came={**state.came, lane: now}), 0.0, not regular


def _left(state: State, now: float) -> State:
    """This is the moment that the server counts from."""
    if not _is_together(state, now):
        state = replace(state, together_since=now)
    return replace(state, levels=tuple(one._replace(since=now) for one in state.levels), sent_at=now)


def refused(state: State, limit: Limit | None, now: float) -> State:
    """The server had no token for a request that we thought it had."""
    at = _slowest(state) if limit is None else _nearest(state.limits, limit)
    levels = tuple(
        Level(0, now) if one == at else _level(state, one, now) for one in range(len(state.levels))
    )
    before = state.limits[at]
    limits = tuple((limit or old) if one == at else old for one, old in enumerate(state.limits))
    state = replace(state, levels=levels, limits=limits, told_at=now, try_after=0.0)
    is_news, is_young = limits[at] != before, now - state.born < before.seconds
    was_trying = 0 <= now - state.tried_at < _NEWS
    if is_news:
        return replace(state, share_at=now, cut_at=now)
    if was_trying or is_young or now - state.cut_at < _NEWS:
        return state
    return replace(state, share=max(_LEAST_SHARE, state.share * _CUT), share_at=now, cut_at=now)


def standing(state: State, now: float) -> Standing:
    """The slowest limit, as it is known."""
    share = _regrown(state, now)
    return Standing(60 * min(map(_pace, state.limits)), share, now - state.waited_at < _SHORT)


def _pace(limit: Limit) -> float:
    """Requests a second."""
    return limit.requests / limit.seconds


def _slowest(state: State) -> int:
    return min(range(len(state.limits)), key=lambda at: _pace(state.limits[at]))


def _interval(state: State, at: int) -> float:
    """Seconds until one token is back."""
    return _SLACK / (_pace(state.limits[at]) * state.share)


def _levels(state: State, now: float) -> tuple[Level, ...]:
    return tuple(_level(state, at, now) for at in range(len(state.limits)))


def _level(state: State, at: int, now: float) -> Level:
    """Whole tokens, from the last that passed; a clock that was set back loses nothing but time."""
    (tokens, since), interval, most = state.levels[at], _interval(state, at), state.limits[at].requests
    back = floor(max(0.0, now - since) / interval + 1e-6)
    if tokens + back >= most:
        return Level(most, now)
    return Level(tokens + back, min(since, now) + back * interval)


def _wait(state: State, levels: tuple[Level, ...], cost: int, kept: int, now: float) -> float:
    """Seconds until every limit has the tokens; a bucket too small for what is kept need only be full."""
    longest = 0.0
    for at, limit in enumerate(state.limits):
        need = min(cost + kept, limit.requests)
        if levels[at].tokens < need:
            tokens, since = state.levels[at]
            full = min(since, now) + (need - tokens) * _interval(state, at)
            longest = max(longest, full - now, _BREATH)
    return longest


def _until_whole(terms: Terms, state: State, lane: Lane, now: float) -> float:
    """Seconds until the token that grows is whole; 0.0 where little would be lost by a request now."""
    at = _slowest(state)
    if not terms.lanes[lane].patient or _is_together(state, now) or state.try_after:
        return 0.0
    left = _level(state, at, now).tokens / state.limits[at].requests
    spread = _SPREAD if state.sent_at > state.together_since else 0.0
    interval, since = _interval(state, at), max(0.0, now - state.sent_at - spread)
    part = (since + _BREATH) % interval - _BREATH
    is_whole = since + _BREATH >= interval and (part <= _NEARLY * interval or left >= _MUCH)
    return 0.0 if is_whole or left >= _PLENTY else max(interval - part, _BREATH)


def _is_together(state: State, now: float) -> bool:
    return 0 <= now - state.together_since <= _TOGETHER * _interval(state, _slowest(state))


def _grown(terms: Terms, state: State, now: float) -> State:
    """The share, and what the lanes with a floor are owed, as of now."""
    share = _regrown(state, now)
    pace = min(map(_pace, state.limits)) * share
    owed: dict[str, Owed] = {
        lane: _owing(state.owed.get(lane, Owed(0.0, now)), one.floor * pace, now)
        for lane, one in terms.lanes.items()
        if one.floor
    }
    return replace(state, share=share, share_at=now, owed=owed)


def _regrown(state: State, now: float) -> float:
    if state.share >= 1:
        return state.share
    return min(1.0, state.share + max(0.0, now - state.share_at) * _REGROWTH)


def _owing(owed: Owed, pace: float, now: float) -> Owed:
    tokens = min(_LONG_OWED, owed.tokens + max(0.0, now - owed.since) * pace)
    return owed._replace(tokens=tokens, since=now)


def _paid(owed: Mapping[str, Owed], lane: Lane, cost: int, *, on_floor: bool) -> Mapping[str, Owed]:
    """What it got in turn settles a debt as well; only what it took out of turn is owed back."""
    if lane not in owed:
        return owed
    left = owed[lane].tokens - cost
    return {**owed, lane: Owed(left if on_floor else max(0.0, left), owed[lane].since)}


def _kept(terms: Terms, state: State, lane: Lane, now: float) -> int:
    """Tokens for the lanes before, and for another that waits for what it is owed: nobody goes before it, but
    a lane that is before it anyway, for a while.
    """
    lanes: list[str] = list(terms.lanes)
    is_quiet = all(now - state.came.get(one, -_QUIET) >= _QUIET for one in lanes[: lanes.index(lane)])
    is_alone = is_quiet and not 0 <= now - state.cut_at < _ALONE
    keeps = terms.lanes[lane].keeps_always if is_alone else terms.lanes[lane].keeps
    return keeps + sum(
        one.wants
        for name, one in state.owed.items()
        if name != lane
        and one.tokens >= (_LONG_OWED if lanes.index(name) > lanes.index(lane) else 1)
        and one.waits_until > now
    )


def _until_owed(terms: Terms, state: State, lane: Lane, now: float) -> float:
    """Seconds until the lane may take what it is owed: longer while somebody waits in a lane before it."""
    mine, own = state.owed.get(lane), terms.lanes[lane].floor
    if mine is None:
        return float("inf")
    lanes = list(terms.lanes)
    is_second = any(state.came.get(one, now) > now for one in lanes[: lanes.index(lane)])
    pace = min(map(_pace, state.limits)) * state.share * own
    return max(0.0, ((_LONG_OWED if is_second else 1.0) - mine.tokens) / pace)


def _waiting(state: State, lane: Lane, cost: int, now: float, wait: float) -> State:
    owed = dict(state.owed)
    if lane in owed:
        owed = {**owed, lane: owed[lane]._replace(waits_until=now + wait + _ASKS, wants=cost)}
    return replace(state, owed=owed, waited_at=now, came={**state.came, lane: now + wait + _BREATH})


def _tried(state: State, levels: tuple[Level, ...], cost: int, now: float) -> State:
    """A request beyond the known limit; the next may follow sooner."""
    left = tuple(one._replace(tokens=max(min(0, one.tokens), one.tokens - cost)) for one in levels)
    after = max(_SOONEST, (state.try_after or _TRY) * _SOONER)
    return replace(state, levels=left, tried_at=now, try_after=after, waited_at=now)


def _nearest(limits: tuple[Limit, ...], limit: Limit) -> int:
    return min(range(len(limits)), key=lambda at: abs(log(limits[at].seconds / limit.seconds)))
