"""Twenty's three doors (``/graphql``, ``/metadata``, ``/rest``) as functions that answer or raise ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import orjson

from connector.crms.twenty import refusals
from connector.errors import TryLaterError

_PATIENCE = 20  # waits of one token each (0.6 s by default): longer trouble is the run's to plan


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

    def __init__(self, session: Session, *, pause: Callable[[float], None]) -> None:
        self._session = session
        self._pause = pause

    def query(self, query: str, variables: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """Read records; safe to repeat, so a broken connection is tried again."""
        return self._graphql("/graphql", query, variables, retry=True)

    def mutate(self, query: str, variables: Mapping[str, Any]) -> Mapping[str, Any]:
        """Write records, once: whether a broken connection wrote is for the caller to find out."""
        return self._graphql("/graphql", query, variables, retry=False)

    def metadata(self, query: str) -> Mapping[str, Any]:
        """Read of the workspace and its data model."""
        return self._graphql("/metadata", query, None, retry=True)

    def rest(self, method: str, path: str, json: Any = None) -> Any:
        """The metadata API by REST; the parsed body."""
        answer = self._session.request(method, path, json=json, retry=method == "GET")
        body = _parsed(answer)
        if answer.status >= 400:
            raise refusals.read(refusals.of_rest(body, answer.status))
        return body

    def _graphql(
        self, path: str, query: str, variables: Mapping[str, Any] | None, *, retry: bool
    ) -> Mapping[str, Any]:
        payload = {"query": query, "variables": variables or {}}
        for _ in range(_PATIENCE):
            try:
                return self._graphql_once(path, payload, retry=retry)
            except TryLaterError as error:  # a refusal for the limit did nothing: sending again is safe
                if error.code != "crm_rate_limit":
                    raise
                self._pause(error.after or 1.0)
        return self._graphql_once(path, payload, retry=retry)

    def _graphql_once(self, path: str, payload: Mapping[str, Any], *, retry: bool) -> Mapping[str, Any]:
        answer = self._session.request("POST", path, json=payload, retry=retry)
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


def _parsed(answer: Answer) -> Any:
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        if answer.status < 400:
            raise TryLaterError(
                "The address answered, but not as Twenty does (no JSON).", code="crm_not_json"
            ) from None
        return answer.body[:300].decode(errors="replace")
