"""Checkout links: what somebody is sent, because memberships cannot be made; from the plans on Whop."""

from __future__ import annotations

import pytest

from connector.core.records import Ref, SourceRecord
from connector.store.connections import Connection
from connector.sync import onboarding
from connector.web import views_checkout
from tests.web.desk import HOSTILE
from tests.web.site_of import Site


@pytest.fixture
def one(site: Site) -> Connection:
    """Connected by an API key."""
    new = onboarding.NewConnection(site.companies[0], str(site.whop.app.extensions["whop"].keyring.main))
    opener, now = site.parts.openers.reader_for, site.clock()
    ids = (site.parts.database, site.parts.vault, site.workspace, new)
    return onboarding.add_connection(*ids, open_reader=opener, now=now)[0]


def test_every_plan_has_its_link_and_the_page_says_that_there_is_no_call(site: Site, one: Connection) -> None:
    plans = site.whop.ask("GET", "/records/plans")
    browser = site.browser()
    page = browser.get(f"/connections/{one.id}/checkout").text

    assert "Whop has no call for creating one" in page
    assert plans
    for plan in plans:
        assert f'href="{plan["purchase_url"]}"' in page


def test_a_plan_cannot_make_the_link_anything_but_a_link(site: Site, one: Connection) -> None:
    plan = site.whop.ask("GET", "/records/plans")[0]
    changed = {"purchase_url": "javascript:alert(1)", "title": HOSTILE}
    site.whop.ask("PATCH", f"/records/plans/{plan['id']}", changed)

    page = site.browser().get(f"/connections/{one.id}/checkout").text

    assert "javascript:" not in page
    assert "Whop names none" in page
    assert HOSTILE not in page
    site.whop.ask(
        "PATCH", f"/records/plans/{plan['id']}", {"purchase_url": plan["purchase_url"], "title": "x"}
    )


def test_a_whop_that_does_not_answer_is_told(site: Site, one: Connection) -> None:
    site.whop.dial("GET /plans", {"status": 500}, times=None)
    page = site.browser().get(f"/connections/{one.id}/checkout").text
    site.whop.undial()

    assert 'role="alert"' in page


def test_the_page_of_automations_leads_there(site: Site, one: Connection) -> None:
    assert f"/connections/{one.id}/checkout" in site.browser().get("/automations").text


@pytest.mark.parametrize(
    ("fields", "title", "link"),
    [
        ({"purchase_url": "https://whop.com/checkout/x"}, "plan_1", "https://whop.com/checkout/x"),
        ({"purchase_url": None, "title": "Monthly", "product": {"title": "Signals"}}, "Signals: Monthly", ""),
        ({"purchase_url": "http://whop.com", "product": None}, "plan_1", ""),
    ],
)
def test_a_plan_is_shown_by_what_there_is_of_it(fields: dict[str, object], title: str, link: str) -> None:
    offer = views_checkout._offer(SourceRecord(Ref("whop", "plan", "plan_1"), fields, None))

    assert (offer.title, offer.link) == (title, link)
