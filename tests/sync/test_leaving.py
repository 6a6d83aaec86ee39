"""What becomes of the CRM's records when a company is disconnected, killed anywhere on the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from breaking import AFTER_COMMIT, AFTER_CRM, BEFORE_COMMIT, BEFORE_CRM, Fate, Killed, breakable
from scene import Scene, Service, cap_batches, whop_served

from connector.core.outcomes import Result
from connector.store import connections, overview
from connector.store.runs import Run
from connector.sync import leaving, steering
from connector.sync.leaving import Then
from connector.sync.steering import Leave
from connector.sync.tokens import Keeper

Rows = list[dict[str, Any]]


@pytest.fixture
def whop() -> Iterator[Service]:
    with whop_served(members=9, memberships=12) as service:
        yield service


@pytest.fixture
def synced(scene: Scene) -> Scene:
    """Everything is in step; Ada was in Twenty before."""
    assert scene.sync().status == "success"
    return scene


def keeper(scene: Scene) -> Keeper:
    return replace(scene.parts.openers.keeper, clock=scene.clock)


def disconnect(scene: Scene, then: Then) -> str:
    assert scene.connection is not None
    where = (scene.connection.workspace_id, scene.connection.id)
    leave = Leave(then, "Disconnected by marta", "corr-leave")
    id_ = steering.disconnect(scene.tools, keeper(scene), *where, leave)
    assert id_ is not None
    return id_


def left(scene: Scene, then: Then) -> Run:
    return scene.go_on(disconnect(scene, then))


def alive(rows: Rows) -> Rows:
    return [row for row in rows if row["deletedAt"] is None]


def counted(scene: Scene) -> dict[str, tuple[int, int, int]]:
    assert scene.connection is not None
    where = (scene.connection.workspace_id, scene.connection.id)
    with scene.parts.database.reading() as session:
        found = leaving.count(session, scene.tools.mappings.shipped.mappings, *where)
    return {each.object: (each.linked, each.made, each.marked) for each in found}


def test_keeping_the_records_starts_nothing(synced: Scene) -> None:
    assert synced.connection is not None
    where = (synced.connection.workspace_id, synced.connection.id)
    before = synced.rows("people")

    assert steering.disconnect(synced.tools, keeper(synced), *where) is None

    assert synced.rows("people") == before


def test_what_we_made_goes_into_the_bin_with_an_entry_for_each(synced: Scene) -> None:
    made = sum(made for _, made, _ in counted(synced).values())

    run = left(synced, Then.DELETE)

    assert (run.status, run.type) == ("success", "undo")
    for plural in ("people", "opportunities", "whopProducts"):
        assert alive(synced.rows(plural)) == []
        assert synced.rows(plural), "a soft delete: they can be restored in Twenty"
    entries = synced.log(run)
    assert len(entries) == made
    assert {(entry.result, entry.reason) for entry in entries} == {("updated", "removed")}


def test_a_person_who_was_there_before_us_stays(scene: Scene) -> None:
    member = next(each for each in scene.records("members") if each["email"])
    id_ = scene.type_person(emails={"primaryEmail": member["email"]})
    scene.sync()
    assert counted(scene)["person"][0] == counted(scene)["person"][1] + 1

    run = left(scene, Then.DELETE)

    assert [row["id"] for row in alive(scene.rows("people"))] == [id_]
    entry = scene.told(run, member["id"])
    assert (entry.result, entry.reason) == ("skipped", "kept")
    assert entry.warnings == ["It was in Twenty before it was synced."]


def test_a_person_whom_somebody_changed_since_stays(synced: Scene) -> None:
    person = synced.rows("people")[0]
    edit(synced, person["id"], jobTitle="Head of craft")

    run = left(synced, Then.DELETE)

    assert [row["id"] for row in alive(synced.rows("people"))] == [person["id"]]
    assert synced.told(run, person["whopMemberId"]).warnings == ["Somebody changed it in Twenty since."]


def edit(scene: Scene, id_: str, **values: Any) -> None:
    query = "mutation($id:UUID!,$data:PersonUpdateInput!){updatePerson(id:$id,data:$data){id}}"
    scene.crm(query, id=id_, data=values)


def test_a_person_changed_between_the_look_and_the_delete_stays(synced: Scene) -> None:
    person = synced.rows("people")[0]
    id_ = disconnect(synced, Then.DELETE)
    fate = Fate(AFTER_CRM, 10**6)
    tools = breakable(synced, fate)
    asked = tools.open_writer

    def writer(*args: Any) -> Any:
        made = asked(*args)
        look = made.look

        def looked(mapping: Any, seeks: Any) -> Any:
            found = look(mapping, seeks)
            if mapping.object.name == "person":
                edit(synced, person["id"], jobTitle="Just now")
            return found

        made.look = looked
        return made

    run = synced.go_on(id_, tools=replace(tools, open_writer=writer))

    assert [row["id"] for row in alive(synced.rows("people"))] == [person["id"]]
    assert synced.told(run, person["whopMemberId"]).reason == "kept"


def test_a_pass_that_writes_nothing_forgets_no_time_of_ours(synced: Scene) -> None:
    with synced.parts.database.transaction() as session:
        session.exec_driver_sql("UPDATE link SET fingerprint = NULL")
    assert synced.sync().counts["person"] == {"unchanged": 9}

    left(synced, Then.DELETE)

    assert alive(synced.rows("people")) == []


def test_what_somebody_deleted_already_is_told_as_that(synced: Scene) -> None:
    person = synced.rows("people")[0]
    synced.crm("mutation($id:UUID!){deletePerson(id:$id){id}}", id=person["id"])

    run = left(synced, Then.DELETE)

    assert synced.told(run, person["whopMemberId"]).reason == "deleted_in_crm"


def test_what_another_company_of_the_workspace_has_too_stays(synced: Scene) -> None:
    person = synced.rows("people")[0]
    also_of_another(synced, person["id"])

    run = left(synced, Then.DELETE)

    assert [row["id"] for row in alive(synced.rows("people"))] == [person["id"]]
    told = synced.told(run, person["whopMemberId"])
    assert told.warnings == ["Another company of this workspace has it too."]


def also_of_another(scene: Scene, crm_id: str) -> None:
    """A second company's member who is the same person."""
    assert scene.connection is not None
    other = replace(scene.connection, id="other", company_id="biz_other")
    row = "'{}', 'other', 'whop', 'member', 'mber_other', 'person', '{}', 'linked', 0"
    names = "workspace_id, connection_id, source, kind, source_id, object, crm_id, state, generation"
    with scene.parts.database.transaction() as session:
        connections.add_or_revive(session, other)
        session.exec_driver_sql(
            f"INSERT INTO link ({names}) VALUES ({row.format(other.workspace_id, crm_id)})"
        )


