"""More changes than the mapping allows: not made before somebody agrees, and nothing is lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from scene import Scene, cap_batches

from connector.core.alerting import Kind, Thresholds, conditions
from connector.core.limits import Limits
from connector.store.runs import Run
from connector.sync import alert_facts, limiting, onboarding, steering
from connector.sync.tools import Tools


@pytest.fixture
def renamed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Everybody is in the CRM and has another name on Whop by now; five records a request."""
    monkeypatch.setattr("connector.core.limits._MANY", 5)
    assert scene.sync().status == "success"
    scene.clock.advance(3600)
    cap_batches(scene, 5)
    for number, member in enumerate(scene.records("members")):
        if member["user"]:
            scene.change("members", member["id"], user={"username": f"renamed{number}"})
    return scene


def limited(tools: Tools, percent: int | None) -> Tools:
    def changed(mapping: object) -> object:
        return replace(mapping, limits=Limits(most_changed=percent))  # type: ignore[type-var]

    return replace(tools, mappings=tuple(changed(one) for one in tools.mappings))  # type: ignore[arg-type]


def sync(scene: Scene, type_: str, percent: int | None) -> Run:
    assert scene.connection is not None
    run_id = onboarding.start_sync(scene.tools, scene.connection, type_, why="The test", correlation_id="c")
    return scene.go_on(run_id, tools=limited(scene.tools, percent))


def changed(scene: Scene) -> int:
    return sum(1 for row in scene.rows("people") if str(row["whopUsername"]).startswith("renamed"))


@pytest.mark.parametrize("type_", ["full", "incremental"])
def test_a_sync_stops_before_it_has_changed_too_many(renamed: Scene, type_: str) -> None:
    people = len(renamed.rows("people"))

    run = sync(renamed, type_, 40)

    assert (run.status, (run.error or {})["code"], run.lease_owner) == ("paused", "many_changes", None)
    assert limiting.asks(run)
    assert 0 < changed(renamed) <= people * 40 // 100
    assert run.counts["person"]["updated"] == changed(renamed)


@pytest.mark.parametrize("type_", ["full", "incremental"])
def test_whoever_resumes_it_has_agreed(renamed: Scene, type_: str) -> None:
    run = sync(renamed, type_, 40)

    steering.resume(renamed.tools, run.workspace_id, run.connection_id)
    again = renamed.go_on(run.id, tools=limited(renamed.tools, 40))

    assert again.status == "success"
    assert not limiting.asks(again)
    assert again.counts["person"]["updated"] == changed(renamed) > 20


def test_the_word_counts_for_all_jobs_that_are_left(renamed: Scene) -> None:
    run = sync(renamed, "full", 40)
    steering.resume(renamed.tools, run.workspace_id, run.connection_id)
    renamed.clock.step = timedelta(seconds=0.5)  # by which a job is through with a few requests

    again = renamed.go_on(run.id, tools=limited(renamed.tools, 40))

    assert again.status == "success"
    assert again.checkpoint[limiting.ASKED] == ["person"]


def test_a_cancelled_one_leaves_the_rest_and_the_next_asks_again(renamed: Scene) -> None:
    run = sync(renamed, "full", 40)
    before = changed(renamed)

    steering.cancel(renamed.tools, run.workspace_id, run.id, who="Ada")

    assert changed(renamed) == before
    assert limiting.asks(sync(renamed, "full", 20))


@pytest.mark.parametrize("percent", [None, 100])
def test_without_a_limit_everything_is_changed_at_once(renamed: Scene, percent: int | None) -> None:
    assert sync(renamed, "full", percent).status == "success"
    assert changed(renamed) > 20


def test_an_admin_is_told(renamed: Scene) -> None:
    run = sync(renamed, "incremental", 40)

    with renamed.parts.database.reading() as session:
        facts = alert_facts.gather(session, run.workspace_id, renamed.clock())
    told = [one for one in conditions(facts, Thresholds(), renamed.clock()) if one.kind is Kind.BREAKER]

    assert [one.path for one in told] == [f"/runs/{run.id}"]
    assert "change more records" in told[0].text
