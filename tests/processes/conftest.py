"""A supervisor within the test, and one in a process of its own; both end with the test."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from watching import Started

from connector.cli.processes import Supervisor


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, said: list[str]) -> Iterator[Supervisor]:
    with Supervisor(tmp_path / "logs", echo=said.append) as supervisor:
        yield supervisor


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Started]]:
    started: list[Started] = []

    def one(*extra: str) -> Started:
        started.append(Started(tmp_path, *extra))
        return started[-1]

    yield one
    for run in started:
        for pid in [run.process.pid, *run.everybody]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        run.end()