def test_marking_writes_what_the_mapping_says_and_deletes_nothing(synced: Scene) -> None:
    before = synced.rows("people")

    run = left(synced, Then.MARK)

    deals = synced.rows("opportunities")
    assert {deal["whopMembershipStatus"] for deal in deals} == {"EXPIRED"}
    assert alive(deals) == deals
    assert synced.rows("people") == before, "no mapping marks people"
    entry = synced.log(run, Result.UPDATED.value)[0]
    assert (entry.before or {})["whopMembershipStatus"] != "EXPIRED"
    assert entry.after == {"whopMembershipStatus": "EXPIRED"}


def test_marked_records_follow_whop_again_after_reconnecting(synced: Scene) -> None:
    assert synced.workspace is not None
    before = {row["id"]: row["whopMembershipStatus"] for row in synced.rows("opportunities")}
    left(synced, Then.MARK)

    synced.add_connection(synced.workspace)
    caught_up(synced)

    assert {row["id"]: row["whopMembershipStatus"] for row in synced.rows("opportunities")} == before


def test_deleted_records_come_back_after_reconnecting(synced: Scene) -> None:
    assert synced.workspace is not None
    before = {row["id"] for row in synced.rows("people")}
    left(synced, Then.DELETE)

    synced.add_connection(synced.workspace)
    caught_up(synced)

    assert {row["id"] for row in alive(synced.rows("people"))} == before
    assert {row["id"] for row in synced.rows("people")} == before, "nobody is there twice"


def caught_up(scene: Scene) -> Run:
    assert scene.workspace is not None
    with scene.parts.database.reading() as session:
        (run,) = overview.active_runs(session, scene.workspace.id).values()
    assert run.why == "After reconnect"
    ended = scene.go_on(run.id)
    assert ended.status == "success"
    return ended


def test_reconnecting_stops_what_is_being_taken_back(synced: Scene) -> None:
    assert synced.workspace is not None
    id_ = disconnect(synced, Then.DELETE)

    synced.add_connection(synced.workspace)

    assert synced.run(id_).status == "cancelled"
    caught_up(synced)
    assert len(alive(synced.rows("people"))) == 9


@pytest.mark.parametrize("then", [Then.DELETE, Then.MARK])
@pytest.mark.parametrize("seam", [BEFORE_COMMIT, AFTER_COMMIT, BEFORE_CRM, AFTER_CRM])
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_job_killed_anywhere_ends_as_if_nobody_had_killed_it(synced: Scene, then: Then, seam: str) -> None:
    cap_batches(synced, 5)
    expected = sum(numbers[1 if then is Then.DELETE else 2] for numbers in counted(synced).values())
    id_ = disconnect(synced, then)
    nth, struck = 1, True
    while struck:  # a kill at each passing of the seam, one after the other, all in one run
        fate = Fate(seam, nth)
        with suppress(Killed):
            for number in range(40):
                run = synced.advance(id_, owner=f"{nth}-{number}", tools=breakable(synced, fate))
                if not run.active:
                    break
        struck = fate.struck
        nth += 1
        run = synced.run(id_)
        synced.clock.advance(200)
        if not run.active:
            break

    run = synced.go_on(id_) if run.active else run
    entries = synced.log(run)
    assert run.status == "success"
    assert len({entry.source_id for entry in entries}) == len(entries)
    done = [entry for entry in entries if (entry.result, entry.reason) == ("updated", "removed")]
    same = sum(of.get("unchanged", 0) for of in run.counts.values())
    assert len(done) + same == expected
    if then is Then.DELETE:
        assert same == 0
        assert all(alive(synced.rows(plural)) == [] for plural in ("people", "opportunities"))
