"""The words of notes: amounts as their currency has them, and nothing of anybody's that works as markdown."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core import rules
from connector.core.wording import NOT_GIVEN, escaped, words


def said(value: Any, type_: str = "text") -> str:
    return words([(rules.path("it"), type_)], plain=True)({"it": value})


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("49.00", "usd", "49.00 USD"),
        ("49", "usd", "49.00 USD"),
        ("1234.5", "eur", "1,234.50 EUR"),
        ("4400", "jpy", "4,400 JPY"),
        ("4400.00", "jpy", "4,400 JPY"),
        ("25.125", "kwd", "25.125 KWD"),
        ("0.005", "usd", "0.005 USD"),
        ("0.00", "usd", "0.00 USD"),
        ("1.5", "xyz", "1.50 XYZ"),
        ("49.00", None, "49.00"),
        ("forty", "usd", NOT_GIVEN),
        ("NaN", "usd", NOT_GIVEN),
        ("Infinity", "usd", NOT_GIVEN),
        ("9" * 60, "usd", NOT_GIVEN),
        (None, "usd", NOT_GIVEN),
    ],
)
def test_an_amount_is_shown_with_the_decimals_of_its_currency(amount: Any, currency: Any, text: str) -> None:
    assert said({"amount": amount, "currency": currency}, "money") == text


def test_times_are_in_utc_and_what_is_not_told_is_said() -> None:
    assert said("2026-11-20T12:34:56.000Z", "time") == "2026-11-20 12:34 UTC"
    assert said("2026-11-20", "time") == "2026-11-20"
    assert said(None) == NOT_GIVEN
    assert said("") == NOT_GIVEN
    assert words([(rules.path("else"), "text")])({}) == escaped(NOT_GIVEN)
    assert said([["a"]], "list") == NOT_GIVEN


def test_lines_and_spaces_are_evened_and_a_title_is_short() -> None:
    assert said("a\n\n# b\x00\tc") == "a # b c"
    assert len(words([(rules.path("it"), "text")], plain=True)({"it": "x" * 900})) == 200


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("[pay](https://evil.example)", r"\[pay\](https\://evil.example)"),
        ("# Title", r"\# Title"),
        ("- item", r"\- item"),
        ("1. item", r"1\. item"),
        ("49.00 USD", "49.00 USD"),
        ("www.evil.example", r"www\.evil.example"),
        ("a@b.example", r"a\@b.example"),
        ("**bold** <b>", r"\*\*bold\*\* \<b\>"),
        ("Mr. Smith-Jones", "Mr. Smith-Jones"),
    ],
)
def test_what_somebody_typed_is_no_markdown(typed: str, text: str) -> None:
    assert escaped(typed) == text


@given(st.text())
def test_what_somebody_typed_can_be_read_back(typed: str) -> None:
    assert re.sub(r"\\(.)", r"\1", escaped(typed), flags=re.DOTALL) == typed
    assert not re.search(r"(?<!\\)(\\\\)*[\[\]<>*_`]", escaped(typed))


def test_the_words_of_the_file_are_markdown_and_stay() -> None:
    made = words(["**Paid** ", (rules.path("amount"), "money"), "."])

    assert made({"amount": {"amount": "49", "currency": "usd"}}) == "**Paid** 49.00 USD."
