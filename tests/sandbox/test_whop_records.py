"""The invented records: their shape is the reference's, their people are awkward."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import phonenumbers
import pytest
from whop_caller import KINDS, Caller, fixture

SCHEMAS = fixture("schemas.json")["schemas"]
SINGLE = {kind: kind[:-1].capitalize() for kind in KINDS}
LISTED = {**SINGLE, "products": "ProductListItem", "plans": "PlanListItem"}
EXAMPLES = {
    "accounts": "current/accounts/me.json",
    "products": "current/products/signals.json",
    "plans": "current/plans/annual.json",
    "members": "current/members/ada.json",
    "memberships": "current/memberships/ada-monthly.json",
    "payments": "current/payments/noor-kw90.json",
    "refunds": "current/refunds/max-full.json",
    "disputes": "current/disputes/ada-open.json",
}
TYPES = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
}


@pytest.fixture(scope="module")
def whop() -> Caller:
    return Caller(limited=False)


@pytest.fixture(scope="module")
def members(whop: Caller) -> list[dict[str, Any]]:
    return whop.every("members")


@pytest.fixture(scope="module")
def memberships(whop: Caller) -> list[dict[str, Any]]:
    return whop.every("memberships")


def faults(value: Any, schema: dict[str, Any], where: str = "") -> Iterator[str]:
    """What is wrong with a value by a schema of the subset."""
    if "$ref" in schema:
        yield from faults(value, SCHEMAS[schema["$ref"].rpartition("/")[2]], where)
    elif "anyOf" in schema:
        choices = [list(faults(value, choice, where)) for choice in schema["anyOf"]]
        if all(choices):
            yield from choices[0]
    elif not right_type(value, schema.get("type")):
        yield f"{where}: {value!r} is no {schema['type']}"
    elif "enum" in schema and value not in schema["enum"]:
        yield f"{where}: {value!r} is not in the enum"
    elif isinstance(value, dict):
        yield from faults_inside(value, schema, where)
    elif isinstance(value, list):
        for item in value:
            yield from faults(item, schema.get("items", {}), f"{where}[]")


def faults_inside(value: dict[str, Any], schema: dict[str, Any], where: str) -> Iterator[str]:
    known = schema.get("properties")
    if known is None:
        return
    for missing in set(schema.get("required", ())) - value.keys():
        yield f"{where}: {missing} is missing"
    for name, inner in value.items():
        if name not in known:
            yield f"{where}: {name} is unknown"
        else:
            yield from faults(inner, known[name], f"{where}.{name}")


def right_type(value: Any, wanted: Any) -> bool:
    allowed = [wanted] if isinstance(wanted, str) else wanted
    if allowed is None:
        return True
    if isinstance(value, bool):
        return "boolean" in allowed
    return any(isinstance(value, TYPES[name]) for name in allowed)


@pytest.mark.parametrize("kind", KINDS)
def test_every_listed_record_follows_the_reference_schema(whop: Caller, kind: str) -> None:
    schema = SCHEMAS[LISTED[kind]]

    wrong = {fault for record in whop.every(kind) for fault in faults(record, schema, kind)}

    assert wrong == set()


@pytest.mark.parametrize("kind", KINDS)
def test_single_records_have_the_keys_of_the_fixtures(whop: Caller, kind: str) -> None:
    listed = whop.every(kind)[:20]

    for record in listed:
        single = whop.read(f"/{kind}/{record['id']}")

        assert single.keys() == fixture(EXAMPLES[kind]).keys()
        assert not list(faults(single, SCHEMAS[SINGLE[kind]], kind))


def test_list_items_have_the_keys_of_the_fixtures(whop: Caller) -> None:
    for kind in KINDS:
        name = "only" if kind == "accounts" else "first"
        example = fixture(f"current/lists/{kind}.{name}.json")

        page = whop.read(f"/{kind}", first=1)

        assert page["data"][0].keys() == example["data"][0].keys()
        assert page["page_info"].keys() == example["page_info"].keys()


def test_products_in_lists_lack_the_fields_of_single_ones(whop: Caller) -> None:
    listed = whop.read("/products", first=1)["data"][0]

    assert listed.keys() == SCHEMAS["ProductListItem"]["properties"].keys()


def test_a_user_profile_follows_the_schema(whop: Caller, members: list[dict[str, Any]]) -> None:
    user = next(member["user"] for member in members if member["user"])

    profile = whop.read(f"/users/{user['id']}")

    assert profile.keys() == fixture("current/users/ada.json").keys()
    assert not list(faults(profile, SCHEMAS["User"], "user"))
    assert whop.read(f"/users/{user['username']}") == profile


AWKWARD = {
    "no e-mail": lambda m: m["email"] is None and m["user"] and m["user"]["name"],
    "no name": lambda m: (
        m["user"] and m["user"]["name"] is None and m["display_name"] == m["user"]["username"]
    ),
    "neither": lambda m: m["user"] and m["user"]["name"] is None and m["email"] is None,
    "mixed-case e-mail": lambda m: m["email"] and m["email"] not in (m["email"].lower(), m["email"].upper()),
    "e-mail in capitals": lambda m: m["email"] and m["email"].isupper(),
    "letters outside ASCII in the e-mail": lambda m: m["email"] and not m["email"].isascii(),
    "business": lambda m: m["user"] is None and "GmbH" in m["display_name"] and m["email"] is None,
    "deleted": lambda m: m["user"] is None and m["display_name"] == "Deleted User" and m["status"] == "left",
    "left": lambda m: m["user"] and m["status"] == "left" and m["access_level"] == "no_access",
    "emoji": lambda m: "🚀" in m["display_name"],
    "Arabic": lambda m: "\u0600" <= m["display_name"][0] <= "\u06ff",
    "Hebrew": lambda m: "\u0590" <= m["display_name"][0] <= "\u05ff",
    "Japanese or Chinese": lambda m: "\u4e00" <= m["display_name"][0] <= "\u9fff",
    "Korean": lambda m: "\uac00" <= m["display_name"][0] <= "\ud7af",
    "HTML": lambda m: m["display_name"].startswith("<b>") and '"' in m["display_name"],
    "script": lambda m: m["display_name"].startswith("<script>"),
    "SQL": lambda m: "DROP TABLE" in m["display_name"],
    "NUL": lambda m: "\x00" in m["display_name"],
    "very long": lambda m: len(m["display_name"]) > 250,
    "padded": lambda m: m["display_name"] != m["display_name"].strip() and m["display_name"].strip(),
    "only spaces": lambda m: m["display_name"].isspace(),
    "line break": lambda m: "\n" in m["display_name"],
    "bidi override": lambda m: "\u202e" in m["display_name"],
    "phone without e-mail": lambda m: m["phone_number"] and m["email"] is None,
    "admin": lambda m: m["access_level"] == "admin",
    "never seen": lambda m: m["user"] and m["last_accessed_at"] is None,
}


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_people_are_among_500_members(members: list[dict[str, Any]], name: str) -> None:
    assert any(AWKWARD[name](member) for member in members)


def test_two_members_share_an_email_and_two_differ_in_case_only(members: list[dict[str, Any]]) -> None:
    emails = [member["email"] for member in members if member["email"]]

    assert len(set(emails)) < len(emails)
    assert len({email.lower() for email in emails}) < len(set(emails))


def test_every_phone_number_is_valid_and_several_countries_occur(members: list[dict[str, Any]]) -> None:
    numbers = [phonenumbers.parse(m["phone_number"]) for m in members if m["phone_number"]]

    assert all(phonenumbers.is_valid_number(number) for number in numbers)
    assert len({number.country_code for number in numbers}) > 8


def test_every_membership_status_occurs(memberships: list[dict[str, Any]]) -> None:
    found = {membership["status"] for membership in memberships}

    assert found == set(SCHEMAS["Membership"]["properties"]["status"]["enum"])


MEMBERSHIPS = {
    "unclaimed": lambda m: m["member_id"] is None and m["user_id"] is None,
    "business buyer": lambda m: m["member_id"] and m["user_id"] is None,
    "lifetime": lambda m: m["current_period_end"] is None and m["renewal_price"] is None,
    "fixed term": lambda m: m["expires_at"] is not None,
    "yen": lambda m: m["renewal_price"] and m["renewal_price"]["amount"] == "4400",
    "dinar": lambda m: m["initial_price"]["amount"] == "25.000",
    "free": lambda m: m["initial_price"]["amount"] == "0.00" and not m["billing_period_days"],
    "long reason": lambda m: len(m["cancellation_reason"] or "") == 10_000,
    "NUL in the reason": lambda m: "\x00" in (m["cancellation_reason"] or ""),
    "script in the reason": lambda m: "<script>" in (m["cancellation_reason"] or ""),
    "paused": lambda m: m["most_recent_action"] == "paused_at" and m["status"] == "active",
    "leaving": lambda m: m["status"] == "canceling" and m["cancel_at_period_end"],
    "script in the product": lambda m: "<script>" in m["product"]["title"],
}


@pytest.mark.parametrize("name", MEMBERSHIPS)
def test_awkward_memberships_are_among_620(memberships: list[dict[str, Any]], name: str) -> None:
    assert any(MEMBERSHIPS[name](membership) for membership in memberships)


def test_products_are_awkward_too(whop: Caller) -> None:
    products = whop.every("products")

    assert any(product["visibility"] == "archived" for product in products)
    assert any("<script>" in product["title"] for product in products)
    assert any(len(product["description"] or "") == 10_000 for product in products)
    assert any(plan["title"] is None for plan in whop.every("plans"))


def test_memberships_agree_with_members_plans_and_products(
    whop: Caller, members: list[dict[str, Any]], memberships: list[dict[str, Any]]
) -> None:
    by_id = {member["id"]: member for member in members}
    titles = {product["id"]: product["title"] for product in whop.every("products")}
    sold = {plan["id"]: plan["product"]["id"] for plan in whop.every("plans")}

    for membership in memberships:
        member = by_id.get(membership["member_id"])
        assert (member is None) == (membership["member_id"] is None)
        assert membership["user_id"] == ((member or {}).get("user") or {}).get("id")
        assert membership["product"]["title"] == titles[membership["product_id"]]
        assert sold[membership["plan_id"]] == membership["product_id"]
        if member:
            assert membership["created_at"][:19] >= member["created_at"][:19]


def test_some_members_have_several_memberships(memberships: list[dict[str, Any]]) -> None:
    owners = [membership["member_id"] for membership in memberships if membership["member_id"]]

    assert len(owners) > len(set(owners)) > 400


def test_members_access_follows_from_their_memberships(
    members: list[dict[str, Any]], memberships: list[dict[str, Any]]
) -> None:
    opening = ("active", "trialing", "past_due", "completed", "canceling")
    inside = {held["member_id"] for held in memberships if held["status"] in opening}

    for member in members:
        if member["access_level"] != "admin":
            assert (member["access_level"] == "customer") == (member["id"] in inside)


def test_no_time_but_the_announced_ones_lies_in_the_future(
    members: list[dict[str, Any]], memberships: list[dict[str, Any]]
) -> None:
    now = "2026-11-20T12:00:00.000Z"

    for member in members:
        assert member["created_at"] <= member["most_recent_action_at"] <= now
        assert (member["last_accessed_at"] or now) <= now
    for held in memberships:
        assert held["created_at"] <= held["updated_at"] <= now
        assert (held["canceled_at"] or now) <= now


def test_spending_is_the_sum_of_the_paid_payments(whop: Caller, members: list[dict[str, Any]]) -> None:
    paid: dict[str, Decimal] = {}
    for payment in whop.every("payments"):
        if payment["status"] == "paid":
            worth = Decimal(payment["usd_total"]["amount"])
            paid[payment["member_id"]] = paid.get(payment["member_id"], Decimal(0)) + worth

    for member in members:
        total = Decimal(member["usd_total_spent"]["amount"])
        assert abs(total - paid.get(member["id"], Decimal(0))) <= Decimal("0.15")


def test_payments_agree_with_memberships_and_refunds(whop: Caller, memberships: list[dict[str, Any]]) -> None:
    held = {membership["id"]: membership for membership in memberships}
    payments = {payment["id"]: payment for payment in whop.every("payments")}

    for payment in payments.values():
        assert payment["member_id"] == held[payment["membership_id"]]["member_id"]
        parts = Decimal(payment["subtotal"]["amount"]) + Decimal(
            (payment["tax_amount"] or {"amount": 0})["amount"]
        )
        assert parts == Decimal(payment["total"]["amount"])
    for refund in whop.every("refunds"):
        back = payments[refund["payment_id"]]["refunded_amount"]
        done = refund["status"] == "succeeded"
        assert (back == refund["original_amount"]) if done else Decimal(back["amount"]) == 0


def test_a_past_due_membership_has_an_open_payment(whop: Caller, memberships: list[dict[str, Any]]) -> None:
    late = {held["id"] for held in memberships if held["status"] == "past_due"}

    unpaid = whop.every("payments", status="open")

    assert {payment["membership_id"] for payment in unpaid} == late
    assert all(payment["next_payment_attempt_at"] and not payment["paid_at"] for payment in unpaid)


def test_disputes_name_their_buyer_and_payment(whop: Caller) -> None:
    for dispute in whop.every("disputes"):
        payment = whop.read(f"/payments/{dispute['payment']['id']}")

        assert dispute["buyer"]["member_id"] == payment["member_id"]
        assert dispute["amount"] == float(payment["total"]["amount"])


def test_the_same_seed_gives_the_same_bytes(whop: Caller) -> None:
    twin, other = Caller(limited=False), Caller(limited=False, seed=2)

    for kind in KINDS:
        mine = whop.ask(f"/{kind}", first=100).data
        assert twin.ask(f"/{kind}", first=100).data == mine
        assert other.ask(f"/{kind}", first=100).data != mine


@pytest.mark.parametrize(
    ("members", "memberships", "products"), [(1, 1, 1), (3, 20, 2), (40, 10, 9), (0, 0, 1)]
)
def test_small_companies_hold_together(members: int, memberships: int, products: int) -> None:
    whop = Caller(members=members, memberships=memberships, products=products)

    counts = [len(whop.every(kind)) for kind in ("members", "memberships", "products")]

    assert counts == [members, memberships, products]
    for kind in KINDS:
        assert not [fault for one in whop.every(kind) for fault in faults(one, SCHEMAS[LISTED[kind]])]


def test_sizes_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="products: expected 1 or more"):
        Caller(products=0)
