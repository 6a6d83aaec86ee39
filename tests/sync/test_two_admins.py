"""Two admins press different buttons at once, or the company is emptied by mistake: nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any

import pytest
from scene import Scene, picture
from test_removing import Gone, linked, sync, vanish, with_gone

from connector.errors import RefusedError
from connector.store import connections, runs
from connector.store.runs import Run
from connector.sync import answering, onboarding, removing, steering
from tests.store.racing import race

_TRIES = 5  # of each pair: who is first is chance


@pytest.fixture
def synced(scene: Scene) -> Scene:
    assert scene.sync().status == "success"
    scene.clock.advance(3600)
    return scene


def ids_of(scene: Scene) -> tuple[str, str]:
    assert scene.connection is not None
    return scene.connection.workspace_id, scene.connection.id


def every_run(scene: Scene) -> list[Run]:
    with scene.parts.database.reading() as session:
        return runs.of_workspace(session, ids_of(scene)[0], limit=1_000)


def start(scene: Scene, type_: str) -> str:
    with scene.parts.database.reading() as session:
        one = connections.get(session, *ids_of(scene))
    return onboarding.start_sync(scene.tools, one, type_, why="An admin", correlation_id="corr-test")


def settle(scene: Scene) -> None:
    """Somebody resumes, and every sync comes to its end."""
    steering.resume(scene.tools, *ids_of(scene))
    for run in every_run(scene):
        if run.active:
            assert scene.go_on(run.id).status == "success"
    scene.clock.advance(60)


Press = Callable[[Scene, str], Any]
PAIRS: dict[str, tuple[Press, Press]] = {
    "pause, and sync now": (
        lambda scene, _: steering.pause(scene.tools, *ids_of(scene)),
        lambda scene, _: start(scene, "full"),
    ),
    "pause, and resume": (
        lambda scene, _: steering.pause(scene.tools, *ids_of(scene)),
        lambda scene, _: steering.resume(scene.tools, *ids_of(scene)),
    ),
    "cancel, and pause": (
        lambda scene, run_id: steering.cancel(scene.tools, ids_of(scene)[0], run_id, who="Ada"),
        lambda scene, _: steering.pause(scene.tools, *ids_of(scene)),
    ),
    "cancel, and resume": (
        lambda scene, run_id: steering.cancel(scene.tools, ids_of(scene)[0], run_id, who="Ada"),
        lambda scene, _: steering.resume(scene.tools, *ids_of(scene)),
    ),
    "full sync, and incremental": (
        lambda scene, _: start(scene, "full"),
        lambda scene, _: start(scene, "incremental"),
    ),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_two_buttons_at_once_end_in_a_state_that_goes_on(synced: Scene, pair: str) -> None:
    before, (one, other) = picture(synced), PAIRS[pair]
    for _ in range(_TRIES):
        run_id = "" if "sync" in pair else start(synced, "full")

        met = race(lambda: one(synced, run_id), lambda: other(synced, run_id))  # noqa: B023 - called at once

        odd = [error for error in met if isinstance(error, Exception) and not isinstance(error, RefusedError)]
        assert odd == [], "who is second is told so in words"
        assert sum(1 for run in every_run(synced) if run.active) <= 1
        settle(synced)
        assert not any(run.active for run in every_run(synced))
        assert picture(synced) == before
    assert sync(synced, synced.tools).status == "success"


def test_of_yes_and_no_at_once_one_counts(synced: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.core.limits._MANY", 5)
    tools = with_gone(synced.tools, Gone.DELETE)
    gone = linked(synced)[:12]
    vanish(synced, *gone)
    run = sync(synced, tools)
    assert run.status == "waiting"
    ids = (run.workspace_id, run.id)

    yes, no = race(
        lambda: answering.approve(tools, *ids, who="Ada", correlation_id="c"),
        lambda: answering.refuse(tools, *ids, who="Bob"),
    )

    refused = [one for one in (yes, no) if isinstance(one, RefusedError)]
    assert [error.code for error in refused] == ["no_question"]
    said = synced.run(run.id).checkpoint
    assert (said["answer"], said["answered_by"]) == (
        ("refused", "Bob") if yes in refused else ("approved", "Ada")
    )
    for one in every_run(synced):
        if one.active:
            synced.go_on(one.id, tools=tools)
    left = set(gone) & set(linked(synced))
    assert left == (set(gone) if yes in refused else set())


@pytest.mark.parametrize("do", [Gone.MARK, Gone.CLEAR, Gone.DELETE])
@pytest.mark.parametrize("type_", ["full", "incremental"])
def test_a_company_that_was_emptied_is_asked_about_and_nothing_is_removed(
    synced: Scene, said: list[MutableMapping[str, Any]], type_: str, do: Gone
) -> None:
    before, tools = picture(synced), with_gone(synced.tools, do)
    assert len(linked(synced)) > 50
    vanish(synced, *(one["id"] for one in synced.records("memberships")))

    run = sync(synced, tools, type_)

    assert run.status == "waiting"
    assert removing.asks(run)["membership"]["count"] == len(linked(synced))
    assert any("an admin is asked" in str(line["event"]) for line in said)
    for again in ("incremental", "full"):
        assert sync(synced, tools, again).status == "success"
    assert picture(synced) == before
