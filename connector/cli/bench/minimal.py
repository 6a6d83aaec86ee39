"""The minimal loop: what a hand-written script needs to copy the same records the same way.

``python -m connector.cli.bench.minimal SPEC`` reads products, members, payments and memberships page by page
with plain ``requests`` calls, builds each row with a dict literal of the same fields (what the payments add
up to is among them), and posts full batches. It keeps nothing, compares nothing and forgives nothing. It
prints its own CPU seconds as JSON. It is a process of its own, so that only its own work is counted.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import requests

Json = dict[str, Any]
_BATCH = 200
_STAGE = {"trialing": "MEETING", "past_due": "PROPOSAL"}
_STATUS = {"canceled": "CANCELLED", "expired": "EXPIRED", "past_due": "PAYMENT_FAILED"}


class Copy:
    """The whole job: products, members, what was paid, then memberships that point at them and tell it."""

    def __init__(self, spec: Json) -> None:
        self.spec = spec
        self.http = requests.Session()
        self.now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self.products: dict[str, str] = {}
        self.people: dict[str, str] = {}
        self.seen: set[str] = set()
        self.sums: dict[str, Json] = {}

    def run(self) -> int:
        """How many members and memberships were copied."""
        self.copy("products", "WhopProduct", "whopProducts", self.product)
        members = self.copy("members", "Person", "people", self.person)
        for payment in records(self.http, self.spec, "payments"):
            self.add_up(payment)
        return members + self.copy("memberships", "Opportunity", "opportunities", self.opportunity)

    def copy(self, kind: str, type_: str, plural: str, make: Callable[[Json], Json]) -> int:
        """Every record of a kind, in full batches."""
        name = f"create{plural[:1].upper()}{plural[1:]}"
        query = f"mutation($data:[{type_}CreateInput!]!){{{name}(data:$data){{id createdAt updatedAt}}}}"
        rows: list[Json] = []
        copied = 0
        for record in records(self.http, self.spec, kind):
            rows.append(make(record))
            if len(rows) == _BATCH:
                copied += _post(self.http, self.spec, query, rows)
                rows = []
        return copied + (_post(self.http, self.spec, query, rows) if rows else 0)

    def product(self, one: Json) -> Json:
        """A product's row."""
        self.products[one["id"]] = id_ = str(uuid.uuid4())
        return {
            "id": id_,
            "whopId": one["id"],
            "name": one["title"].replace("\0", ""),
            "description": (one["description"] or "").replace("\0", ""),
            "visibility": (one["visibility"] or "hidden").upper(),
            "whopCreatedAt": one["created_at"],
            "syncedAt": self.now,
        }

    def person(self, one: Json) -> Json:
        """A member's row; an e-mail that was seen is left out, for the CRM would refuse the batch."""
        self.people[one["id"]] = id_ = str(uuid.uuid4())
        user = one["user"] or {}
        first, _, last = (user.get("name") or one["display_name"] or "").partition(" ")
        email = (one["email"] or "").strip().lower()
        row = {
            "id": id_,
            "name": {"firstName": first.replace("\0", ""), "lastName": last.replace("\0", "")},
            "whopUserId": user.get("id"),
            "whopMemberId": one["id"],
            "whopUsername": user.get("username"),
            "whopProfilePicUrl": (user.get("profile_picture") or {}).get("url"),
            "whopCreatedAt": one["created_at"],
            "whopSyncedAt": self.now,
        }
        if email and email not in self.seen:
            self.seen.add(email)
            row["emails"] = {"primaryEmail": email}
        if one["phone_number"]:
            row["phones"] = {"primaryPhoneNumber": one["phone_number"]}
        return row

    def add_up(self, one: Json) -> None:
        """A payment, as its membership's row tells it: by currency, of which the latest counts."""
        sums = self.sums.setdefault(one["membership_id"], {"failed": 0, "at": None, "by": {}, "main": None})
        sums["failed"] += one["payments_failed"] or 0
        total = Decimal(one["total"]["amount"])
        if one["status"] != "paid" or not total:
            return
        currency = one["total"]["currency"].upper()
        back = Decimal(one["refunded_amount"]["amount"]) if one["refunded_amount"] else Decimal()
        paid, refunded = sums["by"].get(currency, (Decimal(), Decimal()))
        sums["by"][currency] = (paid + total, refunded + back)
        if sums["at"] is None or one["paid_at"] > sums["at"]:
            sums["at"], sums["main"] = one["paid_at"], currency

    def opportunity(self, one: Json) -> Json:
        """A membership's row, pointing at its person and product."""
        price = one["renewal_price"] or one["initial_price"]
        sums = self.sums.get(one["id"], {"failed": 0, "at": None, "by": {}, "main": None})
        paid, refunded = sums["by"].get(sums["main"], (None, None))
        return {
            "id": str(uuid.uuid4()),
            "name": one["product"]["title"].replace("\0", ""),
            "whopMembershipId": one["id"],
            "whopMembershipStatus": _STATUS.get(one["status"], "ACTIVE"),
            "whopPlanId": one["plan_id"],
            "whopRenewalDate": one["current_period_end"],
            "whopCancelAtPeriodEnd": one["cancel_at_period_end"],
            "whopLastPaymentDate": sums["at"],
            "whopTotalPaid": _micros(paid, sums["main"]),
            "whopRefunded": _micros(refunded, sums["main"]),
            "whopFailedPayments": sums["failed"],
            "stage": _STAGE.get(one["status"], "CUSTOMER"),
            "amount": _micros(Decimal(price["amount"]), price["currency"].upper()),
            "pointOfContactId": self.people.get(one["member_id"]),
            "whopProductId": self.products.get(one["product_id"]),
        }


def main(spec: Json) -> None:
    """Copy, then print records and CPU seconds."""
    started = time.process_time()
    copied = Copy(spec).run()
    cpu = time.process_time() - started
    sys.stdout.write(json.dumps({"records": copied, "cpu_seconds": cpu}))


def session() -> requests.Session:
    """What it speaks HTTP with."""
    return requests.Session()


def records(http: requests.Session, spec: Json, kind: str) -> Iterator[Json]:
    """Every record of a kind, as anybody would read them."""
    headers = {"Authorization": f"Bearer {spec['whop_key']}", "Api-Version-Date": "2026-10-15-1"}
    fields = {"first": "100", "account_id": spec["company"]}
    while True:
        url = f"{spec['whop']}/api/v1/{kind}"
        page = http.get(url, params=fields, headers=headers, timeout=30).json()
        yield from page["data"]
        if not page["page_info"]["has_next_page"]:
            return
        fields["after"] = page["page_info"]["end_cursor"]


def _micros(amount: Decimal | None, currency: str) -> Json | None:
    return None if amount is None else {"amountMicros": int(amount * 1_000_000), "currencyCode": currency}


def _post(http: requests.Session, spec: Json, query: str, rows: list[Json]) -> int:
    headers = {"Authorization": f"Bearer {spec['twenty_key']}"}
    body = {"query": query, "variables": {"data": rows}}
    answer = http.post(f"{spec['twenty']}/graphql", json=body, headers=headers, timeout=60).json()
    if "errors" in answer:
        raise SystemExit(f"the minimal loop was refused: {answer['errors'][0]['message']}")
    return len(rows)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
