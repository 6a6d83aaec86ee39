"""Column types: times come back in UTC whatever they were given in, and JSON as it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, select
from sqlalchemy.exc import StatementError

from connector.store.db import Database
from connector.store.types import Json, UtcDateTime

NOON = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)
notes = Table(
    "note",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime),
    Column("what", Json),
)


@pytest.fixture
def scratch(empty_database: Database) -> Database:
    notes.metadata.create_all(empty_database.engine)
    return empty_database


def kept(database: Database, **values: Any) -> Any:
    with database.transaction() as session:
        session.execute(insert(notes).values(id=1, **values))
    with database.reading() as session:
        return session.execute(select(notes)).one()


@pytest.mark.parametrize("hours", [0, 2, -8])
def test_a_time_of_any_zone_comes_back_in_utc(scratch: Database, hours: int) -> None:
    local = NOON.astimezone(timezone(timedelta(hours=hours)))

    found = kept(scratch, at=local).at

    assert found == NOON
    assert found.utcoffset() == timedelta(0)
    assert found.microsecond == 123456


def test_a_naive_time_is_refused(scratch: Database) -> None:
    naive = NOON.replace(tzinfo=None)

    with pytest.raises(StatementError, match="naive time"):
        kept(scratch, at=naive)


def test_times_of_two_zones_compare_as_moments(scratch: Database) -> None:
    kept(scratch, at=NOON)
    later_but_smaller_on_the_clock = (NOON + timedelta(hours=1)).astimezone(timezone(timedelta(hours=-8)))

    with scratch.reading() as session:
        found = session.execute(select(notes.c.id).where(notes.c.at < later_but_smaller_on_the_clock)).all()

    assert len(found) == 1


def test_no_time_comes_back_as_none(scratch: Database) -> None:
    assert kept(scratch, at=None).at is None


@pytest.mark.parametrize(
    "document",
    [{}, [], {"a": {"b": [1, 2.5, None, True, "ü \U0001f389"]}}, "text", 0, False, "nul \x00 and \u2028"],
)
def test_a_document_comes_back_as_it_was(scratch: Database, document: object) -> None:
    assert kept(scratch, what=document).what == document


def test_no_document_is_null_and_comes_back_as_none(scratch: Database) -> None:
    assert kept(scratch, what=None).what is None
    with scratch.reading() as session:
        assert session.exec_driver_sql("SELECT count(*) FROM note WHERE what IS NULL").scalar() == 1
