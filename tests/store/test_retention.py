"""What is old is forgotten, a few rows at a time; what is still needed stays however old it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from connector.core.conversations import Post
from connector.core.outcomes import Result
from connector.core.records import Ref
from connector.store import conversations, intents, mappings, runs
from connector.store.conversations import ConversationFilter, NewConversation
from connector.store.db import Database, Session
from connector.store.mappings import NewChange
from connector.store.models import (
    alert_message,
    audit_event,
    conversation,
    difference,
    event_inbox,
    incident,
    intent,
    link,
    metadata,
    missed_delivery,
    note,
    operator,
    reconciliation,
    sign_in_link,
    sync_log_entry,
    sync_run,
    web_session,
    webhook_refusal,
)
from connector.sync import pruning
from connector.sync.pruning import Janitor, Keeping

from .builders import NOW, Home, a_home, a_new_run, add_event, an_event, an_outcome

DAY = timedelta(days=1)
KEEPING = Keeping(undo=30 * DAY, log=90 * DAY, events=30 * DAY, audit=365 * DAY, mappings=365 * DAY)


@pytest.fixture
def home(database: Database) -> Home:
    return a_home(database)


def a_run(database: Database, home: Home, ended: datetime | None, **changed: Any) -> int:
    """A run with two updates and something that it made, over since then; None: still under way."""
    status = changed.pop("status", "success")
    new = a_new_run(home, now=ended or NOW, alone=False, **changed)
    wrote = {"before": {"name": "A"}, "after": {"name": "B"}, "result": Result.UPDATED}
    told = [an_outcome(ref=Ref("whop", "member", f"m{n}"), **wrote) for n in range(2)]
    with database.transaction() as session:
        runs.start(session, new)
        run = runs.by_id(session, new.id)
        runs.log(session, run, [*told, an_outcome()], ended or NOW - 400 * DAY)
        if ended:
            over = {"status": status, "ended_at": ended}
            session.execute(update(sync_run).where(sync_run.c.id == new.id).values(over))
    return run.number


def prune(database: Database, keeping: Keeping = KEEPING) -> dict[str, int]:
    return pruning.prune(Janitor(database, lambda: NOW, keeping))


def numbers(database: Database) -> list[int]:
    with database.reading() as session:
        return list(session.execute(select(sync_run.c.number).order_by(sync_run.c.number)).scalars())


def told(database: Database, run: int) -> tuple[int, int]:
    """Log entries of a run, and how many of them have what was there before."""
    mine = select(func.count(), func.count(sync_log_entry.c.before)).where(sync_log_entry.c.run == run)
    with database.reading() as session:
        entries, before = session.execute(mine).one()
        return entries, before


def may_be_undone(database: Database, run: int) -> bool:
    with database.reading() as session:
        return session.execute(select(sync_run.c.pruned_at).where(sync_run.c.number == run)).scalar() is None


def test_a_sync_loses_what_was_there_before_and_later_its_log_and_itself(
    database: Database, home: Home
) -> None:
    ages = {age: a_run(database, home, NOW - age * DAY) for age in (120, 119, 91, 60, 31, 29)}
    a_run(database, home, NOW)

    forgotten = prune(database)

    assert {age: told(database, n) for age, n in ages.items()} == {
        120: (0, 0),
        119: (0, 0),
        91: (0, 0),
        60: (3, 0),
        31: (3, 0),
        29: (3, 2),
    }
    assert {age for age, n in ages.items() if may_be_undone(database, n) and n in numbers(database)} == {29}
    assert not {ages[120], ages[119], ages[91]} & set(numbers(database))
    assert forgotten == {"undoable syncs": 5, "before-values": 10, "log entries": 9, "syncs": 3}
    assert prune(database) == {}


def test_the_last_sync_of_a_type_stays_and_so_does_one_that_holds_records(
    database: Database, home: Home
) -> None:
    holds = a_run(database, home, NOW - 200 * DAY, type="undo")
    full = a_run(database, home, NOW - 190 * DAY)
    failed = a_run(database, home, NOW - 180 * DAY, status="failed")
    hourly = a_run(database, home, NOW - 150 * DAY, type="incremental")
    a_run(database, home, NOW - 140 * DAY, type="incremental", status="failed")
    a_run(database, home, NOW - 2 * DAY, type="incremental")
    later = a_run(database, home, NOW - DAY, type="undo")
    row = {"workspace_id": home.workspace_id, "connection_id": home.connection_id, "source": "whop"}
    row |= {"kind": "member", "source_id": "m", "object": "person", "state": "linked", "generation": 0}
    with database.transaction() as session:
        session.execute(link.insert().values(**row, held_run=holds))

    prune(database)

    left = numbers(database)
    assert {holds, full, failed, later} <= set(left)
    assert hourly not in left


@pytest.mark.parametrize("status", ["queued", "running", "paused", "waiting"])
def test_a_sync_with_something_before_it_keeps_its_log_however_old(
    database: Database, home: Home, status: str
) -> None:
    number = a_run(database, home, None)
    asks = {"status": status, "ended_at": NOW - 300 * DAY if status == "waiting" else None}
    with database.transaction() as session:
        session.execute(update(sync_run).where(sync_run.c.number == number).values(asks))

    assert prune(database) == {}
    assert told(database, number) == (3, 2)


def test_a_sync_that_is_being_undone_keeps_what_that_needs(database: Database, home: Home) -> None:
    number = a_run(database, home, NOW - 40 * DAY)
    new = a_new_run(home, type="undo", checkpoint={"of": number})
    with database.transaction() as session:
        runs.start(session, new)

    prune(database)

    assert told(database, number) == (3, 2)
    assert may_be_undone(database, number)


def test_a_log_is_kept_for_as_long_as_its_sync_can_be_undone(database: Database, home: Home) -> None:
    number = a_run(database, home, NOW - 50 * DAY)

    prune(database, replace(KEEPING, undo=60 * DAY, log=10 * DAY))

    assert told(database, number) == (3, 2)


def test_events_that_are_through_go_and_those_that_somebody_needs_stay(
    database: Database, home: Home
) -> None:
    for state in ("done", "ignored", "pending", "parked"):
        for age in (29, 31):
            at = NOW - age * DAY
            add_event(database, an_event(home, event_id=f"{state}-{age}", state=state, received_at=at))
    for id_ in ("note", "waits"):
        add_event(database, an_event(home, event_id=id_, state="done", received_at=NOW - 31 * DAY))
    with database.transaction() as session:
        ids = {row.event_id: row.id for row in session.execute(select(event_inbox))}
        row = {"workspace_id": home.workspace_id, "connection_id": home.connection_id, "rule": "r"}
        row |= {"kind": "note", "crm_id": "c", "created_at": NOW}
        session.execute(note.insert().values(**row, per="1", state="pending", event=ids["note"]))
        waits = {"waits_for": "mber_1", "waits_object": "person"}
        session.execute(note.insert().values(**row, per="2", state="left", event=ids["waits"], **waits))
        session.execute(note.insert().values(**row, per="3", state="left", event=ids["done-31"]))

    assert prune(database) == {"events": 2}
    with database.reading() as session:
        left = set(session.execute(select(event_inbox.c.event_id)).scalars())
    assert set(ids) - left == {"done-31", "ignored-31"}


@dataclass(frozen=True)
class Old:
    """A row of a table that an age makes old, and what keeps it though."""

    table: Any
    young: dict[str, Any]
    old: dict[str, Any]
    needed: tuple[dict[str, Any], ...] = ()


def everything_else(home: Home, operator_id: str) -> list[Old]:
    where = {"workspace_id": home.workspace_id}
    both = where | {"connection_id": home.connection_id}
    event = {"what": "connect", "about": {}, "address": "", **where}
    missed = both | {"type": "t", "delivery_id": "d", "sent_at": NOW}
    refused = both | {"reason": "wrong", "count": 1, "last_address": ""}
    hour = {"created_at": NOW - 99 * DAY, "operator_id": operator_id}
    signed = hour | {"by": "link", "seen_at": NOW, "user_agent": "", "address": ""}
    inc = where | {"kind": "k", "key": "k", "title": "t", "text": "t", "path": "/", "seen_at": NOW}
    return [
        Old(audit_event, event | {"at": NOW - 364 * DAY}, event | {"at": NOW - 366 * DAY}),
        Old(
            missed_delivery,
            missed | {"event_id": "1", "found_at": NOW - 29 * DAY},
            missed | {"event_id": "2", "found_at": NOW - 31 * DAY},
        ),
        Old(
            webhook_refusal,
            refused | {"hour": NOW, "last_at": NOW - 29 * DAY},
            refused | {"hour": NOW - 31 * DAY, "last_at": NOW - 31 * DAY},
        ),
        Old(
            web_session,
            signed | {"id": "1", "token_hash": "1", "expires_at": NOW - 6 * DAY},
            signed | {"id": "2", "token_hash": "2", "expires_at": NOW - 8 * DAY},
        ),
        Old(
            sign_in_link,
            hour | {"token_hash": "1", "expires_at": NOW - 6 * DAY},
            hour | {"token_hash": "2", "expires_at": NOW - 8 * DAY},
        ),
        Old(
            incident,
            inc | {"opened_at": NOW - 99 * DAY, "cleared_at": NOW - 89 * DAY},
            inc | {"opened_at": NOW - 99 * DAY, "cleared_at": NOW - 91 * DAY},
            (inc | {"opened_at": NOW - 300 * DAY, "open_key": "x"},),
        ),
    ]


def test_what_else_grows_is_forgotten_by_its_age(database: Database, home: Home) -> None:
    with database.transaction() as session:
        session.execute(operator.insert().values(id="op", name="marta", created_at=NOW))
        kinds = everything_else(home, "op")
        for one in kinds:
            for row in (one.young, one.old, *one.needed):
                session.execute(one.table.insert().values(row))

    forgotten = prune(database)

    assert sorted(forgotten.values()) == [1] * len(kinds)
    with database.reading() as session:
        for one in kinds:
            left = session.execute(select(func.count()).select_from(one.table)).scalar()
            assert left == 1 + len(one.needed), one.table.name


def test_messages_go_before_their_incident_and_those_that_wait_stay(database: Database, home: Home) -> None:
    where = {"workspace_id": home.workspace_id, "channel": "email", "title": "t", "text": "t", "tries": 0}
    where |= {"due_at": NOW, "created_at": NOW - 95 * DAY}
    inc = {"workspace_id": home.workspace_id, "kind": "k", "key": "k", "title": "t", "text": "t", "path": "/"}
    inc |= {"seen_at": NOW, "opened_at": NOW - 99 * DAY, "cleared_at": NOW - 95 * DAY}
    with database.transaction() as session:
        session.execute(incident.insert(), [inc | {"id": 1}, inc | {"id": 2}])
        rows = [
            {**where, "incident_id": 1, "what": "opened", "state": "sent"},
            {**where, "incident_id": 2, "what": "opened", "state": "waiting"},
            {**where, "incident_id": None, "what": "test", "state": "failed"},
        ]
        session.execute(alert_message.insert(), rows)

    assert prune(database) == {"alert messages": 2, "incidents": 1}


def test_conversations_go_with_their_replies_once_nobody_has_gone_on_for_long(
    database: Database, home: Home
) -> None:
    old, ids = NOW - 91 * DAY, (home.workspace_id, home.connection_id)
    post = Post("post", "user", "Ada", "Hello", "2026-01-01T00:00:00.000Z")
    for name, state, last in (
        ("closed", "closed", None),
        ("timed", "timed_out", None),
        ("answered", "answered", old),
        ("open", "open", None),
        ("lively", "answered", NOW),
        ("fresh", "closed", None),
    ):
        new = NewConversation(*ids, "welcome", name, None, "user", "chat", "Hi", old, old)
        with database.transaction() as session:
            conversations.begin(session, new, old)
            wanted = ConversationFilter(state="open")
            found = conversations.page(session, home.workspace_id, wanted).items
            (one,) = [each for each in found if each.membership_id == name]
            conversations.add(session, one, [post._replace(id=name)], "none", old)
            at = NOW if name == "fresh" else old
            values = {"state": state, "last_at": last, "state_at": at}
            session.execute(update(conversation).where(conversation.c.id == one.id).values(values))

    assert prune(database) == {"replies": 3, "conversations": 3}
    with database.reading() as session:
        left = conversations.page(session, home.workspace_id, ConversationFilter()).items
    assert {one.membership_id for one in left} == {"open", "lively", "fresh"}
    assert prune(database) == {}


def test_reports_go_with_their_differences_but_for_the_last(database: Database, home: Home) -> None:
    both = {"workspace_id": home.workspace_id, "connection_id": home.connection_id, "status": "done"}
    both |= {"why": "", "correlation_id": "", "counts": {}, "checkpoint": {}, "checkpoint_version": 0}
    differs = {"workspace_id": home.workspace_id, "kind": "member", "source_id": "m", "object": "person"}
    with database.transaction() as session:
        for number, age in ((1, 120), (2, 110), (3, 100)):
            at = NOW - age * DAY
            times = {"due_at": at, "queued_at": at, "ended_at": at}
            session.execute(reconciliation.insert().values(**both, **times, id=str(number), number=number))
            session.execute(
                difference.insert(),
                [{**differs, "title": "t", "cause": "missing", "reconciliation": number}] * 3,
            )

    assert prune(database) == {"differences": 6, "comparisons": 2}


def test_what_a_cancelled_sync_was_about_to_write_is_forgotten(database: Database, home: Home) -> None:
    number = a_run(database, home, NOW - 31 * DAY, status="cancelled")
    with database.transaction() as session:
        run = runs.numbered(session, home.workspace_id, number)
        intents.note(session, run, "member", "person", {})

    assert prune(database)["intents"] == 1
    with database.reading() as session:
        assert session.execute(select(func.count()).select_from(intent)).scalar() == 0


class Died(BaseException):
    """A worker's end."""


