"""How conversations stand, what belongs to them, and when they are looked at: by time and messages alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connector.core import conversations
from connector.core.conversations import PATIENCE, Post, Standing, State, moved, next_look
from connector.core.records import iso

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OUT = NOON + PATIENCE


def post(text: str, at: datetime, user: str = "user_ada") -> Post:
    return Post(f"post_{text}", user, "Ada", text, iso(at))


def test_the_welcome_is_the_first_of_its_text_since_it_was_begun() -> None:
    chat = [
        post("Hi", NOON + HOUR, "user_us"),
        post("Hi", NOON + timedelta(seconds=1), "user_us"),
        post("Hi", NOON),
        post("Hi", NOON - DAY, "user_us"),
    ]

    assert conversations.since(chat, "Hi", "user_ada", NOON) == iso(NOON + timedelta(seconds=1))
    assert conversations.since(chat, "Hello", "user_ada", NOON) is None


def test_answers_are_the_buyers_after_one_welcome_and_before_the_next() -> None:
    chat = [post("c", NOON + HOUR), post("b", NOON + 2 * HOUR), post("a", NOON), post("x", NOON + HOUR, "us")]

    found = conversations.replies(chat, "user_ada", iso(NOON), None)
    before = conversations.replies(chat, "user_ada", iso(NOON), iso(NOON + 2 * HOUR))

    assert [one.text for one in found] == ["c", "b"]
    assert [one.text for one in before] == ["c"]


@pytest.mark.parametrize(
    ("state", "replied", "ended", "now", "expected"),
    [
        ("open", [], False, OUT - HOUR, "open"),
        ("open", [], False, OUT, "timed_out"),
        ("open", [iso(NOON)], False, OUT + DAY, "answered"),
        ("open", [], True, NOON, "closed"),
        ("open", [iso(NOON)], True, NOON, "closed"),
        ("timed_out", [], False, OUT + DAY, "timed_out"),
        ("timed_out", [iso(OUT)], False, OUT + DAY, "answered"),
        ("closed", [iso(NOON)], False, NOON, "closed"),
    ],
)
def test_a_look_moves_it_on(
    state: State, replied: list[str], ended: bool, now: datetime, expected: State
) -> None:
    assert moved(Standing(state, OUT), replied, ended=ended, now=now).state == expected


def test_one_that_was_answered_stays_answered_and_knows_the_last() -> None:
    before = Standing("answered", OUT, NOON)

    assert moved(before, [], ended=False, now=OUT + DAY) == before
    assert moved(before, [iso(NOON + HOUR), iso(NOON)], ended=False, now=OUT).last_at == NOON + HOUR


@pytest.mark.parametrize(
    ("one", "now", "owing", "expected"),
    [
        (Standing("open", OUT), NOON, None, NOON + HOUR),
        (Standing("open", OUT), OUT - HOUR / 2, None, OUT),
        (Standing("answered", OUT, NOON), NOON + DAY, None, NOON + DAY + HOUR),
        (Standing("answered", OUT, NOON), OUT, None, OUT + DAY),
        (Standing("timed_out", OUT), OUT, None, None),
        (Standing("closed", OUT), OUT, None, None),
        (Standing("closed", OUT), NOON + DAY, NOON, NOON + DAY + HOUR),
        (Standing("closed", OUT), NOON + 3 * DAY, NOON, None),
    ],
)
def test_it_is_looked_at_as_often_as_something_may_come(
    one: Standing, now: datetime, owing: datetime | None, expected: datetime | None
) -> None:
    assert next_look(one, now, patience=PATIENCE, owing=owing) == expected


def test_what_was_typed_is_kept_as_text_and_not_endless() -> None:
    name, text = conversations.tidy(" A\x00da\n Bergström ", "x" * 20_000 + "\x00")

    assert name == "Ada Bergström"
    assert text == "x" * 10_000 + " …"
    assert conversations.tidy("Ada", " \n ")[1] == conversations.NO_TEXT


def test_a_note_shows_what_was_typed_line_for_line_and_makes_nothing_of_it() -> None:
    title, text = conversations.note_of(
        "Ada", "# Head\n\n[x](http://evil.example)\n<b>", "2026-11-20T12:00:00.000Z"
    )

    assert title == "Reply on Whop from Ada"
    assert text.startswith("\\# Head\n\n\\[x\\](http\\://evil.example)\n\n\\<b\\>\n\n")
    assert text.endswith("_2026-11-20 12:00 UTC, in the support chat_")
