"""From a one-time link to the sync log, and what stands in the way."""

from __future__ import annotations

from collections.abc import Callable

from installation import Installation
from looks import second_look
from person import Person
from playwright.sync_api import expect


def test_the_first_use_leads_from_a_link_over_whops_consent_to_a_sync_that_is_watched(
    unconnected: Installation, marta: Person
) -> None:
    page = marta.page
    unconnected.dial("createPeople", {"delay": 3.0})  # so that there is something to watch

    marta.follow("Connect Whop")
    marta.reads("What Whop will be asked for")
    marta.press("Connect Whop")
    marta.sees("to use your Whop account?")
    marta.press("Approve")
    marta.sees("What will be created in Twenty")
    marta.reads("is connected")
    second_look(marta, "plan-first")
    marta.press("Agree and start the first sync")

    marta.sees("Sync 1")
    page.evaluate("window.neverReloaded = true")
    expect(page.get_by_role("progressbar", name="Whole run")).to_be_visible()
    expect(page.locator("#live")).to_contain_text("Refreshed")
    second_look(marta, "run-under-way", ["light"])
    ended = marta.waits_for_the_end()
    assert page.evaluate("window.neverReloaded")
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    assert [run.status for run in unconnected.runs() if run.type == "full"] == [ended.lower()]
    assert len(unconnected.people()) > 50

    marta.follow("Sync log")
    marta.sees("Sync log")
    expect(page.locator("details.rec").filter(has_text="Created").first).to_be_visible()


def test_a_no_on_whops_page_ends_on_a_page_that_says_so_and_offers_to_try_again(
    connected: Installation, marta: Person
) -> None:
    before = connected.connections()

    marta.open("/connect/whop")
    marta.press("Connect Whop")
    marta.press("Cancel")

    marta.sees("Nothing")
    marta.reads("whop_denied")
    assert connected.connections() == before
    marta.follow("Try again")
    marta.sees("Connect Whop")


def test_the_way_to_whop_can_be_gone_with_the_keyboard_alone(connected: Installation, marta: Person) -> None:
    page = marta.page
    marta.open("/connect/whop")

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()

    button = page.get_by_role("button", name="Connect Whop")
    for _ in range(20):
        page.keyboard.press("Tab")
        if button.evaluate("one => one === document.activeElement"):
            break
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    marta.sees("to use your Whop account?")


def test_a_session_that_ends_under_way_keeps_the_place(
    connected: Installation, somebody: Callable[[], Person]
) -> None:
    ida, words = somebody(), "correct horse battery"
    ida.sign_in("Ida")
    ida.open("/password")
    ida.page.get_by_label("New password").fill(words)
    ida.press("Set the password")
    ida.open("/connections")

    ida.context.clear_cookies(name="session_token")
    ida.open("/log?result=created&object=person")
    ida.sees("Sign in")
    ida.page.get_by_label("Name", exact=True).fill("Ida")
    ida.page.get_by_label("Password", exact=True).fill(words)
    ida.page.get_by_role("button", name="Sign in", exact=True).click()

    ida.sees("Sync log")
    assert ida.page.url == f"{connected.home}/log?result=created&object=person"
    expect(ida.page.get_by_label("Outcome")).to_have_value("created")
