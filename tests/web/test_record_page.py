"""One record's page: whether it is in step, where its values come from, what touched it; and sync it now."""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from desk import HOSTILE, Desk, a_failure, a_person, an_update, desk
from sqlalchemy import update

from connector.core.outcomes import Result
from connector.core.sales import Sale
from connector.store import runs, sales
from connector.store.models import link
from tests.web.entering import NOON, csrf_of

PATH = "/records/member/mber_1"


@pytest.fixture
def at_desk(database_url: str) -> Iterator[Desk]:
    with desk(database_url) as one:
        yield one


@pytest.fixture
def backend() -> str:
    return "sqlite"  # the store's own tests take care of the other


def known(at_desk: Desk, **changed: Any) -> None:
    """A link of mber_1 that remembers what the newest run wrote."""
    at_desk.linked("mber_1")
    with at_desk.door.parts.database.transaction() as session:
        session.execute(update(link).values(**changed))


def test_it_says_where_each_value_comes_from(at_desk: Desk) -> None:
    run = at_desk.run([a_person()])
    known(at_desk, fingerprint="f", memory={"emails": [1, run.number]}, seen_run=run.number)

    page = at_desk.page(PATH)

    assert "Ada Bergström" in page
    assert "In step" in page
    assert f'<a href="/runs/{run.id}">Sync {run.number}</a>' in page
    assert "mber_1@example.com" in page
    assert "member.yaml, line" in page
    assert "using: email" in page
    assert "what a person wrote stays" in page
    assert "/object/person/crm-mber_1" in page


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"fingerprint": "f"}, "In step"),
        ({"fingerprint": None}, "To be compared"),
        ({"state": "failed"}, "Failing"),
        ({"state": "deleted_in_crm"}, "Deleted in Twenty"),
        ({"state": "review"}, "Waits for you"),
        ({"fingerprint": "f", "held_run": 1}, "let go"),
        ({"state": "gone", "gone_at": NOON}, "Whop has it no more"),
    ],
)
def test_it_says_how_the_record_stands(at_desk: Desk, changed: dict[str, Any], word: str) -> None:
    at_desk.run([a_person()])
    known(at_desk, **changed)

    assert word in at_desk.page(PATH)


def test_a_failure_says_why_and_what_to_do(at_desk: Desk) -> None:
    at_desk.run([a_failure("mber_1")])

    page = at_desk.page(PATH)

    assert "Not in Twenty" in page
    assert "What this means" in page
    assert HOSTILE not in page, "what others typed is escaped"


def test_a_value_whose_log_is_gone_is_still_told_by_its_sync(at_desk: Desk) -> None:
    run = at_desk.run([a_person(after=None, result=Result.SKIPPED, reason="stale")])
    known(at_desk, fingerprint="f", memory={"emails": [1, run.number], "name": [1, 999]})

    page = at_desk.page(PATH)

    assert page.count("not kept any more") == 2
    assert "Sync 999" in page


def test_just_this_record_is_taken_through_a_sync(at_desk: Desk) -> None:
    at_desk.run([a_person()])
    known(at_desk, fingerprint="f")
    token = csrf_of(at_desk.browser, PATH)

    answer = at_desk.browser.post(f"{PATH}/sync", data={"csrf_token": token})

    with at_desk.door.parts.database.reading() as session:
        newest = runs.of_workspace(session, at_desk.workspace.id, limit=1)[0]
    assert answer.headers["Location"] == f"/runs/{newest.id}"
    assert (newest.type, newest.checkpoint) == ("repair", {"refs": {"member": ["mber_1"]}})


def test_a_record_that_nobody_knows_has_no_page(at_desk: Desk) -> None:
    at_desk.page("/records/member/mber_none", 404)
    at_desk.page("/records/nothing/mber_1", 404)


def test_the_log_leads_to_it(at_desk: Desk) -> None:
    run = at_desk.run([a_person()])

    assert f'href="{PATH}"' in at_desk.page("/log")
    assert f'href="{PATH}"' in at_desk.page(f"/runs/{run.id}")


def a_sale(at_desk: Desk, id_: str, **changed: Any) -> None:
    values = {"payment_id": id_, "membership_id": "mem_1", "status": "paid", "currency": "jpy"}
    values |= {"amount": "12800", "refunded": None, "failures": 0, "at": "2026-11-01T00:00:12.000Z"}
    one = Sale(**{"kind": "payment", "id": id_, "updated_at": None, **values, **changed})
    with at_desk.door.parts.database.transaction() as session:
        sales.keep(session, at_desk.workspace.id, at_desk.connection.id, [one])


def test_a_membership_tells_its_payments_newest_first_and_what_they_add_up_to(at_desk: Desk) -> None:
    at_desk.run([an_update("mem_1")])
    a_sale(at_desk, "pay_1", refunded="6400")
    a_sale(at_desk, "pay_2", at="2026-11-20T12:23:55.000Z", status="unresolved", failures=3)
    a_sale(at_desk, "pay_3", at="2026-09-02T09:00:00.000Z", currency="kwd", amount="12.5")
    a_sale(at_desk, "dis_1", kind="dispute", at="2026-11-10T09:00:00.000Z", status="won", payment_id="pay_1")
    a_sale(at_desk, "pay_9", membership_id="mem_2", amount="777")

    page = unescape(at_desk.page("/records/membership/mem_1"))

    told = [
        "Payment failed",
        "3 attempts failed",
        "Dispute",
        "won",
        "¥6,400 of it refunded",
        "<small>KWD 12.500",
    ]
    assert [page.find(one) for one in told] == sorted(page.find(one) for one in told)
    assert -1 not in [page.find(one) for one in told]
    assert "¥12,800 paid in all, ¥6,400 refunded" in page
    assert "777" not in page


def test_a_record_leads_to_whop(at_desk: Desk) -> None:
    at_desk.run([a_person()])

    assert 'href="https://whop.com/dashboard/biz_1/"' in at_desk.page(PATH)
