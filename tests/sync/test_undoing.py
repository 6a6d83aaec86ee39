"""A run is taken back: shown first, then done, and what was taken back is held."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from breaking import AFTER_COMMIT, AFTER_CRM, BEFORE_COMMIT, BEFORE_CRM, Fate, Killed, breakable
from scene import PLURALS, Scene, Service, cap_batches, one, picture, whop_served
from sqlalchemy import update

from connector.core import limits
from connector.errors import RefusedError
from connector.store import holds, runs
from connector.store.models import sync_run
from connector.store.runs import Run
from connector.sync import onboarding, steering, undo

Rows = list[dict[str, Any]]
REFUSAL = {
    "message": "Invalid string value 'nobody' for email field \"emails.primaryEmail\"",
    "extensions": {"code": "BAD_USER_INPUT"},
}


@pytest.fixture
def whop() -> Iterator[Service]:
    with whop_served(members=9, memberships=12) as service:
        yield service


@pytest.fixture
def synced(scene: Scene) -> Scene:
    assert scene.sync().status == "success"
    return scene


def previewed(scene: Scene, run: Run) -> Run:
    words = {"why": "Preview by marta", "correlation_id": "corr-preview"}
    return scene.go_on(undo.preview(scene.tools, run.workspace_id, run.id, **words))


def begun(scene: Scene, preview: Run) -> str:
    words = {"why": "Undone by marta", "correlation_id": "corr-undo"}
    return undo.begin(scene.tools, preview.workspace_id, preview.id, **words)


def undone(scene: Scene, run: Run) -> Run:
    return scene.go_on(begun(scene, previewed(scene, run)))


def alive(rows: Rows) -> Rows:
    return [row for row in rows if row["deletedAt"] is None]


def members(scene: Scene) -> list[str]:
    known = {row["whopMemberId"] for row in scene.rows("people")}
    return sorted(each["id"] for each in scene.records("members") if each["id"] in known and each["user"])


def renamed(scene: Scene, id_: str, name: str = "Somebody Else") -> None:
    user = one(scene.records("members"), id=id_)["user"]
    scene.change("members", id_, user={**user, "name": name})


def edit(scene: Scene, id_: str, **values: Any) -> None:
    query = "mutation($id:UUID!,$data:PersonUpdateInput!){updatePerson(id:$id,data:$data){id}}"
    scene.crm(query, id=id_, data=values)


def incremental(scene: Scene) -> Run:
    assert scene.connection is not None
    words = {"why": "Hourly", "correlation_id": "corr-hourly"}
    scene.clock.advance(3600)
    return scene.go_on(onboarding.start_sync(scene.tools, scene.connection, "incremental", **words))


def held(scene: Scene) -> list[str]:
    assert scene.workspace is not None
    with scene.parts.database.reading() as session:
        return sorted(each.source_id for each in holds.page(session, scene.workspace.id, limit=100).items)


# --- what is put back


def test_fields_hold_again_what_they_held(synced: Scene) -> None:
    id_, before = members(synced)[0], picture(synced)
    renamed(synced, id_)
    run = synced.sync()
    assert synced.told(run, id_).result == "updated"
    assert picture(synced) != before

    done = undone(synced, run)

    assert (done.type, done.status) == ("undo", "success")
    assert picture(synced) == before
    told = synced.told(done, id_)
    assert (told.result, told.reason) == ("updated", "taken_back")
    assert told.after == synced.told(run, id_).before
    assert told.before == synced.told(run, id_).after


def test_what_the_run_made_goes_into_the_bin(scene: Scene) -> None:
    typed = scene.type_person(name={"firstName": "Nobody", "lastName": "Else"})
    run = scene.sync()

    done = undone(scene, run)

    assert done.status == "success"
    assert [row["id"] for row in alive(scene.rows("people"))] == [typed]
    assert alive(scene.rows("opportunities")) == []
    assert {entry.reason for entry in scene.log(done)} == {"unmade"}


def test_a_person_who_was_there_before_stays_with_what_was_there(scene: Scene) -> None:
    member = next(each for each in scene.records("members") if each["email"])
    id_ = scene.type_person(emails={"primaryEmail": member["email"]}, jobTitle="Potter")
    was = one(scene.rows("people"), id=id_)
    run = scene.sync()
    assert one(scene.rows("people"), id=id_)["whopUserId"]

    undone(scene, run)

    now = one(scene.rows("people"), id=id_)
    moving = ("updatedAt", "whopSyncedAt", "searchVector")
    assert {k: v for k, v in now.items() if k not in moving} == {
        k: v for k, v in was.items() if k not in moving
    }


def test_further_addresses_are_put_back_whole(scene: Scene) -> None:
    member = next(each for each in scene.records("members") if each["email"])
    name = {"primaryEmail": "first@example.com", "additionalEmails": ["second@example.com", member["email"]]}
    id_ = scene.type_person(emails=name)
    scene.sync()
    scene.change("members", member["id"], email="new@example.com")
    run = scene.sync()
    assert "new@example.com" in str(one(scene.rows("people"), id=id_)["emails"])

    undone(scene, run)

    assert one(scene.rows("people"), id=id_)["emails"] == name


def test_what_was_put_back_after_a_change_by_a_person_is_theirs_again(synced: Scene) -> None:
    person = synced.rows("people")[0]
    edit(synced, person["id"], whopUsername="by-hand")
    run = synced.sync()
    assert synced.told(run, person["whopMemberId"]).reason == "put_back"

    undone(synced, run)

    assert one(synced.rows("people"), id=person["id"])["whopUsername"] == "by-hand"
    synced.sync()
    assert one(synced.rows("people"), id=person["id"])["whopUsername"] == "by-hand"


# --- what is left


def test_a_field_that_a_person_changed_since_is_left_and_told(synced: Scene) -> None:
    id_ = members(synced)[0]
    renamed(synced, id_)
    run = synced.sync()
    person = synced.person_of(id_)
    edit(synced, person["id"], name={"firstName": "By", "lastName": "Hand"})

    done = undone(synced, run)

    told = synced.told(done, id_)
    assert (told.result, told.reason) == ("skipped", "kept")
    assert told.warnings == ["name: somebody changed it in Twenty since."]
    assert synced.person_of(id_)["name"] == {"firstName": "By", "lastName": "Hand"}
    assert held(synced) == []


def test_a_field_that_a_later_sync_changed_is_left_until_that_is_taken_back(synced: Scene) -> None:
    id_ = members(synced)[0]
    before = synced.person_of(id_)["name"]
    renamed(synced, id_, "Second Name")
    first = synced.sync()
    renamed(synced, id_, "Third Name")
    second = synced.sync()

    left = undone(synced, first)

    assert synced.told(left, id_).warnings == [f"name: sync {second.number} wrote it since."]
    undone(synced, second)
    assert synced.person_of(id_)["name"] == {"firstName": "Second", "lastName": "Name"}
    with pytest.raises(RefusedError, match="was taken back already"):
        undone(synced, first)
    assert before != synced.person_of(id_)["name"]


def test_syncs_are_taken_back_one_after_the_other_the_last_first(synced: Scene) -> None:
    id_, before = members(synced)[0], picture(synced)
    renamed(synced, id_, "Second Name")
    first = synced.sync()
    renamed(synced, id_, "Third Name")
    second = synced.sync()

    undone(synced, second)
    undone(synced, first)

    assert picture(synced) == before


def test_a_record_that_a_person_touched_since_it_was_made_stays(scene: Scene) -> None:
    run = scene.sync()
    person = scene.rows("people")[0]
    edit(scene, person["id"], jobTitle="Head of craft")

    done = undone(scene, run)

    assert [row["id"] for row in alive(scene.rows("people"))] == [person["id"]]
    told = scene.told(done, person["whopMemberId"])
    assert (told.result, told.reason) == ("skipped", "kept")
    assert told.warnings == ["Somebody changed it in Twenty since."]


def test_a_record_that_somebody_deleted_since_is_told_as_that(synced: Scene) -> None:
    id_ = members(synced)[0]
    renamed(synced, id_)
    run = synced.sync()
    synced.crm("mutation($id:UUID!){deletePerson(id:$id){id}}", id=synced.person_of(id_)["id"])

    done = undone(synced, run)

    assert synced.told(done, id_).reason == "deleted_in_crm"


# --- the preview


def test_a_preview_shows_the_same_and_writes_nothing(scene: Scene) -> None:
    run = scene.sync()
    person = scene.rows("people")[0]
    edit(scene, person["id"], jobTitle="Head of craft")
    before = [scene.rows(plural) for plural in PLURALS]

    shown = previewed(scene, run)

    assert (shown.type, shown.status) == ("preview", "success")
    assert [scene.rows(plural) for plural in PLURALS] == before
    assert held(scene) == []
    done = scene.go_on(begun(scene, shown))
    told = [
        sorted((each.source_id, each.result, each.reason, str(each.warnings)) for each in scene.log(each_run))
        for each_run in (shown, done)
    ]
    assert told[0] == told[1]
    assert shown.counts == done.counts


def test_no_more_goes_into_the_bin_than_the_preview_showed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_MANY", 2)
    shown = previewed(scene, scene.sync())
    with scene.parts.database.transaction() as session:
        was = {**shown.checkpoint, "removed": 1}
        session.execute(update(sync_run).where(sync_run.c.id == shown.id).values(checkpoint=was))
    before = [scene.rows(plural) for plural in PLURALS]

    done = scene.go_on(begun(scene, shown))

    assert (done.status, (done.error or {})["code"]) == ("failed", "undo_more")
    assert [scene.rows(plural) for plural in PLURALS] == before
    assert done.counts == {}


# --- what is held


def test_what_was_taken_back_is_not_written_again_by_any_sync(synced: Scene) -> None:
    id_, before = members(synced)[0], picture(synced)
    renamed(synced, id_)
    undone(synced, synced.sync())

    for again in (synced.sync, lambda: incremental(synced)):
        run = again()
        assert picture(synced) == before
        assert [(each.result, each.reason) for each in synced.log(run) if each.source_id == id_] == [
            ("skipped", "undone")
        ]
    assert held(synced) == [id_]


def test_records_in_the_bin_stay_there_with_what_points_at_them(scene: Scene) -> None:
    undone(scene, scene.sync())

    run = scene.sync()

    assert alive(scene.rows("people")) == alive(scene.rows("opportunities")) == []
    assert {entry.reason for entry in scene.log(run)} <= {"undone", "filtered"}


def test_a_change_at_the_source_lets_go(synced: Scene) -> None:
    id_ = members(synced)[0]
    renamed(synced, id_)
    undone(synced, synced.sync())

    renamed(synced, id_, "Newly Named")
    synced.sync()

    assert synced.person_of(id_)["name"] == {"firstName": "Newly", "lastName": "Named"}
    assert held(synced) == []


def test_a_change_at_the_source_takes_a_record_out_of_the_bin(scene: Scene) -> None:
    undone(scene, scene.sync())
    id_ = members(scene)[0]

    renamed(scene, id_, "Newly Named")
    run = scene.sync()

    assert [row["whopMemberId"] for row in alive(scene.rows("people"))] == [id_]
    assert scene.told(run, id_).reason == "restored"


@pytest.mark.parametrize("in_the_bin", [False, True])
def test_a_change_that_the_crm_refuses_at_first_is_still_to_be_written(
    scene: Scene, *, in_the_bin: bool
) -> None:
    run, id_ = scene.sync(), members(scene)[0]
    if not in_the_bin:
        renamed(scene, id_)
        run = scene.sync()
    undone(scene, run)
    renamed(scene, id_, "Newly Named")
    for write in ("updatePeople", "createPeople", "restorePeople"):
        scene.twenty.dial(write, {"graphql_error": REFUSAL}, times=1)
    assert scene.told(scene.sync(), id_).result == "failed"
    scene.twenty.undial()

    scene.sync()

    assert scene.person_of(id_)["name"] == {"firstName": "Newly", "lastName": "Named"}
    assert scene.person_of(id_)["deletedAt"] is None


def test_letting_go_has_it_written_again_at_once(scene: Scene) -> None:
    before = picture(scene) if scene.sync().status == "success" else {}
    first = scene_runs(scene)[0]
    undone(scene, first)
    assert scene.workspace is not None
    words = {"why": "Let go by marta", "correlation_id": "corr-go"}

    count = undo.let_go(scene.tools, scene.workspace.id, [], **words)

    assert count == first.counts["person"]["created"] + sum(
        first.counts[name]["created"] for name in ("opportunity", "whopProduct")
    )
    again = scene_runs(scene)[0]
    assert again.type == "repair"
    assert scene.go_on(again.id).status == "success"
    assert picture(scene) == before
    assert held(scene) == []


def scene_runs(scene: Scene) -> list[Run]:
    assert scene.workspace is not None
    with scene.parts.database.reading() as session:
        return runs.of_workspace(session, scene.workspace.id)


def test_it_goes_on_while_the_syncs_are_paused(synced: Scene) -> None:
    assert synced.connection is not None
    id_, before = members(synced)[0], picture(synced)
    renamed(synced, id_)
    run = synced.sync()
    steering.pause(synced.tools, run.workspace_id, run.connection_id)

    assert undone(synced, run).status == "success"
    assert picture(synced) == before


# --- what cannot be taken back


def test_what_cannot_be_taken_back_says_why(synced: Scene) -> None:
    first = scene_runs(synced)[0]
    idle = synced.sync()
    with pytest.raises(RefusedError, match="changed nothing"):
        previewed(synced, idle)
    shown = previewed(synced, first)
    with pytest.raises(RefusedError, match="only showed something"):
        previewed(synced, shown)
    id_ = begun(synced, shown)
    with pytest.raises(RefusedError, match="under way already"):
        begun(synced, shown)
    done = synced.go_on(id_)
    with pytest.raises(RefusedError, match="was taken back already"):
        begun(synced, shown)
    with pytest.raises(RefusedError, match="itself one that takes back"):
        previewed(synced, done)
    with pytest.raises(RefusedError, match="no preview"):
        begun(synced, first)


def test_a_sync_under_way_is_not_taken_back(scene: Scene) -> None:
    run = scene.run(scene.start())

    with pytest.raises(RefusedError, match="still under way"):
        previewed(scene, run)


# --- kills


@pytest.mark.parametrize("seam", [BEFORE_COMMIT, AFTER_COMMIT, BEFORE_CRM, AFTER_CRM])
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_job_killed_anywhere_ends_as_if_nobody_had_killed_it(synced: Scene, seam: str) -> None:
    before = picture(synced)
    for id_ in members(synced):
        renamed(synced, id_)
    run = synced.sync()
    cap_batches(synced, 2)
    shown = previewed(synced, run)
    expected = sorted((each.source_id, each.result, each.reason) for each in synced.log(shown))
    over = {each.source_id: (each.before, each.after) for each in synced.log(shown)}

    done = killed_all_along(synced, begun(synced, shown), seam)

    assert done.status == "success"
    assert picture(synced) == before
    assert sorted((each.source_id, each.result, each.reason) for each in synced.log(done)) == expected
    assert {each.source_id: (each.before, each.after) for each in synced.log(done)} == over
    assert held(synced) == sorted(over)


@pytest.mark.parametrize("seam", [BEFORE_COMMIT, AFTER_COMMIT, BEFORE_CRM, AFTER_CRM])
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_deletion_killed_anywhere_is_told_once(scene: Scene, seam: str) -> None:
    run = scene.sync()
    cap_batches(scene, 5)
    shown = previewed(scene, run)

    done = killed_all_along(scene, begun(scene, shown), seam)

    assert (done.status, done.counts) == ("success", shown.counts)
    assert alive(scene.rows("people")) == alive(scene.rows("opportunities")) == []
    entries = scene.log(done)
    assert len({(entry.kind, entry.source_id) for entry in entries}) == len(entries)


def killed_all_along(scene: Scene, id_: str, seam: str) -> Run:
    """A kill at each passing of the seam, one after the other, all in one run."""
    nth, struck = 1, True
    while struck and scene.run(id_).active:
        fate = Fate(seam, nth)
        with suppress(Killed):
            for number in range(40):
                if not scene.advance(id_, owner=f"{nth}-{number}", tools=breakable(scene, fate)).active:
                    break
        struck, nth = fate.struck, nth + 1
        scene.clock.advance(200)
    assert nth > 2, "it was killed at all"
    return scene.go_on(id_) if scene.run(id_).active else scene.run(id_)
