"""The event inbox: each delivery once, in the order of arrival, until it is settled."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import event

from connector.store import inbox, sqlite_turns
from connector.store.db import Database, Unavailable
from connector.store.inbox import InboxEvent

from .builders import MINUTE, NOW, SECOND, Home, a_home, add_event, an_event
from .racing import race


def pending(database: Database, home: Home, *, now: Any = NOW, limit: int = 100) -> list[InboxEvent]:
    with database.reading() as session:
        return inbox.pending(session, home.workspace_id, home.connection_id, now, limit)


def settle(database: Database, home: Home, ids: list[int | None], state: inbox.Settled = "done") -> int:
    with database.transaction() as session:
        given = [id_ for id_ in ids if id_ is not None]
        return inbox.settle(session, home.workspace_id, given, state, now=NOW, run=7)


def test_a_kept_event_comes_back_byte_for_byte(database: Database) -> None:
    home = a_home(database)
    new = an_event(
        home, body=b'{"\xc3\xbc": 1 }\n\x00\xff', kind="membership", source_id="mem_1", occurred_at=NOW
    )

    added = add_event(database, new)

    (found,) = pending(database, home)
    assert added
    assert found.id is not None
    assert replace(found, id=None) == new


def test_a_second_delivery_of_an_event_changes_nothing(database: Database) -> None:
    home = a_home(database)
    first = an_event(home)
    add_event(database, first)

    added = add_event(database, an_event(home, body=b"other", received_at=NOW + MINUTE))

    (found,) = pending(database, home)
    assert not added
    assert replace(found, id=None) == first


def test_several_are_taken_in_together_byte_for_byte(database: Database) -> None:
    home = a_home(database)
    new = [
        an_event(home, event_id=f"msg_{number}", body=b'{"\xc3\xbc": %d}\x00\xff' % number, occurred_at=NOW)
        for number in range(3)
    ]

    taken = inbox.take_in(database, new)

    assert taken == 3
    assert [replace(one, id=None) for one in pending(database, home)] == new


def test_what_is_taken_in_twice_changes_nothing(database: Database) -> None:
    home = a_home(database)
    first, second = an_event(home), an_event(home, event_id="msg_2")
    inbox.take_in(database, [first])

    taken = inbox.take_in(database, [an_event(home, body=b"other"), second, second])

    assert taken == 1
    assert [replace(one, id=None) for one in pending(database, home)] == [first, second]


def test_of_events_taken_in_together_all_are_kept_or_none(database: Database) -> None:
    home = a_home(database)
    nobodys = an_event(home, event_id="msg_2", connection_id="nobody's")

    with pytest.raises(Unavailable):
        inbox.take_in(database, [an_event(home), nobodys])

    assert pending(database, home) == []
    assert inbox.take_in(database, [an_event(home)]) == 1


@pytest.mark.parametrize("backend", ["sqlite"])
def test_taking_in_waits_for_who_writes_just_now(database: Database) -> None:
    home, tried = a_home(database), threading.Event()

    def note(statement: str) -> None:
        if "INTO event_inbox" in statement:
            tried.set()

    event.listen(database.engine, "checkout", lambda driver, *_: driver.set_trace_callback(note))
    with ThreadPoolExecutor(1) as aside:
        with database.transaction():
            taking = aside.submit(inbox.take_in, database, [an_event(home)])
            assert tried.wait(30)
            assert pending(database, home) == []
        assert taking.result(30) == 1

    assert len(pending(database, home)) == 1


@pytest.mark.parametrize("backend", ["sqlite"])
def test_taking_in_gives_up_where_somebody_never_ends_writing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = a_home(database)
    monkeypatch.setattr(sqlite_turns, "PATIENCE", 1)

    with database.transaction(), pytest.raises(Unavailable, match="database is locked"):
        inbox.take_in(database, [an_event(home)])

    assert pending(database, home) == []


def test_a_duplicate_leaves_the_transaction_usable(database: Database) -> None:
    home = a_home(database)

    with database.transaction() as session:
        answers = [inbox.add(session, [an_event(home, event_id=id_)]) for id_ in ("msg_1", "msg_1", "msg_2")]

    assert answers == [1, 0, 1]
    assert [event.event_id for event in pending(database, home)] == ["msg_1", "msg_2"]


def test_an_event_that_is_settled_is_not_taken_in_again(database: Database) -> None:
    home = a_home(database)
    add_event(database, an_event(home))
    settle(database, home, [event.id for event in pending(database, home)])

    assert not add_event(database, an_event(home))
    assert pending(database, home) == []


def test_of_racing_deliveries_only_one_is_added(database: Database) -> None:
    home = a_home(database)

    answers = race(*[lambda: add_event(database, an_event(home))] * 6)

    assert sorted(answers) == [False] * 5 + [True]


def test_the_same_event_id_on_another_connection_is_another_event(database: Database) -> None:
    one, two = a_home(database), a_home(database)

    assert add_event(database, an_event(one))
    assert add_event(database, an_event(two))


def test_pending_events_come_in_the_order_they_arrived(database: Database) -> None:
    home = a_home(database)
    for number, due in enumerate((NOW, NOW - MINUTE, NOW - SECOND)):
        add_event(database, an_event(home, event_id=f"msg_{number}", due_at=due))

    assert [event.event_id for event in pending(database, home)] == ["msg_0", "msg_1", "msg_2"]
    assert [event.event_id for event in pending(database, home, limit=2)] == ["msg_0", "msg_1"]


def test_an_event_is_pending_once_its_time_has_come(database: Database) -> None:
    home = a_home(database)
    add_event(database, an_event(home, due_at=NOW + SECOND))

    assert pending(database, home, now=NOW) == []
    assert len(pending(database, home, now=NOW + SECOND)) == 1


@pytest.mark.parametrize("state", ["done", "ignored"])
def test_a_settled_event_is_pending_no_more(database: Database, state: inbox.Settled) -> None:
    home = a_home(database)
    for id_ in ("msg_1", "msg_2"):
        add_event(database, an_event(home, event_id=id_))
    first, second = pending(database, home)

    changed = settle(database, home, [first.id], state)

    assert changed == 1
    assert pending(database, home) == [second]


def test_an_event_is_settled_only_once(database: Database) -> None:
    home = a_home(database)
    add_event(database, an_event(home))
    ids = [event.id for event in pending(database, home)]

    assert settle(database, home, ids, "done") == 1
    assert settle(database, home, ids, "ignored") == 0


def fail(database: Database, home: Home, id_: int | None, due_at: datetime | None) -> None:
    assert id_ is not None
    with database.transaction() as session:
        assert inbox.fail(session, home.workspace_id, id_, {"code": "crm_bad_value"}, due_at=due_at) == 1


def test_a_failure_is_counted_and_waits_for_its_time(database: Database) -> None:
    home = a_home(database)
    add_event(database, an_event(home))
    (event,) = pending(database, home)

    fail(database, home, event.id, NOW + MINUTE)

    assert pending(database, home) == []
    (later,) = pending(database, home, now=NOW + MINUTE)
    assert (later.attempts, later.error) == (1, {"code": "crm_bad_value"})


def test_a_parked_event_waits_for_a_person_and_can_be_taken_again(database: Database) -> None:
    home = a_home(database)
    add_event(database, an_event(home))
    (event,) = pending(database, home)
    fail(database, home, event.id, None)
    assert pending(database, home, now=NOW + MINUTE * 60) == []

    with database.transaction() as session:
        assert inbox.replay(session, home.workspace_id, [event.id or 0], NOW, quiet=False) == 1

    assert pending(database, home) == [event]


def test_an_event_that_is_done_can_be_taken_again_too(database: Database) -> None:
    home = a_home(database)
    add_event(database, an_event(home))
    (event,) = pending(database, home)
    settle(database, home, [event.id])

    with database.transaction() as session:
        inbox.replay(session, home.workspace_id, [event.id or 0], NOW, quiet=False)

    assert pending(database, home) == [event]


def test_an_event_that_is_put_off_is_not_blamed(database: Database) -> None:
    home = a_home(database)
    add_event(database, an_event(home))
    (event,) = pending(database, home)

    with database.transaction() as session:
        inbox.put_off(session, home.workspace_id, [event.id or 0], NOW + SECOND)

    assert pending(database, home) == []
    assert pending(database, home, now=NOW + SECOND)[0].attempts == 0


def test_settling_nothing_is_no_mistake(database: Database) -> None:
    home = a_home(database)

    assert settle(database, home, []) == 0
