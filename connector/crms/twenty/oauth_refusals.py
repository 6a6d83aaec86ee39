"""What Twenty's OAuth endpoints say no with, in our words: told by ``error``, then by the status."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from connector.errors import ConnectorError, ReconnectError, RefusedError, TryLaterError

_MINUTE, _HOUR = 60.0, 3600.0
_AGAIN: Final = "Begin again. If it happens twice, tell whoever runs this connector."


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is no success. ``error`` is empty where it is not one of OAuth's."""

    status: int
    error: str
    about: str


Words = Callable[[Refusal], ConnectorError]


def read(status: int, body: bytes) -> Refusal:
    """Take an answer apart; its texts are only searched, never repeated: they may quote what was sent."""
    try:
        parts = orjson.loads(body)
    except orjson.JSONDecodeError:
        parts = None
    parts = parts if isinstance(parts, dict) else {}
    error, about = (parts.get(name) for name in ("error", "error_description"))
    return Refusal(
        status,
        error if isinstance(error, str) else "",
        about.lower() if isinstance(about, str) else "",
    )


def of_registration(refusal: Refusal) -> ConnectorError:
    """The error for a registration that was not taken. The limit there is ten an hour and address."""
    if _is_limit(refusal):
        return TryLaterError(
            "This Twenty takes ten new connectors an hour from one address, and that is used up.",
            after=_HOUR,
            code="crm_register_limit",
            remedy="Try again in an hour.",
        )
    if refusal.status >= 500:
        return _trouble()
    if refusal.error in ("invalid_client_metadata", "invalid_redirect_uri"):
        return RefusedError(
            "Twenty does not take the address of this connector that it would have to come back to.",
            code="crm_redirect",
            remedy="Whoever runs this connector has to correct it: PUBLIC_URL must be an https address.",
        )
    return _unknown(refusal)


def of_code(refusal: Refusal) -> ConnectorError:
    """The error for a code that was not taken."""
    if (passing := _passing(refusal)) is not None:
        return passing
    return _OF_CODE.get(refusal.error, _unknown)(refusal)


def of_refresh(refusal: Refusal) -> ConnectorError:
    """The error for a refresh token that was not taken: gone with its person, its app, or its 60 days."""
    if (passing := _passing(refusal)) is not None:
        return passing
    if refusal.error in ("invalid_grant", "invalid_client"):
        return gone()
    return _unknown(refusal)


def gone() -> ReconnectError:
    """A sign-in that Twenty does not renew."""
    return ReconnectError(
        "Twenty does not renew this sign-in: it is older than 60 days, the person or the app was removed, "
        "or the workspace is gone.",
        code="crm_grant",
        remedy="Sign in with Twenty again, or give an API key.",
    )


def _passing(refusal: Refusal) -> TryLaterError | None:
    if _is_limit(refusal):
        return TryLaterError(
            "Twenty asks for a pause: too many sign-ins from this connector within a minute.",
            after=_MINUTE,
            code="crm_oauth_limit",
        )
    if refusal.status >= 500 or not refusal.error:
        return _trouble()
    return None


def _is_limit(refusal: Refusal) -> bool:
    return refusal.status == 429 or refusal.error == "rate_limit_exceeded"


def _trouble() -> TryLaterError:
    return TryLaterError("Twenty is in trouble just now, so nobody can sign in.", code="crm_unavailable")


def _spent(_: Refusal) -> RefusedError:
    return RefusedError(
        "Twenty does not take this approval: it was used already, or is older than five minutes.",
        code="crm_code",
        remedy="Begin again; it takes a new approval.",
    )


def _forgotten(_: Refusal) -> RefusedError:
    return RefusedError(
        "Twenty has forgotten this connector meanwhile.",
        code="crm_client",
        remedy="Begin again: the connector then makes itself known anew.",
    )


def _unknown(refusal: Refusal) -> RefusedError:
    named = refusal.error if re.fullmatch(r"[a-z_]{1,40}", refusal.error) else "no reason given"
    return RefusedError(f"Twenty refused ({named}).", code="crm_oauth_refused", remedy=_AGAIN)


_OF_CODE: Final[Mapping[str, Words]] = {
    "invalid_grant": _spent,
    "invalid_request": _unknown,
    "invalid_client": _forgotten,
}
