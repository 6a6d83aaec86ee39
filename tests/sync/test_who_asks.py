"""Who asked for something in Twenty is kept; where only people may, what anything else chooses is refused."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from automating import act, cancels, every, status_of
from breaking import AFTER_COMMIT, AFTER_CRM, BEFORE_COMMIT, BEFORE_CRM, Fate, Killed
from click.testing import CliRunner
from scene import NOWHERE, Scene, environment

from connector.cli.automations import automation_group
from connector.crms.twenty.client import TwentyClient
from connector.crms.twenty.requests import TwentyRequests
from connector.outbound import OutboundSession
from connector.ports.crm_requests import CrmRequests
from connector.store import audit
from connector.store.audit import AuditEvent
from connector.store.workspaces import Workspace
from connector.sync import asking
from connector.sync.acting import LEASE
from tests.sync.test_asking import ACTIVE, a_deal, ask, asks_of, choose, dying, look, membership, row

on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@pytest.fixture
def on(scene: Scene) -> Scene:
    """Everything is in step, and people in Twenty may ask."""
    assert scene.sync().status == "success"
    assert scene.workspace is not None
    scene.clock.now = scene.clock.now.replace(year=2020)
    asking.switch_on(asks_of(scene), scene.workspace)
    return scene


@pytest.fixture
def only_people(on: Scene) -> Scene:
    """Nobody but people may."""
    assert on.workspace is not None
    asking.let_ask(asks_of(on), on.workspace.id, only_people=True)
    return on


def ada_chooses(scene: Scene, deal: str, choice: str) -> None:
    """Somebody at Twenty's pages."""
    new = {"do": "add", "email": "ada@acme.test", "role": "admin", "firstName": "Ada", "lastName": "Lovelace"}
    token = scene.twenty.ask("POST", "/users", new)["session"]
    session = scene.parts.door.session(scene.twenty.url, headers={"Authorization": f"Bearer {token}"})
    query = "mutation($id:UUID!,$data:OpportunityUpdateInput!){updateOpportunity(id:$id,data:$data){id}}"
    stored = choice.upper().replace(",", "").replace(" ", "_")
    sent = {"query": query, "variables": {"id": deal, "data": {"whopAction": stored}}}
    assert not session.request("POST", "/graphql", json=sent).json().get("errors")


def recorded(scene: Scene, what: str) -> list[AuditEvent]:
    assert scene.workspace is not None
    with scene.parts.database.reading() as session:
        return [one for one in audit.shown(session, scene.workspace.id, "nobody") if one.what == what]


def test_who_asked_is_kept_with_the_action_and_in_the_audit_log(on: Scene) -> None:
    deal, _ = a_deal(on, **ACTIVE)
    ada_chooses(on, deal, "Pause")
    look(on)

    (done,) = every(on)
    assert done.facts["by"]["name"] == "Ada Lovelace"
    assert done.facts["by"]["member"]
    assert "Asked by: Ada Lovelace." in done.journal[0][1]
    (told,) = recorded(on, "act_done")
    assert (told.about["asked"], told.about["asked by"]) == ("Pause", "Ada Lovelace")


def test_a_key_may_ask_unless_that_is_chosen_otherwise_and_is_named(on: Scene) -> None:
    deal, id_ = a_deal(on, **ACTIVE)

    assert ask(on, deal, "Pause").startswith("Paused")
    assert membership(on, id_)["most_recent_action"] == "paused_at"
    (told,) = recorded(on, "act_done")
    assert str(told.about["asked by"]).endswith("(API key)")


def test_what_a_key_chooses_is_refused_where_only_people_may(only_people: Scene) -> None:
    deal, id_ = a_deal(only_people, **ACTIVE)

    answer = ask(only_people, deal, "Cancel at period end")

    assert answer.startswith("Refused: only people may ask")
    assert "(API key)" in answer
    assert (cancels(only_people), membership(only_people, id_)["cancel_at_period_end"]) == (0, False)
    (refused,) = every(only_people)
    assert (refused.state, refused.outcome[:8]) == ("skipped", "Refused:")
    (told,) = recorded(only_people, "act_refused")
    assert told.about["membership"] == id_
    assert "(API key)" in str(told.about["asked by"])
    assert recorded(only_people, "act_done") == []


def test_people_may_ask_where_only_they_may(only_people: Scene) -> None:
    deal, id_ = a_deal(only_people, **ACTIVE)
    ada_chooses(only_people, deal, "Pause")
    look(only_people)

    assert membership(only_people, id_)["most_recent_action"] == "paused_at"
    assert str(row(only_people, deal)["whopActionResult"]).startswith("Paused")


