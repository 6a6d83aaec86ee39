"""Sign in with Twenty, as an admin does it: the address, Twenty's own page, and a key for writing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from installation import Installation
from looks import looks_well
from person import Person
from playwright.sync_api import Browser

from connector.store import admins
from connector.sync import crm_keys


@pytest.fixture
def without_key(installation: Installation) -> Iterator[Installation]:
    """Nothing writes into the CRM yet; afterwards the key is there again."""
    parts, workspace = installation.parts, installation.workspace
    crm_keys.remove_key(parts.tools, workspace.id)
    yield installation
    key = installation.stage.key("twenty")
    crm_keys.give_key(parts.tools, parts.vault, parts.crm_desk.client, workspace, key)


def sign_in(person: Person) -> None:
    """From the first page to Twenty's own and back."""
    person.open("/sign-in")
    person.page.get_by_label("Address of your Twenty").fill(person.installation.twenty)
    person.press("Sign in with Twenty")
    person.sees("Whop to Twenty")
    person.page.get_by_role("radio").first.check()
    person.press("Authorize")
    person.sees("Overview")


def test_an_admin_signs_in_with_twenty_and_gives_a_key(
    without_key: Installation, somebody: Callable[[], Person]
) -> None:
    person = somebody()

    sign_in(person)
    person.follow("Twenty")
    person.reads("Records look as if")
    person.page.get_by_label("API key").fill(without_key.stage.key("twenty"))
    person.press("Check and keep")

    person.reads("The key works and is kept")
    with without_key.parts.database.reading() as session:
        assert admins.of_workspace(session, without_key.workspace.id)


def test_an_address_that_will_not_do_is_told_where_it_was_typed(somebody: Callable[[], Person]) -> None:
    person = somebody()
    person.open("/sign-in")
    person.page.get_by_label("Address of your Twenty").fill("http://10.0.0.1")

    person.press("Sign in with Twenty")

    person.reads("not a public address")
    assert person.page.get_by_label("Address of your Twenty").input_value() == "http://10.0.0.1"


def test_the_pages_about_twenty_are_accessible(browser: Browser, without_key: Installation) -> None:
    with browser.new_context(bypass_csp=True) as context:
        person = Person(context, without_key)
        person.open("/sign-in/twenty")
        looks_well(person, "sign-in-twenty")
        person.page.get_by_label("Address of your Twenty").fill("http://10.0.0.1")
        person.press("Sign in with Twenty")
        person.reads("not a public address")
        looks_well(person, "sign-in-twenty-refused")
        person.open("/oauth/twenty/callback?code=x&state=y")
        looks_well(person, "sign-in-twenty-failed")
        sign_in(person)
        person.open("/twenty")
        looks_well(person, "twenty-by-person")
        person.follow("Disconnect")
        looks_well(person, "twenty-disconnect")
        assert person.complaints == []
