"""Whop's error answers in our words: told by the status, then by the fields of the error object.

Only Whop's own answers are believed. A page of a proxy in front of it (HTML, cut-off text) says nothing
about a key or a record, whatever its status: it is passing trouble.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final

from connector.errors import ConnectorError, ReconnectError, RefusedError, TryLaterError

NOT_FOUND: Final = "whop_not_found"
CONFLICT: Final = "whop_conflict"
_UNTOLD_WAIT: Final = 10.0
_WAIT: Final = re.compile(r"\bin (\d{1,6}) (second|minute|hour)", re.IGNORECASE)
_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600}
_PERMISSION: Final = re.compile(r"\b[a-z_]+(?::[a-z_]+)+\b")
#: Nothing that reads like a credential is repeated: a message may quote what was sent.
_SECRET_LIKE: Final = re.compile(r"(?i:bearer\s+\S+)|[\w.~+/=-]{28,}")
_LONGEST: Final = 300


@dataclass(frozen=True, slots=True)
class Refusal:
    """One error answer. ``message`` is Whop's own text, shortened and without anything like a secret."""

    status: int
    headers: Mapping[str, str]
    code: str
    param: str
    message: str
    is_whops: bool


def error_of(status: int, headers: Mapping[str, str], body: Any) -> ConnectorError:
    """The error to raise for an answer that is not 200; ``body`` is its JSON."""
    refusal = _read(status, headers, body)
    if status >= 500:
        message = f"Whop is in trouble (HTTP {status})."
        return TryLaterError(message, after=_asked_wait(headers), code="source_trouble")
    return _BY_STATUS.get(status, _refused)(refusal)


def lacking(permission: str) -> ReconnectError:
    """The error for a key that may not read something: only a person can change that."""
    return ReconnectError(
        f"The Whop API key lacks the permission {permission}.",
        code="whop_scope",
        remedy=f"Give the key the permission {permission} in the Whop dashboard; syncs go on by themselves.",
    )


def _read(status: int, headers: Mapping[str, str], body: Any) -> Refusal:
    error = body.get("error") if isinstance(body, dict) else None
    parts = error if isinstance(error, dict) else {}
    return Refusal(
        status,
        headers,
        code=_text(parts.get("code") or parts.get("type")),
        param=_text(parts.get("param")),
        message=_safe(_text(parts.get("message"))),
        is_whops=bool(parts),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _safe(text: str) -> str:
    text = " ".join(_SECRET_LIKE.sub("…", text).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _bad_request(refusal: Refusal) -> ConnectorError:
    if "api-version-date" in refusal.message.lower():
        return _retired(refusal)
    if refusal.param == "after":
        return RefusedError(
            "Whop no longer accepts the place to go on from.",
            code="source_cursor",
            remedy="Start this sync again from the beginning.",
        )
    return _refused(refusal)


def _not_accepted(_: Refusal) -> ConnectorError:
    return ReconnectError(
        "Whop does not accept this API key: it was revoked, has expired or is mistyped.",
        code="whop_key",
        remedy="Make a new API key in the Whop dashboard and connect again with it.",
    )


def _forbidden(refusal: Refusal) -> ConnectorError:
    named = _PERMISSION.search(refusal.message)
    if named is None:
        said = f': "{refusal.message}"' if refusal.message else ""
        return ReconnectError(
            f"Whop does not let this API key read here{said}.",
            code="whop_scope",
            remedy="Connect with a key of this company that may read products, plans and members.",
        )
    return lacking(named[0])


def _absent(refusal: Refusal) -> ConnectorError:
    # Only Whop's own error object proves an absence; a stray 404 must not end in a removal.
    return _refused(refusal, NOT_FOUND if refusal.is_whops else None)


def _conflict(refusal: Refusal) -> ConnectorError:
    # Among others: an earlier request under the same key, of which Whop does not know how it ended.
    return _refused(refusal, CONFLICT if refusal.is_whops else None)


def _retired(refusal: Refusal) -> ConnectorError:
    return RefusedError(
        f'Whop does not serve this API version any more: "{refusal.message}"',
        code="whop_retired",
        remedy="Update this connector to a version that speaks Whop's newer API.",
    )


def _too_many(refusal: Refusal) -> ConnectorError:
    return TryLaterError(
        "Whop asks for a pause: too many requests.", after=_wait(refusal), code="source_rate"
    )


def _wait(refusal: Refusal) -> float:
    asked = _asked_wait(refusal.headers)
    if asked is not None:
        return asked
    told = _WAIT.search(refusal.message)
    return float(int(told[1]) * _SECONDS[told[2].lower()]) if told else _UNTOLD_WAIT


def _asked_wait(headers: Mapping[str, str]) -> float | None:
    header = headers.get("Retry-After", "")
    if re.fullmatch(r"[0-9]{1,6}(\.[0-9]+)?", header):
        return float(header)
    try:  # a moment is read by the sender's own clock: ours may be off
        wait = parsedate_to_datetime(header) - parsedate_to_datetime(headers.get("Date", ""))
    except (TypeError, ValueError):
        return None
    return max(0.0, wait.total_seconds())


def _timed_out(_: Refusal) -> ConnectorError:
    return TryLaterError("Whop did not answer in time.", code="source_trouble")


def _refused(refusal: Refusal, code: str | None = None) -> ConnectorError:
    said = refusal.message or refusal.code or "no reason given"
    return RefusedError(
        f'Whop refused the request (HTTP {refusal.status}): "{said}"', code=code or "whop_refused"
    )


_BY_STATUS: Final[Mapping[int, Callable[[Refusal], ConnectorError]]] = {
    400: _bad_request,
    401: _not_accepted,
    403: _forbidden,
    404: _absent,
    408: _timed_out,
    409: _conflict,
    410: _retired,
    429: _too_many,
}
