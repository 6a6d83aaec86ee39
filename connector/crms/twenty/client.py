"""Twenty's three doors (``/graphql``, ``/metadata``, ``/rest``) as functions that answer or raise ours.

Twenty limits what API keys ask of records, not what is asked of its metadata. A refusal for the limit did
nothing, so the request is sent again once the budget allows it, and counts as no failure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, Protocol, TypeVar

import orjson

from connector.crms.twenty import refusals
from connector.errors import TryLaterError
from connector.ports import Budget, Limit

LIMITS: Final = (Limit(100, 1), Limit(100, 60))
"""Of a server whose operator did not change them, for all API keys of a workspace together."""

T = TypeVar("T")

_PATIENCE = 20  # refusals in a row: longer trouble is the run's to plan
#: In transport nobody but us knows that it was Twenty.
_IN_TRANSPORT = {
    **dict.fromkeys(("unreachable", "timeout", "cut_short"), "crm_unreachable"),
    **dict.fromkeys(("certificate", "tls"), "crm_certificate"),
}
_FREE = ("/metadata", "/rest/metadata")


class Answer(Protocol):
    """What the client needs of an HTTP answer."""

    @property
    def status(self) -> int: ...

    @property
    def body(self) -> bytes: ...


class Session(Protocol):
    """What the client needs of the door out: a session bound to the CRM's origin and credential."""

    def request(
        self, method: str, path: str, *, json: Any = None, params: Any = None, retry: bool | None = None
    ) -> Answer: ...


class TwentyClient:
    """Speaks to one workspace. Every method raises ReconnectError, TryLaterError, SchemaError or Refusal."""

    def __init__(
        self, session: Session, *, pause: Callable[[float], None], budget: Budget | None = None
    ) -> None:
        self._session = session
        self._budget = budget or _Alone(pause)

    def reserved(self, requests: int = 1) -> AbstractContextManager[None]:
        """Wait until so many requests may be sent; inside, they are."""
        return self._budget.reserved(requests)

    def query(self, query: str, variables: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """Read records; safe to repeat, so a broken connection is tried again."""
        return self._graphql("/graphql", query, variables, retry=True)

    def mutate(self, query: str, variables: Mapping[str, Any]) -> Mapping[str, Any]:
        """Write records, once: whether a broken connection wrote is for the caller to find out."""
        return self._graphql("/graphql", query, variables, retry=False)

    def metadata(
        self, query: str, variables: Mapping[str, Any] | None = None, *, retry: bool = True
    ) -> Mapping[str, Any]:
        """Read of the workspace and its data model."""
        return self._graphql("/metadata", query, variables, retry=retry)

    def alter(self, query: str, variables: Mapping[str, Any]) -> Mapping[str, Any]:
        """Change the workspace's layout, once."""
        return self._graphql("/metadata", query, variables, retry=False)

    def rest(self, method: str, path: str, json: Any = None) -> Any:
        """A REST call, mostly of the metadata API; the parsed body."""
        return self._within_budget(path, lambda: self._rest_once(method, path, json))

    def _rest_once(self, method: str, path: str, json: Any) -> Any:
        answer = self._request(method, path, json, retry=method == "GET")
        body = _parsed(answer)
        if answer.status >= 400:
            raise refusals.read(refusals.of_rest(body, answer.status))
        return body

    def _graphql(
        self, path: str, query: str, variables: Mapping[str, Any] | None, *, retry: bool
    ) -> Mapping[str, Any]:
        payload = {"query": query, "variables": variables or {}}
        return self._within_budget(path, lambda: self._graphql_once(path, payload, retry=retry))

    def _within_budget(self, path: str, ask: Callable[[], T]) -> T:
        if path.startswith(_FREE):
            return ask()
        for _ in range(_PATIENCE):
            try:
                with self._budget.sending():
                    return ask()
            except refusals.LimitError as error:
                self._budget.refused(error.limit)
                refusal = error
        raise refusal

    def _request(self, method: str, path: str, json: Any, *, retry: bool) -> Answer:
        try:
            return self._session.request(method, path, json=json, retry=retry)
        except TryLaterError as error:
            if error.code not in _IN_TRANSPORT:
                raise
            raise TryLaterError(str(error), code=_IN_TRANSPORT[error.code]) from error

    def _graphql_once(self, path: str, payload: Mapping[str, Any], *, retry: bool) -> Mapping[str, Any]:
        answer = self._request("POST", path, payload, retry=retry)
        body = _parsed(answer)
        if not isinstance(body, Mapping) or (answer.status >= 400 and "errors" not in body):
            raise refusals.read(refusals.of_rest(body, answer.status))
        if errors := body.get("errors"):
            first = errors[0] if isinstance(errors, list) else errors
            raise refusals.read(refusals.of_graphql(first, answer.status))
        data = body.get("data")
        if not isinstance(data, Mapping):
            raise TryLaterError("Twenty answered without data.", code="crm_unavailable")
        return data


class _Alone:
    """Where nobody counts: send, and when that was too much, wait until one request is back."""

    def __init__(self, pause: Callable[[float], None]) -> None:
        self._pause = pause

    def reserved(self, requests: int = 1) -> AbstractContextManager[None]:
        return nullcontext()

    def sending(self) -> AbstractContextManager[None]:
        return nullcontext()

    def refused(self, limit: Limit | None) -> None:
        self._pause(limit.seconds / limit.requests if limit else 1.0)


def _parsed(answer: Answer) -> Any:
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        if answer.status < 400:
            away = "leads on to another address" if answer.status >= 300 else "answered with no JSON"
            raise TryLaterError(f"What is at Twenty's address {away}.", code="crm_not_json") from None
        return answer.body[:300].decode(errors="replace")
