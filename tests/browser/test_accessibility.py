"""Every page, in light and dark colours and on a phone: axe finds nothing, and a picture is kept.

The pictures are in ``test-output/screenshots``, named after page and variant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from installation import Installation
from looks import looks_well
from person import Person
from playwright.sync_api import Browser
from sqlalchemy import select
from test_syncs import REFUSAL

from connector.store.connections import Connection
from connector.store.models import sale
from connector.sync import undo

UNCONNECTED = {"overview-empty": "/", "connections-empty": "/connections", "runs-empty": "/runs"}
PAGES = {
    "overview": "/",
    "connections": "/connections",
    "connection": "/connections/{connection}",
    "webhooks": "/connections/{connection}/webhooks",
    "disconnect": "/connections/{connection}/disconnect",
    "connect": "/connect/whop",
    "not-begun": "{answer}?error=access_denied&state=none",
    "plan": "/connections/{connection}/plan",
    "runs": "/runs",
    "run-with-failure": "/runs/{run}#failures",
    "log": "/log",
    "log-filtered": "/log?result=failed",
    "log-nothing-found": "/log?q=nobody-at-all",
    "review": "/review",
    "review-one": "/review/{review}",
    "review-decided": "/review?show=decided",
    "mappings": "/mappings",
    "mapping": "/mappings/membership.yaml",
    "mapping-history": "/mappings/membership.yaml/history",
    "error-guide": "/errors",
    "error": "/errors/{error}",
    "compare": "/reconcile",
    "comparison": "/reconcile/{comparison}",
    "comparison-nothing-found": "/reconcile/{comparison}?cause=duplicate",
    "alerts": "/alerts",
    "automations": "/automations",
    "automation": "/connections/{connection}/automations/one_time_purchases",
    "automation-with-conversations": "/connections/{connection}/automations/welcome_message",
    "checkout-links": "/connections/{connection}/checkout",
    "automation-tried": "/connections/{connection}/automations/one_time_purchases/trial",
    "removals": "/runs/{removing}/removals",
    "run-waiting-removals": "/runs/{removing}",
    "run-waiting-changes": "/runs/{changing}",
    "record": "/records/member/{member}",
    "record-paid": "/records/membership/{paid}",
    "mapping-set": "/mappings/set/{files}",
    "undo-preview": "/runs/{preview}",
    "undone": "/runs/{undone}",
    "held": "/held",
    "twenty": "/twenty",
    "twenty-key-remove": "/twenty/key/remove",
    "sessions": "/sessions",
    "password": "/password",
    "workspace": "/workspace",
    "audit": "/audit",
    "not-found": "/no/such/page",
}


@pytest.fixture(scope="module")
def viewer(browser: Browser, installation: Installation) -> Iterator[Person]:
    """Somebody signed in, who visits one page after the other. Axe needs styles that our policy refuses."""
    with browser.new_context(bypass_csp=True) as context:
        person = Person(context, installation)
        person.sign_in("Viewer")
        yield person


@pytest.fixture(scope="module")
def furnished(installation: Installation) -> Iterator[Mapping[str, str]]:
    """An installation in which something was refused, differs, is told and waits for an answer, and what the
    addresses of its pages need."""
    connection = installation.connect()
    installation.clear_dials()
    installation.dial("createPeople", {"graphql_error": REFUSAL})
    installation.rename(installation.plain_member(), "Refused Once")
    run = installation.sync(connection)
    installation.clear_dials()
    preview, undone, member = an_undo(installation, connection)
    edited = next(one for one in installation.people() if one["whopUsername"])
    installation.edit_in_twenty("people", edited["id"], whopUsername="somebody-else")
    comparison = installation.compare(connection)
    removals = {"membership": {"from": run.number + 1_000, "count": 60, "of": 60, "object": "opportunity"}}
    changes = {"code": "many_changes", "message": "It would change more than 60 % of the 90 records."}
    with (
        installation.asking(connection, status="waiting", checkpoint={"asks": removals}) as removing,
        installation.asking(connection, status="paused", error=changes) as changing,
    ):
        installation.tell_of_what_is_wrong()
        yield {
            "preview": preview,
            "undone": undone,
            "member": member,
            "paid": paid_for(installation),
            "files": run.mapping_version or "",
            "connection": connection.id,
            "run": run.id,
            "review": str(installation.reviews()[0].id),
            "error": "write_refused",
            "answer": installation.answer_path,
            "comparison": comparison.id,
            "removing": removing.id,
            "changing": changing.id,
        }


def paid_for(installation: Installation) -> str:
    """A membership with a payment that was refunded in part, or any that was paid for."""
    query = select(sale.c.membership_id).where(sale.c.kind == "payment", sale.c.membership_id.is_not(None))
    with installation.parts.database.reading() as session:
        return str(session.execute(query.order_by(sale.c.refunded.desc())).scalars().first())


def an_undo(installation: Installation, connection: Connection) -> tuple[str, str, str]:
    """A sync that changed one name is undone: the runs that show it and do it, and whose name it was."""
    member = installation.plain_member()
    installation.rename(member, "Undone Once")
    run = installation.sync(connection)
    words = {"why": "Manually by Otto", "correlation_id": "corr-undo"}
    preview = undo.preview(installation.parts.tools, run.workspace_id, run.id, **words)
    installation.wait_until_idle()
    undone = undo.begin(installation.parts.tools, run.workspace_id, preview, **words)
    installation.wait_until_idle()
    return preview, undone, member["id"]


@pytest.mark.parametrize("name", UNCONNECTED)
def test_a_page_before_anything_is_connected_is_accessible(
    unconnected: Installation, viewer: Person, name: str
) -> None:
    visit(viewer, name, UNCONNECTED[name])


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible(furnished: Mapping[str, str], viewer: Person, name: str) -> None:
    visit(viewer, name, PAGES[name].format(**furnished))


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("mapping-mistakes", "from: plan_id", "from: plan_idd"),
        ("mapping-effects", "label: Whop plan}", "label: Whop plan, own: once}"),
    ],
)
def test_a_changed_mapping_file_is_accessible(
    furnished: Mapping[str, str], viewer: Person, name: str, before: str, after: str
) -> None:
    viewer.open("/mappings/membership.yaml")
    text = viewer.page.get_by_role("textbox", name="membership.yaml")
    text.fill(text.input_value().replace(before, after))
    viewer.press("Check, and see what it would do")
    viewer.page.wait_for_load_state()
    looks_well(viewer, name)
    assert viewer.complaints == []


def test_the_page_to_sign_in_is_accessible(browser: Browser, installation: Installation) -> None:
    with browser.new_context(bypass_csp=True) as context:
        visit(Person(context, installation), "sign-in", "/sign-in")


def test_no_page_asks_for_what_the_content_security_policy_refuses(
    furnished: Mapping[str, str], marta: Person
) -> None:
    for path in PAGES.values():
        marta.open(path.format(**furnished))
        marta.page.wait_for_load_state()

    assert marta.complaints == []


def visit(person: Person, name: str, path: str) -> None:
    """The page looks well, with its first record unfolded."""
    person.open(path)
    for record in person.page.locator("details.rec:not([open])").all()[:1]:
        record.locator("summary").first.click()
    looks_well(person, name)
    assert person.complaints == []
