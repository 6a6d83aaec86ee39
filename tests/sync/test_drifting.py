"""Edits in the CRM: a complete pass finds them although nothing changed at the source."""

from __future__ import annotations

from typing import Any

import pytest
from scene import Json, Scene
from test_full_sync import a_member_with_email, a_membership, forget_requests, writes
from test_recognising import destroy, trash

from connector.store import hooks, silence
from connector.store.links import Claimed
from connector.store.removals import after
from connector.sync import onboarding, steering


@pytest.fixture
def synced(scene: Scene) -> Scene:
    scene.sync()
    return scene


def edit(scene: Scene, object_: str, id_: str, **values: Any) -> None:
    """Somebody types over it."""
    type_ = object_.capitalize()
    query = f"mutation($id:UUID!,$data:{type_}UpdateInput!){{update{type_}(id:$id,data:$data){{id}}}}"
    scene.crm(query, id=id_, data=values)


def edited_deal(scene: Scene) -> Json:
    """An opportunity whose Whop status somebody changed."""
    membership = a_membership(scene, status="active")
    edit(scene, "opportunity", scene.deal_of(membership["id"])["id"], whopMembershipStatus="CANCELLED")
    return membership


def test_an_edit_of_a_field_that_whop_owns_is_put_back_and_counted(synced: Scene) -> None:
    membership = edited_deal(synced)

    run = synced.sync()

    entry = synced.told(run, membership["id"])
    assert synced.deal_of(membership["id"])["whopMembershipStatus"] == "ACTIVE"
    assert (entry.result, entry.reason, entry.drift) == ("updated", "put_back", ["whopMembershipStatus"])
    assert entry.before == {"whopMembershipStatus": "CANCELLED"}
    assert run.drift == 1


def test_an_incremental_sync_puts_it_back_too(synced: Scene) -> None:
    membership = edited_deal(synced)

    assert synced.connection is not None
    id_ = onboarding.start_sync(
        synced.tools, synced.connection, "incremental", why="The test", correlation_id="corr-test"
    )
    run = synced.go_on(id_)

    assert synced.told(run, membership["id"]).drift == ["whopMembershipStatus"]
    assert run.drift == 1


def test_what_is_put_back_is_nothing_that_a_webhook_missed(synced: Scene) -> None:
    assert synced.workspace is not None
    assert synced.connection is not None
    ids, now = (synced.workspace.id, synced.connection.id), synced.clock()
    with synced.parts.database.transaction() as session:
        hooks.add_secret(session, hooks.HookSecret("secret", *ids, "standard", "sealed", now))
    synced.clock.advance(3600)
    synced.sync()
    member = a_member_with_email(synced)
    edit(synced, "person", synced.person_of(member["id"])["id"], whopUsername="somebody-else")
    synced.clock.advance(3600)

    run = synced.sync()

    with synced.parts.database.reading() as session:
        assert (run.drift, silence.missed(session, run)) == (1, 0)


def test_the_pass_after_has_nothing_to_put_back(synced: Scene) -> None:
    edited_deal(synced)
    synced.sync()
    forget_requests(synced)

    run = synced.sync()

    assert (run.drift, writes(synced)) == (0, {})


def test_an_edit_of_a_field_that_people_own_is_left_alone(synced: Scene) -> None:
    membership = a_membership(synced, status="active")
    edit(synced, "opportunity", synced.deal_of(membership["id"])["id"], name="Our best customer", stage="NEW")
    forget_requests(synced)

    run = synced.sync()

    deal = synced.deal_of(membership["id"])
    assert (deal["name"], deal["stage"]) == ("Our best customer", "NEW")
    assert (run.drift, writes(synced)) == (0, {})


def test_a_field_of_which_the_mapping_knows_nothing_costs_one_more_look(synced: Scene) -> None:
    membership = a_membership(synced, status="active")
    edit(synced, "opportunity", synced.deal_of(membership["id"])["id"], closeDate="2027-01-01T00:00:00.000Z")

    assert [looks_of_a_pass(synced) for _ in range(2)] == [2, 1]
    assert synced.deal_of(membership["id"])["closeDate"] == "2027-01-01T00:00:00.000Z"


def looks_of_a_pass(scene: Scene) -> int:
    """Requests about opportunities: one asks for times, another for whatever moved."""
    forget_requests(scene)
    scene.sync()
    return int(scene.twenty.ask("GET", "/stats")["requests"]["opportunities"])


def test_what_a_person_edited_stays_theirs_when_the_company_is_left(synced: Scene) -> None:
    member = a_member_with_email(synced)
    edit(synced, "person", synced.person_of(member["id"])["id"], jobTitle="Founder")

    synced.sync()

    assert synced.workspace is not None
    assert synced.connection is not None
    scope = Claimed(synced.workspace.id, synced.connection.id, "whop", "member", "person")
    with synced.parts.database.reading() as session:
        (left,) = [one for one in after(session, scope, 0, 500) if one.ref.id == member["id"]]
    assert left.crm_updated_at < synced.person_of(member["id"])["updatedAt"]


def test_a_contact_that_somebody_took_away_is_pointed_at_again(synced: Scene) -> None:
    membership = a_membership(synced, status="active")
    deal = synced.deal_of(membership["id"])
    edit(synced, "opportunity", deal["id"], pointOfContactId=None)

    run = synced.sync()

    assert synced.deal_of(membership["id"])["pointOfContactId"] == deal["pointOfContactId"]
    assert synced.told(run, membership["id"]).drift == ["pointOfContact"]


def test_a_record_that_somebody_deleted_is_seen_although_nothing_else_changed(synced: Scene) -> None:
    member, other = synced.records("members")[:2]
    trash(synced, synced.person_of(member["id"])["id"])
    destroy(synced, synced.person_of(other["id"])["id"])

    run = synced.sync()

    for one in (member, other):
        assert synced.told(run, one["id"]).reason == "deleted_in_crm"


def test_a_repair_looks_at_a_record_that_is_in_step_by_its_link(synced: Scene) -> None:
    membership = edited_deal(synced)

    run = synced.go_on(repair_of(synced, membership["id"]))

    assert synced.told(run, membership["id"]).drift == ["whopMembershipStatus"]


def repair_of(scene: Scene, membership_id: str) -> str:
    assert scene.workspace is not None
    assert scene.connection is not None
    return steering.take_again(
        scene.tools,
        scene.workspace.id,
        scene.connection.id,
        {"membership": [membership_id]},
        why="The test",
        correlation_id="corr-test",
    )
