"""Events in the words of the pages: their state, what came of them, how long it took."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, NamedTuple

from connector.store.inbox import InboxEvent
from connector.store.notes import Kept
from connector.web.present import REASON, Status, duration

STATE: Final[Mapping[str, Status]] = {
    "pending": Status("On the way", "running", "info"),
    "done": Status("Done", "success", "ok"),
    "ignored": Status("Ignored", "none"),
    "parked": Status("Parked", "paused", "warn"),
}
_IGNORED: Final[Mapping[str, str]] = {
    "unknown": "Tells of nothing that is brought over",
    "chat": "Somebody wrote in a chat: conversations with them are looked at",
    "not_mapped": "No mapping brings this kind of record over",
}
_DONE: Final = "The record is in step"
_LEFT: Final = ("In Twenty, unless somebody deleted it", "Open, as far as this connector knows")
_UNDONE: Final = "Taken back with the sync that left it"
_WAITS: Final = "Waits for a record that is not in Twenty yet"
_PARTLY: Final = "another record that it belongs to is not in Twenty yet"


def story(event: InboxEvent) -> str:
    """What came of it, in one sentence."""
    if event.state == "ignored":
        return _IGNORED.get(event.reason or "", "Nothing to do")
    if event.state == "parked":
        return f"Tried {_times(event.attempts)}; waits for you"
    if event.state == "pending":
        return f"Tried {_times(event.attempts)}; tried again by itself" if event.attempts else "Being written"
    return REASON.get(event.reason or "", _DONE)


class Note(NamedTuple):
    """A note or task in words: what it is, and how it stands."""

    title: str
    kind: str
    crm_id: str
    story: str
    there: bool


def note(one: Kept) -> Note:
    """A note or task that an event left, or is to leave."""
    name = one.rule.rpartition("/")[2].replace("_", " ")
    told = {"left": _LEFT[one.kind == "task"], "done": "Done, marked by this connector", "undone": _UNDONE}
    story = told.get(one.state, "To be left")
    if one.waits:
        story = _WAITS if one.state == "pending" else f"{story}; {_PARTLY}"
    return Note(
        name[:1].upper() + name[1:], one.kind, one.crm_id, story, one.state not in ("pending", "undone")
    )


def took(event: InboxEvent) -> str:
    """From arrival to the end; a dash while there is none."""
    if event.settled_at is None:
        return "—"
    return seconds((event.settled_at - event.received_at).total_seconds())


def seconds(length: float) -> str:
    """A length, with a tenth where it is short."""
    return f"{length:.1f} s" if length < 10 else duration(timedelta(seconds=length))


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"
