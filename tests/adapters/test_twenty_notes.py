"""Notes and tasks in Twenty: once, beside their records, and never back from the bin."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from twenty_builders import MAPPINGS, Sandbox, a_sandbox, an_id

from connector.crms.twenty.notes import TwentyNoter
from connector.crms.twenty.refusals import Kind, Refusal
from connector.errors import ReconnectError, SchemaError, TryLaterError
from connector.ports.crm_notes import NewNote

Json = dict[str, Any]


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    with a_sandbox() as sandbox:
        sandbox.schema.apply(MAPPINGS)
        yield sandbox


@pytest.fixture
def twenty(served: Sandbox) -> Sandbox:
    served.fresh()
    return served


def noter(twenty: Sandbox, batch: int = 200) -> TwentyNoter:
    return TwentyNoter(twenty.client, batch=batch)


def a_person(twenty: Sandbox) -> tuple[str, str]:
    made = twenty.rest("POST", "people", {"name": {"firstName": "Ada", "lastName": "L"}})
    return "person", str(made["data"]["createPerson"]["id"])


def a_deal(twenty: Sandbox, **fields: Any) -> tuple[str, str]:
    made = twenty.rest("POST", "opportunities", {"name": "Deal", **fields})
    return "opportunity", str(made["data"]["createOpportunity"]["id"])


def a_note(*targets: tuple[str, str], **changed: Any) -> NewNote:
    values = {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, an_id())),
        "kind": "note",
        "title": "Paid",
        "text": "x",
    }
    return NewNote(**{**values, "targets": targets, **changed})


def ties(twenty: Sandbox, note: NewNote) -> list[Json]:
    found = twenty.stored(f"{note.kind}Targets").values()
    return [row for row in found if row[f"{note.kind}Id"] == note.id]


def test_a_note_stands_beside_every_kind_of_record(twenty: Sandbox) -> None:
    person, deal = a_person(twenty), a_deal(twenty)
    product = twenty.rest("POST", "whopProducts", {"name": "P"})["data"]["createWhopProduct"]["id"]
    note = a_note(person, deal, ("whopProduct", product), title="Paid 49", text="**49.00 USD**")

    assert noter(twenty).leave([note]) == {}

    row = twenty.stored("notes")[note.id]
    assert (row["title"], row["bodyV2"]["markdown"].strip()) == ("Paid 49", "**49.00 USD**")
    beside = {
        (tie["targetPersonId"], tie["targetOpportunityId"], tie["targetWhopProductId"])
        for tie in ties(twenty, note)
    }
    assert beside == {(person[1], None, None), (None, deal[1], None), (None, None, product)}


def test_doing_the_same_again_changes_nothing(twenty: Sandbox) -> None:
    note, task = a_note(a_person(twenty)), a_note(a_person(twenty), kind="task")
    for _ in range(2):
        assert noter(twenty).leave([note, task]) == {}

    assert [len(ties(twenty, one)) for one in (note, task)] == [1, 1]


def test_what_is_new_beside_what_is_there_is_made(twenty: Sandbox) -> None:
    person = a_person(twenty)
    old, new = [a_note(person) for _ in range(3)], [a_note(person) for _ in range(5)]
    noter(twenty).leave(old)

    assert noter(twenty).leave([*new[:2], *old, *new[2:]]) == {}

    assert all(len(ties(twenty, note)) == 1 for note in (*old, *new))


@pytest.mark.parametrize("request_", ["createNotes", "createNoteTargets"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_connection_that_is_cut_doubles_nothing(twenty: Sandbox, request_: str, when: str) -> None:
    note = a_note(a_person(twenty))
    twenty.fault(request_, {"cut": when}, times=1)
    with pytest.raises(TryLaterError):
        noter(twenty).leave([note])
    twenty.fresh()

    noter(twenty).leave([note])

    assert len(ties(twenty, note)) == 1


def test_one_that_somebody_deleted_stays_in_the_bin_without_new_ties(twenty: Sandbox) -> None:
    note = a_note(a_person(twenty))
    noter(twenty).leave([note])
    twenty.trash("notes", note.id)

    assert noter(twenty).leave([note]) == {}

    assert twenty.stored("notes")[note.id]["deletedAt"]
    assert [tie for tie in ties(twenty, note) if not tie["deletedAt"]] == []


def test_a_record_that_is_gone_loses_its_tie_and_not_the_note(twenty: Sandbox) -> None:
    gone, deal = a_person(twenty), a_deal(twenty)
    twenty.destroy("people", gone[1])
    notes = [a_note(gone, deal), *(a_note(a_person(twenty)) for _ in range(4))]

    assert noter(twenty).leave(notes) == {}

    assert [len(ties(twenty, note)) for note in notes] == [1] * 5
    assert ties(twenty, notes[0])[0]["targetOpportunityId"] == deal[1]


def test_a_task_has_a_date_and_somebody_to_do_it(twenty: Sandbox) -> None:
    (member,) = list(twenty.stored("workspaceMembers").values())[:1]
    owned, other = a_deal(twenty, ownerId=member["id"]), a_deal(twenty)
    due = "2026-12-01T09:00:00.000Z"
    tasks = [
        a_note(owned, kind="task", due_at=due, assignee="owner"),
        a_note(other, kind="task", assignee="owner"),
        a_note(other, kind="task", assignee=member["userEmail"].upper()),
        a_note(other, kind="task", assignee="nobody@x.test"),
        a_note(other, kind="task"),
    ]

    assert noter(twenty).leave(tasks) == {}

    rows = [twenty.stored("tasks")[task.id] for task in tasks]
    assert [row["assigneeId"] for row in rows] == [member["id"], None, member["id"], None, None]
    assert (rows[0]["dueAt"], rows[0]["status"]) == (due, "TODO")


def test_tasks_are_closed_together_and_the_deleted_ones_left(twenty: Sandbox) -> None:
    tasks = [a_note(a_person(twenty), kind="task") for _ in range(5)]
    noter(twenty).leave(tasks)
    twenty.trash("tasks", tasks[0].id)

    noter(twenty, batch=2).close([task.id for task in tasks])

    rows = twenty.stored("tasks")
    assert [rows[task.id]["status"] for task in tasks] == ["TODO", *["DONE"] * 4]
    assert rows[tasks[0].id]["deletedAt"]


def test_many_notes_go_in_full_batches(twenty: Sandbox) -> None:
    person = a_person(twenty)
    twenty.control("DELETE", "stats")

    assert noter(twenty).leave([a_note(person, id=an_id()) for _ in range(500)]) == {}

    assert twenty.requests()["total"] == 6


def test_a_smaller_cap_is_learned_from_the_refusal() -> None:
    with a_sandbox(batch_cap=60) as small:
        small.schema.apply(MAPPINGS)
        person = a_person(small)
        notes = [a_note(person, id=an_id()) for _ in range(130)]

        assert noter(small).leave(notes) == {}

        assert len(small.stored("notes")) == 130
        assert len(small.stored("noteTargets")) == 130


def test_a_key_that_may_not_is_said(twenty: Sandbox) -> None:
    twenty.control("POST", "keys", {"do": "revoke"})

    with pytest.raises(ReconnectError):
        noter(twenty).leave([a_note(("person", an_id()))])
    twenty.control("POST", "keys", {"do": "restore"})


# --- what no sandbox answers: an older server, and refusals of its own


class Old:
    """A client to a server of before 2.x, which ties by ``personId``."""

    def __init__(self, refuse: set[str] = frozenset()) -> None:  # type: ignore[assignment]
        self.sent: list[tuple[str, list[Json]]] = []
        self.refuse = refuse

    def query(self, query: str, variables: Json) -> Json:
        return {"notes": {"edges": []}}

    def mutate(self, query: str, variables: Json) -> Json:
        name, rows = query.split("{", 1)[1].split("(", maxsplit=1)[0], variables["data"]
        for row in rows:
            for field in row:
                if field.startswith("target"):
                    raise SchemaError(f'Object noteTarget doesn\'t have any "{field}" field.')
            if row.get("title") in self.refuse:
                raise Refusal(Kind.BAD_VALUE, "Invalid value")
        self.sent.append((name, rows))
        return {name: [{"id": row["id"]} for row in rows]}


def test_an_older_server_ties_by_other_names() -> None:
    client: Any = Old()
    old, note = TwentyNoter(client), a_note(("person", an_id()), ("opportunity", an_id()))

    assert old.leave([note]) == {}
    assert old.leave([a_note(("person", an_id()))]) == {}

    (_, first), (_, tied), *_ = client.sent
    assert first[0]["id"] == note.id
    assert [{*row} - {"id", "noteId"} for row in tied] == [{"personId"}, {"opportunityId"}]


def test_one_that_is_refused_keeps_no_other_from_being_made() -> None:
    client: Any = Old({"bad"})
    notes = [a_note(("person", an_id()), title="bad" if number in (3, 8) else "good") for number in range(10)]

    failed = TwentyNoter(client).leave(notes)

    assert {*failed} == {notes[3].id, notes[8].id}
    assert {error.code for error in failed.values()} == {"note_refused"}
    made = {row["id"] for name, rows in client.sent if name == "createNotes" for row in rows}
    assert made == {note.id for note in notes} - {*failed}
