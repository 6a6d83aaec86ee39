"""Do both sides agree, field by field? An auditor of its own for the demo and the benches.

It reads both services over HTTP and compares them by rules written here in plain Python. It uses neither
the mapping files nor the store nor the adapters' translations: an auditor that shared them would agree
with their mistakes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

Json = Mapping[str, Any]
_PATIENCE = 60  # seconds, about


class Session(Protocol):
    """What is needed of a session bound to one service."""

    def request(self, method: str, path: str, *, json: Any = None, params: Any = None) -> Any: ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """Kind → how many records of the source have their counterpart; and every difference in words."""

    compared: dict[str, int]
    in_crm: dict[str, int]
    differences: list[str]


def whop_records(session: Session, kind: str, company_id: str) -> list[Json]:
    """Every record of a kind, page by page; the request limit is waited out."""
    records: list[Json] = []
    params: dict[str, Any] = {"first": 100, "account_id": company_id}
    while True:
        for _ in range(_PATIENCE):
            page = session.request("GET", f"/{kind}", params=params).json()
            if "data" in page:
                break
            time.sleep(1)
        records += page["data"]
        if not page["page_info"]["has_next_page"]:
            return records
        params["after"] = page["page_info"]["end_cursor"]


def crm_rows(session: Session, plural: str, selection: str) -> list[Json]:
    """Every living row of an object."""
    rows: list[Json] = []
    after = ""
    while True:
        wanted = f"pageInfo{{hasNextPage endCursor}}edges{{node{{{selection}}}}}"
        query = f"query{{{plural}(first:1000{after}){{{wanted}}}}}"
        found = _answered(session, query)[plural]
        rows += [edge["node"] for edge in found["edges"]]
        if not found["pageInfo"]["hasNextPage"]:
            return rows
        after = f',after:"{found["pageInfo"]["endCursor"]}"'


def _answered(session: Session, query: str) -> Json:
    """The data; the request limit, which a sync has just used up, is waited out."""
    for _ in range(_PATIENCE):
        answer = session.request("POST", "/graphql", json={"query": query}).json()
        if "errors" not in answer:
            break
        time.sleep(1)
    data: Json = answer["data"]
    return data


PEOPLE = (
    "id whopUserId whopMemberId whopUsername whopProfilePicUrl whopCreatedAt whopSyncedAt "
    "name{firstName lastName} emails{primaryEmail} phones{primaryPhoneNumber primaryPhoneCallingCode}"
)
PRODUCTS = "id whopId name description visibility whopCreatedAt syncedAt"
OPPORTUNITIES = (
    "id name whopMembershipId whopMembershipStatus whopPlanId whopRenewalDate whopCancelAtPeriodEnd "
    "stage amount{amountMicros currencyCode} pointOfContactId whopProductId whopLastPaymentDate "
    "whopTotalPaid{amountMicros currencyCode} whopRefunded{amountMicros currencyCode} whopFailedPayments"
)


def audit(whop: Session, crm: Session, company_id: str, *, set_aside: Callable[[str], bool]) -> Verdict:
    """Compare every product, member and membership with its CRM row.

    ``set_aside`` says whether the sync log told the admin about this source id (skipped for review,
    failed): such a record is not compared, and what points at it may stand without it.
    """
    products = whop_records(whop, "products", company_id)
    members = whop_records(whop, "members", company_id)
    memberships = [one for one in whop_records(whop, "memberships", company_id) if one["status"] != "drafted"]
    people = crm_rows(crm, "people", PEOPLE)
    rows = crm_rows(crm, "whopProducts", PRODUCTS)
    deals = crm_rows(crm, "opportunities", OPPORTUNITIES)
    by_member = {row["whopMemberId"]: row for row in people if row["whopMemberId"]}
    by_product = {row["whopId"]: row for row in rows}
    by_membership = {row["whopMembershipId"]: row for row in deals if row["whopMembershipId"]}

    payments: dict[str, list[Json]] = {}
    for payment in whop_records(whop, "payments", company_id):
        payments.setdefault(payment["membership_id"] or "", []).append(payment)

    def expected_deal(one: Json) -> Json:
        return _opportunity(one, by_member, by_product) | _paid(payments.get(one["id"], ()))

    parts = (
        ("product", products, by_product, _product),
        ("member", members, by_member, _person),
        ("membership", memberships, by_membership, expected_deal),
    )
    compared: dict[str, int] = {}
    differences: list[str] = []
    for kind, records, index, expect in parts:
        wanted = [one for one in records if not set_aside(one["id"])]
        differences += _differences(kind, wanted, index, expect)
        compared[kind] = len(wanted)
    differences += _strangers(by_member, by_membership, by_product, members, memberships, products)
    in_crm = {"product": len(rows), "member": len(by_member), "membership": len(by_membership)}
    return Verdict(compared, in_crm, differences)


def _differences(
    kind: str, records: Sequence[Json], index: Mapping[str, Json], expect: Callable[[Json], Json]
) -> Iterator[str]:
    for record in records:
        row = index.get(record["id"])
        if row is None:
            yield f"{kind} {record['id']} is not in the CRM"
            continue
        for field, value in expect(record).items():
            found = _read(row, field)
            if found != value:
                yield f"{kind} {record['id']} {field}: Whop says {value!r}, the CRM has {found!r}"


def _strangers(
    by_member: Mapping[str, Json],
    by_membership: Mapping[str, Json],
    by_product: Mapping[str, Json],
    members: Sequence[Json],
    memberships: Sequence[Json],
    products: Sequence[Json],
) -> Iterator[str]:
    """Rows of ours without a record on Whop: something was written that should not be."""
    for index, records in ((by_member, members), (by_membership, memberships), (by_product, products)):
        for id_ in set(index) - {one["id"] for one in records}:
            yield f"the CRM has {id_}, Whop does not"


def _read(row: Json, path: str) -> Any:
    if path == "phone":  # stored in two parts, told by Whop as one
        number = row["phones"]["primaryPhoneNumber"]
        return f"{row['phones']['primaryPhoneCallingCode']}{number}" if number else None
    value: Any = row
    for part in path.split("."):
        value = value.get(part) if value else None
    return value if value != "" else None


def _text(value: str | None) -> str | None:
    return (value or "").replace("\x00", "") or None


def _person(one: Json) -> dict[str, Any]:
    user = one["user"] or {}
    words = _text(user.get("name")) or _text(one["display_name"]) or ""
    first, _, last = " ".join(words.split()).partition(" ")
    return {
        "whopUserId": user.get("id"),
        "whopMemberId": one["id"],
        "whopUsername": _text(user.get("username")),
        "whopProfilePicUrl": _text((user.get("profile_picture") or {}).get("url")),
        "whopCreatedAt": one["created_at"],
        "name.firstName": first or None,
        "name.lastName": last or None,
        "emails.primaryEmail": (one["email"] or "").strip().lower() or None,
        "phone": one["phone_number"],
    }


def _product(one: Json) -> dict[str, Any]:
    visibility = one["visibility"]
    return {
        "whopId": one["id"],
        "name": _text(one["title"].strip()) if one["title"] else None,
        "description": _text(one["description"]),
        "visibility": visibility.upper() if visibility else None,
        "whopCreatedAt": one["created_at"],
    }


_STATUS = {
    "trialing": "ACTIVE",
    "active": "ACTIVE",
    "completed": "ACTIVE",
    "canceling": "ACTIVE",
    "past_due": "PAYMENT_FAILED",
    "unresolved": "PAYMENT_FAILED",
    "canceled": "CANCELLED",
    "expired": "EXPIRED",
}


def _opportunity(one: Json, people: Mapping[str, Json], products: Mapping[str, Json]) -> dict[str, Any]:
    price = one["renewal_price"] or one["initial_price"]
    return {
        "whopMembershipStatus": _STATUS.get(one["status"]),
        "whopPlanId": one["plan_id"],
        "whopRenewalDate": one["current_period_end"],
        "whopCancelAtPeriodEnd": one["cancel_at_period_end"],
        "stage": {"trialing": "MEETING", "past_due": "PROPOSAL"}.get(one["status"], "CUSTOMER"),
        "amount.amountMicros": int(Decimal(price["amount"]) * 1_000_000),
        "amount.currencyCode": price["currency"].upper(),
        "pointOfContactId": (people.get(one["member_id"] or "") or {}).get("id"),
        "whopProductId": (products.get(one["product_id"]) or {}).get("id"),
    }


def _paid(payments: Sequence[Json]) -> dict[str, Any]:
    """What a membership's payments add up to, reckoned from what Whop lists."""
    paid = [one for one in payments if one["status"] == "paid" and Decimal(one["total"]["amount"])]
    last = max(paid, key=lambda one: str(one["paid_at"]), default=None)
    currency = last["total"]["currency"] if last else ""
    alike = [one for one in paid if one["total"]["currency"] == currency]

    def micros(field: str) -> int | None:
        amounts = (Decimal((one[field] or {"amount": 0})["amount"]) for one in alike)
        return int(sum(amounts, Decimal()) * 1_000_000) if alike else None

    return {
        "whopLastPaymentDate": last["paid_at"] if last else None,
        "whopTotalPaid.amountMicros": micros("total"),
        "whopTotalPaid.currencyCode": currency.upper() or None,
        "whopRefunded.amountMicros": micros("refunded_amount"),
        "whopFailedPayments": sum(one["payments_failed"] for one in payments),
    }
