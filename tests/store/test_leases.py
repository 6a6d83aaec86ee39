"""What a clock that was ahead has noted keeps nobody away; what other leases and waits promise is kept."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from connector.errors import TryLaterError
from connector.store import connections, drains, grants, leases, links, reconciliations, runs
from connector.store.db import Database, Session
from connector.store.grants import Grant
from connector.store.reconciliations import NewReconciliation

from .builders import MINUTE, NOW, SECOND, Home, a_home, a_new_run, refs

Take = Callable[[Session, str, datetime, datetime], object]
"""(session, owner, now, until): what is taken, or nothing."""


def of_run(session: Session, home: Home) -> Take:
    new = a_new_run(home)
    runs.start(session, new)
    return lambda s, owner, now, until: runs.lease(s, new.id, owner=owner, now=now, until=until)


def of_comparison(session: Session, home: Home) -> Take:
    new = NewReconciliation(str(uuid.uuid4()), home.workspace_id, home.connection_id, "test", "c", NOW)
    reconciliations.start(session, new)
    return lambda s, owner, now, until: reconciliations.lease(s, new.id, owner=owner, now=now, until=until)


def of_events(_: Session, home: Home) -> Take:
    ids = (home.workspace_id, home.connection_id)
    return lambda s, owner, now, until: drains.lease(s, *ids, owner=owner, now=now, until=until)


def of_record(_: Session, home: Home) -> Take:
    def take(session: Session, owner: str, now: datetime, until: datetime) -> object:
        try:
            return links.claim(session, home.claims, refs("mber_1"), owner=owner, now=now, until=until)
        except TryLaterError:
            return None

    return take


def of_renewal(session: Session, home: Home) -> Take:
    one = connections.get(session, home.workspace_id, home.connection_id)
    grant = Grant(one.workspace_id, one.id, one.refresh_sealed or "")
    return lambda s, owner, now, until: grants.claim(s, grant, owner=owner, now=now, until=until)


LEASED = {"run": of_run, "comparison": of_comparison, "events": of_events}
LEASED |= {"record": of_record, "renewal": of_renewal}


@pytest.mark.parametrize("what", LEASED)
@pytest.mark.parametrize(
    ("until", "is_void"),
    [(NOW + MINUTE, False), (NOW + leases.JUMP, False), (NOW + timedelta(days=400), True)],
)
def test_a_lease_that_ends_later_than_any_is_void(
    database: Database, what: str, until: datetime, is_void: bool
) -> None:
    home = a_home(database, auth="oauth", refresh_sealed="sealed")
    with database.transaction() as session:
        take = LEASED[what](session, home)
        assert take(session, "dead", NOW, until) is not None
    with database.transaction() as session:
        assert (take(session, "next", NOW + SECOND, NOW + MINUTE) is not None) is is_void


def test_who_is_to_wait_for_long_asks_again_within_what_counts_as_a_wait() -> None:
    assert leases.later(NOW, 2) == NOW + 2 * SECOND
    assert NOW < leases.later(NOW, 86_400) < NOW + leases.JUMP


def test_a_due_time_further_ahead_than_any_wait_is_void(database: Database) -> None:
    home = a_home(database)
    with database.transaction() as session:
        run = a_new_run(home, now=NOW + timedelta(days=400))
        runs.start(session, run)

        assert runs.overdue(session, NOW) == [run.id]
        assert runs.overdue(session, run.now - MINUTE) == []
