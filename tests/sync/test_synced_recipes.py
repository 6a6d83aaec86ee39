"""The recipes, synced: what they promise stands in the CRM, and a second sync finds nothing to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from connector.core.outcomes import Result, sum_of
from tests.sync.scene import NOWHERE, Scene, Service, built, environment

Cook = Callable[..., Scene]


@pytest.fixture
def cook(database_url: str, whop: Service, twenty: Service) -> Iterator[Cook]:
    """A connected company of an operator who has switched these recipes on."""
    with ExitStack() as stack:

        def cooked(*recipes: str) -> Scene:
            env = environment(database_url, whop.url, NOWHERE, MAPPING_RECIPES=",".join(recipes))
            return Scene(whop, twenty, stack.enter_context(closing(built(env)))).connect()

        yield cooked


def test_plans_and_payments_become_records_tied_to_theirs(cook: Cook) -> None:
    scene = cook("plans", "payments")

    assert scene.sync().status == "success"

    plans, payments = scene.rows("whopPlans"), scene.rows("whopPayments")
    assert {row["whopId"] for row in plans} == {one["id"] for one in scene.records("plans")}
    assert {row["whopId"] for row in payments} == {one["id"] for one in scene.records("payments")}
    deals = {row["id"]: row["whopMembershipId"] for row in scene.rows("opportunities")}
    memberships = {one["id"]: one["membership_id"] for one in scene.records("payments")}
    tied = [row for row in payments if row["whopMembershipId"]]
    assert tied
    assert all(deals[row["whopMembershipId"]] == memberships[row["whopId"]] for row in tied)
    again = scene.sync()
    assert [sum_of(again.counts, of) for of in (Result.CREATED, Result.UPDATED, Result.FAILED)] == [0, 0, 0]


def test_business_buyers_become_companies_with_their_opportunities(cook: Cook) -> None:
    scene = cook("business-buyers")
    businesses = {one["id"] for one in scene.records("members") if one["user"] is None}

    assert scene.sync().status == "success"

    companies = {row["whopMemberId"]: row for row in scene.rows("companies") if row["whopMemberId"]}
    assert companies.keys() == businesses
    bought = {one["id"]: one["member_id"] for one in scene.records("memberships")}
    deals = scene.rows("opportunities")
    assert deals
    assert all(row["companyId"] == companies[bought[row["whopMembershipId"]]]["id"] for row in deals)
