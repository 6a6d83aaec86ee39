"""map_record: what of a record is written, left alone, emptied, filtered out or refused."""

from __future__ import annotations

import pytest
from hypothesis import given

from connector.core import rules
from connector.core.mapping import (
    MatchKey,
    OnNull,
    Own,
    UnknownChoice,
    ValueProblem,
    key_text,
    map_record,
    shown,
)
from connector.core.records import UNKNOWN, Ref
from connector.errors import MappingError
from tests.core import strategies
from tests.core.builders import REF, a_field, a_filter, a_key, a_link_rule, a_mapping, a_record


def failing(_):
    raise ValueProblem("an e-mail address", "nonsense")


def test_a_record_is_put_into_the_words_of_the_crm():
    mapping = a_mapping(
        a_field("name", rules.path("product.title")), match=[a_key("id")], title=rules.path("product.title")
    )

    mapped = map_record(a_record(product={"title": "Gold"}, updated_at="2026-01-01"), mapping)

    assert mapped.values == {"name": "Gold"}
    assert mapped.keys == (("id", "mem_1"),)
    assert (mapped.ref, mapped.object, mapped.title, mapped.updated_at) == (
        REF,
        "opportunity",
        "Gold",
        "2026-01-01",
    )


def test_what_was_not_told_is_not_written():
    assert map_record(a_record(), a_mapping(a_field("name"))).values == {}


def test_an_empty_value_empties_the_field():
    assert map_record(a_record(name=None), a_mapping(a_field("name"))).values == {"name": None}


def test_an_empty_value_may_leave_the_field_alone():
    mapping = a_mapping(a_field("name", on_null=OnNull.KEEP))

    assert map_record(a_record(name=None), mapping).values == {}


def test_an_empty_value_may_leave_the_record_out():
    mapping = a_mapping(a_field("name", on_null=OnNull.SKIP))

    assert map_record(a_record(name=None), mapping) is None
    assert map_record(a_record(name="x"), mapping).values == {"name": "x"}


def test_a_field_that_nothing_may_write_is_not_read():
    assert map_record(a_record(), a_mapping(a_field("name", failing, own=Own.NEVER))).values == {}


def test_an_unknown_choice_is_counted():
    keep = a_field("a", rules.constant(UnknownChoice("new", UNKNOWN)))
    empty = a_field("b", rules.constant(UnknownChoice("new", None)))

    mapped = map_record(a_record(), a_mapping(keep, empty))

    assert mapped.values == {"b": None}
    assert mapped.unknown_choices == (("a", "new"), ("b", "new"))


def test_a_value_that_does_not_fit_names_the_field():
    with pytest.raises(MappingError) as caught:
        map_record(a_record(), a_mapping(a_field("emails", failing)))

    assert str(caught.value) == (
        "membership mem_1: emails (from emails) expected an e-mail address, found 'nonsense'"
    )
    assert (caught.value.field, caught.value.expected, caught.value.found) == (
        "emails",
        "an e-mail address",
        "'nonsense'",
    )


def test_a_parent_that_is_no_id_names_the_relation():
    with pytest.raises(MappingError, match="person"):
        map_record(a_record(member_id=7), a_mapping(links=[a_link_rule("person", "member", "member_id")]))


def test_a_key_that_does_not_fit_names_the_field():
    key = a_key("email")
    key = type(key)(key.field, failing, identity=False)

    with pytest.raises(MappingError, match="email"):
        map_record(a_record(), a_mapping(match=[key]))


def test_keys_without_a_value_are_not_tried():
    mapping = a_mapping(match=[a_key("a"), a_key("b"), a_key("id")])

    assert map_record(a_record(a=None), mapping).keys == (("id", "mem_1"),)


def test_the_key_of_a_composite_is_its_first_part():
    assert key_text({"primaryEmail": "ada@example.com"}) == "ada@example.com"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"member_id": "mber_1"}, (("person", Ref("whop", "member", "mber_1")),)),
        ({"member_id": None}, (("person", None),)),
        ({}, ()),
    ],
)
def test_a_parent_is_pointed_at_emptied_or_left_alone(fields, expected):
    mapping = a_mapping(links=[a_link_rule("person", "member", "member_id")])

    assert map_record(a_record(**fields), mapping).parents == expected


@pytest.mark.parametrize(
    ("only", "passes"),
    [
        (a_filter("status", "active"), True),
        (a_filter("status", "drafted"), False),
        (a_filter("status", "drafted", negated=True), True),
        (a_filter("status", "active", negated=True), False),
        (a_filter("plan", "plan_1"), True),  # not told: cannot exclude the record
        (a_filter("user", None, negated=True), False),
    ],
)
def test_only_lets_some_records_through(only, passes):
    mapped = map_record(a_record(status="active", user=None), a_mapping(only=[only]))

    assert (mapped is not None) is passes


@pytest.mark.parametrize("title", [rules.path("missing"), rules.constant(None), failing])
def test_a_record_without_a_title_goes_by_its_id(title):
    assert map_record(a_record(), a_mapping(title=title)).title == "mem_1"


def test_all_fields_and_their_owners_are_known():
    mapping = a_mapping(a_field("a", own=Own.FILL), links=[a_link_rule("b", "member", "b")])

    assert [spec.name for spec in mapping.specs] == ["a", "b", "syncedAt"]
    assert mapping.ownership == {"a": Own.FILL, "b": Own.ALWAYS}


def test_long_values_are_shown_short():
    assert shown("x" * 100) == f"'{'x' * 79}… (102 characters)"


@given(strategies.records)
def test_mapping_twice_gives_the_same(fields):
    mapping = a_mapping(
        a_field("a", rules.path("a.b")),
        a_field("b", rules.first([rules.path("b"), rules.path("c")])),
        match=[MatchKey("a", rules.path("a.b"), identity=True)],
    )

    def outcome():
        try:
            return map_record(a_record(**fields), mapping)
        except MappingError as error:
            return str(error)

    assert outcome() == outcome()
