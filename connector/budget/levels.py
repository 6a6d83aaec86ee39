"""What is kept of a bucket, and its form in Redis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from connector.ports import Limit


class Level(NamedTuple):
    """Tokens that were there after the last request that passed."""

    tokens: int
    since: float


class Owed(NamedTuple):
    """What a lane with a floor is owed in tokens, and until when it is known to wait for so many."""

    tokens: float
    since: float
    waits_until: float = 0.0
    wants: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """Times are seconds of the clock that all share. ``came``: when somebody last came in a
    lane, or until when somebody waits there.

    ``try_after``: in how many seconds the next request beyond the known limit may follow the last; 0.0 while
    none was tried, or since the limit was told.
    """

    limits: tuple[Limit, ...]
    levels: tuple[Level, ...]
    born: float
    share: float = 1.0
    share_at: float = 0.0
    cut_at: float = 0.0
    told_at: float = 0.0
    waited_at: float = 0.0
    together_since: float = 0.0
    sent_at: float = 0.0
    tried_at: float = 0.0
    try_after: float = 0.0
    came: Mapping[str, float] = field(default_factory=dict)
    owed: Mapping[str, Owed] = field(default_factory=dict)


def as_json(state: State) -> dict[str, Any]:
    """What is kept."""
    kept: dict[str, Any] = {name: getattr(state, name) for name in _NUMBERS}
    kept["limits"] = [list(limit) for limit in state.limits]
    kept["levels"] = [list(level) for level in state.levels]
    kept["came"] = dict(state.came)
    kept["owed"] = {lane: list(one) for lane, one in state.owed.items()}
    return kept


def from_json(kept: Mapping[str, Any]) -> State:
    """Raises KeyError, TypeError or ValueError for what is no state."""
    return State(
        limits=tuple(Limit(int(n), float(seconds)) for n, seconds in kept["limits"]),
        levels=tuple(Level(int(n), float(since)) for n, since in kept["levels"]),
        came={name: float(at) for name, at in kept["came"].items()},
        owed={name: Owed(*one) for name, one in kept["owed"].items()},
        **{name: float(kept[name]) for name in _NUMBERS},
    )


_NUMBERS = (
    "born",
    "share",
    "share_at",
    "cut_at",
    "told_at",
    "waited_at",
    "together_since",
    "sent_at",
    "tried_at",
    "try_after",
)
