"""Conversations: a welcome that was written to somebody, and what came back. Decided as data.

One is *open* until its buyer writes (*answered*) or does not for long enough (*timed out*, until an answer
comes after all). It is *closed* once the membership that it was about has ended, whatever was written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from connector.core.records import iso
from connector.core.wording import escaped

State = Literal["open", "answered", "timed_out", "closed"]

PATIENCE: Final = timedelta(days=7)
"""How long an answer is waited for, and after one the next, where a file says nothing else."""

_OFTEN: Final = timedelta(hours=1)
_SELDOM: Final = timedelta(days=1)
_OWING: Final = timedelta(days=3)
_SKEW: Final = timedelta(minutes=5)
"""How far the source's clock may be behind ours."""

_MOST_TEXT: Final = 10_000
_MOST_NAME: Final = 200
NO_TEXT: Final = "(no text: an attachment, perhaps, or a poll)"


class Post(NamedTuple):
    """One message in a chat. ``at`` is the source's time of it, as records have times."""

    id: str
    user_id: str
    name: str
    text: str
    at: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How a conversation stands. ``last_at`` is when its buyer wrote last."""

    state: State
    times_out_at: datetime
    last_at: datetime | None = None


def since(posts: Iterable[Post], text: str, user_id: str, begun_at: datetime) -> str | None:
    """When the welcome stands in the chat, by the source's own clock; None where it is not seen there.

    The same text may stand there more than once: it is the first that was not there before we began.
    """
    first = earliest(begun_at)
    own = [one.at for one in posts if one.text == text and one.user_id != user_id and one.at >= first]
    return min(own, default=None)


def earliest(begun_at: datetime) -> str:
    """When the welcome can stand there at the earliest, by the source's clock."""
    return iso(begun_at - _SKEW)


def replies(posts: Iterable[Post], user_id: str, since: str, until: str | None) -> list[Post]:
    """What the buyer wrote after the welcome and before the next one in the same chat, the oldest first."""
    mine = [one for one in posts if one.user_id == user_id and one.at > since]
    return sorted((one for one in mine if until is None or one.at < until), key=lambda one: (one.at, one.id))


def moved(before: Standing, replied: Sequence[str], *, ended: bool, now: datetime) -> Standing:
    """How it stands after a look: ``replied`` has when the buyer wrote anew, ``ended`` is the membership."""
    last = max(map(datetime.fromisoformat, replied), default=before.last_at)
    if before.state == "closed" or ended:
        return Standing("closed", before.times_out_at, last)
    if last is not None:
        return Standing("answered", before.times_out_at, last)
    timed_out = before.state == "timed_out" or now >= before.times_out_at
    return Standing("timed_out" if timed_out else "open", before.times_out_at, last)


def next_look(
    one: Standing, now: datetime, *, patience: timedelta, owing: datetime | None
) -> datetime | None:
    """When to look again; None: not before an event tells something.

    ``owing`` is since when a note waits for its record in the CRM: that is tried for some days.
    """
    if owing is not None and now < owing + _OWING:
        return now + _OFTEN
    if one.state == "open":
        return min(now + _OFTEN, one.times_out_at)
    if one.state == "answered" and one.last_at is not None:
        return now + (_OFTEN if now < one.last_at + patience else _SELDOM)
    return None


def tidy(name: str, text: str) -> tuple[str, str]:
    """What somebody calls himself, and wrote, as it is kept: not endless, and nothing no database takes."""
    lines = text.replace("\x00", "").replace("\r\n", "\n").strip()
    if len(lines) > _MOST_TEXT:
        lines = lines[:_MOST_TEXT] + " …"
    return " ".join(name.replace("\x00", "").split())[:_MOST_NAME], lines or NO_TEXT


def note_of(name: str, text: str, at: str) -> tuple[str, str]:
    """Title and text of the note that a reply leaves: what was typed is shown as it is, line for line."""
    lines = "\n\n".join(escaped(line.strip()) for line in text.splitlines() if line.strip())
    return f"Reply on Whop from {name}"[
        :_MOST_NAME
    ], f"{lines}\n\n_{at[:10]} {at[11:16]} UTC, in the support chat_"