class Dying:
    """A database whose transactions end with their nth; what was committed before stays."""

    def __init__(self, database: Database, nth: int) -> None:
        self._database = database
        self._left = nth
        self.reading = database.reading

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        with self._database.transaction() as session:
            yield session
            self._left -= 1
            if not self._left:
                raise Died


@pytest.mark.parametrize("nth", range(1, 12))
def test_one_that_dies_leaves_no_sync_that_could_be_undone_in_part(
    database: Database, home: Home, nth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "_AT_ONCE", 1)
    cut = [a_run(database, home, NOW - age * DAY) for age in (33, 32)]

    with pytest.raises(Died):
        pruning.prune(Janitor(Dying(database, nth), lambda: NOW, KEEPING))  # type: ignore[arg-type]

    for number in cut:
        assert told(database, number) == (3, 2) or not may_be_undone(database, number)
    prune(database)
    assert [told(database, number) for number in cut] == [(3, 0), (3, 0)]


def test_it_ends_when_its_time_is_up_and_goes_on_with_the_next(database: Database, home: Home) -> None:
    number = a_run(database, home, NOW - 31 * DAY)
    moments = iter(range(10_000))
    janitor = Janitor(database, lambda: NOW + timedelta(seconds=next(moments)), KEEPING)

    pruning.prune(janitor, NOW + timedelta(seconds=2))

    assert told(database, number) == (3, 2)
    prune(database)
    assert told(database, number) == (3, 0)


