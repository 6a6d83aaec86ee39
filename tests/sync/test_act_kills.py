"""Automations killed at every seam, each event three times, many workers: all is done exactly once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pytest
from automating import act, buys, cancels, desk_of, every, hear, status_of, switch_on
from breaking import (
    AFTER_COMMIT,
    AFTER_WHOP,
    BEFORE_COMMIT,
    BEFORE_WHOP,
    DeadDatabase,
    Fate,
    Killed,
    seamed_crm,
    seamed_whop,
)
from events import receive, take
from scene import Scene

from connector.crms.twenty.notes import TwentyNoter
from connector.ports.acts import SourceActs
from connector.ports.crm_notes import Noter
from connector.sources.whop.acting import WhopActs
from connector.sources.whop.reader import WhopReader
from connector.store import alerts
from connector.store.connections import Connection
from connector.store.workspaces import Workspace
from connector.sync import acting, alerting
from connector.sync.act_endings import ActDesk
from connector.sync.acting import LEASE
from tests.catching import MailCatcher, mail_caught

SEAMS = (BEFORE_COMMIT, AFTER_COMMIT, BEFORE_WHOP, AFTER_WHOP)

on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@pytest.fixture
def on(scene: Scene) -> Scene:
    switch_on(scene)
    scene.clock.advance(1)
    return scene


def to_be_killed(scene: Scene, fate: Fate) -> ActDesk:
    """The desk of a worker that dies at a seam."""

    def open_acts(connection: Connection) -> SourceActs:
        seamed = seamed_whop(scene, fate)
        reader = WhopReader(seamed, company_id=connection.company_id)
        return WhopActs(seamed, reader, connection.company_id)

    def open_noter(workspace: Workspace) -> Noter:
        return TwentyNoter(seamed_crm(scene, fate, workspace))

    database = DeadDatabase(scene.parts.database, fate)
    opened = {"open_acts": open_acts, "open_noter": open_noter}
    return replace(desk_of(scene), database=database, **opened)  # type: ignore[arg-type]


@on_sqlite
@pytest.mark.parametrize("seam", SEAMS)
def test_an_act_killed_at_any_seam_is_done_exactly_once(on: Scene, seam: str) -> None:
    nth, struck = 0, True
    while struck:
        nth += 1
        bought = buys(on)
        hear(on, bought.paid, times=3)
        fate = Fate(seam, nth)
        with suppress(Killed):
            act(on, desk=to_be_killed(on, fate), owner=f"killed-{nth}")
        struck = fate.struck
        act(on, LEASE.total_seconds() + 1, owner=f"next-{nth}")

        assert status_of(on, bought.membership) == "canceled", f"killed {seam}, the {nth}th time"
        assert cancels(on) == nth, "Whop is asked once for each, whatever happened"
        assert [one.state for one in every(on)] == ["done"] * nth
    assert nth > 3, "the seam is passed several times"


@on_sqlite
@pytest.mark.parametrize("seam", [BEFORE_COMMIT, AFTER_COMMIT])
def test_a_drain_killed_while_it_sets_acts_off_sets_each_off_once(on: Scene, seam: str) -> None:
    for nth in (1, 2, 3):
        bought = buys(on)
        receive(on, *({**bought.paid, "id": f"{bought.payment}-{copy}"} for copy in range(3)))
        fate = Fate(seam, nth)
        with suppress(Killed):
            take(on, replace(on.tools, database=DeadDatabase(on.tools.database, fate)), owner=f"killed-{nth}")
        on.clock.advance(140)
        take(on, owner=f"next-{nth}")
        act(on)

        assert status_of(on, bought.membership) == "canceled"
        assert len([one for one in every(on) if one.source_id == bought.payment]) == 1
        assert cancels(on) == nth


def test_many_workers_at_once_do_each_act_once(on: Scene) -> None:
    bought = [buys(on) for _ in range(4)]
    hear(on, *(one.paid for one in bought))
    on.clock.advance(6)
    begin = threading.Barrier(3)

    def work(owner: str) -> None:
        begin.wait(10)
        acting.take_due(desk_of(on), owner=owner, pause=lambda _seconds: None)

    workers = [threading.Thread(target=work, args=(f"worker-{number}",)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert cancels(on) == 4
    assert [one.state for one in every(on)] == ["done"] * 4


def test_one_that_lost_its_lease_on_the_way_leaves_the_rest_to_the_other(on: Scene) -> None:
    bought = buys(on)
    hear(on, bought.paid)

    def meanwhile() -> None:
        on.clock.advance(LEASE.total_seconds() + 1)
        act(on, 0, owner="the other")

    slow = to_be_killed(on, Fate(BEFORE_WHOP, 3, act=meanwhile))
    act(on, desk=replace(slow, database=on.parts.database), owner="slow")

    assert (status_of(on, bought.membership), cancels(on)) == ("canceled", 1)
    assert [one.state for one in every(on)] == ["done"]


# --- e-mails


@pytest.fixture
def mails() -> Iterator[MailCatcher]:
    with mail_caught() as catcher:
        yield catcher


def given_up(scene: Scene, port: int) -> ActDesk:
    """An act that failed for good, and of which somebody is to be told by e-mail."""
    desk = desk_of(scene, port)
    assert scene.workspace is not None
    with scene.parts.database.transaction() as session:
        alerts.keep_settings(session, scene.workspace.id, recipients=["ops@example.com"])
    hear(scene, buys(scene).paid)
    scene.whop.dial("POST .*/cancel", {"status": 500}, times=None)
    for seconds in (6, 11, 31, 61):
        act(scene, seconds, desk=desk)
    return desk


@on_sqlite
@pytest.mark.parametrize(
    ("seam", "nth", "sent", "doubted"),
    [
        (AFTER_COMMIT, 1, 1, False),  # before anything left
        (BEFORE_COMMIT, 2, 1, False),
        (AFTER_COMMIT, 2, 1, True),  # nobody can tell whether it left
        (BEFORE_COMMIT, 3, 2, True),
    ],
)
def test_an_email_whose_sender_was_killed_comes_once_more_at_most_and_the_log_says_so(
    on: Scene, mails: MailCatcher, seam: str, nth: int, sent: int, *, doubted: bool
) -> None:
    desk = given_up(on, mails.port)
    dying = replace(desk.alerts, database=DeadDatabase(on.parts.database, Fate(seam, nth)))  # type: ignore[arg-type]
    with suppress(Killed):
        alerting.send_due(dying)
    for _ in range(3):
        on.clock.advance(301)
        alerting.send_due(desk.alerts)

    assert len(mails.caught) == sent
    assert on.workspace is not None
    with on.parts.database.reading() as session:
        (message,) = alerts.page(session, on.workspace.id).items
    assert (message.state, message.what) == ("sent", "act")
    assert ("may have arrived twice" in (message.error or "")) is doubted


@on_sqlite
def test_an_email_whose_senders_are_killed_again_and_again_is_sent_twice_at_most(
    on: Scene, mails: MailCatcher
) -> None:
    desk = given_up(on, mails.port)
    for _ in range(4):
        dying = replace(desk.alerts, database=DeadDatabase(on.parts.database, Fate(BEFORE_COMMIT, 3)))  # type: ignore[arg-type]
        with suppress(Killed):
            alerting.send_due(dying)
        on.clock.advance(301)

    assert len(mails.caught) == 2
    assert on.workspace is not None
    with on.parts.database.reading() as session:
        (message,) = alerts.page(session, on.workspace.id).items
    assert message.state == "failed"
    assert "may have arrived once or twice" in (message.error or "")


@on_sqlite
@pytest.mark.parametrize(("lost", "state", "said"), [(1, "sent", "twice"), (9, "failed", "once or twice")])
def test_an_email_whose_answer_was_lost_is_sent_once_more_and_the_log_says_so(
    on: Scene, mails: MailCatcher, lost: int, state: str, said: str
) -> None:
    desk = given_up(on, mails.port)
    for number in range(4):
        mails.silent = number < lost
        alerting.send_due(desk.alerts)
        on.clock.advance(7_200)

    assert len(mails.caught) == 2
    assert on.workspace is not None
    with on.parts.database.reading() as session:
        (message,) = alerts.page(session, on.workspace.id).items
    assert message.state == state
    assert f"may have arrived {said}" in (message.error or "")


@on_sqlite
@pytest.mark.parametrize("seam", [BEFORE_COMMIT, AFTER_COMMIT])
def test_giving_up_killed_at_any_commit_tells_once(on: Scene, mails: MailCatcher, seam: str) -> None:
    desk = desk_of(on, mails.port)
    assert on.workspace is not None
    with on.parts.database.transaction() as session:
        alerts.keep_settings(session, on.workspace.id, recipients=["ops@example.com"])
    hear(on, buys(on).paid)
    on.whop.dial("POST .*/cancel", {"status": 500}, times=None)
    for seconds in (6, 11, 31):
        act(on, seconds, desk=desk)
    for nth in (1, 2, 3):
        dying = replace(to_be_killed(on, Fate(seam, nth)), alerts=desk.alerts)
        with suppress(Killed):
            act(on, 61, desk=dying, owner=f"killed-{nth}")
        on.clock.advance(LEASE.total_seconds() + 1)
    act(on, 61, desk=desk, owner="next")
    alerting.send_due(desk.alerts)

    assert len(mails.caught) == 1
    assert [one.state for one in every(on)] == ["failed"]
