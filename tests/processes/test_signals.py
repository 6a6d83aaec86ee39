"""A supervisor in a process of its own, with Redis, gunicorn and a worker that forks; then a signal."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from watching import Started, wait_for

from connector.cli.processes import DataLock
from connector.errors import RefusedError

Start = Callable[..., Started]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_everything(start: Start, tmp_path: Path, number: int) -> None:
    run = start()
    assert len(run.everybody) == 5  # redis, gunicorn and its worker, the worker and its child
    os.kill(run.process.pid, number)
    assert run.end() == (0, "")
    assert run.survivors() == []
    assert not (tmp_path / "redis/redis.sock").exists()


def test_a_second_ctrl_c_does_not_wait(start: Start) -> None:
    run = start("stubborn")
    os.kill(run.process.pid, signal.SIGINT)
    os.kill(run.process.pid, signal.SIGINT)  # the same Ctrl-C, handed on by a wrapper
    time.sleep(0.5)
    assert run.process.poll() is None
    began = time.monotonic()
    os.kill(run.process.pid, signal.SIGINT)
    assert run.end()[0] == 0
    assert time.monotonic() - began < 2
    assert run.survivors() == []


def test_nobody_survives_a_supervisor_that_is_killed(start: Start, tmp_path: Path) -> None:
    run = start()
    with redis.Redis.from_url(run.told["redis"]) as client:
        client.set("kept", "yes")
    os.kill(run.process.pid, signal.SIGKILL)
    wait_for(lambda: not run.survivors(), seconds=2.0)
    assert run.end()[0] == -signal.SIGKILL
    again = start()
    with redis.Redis.from_url(again.told["redis"]) as client:
        assert client.get("kept") == b"yes"


def test_a_start_right_after_a_kill_waits_for_the_last_child(start: Start) -> None:
    run = start("stubborn")
    os.kill(run.process.pid, signal.SIGKILL)
    run.process.wait()
    again = start()
    assert again.pids
    assert run.survivors() == []


def test_two_supervisors_on_one_directory(start: Start, tmp_path: Path) -> None:
    run = start()
    with pytest.raises(RefusedError) as caught:
        DataLock(tmp_path)
    assert (
        str(caught.value)
        == f"{tmp_path} is in use by another start of the connector, process {run.process.pid}."
    )
    assert start().end()[0] != 0
    assert run.process.poll() is None


def test_a_lock_that_was_given_back_is_free(tmp_path: Path) -> None:
    with DataLock(tmp_path):
        pass
    with DataLock(tmp_path):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