def test_every_table_that_grows_is_thought_of() -> None:
    """A new table is either kept for ever, for a reason, or has a rule."""
    forgotten = {
        *("alert_message", "audit_event", "difference", "event_inbox", "incident", "intent"),
        *("missed_delivery", "reconciliation", "sign_in_link", "sync_log_entry", "sync_run"),
        *("web_session", "webhook_refusal", "conversation", "reply"),
    }
    one_of_each = {  # of a workspace, a connection, a person or a setting
        *("workspace", "connection", "operator", "admin", "crm_grant", "crm_registration", "drain"),
        *("alert_settings", "registration", "webhook_secret", "schedule", "checkpoint", "reconcile_plan"),
        *("automation", "mapping_pass", "crm_request"),
    }
    one_of_each_record = {"link", "ending", "sale", "note", "review", "open_relation", "act"}
    by_others = {"pending_authorization", "crm_sign_in"}  # ``jobs.tidy``, within minutes
    by_hand = {"mapping_change", "mapping_set"}  # each a change that somebody made

    known = forgotten | one_of_each | one_of_each_record | by_others | by_hand
    assert set(metadata.tables) == known


def a_change(session: Session, home: Home, number: int, age: int, file: str = "member.yaml") -> None:
    """A version of a file, and the set of files that it made: v1 by the first change, and so on."""
    new = NewChange(file, "own", f"text {number}", f"v{number}", "Marta", "edited", number - 1 or None)
    mappings.add(session, home.workspace_id, new, NOW - age * DAY)
    mappings.keep_set(session, home.workspace_id, f"v{number}", {file: f"text {number}"}, NOW - age * DAY)


