"""A whole installation of real processes, killed and flushed in the middle of a sync."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis

from connector.bootstrap import Parts
from connector.cli import agreement, stage
from connector.cli.processes import Supervisor
from connector.cli.stage import Size, Stage
from connector.core.outcomes import Result, sum_of
from connector.store import runs
from connector.store.connections import Connection
from connector.store.runs import Run

pytestmark = pytest.mark.slow

MEMBERS, MEMBERSHIPS, PRODUCTS = 500, 620, 5
WITHIN = 30.0  # seconds from the disturbance to the end of the run


@dataclass(frozen=True)
class House:
    """The installation while it runs."""

    stage: Stage
    parts: Parts
    supervisor: Supervisor
    connection: Connection
    said: list[str]

    def dial(self, match: str, fault: dict[str, Any], **how: Any) -> None:
        """Slow the CRM down, so that there is a middle to disturb."""
        session = self.parts.door.session(self.stage.address("twenty"))
        session.request("POST", "/sandbox/dials", json={"match": match, "fault": fault, **how})

    def latest(self) -> Run:
        with self.parts.database.reading() as session:
            return runs.of_workspace(session, self.connection.workspace_id, limit=1)[0]

    def entries(self, run: Run, *results: str) -> list[runs.LogEntry]:
        with self.parts.database.reading() as session:
            return runs.entries(session, run.workspace_id, run.number, results=results, limit=5_000)

    def flush(self) -> None:
        with redis.Redis.from_url(self.stage.redis.url) as client:
            client.flushall()


@pytest.fixture
def house(tmp_path: Path) -> Callable[[Callable[[House], Any]], Any]:
    """Give it work; it is done beside the running supervisor."""
    said: list[str] = []

    @contextmanager
    def running() -> Iterator[House]:
        ports = {"web": 0, "whop": 0, "twenty": 0}
        with (
            Supervisor(tmp_path / "logs", echo=said.append) as supervisor,
            stage.set_up(tmp_path, ports) as set_up,
        ):
            size = Size(members=MEMBERS, memberships=MEMBERSHIPS, limits=False)
            assert supervisor.start_all(set_up.children(size))
            with stage.parts(set_up) as parts:
                connected = stage.meanwhile(supervisor, partial(stage.connect, parts, set_up, "house"))
                assert connected is not None
                yield House(set_up, parts, supervisor, connected[1], said)

    def give(work: Callable[[House], Any]) -> Any:
        with running() as one:
            return stage.meanwhile(one.supervisor, partial(work, one))

    return give


def until(true: Callable[[], Any], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def flush_redis(house: House) -> None:
    house.flush()


def kill_and_flush(house: House) -> None:
    """The worker dies at its work, and what Redis knew of it and of the run goes too."""
    house.supervisor.kill("worker-2")
    until(lambda: len(house.said) > 0, 5, "the supervisor did not see the worker die")
    house.flush()


def sync_disturbed(house: House, disturb: Callable[[House], None]) -> tuple[Run, float]:
    """A full sync, disturbed in the middle of the people; how long it took from there."""
    house.dial("createPeople", {"delay": 1.5}, skip=2, times=1)
    run_id = stage.start(house.parts, house.connection, "The test").id
    until(lambda: house.latest().counts.get("person"), 15, "no people were written")
    assert "opportunity" not in house.latest().counts
    disturb(house)
    disturbed = time.monotonic()
    until(lambda: not house.latest().active, WITHIN, f"the run did not end: {house.said}")
    run = house.latest()
    assert run.id == run_id
    return run, time.monotonic() - disturbed


def is_whole(house: House, run: Run) -> None:
    """Both sides agree, nothing is doubled, and every record is counted once."""
    told = house.entries(run, Result.SKIPPED.value, Result.FAILED.value)
    whop, crm = stage.whop_session(house.parts, house.stage), stage.crm_session(house.parts, house.stage)
    aside = {entry.source_id for entry in told}.__contains__
    verdict = agreement.audit(whop, crm, house.connection.company_id, set_aside=aside)
    assert verdict.differences == []
    assert run.status == "success"
    assert sum_of(run.counts) == MEMBERS + MEMBERSHIPS + PRODUCTS
    entries = [(one.kind, one.source_id) for one in house.entries(run)]
    assert len(entries) == len(set(entries)) == MEMBERS + MEMBERSHIPS + PRODUCTS
    for plural, object_ in (("people", "person"), ("opportunities", "opportunity")):
        assert len(agreement.crm_rows(crm, plural, "id")) == run.counts[object_]["created"]


@pytest.mark.parametrize("disturb", [flush_redis, kill_and_flush])
def test_a_disturbed_installation_ends_its_sync_by_itself(
    house: Callable[..., Any], disturb: Callable[[House], None]
) -> None:
    def work(one: House) -> None:
        workers = {name: pid for name, pid in one.supervisor.pids().items() if name.startswith("worker")}
        run, took = sync_disturbed(one, disturb)
        print(f"{disturb.__name__}: ended {took:.1f} s after the disturbance; {one.said}")
        is_whole(one, run)
        serve_again(one)
        now = {name: pid for name, pid in one.supervisor.pids().items() if name.startswith("worker")}
        if disturb is flush_redis:
            assert now == workers, "a flush alone ends no worker"

    house(work)


def serve_again(house: House) -> None:
    """After all that, another sync is served as if nothing had been."""
    stage.start(house.parts, house.connection, "Again")
    until(lambda: not house.latest().active, 15, f"the second run did not end: {house.said}")
    again = house.latest()
    assert {result for of in again.counts.values() for result in of} == {"unchanged", "skipped"}
