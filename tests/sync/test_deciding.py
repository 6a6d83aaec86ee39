"""What a person decides about a record that fits several, and what follows from it at once and for ever."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from scene import Json, Scene, one

from connector.core.plan import Choice, Decision
from connector.errors import RefusedError
from connector.store import connections, reviews, runs
from connector.store.reviews import Review
from connector.store.runs import Run
from connector.sync import deciding

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


def twins(scene: Scene) -> tuple[Json, Json]:
    """Two members with one e-mail address, the older first."""
    members = [one for one in scene.records("members") if one["email"]]
    times = Counter(one["email"].lower() for one in members)
    shared = next(email for email, number in times.items() if number == 2)
    pair = sorted((one for one in members if one["email"].lower() == shared), key=lambda m: m["created_at"])
    return pair[0], pair[1]


def asked(scene: Scene, *states: str) -> list[Review]:
    assert scene.workspace is not None
    with scene.parts.database.reading() as session:
        return reviews.page(session, scene.workspace.id, states or (reviews.WAITING,)).items


def about(scene: Scene, member: Json) -> Review:
    (found,) = (
        one for one in asked(scene, "waiting", "decided", "done", "closed") if one.source_id == member["id"]
    )
    return found


def decide(
    scene: Scene, review: Review, choice: Choice, crm_id: str | None = None, version: str = ""
) -> Review:
    return deciding.decide(
        scene.tools,
        review.workspace_id,
        review.id,
        Decision(choice, crm_id),
        version=version or review.version,
        who="marta",
        tell=lambda _session, _one: None,
    )


def take_back(scene: Scene, review: Review) -> Review:
    return deciding.take_back(scene.tools, review.workspace_id, review.id, tell=lambda _session, _one: None)


def newest(scene: Scene) -> Run:
    assert scene.workspace is not None
    with scene.parts.database.reading() as session:
        return runs.of_workspace(session, scene.workspace.id, limit=1)[0]


def carry_out(scene: Scene) -> Run:
    """The sync that the decision started, to its end."""
    run = newest(scene)
    assert (run.type, run.active) == ("repair", True)
    return scene.go_on(run.id)


def deals_of(scene: Scene, member: Json) -> list[Json]:
    ids = [one["id"] for one in scene.records("memberships") if one["member_id"] == member["id"]]
    return [scene.deal_of(id_) for id_ in ids]


def typed_pair(scene: Scene) -> tuple[Json, str, str]:
    """A member whose address is the first of one person and a further one of another."""
    members = scene.records("members")
    addresses = [(one["email"] or "").lower() for one in members]
    buyers = {one["member_id"] for one in scene.records("memberships") if one["status"] != "drafted"}
    member = next(
        one
        for one in members
        if one["user"] and one["id"] in buyers and one["email"] and addresses.count(one["email"].lower()) == 1
    )
    first = scene.type_person(emails={"primaryEmail": member["email"]})
    further = {"primaryEmail": "other@example.com", "additionalEmails": [member["email"]]}
    return member, first, scene.type_person(emails=further)


# --- asking


def test_a_question_shows_the_record_and_what_tells_its_candidates_apart(scene: Scene) -> None:
    member, first, second = typed_pair(scene)

    scene.sync()

    found = about(scene, member)
    assert (found.state, found.why, found.only_one) == ("waiting", "several", False)
    assert found.said["whopUserId"] == member["user"]["id"]
    assert {candidate["id"] for candidate in found.candidates} == {first, second}
    assert all(candidate["fits"] == ["emails"] for candidate in found.candidates)
    other = one(found.candidates, id=second)
    assert other["further"] == {"emails": [member["email"].lower()]}


def test_asking_again_asks_once(scene: Scene) -> None:
    member, *_ = typed_pair(scene)
    scene.sync()
    before = about(scene, member)

    scene.sync()

    assert about(scene, member) == before


def test_a_question_that_answers_itself_is_closed(scene: Scene) -> None:
    member, first, second = typed_pair(scene)
    scene.sync()
    scene.crm("mutation($id:UUID!){destroyPerson(id:$id){id}}", id=second)

    scene.sync()

    assert about(scene, member).state == "closed"
    assert scene.person_of(member["id"])["id"] == first


# --- deciding


def test_linking_starts_the_records_own_sync_and_ties_what_waited_for_it(scene: Scene) -> None:
    member, _, second = typed_pair(scene)
    scene.sync()
    assert {deal["pointOfContactId"] for deal in deals_of(scene, member)} == {None}

    decide(scene, about(scene, member), Choice.LINK, second)
    run = carry_out(scene)

    assert run.status == "success", scene.log(run, "failed")
    assert scene.person_of(member["id"])["id"] == second
    assert {deal["pointOfContactId"] for deal in deals_of(scene, member)} == {second}
    assert about(scene, member).state == "done"
    assert scene.told(run, member["id"]).reason == "chosen"


def test_a_new_person_goes_without_what_another_has(scene: Scene) -> None:
    first, second = twins(scene)
    scene.sync()

    decide(scene, about(scene, second), Choice.CREATE)
    run = carry_out(scene)

    person = scene.person_of(second["id"])
    assert (person["whopUserId"], person["emails"]["primaryEmail"]) == (second["user"]["id"], "")
    assert scene.person_of(first["id"])["id"] != person["id"]
    assert "emails is not written here" in str(scene.told(run, second["id"]).warnings)
    assert {deal["pointOfContactId"] for deal in deals_of(scene, second)} == {person["id"]}


def test_two_members_may_be_one_person_and_the_first_keeps_its_identity(scene: Scene) -> None:
    first, second = twins(scene)
    scene.sync()
    person = scene.person_of(first["id"])

    decide(scene, about(scene, second), Choice.LINK, person["id"])
    carry_out(scene)

    assert scene.person_of(first["id"])["whopUserId"] == first["user"]["id"]
    assert {deal["pointOfContactId"] for deal in deals_of(scene, second)} == {person["id"]}


def test_what_is_left_out_is_not_asked_again(scene: Scene) -> None:
    member, *_ = typed_pair(scene)
    scene.sync()
    decide(scene, about(scene, member), Choice.IGNORE)
    scene.change("members", member["id"], user={**member["user"], "username": "renamed"})

    run = scene.sync()

    assert asked(scene) == [one for one in asked(scene) if one.source_id != member["id"]]
    entry = scene.told(run, member["id"])
    assert (entry.result, entry.reason, about(scene, member).choice) == ("skipped", "ignored", "ignore")


def test_a_decision_outlives_full_syncs(scene: Scene) -> None:
    member, _, second = typed_pair(scene)
    scene.sync()
    decide(scene, about(scene, member), Choice.LINK, second)
    carry_out(scene)

    run = scene.sync()

    assert set(run.counts["person"]) <= {"unchanged", "skipped"}
    assert (about(scene, member).choice, about(scene, member).crm_id) == ("link", second)


def test_a_decision_waits_for_a_sync_that_is_under_way(scene: Scene) -> None:
    member, _, second = typed_pair(scene)
    scene.sync()
    running = scene.start()

    decide(scene, about(scene, member), Choice.LINK, second)

    assert newest(scene).id == running
    assert deciding.sweep(scene.tools) == 0
    scene.go_on(running)
    assert scene.person_of(member["id"])["id"] == second  # the sync under way came by and carried it out
    deciding.sweep(scene.tools)
    assert about(scene, member).state == "done"


def test_a_decision_that_no_sync_came_by_is_started_by_the_sweeper_once(scene: Scene) -> None:
    member, _, second = typed_pair(scene)
    scene.sync()
    assert scene.connection is not None
    review = about(scene, member)
    with scene.parts.database.transaction() as session:
        connections.set_paused(session, review.workspace_id, scene.connection.id, paused=True)
    decide(scene, review, Choice.LINK, second)
    with scene.parts.database.transaction() as session:
        connections.set_paused(session, review.workspace_id, scene.connection.id, paused=False)

    started = [deciding.sweep(scene.tools) for _ in range(2)]
    carry_out(scene)

    assert started == [1, 0]
    assert deciding.sweep(scene.tools) == 0
    assert scene.person_of(member["id"])["id"] == second


def test_a_decision_for_what_has_changed_meanwhile_is_refused(scene: Scene) -> None:
    member, first, _ = typed_pair(scene)
    scene.sync()
    before = about(scene, member)
    scene.type_person(emails={"primaryEmail": "third@example.com", "additionalEmails": [member["email"]]})
    scene.sync()

    with pytest.raises(RefusedError) as refused:
        decide(scene, before, Choice.LINK, first)

    assert refused.value.code == "review_changed"
    assert len(about(scene, member).candidates) == 3


@pytest.mark.parametrize(
    ("choice", "crm_id"), [(Choice.LINK, "somebody-else"), (Choice.LINK, None), (Choice.CREATE, "new")]
)
def test_only_what_is_offered_can_be_chosen(scene: Scene, choice: Choice, crm_id: str | None) -> None:
    member, *_ = typed_pair(scene)
    scene.sync()

    with pytest.raises(RefusedError) as refused:
        decide(scene, about(scene, member), choice, crm_id)

    assert refused.value.code == "review_choice"


def test_a_choice_that_is_gone_when_it_is_carried_out_is_asked_again(scene: Scene) -> None:
    member, _, second = typed_pair(scene)
    third = scene.type_person(
        whopUserId="", emails={"primaryEmail": "3@x.test", "additionalEmails": [member["email"]]}
    )
    scene.sync()
    decide(scene, about(scene, member), Choice.LINK, second)
    scene.crm("mutation($id:UUID!){destroyPerson(id:$id){id}}", id=second)

    run = carry_out(scene)

    again = about(scene, member)
    assert (again.state, again.why, again.choice) == ("waiting", "choice_gone", None)
    assert third in {candidate["id"] for candidate in again.candidates}
    assert scene.told(run, member["id"]).reason == "review"


# --- taking back


@pytest.mark.parametrize("choice", [Choice.LINK, Choice.IGNORE])
def test_a_decision_that_is_taken_back_is_asked_again(scene: Scene, choice: Choice) -> None:
    member, _, second = typed_pair(scene)
    scene.sync()
    decide(scene, about(scene, member), choice, second if choice is Choice.LINK else None)
    if choice is Choice.LINK:
        carry_out(scene)

    take_back(scene, about(scene, member))
    carry_out(scene)

    again = about(scene, member)
    assert (again.state, again.choice) == ("waiting", None)
    assert len(again.candidates) == 2


def test_a_person_that_was_made_is_a_candidate_once_that_is_taken_back(scene: Scene) -> None:
    first, second = twins(scene)
    scene.sync()
    decide(scene, about(scene, second), Choice.CREATE)
    carry_out(scene)
    made = scene.person_of(second["id"])["id"]

    take_back(scene, about(scene, second))
    carry_out(scene)

    again = about(scene, second)
    assert (again.state, again.only_one) == ("waiting", True)
    assert {candidate["id"] for candidate in again.candidates} == {made, scene.person_of(first["id"])["id"]}
    assert len([row for row in scene.rows("people") if row["whopUserId"] == second["user"]["id"]]) == 1


def test_what_was_not_decided_cannot_be_taken_back(scene: Scene) -> None:
    member, *_ = typed_pair(scene)
    scene.sync()

    with pytest.raises(RefusedError) as refused:
        take_back(scene, about(scene, member))

    assert refused.value.code == "review_undecided"


def test_a_membership_is_tied_by_the_sweeper_when_its_person_comes_by_another_way(scene: Scene) -> None:
    member, _, second = typed_pair(scene)
    scene.sync()
    scene.crm("mutation($id:UUID!){destroyPerson(id:$id){id}}", id=second)
    assert scene.connection is not None
    run_id = _repair_of(scene, "member", [member["id"]])
    scene.go_on(run_id)
    person = scene.person_of(member["id"])["id"]
    assert {deal["pointOfContactId"] for deal in deals_of(scene, member)} == {None}

    assert deciding.sweep(scene.tools) == 1
    carry_out(scene)

    assert {deal["pointOfContactId"] for deal in deals_of(scene, member)} == {person}
    assert deciding.sweep(scene.tools) == 0


def _repair_of(scene: Scene, kind: str, ids: list[str]) -> str:
    connection: Any = scene.connection
    new = runs.NewRun(
        id="repair-by-hand",
        workspace_id=connection.workspace_id,
        connection_id=connection.id,
        type="repair",
        why="The test",
        correlation_id="corr-test",
        now=scene.clock(),
        checkpoint={"refs": {kind: ids}},
    )
    with scene.parts.database.transaction() as session:
        runs.start(session, new)
    return new.id