def test_former_versions_of_a_file_go_but_for_the_one_that_counts_and_the_one_before(
    database: Database, home: Home
) -> None:
    with database.transaction() as session:
        for number, age in enumerate((900, 800, 700), start=1):
            a_change(session, home, number, age)
        a_change(session, home, 4, 600, "product.yaml")
        a_change(session, home, 5, 500)
        a_change(session, home, 6, 100)
        a_change(session, home, 7, 50)

    assert prune(database)["mapping versions"] == 4
    with database.reading() as session:
        assert [one.number for one in mappings.history(session, home.workspace_id, "member.yaml")] == [7, 6]
        assert [one.number for one in mappings.history(session, home.workspace_id, "product.yaml")] == [4]
        assert mappings.own(session, home.workspace_id, 7) == {
            "member.yaml": "text 7",
            "product.yaml": "text 4",
        }


def test_the_version_before_the_one_that_counts_stays_however_old(database: Database, home: Home) -> None:
    with database.transaction() as session:
        for number, age in enumerate((900, 800, 700), start=1):
            a_change(session, home, number, age)

    assert prune(database)["mapping versions"] == 1
    with database.reading() as session:
        assert [one.number for one in mappings.history(session, home.workspace_id, "member.yaml")] == [3, 2]


def test_a_set_of_mapping_files_goes_that_no_sync_went_by_and_that_does_not_count(
    database: Database, home: Home
) -> None:
    with database.transaction() as session:
        a_change(session, home, 1, 300)
        for version, age in (("tried", 200), ("tried lately", 2), ("gone by", 200), ("counts", 200)):
            mappings.keep_set(session, home.workspace_id, version, {}, NOW - age * DAY)
        new = NewChange("member.yaml", "own", "text", "counts", "Marta", "edited", 1)
        mappings.add(session, home.workspace_id, new, NOW - 200 * DAY)
    a_run(database, home, NOW - 10 * DAY, mapping_version="gone by")

    assert prune(database)["mapping sets"] == 2
    with database.reading() as session:
        left = {
            one: mappings.kept_set(session, home.workspace_id, one)
            for one in ("v1", "tried", "tried lately", "gone by", "counts")
        }
    assert {name for name, texts in left.items() if texts is not None} == {
        "tried lately",
        "gone by",
        "counts",
    }


def test_what_nobody_forgot_in_time_is_told_and_still_there(database: Database, home: Home) -> None:
    a_run(database, home, NOW - 31 * DAY)
    janitor = Janitor(database, lambda: NOW, KEEPING)
    assert pruning.overdue(janitor) == [], "a day may pass"

    late = a_run(database, home, NOW - 33 * DAY)

    assert pruning.overdue(janitor) == ["undoable syncs"]
    assert may_be_undone(database, late)
    prune(database)
    assert pruning.overdue(janitor) == []
