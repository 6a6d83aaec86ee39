"""Operators, their one-time links, their sessions, and the audit log."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from connector.errors import RefusedError
from connector.store import audit, operators, sessions, workspaces
from connector.store.audit import NewEvent
from connector.store.db import Database
from connector.store.models import metadata
from connector.store.operators import Operator
from connector.store.sessions import IDLE, LIFE, NewSession, WebSession

from .builders import MINUTE, NOW, SECOND, a_workspace
from .racing import race

TOKEN = "a-token-of-the-test"


def an_operator(database: Database, name: str = "marta", **changed: str) -> Operator:
    with database.transaction() as session:
        return operators.add(session, changed.get("id", str(uuid.uuid4())), name, NOW)


def a_link(database: Database, one: Operator, token: str = TOKEN, now: datetime = NOW) -> None:
    with database.transaction() as session:
        operators.keep_link(session, one.id, token, now)


def use(database: Database, token: str = TOKEN, now: datetime = NOW) -> Operator | None:
    with database.transaction() as session:
        return operators.use_link(session, token, now)


def a_session(database: Database, one: Operator, token: str = TOKEN, now: datetime = NOW) -> str:
    id_ = str(uuid.uuid4())
    with database.transaction() as session:
        sessions.start(session, NewSession(id_, one.id, "link", "Firefox on Linux", "192.0.2.x"), token, now)
    return id_


def found(database: Database, token: str = TOKEN, now: datetime = NOW) -> WebSession | None:
    with database.reading() as session:
        return sessions.find(session, token, now)


def everything(database: Database) -> str:
    """All that the tables hold, as text."""
    with database.reading() as session:
        return repr([session.execute(select(table)).all() for table in metadata.tables.values()])


def test_a_name_is_taken_once(database: Database) -> None:
    an_operator(database, "Marta  Ibáñez ")

    with pytest.raises(RefusedError, match="already"):
        an_operator(database, "Marta Ibáñez")


@pytest.mark.parametrize("name", ["", "   ", "a\x00b", "x" * 101])
def test_a_name_that_nobody_could_type_is_refused(database: Database, name: str) -> None:
    with pytest.raises(RefusedError, match="characters"):
        an_operator(database, name)


def test_two_who_add_the_same_name_at_once_add_one(database: Database) -> None:
    answers = race(lambda: an_operator(database), lambda: an_operator(database))

    assert sorted(type(one).__name__ for one in answers) == ["Operator", "RefusedError"]


def test_a_link_opens_once(database: Database) -> None:
    one = an_operator(database)
    a_link(database, one)

    assert use(database) == one
    assert use(database) is None


def test_of_two_who_use_a_link_at_once_one_gets_in(database: Database) -> None:
    a_link(database, an_operator(database))

    answers = race(*[lambda: use(database)] * 4)

    assert sorted(type(one).__name__ for one in answers) == ["NoneType"] * 3 + ["Operator"]


def test_looking_at_a_link_does_not_use_it(database: Database) -> None:
    one = an_operator(database)
    a_link(database, one)

    with database.reading() as session:
        assert operators.link_owner(session, TOKEN, NOW) == one
    assert use(database) == one


def test_a_link_ends_after_a_day(database: Database) -> None:
    a_link(database, an_operator(database))

    with database.reading() as session:
        assert operators.link_owner(session, TOKEN, NOW + timedelta(hours=24)) is None
    assert use(database, now=NOW + timedelta(hours=24)) is None
    assert use(database, now=NOW + timedelta(hours=24) - SECOND) is not None


def test_a_newer_link_takes_the_place_of_an_unused_one(database: Database) -> None:
    one = an_operator(database)
    a_link(database, one, "first")
    a_link(database, one, "second")

    assert use(database, "first") is None
    assert use(database, "second") == one


def test_a_link_of_one_operator_leaves_that_of_another(database: Database) -> None:
    one, other = an_operator(database), an_operator(database, "taro")
    a_link(database, one, "first")
    a_link(database, other, "second")

    assert use(database, "first") == one


def test_tokens_are_kept_as_hashes_only(database: Database) -> None:
    one = an_operator(database)
    a_link(database, one, "link-token-in-the-clear")
    a_session(database, one, "session-token-in-the-clear")

    assert "in-the-clear" not in everything(database)


def test_a_removed_operator_has_no_link_no_password_and_no_session(database: Database) -> None:
    one = an_operator(database)
    a_link(database, one, "link")
    a_session(database, one)
    with database.transaction() as session:
        operators.set_password(session, one.id, "scrypt:hash")
        operators.remove(session, one.id, NOW)

    assert use(database, "link") is None
    assert found(database) is None
    with database.reading() as session:
        assert operators.credentials(session, "marta") is None


def test_a_removed_operator_can_be_added_again_without_the_old_password(database: Database) -> None:
    one = an_operator(database)
    with database.transaction() as session:
        operators.set_password(session, one.id, "scrypt:hash")
        operators.remove(session, one.id, NOW)

    again = an_operator(database)

    assert (again.id, again.has_password, again.removed_at) == (one.id, False, None)


def test_an_old_link_stays_dead_when_its_operator_comes_back(database: Database) -> None:
    one = an_operator(database)
    a_link(database, one)
    with database.transaction() as session:
        operators.remove(session, one.id, NOW)
    an_operator(database)

    assert use(database) is None


def test_sessions_revoked_on_removal_stay_dead_when_the_operator_comes_back(database: Database) -> None:
    one = an_operator(database)
    a_session(database, one)
    with database.transaction() as session:
        operators.remove(session, one.id, NOW)
        sessions.revoke_all(session, one.id, NOW)
    an_operator(database)

    assert found(database) is None


def test_a_password_hash_does_not_show_in_a_repr(database: Database) -> None:
    one = an_operator(database)
    with database.transaction() as session:
        operators.set_password(session, one.id, "scrypt:hash")
        kept = operators.credentials(session, "marta")

    assert kept is not None
    assert "scrypt" not in repr(kept)


def test_a_session_ends_when_it_is_not_used(database: Database) -> None:
    a_session(database, an_operator(database))

    assert found(database, now=NOW + IDLE - SECOND) is not None
    assert found(database, now=NOW + IDLE) is None


def test_a_session_ends_after_its_life_however_much_it_is_used(database: Database) -> None:
    id_ = a_session(database, an_operator(database))
    with database.transaction() as session:
        sessions.touch(session, id_, NOW + LIFE - MINUTE)

    assert found(database, now=NOW + LIFE - SECOND) is not None
    assert found(database, now=NOW + LIFE) is None


def test_use_moves_the_end_at_most_once_a_minute(database: Database) -> None:
    id_ = a_session(database, an_operator(database))
    moved = []
    for seconds in (59, 60, 100, 120):
        with database.transaction() as session:
            sessions.touch(session, id_, NOW + seconds * SECOND)
        one = found(database)
        assert one is not None
        moved.append((one.seen_at - NOW).total_seconds())

    assert moved == [0, 60, 60, 120]


def test_a_session_says_when_it_ends(database: Database) -> None:
    id_ = a_session(database, an_operator(database))
    one = found(database)
    assert one is not None
    with database.transaction() as session:
        sessions.touch(session, id_, NOW + LIFE - MINUTE)
    late = found(database)
    assert late is not None

    assert (one.ends_at, late.ends_at) == (NOW + IDLE, NOW + LIFE)


def test_a_revoked_session_is_gone_at_once(database: Database) -> None:
    one = an_operator(database)
    id_ = a_session(database, one)
    with database.transaction() as session:
        assert sessions.revoke(session, one.id, id_, NOW)
        assert not sessions.revoke(session, one.id, id_, NOW)

    assert found(database) is None


def test_nobody_ends_the_session_of_another(database: Database) -> None:
    one, other = an_operator(database), an_operator(database, "taro")
    id_ = a_session(database, one)

    with database.transaction() as session:
        assert not sessions.revoke(session, other.id, id_, NOW)
        assert sessions.revoke_all(session, other.id, NOW) == 0
    assert found(database) is not None


def test_all_others_end_and_the_one_stays(database: Database) -> None:
    one = an_operator(database)
    kept, _ = a_session(database, one, "kept"), a_session(database, one, "other")

    with database.transaction() as session:
        assert sessions.revoke_all(session, one.id, NOW, but=kept) == 1
    assert found(database, "kept") is not None
    assert found(database, "other") is None


def test_sessions_that_ended_long_ago_are_forgotten(database: Database) -> None:
    one = an_operator(database)
    old = a_session(database, one, "old")

    a_session(database, one, "new", NOW + timedelta(days=31))

    assert old not in everything(database)


def test_the_audit_log_takes_no_code_it_does_not_know(database: Database) -> None:
    with pytest.raises(ValueError, match="not a code"), database.transaction() as session:
        audit.record(session, NewEvent("danced", NOW))


@pytest.mark.parametrize("name", ["token", "api_key", "client_secret", "Password", "code"])
def test_the_audit_log_takes_nothing_named_like_a_secret(database: Database, name: str) -> None:
    with pytest.raises(ValueError, match="no secrets"), database.transaction() as session:
        audit.record(session, NewEvent("connect", NOW, about={name: "x"}))


def test_the_audit_log_cuts_long_texts(database: Database) -> None:
    one = an_operator(database)
    with database.transaction() as session:
        audit.record(session, NewEvent("connect", NOW, operator_id=one.id, about={"company": "x" * 999}))
        (event,) = audit.shown(session, None, one.id)

    assert len(event.about["company"]) == 200


def test_one_sees_the_events_of_the_workspace_and_ones_own_of_none(database: Database) -> None:
    one, other = an_operator(database), an_operator(database, "taro")
    here, there = a_workspace(), a_workspace()
    with database.transaction() as session:
        for home in (here, there):
            workspaces.add(session, home)
            audit.record(session, NewEvent("connect", NOW, operator_id=other.id, workspace_id=home.id))
        audit.record(session, NewEvent("sign_in", NOW, operator_id=one.id))
        audit.record(session, NewEvent("sign_out", NOW, operator_id=other.id))
        seen = audit.shown(session, here.id, one.id)

    told = [(event.what, event.person_name, event.workspace_id) for event in seen]
    assert told == [("sign_in", "marta", None), ("connect", "taro", here.id)]


def test_the_audit_log_is_read_in_pages_newest_first(database: Database) -> None:
    one = an_operator(database)
    with database.transaction() as session:
        for number in range(5):
            audit.record(session, NewEvent("sign_in", NOW, operator_id=one.id, about={"n": number}))
        first = audit.shown(session, None, one.id, limit=3)
        second = audit.shown(session, None, one.id, limit=3, before=first[-1].id)

    assert [event.about["n"] for event in first] == [4, 3, 2]
    assert [event.about["n"] for event in second] == [1, 0]
