"""What pages say of a sync that Twenty's limit slows down, or that waits for a service in trouble."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from desk import Desk, a_person, desk
from entering import NOON
from test_pages import text_of

from connector import budget
from connector.bootstrap import crm_openers
from connector.budget import Budgets, Standing, Terms
from connector.core.outcomes import Result
from connector.errors import TryLaterError
from connector.ports import Limit
from connector.store import runs
from connector.store.runs import Run
from connector.web import pace
from connector.web.progress import Progress

AT = {"done": [], "stage": "member:person", "cursor": "c"}
SHORT = Standing(per_minute=100, share=1.0, short=True)


@pytest.fixture
def here(sqlite_template: Any, tmp_path: Any, redis_url: str) -> Iterator[Desk]:
    copy = tmp_path / "connector.db"
    copy.write_bytes(sqlite_template.read_bytes())
    with desk(f"sqlite:///{copy}", redis_url) as opened:
        yield opened


def use_up(redis_url: str, workspace_id: str) -> None:
    """As a sync at the limit does: somebody has to wait."""
    with budget.client(redis_url) as redis:
        terms = Terms("Twenty", "crm_rate_limit", (Limit(100, 60),))
        budgets = Budgets(redis, pause=lambda _seconds: None, tick=lambda: 0.0)
        mine = budgets.tokens(crm_openers.crm_budget_key(workspace_id, "api_key"), terms, "full")
        mine.refused(Limit(100, 60))
        with suppress(TryLaterError), mine.sending():
            pass


def under_way(here: Desk, **changed: Any) -> Run:
    return here.run([a_person()], status=None, checkpoint=AT, **changed)


def in_trouble(here: Desk, code: str, *, in_seconds: int = 9) -> Run:
    run = under_way(here)
    with here.door.parts.database.transaction() as session:
        runs.save(
            session,
            run,
            owner="worker-1",
            error={"code": code, "message": "It does not answer."},
            checkpoint={**AT, "tries": 3},
            lease_owner=None,
            lease_until=None,
            due_at=NOON + timedelta(seconds=in_seconds),
        )
    return run


# --- the limit


def test_a_sync_at_the_limit_says_what_the_limit_means(here: Desk, redis_url: str) -> None:
    run = under_way(here)
    use_up(redis_url, here.workspace.id)

    said = "Twenty allows about 100 requests a minute. At that pace up to 20,000 changed records a minute"
    for path in (f"/runs/{run.id}", f"/runs/{run.id}/live", "/", "/connections"):
        assert said in text_of(here.page(path)), path


def test_a_sync_that_nobody_slows_down_says_nothing_of_it(here: Desk) -> None:
    run = under_way(here)

    assert "Twenty allows" not in text_of(here.page(f"/runs/{run.id}"))


def test_another_workspace_at_its_limit_is_not_this_one(here: Desk, redis_url: str) -> None:
    run = under_way(here)
    use_up(redis_url, "another")

    assert "Twenty allows" not in text_of(here.page(f"/runs/{run.id}"))


def test_a_sync_that_is_over_says_nothing_of_the_limit(here: Desk, redis_url: str) -> None:
    run = here.run([a_person()])
    use_up(redis_url, here.workspace.id)

    assert "Twenty allows" not in text_of(here.page(f"/runs/{run.id}"))


def of(here: Desk, *, done: int, total: int | None, standing: Standing | None = SHORT) -> str:
    found = [a_person(f"mber_{at}") for at in range(done)]
    run = here.run(found, status=None, checkpoint=AT)
    return str(pace.of_run(run, Progress([], done, total), standing, 60))


def test_the_rest_is_told_where_it_is_known(here: Desk) -> None:
    # 70,000 records, all of them written: 1,167 requests of 60 and 70 look-ups.
    assert of(here, done=10, total=70_010) == (
        "Twenty allows about 100 requests a minute. The rest takes about 12 min."
    )


def test_records_that_are_in_step_already_need_no_request(here: Desk) -> None:
    found = [a_person(f"mber_{at}", Result.UNCHANGED, after=None) for at in range(10)]
    run = here.run(found, status=None, checkpoint=AT)

    slowed = pace.of_run(run, Progress([], 10, 70_010), SHORT, 60)

    assert slowed is not None
    assert slowed.left == timedelta(minutes=0.7)


def test_others_who_use_the_limit_too_are_named(here: Desk) -> None:
    shared = Standing(per_minute=100, share=0.5, short=True)

    told = of(here, done=10, total=None, standing=shared)

    assert told == (
        "Twenty allows about 100 requests a minute, and other tools use some of them. "
        "At that pace up to 3,000 changed records a minute go through."
    )


def test_the_pace_so_far_counts_where_it_is_the_slower(here: Desk) -> None:
    run = under_way(here)

    slowed = pace.of_run(run, Progress([], 1, 40, left=timedelta(hours=1)), SHORT, None)

    assert slowed is not None
    assert slowed.left == timedelta(hours=1)


@pytest.mark.parametrize("standing", [None, SHORT._replace(short=False)])
def test_nothing_is_told_where_nothing_is_short(here: Desk, standing: Standing | None) -> None:
    assert of(here, done=10, total=None, standing=standing) == "None"


# --- a service in trouble


@pytest.mark.parametrize(
    ("code", "words"), [("crm_unreachable", "Waiting for Twenty"), ("whop_trouble", "Waiting for Whop")]
)
def test_a_run_says_for_whom_it_waits(here: Desk, code: str, words: str) -> None:
    run = in_trouble(here, code)

    for path in (f"/runs/{run.id}", "/runs", "/"):
        assert words in text_of(here.page(path)), path
    assert "The next try is in 9 s." in text_of(here.page(f"/runs/{run.id}"))


def test_a_run_that_is_tried_again_says_so(here: Desk) -> None:
    run = in_trouble(here, "crm_unreachable", in_seconds=0)

    text = text_of(here.page(f"/runs/{run.id}"))

    assert "Waiting for Twenty" in text
    assert "It is being tried now." in text


def test_the_overview_says_that_a_sync_waits(here: Desk) -> None:
    in_trouble(here, "crm_unavailable")

    assert "A sync waits for Twenty" in text_of(here.page("/"))


def test_a_run_in_trouble_says_nothing_of_the_limit(here: Desk, redis_url: str) -> None:
    run = in_trouble(here, "crm_unavailable")
    use_up(redis_url, here.workspace.id)

    assert "Twenty allows" not in text_of(here.page(f"/runs/{run.id}"))


def test_the_heading_is_fetched_again_when_trouble_begins_or_ends(here: Desk) -> None:
    run = in_trouble(here, "crm_unreachable")

    assert 'data-status="Waiting for Twenty"' in here.page(f"/runs/{run.id}/live")
