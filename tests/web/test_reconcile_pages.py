"""The pages of comparisons: what they say, what they start, and the file that they give."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from desk import HOSTILE, Desk, desk
from entering import NOON, send

from connector.core.reconciling import Cause, Difference
from connector.core.records import Ref
from connector.store import differences, reconcile_plans, reconciliations, runs
from connector.store.reconciliations import NewReconciliation

COUNTS = {"opportunity": {"match": 1997, "differs": 2, "in_flight": 4, "left": 3, "no_source": 1}}
REF = Ref("whop", "membership", "mem_1")
FOUND = [
    Difference(REF, "opportunity", HOSTILE, Cause.DRIFT, "crm-1", "whopPlanId", "plan_1", "=HYPERLINK(1)"),
    Difference(REF._replace(id="mem_2"), "opportunity", "Ada", Cause.MISSING),
    Difference(REF._replace(id="mem_3"), "opportunity", "Kim", Cause.NO_SOURCE, "crm-3"),
]


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def console(database_url: str) -> Iterator[Desk]:
    with desk(database_url) as opened:
        yield opened


def a_report(console: Desk, found: list[Difference] = FOUND, counts: dict[str, Any] = COUNTS) -> str:
    new = NewReconciliation(
        "comparison-1", console.workspace.id, console.connection.id, "Every night", "c", NOON
    )
    with console.door.parts.database.transaction() as session:
        reconciliations.start(session, new)
        one = reconciliations.lease(session, new.id, owner="w", now=NOON, until=NOON)
        assert one is not None
        differences.add(session, console.workspace.id, one.number, found)
        reconciliations.save(session, one, owner="w", counts=counts)
        one = reconciliations.by_id(session, new.id)
        reconciliations.finish(session, one, owner="w", now=NOON)
    return new.id


def test_a_report_says_how_much_is_in_step_and_what_differs(console: Desk) -> None:
    page = console.page(f"/reconcile/{a_report(console)}")

    assert "99.89 % in step" in page
    assert "Repair 2 records" in page
    for words in ("Changed in Twenty", "Missing in Twenty", "Not on Whop any more", "Whop plan"):
        assert words in page
    assert HOSTILE not in page


def test_a_report_without_differences_says_so(console: Desk) -> None:
    page = console.page(f"/reconcile/{a_report(console, [], {'person': {'match': 7}})}")

    assert "100 % in step" in page
    assert "Nothing differs" in page
    assert "Repair" not in page


@pytest.mark.parametrize(
    ("query", "shown", "hidden"),
    [
        ("cause=missing", "mem_2", "mem_1"),
        ("field=whopPlanId", "mem_1", "mem_2"),
        ("object=person", "Nothing fits", "mem_1"),
    ],
)
def test_differences_are_filtered_by_the_address(console: Desk, query: str, shown: str, hidden: str) -> None:
    page = console.page(f"/reconcile/{a_report(console)}?{query}")

    assert shown in page
    assert hidden not in page


def test_the_file_holds_every_difference_and_no_formula(console: Desk) -> None:
    answer = console.browser.get(f"/reconcile/{a_report(console)}/differences.csv")

    lines = answer.text.splitlines()
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert len(lines) == 1 + len(FOUND)
    assert "'=HYPERLINK(1)" in answer.text


def test_the_list_shows_what_was_compared_and_when_next(console: Desk) -> None:
    a_report(console)
    plan = reconcile_plans.Plan(console.connection.id, console.workspace.id, 24, NOON)
    with console.door.parts.database.transaction() as session:
        reconcile_plans.add(session, plan)

    page = console.page("/reconcile")

    assert "99.89 %" in page
    assert "Every night" in page


def test_a_comparison_is_started_by_a_button(console: Desk) -> None:
    answer = send(console.browser, f"/connections/{console.connection.id}/reconcile")

    with console.door.parts.database.reading() as session:
        (one,) = reconciliations.page(session, console.workspace.id).items
    assert answer.location == f"/reconcile/{one.id}"
    assert one.why.startswith("Manually by ")


def test_a_comparison_is_cancelled_by_a_button_and_says_by_whom(console: Desk) -> None:
    send(console.browser, f"/connections/{console.connection.id}/reconcile")
    with console.door.parts.database.reading() as session:
        (one,) = reconciliations.page(session, console.workspace.id).items
    assert "Cancel" in console.page(f"/reconcile/{one.id}")

    send(console.browser, f"/reconcile/{one.id}/cancel")

    page = console.page(f"/reconcile/{one.id}")
    assert "Cancelled before it was through" in page
    assert "in step" not in page.split("What differs")[0].split("tiles")[0]
    send(console.browser, f"/reconcile/{one.id}/cancel")
    assert "has ended already" in console.page(f"/reconcile/{one.id}")


def test_how_often_is_changed_by_a_form(console: Desk) -> None:
    send(console.browser, f"/connections/{console.connection.id}/reconcile/plan", every="168")

    with console.door.parts.database.reading() as session:
        plan = reconcile_plans.get(session, console.workspace.id, console.connection.id)
    assert plan is not None
    assert plan.every_hours == 168


def test_a_repair_is_a_sync_of_just_these_records(console: Desk) -> None:
    id_ = a_report(console)

    answer = send(console.browser, f"/reconcile/{id_}/repair")

    run_id = answer.location.rpartition("/")[2]
    with console.door.parts.database.reading() as session:
        run = runs.get(session, console.workspace.id, run_id)
    assert (run.type, run.checkpoint) == ("repair", {"refs": {"membership": ["mem_1", "mem_2"]}})
    assert "see what it did" in console.page(f"/reconcile/{id_}")


def test_a_company_that_is_out_of_step_needs_somebody(console: Desk) -> None:
    assert "% in step" not in needs_of(console)
    id_ = a_report(console)

    assert "99.89 % in step" in needs_of(console)
    assert f"/reconcile/{id_}" in needs_of(console)


def test_a_company_that_is_in_step_needs_nobody(console: Desk) -> None:
    a_report(console, [], {"person": {"match": 7}})

    assert "% in step" not in console.page("/")


def needs_of(console: Desk) -> str:
    return console.page("/").partition("<h2")[2]
