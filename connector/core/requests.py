"""What somebody in the CRM may ask for a membership: in their words, and whether it can be done. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

from connector.core.purchases import ENDED

Fields = Mapping[str, Any]
Change = Literal["cancel_now", "cancel_at_end", "uncancel", "pause", "resume"]

ASK_NOW: Final = "Cancel now"
CONFIRM_NOW: Final = "Yes, cancel now"
LABELS: Final[Mapping[str, Change | None]] = {
    "Cancel at period end": "cancel_at_end",
    "Keep after all": "uncancel",
    "Pause": "pause",
    "Resume": "resume",
    ASK_NOW: None,
    CONFIRM_NOW: "cancel_now",
}
"""The choices of the field, in their order. What takes access away at once is asked for twice."""

CONFIRMED_WITHIN: Final = timedelta(minutes=15)

DONE: Final[Mapping[Change, str]] = {
    "cancel_now": "Cancelled, at once.",
    "cancel_at_end": "It is cancelled at the end of its period.",
    "uncancel": "It goes on after all.",
    "pause": "Paused: nothing is charged until it is resumed.",
    "resume": "Resumed.",
}
DOING: Final[Mapping[Change, str]] = {
    "cancel_now": "cancel it at once",
    "cancel_at_end": "cancel it at the end of its period",
    "uncancel": "keep it after all",
    "pause": "pause it",
    "resume": "resume it",
}


class Asker(NamedTuple):
    """Who changed a record of the CRM last, as the CRM tells it: what it came by, which member, what name."""

    source: str = ""
    member: str | None = None
    name: str = ""

    @property
    def is_person(self) -> bool:
        """Somebody at the CRM's pages: no key, no workflow, no import, and not the CRM itself."""
        return self.source == "MANUAL" and bool(self.member)

    @property
    def told(self) -> str:
        """In words: a name, and what it came by where that is no person."""
        name = self.name.strip()
        if self.is_person:
            return name or "a member without a name"
        if not self.source:
            return "not known"
        return f"{name} ({_NO_PERSON.get(self.source, self.source.lower())})".strip()


_NO_PERSON: Final[Mapping[str, str]] = {"API": "API key", "MANUAL": "no member", "SYSTEM": "Twenty itself"}


class Standing(NamedTuple):
    """``done``: it is as it was asked for. Otherwise it is to be done, unless ``never`` says why not."""

    done: bool
    never: str = ""


def standing(membership: Fields | None, change: Change) -> Standing:
    """How a membership stands to what is asked for it."""
    if membership is None:
        return Standing(done=False, never="Whop has this membership no more.")
    ended = membership["status"] in ENDED
    if change == "cancel_now":
        return Standing(done=ended)
    if ended:
        return Standing(done=False, never="It has ended. Only its buyer can begin it again, at the checkout.")
    if change in ("cancel_at_end", "uncancel"):
        return _with_flag(membership, change == "cancel_at_end")
    paused = membership.get("most_recent_action") == "paused_at"
    if change == "pause" and membership["status"] == "completed":
        return Standing(done=False, never="It was bought once: there is nothing to pause.")
    return Standing(done=paused == (change == "pause"))


def _with_flag(membership: Fields, wanted: bool) -> Standing:
    if wanted and membership.get("current_period_end") is None:
        return Standing(done=False, never="It has no period at whose end it could be cancelled.")
    return Standing(done=bool(membership["cancel_at_period_end"]) == wanted)


def is_confirmed(asked_at: datetime | None, now: datetime) -> bool:
    """Whether what needs to be asked for twice was asked for once, not long ago."""
    return asked_at is not None and now - CONFIRMED_WITHIN <= asked_at <= now
