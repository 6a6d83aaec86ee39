"""People who rename, deactivate or delete our fields and objects in the CRM, before a sync and during it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from scene import PLURALS, Clock, Scene, total

from connector.store.models import workspace
from connector.store.runs import Run

Json = dict[str, Any]


@pytest.fixture
def backend() -> str:
    return "sqlite"


class Admin:
    """Somebody at Settings, Data model."""

    def __init__(self, scene: Scene) -> None:
        bearer = {"Authorization": f"Bearer {scene.crm_key}"}
        self._session = scene.parts.door.session(scene.twenty.url, headers=bearer)

    def ask(self, method: str, path: str, body: Json | None = None) -> Any:
        answer = self._session.request(method, f"/rest/metadata/{path}", json=body)
        assert answer.status < 400, answer.body
        return answer.json()

    def object(self, name: str) -> Json:
        return next(each for each in self.ask("GET", "objects")["data"] if each["nameSingular"] == name)

    def field(self, object_: str, name: str, /, **changes: Any) -> None:
        id_ = next(each["id"] for each in self.object(object_)["fields"] if each["name"] == name)
        self.ask("PATCH" if changes else "DELETE", f"fields/{id_}", changes or None)

    def rename(self, object_: str, **changes: Any) -> None:
        self.ask("PATCH", f"objects/{self.object(object_)['id']}", changes)


@pytest.fixture
def admin(scene: Scene) -> Admin:
    return Admin(scene)


@pytest.fixture
def under_way(scene: Scene) -> Iterator[str]:
    """A run whose products are over, and nothing else: its id."""
    scene.clock = Clock(step=3)
    run_id = scene.start()
    while "whopProduct" not in scene.run(run_id).counts:
        scene.advance(run_id)
    return run_id


def a_member(scene: Scene) -> Json:
    """Somebody who is in the CRM, and has a user name."""
    known = {row["whopMemberId"] for row in scene.rows("people")}
    return next(each for each in scene.records("members") if each["user"] and each["id"] in known)


def ended_well(scene: Scene, run: Run) -> None:
    assert (run.status, run.error) == ("success", None)
    assert [len(scene.rows(plural)) for plural in PLURALS] == [5, 38, 59]
    assert total(run) >= 5 + 38 + 59


def test_a_field_renamed_between_syncs_is_written_under_its_new_name(scene: Scene, admin: Admin) -> None:
    scene.sync()
    member = a_member(scene)
    admin.field("person", "whopUsername", name="nick")
    scene.change("members", member["id"], user={**member["user"], "username": "renamed"})

    run = scene.sync()

    assert run.status == "success"
    assert run.counts["person"]["updated"] == 1
    person = scene.person_of(member["id"])
    assert person["nick"] == "renamed"
    assert "whopUsername" not in person
    assert scene.told(run, member["id"]).after == {"whopUsername": "renamed"}  # the log keeps our name


def test_a_field_renamed_during_a_sync_is_followed(scene: Scene, admin: Admin, under_way: str) -> None:
    admin.field("person", "whopMemberId", name="memberNumber")

    run = scene.go_on(under_way)

    assert (run.status, run.error) == ("success", None)
    ids = {row["memberNumber"] for row in scene.rows("people")}
    assert len(ids) > 30
    assert ids < {each["id"] for each in scene.records("members")}


def test_a_field_renamed_in_the_middle_of_a_job_costs_a_moment(scene: Scene, admin: Admin) -> None:
    run_id = scene.start()
    # The name is gone between the job's look at the data model and its write.
    scene.twenty.dial("createPeople", {"graphql_error": {"message": RENAMED}, "when": "before"}, times=1)

    waiting = scene.advance(run_id)

    assert waiting.active
    assert waiting.error is not None
    assert waiting.error["code"] == "crm_schema"
    assert (waiting.due_at - scene.clock.now).total_seconds() <= 2
    ended_well(scene, scene.go_on(run_id))


RENAMED = 'Object person doesn\'t have any "whopUserId" field.'


def test_an_object_renamed_during_a_sync_is_followed(scene: Scene, admin: Admin, under_way: str) -> None:
    admin.rename("whopProduct", nameSingular="offer", namePlural="offers")

    run = scene.go_on(under_way)
    again = scene.sync()

    assert (run.status, run.error) == ("success", None)
    assert len(scene.rows("offers")) == len(scene.records("products"))
    assert {result for of in again.counts.values() for result in of} <= {"unchanged", "skipped"}


def test_a_field_deactivated_during_a_sync_stops_it_until_it_is_active(
    scene: Scene, admin: Admin, under_way: str
) -> None:
    admin.field("person", "whopUserId", isActive=False)

    waiting = scene.advance(under_way)
    still = scene.advance(under_way) if waiting.due_at <= scene.clock.now else waiting

    assert still.active
    assert still.error is not None
    assert still.error["code"] == "crm_schema"
    assert "“Whop user” of “Person” is deactivated in Twenty." in still.error["message"]
    assert scene.rows("people") == []
    admin.field("person", "whopUserId", isActive=True)
    ended_well(scene, scene.go_on(under_way))


def test_a_run_that_waits_for_the_data_model_looks_each_minute(
    scene: Scene, admin: Admin, under_way: str
) -> None:
    admin.field("person", "whopUserId", isActive=False)
    scene.clock.step = timedelta(0)

    waits = []
    for number in range(8):
        waiting = scene.advance(under_way, owner=f"worker-{number}")
        waits.append((waiting.due_at - scene.clock.now).total_seconds())
        scene.clock.now = waiting.due_at

    most = [2, 4, 8, 16, 32, 60, 60, 60]  # each a little shorter, so that runs do not all ask at once
    assert all(0.75 * longest <= wait <= longest for wait, longest in zip(waits, most, strict=True))


def test_a_field_deleted_during_a_sync_is_made_again_and_filled(scene: Scene, admin: Admin) -> None:
    scene.sync()
    scene.clock.step = timedelta(seconds=3)
    run_id = scene.start()
    while "person" not in scene.run(run_id).counts:
        scene.advance(run_id)
    admin.field("person", "whopUsername")

    waiting = scene.advance(run_id)
    assert waiting.error is not None
    assert "person.whopUsername is missing." in waiting.error["message"]
    scene.prepare()
    run = scene.go_on(run_id)
    scene.sync()

    assert run.status == "success"
    names = {each["id"]: (each["user"] or {}).get("username") for each in scene.records("members")}
    found = {row["whopMemberId"]: row["whopUsername"] or None for row in scene.rows("people")}
    assert found == {id_: names[id_] for id_ in found}
    assert len(set(found.values())) > 30


def test_an_object_deactivated_before_a_sync_fails_it_by_name(scene: Scene, admin: Admin) -> None:
    admin.rename("whopProduct", isActive=False)

    run = scene.sync()

    assert run.status == "failed"
    assert run.error is not None
    assert "The object “Whop product” is deactivated in Twenty." in run.error["message"]


def test_an_installation_from_before_learns_the_names_by_itself(scene: Scene, admin: Admin) -> None:
    assert scene.workspace is not None
    with scene.parts.database.transaction() as session:
        session.execute(workspace.update().values(crm_names=None))
    assert scene.sync().status == "success"
    admin.field("person", "whopUsername", name="nick")

    assert scene.sync().status == "success"
    assert all("nick" in row and "whopUsername" not in row for row in scene.rows("people"))


def test_a_data_model_that_stays_is_read_no_further_time(scene: Scene) -> None:
    scene.twenty.ask("DELETE", "/stats")

    scene.sync()

    assert "GET /rest/metadata/objects" not in scene.twenty.ask("GET", "/stats")["requests"]
