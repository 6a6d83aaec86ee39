"""What an operator does day by day: sync now, look at a failure, try again, disconnect."""

from __future__ import annotations

import uuid

from installation import Installation
from person import Person
from playwright.sync_api import expect

#: In the words of a real server; an unknown text would be taken for passing trouble.
REFUSAL = {
    "message": "Invalid string value 'nobody' for email field \"emails.primaryEmail\"",
    "extensions": {"code": "BAD_USER_INPUT"},
}


def slow_down(installation: Installation) -> None:
    """Let the next sync have one write, which takes a while."""
    installation.rename(installation.plain_member(), f"Renamed {uuid.uuid4().hex[:8]}")
    installation.dial("updatePeople", {"delay": 2.5})


def by_hand(installation: Installation) -> int:
    """How many syncs somebody asked for; others begin by the clock."""
    return sum(run.why.startswith("Manually") for run in installation.runs())


def test_a_record_that_the_crm_refused_is_shown_in_its_words_and_tried_again(
    connected: Installation, marta: Person
) -> None:
    member = connected.plain_member()
    marta.open("/connections")
    marta.press("Sync now")  # so that nothing but the one change below is left to be written
    marta.sees("Sync")
    assert marta.waits_for_the_end() == "Success"
    for write in ("updatePeople", "createPeople"):  # whichever way the change goes
        connected.dial(write, {"graphql_error": REFUSAL})
    connected.rename(member, "Renamed Once")

    marta.open("/connections")
    marta.press("Sync now")
    marta.sees("Sync")
    assert marta.waits_for_the_end() == "Partial"

    failed = marta.page.locator("details.rec", has_text=member["id"])
    expect(failed).to_contain_text("Failed")
    expect(failed.locator("blockquote")).to_be_visible()  # the page ended with the failure unfolded
    expect(failed.locator("blockquote")).to_contain_text(REFUSAL["message"])

    connected.clear_dials()
    failed.get_by_role("button", name="Try again").click()
    marta.reads("Trying again")
    assert marta.waits_for_the_end() == "Success"
    repairs = [run.status for run in connected.runs() if run.type == "repair"]
    assert repairs[0] == "success"
    assert "Renamed" in [one["name"]["firstName"] for one in connected.people()]


def test_a_double_click_on_sync_now_starts_one_sync(connected: Installation, marta: Person) -> None:
    before = by_hand(connected)
    slow_down(connected)

    marta.open("/connections")
    marta.page.get_by_role("button", name="Sync now").dblclick(no_wait_after=True)

    marta.sees("Sync ")
    marta.waits_for_the_end()
    assert by_hand(connected) == before + 1


def test_sync_now_in_a_second_tab_shows_the_sync_that_is_under_way_and_says_so(
    connected: Installation, marta: Person
) -> None:
    before = by_hand(connected)
    slow_down(connected)
    marta.open("/connections")
    tab = marta.context.new_page()
    tab.goto(f"{connected.home}/connections")

    marta.press("Sync now")
    marta.sees("Sync ")
    tab.get_by_role("button", name="Sync now").click()

    expect(tab.locator("main")).to_contain_text("A sync is under way already")
    assert tab.url == marta.page.url
    assert by_hand(connected) == before + 1


def test_disconnecting_asks_first_and_keeps_the_links(connected: Installation, marta: Person) -> None:
    one = connected.connect()
    people, known = len(connected.people()), connected.links_of(one)
    assert known > 0

    marta.open("/connections")
    marta.follow("Disconnect")
    expect(marta.page.locator("main")).to_contain_text("stay in Twenty as they are")
    marta.page.get_by_role("button", name="Disconnect, keep").click()

    marta.reads("is disconnected")
    assert [each.status for each in connected.connections() if each.id == one.id] == ["revoked"]
    assert (len(connected.people()), connected.links_of(one)) == (people, known)


def test_names_out_of_somebody_elses_hands_are_shown_as_text(connected: Installation, marta: Person) -> None:
    hostile = [one["display_name"] for one in connected.members() if "<" in one["display_name"]]
    assert any("<script>" in name for name in hostile)

    for name in hostile:
        marta.open("/log?result=created")
        marta.page.get_by_label("Search").fill(name)
        marta.press("Apply")
        expect(marta.page.locator("details.rec").first).to_contain_text(name)
        scripts = marta.page.locator("script").evaluate_all("all => all.map(one => one.src)")
        assert len(scripts) == 1
        assert scripts[0].startswith(connected.home)
        assert marta.page.locator("main b:not(.strong)").count() == 0
