"""What one request works with: its workspace, its key, the clock, the batch cap and the counters."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from connector.sandbox.twenty import clock
from connector.sandbox.twenty.refusals import denied
from connector.sandbox.twenty.shape import Shape
from connector.sandbox.twenty.workspace import Workspace


class Session:
    """Made per request, after authentication. `work` counts rows for statistics and recorded times."""

    def __init__(
        self, workspace: Workspace, key: dict[str, Any], cap: int, time: Callable[[], float]
    ) -> None:
        self.workspace, self.key, self.cap, self._time = workspace, key, cap, time
        self.work: Counter[tuple[str, str]] = Counter()
        self._actor = {"source": "API", "workspaceMemberId": None, "name": key["name"], "context": {}}

    def now(self) -> str:
        return clock.iso(int(self._time() * 1000))

    def actor(self) -> dict[str, Any]:
        """createdBy and updatedBy of what an API key writes (200)."""
        return self._actor

    def count(self, what: str, shape: Shape, rows: int) -> None:
        self.work[what, shape.singular] += rows

    def may_write(self) -> None:
        if self.key["role"] != "admin":
            raise denied()
