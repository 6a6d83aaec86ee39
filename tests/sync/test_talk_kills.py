"""Conversations killed at every seam, each event three times, many workers: all is kept and noted once."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from automating import act, buys, hear
from breaking import (
    AFTER_COMMIT,
    AFTER_CRM,
    AFTER_WHOP,
    BEFORE_COMMIT,
    BEFORE_CRM,
    BEFORE_WHOP,
    DeadDatabase,
    Fate,
    Killed,
    seamed_crm,
    seamed_whop,
)
from events import a_body, receive, take
from happening import notes
from scene import Scene
from talking import every, look, replies, says, talk_desk, the_talk, told, welcome, welcoming
from test_act_kills import to_be_killed as killed_while_it_acts

from connector.crms.twenty.notes import TwentyNoter
from connector.ports import Lane, Reader
from connector.ports.chats import Chats
from connector.ports.crm_notes import Noter
from connector.sources.whop.chatting import WhopChats
from connector.sources.whop.reader import WhopReader
from connector.store.connections import Connection
from connector.store.workspaces import Workspace
from connector.sync import conversing
from connector.sync.acting import LEASE as ACT_LEASE
from connector.sync.conversing import LEASE, TalkDesk

SEAMS = (BEFORE_COMMIT, AFTER_COMMIT, BEFORE_WHOP, AFTER_WHOP, BEFORE_CRM, AFTER_CRM)

on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@pytest.fixture
def on(scene: Scene) -> Scene:
    scene.sync()
    return welcoming(scene)


def to_be_killed(scene: Scene, fate: Fate) -> TalkDesk:
    """The desk of a worker that dies at a seam."""

    def reader(connection: Connection, _lane: Lane = "full") -> Reader:
        return WhopReader(seamed_whop(scene, fate), company_id=connection.company_id)

    def chats(_connection: Connection) -> Chats:
        return WhopChats(seamed_whop(scene, fate))

    def noter(workspace: Workspace, _lane: Lane) -> Noter:
        return TwentyNoter(seamed_crm(scene, fate, workspace))

    database = DeadDatabase(scene.parts.database, fate)
    opened = {"open_reader": reader, "open_chats": chats, "open_noter": noter}
    return talk_desk(scene, database=database, **opened)


def titles(scene: Scene) -> list[str]:
    return [each["title"] for each in notes(scene) if each["title"].startswith("Reply on Whop")]


@on_sqlite
@pytest.mark.parametrize("seam", SEAMS)
def test_an_answer_killed_at_any_seam_is_kept_and_noted_exactly_once(on: Scene, seam: str) -> None:
    welcome(on)
    nth, struck = 0, True
    while struck:
        nth += 1
        at = on.clock() + timedelta(minutes=1)
        message = says(on, the_talk(on), f"Answer {nth}", at)
        told(on, message, times=3)
        fate = Fate(seam, nth)
        with suppress(Killed):
            look(on, 0, desk=to_be_killed(on, fate), owner=f"killed-{nth}")
        struck = fate.struck
        look(on, LEASE.total_seconds() + 1, owner=f"next-{nth}")

        kept = [each.text for each in replies(on, the_talk(on))]
        assert kept == [f"Answer {number}" for number in range(1, nth + 1)], (
            f"killed {seam}, the {nth}th time"
        )
        assert len(titles(on)) == nth
        assert the_talk(on).state == "answered"
        assert the_talk(on).owner is None
    assert nth > 2, "the seam is passed several times"


@on_sqlite
@pytest.mark.parametrize("seam", [BEFORE_COMMIT, AFTER_COMMIT, BEFORE_WHOP, AFTER_WHOP])
def test_a_welcome_killed_at_any_seam_begins_one_conversation(on: Scene, seam: str) -> None:
    nth, struck = 0, True
    while struck:
        nth += 1
        hear(on, *buys(on).events, times=3)
        fate = Fate(seam, nth)
        with suppress(Killed):
            act(on, desk=killed_while_it_acts(on, fate), owner=f"killed-{nth}")
        struck = fate.struck
        act(on, ACT_LEASE.total_seconds() + 1, owner=f"next-{nth}")

        assert len(every(on)) == nth, f"killed {seam}, the {nth}th time"
    assert nth > 2


@on_sqlite
@pytest.mark.parametrize("seam", [BEFORE_COMMIT, AFTER_COMMIT])
def test_a_drain_killed_while_it_rings_rings_again(on: Scene, seam: str) -> None:
    welcome(on)
    for nth in (1, 2, 3):
        message = says(on, the_talk(on), f"Answer {nth}", on.clock() + timedelta(minutes=1))
        receive(on, a_body(on, "chat.message.created", message))
        fate = Fate(seam, nth)
        with suppress(Killed):
            take(on, replace(on.tools, database=DeadDatabase(on.tools.database, fate)), owner=f"killed-{nth}")
        on.clock.advance(140)
        take(on, owner=f"next-{nth}")
        assert look(on, 0) == 1

    assert len(replies(on, the_talk(on))) == 3
    assert len(titles(on)) == 3


def test_many_workers_at_once_keep_each_answer_once(on: Scene) -> None:
    for number in range(3):
        welcome(on)
        says(on, every(on)[number], f"Answer {number}")
    on.clock.advance(3_601)
    begin = threading.Barrier(3)

    def work(owner: str) -> None:
        begin.wait(10)
        conversing.look(talk_desk(on), owner=owner)

    workers = [threading.Thread(target=work, args=(f"worker-{number}",)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert [len(replies(on, each)) for each in every(on)] == [1, 1, 1]
    assert len(titles(on)) == 3


def test_one_that_lost_its_lease_on_the_way_leaves_the_rest_to_the_other(on: Scene) -> None:
    welcome(on)
    says(on, the_talk(on), "Hello!")

    def meanwhile() -> None:
        on.clock.advance(LEASE.total_seconds() + 1)
        look(on, 0, owner="the other")

    slow = to_be_killed(on, Fate(AFTER_WHOP, 2, act=meanwhile))
    look(on, desk=replace(slow, database=on.parts.database), owner="slow")

    assert [each.text for each in replies(on, the_talk(on))] == ["Hello!"]
    assert (the_talk(on).state, len(titles(on))) == ("answered", 1)


def test_an_event_that_comes_while_it_is_looked_at_has_it_looked_at_once_more(on: Scene) -> None:
    welcome(on)
    first = says(on, the_talk(on), "Hello!")

    def meanwhile() -> None:
        message = says(on, the_talk(on), "One more thing", on.clock() + timedelta(minutes=1))
        on.clock.advance(1)
        told(on, message)

    told(on, first)
    slow = to_be_killed(on, Fate(AFTER_WHOP, 2, act=meanwhile))
    look(on, 1, desk=replace(slow, database=on.parts.database), owner="slow")
    look(on, 0)

    assert [each.text for each in replies(on, the_talk(on))] == ["Hello!", "One more thing"]
