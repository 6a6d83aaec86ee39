"""The engine and the one way to open a transaction."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, cast

import orjson
from sqlalchemy import (
    ARRAY,
    ClauseElement,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Engine,
    Executable,
    MetaData,
    String,
    Table,
    any_,
    bindparam,
    create_engine,
    event,
    func,
    make_url,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import InvalidatePoolError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.compiler import SQLCompiler

from connector.store import sqlite_turns

Unavailable = SQLAlchemyError
"""What the store raises when the database does not answer."""

Session = Connection
"""What the functions of this room take: a Core connection inside a transaction."""

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMING)

_AUTOCOMMIT = {"isolation_level": "AUTOCOMMIT"}
_open = threading.local()


class Database:
    """One engine. ``transaction()`` commits at the end of its block and rolls back on an exception."""

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A transaction; never hold one while waiting for another machine (``in_transaction`` is watched)."""
        _open.depth = getattr(_open, "depth", 0) + 1
        try:
            with self.engine.begin() as connection:
                yield connection
        finally:
            _open.depth -= 1

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that only reads: on SQLite it waits for no writer."""
        with self.engine.connect().execution_options(reading=True) as connection, connection.begin():
            yield connection

    @contextmanager
    def single(self) -> Iterator[Session]:
        """For one ``alone``, which commits itself."""
        with self.engine.connect() as connection:
            server = connection.dialect.name != "sqlite"
            yield connection.execution_options(**_AUTOCOMMIT if server else {"single": True})

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()


def file_of(url: str) -> Path | None:
    """The file of an SQLite database; None for other databases and for one in memory."""
    found = make_url(url)
    named = found.database if found.get_backend_name() == "sqlite" else None
    return Path(named) if named and named != ":memory:" else None


def in_transaction() -> bool:
    """Whether this thread has a transaction open. The door out asks, and refuses to send."""
    return getattr(_open, "depth", 0) > 0


def one_of(session: Session, column: Column[Any], ids: Sequence[str]) -> ColumnElement[bool]:
    """Whether a column has one of these values, given as one parameter however many they are.

    A list of parameters is spelled out anew for each call, and PostgreSQL, before it has statistics, then
    chooses a poor plan.
    """
    if session.dialect.name == "postgresql":
        return column == any_(bindparam(None, list(ids), type_=ARRAY(String)))
    listed = func.json_each(orjson.dumps(ids).decode()).table_valued("value")
    return column.in_(select(listed.c.value))


def insert_into(session: Session, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT in the words of this database, where more than plain SQL is wanted (ON CONFLICT)."""
    make = postgresql.insert if session.dialect.name == "postgresql" else sqlite.insert
    return make(table)


def insert_new(session: Session, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that passes over rows which are there already; the same object each time (see ``many``)."""
    key = (session.dialect.name, table)
    if key not in _insert_new:
        _insert_new[key] = insert_into(session, table).on_conflict_do_nothing()
    return _insert_new[key]


_insert_new: dict[tuple[str, Table], postgresql.Insert | sqlite.Insert] = {}


def many(session: Session, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> int:
    """Execute one INSERT or UPDATE for each row; how many rows it touched.

    All rows have the same names. The statement is compiled once and its values are converted here, in one
    pass: SQLAlchemy's own way for many rows costs several times as much, for every record of a sync.
    Give the same statement object each time: what is compiled is remembered by it.
    """
    if not rows:
        return 0
    names = tuple(rows[0])
    text, order, converters = _compiled(statement, names, session.dialect)
    if order is None:  # named parameters
        changed = [(name, converters[name]) for name in names if name in converters]
        values: list[Any] = [{**row, **{name: turn(row[name]) for name, turn in changed}} for row in rows]
    else:
        turns = [(name, converters.get(name, _as_it_is)) for name in order]
        values = [tuple([turn(row[name]) for name, turn in turns]) for row in rows]
    return session.exec_driver_sql(text, values).rowcount


def alone(session: Session, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> int:
    """Execute one INSERT of these rows and commit it, in a single step; how many it touched.

    Within ``Database.single()``. A server is asked once instead of three times. On SQLite the lock is held
    while the database works, and not while a thread waits for its turn to begin, go on and end.
    """
    text, order, converters = _compiled_alone(statement, tuple(rows[0]), session.dialect, len(rows))
    turns = [(name, converters.get(name, _as_it_is)) for name in order]
    values = tuple([turn(row[name]) for row in rows for name, turn in turns])
    if session.dialect.name != "sqlite":
        return session.exec_driver_sql(text, values).rowcount
    driver: Any = session.connection.driver_connection
    return sqlite_turns.take(
        session,
        lambda: int(driver.execute(text, values).rowcount),
        lambda: session.exec_driver_sql(text, values).rowcount,
    )


@lru_cache(maxsize=64)
def _compiled_alone(
    statement: Executable, names: tuple[str, ...], dialect: Dialect, number: int
) -> tuple[str, Sequence[str], dict[str, Callable[[Any], Any]]]:
    """As ``_compiled``, with so many rows behind its VALUES and placeholders that have no names."""
    make: Any = type(dialect)
    nameless = make(paramstyle="qmark" if dialect.name == "sqlite" else "format")
    text, order, converters = _compiled(statement, names, nameless)
    head, values, tail = _VALUES.split(text, maxsplit=1)
    if order is None:
        raise TypeError(f"placeholders with names: {text}")
    return head + ", ".join([values] * number) + tail, order, converters


_VALUES = re.compile(r"(?<= VALUES )(\((?:[^()]|\([^()]*\))*\))")


def _as_it_is(value: Any) -> Any:
    return value


@lru_cache(maxsize=64)
def _compiled(
    statement: Executable, names: tuple[str, ...], dialect: Dialect
) -> tuple[str, Sequence[str] | None, dict[str, Callable[[Any], Any]]]:
    """SQL text, the names in the order of its placeholders (None: it names them), and value converters."""
    compiled = cast("ClauseElement", statement).compile(dialect=dialect, column_keys=list(names))
    if not isinstance(compiled, SQLCompiler):
        raise TypeError(f"not a statement: {statement!r}")
    converters: dict[str, Callable[[Any], Any]] = {}
    for name, parameter in compiled.binds.items():
        if convert := parameter.type.dialect_impl(dialect).bind_processor(dialect):
            converters[name] = convert
    return compiled.string, compiled.positiontup, converters


_TRUSTED = 1.0
"""Seconds for which a connection to a server is believed to be there after it was used."""


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        engine = create_engine(url, pool_size=10)
        event.listen(engine, "connect", _note_use)
        event.listen(engine, "checkin", _note_use)
        event.listen(engine, "checkout", partial(_look_after_rest, engine.dialect))
        return engine
    if path := file_of(url):
        path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": 5})
    event.listen(engine, "connect", sqlite_turns.configure)
    event.listen(engine, "begin", sqlite_turns.begin)
    return engine


def _note_use(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info["used"] = time.monotonic()


def _look_after_rest(dialect: Dialect, connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Ask a server that was not asked for a second whether it is still there; if not, it is called anew.

    ``pool_pre_ping`` asks before each transaction, which costs a busy door a round trip for every event.
    """
    if time.monotonic() - record.info["used"] < _TRUSTED:
        return
    try:
        dialect.do_ping(connection)
    except Exception as error:
        raise InvalidatePoolError from error
