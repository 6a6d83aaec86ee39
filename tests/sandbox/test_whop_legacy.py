"""The sandbox in the dialect of 2025-01-01: the same records, the old names, the old parameters."""

from typing import Any

import pytest
from whop_caller import Caller, fixture

KINDS = {
    "products": "signals",
    "plans": "monthly",
    "members": "ada",
    "memberships": "ada-monthly",
    "payments": "noor-kw90",
    "refunds": "max-full",
    "disputes": "ada-open",
}


@pytest.fixture(scope="module")
def whop() -> Caller:
    return Caller(members=200, limited=False)


@pytest.fixture(scope="module")
def old(whop: Caller) -> Caller:
    caller = Caller(whop.app)
    caller.headers["Api-Version-Date"] = "2025-01-01"
    return caller


def company(caller: Caller) -> str:
    return str(caller.parts.world.home.company.id)


@pytest.mark.parametrize("kind", KINDS)
def test_single_reads_and_lists_have_the_fields_of_the_reference(old: Caller, kind: str) -> None:
    page = old.read(f"/{kind}", company_id=company(old), first=5)

    listed = page["data"][0]
    single = old.read(f"/{kind}/{listed['id']}")
    assert single.keys() == fixture(f"legacy/{kind}/{KINDS[kind]}.json").keys()
    assert listed.keys() == fixture(f"legacy/lists/{kind}.first.json")["data"][0].keys()


@pytest.mark.parametrize("kind", KINDS)
def test_both_dialects_list_the_same_records(whop: Caller, old: Caller, kind: str) -> None:
    named = {"company_id": company(old), **({"include_free": "true"} if kind == "payments" else {})}

    assert [one["id"] for one in old.every(kind, **named)] == [one["id"] for one in whop.every(kind)]


def test_sums_are_numbers_and_objects_stand_for_ids(whop: Caller, old: Caller) -> None:
    paid = next(one for one in whop.every("payments") if one["currency"] == "kwd" and one["member_id"])

    then = old.read(f"/payments/{paid['id']}")

    assert then["total"] == float(paid["total"]["amount"])
    assert then["membership"]["id"] == paid["membership_id"]
    assert then["user"]["email"] == paid["customer_email"]
    assert then["company"]["id"] == paid["account_id"]


@pytest.mark.parametrize("kind", ["products", "plans", "disputes"])
def test_some_lists_must_name_their_company(old: Caller, kind: str) -> None:
    answer = old.ask(f"/{kind}")

    assert answer.status_code == 400
    assert answer.get_json()["error"]["param"] == "company_id"


def test_names_of_one_dialect_are_unknown_in_the_other(whop: Caller, old: Caller) -> None:
    assert whop.ask("/payments", company_id=company(whop)).status_code == 400
    assert whop.ask("/payments", updated_after="2026-01-01T00:00:00Z").status_code == 400
    assert old.ask("/payments", account_id=company(old)).status_code == 400
    assert whop.ask("/companies").status_code == 404


def test_what_changed_lately_can_be_asked_for_in_the_old_dialect(whop: Caller, old: Caller) -> None:
    moments = sorted(one["updated_at"] for one in whop.every("payments"))
    since = moments[len(moments) // 2]

    found = old.every("payments", updated_after=since, include_free="true")

    assert found
    assert all(one["updated_at"] > since for one in found)
    assert len(found) == sum(moment > since for moment in moments)


def test_companies_are_what_accounts_were_called(old: Caller) -> None:
    one = old.read(f"/companies/{company(old)}")

    assert one.keys() == fixture("legacy/companies/company.json").keys()
    assert old.read("/companies")["data"][0]["id"] == company(old)


def test_what_may_not_be_read_is_null_at_any_depth(old: Caller) -> None:
    owned = next(one for one in old.every("memberships") if one["user"] and one["user"]["email"])
    old.turn("POST", "/keys", {"do": "restrict", "permissions": ["member:basic:read", "company:basic:read"]})
    try:
        assert old.read(f"/memberships/{owned['id']}")["user"]["email"] is None
        assert all(one["phone"] is None for one in old.every("members"))
    finally:
        old.turn("POST", "/keys", {"do": "reset"})


def test_a_key_speaks_the_dialect_it_is_pinned_to(whop: Caller) -> None:
    bare = Caller(whop.app)
    del bare.headers["Api-Version-Date"]
    assert "account_id" in bare.read("/members")["data"][0]

    whop.turn("POST", "/keys", {"do": "pin", "version": "2025-01-01"})
    try:
        assert "account_id" not in bare.read("/members")["data"][0]
    finally:
        whop.turn("POST", "/keys", {"do": "reset"})


# --- writes ---


def written(caller: Caller, name: str, act: str, body: Any = None, status: int = 200) -> Any:
    answer = caller.http.post(f"/api/v1/memberships/{name}/{act}", json=body, headers=caller.headers)
    assert answer.status_code == status, answer.get_data(as_text=True)
    return answer.get_json()


def an_active(caller: Caller, at: int) -> dict[str, Any]:
    found = [
        one for one in caller.every("memberships") if one["status"] == "active" and one["current_period_end"]
    ]
    return found[at]


def test_a_membership_is_cancelled_and_kept_in_the_old_words(whop: Caller, old: Caller) -> None:
    name = an_active(whop, 0)["id"]

    leaving = written(old, name, "cancel", {"cancellation_mode": "at_period_end"})
    staying = written(old, name, "uncancel")

    assert (leaving["cancel_at_period_end"], leaving["status"]) == (True, "canceling")
    assert (staying["cancel_at_period_end"], staying["status"]) == (False, "active")
    assert written(old, name, "cancel", {"cancellation_mode": "immediate"})["status"] == "canceled"


def test_a_pause_has_no_status_of_its_own(whop: Caller, old: Caller) -> None:
    name = an_active(whop, 1)["id"]

    paused = written(whop, name, "pause")
    assert (paused["status"], paused["most_recent_action"]) == ("active", "paused_at")
    assert [one["id"] for one in whop.every("memberships", status="paused")].count(name) == 1
    assert old.read(f"/memberships/{name}")["payment_collection_paused"] is True
    assert written(whop, name, "resume")["most_recent_action"] == "renewing_on"


def test_days_are_added(whop: Caller, old: Caller) -> None:
    before = an_active(whop, 2)

    after = written(whop, before["id"], "extend", {"days": 10})
    more = written(old, before["id"], "add_free_days", {"free_days": 1})

    assert after["current_period_end"] > before["current_period_end"]
    assert more["renewal_period_end"] > after["current_period_end"]
    written(whop, before["id"], "extend", {"days": 0}, status=400)
