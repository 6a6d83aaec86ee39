"""Conversations where an admin looks: on the person's page, the membership's, and the automation's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from desk import HOSTILE, Desk, a_person, desk
from entering import NOON
from sqlalchemy import update

from connector.core.conversations import Post
from connector.core.outcomes import Result
from connector.core.records import Ref
from connector.store import conversations
from connector.store.conversations import ConversationFilter, NewConversation
from connector.store.models import conversation

NAME = "welcome_message"


@pytest.fixture
def backend() -> str:
    return "sqlite"  # the store's own tests take care of the other


@pytest.fixture
def console(database_url: str) -> Iterator[Desk]:
    with desk(database_url) as opened:
        opened.run([a_person(), a_person("mem_1", Result.CREATED, ref=Ref("whop", "membership", "mem_1"))])
        yield opened


def a_talk(console: Desk, *said: str, membership: str = "mem_1", **changed: Any) -> None:
    """A conversation with mber_1."""
    ids = (console.workspace.id, console.connection.id, NAME, membership, "mber_1", "user_1", "feed_1")
    new = NewConversation(*ids, f"Welcome {HOSTILE}", NOON, NOON + timedelta(days=7))
    with console.door.parts.database.transaction() as session:
        conversations.begin(session, new, NOON)
        one = conversations.page(session, console.workspace.id, ConversationFilter()).items[0]
        for number, text in enumerate(said):
            post = Post(f"post_{membership}_{number}", "user_1", HOSTILE, text, "2026-11-20T12:34:00.000Z")
            conversations.add(session, one, [post], "left", NOON)
        if changed:
            session.execute(update(conversation).where(conversation.c.id == one.id).values(**changed))


@pytest.mark.parametrize("path", ["/records/member/mber_1", "/records/membership/mem_1"])
def test_what_was_said_stands_on_the_page_of_the_person_and_of_the_membership(
    console: Desk, path: str
) -> None:
    a_talk(console, "First", HOSTILE, state="answered", last_at=NOON, looked_at=NOON)

    page = console.page(path)

    assert "Conversations in the support chat" in page
    assert "Answered" in page
    assert "First" in page
    assert "2026-11-20 12:34 UTC" in page
    assert "a note in Twenty" in page
    assert HOSTILE not in page, "what others typed is escaped"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("open", "An answer is waited for until"),
        ("timed_out", "Nobody wrote by"),
        ("closed", "The membership ended"),
    ],
)
def test_it_says_how_a_conversation_stands(console: Desk, state: str, words: str) -> None:
    a_talk(console, state=state)

    assert words in console.page("/records/member/mber_1")


def test_what_stands_in_the_way_is_told(console: Desk) -> None:
    a_talk(
        console, error={"code": "act_scope", "message": "It lacks support_chat:read.", "remedy": "Give it."}
    )

    assert "It lacks support_chat:read." in console.page("/records/member/mber_1")


def test_a_record_without_conversations_says_nothing_of_them(console: Desk) -> None:
    assert "Conversations" not in console.page("/records/member/mber_1")


def test_the_automation_lists_its_conversations_by_state_and_leads_to_the_person(console: Desk) -> None:
    a_talk(console, "Thank you!", state="answered", last_at=NOON)
    a_talk(console, membership="mem_2", state="timed_out")
    path = f"/connections/{console.connection.id}/automations/{NAME}"

    page, timed_out = console.page(path), console.page(f"{path}?state=timed_out")

    assert "2 began: 1 answered" in page
    assert "Thank you!" in page
    assert '<a href="/records/member/mber_1"' in page
    assert HOSTILE not in page
    assert "Thank you!" not in timed_out
    assert "Nobody wrote by" in timed_out
    assert "None is in this state" in console.page(f"{path}?state=closed")


def test_of_many_conversations_there_are_pages(console: Desk) -> None:
    for number in range(33):
        a_talk(console, membership=f"mem_{number}")
    path = f"/connections/{console.connection.id}/automations/{NAME}"

    assert "Older" in console.page(path)
    assert "Newer" in console.page(f"{path}?before=4")
