"""Runs: one active per connection, one worker at a time, and a log that keeps what it is told."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError, StatementError

from connector.core.outcomes import Outcome, Result
from connector.core.records import Ref
from connector.errors import RefusedError, TryLaterError, WriteRefusedError
from connector.store import runs
from connector.store.db import Database
from connector.store.runs import LogEntry, Run

from .builders import MINUTE, NOW, SECOND, Home, a_home, a_leased_run, a_new_run, a_run, an_outcome
from .racing import race


def by_id(database: Database, run: Run) -> Run:
    with database.reading() as session:
        return runs.by_id(session, run.id)


def start(database: Database, home: Home, **changed: Any) -> None:
    with database.transaction() as session:
        runs.start(session, a_new_run(home, **changed))


def lease(database: Database, run: Run, owner: str, now: Any = NOW) -> Run | None:
    with database.transaction() as session:
        return runs.lease(session, run.id, owner=owner, now=now, until=now + MINUTE)


def save(database: Database, run: Run, owner: str = "worker-1", **values: Any) -> None:
    with database.transaction() as session:
        runs.save(session, run, owner=owner, **values)


def finish(database: Database, run: Run, owner: str = "worker-1", **more: Any) -> None:
    values = {"status": "success", "now": NOW + SECOND, **more}
    with database.transaction() as session:
        runs.finish(session, run, owner=owner, **values)


def overdue(database: Database, now: Any = NOW) -> list[str]:
    with database.reading() as session:
        return runs.overdue(session, now)


# --- start


def test_a_new_run_is_queued_and_active(database: Database) -> None:
    home = a_home(database)

    run = a_run(database, home, type="incremental", checkpoint={"done": ["product"]})

    assert (run.status, run.type, run.active) == ("queued", "incremental", True)
    assert (run.checkpoint, run.checkpoint_version, run.counts) == ({"done": ["product"]}, 0, {})
    assert (run.queued_at, run.due_at, run.started_at, run.lease_owner) == (NOW, NOW, None, None)


def test_a_second_active_run_of_a_connection_is_refused(database: Database) -> None:
    home = a_home(database)
    a_run(database, home)

    with pytest.raises(RefusedError) as caught:
        start(database, home)

    assert caught.value.code == "run_active"


def test_a_refused_run_leaves_the_transaction_usable(database: Database) -> None:
    home, other = a_home(database), a_home(database)
    a_run(database, home)

    with database.transaction() as session:
        with pytest.raises(RefusedError):
            runs.start(session, a_new_run(home))
        runs.start(session, a_new_run(other, id="the-other"))

    with database.reading() as session:
        assert runs.by_id(session, "the-other").active


def test_two_connections_may_each_have_an_active_run(database: Database) -> None:
    one, two = a_home(database), a_home(database)

    assert a_run(database, one).active
    assert a_run(database, two).active


def test_of_racing_starts_only_one_is_queued(database: Database) -> None:
    home = a_home(database)

    answers = race(*[lambda: start(database, home)] * 5)

    assert sorted(type(answer).__name__ for answer in answers) == ["NoneType"] + ["RefusedError"] * 4
    with database.reading() as session:
        assert len(runs.of_workspace(session, home.workspace_id)) == 1


def test_a_run_of_an_unknown_connection_is_not_said_to_be_under_way(database: Database) -> None:
    home = a_home(database)

    with pytest.raises(IntegrityError):
        start(database, Home(home.workspace_id, "nothing"))


# --- lease


def test_a_lease_names_its_owner_and_starts_the_run(database: Database) -> None:
    run = a_run(database, a_home(database))

    leased = lease(database, run, "worker-1")

    assert leased is not None
    assert (leased.status, leased.lease_owner, leased.lease_until) == ("running", "worker-1", NOW + MINUTE)
    assert leased.started_at == NOW
    assert by_id(database, run) == leased


def test_a_leased_run_is_given_to_no_second_worker(database: Database) -> None:
    run = a_leased_run(database, a_home(database), owner="worker-1")

    assert lease(database, run, "worker-2") is None


def test_of_racing_workers_only_one_gets_the_lease(database: Database) -> None:
    run = a_run(database, a_home(database))
    owners = [f"worker-{number}" for number in range(6)]

    answers = race(*(lambda owner=owner: lease(database, run, owner) for owner in owners))

    (winner,) = [answer for answer in answers if answer is not None]
    assert winner.lease_owner == by_id(database, run).lease_owner


def test_the_lease_of_a_silent_worker_is_taken_over(database: Database) -> None:
    run = a_leased_run(database, a_home(database), owner="worker-1")

    taken = lease(database, run, "worker-2", NOW + MINUTE + SECOND)

    assert taken is not None
    assert (taken.lease_owner, taken.started_at) == ("worker-2", NOW)


def test_a_run_that_is_not_due_yet_is_not_leased(database: Database) -> None:
    run = a_run(database, a_home(database), now=NOW + MINUTE)

    assert lease(database, run, "worker-1", NOW) is None
    assert lease(database, run, "worker-1", NOW + MINUTE) is not None


@pytest.mark.parametrize("status", ["paused", "waiting", "success", "cancelled"])
def test_a_run_that_is_not_to_go_on_is_not_leased(database: Database, status: str) -> None:
    run = a_leased_run(database, a_home(database))
    save(database, run, status=status, lease_owner=None, lease_until=None)

    assert lease(database, run, "worker-2") is None


def test_an_unknown_run_is_not_leased(database: Database) -> None:
    with database.transaction() as session:
        assert runs.lease(session, "nothing", owner="worker-1", now=NOW, until=NOW) is None


def test_the_start_is_the_same_moment_whatever_zone_the_clock_has(database: Database) -> None:
    run = a_run(database, a_home(database))
    local = NOW.astimezone(timezone(timedelta(hours=5)))

    leased = lease(database, run, "worker-1", local)

    assert leased is not None
    assert leased.started_at == NOW


def test_a_lease_by_a_clock_without_a_zone_is_refused(database: Database) -> None:
    run = a_run(database, a_home(database))

    with pytest.raises(StatementError, match="naive time"):
        lease(database, run, "worker-1", NOW.replace(tzinfo=None))


# --- renew


def test_a_renewed_lease_lasts_longer(database: Database) -> None:
    run = a_leased_run(database, a_home(database))

    with database.transaction() as session:
        renewed = runs.renew(session, run.id, owner="worker-1", until=NOW + 2 * MINUTE)

    assert renewed
    assert by_id(database, run).lease_until == NOW + 2 * MINUTE


def test_a_lost_lease_cannot_be_renewed(database: Database) -> None:
    run = a_leased_run(database, a_home(database), owner="worker-1")
    lease(database, run, "worker-2", NOW + MINUTE + SECOND)

    with database.transaction() as session:
        renewed = runs.renew(session, run.id, owner="worker-1", until=NOW + 9 * MINUTE)

    assert not renewed
    assert by_id(database, run).lease_until == NOW + 2 * MINUTE + SECOND


# --- save, release


def test_saved_progress_comes_back_and_moves_the_version(database: Database) -> None:
    run = a_leased_run(database, a_home(database))
    progress: dict[str, Any] = {
        "counts": {"person": {"created": 3}},
        "checkpoint": {"cursor": "c2"},
        "mapping_version": "m1",
    }

    save(database, run, **progress)

    found = by_id(database, run)
    assert {name: getattr(found, name) for name in progress} == progress
    assert found.checkpoint_version == run.checkpoint_version + 1


def test_progress_on_top_of_an_older_version_is_not_saved(database: Database) -> None:
    run = a_leased_run(database, a_home(database))
    save(database, run, checkpoint={"cursor": "newer"})

    with pytest.raises(TryLaterError) as caught:
        save(database, run, checkpoint={"cursor": "older"})

    assert caught.value.code == "lease_lost"
    assert by_id(database, run).checkpoint == {"cursor": "newer"}


def test_of_racing_saves_only_one_is_kept(database: Database) -> None:
    run = a_leased_run(database, a_home(database))

    answers = race(*(lambda n=n: save(database, run, checkpoint={"cursor": n}) for n in range(4)))

    assert sorted(type(answer).__name__ for answer in answers) == ["NoneType"] + ["TryLaterError"] * 3
    assert by_id(database, run).checkpoint == {"cursor": answers.index(None)}


def test_an_owner_who_lost_the_lease_cannot_save(database: Database) -> None:
    run = a_leased_run(database, a_home(database), owner="worker-1")
    lease(database, run, "worker-2", NOW + MINUTE + SECOND)

    with pytest.raises(TryLaterError) as caught:
        save(database, run, "worker-1", checkpoint={"cursor": "late"})

    assert caught.value.code == "lease_lost"
    assert by_id(database, run).checkpoint == {}


def test_what_stands_with_a_save_that_fails_is_not_kept(database: Database) -> None:
    home = a_home(database)
    run = a_leased_run(database, home, owner="worker-1")

    def log_and_save() -> None:
        with database.transaction() as session:
            runs.log(session, run, [an_outcome()], NOW)
            runs.save(session, run, owner="worker-2")

    with pytest.raises(TryLaterError):
        log_and_save()

    assert entries(database, home, run) == []


def test_a_released_run_is_free_and_due_again(database: Database) -> None:
    run = a_leased_run(database, a_home(database))

    with database.transaction() as session:
        runs.release(session, run, owner="worker-1", due_at=NOW + SECOND)

    found = by_id(database, run)
    assert (found.lease_owner, found.lease_until, found.due_at) == (None, None, NOW + SECOND)
    assert lease(database, run, "worker-2", NOW + SECOND) is not None


# --- finish


def test_a_finished_run_is_ended_and_released(database: Database) -> None:
    run = a_leased_run(database, a_home(database))

    finish(database, run, status="failed", error={"code": "crm_schema"})

    found = by_id(database, run)
    assert (found.status, found.active, found.ended_at) == ("failed", False, NOW + SECOND)
    assert (found.lease_owner, found.error) == (None, {"code": "crm_schema"})


def test_a_finished_run_frees_the_connection_for_the_next(database: Database) -> None:
    home = a_home(database)
    finish(database, a_leased_run(database, home))

    assert a_run(database, home).active


def test_an_owner_who_lost_the_lease_cannot_finish(database: Database) -> None:
    run = a_leased_run(database, a_home(database), owner="worker-1")

    with pytest.raises(TryLaterError):
        finish(database, run, "worker-2")

    assert by_id(database, run).active


# --- overdue


def test_a_queued_run_whose_time_has_come_is_overdue(database: Database) -> None:
    run = a_run(database, a_home(database), now=NOW)

    assert overdue(database, NOW) == [run.id]
    assert overdue(database, NOW - SECOND) == []


def test_a_run_with_a_living_worker_is_not_overdue(database: Database) -> None:
    run = a_leased_run(database, a_home(database))

    assert overdue(database, NOW + MINUTE) == []
    assert overdue(database, NOW + MINUTE + SECOND) == [run.id]


@pytest.mark.parametrize("status", ["paused", "waiting", "success", "failed"])
def test_a_run_that_is_not_to_go_on_is_never_overdue(database: Database, status: str) -> None:
    run = a_leased_run(database, a_home(database))
    save(database, run, status=status, lease_owner=None, lease_until=None)

    assert overdue(database, NOW + 9 * MINUTE) == []


# --- log


def entries(database: Database, home: Home, run: Run, **more: Any) -> list[LogEntry]:
    with database.reading() as session:
        return runs.entries(session, home.workspace_id, run.number, **more)


def log(database: Database, run: Run, *outcomes: Outcome) -> None:
    with database.transaction() as session:
        runs.log(session, run, outcomes, NOW)


def test_the_log_keeps_all_that_an_outcome_says(database: Database) -> None:
    home = a_home(database)
    run = a_leased_run(database, home)
    error = WriteRefusedError("The CRM says no.", code="too_long", field="name", remedy="Shorten it.")
    outcome = an_outcome(
        result=Result.FAILED,
        reason="held",
        error=error,
        warnings=("Look here.",),
        before={"name": None},
        after={"name": "Ada"},
    )

    log(database, run, outcome)

    (entry,) = entries(database, home, run)
    assert (entry.kind, entry.source_id, entry.object) == ("member", "mber_1", "person")
    assert (entry.result, entry.reason, entry.error_code) == ("failed", "held", "too_long")
    assert entry.error == {
        "code": "too_long",
        "message": "The CRM says no.",
        "remedy": "Shorten it.",
        "field": "name",
    }
    assert (entry.before, entry.after, entry.warnings) == ({"name": None}, {"name": "Ada"}, ["Look here."])
    assert (entry.crm_id, entry.title, entry.created_at) == ("crm-1", "Ada Lovelace", NOW)
    assert entry.run == run.number


def test_an_unchanged_record_is_not_logged(database: Database) -> None:
    home = a_home(database)
    run = a_leased_run(database, home)

    log(database, run, an_outcome(result=Result.UNCHANGED))

    assert entries(database, home, run) == []


@pytest.mark.parametrize("note", [{"reason": "adopted"}, {"warnings": ("Look here.",)}])
def test_an_unchanged_record_with_a_note_is_logged(database: Database, note: dict[str, Any]) -> None:
    home = a_home(database)
    run = a_leased_run(database, home)

    log(database, run, an_outcome(result=Result.UNCHANGED, **note))

    assert len(entries(database, home, run)) == 1


def test_log_entries_come_in_order_and_in_pages(database: Database) -> None:
    home = a_home(database)
    run = a_leased_run(database, home)
    log(database, run, *(an_outcome(ref=Ref("whop", "member", f"mber_{n}")) for n in range(5)))

    first = entries(database, home, run, limit=3)
    rest = entries(database, home, run, after=first[-1].id, limit=3)

    assert [entry.source_id for entry in first + rest] == [f"mber_{n}" for n in range(5)]


def test_log_entries_of_some_results_are_found(database: Database) -> None:
    home = a_home(database)
    run = a_leased_run(database, home)
    log(database, run, *(an_outcome(result=one) for one in Result))

    found = entries(database, home, run, results=["skipped", "failed"])

    assert [entry.result for entry in found] == ["skipped", "failed"]


def test_the_log_of_another_run_is_not_mixed_in(database: Database) -> None:
    home = a_home(database)
    first = a_leased_run(database, home)
    log(database, first, an_outcome())
    finish(database, first)
    second = a_leased_run(database, home)

    assert entries(database, home, second) == []


# --- look up


def test_a_run_is_found_by_its_workspace_and_id(database: Database) -> None:
    home = a_home(database)
    run = a_run(database, home)

    with database.reading() as session:
        assert runs.get(session, home.workspace_id, run.id) == run
        assert runs.owner_of(session, run.id) == home.workspace_id


def test_an_unknown_run_is_refused(database: Database) -> None:
    home = a_home(database)

    with database.reading() as session:
        for look_up in (
            lambda: runs.get(session, home.workspace_id, "nothing"),
            lambda: runs.by_id(session, "nothing"),
            lambda: runs.owner_of(session, "nothing"),
        ):
            with pytest.raises(RefusedError, match="no run 'nothing'"):
                look_up()


def test_a_workspaces_runs_come_newest_first(database: Database) -> None:
    home = a_home(database)
    numbers = []
    for _ in range(3):
        run = a_leased_run(database, home)
        numbers.append(run.number)
        finish(database, run)

    with database.reading() as session:
        found = [run.number for run in runs.of_workspace(session, home.workspace_id, limit=2)]

    assert found == [numbers[2], numbers[1]]
