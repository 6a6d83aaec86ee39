"""Counters for tests: requests by operation, refusals, rows by what became of them."""

import re
from collections import Counter, defaultdict
from typing import Any

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}", re.IGNORECASE)


class Stats:
    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._requests: Counter[str] = Counter()
        self._rows: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._total = self._refused = 0

    def request(self, names: tuple[str, ...]) -> None:
        """One HTTP request that asks for these operations."""
        self._total += 1
        self._requests.update(names)

    def refused(self, count: int) -> None:
        """Operations that the rate limit refused."""
        self._refused += count

    def rows(self, work: Counter[tuple[str, str]]) -> None:
        for (what, singular), count in work.items():
            self._rows[what][singular] += count

    def shown(self) -> dict[str, Any]:
        requests = {**self._requests, "total": self._total, "refused": self._refused}
        return {"requests": requests, "rows": {what: dict(rows) for what, rows in self._rows.items()}}


def operation(method: str, path: str) -> str:
    """GET /rest/people/2b5a… -> GET /rest/people/{id}"""
    return f"{method} {_ID.sub('{id}', path)}"
