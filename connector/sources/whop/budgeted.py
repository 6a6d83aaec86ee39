"""A session of Whop's API that asks for leave before each request: Whop counts them by operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from connector.ports import Budget, Limit

from .client import Answer, Params, Session

_MINUTE: Final = 60.0


def limits(requests: int) -> tuple[Limit, ...]:
    """So many requests of one operation in a minute."""
    return (Limit(requests, _MINUTE),)


class BudgetedSession:
    """``budget`` gives the budget of an operation, such as ``"GET /members/{id}"``."""

    def __init__(self, session: Session, budget: Callable[[str], Budget]) -> None:
        self._session = session
        self._budget = budget

    def request(
        self,
        method: str,
        path: str,
        /,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
    ) -> Answer:
        """The answer, whatever its status. Raises TryLaterError where the wait for leave is long."""
        budget = self._budget(operation(method, path))
        with budget.sending():
            answer = self._session.request(method, path, params=params, headers=headers, json=json)
        if answer.status == 429:
            budget.refused(None)  # how long to wait stands in its body: the caller reads it
        return answer


def operation(method: str, path: str) -> str:
    """What Whop counts by: the request without the ids that may be in it."""
    parts = path.strip("/").split("/")
    masked = (part if at % 2 == 0 or part == "me" else "{id}" for at, part in enumerate(parts))
    return f"{method} /" + "/".join(masked)
