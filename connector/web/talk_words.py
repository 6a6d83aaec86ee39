"""Conversations in the words of the pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from connector.core.conversations import State
from connector.store import conversations
from connector.store.conversations import Conversation, Reply
from connector.store.db import Session
from connector.web.present import Status

STATES: Final[Mapping[State, Status]] = {
    "open": Status("No answer yet", "waiting"),
    "answered": Status("Answered", "success", "ok"),
    "timed_out": Status("No answer in time", "none"),
    "closed": Status("Closed", "none"),
}
NOTES: Final = {
    "pending": "its note waits for the record in Twenty",
    "left": "a note in Twenty, unless somebody deleted it",
    "none": "",
}


def with_replies(
    session: Session, workspace_id: str, found: Sequence[Conversation]
) -> list[tuple[Conversation, list[Reply]]]:
    """Each with what came back."""
    said = conversations.replies(session, workspace_id, [one.id for one in found])
    return [(one, said.get(one.id, [])) for one in found]


def words() -> dict[str, Any]:
    """What the pages that show them need."""
    return {"talk_states": STATES, "talk_notes": NOTES}
