"""A sync at the CRM's request limit. Only waits take time; a process without Redis has half of the limit."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from scene import NOWHERE, Scene, Service, Waits, built, cap_batches, environment, total, twenty_served
from sqlalchemy import func, select

from connector.store.models import link
from connector.sync.scope import Pace

RECORDS = 5 + 40 + 60
NEARLY = 0.15  # seconds before its token is whole, a request is claimed for


class Watched(Waits):
    """Does something at each wait."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []
        self.scene: Scene | None = None

    def pause(self, seconds: float) -> None:
        super().pause(seconds)
        if self.scene is not None and seconds > NEARLY:
            self.seen.append(lasting_claims(self.scene))


def claims(scene: Scene) -> int:
    with scene.parts.database.reading() as session:
        held = select(func.count()).select_from(link).where(link.c.claimed_by.is_not(None))
        return int(session.execute(held).scalar_one())


def lasting_claims(scene: Scene) -> int:
    """Claims that stay. What was answered before this wait is settled meanwhile, by another thread."""
    for _ in range(100):
        if not (held := claims(scene)):
            return 0
        threading.Event().wait(0.01)
    return held


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def waits() -> Watched:
    return Watched()


@pytest.fixture
def twenty(waits: Watched) -> Iterator[Service]:
    """A CRM that limits requests; its clock is that of the waits."""
    with twenty_served(rate_limited=True, now=lambda: 1_790_000_000 + waits.now) as service:
        yield service


@pytest.fixture
def scene(database_url: str, whop: Service, twenty: Service, waits: Watched) -> Iterator[Scene]:
    """Two records a request, so that the first burst does not do."""
    with closing(built(environment(database_url, whop.url, NOWHERE), waits)) as parts:
        scene = Scene(whop, twenty, parts).connect()
        cap_batches(scene, 2)
        waits.scene = scene
        yield scene


def test_a_sync_at_the_limit_goes_through_without_a_refusal(scene: Scene, waits: Watched) -> None:
    run = scene.sync()

    assert run.status == "success"
    assert total(run) == RECORDS
    assert len(waits.seen) > 5
    assert scene.twenty.ask("GET", "/stats")["requests"]["refused"] == 0


def test_nothing_is_claimed_while_a_request_waits_for_the_limit(scene: Scene, waits: Watched) -> None:
    run = scene.sync(wrap=lambda tools: replace(tools, pace=Pace(lanes=1)))  # one request after the other

    assert run.status == "success"
    assert len(waits.seen) > 5
    assert set(waits.seen) == {0}
