"""Names that the CRM gave since the mapping was written are followed by their ids."""

from __future__ import annotations

from connector.core.naming import CrmName, Names

PERSON = CrmName("o1", "human", "humans", {"whopUserId": CrmName("f1", "customerId")})
NAMES = Names({"person": PERSON})


def test_what_is_not_remembered_is_called_as_the_mapping_calls_it() -> None:
    assert Names().object("person") == "person"
    assert Names().plural("person", "people") == "people"
    assert Names().field("person", "emails") == "emails"
    assert NAMES.field("person", "emails") == "emails"


def test_what_was_renamed_is_called_by_its_present_name() -> None:
    assert NAMES.object("person") == "human"
    assert NAMES.plural("person", "people") == "humans"
    assert NAMES.field("person", "whopUserId") == "customerId"
    assert NAMES.known("person") == PERSON
    assert NAMES.known("company", "name") is None


def test_names_come_back_as_they_were_kept() -> None:
    assert Names.of(NAMES.as_json()) == NAMES
    assert Names.of(None) == Names()


def test_a_name_that_is_newer_wins_and_the_others_stay() -> None:
    newer = Names({"person": CrmName("o1", "person", "people", {"emails": CrmName("f2", "mails")})})

    both = NAMES.with_(newer)

    assert both.object("person") == "person"
    assert both.field("person", "emails") == "mails"
    assert both.field("person", "whopUserId") == "customerId"


def test_the_fields_of_an_object_that_was_made_anew_are_forgotten() -> None:
    again = Names({"person": CrmName("o9", "person", "people")})

    assert NAMES.with_(again).known("person", "whopUserId") is None
    assert Names().with_(NAMES) == NAMES
