"""Bring a database's tables to the state this version of the connector needs.

The revisions stand in ``migrations/`` beside the package. There is no alembic.ini: all of it is said here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from connector.store.db import Database, Session

DIRECTORY = Path(__file__).resolve().parents[2] / "migrations"
_LOCK = 0x77686F70  # "whop"; any number will do that every version of the connector agrees on
_PATIENCE = 60_000  # milliseconds that SQLite waits for another process's migration


def upgrade(database: Database) -> list[str]:
    """Apply every revision that is missing, all in one transaction; the names of those applied.

    Safe to call from several processes at once: the others wait, and find nothing left to do.
    """
    config = _config()
    applied: list[str] = []
    config.attributes["applied"] = applied
    with _alone(database) as session:
        config.attributes["connection"] = session
        command.upgrade(config, "head")
    return applied


def current(database: Database) -> str | None:
    """The revision the database is at; None before the first."""
    with database.reading() as session:
        return MigrationContext.configure(session).get_current_revision()


def is_current(database: Database) -> bool:
    """Whether the database is at the newest revision this version of the connector has."""
    return current(database) == ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(DIRECTORY).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


@contextmanager
def _alone(database: Database) -> Iterator[Session]:
    if database.engine.dialect.name == "sqlite":
        with _alone_on_sqlite(database) as session:
            yield session
        return
    with database.transaction() as session:
        session.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        yield session


@contextmanager
def _alone_on_sqlite(database: Database) -> Iterator[Session]:
    """BEGIN IMMEDIATE keeps others out.

    Changing a table means copying and dropping it, which foreign keys would forbid; they cannot be switched
    off inside a transaction, so that is done around it, and they are checked before it commits.
    """
    with database.engine.connect() as session:
        driver: Any = session.connection.driver_connection
        waited = driver.execute("PRAGMA busy_timeout").fetchone()[0]
        driver.execute("PRAGMA foreign_keys=OFF")
        driver.execute(f"PRAGMA busy_timeout={_PATIENCE}")
        try:
            with session.begin():
                yield session
                _check_foreign_keys(session)
        finally:
            driver.execute("PRAGMA foreign_keys=ON")
            driver.execute(f"PRAGMA busy_timeout={waited}")


def _check_foreign_keys(session: Session) -> None:
    broken = session.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    if broken:
        raise RuntimeError(f"a migration left {len(broken)} rows that point nowhere: {broken[:3]}")
