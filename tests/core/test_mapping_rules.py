"""The parts of a rule: reading, first of several, text, choices; UNKNOWN is never empty."""

from __future__ import annotations

import pytest

from connector.core import rules
from connector.core.mapping import UnknownChoice, ValueProblem
from connector.core.records import UNKNOWN
from connector.core.transforms import TRANSFORMS


@pytest.mark.parametrize("path", ["a", "a.b", "a.b.c"])
def test_a_name_that_is_missing_is_unknown(path):
    assert rules.path(path)({}) is UNKNOWN


@pytest.mark.parametrize("path", ["a", "a.b", "a.b.c"])
def test_an_empty_value_on_the_way_is_empty(path):
    assert rules.path(path)({"a": None}) is None


@pytest.mark.parametrize("path", ["a.b", "a.b.c"])
def test_a_plain_value_on_the_way_is_a_problem(path):
    with pytest.raises(ValueProblem) as caught:
        rules.path(path)({"a": "text"})

    assert caught.value.found == "'text'"


def test_paths_reach_inside():
    fields = {"a": {"b": {"c": 1}, "d": 2}, "e": 3}

    assert [rules.path(path)(fields) for path in ("a.b.c", "a.d", "e")] == [1, 2, 3]


def test_a_name_missing_inside_is_unknown():
    assert rules.path("a.b")({"a": {}}) is UNKNOWN
    assert rules.path("a.b.c")({"a": {"b": {}}}) is UNKNOWN
    assert rules.path("a.b.c")({"a": {}}) is UNKNOWN


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"a": 1, "b": 2}, 1),
        ({"a": None, "b": 2}, 2),
        ({"a": None, "b": None}, None),
        ({}, UNKNOWN),
        ({"a": 1}, 1),
        ({"b": 2}, UNKNOWN),  # a might be there: a full record would give it
        ({"a": None}, UNKNOWN),  # b might be there: not empty for certain
        ({"a": False, "b": 2}, False),
        ({"a": "", "b": 2}, ""),
    ],
)
def test_the_first_value_is_taken_only_when_it_is_certain(fields, expected):
    assert rules.first([rules.path("a"), rules.path("b")])(fields) == expected


def test_a_text_leaves_empty_values_out():
    read = rules.template([rules.path("a"), " (", rules.path("b"), ")"])

    assert read({"a": "Gold", "b": 12.0}) == "Gold (12)"
    assert read({"a": "Gold", "b": None}) == "Gold ()"
    assert read({"a": None, "b": ""}) is None
    assert read({"a": "Gold"}) is UNKNOWN


CHOICES = {"active": "ACTIVE", True: "YES"}


@pytest.mark.parametrize(
    ("unlisted", "expected"),
    [
        (rules.keep, UnknownChoice("new", UNKNOWN)),
        (rules.empty, UnknownChoice("new", None)),
        (rules.answer("OTHER"), "OTHER"),
    ],
)
def test_choices_answer_for_what_they_do_not_list(unlisted, expected):
    choose = rules.choose(CHOICES, unlisted)

    assert choose("active") == "ACTIVE"
    assert choose(True) == "YES"
    assert choose("new") == expected


def test_choices_may_fail_for_what_they_do_not_list():
    with pytest.raises(ValueProblem) as caught:
        rules.choose(CHOICES, rules.fail(["active", "true"]))("new")

    assert caught.value.expected == "one of active, true"


def test_choices_cannot_name_a_list():
    with pytest.raises(ValueProblem):
        rules.choose(CHOICES, rules.keep)(["active"])


def test_functions_run_in_their_order_and_stop_at_nothing():
    steps = [
        (TRANSFORMS["trim"].apply, None),
        (TRANSFORMS["email"].apply, None),
        (TRANSFORMS["cut"].apply, 3),
    ]
    read = rules.rule(rules.path("a"), steps, str.upper)

    assert read({"a": " Ada@example.com "}) == "ADA"
    assert read({"a": "  "}) is None
    assert read({"a": None}) is None
    assert read({}) is UNKNOWN


def test_a_rule_without_functions_hands_on_unknown_and_empty():
    read = rules.rule(rules.path("a"), [], str.upper)

    assert [read(fields) for fields in ({"a": "x"}, {"a": None}, {})] == ["X", None, UNKNOWN]


def test_a_constant_needs_no_record():
    assert rules.constant("x")({}) == "x"


def test_a_parent_is_named_by_text():
    read = rules.parent_id(rules.path("a"))

    assert [read(fields) for fields in ({"a": "p"}, {"a": ""}, {"a": None}, {})] == ["p", None, None, UNKNOWN]
    with pytest.raises(ValueProblem):
        read({"a": 1})


def test_a_filter_can_look_at_anything():
    read = rules.filtered(rules.path("a"))

    assert [read({"a": value}) for value in ("x", None, True, [1])] == ["x", None, True, "list [1]"]
    assert read({}) is UNKNOWN
