"""One drainer for each connection, which may die."""

from __future__ import annotations

from datetime import datetime

from connector.store import connections, drains
from connector.store.db import Database
from connector.store.drains import Drain

from .builders import MINUTE, NOW, SECOND, Home, a_home, add_event, an_event
from .racing import race


def lease(database: Database, home: Home, owner: str = "one", now: datetime = NOW) -> Drain | None:
    with database.transaction() as session:
        return drains.lease(
            session, home.workspace_id, home.connection_id, owner=owner, now=now, until=now + MINUTE
        )


def release(
    database: Database, home: Home, owner: str = "one", due_at: datetime = NOW, tries: int = 0
) -> bool:
    ids = (home.workspace_id, home.connection_id)
    with database.transaction() as session:
        return drains.release(session, *ids, owner=owner, due_at=due_at, tries=tries)


def waiting(database: Database, now: datetime = NOW) -> list[tuple[str, str]]:
    with database.reading() as session:
        return drains.waiting(session, now)


def test_of_racing_drainers_one_gets_the_events(database: Database) -> None:
    home = a_home(database)

    found = race(*[lambda name=name: lease(database, home, name) for name in "abcdef"])

    assert sum(one is not None for one in found) == 1


def test_a_drainer_that_died_is_followed_by_another(database: Database) -> None:
    home = a_home(database)
    lease(database, home, "dead")

    assert lease(database, home, "next", NOW + MINUTE) is None
    assert lease(database, home, "next", NOW + MINUTE + SECOND) is not None
    assert not release(database, home, "dead")


def test_who_gives_back_says_when_it_goes_on(database: Database) -> None:
    home = a_home(database)
    lease(database, home)
    assert release(database, home, due_at=NOW + SECOND, tries=2)

    assert lease(database, home) is None
    found = lease(database, home, now=NOW + SECOND)
    assert found is not None
    assert found.tries == 2


def test_a_lease_lasts_for_as_long_as_it_is_renewed(database: Database) -> None:
    home = a_home(database)
    lease(database, home)

    with database.transaction() as session:
        ids = (home.workspace_id, home.connection_id)
        assert drains.renew(session, *ids, owner="one", until=NOW + MINUTE * 5)
        assert not drains.renew(session, *ids, owner="other", until=NOW + MINUTE * 5)

    assert lease(database, home, "next", NOW + MINUTE * 2) is None


def test_events_wait_where_they_are_due_and_nobody_is_at_them(database: Database) -> None:
    due, early, taken = a_home(database), a_home(database), a_home(database)
    a_home(database)
    for home in (due, taken):
        add_event(database, an_event(home))
    add_event(database, an_event(early, due_at=NOW + SECOND))
    lease(database, taken)

    assert waiting(database) == [(due.workspace_id, due.connection_id)]
    assert len(waiting(database, NOW + SECOND)) == 2
    assert len(waiting(database, NOW + MINUTE + SECOND)) == 3


def test_events_of_an_expired_or_paused_connection_wait_for_better_days(database: Database) -> None:
    home = a_home(database)
    ids = (home.workspace_id, home.connection_id)
    add_event(database, an_event(home))
    with database.transaction() as session:
        connections.set_paused(session, *ids, paused=True)
    assert waiting(database) == []

    with database.transaction() as session:
        connections.set_paused(session, *ids, paused=False)
        connections.mark(session, *ids, "expired")
    assert waiting(database) == []

    with database.transaction() as session:
        connections.mark(session, *ids, "active")
    assert waiting(database) == [ids]
