"""``flask review``: what waits, and deciding without a browser."""

from __future__ import annotations

import json
from typing import Any

import pytest
from scene import Scene, environment

from connector.cli import create_command_app
from connector.cli.base import REFUSED
from connector.store import audit

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@pytest.fixture
def asked(scene: Scene, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A member whose address two people in the CRM have."""
    for name, value in environment(database_url, scene.whop.url, "unix:///nowhere/redis.sock").items():
        monkeypatch.setenv(name, value)
    member = next(one for one in scene.records("members") if one["user"] and one["email"])
    scene.type_person(emails={"primaryEmail": member["email"]})
    scene.type_person(emails={"primaryEmail": "other@x.test", "additionalEmails": [member["email"]]})
    scene.sync()
    return scene


def flask(*words: str, code: int = 0) -> Any:
    answer = create_command_app().test_cli_runner().invoke(args=["review", *words, "--json"])
    assert answer.exit_code == code, answer.output
    return json.loads(answer.stdout)


def first(asked: Scene) -> Any:
    return next(one for one in flask("list", "acme") if one["why"] == "several")


def test_what_waits_is_listed_with_its_candidates(asked: Scene) -> None:
    one = first(asked)

    assert (one["state"], one["may_create"], len(one["candidates"])) == ("waiting", True, 2)
    told = create_command_app().test_cli_runner().invoke(args=["review", "list", "acme"]).output
    assert all(candidate["id"] in told for candidate in one["candidates"])
    assert "fits by emails" in told


def test_a_decision_and_taking_it_back_are_recorded(asked: Scene) -> None:
    one = first(asked)
    chosen = one["candidates"][0]["id"]

    done = flask("decide", "acme", str(one["id"]), "link", chosen)
    listed = flask("list", "acme", "--decided")
    back = flask("decide", "acme", str(one["id"]), "take-back")

    assert (done["choice"], done["crm_id"], done["decided_by"]) == ("link", chosen, "the command line")
    assert [entry["id"] for entry in listed] == [one["id"]]
    assert back["choice"] is None
    assert asked.workspace is not None
    with asked.parts.database.reading() as session:
        events = [event.what for event in audit.shown(session, asked.workspace.id, "")]
    assert events[:2] == ["review_taken_back", "review_decided"]


def test_what_cannot_be_chosen_is_refused(asked: Scene) -> None:
    said = flask("decide", "acme", str(first(asked)["id"]), "link", "nobody", code=REFUSED)

    assert said["error"]["code"] == "review_choice"
