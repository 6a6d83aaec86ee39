"""A worker that is told to end in the middle of a sync stops between two requests, and another goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from scene import Scene, cap_batches, total

from connector import jobs
from connector.cli.worker import Worker
from connector.errors import TryLaterError
from connector.sync.scope import Pace

RECORDS = 5 + 40 + 60


@pytest.fixture
def signalled() -> Iterator[None]:
    """The worker of this process has got its signal."""
    jobs.stop()
    yield
    jobs._STOP.clear()


def ending_after(scene: Scene, requests: int) -> Callable[[], bool]:
    """The signal comes once so many writes have reached the CRM."""
    scene.twenty.ask("DELETE", "/stats")

    def ends() -> bool:
        done = scene.twenty.ask("GET", "/stats")["requests"]
        return sum(count for name, count in done.items() if name.startswith("create")) >= requests

    return ends


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_job_stops_between_two_requests_and_the_next_one_goes_on_at_once(scene: Scene) -> None:
    cap_batches(scene, 5)
    tools = replace(scene.tools, pace=Pace(lanes=1), ends=ending_after(scene, 4))
    run_id = scene.start()

    run = scene.advance(run_id, tools=tools)

    assert run.status == "running"
    assert run.error is None
    assert (run.lease_owner, run.due_at <= scene.clock.now) == (None, True)
    assert 0 < total(run) < RECORDS / 2
    assert [ring for ring in scene.bell.rings if ring[2] == {"run_id": run_id}][1:]

    ended = scene.go_on(run_id)

    assert ended.status == "success"
    assert total(ended) == RECORDS
    told = [(entry.kind, entry.source_id) for entry in scene.log(ended)]
    assert len(told) == len(set(told)) == RECORDS


def test_a_wait_for_the_limit_ends_with_the_worker(signalled: None) -> None:
    with pytest.raises(TryLaterError) as caught:
        jobs.pause(30)

    assert (caught.value.code, caught.value.after) == ("worker_ends", 0.0)


def test_the_first_signal_of_a_worker_reaches_its_job(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[Any] = []
    monkeypatch.setattr("rq.SimpleWorker.request_stop", lambda *args: said.append(args[1:]))
    assert not jobs._STOP.is_set()

    Worker.request_stop(Worker.__new__(Worker), 15, None)

    assert jobs._STOP.is_set()
    assert said == [(15, None)]
    jobs._STOP.clear()
