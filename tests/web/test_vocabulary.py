"""Sentences of the log in the words of Twenty's pages."""

from __future__ import annotations

import pytest

from connector.bootstrap.files import mappings
from connector.web.vocabulary import Vocabulary

WORDS = Vocabulary(mappings(""))


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (
            "pointOfContact is left empty: there is no member.",
            "“Point of contact” is left empty: there is no member.",
        ),
        ("stage: sync 9 wrote it since.", "Stage: sync 9 wrote it since."),
        ("whopMembershipStatus: sync 9 wrote it since.", "Whop membership status: sync 9 wrote it since."),
        ("An iPhone is no field, nor is someThing.", "An iPhone is no field, nor is someThing."),
        ("Why: it was late.", "Why: it was late."),
    ],
)
def test_fields_are_named_as_twenty_shows_them(told: str, shown: str) -> None:
    assert WORDS.in_words("opportunity", told) == shown


def test_a_value_of_a_list_is_shown_by_its_label() -> None:
    assert WORDS.value("opportunity", "whopMembershipStatus", "PAYMENT_FAILED").text == "Payment Failed"
