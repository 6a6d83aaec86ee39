"""Workers killed at every seam of an hourly sync, a removal or a look at what expired: nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest
from breaking import SEAMS, Fate, Killed, breakable
from scene import Scene, Service, whop_served
from test_removing import linked, vanish, with_gone

from connector.core.gone import Gone
from connector.core.records import iso
from connector.store import runs
from connector.store.runs import Run
from connector.sync import expiring, mirror, onboarding

SHOWN = {"past_due": "PAYMENT_FAILED", "active": "ACTIVE"}


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def whop() -> Iterator[Service]:
    with whop_served(members=12, memberships=90) as service:
        yield service


def every_run(scene: Scene) -> list[Run]:
    assert scene.connection is not None
    with scene.parts.database.reading() as session:
        return runs.of_workspace(session, scene.connection.workspace_id, limit=1_000)


def open_deals(scene: Scene) -> list[str]:
    """Memberships that stand as active in the CRM."""
    active = [one["id"] for one in scene.records("memberships") if one["status"] == "active"]
    return sorted(set(active) & set(linked(scene)))


def another_worker(scene: Scene) -> None:
    """What a scheduler and a living worker do once the dead one's lease and claims have ended."""
    scene.clock.advance(mirror.LEASE.total_seconds() + 120)
    expiring.sweep(scene.tools)
    mirror.sweep(scene.tools)
    for run in every_run(scene):
        if run.active:
            scene.go_on(run.id, tools=with_gone(scene.tools, Gone.MARK))


@pytest.mark.parametrize("seam", SEAMS)
def test_an_hourly_sync_killed_at_any_seam_finds_changes_and_what_is_gone(scene: Scene, seam: str) -> None:
    assert scene.connection is not None
    assert scene.sync().status == "success"
    late, *others = open_deals(scene)
    nth, struck = 0, True
    while struck:
        gone, status = others[nth], ("past_due", "active")[nth % 2]
        nth += 1
        scene.clock.advance(3600)
        vanish(scene, gone)
        scene.change("memberships", late, status=status)
        fate = Fate(seam, nth)
        run_id = onboarding.start_sync(
            scene.tools, scene.connection, "incremental", why="Every hour", correlation_id="corr-test"
        )
        with suppress(Killed):
            scene.go_on(run_id, tools=with_gone(breakable(scene, fate), Gone.MARK))
        struck = fate.struck
        another_worker(scene)

        where = f"killed {seam}, the {nth}th time"
        run = scene.run(run_id)
        assert run.status == "success", where
        assert scene.deal_of(gone)["whopMembershipStatus"] == "EXPIRED", where
        assert scene.deal_of(late)["whopMembershipStatus"] == SHOWN[status], where
        assert [scene.told(run, id_).result for id_ in (gone, late)] == ["updated", "updated"], where
    assert nth > 2 or "ring" in seam, "the seam is passed several times"


@pytest.mark.parametrize("seam", SEAMS)
def test_a_look_at_what_has_expired_killed_at_any_seam_is_made(scene: Scene, seam: str) -> None:
    ends = scene.clock()
    for one in scene.records("memberships"):
        scene.change("memberships", one["id"], current_period_end=None, expires_at=None)
    waiting = [one["id"] for one in scene.records("memberships") if one["status"] == "active"]
    for number, id_ in enumerate(waiting):
        scene.change("memberships", id_, current_period_end=iso(ends + timedelta(hours=number + 1)))
    assert scene.sync().status == "success"
    nth, struck = 0, True
    while struck:
        id_ = waiting[nth]
        nth += 1
        scene.change("memberships", id_, status="expired")
        scene.clock.now = ends + timedelta(hours=nth, seconds=150)
        fate = Fate(seam, nth)
        tools = breakable(scene, fate)
        with suppress(Killed):
            expiring.sweep(tools)
            scene.go_on(every_run(scene)[0].id, tools=tools)
        struck = fate.struck
        another_worker(scene)

        where = f"killed {seam}, the {nth}th time"
        assert not any(run.active for run in every_run(scene)), where
        assert scene.deal_of(id_)["whopMembershipStatus"] == "EXPIRED", where
    assert nth > 1, "the seam is passed"
