"""More changes than the mapping allows: not made before somebody agrees, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from click.testing import CliRunner
from scene import NOWHERE, Scene, cap_batches, environment, remapped

from connector.cli.syncs import sync_group
from connector.core.alerting import Kind, Thresholds, conditions
from connector.core.limits import Limits
from connector.errors import RefusedError
from connector.store import workspaces
from connector.store.runs import Run
from connector.store.workspaces import Workspace
from connector.sync import alert_facts, answering, crm_keys, limiting, onboarding, steering
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

    return remapped(tools, changed)


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
def test_by_an_admins_yes_it_changes_the_rest(renamed: Scene, type_: str) -> None:
    run = sync(renamed, type_, 40)

    answering.agree(renamed.tools, run.workspace_id, run.id)
    again = renamed.go_on(run.id, tools=limited(renamed.tools, 40))

    assert again.status == "success"
    assert not limiting.asks(again)
    assert again.counts["person"]["updated"] == changed(renamed) > 20


def test_the_word_counts_for_all_jobs_that_are_left(renamed: Scene) -> None:
    run = sync(renamed, "full", 40)
    answering.agree(renamed.tools, run.workspace_id, run.id)
    renamed.clock.step = timedelta(seconds=0.5)  # by which a job is through with a few requests

    again = renamed.go_on(run.id, tools=limited(renamed.tools, 40))

    assert again.status == "success"
    assert again.checkpoint[limiting.ASKED] == ["person"]


def workspace_of(scene: Scene) -> Workspace:
    assert scene.workspace is not None
    with scene.parts.database.reading() as session:
        return workspaces.get(session, scene.workspace.id)


def new_key(scene: Scene) -> None:
    key, parts = scene.twenty.ask("POST", "/keys", {"do": "new"})["key"], scene.parts
    crm_keys.give_key(scene.tools, parts.vault, parts.crm_desk.client, workspace_of(scene), key)


def pause_and_resume(scene: Scene) -> None:
    assert scene.connection is not None
    for steer in (steering.pause, steering.resume):
        steer(scene.tools, scene.connection.workspace_id, scene.connection.id)


OTHER_WORDS: dict[str, Callable[[Scene], object]] = {
    "a new credential": new_key,
    "a look at the credential": lambda scene: crm_keys.check(scene.tools, workspace_of(scene)),
    "pause, and resume": pause_and_resume,
}


@pytest.mark.parametrize("word", OTHER_WORDS)
def test_nothing_but_that_yes_lets_it_go_on(renamed: Scene, word: str) -> None:
    run = sync(renamed, "full", 40)

    OTHER_WORDS[word](renamed)

    assert limiting.asks(renamed.run(run.id))
    answering.agree(renamed.tools, run.workspace_id, run.id)
    assert renamed.go_on(run.id, tools=limited(renamed.tools, 40)).status == "success"


def test_while_the_connection_is_paused_a_yes_is_refused_in_words(renamed: Scene) -> None:
    run = sync(renamed, "full", 40)
    steering.pause(renamed.tools, run.workspace_id, run.connection_id)

    with pytest.raises(RefusedError) as caught:
        answering.agree(renamed.tools, run.workspace_id, run.id)

    assert caught.value.code == "connection_paused"
    assert limiting.asks(renamed.run(run.id))


def test_a_run_that_asks_nothing_takes_no_yes(renamed: Scene) -> None:
    run = sync(renamed, "full", None)

    with pytest.raises(RefusedError) as caught:
        answering.agree(renamed.tools, run.workspace_id, run.id)

    assert caught.value.code == "no_question"


@pytest.mark.parametrize(("decision", "status"), [("approve", "running"), ("refuse", "cancelled")])
def test_the_command_line_answers_it_too(
    renamed: Scene, database_url: str, decision: str, status: str
) -> None:
    run = sync(renamed, "full", 40)
    env = environment(database_url, renamed.whop.url, NOWHERE)

    told = CliRunner().invoke(sync_group, ["answer", run.id, decision, "--json"], env=env)

    assert told.exit_code == 0, told.output
    assert renamed.run(run.id).status == status


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
