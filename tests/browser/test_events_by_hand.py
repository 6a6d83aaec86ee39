"""What somebody does with events by hand: look, filter, take again, and send a sample."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from installation import Installation
from looks import looks_well
from person import Person
from playwright.sync_api import expect
from test_accessibility import viewer  # noqa: F401 - axe needs a browser that takes its styles

from connector.store.inbox import InboxEvent

PAGES = {
    "events": "/events",
    "events-filtered": "/events?state=parked",
    "events-nothing-found": "/events?q=nobody",
    "event": "/events/{failed}",
    "event-parked": "/events/{parked}",
    "webhooks-heard": "/connections/{connection}/webhooks",
}


@pytest.fixture(scope="module")
def told(installation: Installation) -> Mapping[str, InboxEvent]:
    """A payment that failed and one that went through, and an event that is parked."""
    connection = installation.connect()
    installation.hear(connection)
    one, two = [of for of in installation.memberships() if of["status"] == "active" and of["member_id"]][:2]
    failed = installation.happen(connection, "fail", one["id"])
    paid = installation.happen(connection, "pay", two["id"])
    installation.park(paid[0])
    named = {event.type: event for event in [*failed, *paid]}
    each = {f"failed {number}": event for number, event in enumerate(failed)}
    return each | {"failed": named["payment.failed"], "paid": named["payment.succeeded"], "parked": paid[0]}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_events_is_accessible(told: Mapping[str, InboxEvent], viewer: Person, name: str) -> None:  # noqa: F811
    ids = {of: event.id for of, event in told.items()}
    viewer.open(PAGES[name].format(connection=told["failed"].connection_id, **ids))
    for record in viewer.page.locator("details.rec:not([open])").all()[:1]:
        record.locator("summary").first.click()
    looks_well(viewer, name)
    assert viewer.complaints == []


def test_an_event_shows_what_it_changed_in_twenty(told: Mapping[str, InboxEvent], marta: Person) -> None:
    marta.open("/events?type=payment.failed")
    marta.follow("payment.failed")

    marta.sees("payment.failed")
    changed = marta.page.locator("section", has_text="What it changed in Twenty")
    expect(changed).to_contain_text("Payment failed follow up")

    shown = []
    for event in (told[name] for name in told if name.startswith("failed ")):
        marta.open(f"/events/{event.id}")  # of those that came together, one moved the membership
        shown += marta.page.locator("section details.rec").all_inner_texts()
    assert [text for text in shown if "Updated" in text]


def test_events_that_would_leave_notes_are_taken_again_after_a_question(
    told: Mapping[str, InboxEvent],
    marta: Person,
    viewer: Person,  # noqa: F811
) -> None:
    installation, parked = marta.installation, told["parked"]
    connection = installation.connections()[0]
    one = next(of for of in installation.memberships() if of["status"] == "active" and of["member_id"])
    installation.switch_notes(connection, on=False)
    (event,) = installation.happen(connection, "expire", one["id"])
    installation.switch_notes(connection, on=True)

    for person in (viewer, marta):
        person.open("/events")
        person.page.locator(f'input[type=checkbox][value="{event.id}"]').check()
        person.page.locator(f'input[type=checkbox][value="{parked.id}"]').check()
        person.press("Take the chosen again")
        person.sees("as well?")
        if person is viewer:
            looks_well(person, "events-again")
    marta.press("Records only")

    marta.sees("Events")
    marta.reads("2 events taken again")


def test_a_sample_is_sent_from_the_page_of_webhooks(told: Mapping[str, InboxEvent], marta: Person) -> None:
    connection = marta.installation.connections()[0]
    marta.open(f"/connections/{connection.id}/webhooks")
    form = marta.page.locator("form", has=marta.page.locator("select[name=event]"))
    form.locator("select[name=event]").select_option("payment.succeeded")
    form.get_by_role("button", name="Send it").click()

    marta.reads("payment.succeeded was taken in")
    marta.follow("Open events")
    marta.sees("Events")
    expect(marta.page.locator("table")).to_contain_text("payment.succeeded")
