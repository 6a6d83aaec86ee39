"""Whop's chats as conversations read them: who wrote what when, page after page, nothing of the system's."""

from __future__ import annotations

from typing import Any

import pytest
from whop_builders import CURRENT, Recorded, answer, read

from connector.core.conversations import Post
from connector.errors import RefusedError, TryLaterError
from connector.sources.whop.chatting import WhopChats
from connector.sources.whop.payloads import told

WELCOME = read(CURRENT / "messages" / "welcome.json")


def a_page(*items: Any, cursor: str | None = None) -> Any:
    info = {"end_cursor": cursor, "start_cursor": None, "has_next_page": cursor is not None}
    return {"data": list(items), "page_info": {**info, "has_previous_page": False}}


def posts(*pages: Any) -> list[Post]:
    session = Recorded().on("/messages", *pages)
    found = [post for page in WhopChats(session).posts("feed_1") for post in page]
    assert all(
        params["channel_id"] == "feed_1" and params["direction"] == "desc" for _, params in session.asked
    )
    return found


def test_a_recorded_message_is_read() -> None:
    (post,) = posts(a_page(WELCOME))

    assert post == Post(
        "post_aBmXLEbLNMNpaX",
        "user_wiuWofbd2DGKX7",
        "Priya Raman",
        "Welcome aboard, Ada! 👋",
        "2026-11-20T09:00:00.000Z",
    )


def test_pages_are_read_to_the_end_and_the_system_says_nothing() -> None:
    system = {**WELCOME, "id": "post_2", "message_type": "system"}

    found = posts(a_page(WELCOME, system, cursor="x"), a_page({**WELCOME, "id": "post_3"}))

    assert [post.id for post in found] == ["post_aBmXLEbLNMNpaX", "post_3"]


def test_who_has_no_name_is_called_by_what_there_is_and_no_text_is_none() -> None:
    bare = {**WELCOME, "content": None, "user": {"id": "user_1", "username": "ada", "name": None}}

    (first,) = posts(a_page(bare))
    (second,) = posts(a_page({**bare, "user": {"id": "user_1"}}))

    assert (first.name, first.text, second.name) == ("ada", "", "user_1")


@pytest.mark.parametrize(
    "broken",
    [
        "text",
        {"id": None},
        {"user": None},
        {"user": {"id": "a b"}},
        {"created_at": 7},
        {"created_at": "noon"},
    ],
)
def test_what_is_no_message_is_not_guessed_at(broken: Any) -> None:
    with pytest.raises(TryLaterError):
        posts(a_page({**WELCOME, **broken} if isinstance(broken, dict) else broken))


def test_a_permission_that_is_missing_is_named() -> None:
    body = {"error": {"type": "forbidden", "message": "Missing permission support_chat:read"}}
    session = Recorded().on("/messages", answer(body, 403))

    with pytest.raises(RefusedError) as refused:
        list(WhopChats(session).posts("feed_1"))

    assert (refused.value.code, "support_chat:read" in str(refused.value)) == ("act_scope", True)


@pytest.mark.parametrize(
    ("data", "chat", "writer"),
    [
        (WELCOME, None, "user_wiuWofbd2DGKX7"),
        ({"id": "post_1", "channel_id": "feed_1"}, "feed_1", None),
        ({"id": "post_1", "feed_id": "feed_1", "user_id": "user_1"}, "feed_1", "user_1"),
        ({"id": "post_1", "channel": {"id": "feed_1"}, "user": "Ada"}, "feed_1", None),
        ({"channel_id": ["feed_1"], "user": {"id": 7}}, None, None),
    ],
)
def test_the_event_of_a_message_tells_its_chat_and_its_writer_as_far_as_it_does(
    data: Any, chat: str | None, writer: str | None
) -> None:
    found = told({"type": "chat.message.created", "api_version": "v1", "data": data})

    assert (found.chat, found.writer, found.ref) == (chat, writer, None)
