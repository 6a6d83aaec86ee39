"""What only a person can settle, done by hand: which person a record is, what is in the way, and leaving."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from installation import Installation
from looks import second_look
from person import Person
from test_signing_in import sign_in

from connector.cli import stage
from connector.store import crm_grants


def field(installation: Installation, object_: str, name: str) -> tuple[str, Any]:
    """The path of a field of Twenty's, and a session that may change it."""
    session = stage.crm_session(installation.parts, installation.stage)
    found = session.request("GET", "/rest/metadata/objects?limit=200").json()["data"]
    fields = next(one["fields"] for one in found if one["nameSingular"] == object_)
    return f"/rest/metadata/fields/{next(one['id'] for one in fields if one['name'] == name)}", session


@pytest.fixture
def deactivated(connected: Installation) -> Iterator[Installation]:
    """An admin switched a field of ours off, for as long as the test takes."""
    path, session = field(connected, "person", "whopUserId")
    session.request("PATCH", path, json={"isActive": False})
    yield connected
    session.request("PATCH", path, json={"isActive": True})


@pytest.mark.parametrize("choice", ["It is Twenty 1", "Make a new", "Leave it out"])
def test_a_decision_is_made_carried_out_and_taken_back(
    connected: Installation, marta: Person, choice: str
) -> None:
    one = next(one for one in connected.reviews() if choice != "Make a new" or not one.only_one)

    marta.open(f"/review/{one.id}")
    marta.press(choice)
    marta.reads("You can take it back at any time")
    connected.wait_until_idle()
    marta.open("/review?show=decided")
    marta.reads(one.source_id)
    second_look(marta, f"review-decided-{choice.lower().replace(' ', '-')}")
    marta.open(f"/review/{one.id}")
    marta.reads("Decided by")
    marta.press("Take it back")

    marta.reads("is looked at again now")
    connected.wait_until_idle()
    assert one.source_id in {each.source_id for each in connected.reviews()} or choice != "Leave it out"


def test_what_is_in_the_way_is_told_in_the_words_of_twentys_pages(
    deactivated: Installation, marta: Person
) -> None:
    connection = deactivated.connect()

    marta.open(f"/connections/{connection.id}/plan")

    marta.reads("“Whop user” of “Person” is deactivated in Twenty.")
    marta.reads("Activate “Whop user” in Twenty")
    marta.reads("Create company when adding a new person")
    second_look(marta, "plan-conflict")


def test_whoever_signed_in_with_twenty_is_disconnected(
    connected: Installation, somebody: Callable[[], Person]
) -> None:
    person = somebody()
    sign_in(person)

    person.follow("Twenty")
    person.follow("Disconnect")
    person.press("Disconnect")

    person.reads("was deleted here")
    second_look(person, "twenty-disconnected")
    with connected.parts.database.reading() as session:
        assert crm_grants.newest(session, connected.workspace.id) is None
