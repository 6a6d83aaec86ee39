"""Requests to the CRM under way while the next pages are read and planned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from contextvars import copy_context

from connector.sync.gathering import Batch


class Sender:
    """Sends batches on ``lanes`` threads; without any, each at once where it is given."""

    def __init__(self, send: Callable[[Batch], None], lanes: int) -> None:
        self._send = send
        self._threads = ThreadPoolExecutor(lanes, "crm") if lanes else None
        self._under_way: dict[Future[None], Batch] = {}
        self._through: list[Batch] = []

    def give(self, batch: Batch) -> None:
        """Have a batch sent as soon as a lane is free."""
        if self._threads is None:
            self._send(batch)
            self._through.append(batch)
        else:  # with the names that log lines carry
            future = self._threads.submit(copy_context().run, self._send, batch)
            self._under_way[future] = batch

    def through(self, *, left: int = 0) -> Iterator[Batch]:
        """The batches that were written, once at most ``left`` are under way.

        Raises what sending one of them raised; the others are then still to be had from ``stop``.
        """
        while self._through or self._under_way:
            while self._through:
                yield self._through.pop(0)
            patience = None if len(self._under_way) > left else 0
            done, _ = wait(self._under_way, patience, FIRST_COMPLETED)
            for future in done:
                batch = self._under_way.pop(future)
                future.result()
                self._through.append(batch)
            if not done:
                return

    def stop(self) -> list[Batch]:
        """Send nothing more; the batches that were written and not yet had."""
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)
        for future, batch in self._under_way.items():
            with suppress(BaseException):  # the first that failed has been raised
                future.result()
                self._through.append(batch)
        self._under_way.clear()
        return self._through
