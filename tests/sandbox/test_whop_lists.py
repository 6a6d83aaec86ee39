"""Lists: paging, cursors, orders and filters."""

from typing import Any

import pytest
from whop_caller import KINDS, Caller, fixture


@pytest.fixture(scope="module")
def whop() -> Caller:
    return Caller(members=300, limited=False)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 7, 100])
def test_paging_meets_every_record_exactly_once(whop: Caller, kind: str, size: int) -> None:
    wanted = [record["id"] for record in whop.turn("GET", f"/records/{kind}")]
    if size == 1:
        wanted = wanted[:12]

    found: list[str] = []
    for page in whop.pages(kind, first=size):
        found += [record["id"] for record in page["data"]]
        if size == 1 and len(found) == len(wanted):
            break

    assert found == wanted


def test_paging_backwards_meets_the_same_records(whop: Caller) -> None:
    forwards = [member["id"] for member in whop.every("members")]

    page, found = whop.read("/members", last=100), []
    found = [member["id"] for member in page["data"]]
    while page["page_info"]["has_previous_page"]:
        page = whop.read("/members", last=100, before=page["page_info"]["start_cursor"])
        assert page["data"]
        found = [member["id"] for member in page["data"]] + found

    assert found == forwards


def test_the_last_page_keeps_its_cursor(whop: Caller) -> None:
    *_, last = whop.pages("memberships", first=100)

    assert last["page_info"]["end_cursor"]
    assert last["page_info"]["has_next_page"] is False
    assert last["page_info"]["has_previous_page"] is True
    beyond = whop.read("/memberships", after=last["page_info"]["end_cursor"])
    assert beyond["data"] == []


def test_an_empty_list_looks_like_the_fixture(whop: Caller) -> None:
    page = whop.read("/memberships", member_id="mber_nobody")

    assert page == fixture("current/lists/memberships.empty.json")


def test_pages_hold_20_records_unless_asked_and_never_over_100(whop: Caller) -> None:
    assert len(whop.read("/members")["data"]) == 20
    assert len(whop.read("/members", first=5000)["data"]) == 100


@pytest.mark.parametrize(
    "order", ["created_at", "most_recent_action_at", "last_accessed_at", "usd_total_spent"]
)
@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_members_come_in_the_order_asked_for(whop: Caller, order: str, direction: str) -> None:
    def key(member: dict[str, Any]) -> Any:
        value = member[order]
        return float(value["amount"]) if isinstance(value, dict) else value or ""

    members = whop.every("members", order=order, direction=direction)

    keys = [key(member) for member in members]
    assert keys == sorted(keys, reverse=direction == "desc")
    assert len({member["id"] for member in members}) == 300


def test_a_cursor_survives_changes_between_pages(whop: Caller) -> None:
    whop = Caller(members=30)
    first = whop.read("/members", first=10)
    whop.turn("DELETE", f"/records/members/{first['data'][-1]['id']}")
    whop.turn("POST", "/records/members", {"display_name": "Newcomer"})

    second = whop.read("/members", first=10, after=first["page_info"]["end_cursor"])

    names = [member["id"] for member in first["data"] + second["data"]]
    assert len(set(names)) == 20
    assert second["page_info"]["has_previous_page"] is True


@pytest.mark.parametrize("cursor", ["zzz", "WzFd", "bm90IGpzb24=", "", "null"])
@pytest.mark.parametrize("name", ["after", "before"])
def test_a_foreign_cursor_is_the_400_of_the_fixture(whop: Caller, cursor: str, name: str) -> None:
    answer = whop.ask("/members", **{name: cursor})

    assert answer.status_code == 400
    body = fixture("errors/400.bad-cursor.json")["body"]["error"]
    assert answer.get_json()["error"] == {**body, "message": f"{name} is not a valid cursor.", "param": name}


def test_a_cursor_of_another_list_or_order_is_refused(whop: Caller) -> None:
    cursor = whop.read("/members", first=1)["page_info"]["end_cursor"]

    assert whop.ask("/memberships", after=cursor).status_code == 400
    assert whop.ask("/members", after=cursor, order="usd_total_spent").status_code == 400


@pytest.mark.parametrize(
    ("kind", "query"),
    [
        ("members", {"first": 0}),
        ("members", {"first": "ten"}),
        ("members", {"first": 1, "last": 1}),
        ("members", {"order": "name"}),
        ("members", {"direction": "up"}),
        ("members", {"created_after": "yesterday"}),
        ("members", {"updated_after": "2026-01-01"}),
        ("memberships", {"statuses": "drafted"}),
        ("memberships", {"order": "status"}),
        ("payments", {"statuses": "paid"}),
        ("accounts", {"account_id": "biz_1"}),
    ],
)
def test_parameters_that_are_not_understood_are_refused(
    whop: Caller, kind: str, query: dict[str, Any]
) -> None:
    answer = whop.ask(f"/{kind}", **query)

    assert answer.status_code == 400
    assert answer.get_json()["error"]["param"] in query


