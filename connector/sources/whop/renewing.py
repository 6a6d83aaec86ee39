"""A session of Whop's API whose token may end under way: one 401, one new token, the same request again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from connector.errors import ReconnectError

from .client import Answer, Params, Session


class RenewingSession:
    """``open_session`` makes a session for a token; ``renew`` gives another in place of a refused one.

    ``shut_out`` is told of a token that was refused though it came just now; it may raise.
    """

    def __init__(
        self,
        token: str,
        *,
        open_session: Callable[[str], Session],
        renew: Callable[[str], str],
        shut_out: Callable[[str], None],
    ) -> None:
        self._shut_out = shut_out
        self._token = token
        self._open = open_session
        self._renew = renew
        self._session = open_session(token)

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
        """The answer. Raises ReconnectError when a fresh token is refused too, or there is none to be had."""
        answer = self._session.request(method, path, params=params, headers=headers, json=json)
        if answer.status != 401:
            return answer
        self._token = self._renew(self._token)
        self._session = self._open(self._token)
        answer = self._session.request(method, path, params=params, headers=headers, json=json)
        if answer.status == 401:
            self._shut_out(self._token)
            raise ReconnectError(
                "Whop no longer lets us in with what was approved.",
                code="whop_shut_out",
                remedy="Connect the company again; everything that was synced stays.",
            )
        return answer
