"""What is known of a service before it said anything, and who goes first where requests are short."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from connector.ports import Lane, Limit


@dataclass(frozen=True, slots=True)
class LaneTerms:
    """``keeps``: tokens that are left to the lanes before it. ``floor``: the share of the pace it is owed.

    ``patient``: it rather waits for a moment than have a part of a token lost.
    """

    keeps: int = 0
    floor: float = 0.0
    patient: bool = False


LANES: Mapping[Lane, LaneTerms] = MappingProxyType(
    {
        "webhook": LaneTerms(),
        "incremental": LaneTerms(keeps=3, floor=0.1),
        "full": LaneTerms(keeps=6, floor=0.2, patient=True),
    }
)
"""Six requests at once are one round of webhooks: look-up, write, a parent, and the same again."""

BRISK: Mapping[Lane, LaneTerms] = MappingProxyType(
    {lane: replace(terms, patient=False) for lane, terms in LANES.items()}
)
"""The same for a service that counts a minute's requests, where none is lost by coming early."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How one service limits requests. ``code`` is that of a wait too long."""

    who: str
    code: str
    limits: tuple[Limit, ...]
    lanes: Mapping[Lane, LaneTerms] = field(default_factory=lambda: LANES)

    def halved(self) -> Terms:
        """For one of several processes that do not see each other."""
        return replace(self, limits=tuple(Limit(max(1, n // 2), seconds) for n, seconds in self.limits))
