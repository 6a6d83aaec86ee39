"""The commands about a workspace's own mapping files: told first what a change would do, then asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from scene import NOWHERE, Scene, Service, built, environment

from connector.cli.mappings import mappings_group
from connector.store import mappings
from tests.sync.test_changing import FILE, WITH_FIELD, newest_run, now, text_of


@pytest.fixture
def env(database_url: str, whop: Service) -> dict[str, str]:
    return environment(database_url, whop.url, NOWHERE)


@pytest.fixture
def synced(env: dict[str, str], whop: Service, twenty: Service) -> Iterator[Scene]:
    with closing(built(env)) as parts:
        scene = Scene(whop, twenty, parts).connect()
        assert scene.sync().status == "success"
        yield scene


def run(env: dict[str, str], *words: str, say: str = "") -> Any:
    return CliRunner().invoke(mappings_group, list(words), env=env, input=say)


def test_the_command_line_tells_what_a_file_would_do_before_it_asks(
    synced: Scene, env: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / FILE
    path.write_text(text_of(synced, WITH_FIELD), encoding="utf-8")

    asked = run(env, "apply", "acme", str(path), say="n\n")

    assert asked.exit_code == 1
    assert "opportunity.whopManage would be written in" in asked.output
    assert now(synced).mapping_change is None
    done = run(env, "apply", "acme", str(path), "--yes")
    assert done.exit_code == 0, done.output
    assert f"Version 1 of {FILE} counts from now on." in done.output
    assert "whopManage" in run(env, "show", "acme", FILE).output
    assert '"how": "uploaded"' in run(env, "history", "acme", FILE, "--json").output
    back = run(env, "revert", "acme", FILE, "shipped", "--yes")
    assert back.exit_code == 0, back.output
    assert [one.how for one in history_of(synced)] == ["shipped", "uploaded"]


def test_a_recipe_is_switched_on_and_off_by_its_name(synced: Scene, env: dict[str, str]) -> None:
    asked = run(env, "use", "acme", "plans", say="n\n")
    assert asked.exit_code == 1
    assert "Looked at" in asked.output
    assert now(synced).mapping_change is None

    done = run(env, "use", "acme", "plans", "--yes")
    assert done.exit_code == 0, done.output
    assert "Version 1 of plan.yaml counts from now on." in done.output
    assert state_of(env, "plans") == "on"
    synced.go_on(newest_run(synced).id)
    assert {row["whopId"] for row in synced.rows("whopPlans")} == {
        one["id"] for one in synced.records("plans")
    }

    assert run(env, "use", "acme", "plans", "--off", "--yes").exit_code == 0
    assert state_of(env, "plans") == "off"
    assert synced.rows("whopPlans")  # what it brought stays


def state_of(env: dict[str, str], recipe: str) -> str:
    told = json.loads(run(env, "recipes", "acme", "--json").output)
    return str(next(one["state"] for one in told if one["name"] == recipe))


def test_files_that_only_fit_together_are_put_in_force_together(
    synced: Scene, env: dict[str, str], tmp_path: Path
) -> None:
    paths = []
    for name, text in synced.tools.mappings.recipe("business-buyers").texts.items():
        paths.append(str(tmp_path / name))
        (tmp_path / name).write_text(text, encoding="utf-8")

    alone = [run(env, "apply", "acme", path, "--yes").exit_code for path in paths]
    together = run(env, "apply", "acme", *paths, "--yes")

    assert alone == [3, 3]
    assert together.exit_code == 0, together.output
    assert "Version 2 of member.yaml and membership.yaml counts from now on." in together.output
    assert state_of(env, "business-buyers") == "on"
    back = run(env, "use", "acme", "business-buyers", "--off", "--yes")
    assert back.exit_code == 0, back.output
    assert [one.state for one in history_of(synced)] == ["shipped", "own"]


def test_a_recipe_that_is_none_is_told(synced: Scene, env: dict[str, str]) -> None:
    told = run(env, "use", "acme", "plan", "--yes")

    assert told.exit_code == 4
    assert "No recipe is called 'plan'; there are business-buyers, payments, plans." in told.output


def history_of(scene: Scene) -> list[mappings.Change]:
    with scene.parts.database.reading() as session:
        return mappings.history(session, now(scene).id, FILE)


def test_the_command_line_tells_mistakes_by_line_and_keeps_a_failing_test_out(
    synced: Scene, env: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / FILE
    path.write_text(text_of(synced, ("from: plan_id", "from: plan_idd")), encoding="utf-8")
    wrong = run(env, "apply", "acme", str(path), "--yes")
    path.write_bytes(b"\xff\xfe")
    no_text = run(env, "apply", "acme", str(path), "--yes")
    path.write_text(text_of(synced, ("whopPlanId: plan_1", "whopPlanId: plan_2")), encoding="utf-8")
    failing = run(env, "apply", "acme", str(path), "--yes")

    assert (wrong.exit_code, no_text.exit_code, failing.exit_code) == (3, 3, 4)
    assert 'found "plan_idd"' in wrong.output
    assert "expected 'plan_2', found 'plan_1'" in failing.output
    assert now(synced).mapping_change is None


def test_the_command_line_shows_one_record_on_its_way(synced: Scene, env: dict[str, str]) -> None:
    found = synced.records("memberships")[2]

    real = run(env, "preview", "acme", "membership", "--record", found["id"])
    newest = run(env, "preview", "acme", "membership")
    sample = run(env, "preview", "acme", "membership", "--fixture")

    assert real.exit_code == newest.exit_code == sample.exit_code == 0, real.output
    assert f"membership {found['id']}: unchanged" in real.output
    assert found["plan_id"] in real.output
    assert "membership mem_1: sample" in sample.output
    assert run(env, "preview", "acme", "membership", "--record", "mem_none").exit_code == 4
    assert run(env, "preview", "acme", "starship").exit_code == 4
