"""One connection's page, its permissions, and connecting by an API key that is pasted in."""

from __future__ import annotations

from html import unescape

import pytest
from desk import Desk, desk

from connector.store import audit, connections
from tests.web.entering import NOON
from tests.web.site_of import Browser, Site, says


@pytest.fixture
def backend() -> str:
    return "sqlite"  # the store's own tests take care of the other


def text_of(browser: Browser, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200, answer.text
    return unescape(answer.text)


def whop_key(site: Site) -> str:
    return str(site.whop.app.extensions["whop"].keyring.main)


def paste(browser: Browser, key: str, **fields: str) -> str:
    """Paste a key into the page's form; where it leads."""
    answer = browser.send("/connect/whop/key", "/connect/whop", key=key, **fields)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["Location"])


def test_the_page_to_connect_offers_an_api_key_beside_the_approval(browser: Browser) -> None:
    text = text_of(browser, "/connect/whop")

    assert "Or connect with an API key" in text
    assert "can register webhooks" in text
    assert 'type="password" name="key"' in text


def test_a_pasted_key_leads_to_what_will_be_created(site: Site, browser: Browser) -> None:
    there = paste(browser, f" {whop_key(site)}\n")

    (made,) = site.connections()
    assert there == f"/connections/{made.id}/plan"
    assert made.auth == "api_key"
    with site.parts.database.reading() as session:
        events = audit.shown(session, site.workspace.id, "")
    assert events[0].about["how"] == "API key"
    assert whop_key(site) not in site.everything()


def test_a_wrong_key_is_said_and_nothing_is_kept(site: Site, browser: Browser) -> None:
    answer = browser.send("/connect/whop/key", "/connect/whop", key="apik_of_nobody")

    says(answer, 502, "Nothing was connected")
    assert "apik_of_nobody" not in answer.text
    assert site.connections() == []


def test_an_empty_key_leads_back(site: Site, browser: Browser) -> None:
    assert paste(browser, "  ") == "/connect/whop"
    assert "No API key was entered" in text_of(browser, "/connect/whop")


def test_the_plan_says_object_by_object_what_is_granted(site: Site, browser: Browser) -> None:
    text = text_of(browser, paste(browser, whop_key(site)))

    table = text[text.index("Permissions on Whop, by what needs them") :]
    words = ("People", "Opportunities", "Tasks", "member:email:read", "Granted", "access_pass:basic:read")
    for word in (*words, "payment:dispute:read"):
        assert word in table
    assert "Missing" not in text


def test_a_missing_permission_stands_in_the_table_until_it_is_granted(site: Site, browser: Browser) -> None:
    paste(browser, whop_key(site))
    (made,) = site.connections()
    less = [one for one in made.scopes or [] if one != "member:phone:read"]
    with site.parts.database.transaction() as session:
        connections.keep_credential(session, site.workspace.id, made.id, scopes=less)
    page = f"/connections/{made.id}"

    before = text_of(browser, page)
    checked = browser.send(f"{page}/permissions", page)
    after = text_of(browser, page)

    assert "Missing" in before
    assert "Phone numbers in Twenty stay as they are" in before
    assert checked.headers["Location"] == page
    assert "Everything that is needed is granted" in after
    assert "Missing" not in after


def test_access_that_is_back_is_found_out_by_looking(site: Site, browser: Browser) -> None:
    paste(browser, whop_key(site))
    (made,) = site.connections()
    page = f"/connections/{made.id}"
    site.whop.ask("POST", "/keys", {"do": "restrict", "permissions": ["company:basic:read"]})
    with site.parts.database.transaction() as session:
        connections.mark(session, site.workspace.id, made.id, "expired", code="whop_scope", now=NOON)

    before = text_of(browser, page)
    browser.send(f"{page}/permissions", page)
    still = site.connections()[0].status
    site.whop.ask("POST", "/keys", {"do": "reset"})
    browser.send(f"{page}/permissions", page)

    assert "syncs go on by themselves within two minutes" in before
    assert "Check again" in before
    assert still == "expired"
    assert site.connections()[0].status == "active"


