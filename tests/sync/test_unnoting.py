"""Notes and tasks that a run of events left are taken back with it, but for those that somebody changed."""

from __future__ import annotations

from typing import Any

import pytest
from breaking import AFTER_COMMIT, AFTER_CRM, BEFORE_COMMIT, BEFORE_CRM
from events import take
from happening import happen, notes, take_in
from scene import Json, Scene, cap_batches
from test_noting import a_member_of
from test_undoing import begun, killed_all_along, previewed, undone

from connector.errors import RefusedError
from connector.store import eventbook, inbox, runs
from connector.store import notes as kept
from connector.store.runs import Run


@pytest.fixture
def synced(scene: Scene) -> Scene:
    assert scene.sync().status == "success"
    return scene


def a_failure(scene: Scene) -> list[Json]:
    """A payment failed: a note and a task."""
    told = happen(scene, "fail", a_member_of(scene, status="active")["id"])
    take_in(scene, told)
    assert (len(notes(scene)), len(notes(scene, "tasks"))) == (1, 1)
    return told


def last_run(scene: Scene) -> Run:
    assert scene.workspace is not None
    with scene.parts.database.reading() as session:
        return max(runs.of_workspace(session, scene.workspace.id), key=lambda run: run.number)


def of_notes(scene: Scene, run: Run) -> list[tuple[str, str, str | None, Any]]:
    """What a run tells of notes and tasks."""
    found = [each for each in scene.log(run) if each.kind in ("note", "task")]
    return sorted((each.kind, each.result, each.reason, tuple(each.warnings or ())) for each in found)


def change(scene: Scene, of: str, id_: str, **data: Any) -> None:
    scene.crm(f"mutation($id:UUID!,$d:{of}UpdateInput!){{update{of}(id:$id,data:$d){{id}}}}", id=id_, d=data)


def test_what_a_run_left_goes_into_the_bin_as_the_preview_says(synced: Scene) -> None:
    a_failure(synced)
    run = last_run(synced)

    shown = previewed(synced, run)

    assert (len(notes(synced)), len(notes(synced, "tasks"))) == (1, 1)
    done = synced.go_on(begun(synced, shown))
    assert done.status == "success"
    assert (notes(synced), notes(synced, "tasks")) == ([], [])
    gone = [("note", "updated", "unmade", ()), ("task", "updated", "unmade", ())]
    assert of_notes(synced, shown) == of_notes(synced, done) == gone
    assert shown.counts == done.counts


@pytest.mark.parametrize(("of", "rows"), [("Note", "notes"), ("Task", "tasks")])
def test_what_a_person_changed_since_stays_and_is_listed(synced: Scene, of: str, rows: str) -> None:
    a_failure(synced)
    run, (theirs,) = last_run(synced), notes(synced, rows)
    change(synced, of, theirs["id"], title="Called her, all is well")

    shown = previewed(synced, run)
    done = synced.go_on(begun(synced, shown))

    assert [each["id"] for each in notes(synced) + notes(synced, "tasks")] == [theirs["id"]]
    left = (of.lower(), "skipped", "kept", ("Somebody changed it in Twenty since.",))
    assert left in of_notes(synced, shown)
    assert of_notes(synced, shown) == of_notes(synced, done)


def test_what_changes_between_preview_and_undo_stays(synced: Scene) -> None:
    a_failure(synced)
    shown = previewed(synced, last_run(synced))
    (theirs,) = notes(synced)
    change(synced, "Note", theirs["id"], title="Mine")

    synced.go_on(begun(synced, shown))

    assert [each["title"] for each in notes(synced)] == ["Mine"]


def test_what_a_person_deleted_is_told_as_that(synced: Scene) -> None:
    a_failure(synced)
    run = last_run(synced)
    synced.crm("mutation($id:UUID!){destroyNote(id:$id){id}}", id=notes(synced)[0]["id"])
    synced.crm("mutation($id:UUID!){deleteTask(id:$id){id}}", id=notes(synced, "tasks")[0]["id"])

    done = undone(synced, run)

    gone = ("Somebody deleted it in Twenty since.",)
    assert of_notes(synced, done) == [
        ("note", "skipped", "deleted_in_crm", gone),
        ("task", "skipped", "deleted_in_crm", gone),
    ]


