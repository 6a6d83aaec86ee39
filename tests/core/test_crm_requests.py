"""What may be asked for a membership, and when it is so already or never can be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.core.requests import (
    CONFIRMED_WITHIN,
    DOING,
    DONE,
    LABELS,
    Asker,
    Change,
    is_confirmed,
    standing,
)

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
CHANGES: list[Change] = [change for change in LABELS.values() if change is not None]


def a_membership(**changed: Any) -> dict[str, Any]:
    bare = {"status": "active", "cancel_at_period_end": False, "current_period_end": "2026-12-01"}
    return {**bare, "most_recent_action": "renewing_on", **changed}


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        ("cancel_now", {}, {"status": "canceled"}),
        ("cancel_now", {"status": "completed"}, {"status": "expired"}),
        ("cancel_at_end", {}, {"cancel_at_period_end": True}),
        ("uncancel", {"cancel_at_period_end": True}, {}),
        ("pause", {}, {"most_recent_action": "paused_at"}),
        ("resume", {"most_recent_action": "paused_at"}, {}),
    ],
)
def test_what_is_asked_is_to_be_done_once(
    change: Change, before: dict[str, Any], after: dict[str, Any]
) -> None:
    assert standing(a_membership(**before), change) == (False, "")
    assert standing(a_membership(**after), change) == (True, "")


@pytest.mark.parametrize("change", CHANGES)
def test_of_a_membership_that_is_gone_nothing_can_be_asked(change: Change) -> None:
    assert "no more" in standing(None, change).never


@pytest.mark.parametrize("change", [one for one in CHANGES if one != "cancel_now"])
def test_what_has_ended_does_not_change_any_more(change: Change) -> None:
    assert "ended" in standing(a_membership(status="expired"), change).never


def test_what_has_no_period_has_no_end_of_it_and_what_was_bought_once_no_pause() -> None:
    once = a_membership(status="completed", current_period_end=None)

    assert "no period" in standing(once, "cancel_at_end").never
    assert "bought once" in standing(once, "pause").never


def test_a_yes_counts_for_a_quarter_of_an_hour() -> None:
    assert is_confirmed(NOON - CONFIRMED_WITHIN, NOON)
    assert not is_confirmed(NOON - CONFIRMED_WITHIN - timedelta(seconds=1), NOON)
    assert not is_confirmed(NOON + timedelta(seconds=1), NOON)
    assert not is_confirmed(None, NOON)


def test_each_change_has_its_words() -> None:
    assert set(DONE) == set(DOING) == set(CHANGES)


@pytest.mark.parametrize(
    ("asker", "is_person", "told"),
    [
        (Asker("MANUAL", "m-1", "Ada Lovelace"), True, "Ada Lovelace"),
        (Asker("MANUAL", "m-1", " "), True, "a member without a name"),
        (Asker("MANUAL", None, "System"), False, "System (no member)"),
        (Asker("API", None, "Zapier"), False, "Zapier (API key)"),
        (Asker("API", None, ""), False, "(API key)"),
        (Asker("SYSTEM", None, "System"), False, "System (Twenty itself)"),
        (Asker("WORKFLOW", None, "Win back"), False, "Win back (workflow)"),
        (Asker("WORKFLOW", "m-1", "Ada Lovelace"), False, "Ada Lovelace (workflow)"),
        (Asker(), False, "not known"),
    ],
)
def test_only_a_member_who_typed_is_a_person(asker: Asker, is_person: bool, told: str) -> None:
    assert (asker.is_person, asker.told) == (is_person, told)
