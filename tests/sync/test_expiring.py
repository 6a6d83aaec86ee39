"""A membership whose end has passed is looked at again within minutes, though no event told of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from scene import Scene

from connector.core.ending import ends_at, wait_after
from connector.core.records import iso
from connector.store import runs
from connector.store.runs import Run
from connector.sync import expiring, onboarding

Json = dict[str, Any]


@pytest.fixture
def ending(scene: Scene) -> tuple[Scene, Json]:
    """A membership in the CRM that ends in an hour; the others are no matter here."""
    for item in scene.records("memberships"):
        scene.change("memberships", item["id"], current_period_end=None, expires_at=None)
    found = next(item for item in scene.records("memberships") if item["status"] == "active")
    end = iso(scene.clock() + timedelta(hours=1))
    scene.change("memberships", found["id"], current_period_end=end)
    assert scene.sync().status == "success"
    return scene, found


def looks(scene: Scene) -> list[Run]:
    assert scene.connection is not None
    with scene.parts.database.reading() as session:
        every = runs.of_workspace(session, scene.connection.workspace_id)
    return [run for run in every if run.type == "repair"]


def test_nothing_is_looked_at_before_its_end(ending: tuple[Scene, Json]) -> None:
    scene, _ = ending
    scene.clock.advance(3500)

    assert expiring.sweep(scene.tools) == 0


def test_what_has_expired_silently_is_told_within_minutes(ending: tuple[Scene, Json]) -> None:
    scene, found = ending
    scene.change("memberships", found["id"], status="expired")
    scene.clock.advance(3600 + 150)

    assert expiring.sweep(scene.tools) == 1
    assert expiring.sweep(scene.tools) == 0
    (run,) = looks(scene)
    assert scene.go_on(run.id).status == "success"
    assert scene.deal_of(found["id"])["whopMembershipStatus"] == "EXPIRED"
    scene.clock.advance(100_000)
    assert expiring.sweep(scene.tools) == 0


def test_a_sync_under_way_keeps_nobody_waiting(ending: tuple[Scene, Json]) -> None:
    scene, found = ending
    scene.change("memberships", found["id"], status="expired")
    scene.clock.advance(3600 + 150)
    assert scene.connection is not None
    words = {"why": "Manually", "correlation_id": "corr-full"}
    full = onboarding.start_sync(scene.tools, scene.connection, "full", **words)

    assert expiring.sweep(scene.tools) == 1

    (look,) = looks(scene)
    assert scene.go_on(look.id).status == "success"
    assert scene.deal_of(found["id"])["whopMembershipStatus"] == "EXPIRED"
    assert scene.go_on(full).status == "success"
    assert scene.deal_of(found["id"])["whopMembershipStatus"] == "EXPIRED"


def test_one_that_was_renewed_is_looked_at_after_its_new_end(ending: tuple[Scene, Json]) -> None:
    scene, found = ending
    scene.change("memberships", found["id"], current_period_end=iso(scene.clock() + timedelta(days=30)))
    scene.clock.advance(3800)
    scene.sync()

    assert expiring.sweep(scene.tools) == 0
    scene.clock.advance(31 * 86_400)
    assert expiring.sweep(scene.tools) == 1


def test_one_that_does_not_change_is_looked_at_later_and_later(ending: tuple[Scene, Json]) -> None:
    scene, _ = ending
    scene.clock.advance(3600 + 150)
    expiring.sweep(scene.tools)
    scene.go_on(looks(scene)[0].id)

    scene.clock.advance(200)
    assert expiring.sweep(scene.tools) == 0
    scene.clock.advance(200)
    assert expiring.sweep(scene.tools) == 1


@pytest.mark.parametrize(
    ("kind", "fields", "end"),
    [
        (
            "membership",
            {"status": "active", "current_period_end": "2026-02", "expires_at": "2026-01"},
            "2026-01",
        ),
        ("membership", {"status": "active", "current_period_end": None}, None),
        ("membership", {"status": "expired", "current_period_end": "2026-01"}, None),
        ("member", {"status": "active", "current_period_end": "2026-01"}, None),
    ],
)
def test_only_what_is_open_has_an_end_to_wait_for(kind: str, fields: Json, end: str | None) -> None:
    assert ends_at(kind, fields) == end


def test_the_waits_grow_to_a_day() -> None:
    waits = [wait_after(looks) for looks in range(8)]

    assert waits == sorted(waits)
    assert waits[-1] == 86_400
