"""Sessions of Twenty's API whose credential may fail under way: renewed once, or another's in its place.

Both send a request again only after an answer that says it was refused before anything was done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from .client import Answer, Session

_GONE = frozenset({"NO_AUTHENTICATION_CONTEXT", "INVALID_AUTH_CONTEXT"})
_DENIED = frozenset({"PERMISSION_DENIED", "FORBIDDEN"})


class RenewingSession:
    """``open_session`` makes a session for a token; ``renew`` gives another in place of a refused one.

    ``left`` is told when the token's person is not of the workspace any more.
    """

    def __init__(
        self,
        token: str,
        *,
        open_session: Callable[[str], Session],
        renew: Callable[[str], str],
        left: Callable[[], None],
    ) -> None:
        self._token = token
        self._open = open_session
        self._renew = renew
        self._left = left
        self._session = open_session(token)

    def request(
        self, method: str, path: str, *, json: Any = None, params: Any = None, retry: bool | None = None
    ) -> Answer:
        """The answer; a second refusal is the caller's to read. Raises what ``renew`` raises."""
        answer = self._session.request(method, path, json=json, params=params, retry=retry)
        if _is_token_refused(answer):
            self._token = self._renew(self._token)
            self._session = self._open(self._token)
            answer = self._session.request(method, path, json=json, params=params, retry=retry)
        if _codes(answer) & _GONE:
            self._left()
        return answer


class DeputySession:
    """What ``first`` may not do, ``deputy`` does, where there is one: an API key's role may have less rights
    than the admin, and some things Twenty lets no key do at all.
    """

    def __init__(self, first: Session, deputy: Callable[[], Session | None]) -> None:
        self._first = first
        self._deputy = deputy

    def request(
        self, method: str, path: str, *, json: Any = None, params: Any = None, retry: bool | None = None
    ) -> Answer:
        """The answer of whoever may."""
        answer = self._first.request(method, path, json=json, params=params, retry=retry)
        if not _codes(answer) & _DENIED or (other := self._deputy()) is None:
            return answer
        return other.request(method, path, json=json, params=params, retry=retry)


def _is_token_refused(answer: Answer) -> bool:
    """A token that ended or is no good. Of a person who left, a new token would be no better."""
    codes = _codes(answer)
    return answer.status == 401 or ("UNAUTHENTICATED" in codes and not codes & _GONE)


def _codes(answer: Answer) -> frozenset[str]:
    """The codes of an error answer, REST or GraphQL; errors come with HTTP 200 too."""
    if answer.status == 200 and not answer.body.startswith(b'{"errors"') and b'"errors":' not in answer.body:
        return frozenset()
    try:
        body = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return frozenset()
    if not isinstance(body, dict):
        return frozenset()
    errors = body.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    extensions = first.get("extensions")
    found = extensions if isinstance(extensions, dict) else body if answer.status >= 400 else {}
    return frozenset(str(found[name]) for name in ("code", "subCode", "error") if found.get(name))