def test_a_person_confirms_nothing_that_was_refused(only_people: Scene) -> None:
    deal, id_ = a_deal(only_people, **ACTIVE)
    ask(only_people, deal, "Cancel now")
    ada_chooses(only_people, deal, "Yes, cancel now")
    look(only_people)

    assert "first" in str(row(only_people, deal)["whopActionResult"])
    assert (status_of(only_people, id_), cancels(only_people)) == ("active", 0)


def test_who_may_ask_can_be_chosen_before_and_stays_when_it_is_switched_off_and_on(
    only_people: Scene,
) -> None:
    assert only_people.workspace is not None
    asking.switch_off(asks_of(only_people), only_people.workspace)
    asking.switch_on(asks_of(only_people), only_people.workspace)
    deal, _ = a_deal(only_people, **ACTIVE)

    assert ask(only_people, deal, "Pause").startswith("Refused")


@on_sqlite
@pytest.mark.parametrize("seam", [BEFORE_COMMIT, AFTER_COMMIT, BEFORE_CRM, AFTER_CRM])
def test_it_is_refused_once_wherever_a_worker_is_killed(only_people: Scene, seam: str) -> None:
    scene, nth, struck = only_people, 0, True
    deal, id_ = a_deal(scene, **ACTIVE)
    while struck:
        nth += 1
        choose(scene, deal, "Cancel at period end")
        assert scene.workspace is not None
        scene.clock.advance(5)
        asking.heard(asks_of(scene), scene.workspace.id)
        asking.look(asks_of(scene))
        fate = Fate(seam, nth)
        with suppress(Killed):
            act(scene, 0, desk=dying(scene, fate), owner=f"killed-{nth}")
        struck = fate.struck
        act(scene, LEASE.total_seconds() + 1, owner=f"next-{nth}")

        assert row(scene, deal)["whopAction"] is None, f"killed {seam}, {nth}"
        assert len(recorded(scene, "act_refused")) == nth
        assert cancels(scene) == 0
    assert nth > 1
    assert membership(scene, id_)["cancel_at_period_end"] is False


class Older:
    """A session with a Twenty that lacks the field, and says so as GraphQL does."""

    def __init__(self, session: OutboundSession) -> None:
        self._session = session

    def request(self, method: str, path: str, *, json: Any = None, **more: Any) -> Any:
        if json and "updatedBy" in json.get("query", ""):
            told = b'{"errors":[{"message":"Cannot query field \\"updatedBy\\" on type \\"Opportunity\\"."}]}'
            return SimpleNamespace(status=200, body=told, headers={})
        return self._session.request(method, path, json=json, **more)


def test_an_older_twenty_does_not_say_who_and_is_asked_all_the_same(on: Scene) -> None:
    def open_crm(workspace: Workspace) -> CrmRequests:
        session = on.parts.door.session(workspace.crm_url, headers={"Authorization": f"Bearer {on.crm_key}"})
        return TwentyRequests(TwentyClient(Older(session), pause=lambda _seconds: None))  # type: ignore[arg-type]

    deal, id_ = a_deal(on, **ACTIVE)
    choose(on, deal, "Pause")
    assert on.workspace is not None
    on.clock.advance(5)
    asking.heard(asks_of(on), on.workspace.id)
    assert asking.look(replace(asks_of(on), open_crm=open_crm)) == 1
    act(on, 0)

    assert membership(on, id_)["most_recent_action"] == "paused_at"
    assert [one.about["asked by"] for one in recorded(on, "act_done")] == ["not known"]


def run(scene: Scene, url: str, *words: str) -> Any:
    env = environment(url, scene.whop.url, NOWHERE)
    return CliRunner().invoke(automation_group, list(words), env=env)


def test_the_command_line_chooses_who_may_and_tells_who_asked(on: Scene, database_url: str) -> None:
    assert on.workspace is not None
    name = on.workspace.name
    assert "Whoever may edit the field may ask." in run(on, database_url, "crm", name).output
    told = run(on, database_url, "crm", name, "--who", "people")
    assert "Only people may ask." in told.output, told.output
    assert [one.about["who"] for one in recorded(on, "crm_requests_who")] == ["people"]
    deal, _ = a_deal(on, **ACTIVE)
    assert ask(on, deal, "Pause").startswith("Refused")

    (shown,) = json.loads(run(on, database_url, "log", name, "--json").output)
    assert shown["asked_by"].endswith("(API key)")
    run(on, database_url, "crm", name, "--who", "anybody")
    assert ask(on, deal, "Pause").startswith("Paused")