def test_access_that_needs_a_person_is_not_looked_at_again(at_desk: Desk) -> None:
    one = at_desk.connection
    with at_desk.door.parts.database.transaction() as session:
        connections.mark(session, one.workspace_id, one.id, "expired", code="whop_key", now=NOON)

    page = at_desk.page(f"/connections/{one.id}")

    assert "Check again" not in page
    assert "Reconnect" in page


def test_whop_being_down_is_told_beside_what_was_known(site: Site, browser: Browser) -> None:
    paste(browser, whop_key(site))
    (made,) = site.connections()
    page = f"/connections/{made.id}"
    site.whop.dial("GET /accounts/me", {"status": 503}, times=None)

    browser.send(f"{page}/permissions", page)

    assert "Whop cannot answer now" in text_of(browser, page)
    assert site.connections()[0].status == "active"


@pytest.fixture
def at_desk(database_url: str):  # type: ignore[no-untyped-def]
    with desk(database_url) as one:
        yield one


@pytest.mark.parametrize(
    ("code", "title"),
    [
        ("whop_grant", "What was approved on Whop no longer counts"),
        ("whop_refresh_lost", "A renewal of the access was lost on its way"),
        ("whop_shut_out", "Whop no longer lets us in"),
        ("whop_key", "Whop does not accept the access any more"),
    ],
)
def test_access_that_ended_is_told_with_its_reason_everywhere(at_desk: Desk, code: str, title: str) -> None:
    one = at_desk.connection
    with at_desk.door.parts.database.transaction() as session:
        connections.mark(session, one.workspace_id, one.id, "expired", code=code, now=NOON)

    for path in ("/", f"/connections/{one.id}"):
        page = unescape(at_desk.page(path))
        assert title in page
        assert f"/connect/whop?connection={one.id}" in page


def test_a_sync_that_waits_for_access_says_why_and_offers_to_reconnect(at_desk: Desk) -> None:
    one = at_desk.connection
    run = at_desk.run(status="paused", error={"code": "whop_grant", "message": "Withdrawn."})
    with at_desk.door.parts.database.transaction() as session:
        connections.mark(session, one.workspace_id, one.id, "expired", code="whop_grant", now=NOON)

    page = unescape(at_desk.page(f"/runs/{run.id}"))

    assert "Paused: What was approved on Whop no longer counts" in page
    assert "a sync reads everything from the beginning" in page
    assert f'href="/connect/whop?connection={one.id}">Reconnect' in page
    assert "Resume" not in page
    assert "A sync</a> is paused" in at_desk.page("/connections")


def test_a_sync_that_another_took_over_says_so(at_desk: Desk) -> None:
    told = {"code": "replaced", "message": "The company was connected again."}
    run = at_desk.run(status="cancelled", error=told)

    page = at_desk.page(f"/runs/{run.id}")

    assert "Another sync took over" in page
    assert "The company was connected again." in page


def test_reconnecting_shows_the_sync_that_catches_up(site: Site, browser: Browser) -> None:
    path = browser.connect()
    browser.send(path)
    (made,) = site.connections()
    end_the_run(site)

    back = browser.get(browser.approve(connection=made.id))

    latest = site.runs()[0]
    assert latest.why == "After reconnect"
    assert back.headers["Location"] == f"/runs/{latest.id}"
    assert site.bell.rings[-1] == ("advance_run", "full", {"run_id": latest.id})
    assert "catches up with what changed meanwhile" in text_of(browser, back.headers["Location"])


def end_the_run(site: Site) -> None:
    with site.parts.database.transaction() as session:
        session.exec_driver_sql("UPDATE sync_run SET status = 'failed', active_key = NULL")


def test_another_workspaces_connection_has_no_page(site: Site, browser: Browser) -> None:
    assert browser.get("/connections/nothing").status_code == 404
