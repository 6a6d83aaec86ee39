"""A membership whose payment failed is paused, once, and resumed when it is paid, whatever is killed."""

from __future__ import annotations

from contextlib import suppress

import pytest
from automating import Bought, act, desk_of, every, hear
from breaking import AFTER_COMMIT, AFTER_WHOP, BEFORE_COMMIT, BEFORE_WHOP, Fate, Killed
from happening import bodies, happen
from scene import Json, Scene, one
from test_act_kills import to_be_killed

from connector.store.acts import Act
from connector.sync import switching
from connector.sync.acting import LEASE

NAME = "failed_payment"
NEEDS = ("member:manage",)
HOURS = 3_600.0
PAID_AT = "2026-11-20T12:30:00.000Z"

on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@pytest.fixture
def on(scene: Scene) -> Scene:
    assert scene.connection is not None
    switching.switch_on(desk_of(scene), scene.connection, NAME, {}, NEEDS)
    scene.clock.advance(1)
    return scene


def recurring(scene: Scene, place: int = 0) -> str:
    found = [
        held["id"]
        for held in scene.records("memberships")
        if held["status"] == "active" and held["renewal_price"] is not None
    ]
    return str(found[place])


def fails(scene: Scene, place: int = 0) -> Bought:
    """A renewal is not paid."""
    id_ = recurring(scene, place)
    told = happen(scene, "fail", id_)
    payment = next(one_["record"] for one_ in told if one_["kind"] == "payments")
    return Bought(id_, payment["id"], bodies(scene, told))


def paid(scene: Scene, membership: str) -> list[Json]:
    """Its buyer pays by another payment; the sandbox lives in its own time, so its time is set."""
    told = happen(scene, "pay", membership)
    payment = next(one_["record"] for one_ in told if one_["kind"] == "payments")
    scene.change("payments", payment["id"], created_at=PAID_AT, paid_at=PAID_AT)
    return told


def pays(scene: Scene, membership: str, *, times: int = 1) -> None:
    """The same, and the events of it come in."""
    hear(scene, *bodies(scene, paid(scene, membership)), times=times)


def is_paused(scene: Scene, membership: str) -> bool:
    return bool(one(scene.records("memberships"), id=membership)["most_recent_action"] == "paused_at")


def asked(scene: Scene, what: str) -> int:
    counts = scene.whop.ask("GET", "/stats")["requests"]
    return int(sum(count for name, count in counts.items() if name.endswith(f"/{what}")))


def resuming(scene: Scene) -> Act:
    return next(each for each in every(scene) if each.step == 1)


def test_a_failed_payment_pauses_its_membership_and_a_paid_one_resumes_it(on: Scene) -> None:
    failed = fails(on)
    hear(on, *failed.events, times=3)
    act(on)
    assert is_paused(on, failed.membership)

    act(on, 3 * HOURS)
    assert (is_paused(on, failed.membership), resuming(on).state) == (True, "waiting")
    pays(on, failed.membership, times=3)
    act(on, 0)

    assert not is_paused(on, failed.membership)
    assert [each.state for each in every(on)] == ["done", "done"]
    assert (asked(on, "pause"), asked(on, "resume")) == (1, 1)


def test_the_failed_payment_itself_may_be_paid_later(on: Scene) -> None:
    failed = fails(on)
    hear(on, *failed.events)
    act(on)
    on.change("payments", failed.payment, status="paid", paid_at="2026-11-20T15:00:00.000Z")
    act(on, 7 * HOURS)

    assert not is_paused(on, failed.membership)


def test_a_payment_of_which_no_event_tells_is_found_within_hours(on: Scene) -> None:
    failed = fails(on)
    hear(on, *failed.events)
    act(on)
    paid(on, failed.membership)
    assert act(on, 5 * HOURS) == 0
    act(on, HOURS)

    assert not is_paused(on, failed.membership)


def test_one_that_is_paid_before_its_time_is_not_paused(on: Scene) -> None:
    failed = fails(on)
    hear(on, *failed.events)
    on.change("payments", failed.payment, status="paid")
    act(on)

    assert not is_paused(on, failed.membership)
    assert [each.state for each in every(on)] == ["skipped"]


def test_what_somebody_else_paused_is_not_resumed(on: Scene) -> None:
    failed = fails(on)
    hear(on, *failed.events)
    on.change("memberships", failed.membership, most_recent_action="paused_at")
    act(on)
    pays(on, failed.membership)
    act(on, 7 * HOURS)

    assert is_paused(on, failed.membership)
    assert [each.state for each in every(on)] == ["skipped"]


def test_one_that_ended_meanwhile_is_not_resumed(on: Scene) -> None:
    failed = fails(on)
    hear(on, *failed.events)
    act(on)
    on.change("memberships", failed.membership, status="canceled")
    act(on, 7 * HOURS)

    assert (asked(on, "resume"), resuming(on).state) == (0, "skipped")


def test_what_was_paused_is_resumed_even_when_it_was_switched_off_meanwhile(on: Scene) -> None:
    failed, later = fails(on), fails(on, 1)
    hear(on, *failed.events)
    act(on)
    hear(on, *later.events)
    assert on.connection is not None
    assert switching.switch_off(desk_of(on), on.connection, NAME) == 1, "the pause that waits is dropped"
    paid(on, failed.membership)
    act(on, 7 * HOURS)

    assert not is_paused(on, failed.membership)
    assert asked(on, "pause") == 1


def test_waiting_for_long_fills_no_log(on: Scene) -> None:
    hear(on, *fails(on).events)
    act(on)
    lines = len(resuming(on).journal)
    for _ in range(5):
        act(on, 6 * HOURS)

    assert len(resuming(on).journal) == lines
    assert resuming(on).outcome == "It waits until the payment comes."


@on_sqlite
@pytest.mark.parametrize("seam", [BEFORE_COMMIT, AFTER_COMMIT, BEFORE_WHOP, AFTER_WHOP])
def test_pausing_and_resuming_killed_at_any_seam_happen_exactly_once(on: Scene, seam: str) -> None:
    nth, struck = 0, True
    while struck:
        nth += 1
        failed = fails(on, nth)  # another one each time: what was paid for one is paid
        hear(on, *failed.events, times=3)
        paused = Fate(seam, nth)
        with suppress(Killed):
            act(on, desk=to_be_killed(on, paused), owner=f"pauses-{nth}")
        act(on, LEASE.total_seconds() + 1, owner=f"pauses-next-{nth}")
        assert is_paused(on, failed.membership)
        pays(on, failed.membership, times=3)
        resumed = Fate(seam, nth)
        with suppress(Killed):
            act(on, 0, desk=to_be_killed(on, resumed), owner=f"resumes-{nth}")
        act(on, LEASE.total_seconds() + 1, owner=f"resumes-next-{nth}")
        struck = paused.struck or resumed.struck

        assert not is_paused(on, failed.membership), f"killed {seam}, the {nth}th time"
        assert (asked(on, "pause"), asked(on, "resume")) == (nth, nth)
        on.change("memberships", failed.membership, status="active")
    assert nth > 3
    assert {each.state for each in every(on)} == {"done"}
