"""Who writes to SQLite when: one at a time, in turn, and nobody waits longer than he must.

SQLite itself has those who wait look again after 1, 2, 5, 10, 15, … 100 ms, and gives the lock to whoever
comes at the right moment: a worker that ends one transaction and begins the next is always sooner than a
webhook that waits for its commit. So a writer goes through a turnstile first, which one holds at a time until
it has the lock. Who comes back for another turn finds the next one standing there.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.pool import ConnectionPoolEntry

T = TypeVar("T")

PATIENCE = 5_000
"""Milliseconds that anybody waits for a lock."""

_LOOK_AGAIN = 0.001
_TURNSTILE, _WAITS = "turnstile", "waits"


def configure(connection: Any, record: ConnectionPoolEntry) -> None:
    """Set a new connection up."""
    # Autocommit mode of the driver, so that BEGIN IMMEDIATE below is ours: a transaction that first
    # reads and then writes would otherwise fail at once with "database is locked".
    connection.isolation_level = None
    record.info[_WAITS] = PATIENCE
    for pragma in (f"busy_timeout={PATIENCE}", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    _switch_to_wal(connection)
    if path := connection.execute("PRAGMA database_list").fetchone()[2]:
        record.info[_TURNSTILE] = _Turnstile(path)


def begin(connection: Connection) -> None:
    """Begin a transaction; one that writes has the lock from its begin on."""
    options = connection.get_execution_options()
    if options.get("reading"):
        _let_wait(connection, PATIENCE)
        connection.exec_driver_sql("BEGIN")
    elif not options.get("single"):
        driver: Any = connection.connection.driver_connection
        words = "BEGIN IMMEDIATE"
        take(connection, lambda: driver.execute(words), lambda: connection.exec_driver_sql(words))


def take(connection: Connection, act: Callable[[], T], last: Callable[[], T]) -> T:
    """``act`` when it is our turn to write, or ``last``, which raises our errors, when it never is."""
    until = time.monotonic() + PATIENCE / 1000
    _let_wait(connection, 0)
    with _next(connection.info.get(_TURNSTILE), until):
        while time.monotonic() < until:
            try:
                return act()
            except sqlite3.Error as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
                    break
                time.sleep(_LOOK_AGAIN)
    return last()


def _let_wait(connection: Connection, milliseconds: int) -> None:
    """How long SQLite itself is to wait for a lock; not asked for again where it does so already."""
    if connection.info[_WAITS] != milliseconds:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={milliseconds}")
        connection.info[_WAITS] = milliseconds


class _Turnstile:
    """A file beside the database, whose lock the next one to write holds. It ends with its connection."""

    def __init__(self, database: str) -> None:
        self._file = os.open(f"{database}-turn", os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def __del__(self) -> None:
        os.close(self._file)

    def enter(self) -> bool:
        """Whether it was free."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def leave(self) -> None:
        """Let the next one in."""
        fcntl.flock(self._file, fcntl.LOCK_UN)


@contextmanager
def _next(turnstile: _Turnstile | None, until: float) -> Iterator[None]:
    """Be the next one; or, where somebody else is for too long, do without."""
    entered = False
    while turnstile and not (entered := turnstile.enter()) and time.monotonic() < until:
        time.sleep(_LOOK_AGAIN)
    try:
        yield
    finally:
        if turnstile and entered:
            turnstile.leave()


def _switch_to_wal(connection: Any) -> None:
    # Two processes that switch a new file at the same moment do not wait for each other, busy_timeout or not:
    # SQLite sees a deadlock coming and refuses one of them. Later the switch is there and this only reads it.
    for _ in range(100):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            time.sleep(0.02)
        else:
            return
    connection.execute("PRAGMA journal_mode=WAL")
