"""What happened in the CRM to records that did not change on Whop: a complete pass notices it."""

from __future__ import annotations

from typing import Any

import pytest
from scene import Json, Scene, one
from test_recognising import a_member

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


def deals_of(scene: Scene, member: Json) -> list[Json]:
    return [
        scene.deal_of(one["id"])
        for one in scene.records("memberships")
        if one["member_id"] == member["id"] and one["status"] != "drafted"
    ]


def test_a_destroyed_record_is_noticed_although_nothing_changed_on_whop(scene: Scene) -> None:
    scene.sync()
    member = a_member(scene)
    scene.crm("mutation($id:UUID!){destroyPerson(id:$id){id}}", id=scene.person_of(member["id"])["id"])

    run = scene.sync()
    again = scene.sync()

    for told in (scene.told(run, member["id"]), scene.told(again, member["id"])):
        assert (told.result, told.reason) == ("skipped", "deleted_in_crm")
    assert (run.status, again.status) == ("success", "success")


def test_a_record_in_the_bin_is_noticed_and_stays_there(scene: Scene) -> None:
    scene.sync()
    member = a_member(scene)
    id_ = scene.person_of(member["id"])["id"]
    scene.crm("mutation($id:UUID!){deletePerson(id:$id){id}}", id=id_)

    run = scene.sync()

    assert scene.told(run, member["id"]).reason == "deleted_in_crm"
    assert one(scene.rows("people"), id=id_)["deletedAt"] is not None


def test_a_merged_person_is_followed_although_nothing_changed_on_whop(scene: Scene) -> None:
    scene.sync()
    member = a_member(scene)
    old = scene.person_of(member["id"])["id"]
    kept = scene.type_person(emails={"primaryEmail": "typed@example.com", "additionalEmails": []})
    picks = "id emails{primaryEmail additionalEmails} whopUserId whopMemberId whopUsername"
    query = f"mutation($ids:[UUID!]!){{mergePeople(ids:$ids,conflictPriorityIndex:0){{{picks}}}}}"
    scene.crm(query, ids=[kept, old])

    run = scene.sync()
    again = scene.sync()

    assert scene.told(run, member["id"]).reason == "merged"
    assert {deal["pointOfContactId"] for deal in deals_of(scene, member)} == {kept}
    assert set(again.counts["person"]) <= {"unchanged", "skipped"}


def test_a_relation_that_was_cleared_is_set_again(scene: Scene) -> None:
    scene.sync()
    member = a_member(scene)
    person, deal = scene.person_of(member["id"]), deals_of(scene, member)[0]
    clear = "mutation($id:UUID!,$d:OpportunityUpdateInput!){updateOpportunity(id:$id,data:$d){id}}"
    scene.crm(clear, id=deal["id"], d={"pointOfContactId": None})

    run = scene.sync()

    assert one(scene.rows("opportunities"), id=deal["id"])["pointOfContactId"] == person["id"]
    assert run.counts["opportunity"]["updated"] == 1


def test_a_contact_in_the_bin_is_still_what_the_relation_holds(scene: Scene) -> None:
    scene.sync()
    member = a_member(scene)
    scene.crm("mutation($id:UUID!){deletePerson(id:$id){id}}", id=scene.person_of(member["id"])["id"])
    before = deals_of(scene, member)

    scene.sync()
    again: Any = scene.sync()

    assert [deal["pointOfContactId"] for deal in deals_of(scene, member)] == [
        deal["pointOfContactId"] for deal in before
    ]
    assert set(again.counts["opportunity"]) <= {"unchanged", "skipped"}


def test_where_nothing_happened_one_look_of_each_block_is_all_that_is_asked(scene: Scene) -> None:
    scene.sync()
    before = scene.twenty.ask("GET", "/stats")["requests"]

    scene.sync()

    after = scene.twenty.ask("GET", "/stats")["requests"]
    assert after["opportunities"] - before["opportunities"] == 1
    assert after["people"] - before["people"] <= 2  # one is about those that are not in step
