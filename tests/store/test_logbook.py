"""Reading the log: pages by key, filters, causes, and how the records of a connection stand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from connector.core.outcomes import Outcome, Result
from connector.core.records import Ref
from connector.errors import ParentMissingError, WriteRefusedError
from connector.store import logbook, overview, paging, runs
from connector.store.db import Database
from connector.store.logbook import EntryFilter
from connector.store.models import link
from connector.store.overview import Health, RunFilter
from connector.store.paging import Leaf, Place
from connector.store.runs import LogEntry, Run

from .builders import MINUTE, NOW, Home, a_home, a_new_run, a_workspace, an_outcome

OWNER = "worker-1"


def a_logged_run(
    database: Database, home: Home, found: Sequence[Outcome] = (), *, at: datetime = NOW, **changed: Any
) -> Run:
    """A run that is over; ``status`` says how, ``counts`` what it is said to have done."""
    status, counts = changed.pop("status", "success"), changed.pop("counts", {})
    new = a_new_run(home, now=at, **changed)
    with database.transaction() as session:
        runs.start(session, new)
        run = runs.lease(session, new.id, owner=OWNER, now=at, until=at + MINUTE)
        assert run is not None
        runs.log(session, run, found, at)
        runs.save(session, run, owner=OWNER, counts=counts)
        runs.finish(session, runs.by_id(session, run.id), owner=OWNER, status=status, now=at)
        return runs.by_id(session, run.id)


def people(*ids: str, **changed: Any) -> list[Outcome]:
    return [an_outcome(ref=Ref("whop", "member", id_), **changed) for id_ in ids]


def failures(*ids: str, code: str = "crm_duplicate") -> list[Outcome]:
    return people(*ids, result=Result.FAILED, error=WriteRefusedError("Twenty said no.", code=code))


def read(
    database: Database, home: Home, place: Place = paging.NEWEST, limit: int = 50, **wanted: Any
) -> Leaf[LogEntry]:
    with database.reading() as session:
        return logbook.entry_page(session, home.workspace_id, EntryFilter(**wanted), place, limit)


def ids(leaf: Leaf[LogEntry]) -> list[str]:
    return [entry.source_id for entry in leaf.items]


def test_entries_come_newest_first_whatever_their_result(database: Database) -> None:
    home = a_home(database)
    a_logged_run(database, home, [*people("a"), *failures("b"), *people("c")])

    assert ids(read(database, home)) == ["c", "b", "a"]


def test_older_and_newer_lead_through_every_entry_and_back(database: Database) -> None:
    home = a_home(database)
    a_logged_run(database, home, [*people("a", "b"), *failures("c"), *people("d", "e")])

    first = read(database, home, limit=2)
    second = read(database, home, Place(before=first.older), limit=2)
    third = read(database, home, Place(before=second.older), limit=2)
    back = read(database, home, Place(after=third.newer), limit=2)

    assert [ids(first), ids(second), ids(third)] == [["e", "d"], ["c", "b"], ["a"]]
    assert (first.newer, third.older) == (None, None)
    assert ids(back) == ids(second)
    assert ids(read(database, home, Place(after=back.newer), limit=2)) == ids(first)


def test_a_page_stays_the_same_while_entries_are_added(database: Database) -> None:
    home = a_home(database)
    a_logged_run(database, home, people("a", "b", "c"))
    older = read(database, home, limit=1).older

    a_logged_run(database, home, people("d"))

    assert ids(read(database, home, Place(before=older), limit=2)) == ["b", "a"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"results": ("failed",)}, ["mber_3"]),
        ({"results": ("created", "skipped")}, ["mem_1", "mber_2", "mber_1"]),
        ({"reason": "filtered"}, ["mber_2"]),
        ({"object": "opportunity"}, ["mem_1"]),
        ({"error_code": "crm_duplicate"}, ["mber_3"]),
        ({"error_code": "crm_duplicate", "results": ("created",)}, []),
        ({"text": "Lovelace"}, ["mber_2", "mber_1"]),
        ({"text": "lovelace"}, ["mber_2", "mber_1"]),
        ({"text": "ada@example"}, ["mber_1"]),
        ({"text": "mber_3"}, ["mber_3"]),
        ({"text": "mber_"}, ["mber_3", "mber_2", "mber_1"]),
        ({"text": "%"}, []),
        ({"text": "nobody"}, []),
        ({"text": "lovelace", "results": ("skipped",)}, ["mber_2"]),
    ],
)
def test_filters_leave_what_fits(database: Database, wanted: dict[str, Any], expected: list[str]) -> None:
    home = a_home(database)
    membership = an_outcome(ref=Ref("whop", "membership", "mem_1"), object="opportunity", title="Monthly")
    a_logged_run(
        database,
        home,
        [
            *people("mber_1", after={"emails": "ada@example.com"}),
            *people("mber_2", result=Result.SKIPPED, reason="filtered"),
            *[replace_title(one, "Grace Hopper") for one in failures("mber_3")],
            membership,
        ],
    )

    assert ids(read(database, home, **wanted)) == expected


def replace_title(outcome: Outcome, title: str) -> Outcome:
    return outcome._replace(title=title)


def test_one_run_and_one_connection_are_told_apart(database: Database) -> None:
    workspace = a_workspace()
    home = a_home(database, workspace=workspace)
    first = a_logged_run(database, home, people("a"))
    second = a_logged_run(database, home, failures("b"))

    assert ids(read(database, home, run=first.number)) == ["a"]
    assert ids(read(database, home, run=second.number, error_code="crm_duplicate")) == ["b"]
    assert ids(read(database, home, connection_id=home.connection_id)) == ["b", "a"]
    assert ids(read(database, home, connection_id="another")) == []


def test_a_day_is_the_entries_written_on_it(database: Database) -> None:
    home, day = a_home(database), datetime(2026, 3, 2, tzinfo=UTC)
    for name, at in (
        ("before", day - timedelta(seconds=1)),
        ("first", day),
        ("last", day + timedelta(hours=23, minutes=59)),
        ("after", day + timedelta(days=1)),
    ):
        a_logged_run(database, home, people(name), at=at)

    found = read(database, home, since=day, until=day + timedelta(days=1))

    assert ids(found) == ["last", "first"]


def test_a_search_looks_through_a_part_and_says_where_to_go_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = a_home(database)
    a_logged_run(database, home, people("wanted", *(f"other_{at}" for at in range(9)), title="Somebody"))
    monkeypatch.setattr(logbook, "_WINDOW", 4)

    found: list[str] = []
    place, looks = Place(), 0
    while True:
        leaf = read(database, home, place, text="WANTED")
        found, looks = found + ids(leaf), looks + 1
        if leaf.older is None:
            break
        place = Place(before=leaf.older)

    assert found == ["wanted"]
    assert looks == 3


def test_an_id_is_found_however_old_its_entry_is(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    home = a_home(database)
    a_logged_run(database, home, people("mber_old", *(f"other_{at}" for at in range(9)), title="Somebody"))
    monkeypatch.setattr(logbook, "_WINDOW", 4)

    leaf = read(database, home, text="mber_old")

    assert ids(leaf) == ["mber_old"]


def test_a_search_towards_the_newest_goes_on_in_the_same_steps(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = a_home(database)
    a_logged_run(database, home, people(*(f"other_{at}" for at in range(9)), "wanted", title="Somebody"))
    monkeypatch.setattr(logbook, "_WINDOW", 4)
    first = min(entry.id for entry in read(database, home).items)

    place, looks = Place(after=first - 1), 0
    while not (leaf := read(database, home, place, text="WANTED")).items:
        assert leaf.newer is not None
        place, looks = Place(after=leaf.newer), looks + 1

    assert (ids(leaf), looks) == (["wanted"], 2)


def test_the_causes_of_a_run_are_counted_by_code(database: Database) -> None:
    home = a_home(database)
    missing = people("p", result=Result.FAILED, error=ParentMissingError("Its person failed."))
    run = a_logged_run(database, home, [*people("x"), *failures("a", "b"), *missing])
    a_logged_run(database, home, failures("of another run"))

    with database.reading() as session:
        causes = logbook.causes(session, home.workspace_id, run.number)

    assert [(one.code, one.count, one.sample.source_id) for one in causes] == [
        ("crm_duplicate", 2, "b"),
        ("parent_missing", 1, "p"),
    ]


def test_health_counts_records_by_how_they_stand(database: Database) -> None:
    home = a_home(database)
    states = ["linked"] * 3 + ["failed"] * 2 + ["gone", "deleted_in_crm", "review"]
    with database.transaction() as session:
        session.execute(insert(link), [a_link(home, at, state) for at, state in enumerate(states)])

    with database.reading() as session:
        health = overview.health(session, home.workspace_id)

    assert health == {home.connection_id: Health(in_step=3, excluded=2, review=1, failing=2)}
    assert health[home.connection_id].known == 8


def a_link(home: Home, number: int, state: str) -> dict[str, Any]:
    return {
        "workspace_id": home.workspace_id,
        "connection_id": home.connection_id,
        "source": "whop",
        "kind": "member",
        "source_id": f"mber_{number}",
        "object": "person",
        "state": state,
        "generation": 0,
    }


def numbers(database: Database, home: Home, place: Place = paging.NEWEST, **wanted: Any) -> list[int]:
    with database.reading() as session:
        leaf = overview.run_page(session, home.workspace_id, RunFilter(**wanted), place, 50)
    return [run.number for run in leaf.items]


def test_runs_that_changed_nothing_can_be_left_out(database: Database) -> None:
    home = a_home(database)
    idle = a_logged_run(database, home, counts={"person": {"unchanged": 7, "skipped": 1}})
    busy = a_logged_run(database, home, counts={"person": {"unchanged": 7, "updated": 1}})
    broken = a_logged_run(database, home, status="failed")

    assert numbers(database, home, hide_idle=True) == [broken.number, busy.number]
    assert numbers(database, home) == [broken.number, busy.number, idle.number]
    with database.reading() as session:
        assert overview.idle_runs(session, home.workspace_id) == 1


def test_runs_are_found_by_status_type_and_connection(database: Database) -> None:
    home = a_home(database)
    full = a_logged_run(database, home, status="partial")
    hourly = a_logged_run(database, home, type="incremental")

    assert numbers(database, home, status="partial") == [full.number]
    assert numbers(database, home, type="incremental") == [hourly.number]
    assert numbers(database, home, connection_id="another") == []


def test_the_last_complete_run_is_a_full_one_that_ended(database: Database) -> None:
    home = a_home(database)
    complete = a_logged_run(database, home, status="partial")
    a_logged_run(database, home, status="failed")
    a_logged_run(database, home, type="incremental")

    with database.reading() as session:
        found = overview.last_complete(session, home.workspace_id, home.connection_id)

    assert found is not None
    assert found.id == complete.id


def test_the_run_under_way_is_known_by_its_connection(database: Database) -> None:
    home = a_home(database)
    a_logged_run(database, home)
    with database.transaction() as session:
        runs.start(session, a_new_run(home, id="under-way"))

    with database.reading() as session:
        active = overview.active_runs(session, home.workspace_id)

    assert {id_: run.id for id_, run in active.items()} == {home.connection_id: "under-way"}
