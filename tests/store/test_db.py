"""Transactions: all or nothing, watched, and on SQLite readers that wait for nobody."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from connector.store import db, sqlite_turns, workspaces
from connector.store.db import Database, in_transaction

from .builders import a_workspace
from .racing import race

ONLY_SQLITE = pytest.mark.parametrize("backend", ["sqlite"])


def names(database: Database) -> list[str]:
    with database.reading() as session:
        return [one.name for one in workspaces.every(session)]


def test_a_transaction_is_saved_when_its_block_ends(database: Database) -> None:
    with database.transaction() as session:
        workspaces.add(session, a_workspace(name="Acme"))

    assert names(database) == ["Acme"]


def test_a_transaction_that_raises_saves_nothing(database: Database) -> None:
    def add_and_fail() -> None:
        with database.transaction() as session:
            workspaces.add(session, a_workspace(name="Acme"))
            raise KeyError

    with pytest.raises(KeyError):
        add_and_fail()

    assert names(database) == []


def test_what_is_not_saved_yet_is_seen_by_nobody_else(database: Database) -> None:
    with database.transaction() as session:
        workspaces.add(session, a_workspace(name="Acme"))

        assert names(database) == []


def test_this_thread_is_known_to_be_in_a_transaction(database: Database) -> None:
    before = in_transaction()
    with database.transaction():
        within = in_transaction()

    assert (before, within, in_transaction()) == (False, True, False)


def test_a_transaction_within_another_does_not_end_the_watch(database: Database) -> None:
    if database.engine.dialect.name == "sqlite":
        other = Database("sqlite://")  # a second writer of the same file would wait for the first
    else:
        other = Database(database.engine.url.render_as_string(hide_password=False))
    with database.transaction():
        with other.transaction():
            pass
        still = in_transaction()
    other.close()

    assert still


def test_a_transaction_that_raises_ends_the_watch(database: Database) -> None:
    with pytest.raises(KeyError), database.transaction():
        raise KeyError

    assert not in_transaction()


def test_another_threads_transaction_is_not_ours(database: Database) -> None:
    with database.transaction():
        (elsewhere,) = race(in_transaction)

    assert elsewhere is False


def test_reading_does_not_wait_for_a_writer(database: Database) -> None:
    with database.transaction() as session:
        workspaces.add(session, a_workspace())
        started = time.monotonic()
        (seen,) = race(lambda: names(database))
        waited = time.monotonic() - started

    assert seen == []
    assert waited < 3  # a writer in the way would have kept it for five


def test_writers_wait_for_each_other_and_lose_nothing(database: Database) -> None:
    def add(number: int) -> None:
        with database.transaction() as session:
            known = len(workspaces.every(session))
            workspaces.add(session, a_workspace(name=f"{number}, after {known}"))

    failures = race(*(lambda n=n: add(n) for n in range(8)))

    assert failures == [None] * 8
    assert len(names(database)) == 8


@ONLY_SQLITE
@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("busy_timeout", 5000), ("foreign_keys", 1)],
)
def test_every_sqlite_connection_is_set_up(database: Database, pragma: str, value: object) -> None:
    with database.reading() as one, database.reading() as two:
        found = [session.exec_driver_sql(f"PRAGMA {pragma}").scalar() for session in (one, two)]

    assert found == [value, value]


ONLY_POSTGRESQL = pytest.mark.parametrize("backend", ["postgresql"])


@ONLY_POSTGRESQL
@pytest.mark.parametrize(("trusted", "asked"), [(0.0, 1), (3600.0, 0)])
def test_a_server_is_asked_whether_it_is_there_only_after_a_rest(
    database: Database, monkeypatch: pytest.MonkeyPatch, trusted: float, asked: int
) -> None:
    names(database)
    ping, pings = database.engine.dialect.do_ping, list[Any]()
    monkeypatch.setattr(database.engine.dialect, "do_ping", lambda one: pings.append(one) or ping(one))
    monkeypatch.setattr(db, "_TRUSTED", trusted)

    names(database)

    assert len(pings) == asked


@ONLY_POSTGRESQL
def test_a_connection_that_ended_while_it_rested_is_replaced(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "_TRUSTED", 0.0)
    with database.reading() as rested:
        pid = rested.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        with database.reading() as other:
            other_pid = other.exec_driver_sql("SELECT pg_backend_pid()").scalar()
    ending = Database(database.engine.url.render_as_string(hide_password=False))
    with closing(ending), ending.transaction() as session:
        for one in (pid, other_pid):
            session.exec_driver_sql("SELECT pg_terminate_backend(%s, 5000)", (one,))

    assert names(database) == []


@ONLY_SQLITE
def test_a_writer_on_sqlite_has_the_lock_before_it_reads(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_at_once() -> None:
        monkeypatch.setattr(sqlite_turns, "PATIENCE", 1)
        with database.engine.connect() as session:
            session.begin()

    with database.transaction(), pytest.raises(OperationalError, match="database is locked"):
        write_at_once()


@ONLY_SQLITE
def test_on_sqlite_who_waits_to_write_is_next_whoever_comes_back(database: Database) -> None:
    waits = threading.Event()

    def note(driver: Any, *_: object) -> None:
        driver.set_trace_callback(lambda words: waits.set() if "IMMEDIATE" in words else None)

    def add() -> None:
        with database.transaction() as session:
            workspaces.add(session, a_workspace(name="Acme"))

    with ThreadPoolExecutor(1) as aside:
        with database.transaction():
            event.listen(database.engine, "checkout", note)
            adding = aside.submit(add)
            assert waits.wait(30)
        with database.transaction() as session:
            found = [one.name for one in workspaces.every(session)]
        adding.result(30)

    assert found == ["Acme"]


@ONLY_SQLITE
def test_who_waits_to_write_and_is_killed_holds_nobody_up(database: Database, database_url: str) -> None:
    with database.transaction():
        argv = [sys.executable, "-c", _WAITS, database_url]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as waiting:
            assert waiting.stdout is not None
            assert waiting.stdout.readline() == "BEGIN IMMEDIATE\n"
            waiting.kill()
    with database.transaction() as session:
        workspaces.add(session, a_workspace(name="Acme"))

    assert names(database) == ["Acme"]


_WAITS = """
import sys
from connector.store.db import Database
database = Database(sys.argv[1])
with database.engine.connect() as session:
    driver = session.connection.driver_connection
    driver.set_trace_callback(lambda words: print(words, flush=True) if words.startswith("BEGIN") else None)
    session.begin()
"""


@ONLY_SQLITE
def test_a_new_sqlite_file_can_be_opened_by_many_at_once(tmp_path: Path, backend: str) -> None:
    for attempt in range(20):
        opened = [Database(f"{backend}:///{tmp_path / str(attempt)}.db") for _ in range(4)]
        answers = race(*(lambda one=one: one.engine.connect().close() for one in opened))
        for one in opened:
            one.close()

        assert answers == [None] * 4


@ONLY_SQLITE
def test_the_folder_of_a_sqlite_file_is_made(tmp_path: Path, backend: str) -> None:
    database = Database(f"{backend}:///{tmp_path / 'data' / 'deep' / 'connector.db'}")
    with database.transaction():
        pass
    database.close()

    assert (tmp_path / "data" / "deep" / "connector.db").exists()
