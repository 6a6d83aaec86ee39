"""`flask workspace plan, provision, views, workflow`: what the plan page does, for whoever has no browser."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from connector.cli.workspaces import workspace_group
from connector.sandbox.twenty import api_keys
from connector.sync import onboarding
from tests.sync.scene import NOON, Service, built, environment, twenty_served

Command = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def twenty() -> Iterator[Service]:
    with twenty_served() as service:
        yield service


@pytest.fixture
def command(database_url: str, twenty: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Runs a command about the workspace acme; exit code, JSON document, and what a person reads."""
    env = environment(database_url, "http://127.0.0.1:9", "unix:///nowhere/redis.sock")
    new = onboarding.NewWorkspace("acme", twenty.url, api_keys(twenty.app)[0])
    with closing(built(env)) as parts:
        checker = parts.check_crm_key
        onboarding.add_workspace(parts.database, parts.vault, new, check_key=checker, now=NOON)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, Any, str]:
        plain = CliRunner().invoke(workspace_group, [*words], env=env)
        told = CliRunner().invoke(workspace_group, [*words, "--json"], env=env)
        return told.exit_code, json.loads(told.stdout), plain.output

    return run


def test_the_plan_says_what_is_missing_and_creates_nothing(command: Command) -> None:
    code, told, words = command("plan", "acme")
    again = command("plan", "acme")[1]

    assert code == 0
    assert again == told
    assert {step["do"] for step in told["steps"]} == {"create", "right"}
    assert "to create     Whop product\n" in words
    assert "objects and fields are right." in words


def test_what_is_provisioned_is_right_afterwards(command: Command) -> None:
    made = command("provision", "acme")[1]

    steps = command("plan", "acme")[1]["steps"]
    assert {step["do"] for step in steps} == {"right"}
    assert len(made) == len(steps)


def test_lists_are_made_with_their_addresses(command: Command, twenty: Service) -> None:
    before = command("views", "acme")[1]
    command("provision", "acme")

    _, made, words = command("views", "acme")

    assert [one["lacks"] for one in before] == [
        ["whopMembershipStatus"],
        ["whopMembershipStatus"],
        ["whopProduct"],
    ]
    assert all(one["url"].startswith(f"{twenty.url}/objects/") for one in made)
    assert f"Whop: paying: {made[0]['url']}" in words


def test_the_workflow_is_shown_and_an_api_key_cannot_pause_it(command: Command) -> None:
    shown = command("workflow", "acme")
    code, told, words = command("workflow", "acme", "--pause")

    assert shown[1]["active"] is True
    assert "is on: it starts for every person" in shown[2]
    assert code == 4
    assert told["error"]["code"] == "crm_workflow"
    assert "press Deactivate" in words
