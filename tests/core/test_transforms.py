"""Every function of the table does what its examples say, and fails in one way only."""

from __future__ import annotations

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.currencies import places
from connector.core.mapping import ValueProblem
from connector.core.transforms import TRANSFORMS, VALUE_TYPES, as_text, is_of
from tests.core import strategies

EXAMPLES = [(name, example) for name, one in TRANSFORMS.items() for example in one.examples]
REFUSALS = [(name, example) for name, one in TRANSFORMS.items() for example in one.refuses]


def applied(name: str, value: object, argument: object = None) -> object:
    """What a function gives; without an argument here, with that of its first example."""
    transform = TRANSFORMS[name]
    if argument is None:
        argument = transform.examples[0].argument
    return transform.apply(value, transform.argument.read(argument) if transform.argument else None)


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_a_function_gives_what_its_example_says(name, example):
    given_back = applied(name, example.given, example.argument)

    assert given_back == example.gives
    assert type(given_back) is type(example.gives)


@pytest.mark.parametrize(("name", "example"), REFUSALS)
def test_a_function_refuses_what_its_example_says(name, example):
    with pytest.raises(ValueProblem):
        applied(name, example.given, example.argument)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("money", {"amount": True, "currency": "usd"}),
        ("money", {"amount": "9007199255", "currency": "usd"}),
        ("money", {"amount": "1e3", "currency": "usd"}),
        ("money", {"amount": "١٢", "currency": "usd"}),
        ("money", "49.00"),
        ("number", float("inf")),
        ("number", "1e400"),
        ("text", float("nan")),
        ("text", [["nested"]]),
        ("date_time", "0001-01-01T00:00:00+23:00"),
        ("date_time", 1700000000),
        ("phone", "+0123456789"),
        ("email", "a" * 250 + "@example.com"),
        ("boolean", [1]),
        ("times", True),
        ("cents", None),
        ("plus_days", 1),
        ("phone_in", "+0"),
        ("host", "https://[::1"),
        ("host", "https://:80"),
        ("count", "abc"),
    ],
)
def test_a_function_refuses_what_does_not_fit(name, value):
    with pytest.raises(ValueProblem):
        applied(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("number", " "),
        ("integer", ""),
        ("boolean", " "),
        ("date_time", ""),
        ("url", " "),
        ("money", {"amount": None}),
        ("round", ""),
        ("times", " "),
        ("money_in", ""),
        ("cents", " "),
        ("unix_time", ""),
        ("plus_days", ""),
        ("midnight", " "),
        ("day", ""),
        ("month", ""),
        ("year", ""),
        ("email_domain", " "),
        ("company_domain", ""),
        ("phone_in", "( )"),
        ("web_address", " "),
        ("host", ""),
        ("first_item", [None]),
    ],
)
def test_nothing_in_gives_nothing_out(name, value):
    assert applied(name, value) is None


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("cut", 0),
        ("cut", True),
        ("cut", "9"),
        ("lookup", []),
        ("lookup", {}),
        ("lookup", {"otherwise": "x"}),
        ("lookup", {"a": {}}),
        ("before", ""),
        ("after", 1),
        ("replace", {"": "x"}),
        ("replace", {}),
        ("round", 10),
        ("round", -1),
        ("times", "much"),
        ("times", ""),
        ("money_in", "dollars"),
        ("cents", "€€€"),
        ("plus_days", 40_000),
        ("phone_in", "ZZ"),
        ("phone_in", 46),
    ],
)
def test_an_argument_that_does_not_fit_is_refused(name, argument):
    with pytest.raises(ValueProblem):
        TRANSFORMS[name].argument.read(argument)


@given(st.sampled_from(sorted(TRANSFORMS)), st.integers(0, 9), strategies.values_there)
def test_whatever_comes_a_function_gives_what_it_says_or_refuses(name, which, value):
    transform = TRANSFORMS[name]
    argument = transform.examples[which % len(transform.examples)].argument
    try:
        came = applied(name, value, argument)
    except ValueProblem:
        return
    assert came is None or is_of(transform.gives, came)


@given(st.sampled_from(sorted(name for name, one in TRANSFORMS.items() if one.argument)), strategies.json)
def test_whatever_a_file_says_is_an_argument_or_is_refused(name, argument):
    with contextlib.suppress(ValueProblem):
        applied(name, TRANSFORMS[name].examples[0].given, argument)


@given(st.sampled_from(sorted(TRANSFORMS)))
def test_a_function_takes_only_what_it_says_it_takes(name):
    transform = TRANSFORMS[name]

    assert all(any(is_of(one, example.given) for one in transform.takes) for example in transform.examples)
    assert {transform.gives, *transform.takes} <= VALUE_TYPES
    assert transform.doc.endswith(".")


@given(st.integers(-(10**9), 10**9), st.integers(-1000, 1000))
def test_multiplying_is_exact(number, thousandths):
    made = applied("times", f"{number}", f"{thousandths / 1000:.3f}")

    assert made == number * thousandths / 1000


@given(st.integers(0, 10**9), st.sampled_from(["usd", "jpy", "kwd"]))
def test_cents_are_the_same_money(cents, currency):
    amount = f"{Decimal(cents).scaleb(-places(currency)):f}"

    assert applied("cents", cents, currency) == applied("money", {"amount": amount, "currency": currency})


@given(st.decimals(min_value=-9_007_199_254, max_value=9_007_199_254, places=6))
def test_money_is_exact_to_the_sixth_decimal(amount):
    made = applied("money", {"amount": f"{amount:f}", "currency": "kwd"})

    assert made == {"amountMicros": int(amount * 10**6), "currencyCode": "KWD"}


@given(st.integers(0, 10**9))
def test_money_takes_a_number_as_it_is_written(cents):
    made = applied("money", {"amount": cents / 100, "currency": "usd"})

    assert made["amountMicros"] == cents * 10_000


@given(strategies.texts)
def test_a_name_is_the_same_after_it_was_split(text):
    made = applied("full_name", text)

    joined = f"{made['firstName']} {made['lastName']}".strip() if made else ""
    assert joined == " ".join(text.split())


@given(strategies.texts)
def test_checked_text_passes_a_second_time_unchanged(text):
    for name in ("email", "phone", "url", "trim"):
        try:
            once = applied(name, text)
        except ValueProblem:
            continue
        assert once is None or applied(name, once) == once


def test_numbers_are_written_without_a_needless_fraction():
    assert [as_text(value) for value in (12.0, 12.5, 1e20, False)] == ["12", "12.5", "1e+20", "false"]
