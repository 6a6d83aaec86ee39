"""People in Twenty ask by a field: it is done once on Whop, and the record says what became of it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from automating import act, cancels, every, status_of
from breaking import (
    AFTER_COMMIT,
    AFTER_CRM,
    AFTER_WHOP,
    BEFORE_COMMIT,
    BEFORE_CRM,
    BEFORE_WHOP,
    BreakableSession,
    DeadDatabase,
    Fate,
    Killed,
)
from scene import Json, Scene
from test_act_kills import to_be_killed

from connector.crms.twenty.client import TwentyClient
from connector.crms.twenty.requests import TwentyRequests
from connector.errors import SchemaError
from connector.ports.crm_requests import CrmRequests
from connector.store import crm_requests
from connector.store.crm_requests import Listening
from connector.store.workspaces import Workspace
from connector.sync import asking
from connector.sync.act_endings import ActDesk
from connector.sync.acting import LEASE
from connector.sync.asking import AskDesk

on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


def asks_of(scene: Scene) -> AskDesk:
    return replace(scene.parts.asks, clock=scene.clock)


@pytest.fixture
def on(scene: Scene) -> Scene:
    """Everything is in step, and people in Twenty may ask."""
    assert scene.sync().status == "success"
    assert scene.workspace is not None
    scene.clock.now = scene.clock.now.replace(year=2020)  # before whatever the CRM's clock says
    asking.switch_on(asks_of(scene), scene.workspace)
    return scene


def a_deal(scene: Scene, **wanted: Any) -> tuple[str, str]:
    """An opportunity and its membership, in this state on Whop."""
    deals = {row["whopMembershipId"]: row["id"] for row in scene.rows("opportunities")}
    for one in scene.records("memberships"):
        if one["id"] in deals and all(one[name] == value for name, value in wanted.items()):
            return deals[one["id"]], one["id"]
    raise AssertionError(f"there is none like {wanted}")


ACTIVE = {"status": "active", "most_recent_action": "renewing_on"}


def choose(scene: Scene, deal: str, choice: str | None) -> None:
    """Somebody in Twenty chooses."""
    stored = choice.upper().replace(",", "").replace(" ", "_") if choice else None
    query = "mutation($id:UUID!,$data:OpportunityUpdateInput!){updateOpportunity(id:$id,data:$data){id}}"
    scene.crm(query, id=deal, data={"whopAction": stored})


def look(scene: Scene) -> int:
    """The CRM told something, or an hour is over; then what is asked for is done."""
    assert scene.workspace is not None
    scene.clock.advance(5)
    asking.heard(asks_of(scene), scene.workspace.id)
    count = asking.look(asks_of(scene))
    act(scene, 0)
    return count


def row(scene: Scene, deal: str) -> Json:
    return next(one for one in scene.rows("opportunities") if one["id"] == deal)


def membership(scene: Scene, id_: str) -> Json:
    return next(one for one in scene.records("memberships") if one["id"] == id_)


def ask(scene: Scene, deal: str, choice: str) -> str:
    """Choose, and have it done; what the record says then. The field is empty again."""
    choose(scene, deal, choice)
    look(scene)
    found = row(scene, deal)
    assert found["whopAction"] is None
    return str(found["whopActionResult"])


def test_a_membership_is_paused_and_resumed(on: Scene) -> None:
    deal, id_ = a_deal(on, **ACTIVE)

    assert ask(on, deal, "Pause").startswith("Paused")
    assert membership(on, id_)["most_recent_action"] == "paused_at"
    assert ask(on, deal, "Resume").startswith("Resumed.")
    assert membership(on, id_)["most_recent_action"] == "renewing_on"


def test_it_is_cancelled_at_the_end_of_its_period_and_kept_after_all(on: Scene) -> None:
    deal, id_ = a_deal(on, **ACTIVE)

    assert "at the end of its period" in ask(on, deal, "Cancel at period end")
    assert membership(on, id_)["cancel_at_period_end"] is True
    assert "goes on" in ask(on, deal, "Keep after all")
    assert membership(on, id_)["cancel_at_period_end"] is False


def test_what_ends_the_access_is_asked_for_twice(on: Scene) -> None:
    deal, id_ = a_deal(on, **ACTIVE)

    assert "choose “Yes, cancel now” within 15 minutes" in ask(on, deal, "Cancel now")
    assert status_of(on, id_) == "active"
    assert ask(on, deal, "Yes, cancel now").startswith("Cancelled, at once.")
    assert (status_of(on, id_), cancels(on)) == ("canceled", 1)


def test_a_yes_without_the_question_or_too_late_does_nothing(on: Scene) -> None:
    deal, id_ = a_deal(on, **ACTIVE)

    assert "first" in ask(on, deal, "Yes, cancel now")
    ask(on, deal, "Cancel now")
    on.clock.advance(16 * 60)
    assert "first" in ask(on, deal, "Yes, cancel now")
    assert (status_of(on, id_), cancels(on)) == ("active", 0)


def test_a_question_about_another_record_is_no_yes_to_this_one(on: Scene) -> None:
    deal, id_ = a_deal(on, **ACTIVE)
    other = next(one["id"] for one in on.rows("opportunities") if one["id"] != deal)
    ask(on, other, "Cancel now")

    assert "first" in ask(on, deal, "Yes, cancel now")
    assert status_of(on, id_) == "active"


def test_what_is_so_already_is_not_asked_of_whop_again(on: Scene) -> None:
    deal, _ = a_deal(on, **ACTIVE)
    ask(on, deal, "Cancel at period end")

    assert "at the end" in ask(on, deal, "Cancel at period end")
    assert cancels(on) == 1


@pytest.mark.parametrize("choice", ["Pause", "Resume", "Keep after all", "Cancel at period end"])
def test_what_cannot_be_done_is_told_on_the_record(on: Scene, choice: str) -> None:
    deal, id_ = a_deal(on, status="canceled")

    assert ask(on, deal, choice).startswith("Not done: It has ended.")
    assert status_of(on, id_) == "canceled"


def test_our_own_writes_ask_for_nothing(on: Scene) -> None:
    deal, _ = a_deal(on, **ACTIVE)
    ask(on, deal, "Pause")
    for _ in range(3):
        assert look(on) == 0

    assert len(every(on)) == 1


def test_a_sync_leaves_the_choice_alone(on: Scene) -> None:
    deal, _ = a_deal(on, **ACTIVE)
    choose(on, deal, "Pause")
    on.clock.now = on.clock.now.replace(year=2026)
    on.sync()

    assert row(on, deal)["whopAction"] == "PAUSE"


def test_which_membership_it_is_the_link_says_whatever_is_typed(on: Scene) -> None:
    deal, id_ = a_deal(on, **ACTIVE)
    query = "mutation($id:UUID!,$data:OpportunityUpdateInput!){updateOpportunity(id:$id,data:$data){id}}"
    on.crm(query, id=deal, data={"whopMembershipId": "mem_of_somebody_else"})

    assert ask(on, deal, "Pause").startswith("Paused")
    assert membership(on, id_)["most_recent_action"] == "paused_at"


def test_a_record_that_no_membership_belongs_to_is_left(on: Scene) -> None:
    query = "mutation($data:OpportunityCreateInput!){createOpportunity(data:$data){id}}"
    made = on.crm(query, data={"name": "By hand", "whopAction": "PAUSE"})["createOpportunity"]["id"]

    assert look(on) == 0
    assert row(on, made)["whopAction"] == "PAUSE"


def test_it_is_found_each_hour_where_the_crm_tells_nothing(on: Scene) -> None:
    asking.look(asks_of(on))
    deal, id_ = a_deal(on, **ACTIVE)
    choose(on, deal, "Pause")
    on.clock.advance(3599)
    assert asking.look(asks_of(on)) == 0
    on.clock.advance(2)
    assert asking.look(asks_of(on)) == 1
    act(on, 0)

    assert membership(on, id_)["most_recent_action"] == "paused_at"


def test_what_was_chosen_before_it_was_switched_on_is_left(scene: Scene) -> None:
    scene.sync()
    assert scene.workspace is not None
    scene.clock.now = scene.clock.now.replace(year=2020)
    asking.switch_on(asks_of(scene), scene.workspace)
    deal, _ = a_deal(scene, **ACTIVE)
    choose(scene, deal, "Pause")
    asking.switch_off(asks_of(scene), scene.workspace)
    assert look(scene) == 0
    scene.clock.now = scene.clock.now.replace(year=2030)
    asking.switch_on(asks_of(scene), scene.workspace)

    assert look(scene) == 0


def test_a_missing_permission_is_told_on_the_record_and_to_a_person(on: Scene) -> None:
    granted = ["company:basic:read", "member:basic:read", "payment:basic:read", "plan:basic:read"]
    on.whop.ask("POST", "/keys", {"do": "restrict", "permissions": granted})
    deal, _ = a_deal(on, **ACTIVE)
    choose(on, deal, "Pause")
    look(on)
    for seconds in (11, 31, 61):
        act(on, seconds)

    found = row(on, deal)
    assert found["whopAction"] is None
    assert "member:manage" in found["whopActionResult"]
    assert [(one.state, one.error["code"]) for one in every(on) if one.error] == [("failed", "act_scope")]


def test_the_field_is_made_once_and_another_of_its_name_is_left_alone(scene: Scene) -> None:
    assert scene.workspace is not None
    for _ in range(2):
        asking.switch_on(asks_of(scene), scene.workspace)
    bearer = {"Authorization": f"Bearer {scene.crm_key}"}
    client = TwentyClient(
        scene.parts.door.session(scene.twenty.url, headers=bearer), pause=scene.clock.advance
    )

    assert len(client.rest("GET", "/rest/metadata/webhooks")) == 1


def test_a_field_of_another_type_stands_in_the_way(scene: Scene) -> None:
    assert scene.workspace is not None
    session = scene.parts.door.session(scene.twenty.url, headers={"Authorization": f"Bearer {scene.crm_key}"})
    client = TwentyClient(session, pause=lambda _seconds: None)
    objects = client.rest("GET", "/rest/metadata/objects?limit=200")["data"]
    owner = next(one["id"] for one in objects if one["nameSingular"] == "opportunity")
    body = {"objectMetadataId": owner, "type": "TEXT", "name": "whopAction", "label": "Mine"}
    client.rest("POST", "/rest/metadata/fields", body)

    with pytest.raises(SchemaError, match="whopAction"):
        asking.switch_on(asks_of(scene), scene.workspace)
    assert kept(scene) is None


def kept(scene: Scene) -> Listening | None:
    assert scene.workspace is not None
    with scene.parts.database.reading() as session:
        return crm_requests.get(session, scene.workspace.id)


def dying(scene: Scene, fate: Fate) -> ActDesk:
    """The desk of a worker that dies at a seam of either side."""

    def open_crm(workspace: Workspace) -> CrmRequests:
        bearer = {"Authorization": f"Bearer {scene.crm_key}"}
        session = scene.parts.door.session(workspace.crm_url, headers=bearer)
        seamed = BreakableSession(session, fate, BEFORE_CRM, AFTER_CRM)
        return TwentyRequests(TwentyClient(seamed, pause=lambda _seconds: None))

    return replace(to_be_killed(scene, fate), open_crm=open_crm)


@on_sqlite
@pytest.mark.parametrize(
    "seam", [BEFORE_COMMIT, AFTER_COMMIT, BEFORE_CRM, AFTER_CRM, BEFORE_WHOP, AFTER_WHOP]
)
def test_what_was_asked_is_done_once_wherever_a_worker_is_killed(on: Scene, seam: str) -> None:
    deal, id_ = a_deal(on, **ACTIVE)
    nth, struck = 0, True
    while struck:
        nth += 1
        choose(on, deal, ("Cancel at period end", "Keep after all")[(nth - 1) % 2])
        asking.heard(asks_of(on), kept(on).workspace_id)  # type: ignore[union-attr]
        for _ in range(3):
            on.clock.advance(1)
            asking.look(asks_of(on))
        fate = Fate(seam, nth)
        with suppress(Killed):
            act(on, 0, desk=dying(on, fate), owner=f"killed-{nth}")
        struck = fate.struck
        act(on, LEASE.total_seconds() + 1, owner=f"next-{nth}")

        assert membership(on, id_)["cancel_at_period_end"] is (nth % 2 == 1), f"killed {seam}, {nth}"
        assert row(on, deal)["whopAction"] is None
        assert cancels(on) == (nth + 1) // 2
        assert [one.state for one in every(on)] == ["done"] * nth
    assert nth > 1


@on_sqlite
@pytest.mark.parametrize("seam", [BEFORE_COMMIT, AFTER_COMMIT])
def test_a_look_that_is_killed_finds_it_the_next_time(on: Scene, seam: str) -> None:
    deal, id_ = a_deal(on, **ACTIVE)
    choose(on, deal, "Pause")
    for nth in (1, 2):
        killed = replace(asks_of(on), database=DeadDatabase(on.parts.database, Fate(seam, nth)))  # type: ignore[arg-type]
        with suppress(Killed):
            asking.look(killed)
        on.clock.advance(3601)
    asking.look(asks_of(on))
    act(on, 0)

    assert membership(on, id_)["most_recent_action"] == "paused_at"
    assert len(every(on)) == 1
