"""How the drain paces itself: at once when it is quiet, full requests when it is busy, nobody for others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from events import a_body, events, receive, take
from scene import Scene, Service, twenty_served

from connector.sandbox import twenty
from connector.store.connections import Connection
from connector.sync import modelling
from connector.sync.drain import drain
from connector.sync.mirror import Tools

Json = dict[str, Any]


@pytest.fixture
def synced(scene: Scene) -> Scene:
    """Everything is in step."""
    assert scene.sync().status == "success"
    return scene


@pytest.fixture
def other_twenty() -> Iterator[Service]:
    with twenty_served() as service:
        yield service


def changes(scene: Scene, number: int) -> list[Json]:
    """Events of so many memberships, each of which has changed on Whop."""
    found = []
    for one in [one for one in scene.records("memberships") if one["status"] != "drafted"][:number]:
        fresh = scene.whop.ask("PATCH", f"/records/memberships/{one['id']}", {"status": "past_due"})
        found.append(a_body(scene, "membership.updated", fresh))
    return found


def whop_requests(scene: Scene) -> dict[str, int]:
    return dict(scene.whop.ask("GET", "/stats")["requests"])


def look_ups(scene: Scene) -> int:
    return int(scene.twenty.ask("GET", "/stats")["requests"].get("opportunities", 0))


def trickling(scene: Scene, bodies: list[Json]) -> Callable[[float], None]:
    """A pause in which one more event comes."""

    def pause(seconds: float) -> None:
        if bodies:
            receive(scene, bodies.pop(0))
        scene.clock.advance(seconds)

    return pause


def test_when_it_is_quiet_each_event_is_taken_at_once(synced: Scene) -> None:
    first, *rest = changes(synced, 6)
    receive(synced, first)
    before = look_ups(synced)

    assert drain(synced.tools, owner="drain", pause=trickling(synced, rest)) == 6

    assert look_ups(synced) - before == 6


def test_the_more_came_the_longer_the_next_round_gathers(synced: Scene) -> None:
    bodies = changes(synced, 40)
    receive(synced, *bodies[:30])
    before = look_ups(synced)

    assert drain(synced.tools, owner="drain", pause=trickling(synced, bodies[30:])) == 40

    assert look_ups(synced) - before == 2
    assert {event.state for event in events(synced)} == {"done"}


def test_members_are_read_many_at_a_time(synced: Scene) -> None:
    found = [one for one in synced.records("members") if one["user"]][:25]
    for one in found:
        synced.change("members", one["id"], user={"username": f"new-{one['id']}"})
    receive(synced, *(a_body(synced, "member.updated", one) for one in found))
    synced.whop.ask("DELETE", "/stats")

    take(synced)

    asked = whop_requests(synced)
    assert (asked.get("GET /members"), asked.get("GET /members/{id}")) == (1, None)
    named = {row["whopMemberId"]: row["whopUsername"] for row in synced.rows("people")}
    written = [one["id"] for one in found if one["id"] in named]
    assert len(written) > 20  # but for those who wait for a decision
    assert all(named[id_] == f"new-{id_}" for id_ in written)


def test_a_member_that_another_id_does_not_find_is_read_by_its_own(synced: Scene) -> None:
    one, two = [one for one in synced.records("members") if one["user"]][:2]
    synced.change("members", one["id"], user={"username": "new"})
    receive(synced, a_body(synced, "member.updated", {**one, "user": two["user"]}))

    take(synced)

    assert synced.person_of(one["id"])["whopUsername"] == "new"


def test_a_contact_is_looked_for_once_in_a_job(synced: Scene) -> None:
    bodies = changes(synced, 3)
    receive(synced, bodies[0])
    synced.twenty.ask("DELETE", "/stats")

    again = [{**body, "id": f"{body['id']}-2"} for body in bodies[:1]]
    fresh = synced.whop.ask("PATCH", f"/records/memberships/{bodies[0]['data']['id']}", {"status": "active"})
    again[0]["data"] = fresh
    drain(synced.tools, owner="drain", pause=trickling(synced, again))

    asked = synced.twenty.ask("GET", "/stats")["requests"]
    assert asked["opportunities"] == 2
    assert asked["people"] == 1


def test_events_go_ahead_of_syncs_at_whop_too(synced: Scene) -> None:
    lanes: list[str] = []

    def opened(tools: Tools) -> Tools:
        def reader(connection: Connection, lane: Any = "full") -> Any:
            lanes.append(lane)
            return tools.open_reader(connection, lane)

        return replace(tools, open_reader=reader)

    synced.sync(wrap=opened)
    receive(synced, *changes(synced, 1))
    take(synced, opened(synced.tools))

    assert lanes == ["full", "webhook"]


class _Waiting:
    """A writer whose CRM does not answer until it may."""

    def __init__(self, inner: Any, until: threading.Event) -> None:
        self._inner, self._until = inner, until

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def look(self, mapping: Any, seeks: Any) -> Any:
        assert self._until.wait(20), "the other connection had to wait"
        return self._inner.look(mapping, seeks)


def test_a_crm_that_hangs_holds_no_other_connection_up(synced: Scene, other_twenty: Service) -> None:
    assert synced.connection is not None
    assert synced.workspace is not None
    first, hanging, through = synced.connection, synced.workspace.id, threading.Event()
    receive(synced, *changes(synced, 1))
    other = synced.add_workspace("other", url=other_twenty.url, key=twenty.api_keys(other_twenty.app)[0])
    modelling.provision(synced.tools, other)
    synced.connection = synced.add_connection(other)
    receive(synced, *changes(synced, 1))
    tools = synced.tools

    def writer(workspace: Any, lane: Any) -> Any:
        opened = tools.open_writer(workspace, lane)
        return _Waiting(opened, through) if workspace.id == hanging else _Telling(opened, through)

    assert take(synced, replace(tools, open_writer=writer)) == 2

    assert through.is_set()
    assert {event.state for event in events(synced)} == {"done"}
    assert {event.connection_id for event in events(synced)} == {first.id, synced.connection.id}


class _Telling(_Waiting):
    """A writer that lets the other go on once it has written."""

    def look(self, mapping: Any, seeks: Any) -> Any:
        return self._inner.look(mapping, seeks)

    def apply(self, mapping: Any, writes: Any) -> Any:
        found = self._inner.apply(mapping, writes)
        if mapping.kind == "membership":
            self._until.set()
        return found


class _Bell:
    """Remembers who told it what; something comes without a ring just before nobody looks any more."""

    def __init__(self, at_the_last_moment: Callable[[], None]) -> None:
        self.told: list[str] = []
        self._last = at_the_last_moment

    def attended(self, _job: str) -> None:
        self.told.append("attended")

    def heard(self, _job: str) -> None:
        if "heard" not in self.told:
            self._last()
        self.told.append("heard")


def test_while_a_job_looks_nobody_rings_and_what_comes_at_its_end_is_taken(synced: Scene) -> None:
    first, last = changes(synced, 2)
    receive(synced, first)
    bell = _Bell(lambda: receive(synced, last))

    assert drain(synced.tools, owner="drain", pause=synced.clock.advance, bell=bell) == 2

    assert bell.told[0] == "attended"
    assert bell.told[-1] == "heard"
    assert bell.told.count("heard") == 2
    assert {event.state for event in events(synced)} == {"done"}


def test_a_job_that_finds_nothing_leaves_the_bell_alone(synced: Scene) -> None:
    bell = _Bell(lambda: None)

    assert drain(synced.tools, owner="drain", pause=synced.clock.advance, bell=bell) == 0

    assert bell.told == []


def test_a_connection_is_one_jobs_until_that_ends(synced: Scene) -> None:
    first, *rest = changes(synced, 3)
    receive(synced, first)
    others: list[int] = []

    def pause(seconds: float) -> None:
        if rest:
            receive(synced, rest.pop())
            others.append(take(synced, owner="other"))
        synced.clock.advance(seconds)

    assert drain(synced.tools, owner="drain", pause=pause) == 3

    assert others == [0, 0]
    assert {event.run for event in events(synced)} == {events(synced)[0].run}


class _Broken:
    """A reader with a defect."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def told(self, _raw: bytes) -> Any:
        raise ZeroDivisionError


def test_a_defect_met_for_one_connection_leaves_its_events_for_later(synced: Scene) -> None:
    receive(synced, *changes(synced, 1))
    tools = synced.tools
    broken = replace(tools, open_reader=lambda *args: _Broken(tools.open_reader(*args)))

    assert take(synced, broken) == 0
    waiting = events(synced)[0].state
    synced.clock.advance(60)

    assert (waiting, take(synced)) == ("pending", 1)
