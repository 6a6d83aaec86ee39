"""A session of Whop's API that asks for leave before each request: Whop counts them by operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from connector.ports import Budget, Limit

from .client import Answer, Params, Session

LIMITS: Final = (Limit(600, 60.0),)


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
    ) -> Answer:
        """The answer, whatever its status. Raises TryLaterError where the wait for leave is long."""
        budget = self._budget(operation(method, path))
        with budget.sending():
            answer = self._session.request(method, path, params=params, headers=headers)
        if answer.status == 429:
            budget.refused(None)  # how long to wait stands in its body: the caller reads it
        return answer


def operation(method: str, path: str) -> str:
    """What Whop counts by: the request without the id that may be in it."""
    of, _, rest = path.strip("/").partition("/")
    id_, _, act = rest.partition("/")
    place = "me" if id_ == "me" else "{id}"
    return f"{method} /" + "/".join([of, *([place] if id_ else []), *([act] if act else [])])