def test_company_id_and_a_bad_status_are_answered_as_in_the_fixtures(whop: Caller) -> None:
    assert whop.ask("/refunds", company_id="biz_1").get_json() == fixture("errors/400.bad-param.json")["body"]
    assert whop.ask("/payments", status="drafted").get_json() == fixture("errors/400.bad-status.json")["body"]


def test_repeated_user_ids_fetch_those_members(whop: Caller) -> None:
    wanted = [member for member in whop.every("members") if member["user"]][5:60:7]

    found = whop.read("/members", user_ids=[member["user"]["id"] for member in wanted], first=100)

    assert found["data"] == wanted


@pytest.mark.parametrize(
    ("status", "test"),
    [
        ("active", lambda m: m["status"] == "active" and not m["cancel_at_period_end"]),
        ("canceling", lambda m: m["cancel_at_period_end"]),
        ("paused", lambda m: m["most_recent_action"] == "paused_at"),
        ("one_time", lambda m: m["billing_period_days"] is None),
        ("unclaimed", lambda m: m["member_id"] is None),
        ("banned", lambda m: False),
    ],
)
def test_membership_buckets_are_not_statuses(whop: Caller, status: str, test: Any) -> None:
    wanted = [membership for membership in whop.every("memberships") if test(membership)]

    assert whop.every("memberships", status=status) == wanted


def test_memberships_and_payments_of_one_member_are_found(whop: Caller) -> None:
    held = [m for m in whop.every("memberships") if m["member_id"]]
    for member in {m["member_id"] for m in held[::40]}:
        assert whop.every("memberships", member_id=member) == [m for m in held if m["member_id"] == member]
        paid = [p for p in whop.every("payments") if p["member_id"] == member]
        assert whop.every("payments", member_id=member) == paid


def test_refunds_are_found_by_payment_and_by_user(whop: Caller) -> None:
    refunds = whop.every("refunds")
    payment = whop.read(f"/payments/{refunds[0]['payment_id']}")

    assert whop.every("refunds", payment_id=payment["id"]) == refunds[:1]
    assert refunds[0] in whop.every("refunds", user_id=payment["user"]["id"])


def test_created_bounds_cut_the_list_in_two(whop: Caller) -> None:
    members = whop.every("members")
    middle = members[100]["created_at"]

    assert whop.every("members", created_after=middle) == members[:100]
    assert whop.every("members", created_before=middle) == members[101:]
    older = whop.every("members", created_before=middle, order="usd_total_spent")
    assert {member["id"] for member in older} == {member["id"] for member in members[101:]}


@pytest.mark.parametrize(
    ("query", "test"),
    [
        ({"status": "left"}, lambda m: m["status"] == "left"),
        ({"access_level": "admin"}, lambda m: m["access_level"] == "admin"),
        (
            {"most_recent_actions": ["churned", "left"]},
            lambda m: m["most_recent_action"] in ("churned", "left"),
        ),
        ({"query": "bergstr"}, lambda m: "bergstr" in m["display_name"].lower()),
    ],
)
def test_members_are_filtered(whop: Caller, query: dict[str, Any], test: Any) -> None:
    members = whop.every("members")

    found = whop.every("members", **query)

    if "query" in query:  # usernames match as well
        assert {m["id"] for m in members if test(m)} <= {m["id"] for m in found}
    else:
        assert found == [member for member in members if test(member)]


def test_members_are_found_by_what_they_hold(whop: Caller) -> None:
    plan = whop.every("plans")[0]["id"]
    holders = {m["member_id"] for m in whop.every("memberships", plan_id=plan)} - {None}

    assert {member["id"] for member in whop.every("members", plan_ids=plan)} == holders
    both = len(whop.every("members", membership_status="active"))
    assert both + len(whop.every("members", membership_status="inactive")) == 300


def test_a_company_of_100_000_starts_and_pages_quickly() -> None:
    whop = Caller(members=100_000, limited=False)
    everything = whop.app.extensions["whop"].world.home.tables

    page = whop.read("/memberships", first=100)
    deep = whop.read("/members", first=100, direction="asc")

    assert len(everything["memberships"].order("created_at")) == 124_000
    assert len({record["id"] for record in page["data"] + deep["data"]}) == 200
