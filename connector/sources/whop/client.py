"""Whop's API as one function: ask, and have the JSON or one of our errors."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any, Final, Protocol

import orjson

from connector.errors import TryLaterError

from .dialects import CURRENT
from .refusals import error_of

API_VERSION: Final = CURRENT
_VERSION: Final = {"Api-Version-Date": API_VERSION}

Params = Mapping[str, str | int | Sequence[str]]
"""A name with several values is repeated, which is how Whop takes lists."""


class Answer(Protocol):
    """What is needed of an HTTP answer; ``headers`` ignores case."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def body(self) -> bytes: ...


class Session(Protocol):
    """What is needed of the door out: a session bound to Whop's API and a credential."""

    def request(
        self,
        method: str,
        path: str,
        /,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
    ) -> Answer: ...


def headers(credential: str) -> dict[str, str]:
    """The headers of every request to Whop's API, for the session that a reader is given."""
    return {"Authorization": f"Bearer {credential}", **_VERSION}


def get(session: Session, path: str, params: Params | None = None) -> Any:
    """The JSON of a 200. Raises TryLaterError, ReconnectError, RefusedError.

    The version goes along again, however the session was made: without it Whop answers in whatever
    dialect the key was pinned to.
    """
    return _told(session.request("GET", path, params=params, headers=_VERSION), path, (200,))


def call(
    session: Session,
    method: str,
    path: str,
    *,
    params: Params | None = None,
    json: Any = None,
    key: str = "",
) -> Any:
    """The same for any request, of which anything from 200 to 299 is a success. It is sent once.

    Whop carries out what is posted under one ``key`` once within a day.
    """
    told = {**_VERSION, "Idempotency-Key": key} if key else _VERSION
    answer = session.request(method, path, params=params, headers=told, json=json)
    return _told(answer, path, range(200, 300))


def _told(answer: Answer, path: str, good: Container[int]) -> Any:
    try:
        body = orjson.loads(b"null" if answer.status == 204 else answer.body)
    except orjson.JSONDecodeError as err:
        if answer.status == 429 or answer.status >= 500:
            raise error_of(answer.status, answer.headers, None) from err
        message = f"{path} answered {answer.status}, but not as Whop does (no JSON)."
        raise TryLaterError(message, code="not_json") from err
    if answer.status not in good:
        raise error_of(answer.status, answer.headers, body)
    return body
