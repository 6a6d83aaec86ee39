"""The minimal loop: what a hand-written script needs to copy the same records the same way.

``python -m connector.cli.bench.minimal SPEC`` reads members and memberships page by page with plain
``requests`` calls, builds each row with a dict literal, and posts full batches. It keeps nothing, compares
nothing and forgives nothing. It prints its own CPU seconds as JSON. It is a process of its own, so that
only its own work is counted.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import requests

_BATCH = 200
_STAGE = {"trialing": "MEETING", "past_due": "PROPOSAL"}
_STATUS = {"canceled": "CANCELLED", "expired": "EXPIRED", "past_due": "PAYMENT_FAILED"}


def main(spec: dict[str, Any]) -> None:
    """Copy, then print records and CPU seconds."""
    http = requests.Session()
    started = time.process_time()
    copied = sum(
        _copy(http, spec, kind, plural, make)
        for kind, plural, make in (
            ("members", "people", _person),
            ("memberships", "opportunities", _opportunity),
        )
    )
    cpu = time.process_time() - started
    sys.stdout.write(json.dumps({"records": copied, "cpu_seconds": cpu}))


def _copy(
    http: requests.Session,
    spec: dict[str, Any],
    kind: str,
    plural: str,
    make: Callable[[dict[str, Any]], dict[str, Any]],
) -> int:
    type_ = {"people": "Person", "opportunities": "Opportunity"}[plural]
    name = f"create{plural.capitalize()}"
    query = f"mutation($data:[{type_}CreateInput!]!){{{name}(data:$data){{id createdAt updatedAt}}}}"
    rows: list[dict[str, Any]] = []
    copied = 0
    for record in _records(http, spec, kind):
        rows.append(make(record))
        if len(rows) == _BATCH:
            copied += _post(http, spec, query, rows)
            rows = []
    return copied + (_post(http, spec, query, rows) if rows else 0)


def _records(http: requests.Session, spec: dict[str, Any], kind: str) -> Iterator[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {spec['whop_key']}", "Api-Version-Date": "2026-10-15-1"}
    fields = {"first": "100", "account_id": spec["company"]}
    while True:
        url = f"{spec['whop']}/api/v1/{kind}"
        page = http.get(url, params=fields, headers=headers, timeout=30).json()
        yield from page["data"]
        if not page["page_info"]["has_next_page"]:
            return
        fields["after"] = page["page_info"]["end_cursor"]


def _post(http: requests.Session, spec: dict[str, Any], query: str, rows: list[dict[str, Any]]) -> int:
    headers = {"Authorization": f"Bearer {spec['twenty_key']}"}
    body = {"query": query, "variables": {"data": rows}}
    answer = http.post(f"{spec['twenty']}/graphql", json=body, headers=headers, timeout=60).json()
    if "errors" in answer:
        raise SystemExit(f"the minimal loop was refused: {answer['errors'][0]['message']}")
    return len(rows)


def _person(one: dict[str, Any]) -> dict[str, Any]:
    user = one["user"] or {}
    first, _, last = (user.get("name") or one["display_name"] or "").partition(" ")
    return {
        "id": str(uuid.uuid4()),
        "name": {"firstName": first.replace("\0", ""), "lastName": last.replace("\0", "")},
        # No e-mail: two members may share one, and finding that out is no part of a minimal loop.
        "whopUserId": user.get("id"),
        "whopMemberId": one["id"],
        "whopUsername": user.get("username"),
        "whopProfilePicUrl": (user.get("profile_picture") or {}).get("url"),
        "whopCreatedAt": one["created_at"],
    }


def _opportunity(one: dict[str, Any]) -> dict[str, Any]:
    price = one["renewal_price"] or one["initial_price"]
    micros = int(Decimal(price["amount"]) * 1_000_000)
    return {
        "id": str(uuid.uuid4()),
        "name": one["product"]["title"].replace("\0", ""),
        "whopMembershipId": one["id"],
        "whopMembershipStatus": _STATUS.get(one["status"], "ACTIVE"),
        "whopPlanId": one["plan_id"],
        "whopRenewalDate": one["current_period_end"],
        "whopCancelAtPeriodEnd": one["cancel_at_period_end"],
        "stage": _STAGE.get(one["status"], "CUSTOMER"),
        "amount": {"amountMicros": micros, "currencyCode": price["currency"].upper()},
    }


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
