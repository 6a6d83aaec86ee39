"""A CRM that is down: the run waits, asks in growing intervals, and goes on by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from breaking import with_changes
from hypothesis import given
from hypothesis import strategies as st
from scene import NOWHERE, Scene, Service, built, cap_batches, environment, hurried, picture, total

from connector.store import workspaces
from connector.store.runs import Run
from connector.sync import waiting
from connector.sync.tools import Tools

RECORDS = 5 + 40 + 60
SWEEP = 5.0
HANGING = 35.0  # a try that waits for its time-outs, 5 s to connect and 30 s for an answer


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def scene(database_url: str, whop: Service, twenty: Service) -> Iterator[Scene]:
    """A CRM that takes 20 records a request."""
    with closing(built(environment(database_url, whop.url, NOWHERE))) as parts:
        scene = Scene(whop, twenty, parts).connect()
        cap_batches(scene, 20)
        yield scene


def move_crm(scene: Scene, url: str) -> None:
    assert scene.workspace is not None
    with scene.parts.database.transaction() as session:
        workspaces.move(session, scene.workspace.id, url)


def try_again(scene: Scene, run: Run, tools: Tools | None = None) -> Run:
    """The next job, when its time has come."""
    scene.clock.now = max(run.due_at, scene.clock.now + timedelta(seconds=0.001))
    return scene.advance(run.id, tools=tools)


def without_whop(scene: Scene) -> Tools:
    def reader(_connection: Any, _lane: str = "full") -> Any:
        raise AssertionError("Whop was read for a CRM that is down")

    return replace(scene.tools, open_reader=reader)


def code(run: Run) -> str:
    return str((run.error or {}).get("code"))


def is_whole(scene: Scene, run: Run) -> None:
    """As one that met no trouble: every record once, nothing twice in the CRM."""
    assert run.status == "success"
    assert run.error is None
    assert total(run) == RECORDS
    assert [len(rows) for rows in picture(scene).values()] == [5, 38, 59]
    told = [(entry.kind, entry.source_id) for entry in scene.log(run)]
    assert len(told) == len(set(told))


# --- how long


@given(st.uuids(), st.integers(1, 10_000))
def test_a_wait_is_short_enough_to_go_on_within_a_minute(run_id: Any, tries: int) -> None:
    wait = waiting.seconds(str(run_id), tries)

    assert 0 < wait <= waiting.LONGEST
    assert HANGING + wait + SWEEP <= 60


def test_waits_grow_and_differ_from_run_to_run() -> None:
    waits = [waiting.seconds("a", tries) for tries in range(1, 9)]

    assert waits[:4] == sorted(waits[:4])
    assert [waiting.seconds("b", tries) for tries in range(1, 9)] != waits


def test_a_run_that_keeps_failing_asks_less_and_less_often(scene: Scene) -> None:
    run = scene.run(scene.start())
    move_crm(scene, "http://127.0.0.1:1")
    waits = []

    for _ in range(7):
        run = try_again(scene, run)
        waits.append((run.due_at - scene.clock.now).total_seconds())

    assert waits[0] <= 2
    assert 15 <= waits[-1] <= 20
    assert run.checkpoint["tries"] == 7


# --- a CRM that is down


def test_a_crm_that_is_not_there_is_waited_for_by_name(scene: Scene) -> None:
    run_id = scene.start()
    move_crm(scene, "http://127.0.0.1:1")

    run = scene.advance(run_id)

    assert run.status == "running"
    assert code(run) == "crm_unreachable"
    assert waiting.side_in_trouble(run) == "crm"


def test_nothing_is_read_from_whop_while_the_crm_is_down(scene: Scene) -> None:
    run_id = scene.start()
    move_crm(scene, "http://127.0.0.1:1")
    run = scene.advance(run_id, tools=without_whop(scene))

    for _ in range(5):
        run = try_again(scene, run, without_whop(scene))

    assert code(run) == "crm_unreachable"


def test_a_run_goes_on_at_its_next_try_once_the_crm_is_back(scene: Scene) -> None:
    run_id = scene.start()
    move_crm(scene, "http://127.0.0.1:1")
    run = scene.advance(run_id)
    for _ in range(6):
        run = try_again(scene, run)
    move_crm(scene, scene.twenty.url)

    run = try_again(scene, run)

    assert waiting.side_in_trouble(run) is None
    is_whole(scene, scene.go_on(run_id) if run.active else run)


def test_a_probe_of_a_crm_that_never_answers_waits_for_it_once(scene: Scene) -> None:
    run = scene.run(scene.start())
    scene.twenty.dial("currentWorkspace", {"delay": 1.0}, times=None)
    scene.twenty.ask("DELETE", "/stats")

    with hurried(scene.parts) as hurry:
        run = try_again(scene, run, hurry(scene.tools))

    assert code(run) == "crm_unreachable"
    assert "in time" in (run.error or {})["message"]
    scene.twenty.undial()
    assert scene.twenty.ask("GET", "/stats")["requests"]["currentWorkspace"] == 1


CUTS: dict[str, dict[str, Any]] = {
    "cut before": {"cut": "before"},
    "cut after": {"cut": "after"},
    "never answers": {"delay": 1.0},
    "cut short": {"truncate": 10},
}


@pytest.mark.parametrize("at", ["createPeople", "createOpportunities", "people"])
@pytest.mark.parametrize("cut", CUTS)
def test_cut_and_unanswered_requests_neither_double_nor_lose(scene: Scene, cut: str, at: str) -> None:
    times = 4 if at == "people" else 2  # a look-up is repeated by the door itself, three times
    scene.twenty.dial(at, CUTS[cut], skip=1 if at != "people" else 0, times=times)
    run_id = scene.start()

    with hurried(scene.parts) as hurry:
        run = scene.advance(run_id, tools=hurry(scene.tools))

    assert waiting.side_in_trouble(run) == "crm"
    is_whole(scene, scene.go_on(run_id))


@pytest.mark.parametrize("cut", CUTS)
def test_updates_that_were_cut_off_neither_double_nor_lose(scene: Scene, cut: str) -> None:
    scene.sync()
    scene.twenty.dial("createPeople", CUTS[cut], times=1)

    with hurried(scene.parts) as hurry:
        run = scene.sync(wrap=lambda tools: hurry(with_changes(tools)))

    assert scene.twenty.ask("GET", "/dials")["dials"][0]["seen"]
    assert run.status == "success"
    assert len(scene.rows("people")) == 38
    members = [row for row in scene.rows("people") if row["whopUserId"]]
    assert run.counts["person"]["updated"] == len(members)
    assert all(row["whopUsername"].startswith("new-") for row in members)


# --- what is no trouble


def test_a_wait_for_the_limit_is_no_trouble(scene: Scene) -> None:
    run_id = scene.start()
    refusal = {"message": "Limit reached (1 tokens per 60000 ms)", "extensions": {"subCode": "LIMIT_REACHED"}}
    scene.twenty.dial("whopProducts", {"graphql_error": refusal}, times=None)

    run = scene.advance(run_id)

    assert code(run) == "crm_rate_limit"
    assert waiting.side_in_trouble(run) is None
    assert "tries" not in run.checkpoint


def test_a_whop_that_does_not_answer_is_waited_for_by_name(scene: Scene) -> None:
    scene.whop.dial("GET /members", {"cut": True}, times=10)
    run_id = scene.start()

    run = scene.advance(run_id)

    assert waiting.side_in_trouble(run) == "source"
