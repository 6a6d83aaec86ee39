"""The pages of automations: off until somebody ticks plans, what each needs, and what they did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from desk import HOSTILE, Desk, desk
from entering import NOON, send

from connector.core.records import iso
from connector.store import acts, automations
from connector.store.acts import Act, ActFilter, NewAct

NAME = "one_time_purchases"


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def console(database_url: str) -> Iterator[Desk]:
    with desk(database_url) as opened:
        yield opened


def an_act(console: Desk, *, state: str = "waiting", payment: str = "pay_1") -> Act:
    """One that an event set off."""
    ids = (console.workspace.id, console.connection.id)
    new = NewAct(
        *ids, NAME, 0, "payment", payment, None, iso(NOON), {}, NOON, [(iso(NOON), HOSTILE)], "mem_1"
    )
    with console.door.parts.database.transaction() as session:
        acts.add(session, [new], NOON)
        (one,) = [each for each in acts.page(session, ids[0], ActFilter()).items if each.source_id == payment]
        acts.claim(session, one, owner="w", now=NOON, until=NOON)
        error = {"code": "act_scope", "message": "Whop does not let us.", "remedy": "Give it."}
        if state != "waiting":
            acts.keep(
                session,
                one,
                {"state": state, "error": error, "outcome": HOSTILE, "ended_at": NOON},
                owner="w",
            )
        return replace(one, state=state)  # type: ignore[arg-type]


def for_pictures(console: Desk) -> dict[str, str]:
    """What a look at the pages needs."""
    failed = an_act(console, state="failed")
    return {"automations": "/automations", "act": f"/automations/acts/{failed.id}"}


def test_everything_is_off_and_says_what_it_would_do_and_needs(console: Desk) -> None:
    page = console.page("/automations")

    assert "One-time purchases" in page
    assert "membership:cancel" in page
    assert "Nothing was done yet" in page
    assert ">On<" not in page


def test_a_whop_that_does_not_answer_is_told_on_the_page(console: Desk) -> None:
    page = console.page(f"/connections/{console.connection.id}/automations/{NAME}")

    assert "5 seconds after a payment succeeded on one of the plans that you tick" in page
    assert "after 1 second, 2 seconds, 4 seconds" in page
    assert "after 10 seconds, 30 seconds, 1 minute" in page
    assert "Not looked at" in page


def test_what_needs_somebody_can_be_tried_again_or_settled(console: Desk) -> None:
    one = an_act(console, state="failed")

    page = console.page(f"/automations/acts/{one.id}")
    assert "Try again" in page
    assert "Done by hand" in page
    assert "Whop does not let us." in page
    assert HOSTILE not in page
    send(console.browser, f"/automations/acts/{one.id}/again")

    with console.door.parts.database.reading() as session:
        found = acts.get(session, console.workspace.id, one.id)
    assert found is not None
    assert (found.state, found.tries) == ("waiting", 0)
    assert "Done by hand" not in console.page(f"/automations/acts/{one.id}")


def test_one_that_does_not_wait_for_anybody_is_not_settled(console: Desk) -> None:
    one = an_act(console)
    send(console.browser, f"/automations/acts/{one.id}/done")

    assert "does not wait for you" in console.page(f"/automations/acts/{one.id}")


def test_the_log_is_filtered_by_state_and_leads_to_each(console: Desk) -> None:
    failed, waiting = an_act(console, state="failed"), an_act(console, payment="pay_2")

    page = console.page("/automations?state=failed")
    assert f"/automations/acts/{failed.id}" in page
    assert f"/automations/acts/{waiting.id}" not in page
    assert "1 needs you" in page


def test_it_is_switched_off_and_what_waits_is_dropped(console: Desk) -> None:
    an_act(console)
    with console.door.parts.database.transaction() as session:
        ids = (console.workspace.id, console.connection.id)
        automations.switch(session, *ids, NAME, since=NOON, plans={"plan_1": HOSTILE})
    assert "for 1 plan" in console.page("/automations")
    send(console.browser, f"/connections/{console.connection.id}/automations/{NAME}/off")

    page = console.page("/automations")
    assert "for 1 plan" not in page
    assert "1 action that waited will not be done" in page
    assert HOSTILE not in console.page(f"/connections/{console.connection.id}/automations/{NAME}")


@pytest.mark.parametrize("path", ["/automations/acts/999", f"/connections/none/automations/{NAME}"])
def test_what_is_not_there_is_not_found(console: Desk, path: str) -> None:
    console.page(path, 404)


def test_an_automation_without_a_file_is_not_found(console: Desk) -> None:
    console.page(f"/connections/{console.connection.id}/automations/no_such", 404)
