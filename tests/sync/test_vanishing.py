"""What somebody deletes in the CRM while a sync is at it: never brought back by accident, never a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from scene import NOWHERE, Json, Scene, Service, Waits, built, cap_batches, environment, twenty_served
from test_recognising import a_member, deleting, destroy, trash

from connector.core.mapping import Mapping, WhenDeleted
from connector.core.outcomes import WriteResult
from connector.core.plan import PlannedWrite
from connector.ports import Writer
from connector.sync.mirror import Tools
from connector.sync.scope import Pace


class Slow(Waits):
    """Waits that take time, and in one of which something happens."""

    def __init__(self) -> None:
        super().__init__()
        self.scene: Scene | None = None
        self.act: Callable[[], None] | None = None

    def pause(self, seconds: float) -> None:
        super().pause(seconds)
        if self.scene is not None:
            self.scene.clock.advance(seconds)
        if self.act is not None:
            act, self.act = self.act, None
            act()


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def waits() -> Slow:
    return Slow()


@pytest.fixture
def twenty(waits: Slow) -> Iterator[Service]:
    """A CRM that limits requests; its clock is that of the waits."""
    with twenty_served(rate_limited=True, now=lambda: 1_790_000_000 + waits.now) as service:
        yield service


@pytest.fixture
def connected(database_url: str, whop: Service, twenty: Service, waits: Slow) -> Iterator[Scene]:
    with closing(built(environment(database_url, whop.url, NOWHERE), waits)) as parts:
        scene = waits.scene = Scene(whop, twenty, parts).connect()
        cap_batches(scene, 20)
        yield scene


@pytest.fixture
def scene(connected: Scene, waits: Slow) -> Scene:
    """Everything is in the CRM, and every member has another name by now; two records a request."""
    assert connected.sync().status == "success"
    cap_batches(connected, 2)
    for number, member in enumerate(connected.records("members")):
        rename(connected, member, f"renamed{number}")
    waits.now += 300
    return connected


def rename(scene: Scene, member: Json, name: str) -> None:
    if member["user"]:
        scene.change("members", member["id"], user={"username": name})


def one_lane(tools: Tools) -> Tools:
    return replace(tools, pace=Pace(lanes=1))


#: What is unchanged on Whop is asked whether it moved in the CRM; what is to be written is looked at.
ONCE_EACH = 2


def asked(scene: Scene) -> int:
    """Requests that looked for people."""
    return int(scene.twenty.ask("GET", "/stats")["requests"].get("people", 0))


def last_changed(scene: Scene) -> Json:
    """The row of the member that is written last."""
    members = [one for one in scene.records("members") if one["user"]]
    ids = [row["whopMemberId"] for row in scene.rows("people")]
    return scene.person_of(next(one["id"] for one in reversed(members) if one["id"] in ids))


def use_up(scene: Scene) -> None:
    """Somebody else of the same workspace has sent a hundred requests."""
    for _ in range(100):
        scene.crm("query{people(first:1){edges{node{id}}}}")


@pytest.mark.parametrize("remove", [trash, destroy])
def test_what_is_deleted_while_the_limit_is_waited_for_stays_deleted(
    scene: Scene, waits: Slow, remove: Callable[[Scene, str], None]
) -> None:
    row = last_changed(scene)
    use_up(scene)

    def act() -> None:  # by when Twenty takes requests again
        waits.pause(60)
        remove(scene, row["id"])

    waits.act = act
    run = scene.sync(wrap=one_lane)

    assert waits.act is None
    assert run.status == "success"
    left = [one for one in scene.rows("people") if one["id"] == row["id"]]
    assert left == [] if remove is destroy else left[0]["deletedAt"]
    assert scene.told(run, row["whopMemberId"]).reason == "deleted_in_crm"
    assert scene.twenty.ask("GET", "/stats")["rows"].get("restored", {}) == {}


def test_one_look_covers_all_that_wait_for_some_seconds(scene: Scene) -> None:
    use_up(scene)
    scene.twenty.ask("DELETE", "/stats")

    run = scene.sync(wrap=one_lane)

    updated = run.counts["person"]["updated"]
    assert updated > 20
    # Two records a request, one in 1.2 s without Redis: a look for every four, beside the first ones.
    assert ONCE_EACH + 1 < asked(scene) < ONCE_EACH + updated / 2 / 3


def test_where_nothing_waits_nothing_is_asked_twice(scene: Scene) -> None:
    scene.twenty.ask("DELETE", "/stats")

    run = scene.sync(wrap=one_lane)

    assert run.counts["person"]["updated"] > 20
    assert asked(scene) == ONCE_EACH


class Meanwhile:
    """A writer beside which somebody else is at work: before its first write to an object."""

    def __init__(self, writer: Writer, object_: str, act: Callable[[], None]) -> None:
        self._writer, self._object, self._act = writer, object_, act
        self._done = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    def apply(self, mapping: Mapping, writes: Sequence[PlannedWrite]) -> list[WriteResult]:
        if mapping.object.name == self._object and not self._done:
            self._done = True
            self._act()
        return self._writer.apply(mapping, writes)


def meanwhile(scene: Scene, object_: str, act: Callable[[], None]) -> Callable[[Tools], Tools]:
    assert scene.workspace is not None
    writer = Meanwhile(scene.parts.openers.writer(scene.workspace, "full"), object_, act)
    return lambda tools: replace(one_lane(tools), open_writer=lambda _workspace, _lane: writer)


@pytest.mark.parametrize(
    ("policy", "status", "result"),
    [
        (WhenDeleted.RESPECT, "success", ("skipped", "deleted_in_crm", None)),
        (WhenDeleted.RESTORE, "partial", ("failed", None, "crm_record_gone")),
    ],
)
def test_what_was_deleted_right_before_its_write_is_settled_by_the_policy(
    scene: Scene, policy: WhenDeleted, status: str, result: tuple[str, str | None, str | None]
) -> None:
    member = a_member(scene)
    assert scene.sync(wrap=one_lane).status == "success"
    rename(scene, member, "oncemore")
    row = scene.person_of(member["id"])
    change = meanwhile(scene, "person", lambda: trash(scene, row["id"]))

    run = scene.sync(wrap=lambda tools: deleting(policy)(change(tools)))

    assert run.status == status
    told = scene.told(run, member["id"])
    assert (told.result, told.reason, (told.error or {}).get("code")) == result
    assert scene.person_of(member["id"])["deletedAt"]

    again = scene.sync(wrap=deleting(policy))

    assert again.status == "success"
    is_back = scene.person_of(member["id"])["deletedAt"] is None
    assert is_back is (policy is WhenDeleted.RESTORE)


def test_a_contact_that_is_destroyed_right_before_is_left_out_and_told(connected: Scene) -> None:
    scene = connected
    member = a_member(scene)
    deals = [each["id"] for each in scene.records("memberships") if each["member_id"] == member["id"]]
    gone = meanwhile(scene, "opportunity", lambda: destroy(scene, scene.person_of(member["id"])["id"]))

    run = scene.sync(wrap=gone)

    assert run.status == "success"
    assert not scene.log(run, "failed")
    for id_ in deals:
        assert "pointOfContact is left empty" in " ".join(scene.told(run, id_).warnings or ())
        assert scene.deal_of(id_)["pointOfContactId"] is None

    again = scene.sync()  # it looks for the contact once more: nobody has it by now, which stands

    assert again.status == "success"
    assert scene.told(again, member["id"]).reason == "deleted_in_crm"
    assert "was deleted in the CRM" in " ".join(scene.told(again, deals[0]).warnings or ())
