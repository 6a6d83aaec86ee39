"""Payments are kept once, the newest wins, and each connection has its own."""

from __future__ import annotations

from typing import Any

from connector.core.sales import Paid, Sale
from connector.store import sales
from connector.store.db import Database

from .builders import Home, a_home


def a_sale(id_: str = "pay_1", **changed: Any) -> Sale:
    values: dict[str, Any] = {
        "kind": "payment",
        "payment_id": id_,
        "membership_id": "mem_1",
        "status": "paid",
        "currency": "usd",
        "amount": "49.00",
        "refunded": "0.00",
        "failures": 0,
        "at": "2026-11-01T00:00:00.000Z",
        "updated_at": "2026-11-01T00:00:00.000Z",
        "fields": {"id": id_},
    }
    return Sale(id=id_, **{**values, **changed})


def keep(database: Database, home: Home, *found: Sale) -> int:
    with database.transaction() as session:
        return sales.keep(session, home.workspace_id, home.connection_id, found)


def paid(database: Database, home: Home, *ids: str) -> dict[str, list[Paid]]:
    with database.reading() as session:
        return sales.paid(session, home.workspace_id, home.connection_id, ids)


def test_a_payment_seen_three_times_counts_once(database: Database) -> None:
    home = a_home(database)
    for _ in range(3):
        keep(database, home, a_sale())

    assert [one.amount for one in paid(database, home, "mem_1")["mem_1"]] == ["49.00"]


def test_an_older_reading_does_not_replace_a_newer_one(database: Database) -> None:
    home = a_home(database)
    keep(database, home, a_sale(refunded="49.00", updated_at="2026-11-05T00:00:00.000Z"))

    keep(database, home, a_sale(refunded="0.00", updated_at="2026-11-04T00:00:00.000Z"))

    assert paid(database, home, "mem_1")["mem_1"][0].refunded == "49.00"


def test_what_says_the_same_changes_nothing(database: Database) -> None:
    home = a_home(database)
    keep(database, home, a_sale(fields={}))

    assert keep(database, home, a_sale(fields={}), a_sale(fields={}, updated_at=None)) == 1
    assert keep(database, home, a_sale(fields={}, membership_id=None)) == 1
    assert keep(database, home, a_sale(fields={}, membership_id=None)) == 0


def test_a_whole_record_replaces_the_sums_of_it_and_they_do_not_replace_it(database: Database) -> None:
    home = a_home(database)
    keep(database, home, a_sale(fields={}))

    assert keep(database, home, a_sale(fields={"id": "pay_1"})) == 1
    assert keep(database, home, a_sale(fields={})) == 0


def test_only_payments_of_the_memberships_asked_for_count(database: Database) -> None:
    home = a_home(database)
    other = a_sale("pay_2", membership_id="mem_2")
    refund = a_sale("rf_1", kind="refund", payment_id="pay_1", membership_id=None)
    keep(database, home, a_sale(), other, refund, a_sale("pay_3", membership_id=None))

    assert {of: len(found) for of, found in paid(database, home, "mem_1", "mem_9").items()} == {"mem_1": 1}


def test_two_connections_have_payments_of_their_own(database: Database) -> None:
    one, two = a_home(database), a_home(database)
    keep(database, one, a_sale())

    assert paid(database, two, "mem_1") == {}
    assert keep(database, two, a_sale(amount="1.00")) == 1
    assert paid(database, one, "mem_1")["mem_1"][0].amount == "49.00"


def test_a_payment_tells_its_membership(database: Database) -> None:
    home = a_home(database)
    keep(database, home, a_sale(), a_sale("pay_2", membership_id=None))

    with database.reading() as session:
        found = sales.memberships_of(session, home.workspace_id, home.connection_id, ["pay_1", "pay_2", "x"])

    assert found == {"pay_1": "mem_1"}