def test_no_replay_and_no_sync_leaves_again_what_was_taken_back(synced: Scene) -> None:
    told = a_failure(synced)
    run = last_run(synced)
    undone(synced, run)
    ids = [row["id"] for row in synced.rows("notes") + synced.rows("tasks")]
    for of, row in (("Note", "notes"), ("Task", "tasks")):
        synced.crm(f"mutation($id:UUID!){{destroy{of}(id:$id){{id}}}}", id=synced.rows(row)[0]["id"])

    take_in(synced, told)
    replay(synced)
    synced.sync()

    assert len(ids) == 2
    assert (synced.rows("notes"), synced.rows("tasks")) == ([], [])


def replay(scene: Scene) -> None:
    assert scene.workspace is not None
    with scene.parts.database.transaction() as session:
        found = eventbook.event_page(session, scene.workspace.id, eventbook.EventFilter(), limit=100).items
        ids = [event.id or 0 for event in found]
        assert inbox.replay(session, scene.workspace.id, ids, scene.clock(), quiet=False)
    take(scene)


def test_a_note_belongs_to_the_run_that_left_it_first(synced: Scene) -> None:
    a_failure(synced)
    run = last_run(synced)
    replay(synced)
    again = last_run(synced)

    assert again.number > run.number
    with pytest.raises(RefusedError, match="changed nothing"):
        previewed(synced, again)
    undone(synced, run)

    assert (notes(synced), notes(synced, "tasks")) == ([], [])


def test_what_other_runs_left_and_what_people_wrote_stays(synced: Scene) -> None:
    a_failure(synced)
    run = last_run(synced)
    synced.crm('mutation{createNote(data:{title:"By hand"}){id}}')
    mine = [row["id"] for row in notes(synced) if row["title"] != "By hand"]
    take_in(synced, happen(synced, "pay", a_member_of(synced, status="active")["id"]))
    others = {row["id"] for row in notes(synced)} - set(mine)
    assert len(mine) == 1
    assert len(others) == 2

    undone(synced, run)

    assert {row["id"] for row in notes(synced)} == others


def test_a_task_that_was_closed_since_stays_closed(synced: Scene) -> None:
    a_failure(synced)
    run, (task,) = last_run(synced), notes(synced, "tasks")
    change(synced, "Task", task["id"], status="DONE")
    assert synced.workspace is not None
    with synced.parts.database.transaction() as session:
        kept.done(session, synced.workspace.id, [task["id"]])

    done = undone(synced, run)

    assert [row["id"] for row in notes(synced, "tasks")] == [task["id"]]
    assert ("task", "skipped", "kept", ("It was marked as done since.",)) in of_notes(synced, done)


@pytest.mark.parametrize("seam", [BEFORE_COMMIT, AFTER_COMMIT, BEFORE_CRM, AFTER_CRM])
def test_a_job_killed_anywhere_takes_back_each_once(synced: Scene, seam: str) -> None:
    a_failure(synced)
    run = last_run(synced)
    cap_batches(synced, 1)
    shown = previewed(synced, run)

    done = killed_all_along(synced, begun(synced, shown), seam)

    assert (done.status, done.counts) == ("success", shown.counts)
    assert (notes(synced), notes(synced, "tasks")) == ([], [])
    assert of_notes(synced, done) == of_notes(synced, shown)


def test_one_that_waits_for_a_record_is_woken_no_more(synced: Scene) -> None:
    a_failure(synced)
    run, (row,) = last_run(synced), notes(synced)
    member = next(each for each in synced.rows("people") if each["whopMemberId"])["whopMemberId"]
    waits = {row["id"]: ("person", member)}
    assert synced.workspace is not None
    with synced.parts.database.transaction() as session:
        kept.left(session, synced.workspace.id, run.number + 50, waits)

    undone(synced, run)

    assert notes(synced) == [], "it stays that run's, though another left it again"
    with synced.parts.database.transaction() as session:
        assert kept.wake(session) == {}
        assert kept.left(session, synced.workspace.id, run.number, waits) == 0
        assert kept.done(session, synced.workspace.id, [row["id"]]) == 0


def test_one_that_changes_after_the_look_is_not_deleted(synced: Scene) -> None:
    a_failure(synced)
    assert synced.workspace is not None
    noter, (row,) = synced.tools.open_noter(synced.workspace, "full"), notes(synced)
    seen = noter.look("note", [row["id"]])
    change(synced, "Note", row["id"], title="Mine")

    assert noter.remove("note", list(seen.values())) == set()
    assert [each["title"] for each in notes(synced)] == ["Mine"]
