"""So many requests at a time, as data: for services that limit nothing and are to be treated well.

A slot is lent until a moment, so a worker that was killed keeps it no longer than one request can last.
A lane goes before the ones after it; a lane that has waited for ``_LONG`` waits behind nobody any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, get_args

from connector.ports import Lane

_LANES: tuple[str, ...] = get_args(Lane)
_AGAIN = 0.05  # seconds after which to look whether a slot is free: nobody is told
_STANDS = 1.0  # a place in the line is kept for so long
_LONG = 3.0


class Place(NamedTuple):
    """A lane in the line: since when, and until when it is known to stand there."""

    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Taken:
    """Slots by who holds them, until when; and the lanes that wait for one."""

    slots: Mapping[str, float] = field(default_factory=dict)
    line: Mapping[str, Place] = field(default_factory=dict)


def borrow(
    taken: Taken, at_once: int, lane: Lane, who: str, *, now: float, until: float
) -> tuple[Taken, float]:
    """A slot for ``who`` (or more time with it), or the seconds after which to ask again (0.0: borrowed)."""
    slots = {one: end for one, end in taken.slots.items() if end > now}
    line = {one: place for one, place in taken.line.items() if place.until > now}
    if who in slots:
        return Taken({**slots, who: until}, line), 0.0
    mine = line.pop(lane, Place(now, now))
    urgent = _LANES[: _LANES.index(lane)] if now - mine.since < _LONG else ()
    if len(slots) < at_once and not any(one in line for one in urgent):
        return Taken({**slots, who: until}, line), 0.0
    line[lane] = Place(mine.since, now + _STANDS)
    return Taken(slots, line), _AGAIN


def give_back(taken: Taken, who: str) -> Taken:
    """The slot is free."""
    return replace(taken, slots={one: end for one, end in taken.slots.items() if one != who})


def as_json(taken: Taken) -> dict[str, Any]:
    """What is kept."""
    line = {lane: list(place) for lane, place in taken.line.items()}
    return {"slots": dict(taken.slots), "line": line}


def from_json(kept: Mapping[str, Any]) -> Taken:
    """Raises KeyError, TypeError or ValueError for what is none."""
    line = {name: Place(*place) for name, place in kept["line"].items()}
    return Taken({who: float(end) for who, end in kept["slots"].items()}, line)
