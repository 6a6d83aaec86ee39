"""What is known of a service before it said anything, and who goes first where requests are short."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from connector.ports import Lane, Limit


@dataclass(frozen=True, slots=True)
class LaneTerms:
    """``keeps``: tokens that are left to the lanes before it, and to others at the same service;
    ``keeps_always``: as long as nobody comes there. ``floor``: the share of the pace it is owed.

    ``patient``: it rather waits for a moment than have a part of a token lost.
    """

    keeps: int = 0
    keeps_always: int = 0
    floor: float = 0.0
    patient: bool = False


LANES: Mapping[Lane, LaneTerms] = MappingProxyType(
    {
        "webhook": LaneTerms(),
        "incremental": LaneTerms(keeps=3, keeps_always=2, floor=0.1),
        "full": LaneTerms(keeps=5, keeps_always=2, floor=0.2, patient=True),
    }
)
"""Two requests are one webhook: look-up and write. Five are a round with parents, and the next."""

BRISK: Mapping[Lane, LaneTerms] = MappingProxyType(
    {lane: replace(terms, patient=False) for lane, terms in LANES.items()}
)
"""The same for a service that counts a minute's requests, where none is lost by coming early."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How one service limits requests. ``code`` is that of a wait too long. ``tries``: beyond a limit that
    nothing has confirmed.
    """

    who: str
    code: str
    limits: tuple[Limit, ...]
    lanes: Mapping[Lane, LaneTerms] = field(default_factory=lambda: LANES)
    tries: bool = True

    def halved(self) -> Terms:
        """For one of several processes that do not see each other."""
        limits = tuple(Limit(max(1, n // 2), seconds) for n, seconds in self.limits)
        return replace(self, limits=limits, tries=False)
