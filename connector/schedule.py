"""What runs when: a list of data, and the loop that rings for it.

RQ's own ``CronScheduler`` is not used: it enqueues pickles, ends when Redis does, and two of them enqueue
everything twice. Here a tick is only a ring of the bell; what it finds to do is claimed in the database,
so two schedulers do no harm and a missed tick is made up by the next.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from connector.errors import TryLaterError
from connector.ports import JobQueue

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Tick:
    """Ring for ``job`` on ``queue`` each ``every`` seconds; a ring not heard by the next is dropped."""

    job: str
    queue: str
    every: int


TICKS: Sequence[Tick] = (
    Tick("sweep", "webhooks", 5),
    # Events that were kept and not rung for, or whose time to be tried again has come.
    Tick("drain", "webhooks", 2),
    # What automations do has its time to the second: it waits for no sync and for no other event.
    Tick("act", "actions", 1),
    Tick("remind", "webhooks", 60),
    Tick("ask", "webhooks", 5),
    Tick("tidy", "webhooks", 60),
    Tick("converse", "incremental", 5),
    # Not among the webhooks themselves: it waits for Whop, and they wait for nobody.
    Tick("alert", "incremental", 30),
    Tick("look_after_comparisons", "incremental", 20),
    Tick("look_after_webhooks", "incremental", 30),
    Tick("look_for_access", "incremental", 120),
    Tick("prune", "full", 300),
)


def run(
    queue: JobQueue,
    stop: threading.Event,
    *,
    monotonic: Callable[[], float],
    ticks: Sequence[Tick] = TICKS,
) -> None:
    """Ring until ``stop`` is set. A queue that does not answer is tried again at the next tick."""
    due = dict.fromkeys(ticks, monotonic())
    while not stop.is_set():
        now = monotonic()
        for tick in ticks:
            if due[tick] <= now:
                _ring(queue, tick)
                due[tick] = now + tick.every
        stop.wait(max(0.05, min(due.values()) - monotonic()))


def _ring(queue: JobQueue, tick: Tick) -> None:
    try:
        queue.ring(tick.job, tick.queue, expires=tick.every)
    except TryLaterError as error:
        log.warning("the job queue does not answer", job=tick.job, error=str(error))
