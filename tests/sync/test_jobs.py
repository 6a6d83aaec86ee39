"""The bell on a real Redis, and jobs as a worker runs them: short, and safe to ring for twice."""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest
import structlog
from events import a_body, events, receive
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer
from scene import Scene, Service, built, environment, total

from connector import jobs, schedule
from connector.cli.worker import work
from connector.core.reconciling import Standing, count
from connector.jobqueue import QUEUES, RqBell, connect
from connector.ports import JobQueue
from connector.store import alerts, connections, reconciliations
from connector.sync import mirror, reconciling

Burst = Callable[[], None]


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def installed(
    database_url: str, redis_url: str, whop: Service, twenty: Service, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    """A scene whose settings are those of this process, as a worker's are, with the real bell and clock."""
    env = environment(database_url, whop.url, redis_url, FLASK_SKIP_DOTENV="1")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with closing(built(env)) as parts:
        scene = Scene(whop, twenty, parts)
        scene.bell = parts.tools.queue  # type: ignore[assignment]
        scene.clock = parts.tools.clock  # type: ignore[assignment]
        yield scene.connect()


@pytest.fixture
def burst(redis_url: str) -> Iterator[Burst]:
    """Run what has been rung for, until the queues are empty."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    threshold = gc.get_threshold()

    def run() -> None:
        with connect(redis_url) as redis:
            work(redis, QUEUES, burst=True)

    yield run
    if jobs._parts.cache_info().currsize:
        jobs._parts().close()
    jobs._parts.cache_clear()
    structlog.reset_defaults()
    gc.unfreeze()
    gc.set_threshold(*threshold)
    for number, handler in handlers.items():
        signal.signal(number, handler)


def waiting(redis_url: str) -> list[Job]:
    with connect(redis_url) as redis:
        queues = [Queue(name, connection=redis, serializer=JSONSerializer) for name in QUEUES]
        return [job for queue in queues for job in queue.jobs]


def test_a_worker_brings_a_run_to_its_end(installed: Scene, burst: Burst) -> None:
    run_id = installed.start()

    burst()

    run = installed.run(run_id)
    assert run.status == "success"
    assert total(run) == 105


def test_ringing_many_times_does_the_work_once(installed: Scene, burst: Burst) -> None:
    run_id = installed.start()
    for _ in range(5):
        mirror.ring(installed.tools, installed.run(run_id))

    burst()

    assert total(installed.run(run_id)) == 105
    assert installed.twenty.ask("GET", "/stats")["rows"]["created"]["person"] == 38


def test_a_flushed_queue_is_filled_again_by_the_sweep(installed: Scene, redis_url: str, burst: Burst) -> None:
    run_id = installed.start()
    with connect(redis_url) as redis:
        redis.flushall()
    burst()
    assert installed.run(run_id).status == "queued"

    installed.tools.queue.ring("sweep", "webhooks")
    burst()

    assert installed.run(run_id).status == "success"


def test_an_event_that_nobody_was_rung_for_is_taken_at_the_next_tick(
    installed: Scene, burst: Burst, redis_url: str
) -> None:
    """Its ring was lost, and all of Redis with it; the events themselves are rows."""
    found = installed.records("products")[0]
    receive(installed, a_body(installed, "product.updated", found))
    with connect(redis_url) as redis:
        redis.flushall()
    (tick,) = [one for one in schedule.TICKS if one.job == "drain"]
    assert tick.every <= 60
    burst()
    assert [event.state for event in events(installed)] == ["pending"]

    stop = Impatient()
    schedule.run(RingingOnce(stop, installed.parts.tools.queue), stop, monotonic=stop.monotonic, ticks=[tick])
    burst()

    assert [event.state for event in events(installed)] == ["done"]


def test_a_job_carries_ids_alone_and_as_json(installed: Scene, redis_url: str) -> None:
    run_id = installed.start()

    (job,) = waiting(redis_url)

    assert (job.func_name, job.args, job.kwargs) == ("connector.jobs.advance_run", [], {"run_id": run_id})
    assert job.origin == "full"


def test_every_tick_names_a_job_and_a_queue_that_exist() -> None:
    for tick in schedule.TICKS:
        assert callable(getattr(jobs, tick.job))
        assert tick.queue in QUEUES


class Impatient(threading.Event):
    """Whoever waits for it moves its clock instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def wait(self, timeout: float | None = None) -> bool:
        self.now += timeout or 0.0
        return self.is_set()


class CountingBell:
    """Stops the scheduler after so many rings."""

    def __init__(self, stop: Impatient, rings: int) -> None:
        self.stop, self.left = stop, rings
        self.rung: list[tuple[float, str, str, int | None]] = []

    def ring(self, job: str, queue: str, *, expires: int | None = None, **_ids: str) -> None:
        self.rung.append((self.stop.now, job, queue, expires))
        if len(self.rung) == self.left:
            self.stop.set()


@dataclass
class RingingOnce:
    """Stops the scheduler when it has rung."""

    stop: Impatient
    bell: JobQueue

    def ring(self, job: str, queue: str, *, expires: int | None = None, **ids: str) -> None:
        self.bell.ring(job, queue, expires=expires, **ids)
        self.stop.set()


def test_the_scheduler_rings_at_once_and_at_each_tick() -> None:
    stop = Impatient()
    bell = CountingBell(stop, 3)

    schedule.run(bell, stop, monotonic=stop.monotonic, ticks=[schedule.Tick("sweep", "webhooks", 5)])

    assert bell.rung == [(moment, "sweep", "webhooks", 5) for moment in (0.0, 5.0, 10.0)]


def test_the_scheduler_outlives_a_queue_that_does_not_answer() -> None:
    stop = Impatient()
    out_of_order = RqBell(connect("unix:///nowhere/redis.sock"))

    class Silent(CountingBell):
        def ring(self, job: str, queue: str, *, expires: int | None = None, **ids: str) -> None:
            super().ring(job, queue, expires=expires, **ids)
            out_of_order.ring(job, queue, expires=expires, **ids)

    bell = Silent(stop, len(schedule.TICKS))
    schedule.run(bell, stop, monotonic=stop.monotonic)

    assert len(bell.rung) == len(schedule.TICKS)


def test_a_worker_brings_a_comparison_to_its_end(installed: Scene, burst: Burst) -> None:
    installed.start()
    burst()
    assert installed.connection is not None
    with installed.parts.database.reading() as session:
        one = connections.get(session, installed.connection.workspace_id, installed.connection.id)
    id_ = reconciling.start(installed.tools, one, why="The test", correlation_id="corr-test")

    burst()

    with installed.parts.database.reading() as session:
        found = reconciliations.by_id(session, id_)
    assert found.status == "done"
    assert count(found.counts, Standing.DIFFERS) == 0


def test_a_worker_that_is_rung_for_looks_for_what_is_wrong(installed: Scene, burst: Burst) -> None:
    assert installed.connection is not None
    workspace_id = installed.connection.workspace_id
    with installed.parts.database.transaction() as session:
        connections.mark(session, workspace_id, installed.connection.id, "expired")
    installed.tools.queue.ring("alert", "incremental")

    burst()

    with installed.parts.database.reading() as session:
        (one,) = alerts.open_incidents(session, workspace_id)
    assert one.kind == "access_lost"
