"""Acts have their time: they wait for no CRM, for no other event, and not for each other."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from automating import act, buys, desk_of, every, status_of, switch_on, the_act
from events import events, receive, take
from scene import Scene

from connector.store import inbox
from connector.sync import acting, setting_off

_PATIENCE = 30.0


@pytest.fixture
def on(scene: Scene) -> Scene:
    switch_on(scene)
    scene.clock.advance(1)
    return scene


def listens(scene: Scene) -> int:
    """A worker that carries acts out, and looks for what sets off more."""
    tools = scene.tools
    return acting.take_due(
        desk_of(scene),
        owner="worker",
        pause=scene.clock.advance,
        listen=lambda: setting_off.listen(tools),
    )


def test_an_event_sets_off_its_act_before_its_round_begins(on: Scene) -> None:
    bought = buys(on)
    receive(on, *bought.events)

    listens(on)
    on.clock.advance(6)
    listens(on)

    assert status_of(on, bought.membership) == "canceled"
    assert {event.state for event in events(on)} == {"pending"}, "no round has begun"


def test_what_was_heard_ahead_is_set_off_once_and_taken_as_any_event(on: Scene) -> None:
    bought = buys(on)
    receive(on, *bought.events)
    listens(on)
    assert all(event.heard for event in events(on))
    assert setting_off.listen(on.tools) == 0

    take(on)
    act(on)

    assert the_act(on).state == "done"
    assert {event.state for event in events(on)} == {"done"}


def test_events_of_a_connection_without_automations_are_not_looked_at(scene: Scene) -> None:
    receive(scene, *buys(scene).events)

    listens(scene)

    assert not any(event.heard for event in events(scene))
    assert every(scene) == []


def test_an_event_that_cannot_be_read_is_looked_at_once(on: Scene) -> None:
    receive(on, {"id": "msg_odd", "type": "payment.succeeded"}, *buys(on).events)

    assert (setting_off.listen(on.tools), setting_off.listen(on.tools)) == (1, 0)
    assert all(event.heard for event in events(on))


def test_events_that_somebody_has_taken_again_are_not_heard_ahead(on: Scene) -> None:
    assert on.connection is not None
    receive(on, *buys(on).events)
    with on.parts.database.transaction() as session:
        ids = [event.id for event in events(on) if event.id is not None]
        inbox.replay(session, on.connection.workspace_id, ids, on.clock(), quiet=True)

    assert listens(on) == 0
    assert every(on) == []


class _Held:
    """A source that answers for these payments only when it is let; it knows how many wait at most."""

    def __init__(self, source: Any, payments: set[str], let: threading.Event) -> None:
        self._source, self._payments, self._let = source, payments, let
        self._lock, self._waiting, self.most = threading.Lock(), 0, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def record(self, kind: str, id_: str) -> Any:
        if id_ in self._payments:
            with self._lock:
                self._waiting += 1
                self.most = max(self.most, self._waiting)
            assert self._let.wait(_PATIENCE)
            with self._lock:
                self._waiting -= 1
        return self._source.record(kind, id_)


def test_one_that_takes_long_holds_up_none_that_comes_due_meanwhile(on: Scene) -> None:
    slow, quick = buys(on), buys(on)
    receive(on, *slow.events)
    listens(on)
    on.clock.advance(6)
    let, looks = threading.Event(), 0
    assert on.connection is not None
    desk = desk_of(on)
    held = _Held(desk.open_acts(on.connection), {slow.payment}, let)

    def listen() -> None:
        """The second purchase is told of while the first is under way."""
        nonlocal looks
        looks += 1
        if looks == 2:
            receive(on, *quick.events)
        setting_off.listen(on.tools)
        on.clock.advance(0.5)
        if status_of(on, quick.membership) == "canceled":
            let.set()

    acting.take_due(
        replace(desk, open_acts=lambda _: held), owner="worker", pause=on.clock.advance, listen=listen
    )

    assert [status_of(on, one.membership) for one in (quick, slow)] == ["canceled", "canceled"]


def test_a_company_whose_source_is_slow_leaves_places_to_the_others(on: Scene) -> None:
    bought = [buys(on) for _ in range(9)]
    receive(on, *(body for one in bought for body in one.events))
    listens(on)
    on.clock.advance(6)
    let, looks = threading.Event(), 0
    assert on.connection is not None
    desk = desk_of(on)
    held = _Held(desk.open_acts(on.connection), {one.payment for one in bought}, let)

    def listen() -> None:
        nonlocal looks
        looks += held.most == 4
        if looks == 3:  # time for a fifth, were it let
            let.set()

    acting.take_due(
        replace(desk, open_acts=lambda _: held), owner="worker", pause=on.clock.advance, listen=listen
    )

    assert held.most == 4, "half of the places"
    assert [one.state for one in every(on)] == ["done"] * 9
