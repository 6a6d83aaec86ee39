"""A lease that lasts as long as the job: prolonged beside the work, by a thread that dies with it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from connector.store.db import Unavailable

log = structlog.get_logger(__name__)

EVERY = 4.0
"""Seconds between two beats."""


@contextmanager
def heartbeat(beat: Callable[[], object]) -> Iterator[None]:
    """Call ``beat`` again and again while the block runs."""
    stop = threading.Event()

    def go_on() -> None:
        while not stop.wait(EVERY):
            try:
                beat()
            except Unavailable as error:  # the next beat may come through; the lease outlasts three
                log.warning("a lease could not be prolonged", error=type(error).__name__)

    thread = threading.Thread(target=go_on, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
