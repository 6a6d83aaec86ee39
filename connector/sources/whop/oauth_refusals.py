"""What Whop's OAuth endpoints say no with, in our words: told by ``error``, then by what it is about."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import orjson

from connector.errors import ConnectorError, ReconnectError, RefusedError, TryLaterError

UNANSWERED: Final = "whop_refresh_unanswered"
#: The door's words for a request that certainly did not leave this machine.
_NEVER_SENT: Final = frozenset({"unreachable", "certificate", "tls"})
_OPERATOR: Final = "Whoever runs this connector has to correct it: "


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is no success. ``error`` is empty where it is not one of OAuth's."""

    status: int
    error: str
    about: str
    after: float | None


Words = Callable[[Refusal], ConnectorError]


def read(status: int, headers: Mapping[str, str], body: bytes) -> Refusal:
    """Take an answer apart; its texts are only searched, never repeated: they may quote what was sent."""
    try:
        parts = orjson.loads(body)
    except orjson.JSONDecodeError:
        parts = None
    parts = parts if isinstance(parts, dict) else {}
    error, about = (parts.get(name) for name in ("error", "error_description"))
    wait = headers.get("Retry-After", "")
    return Refusal(
        status,
        error if isinstance(error, str) else "",
        about.lower() if isinstance(about, str) else "",
        float(wait) if re.fullmatch(r"[0-9]{1,6}", wait) else None,
    )


def of_code(refusal: Refusal) -> ConnectorError:
    """The error for a code that was not taken, and for userinfo and revoke."""
    if (passing := _passing(refusal)) is not None:
        return passing
    if "redirect_uri" in refusal.about:
        return _wrong_address()
    return _BY_ERROR.get(refusal.error, _unknown)(refusal)


def of_refresh(refusal: Refusal) -> ConnectorError:
    """The error for a refresh token that was not taken."""
    if refusal.status >= 500 or (not refusal.error and refusal.status != 429):
        return unanswered()
    if refusal.error == "invalid_grant":
        return ReconnectError(
            "Whop no longer accepts what was approved: it was withdrawn there.",
            code="whop_grant",
            remedy="Connect the company again; everything that was synced stays.",
        )
    if refusal.error in ("invalid_client", "unauthorized_client"):
        return ReconnectError(
            "Whop does not let this connector's app in: it was suspended or removed there.",
            code="whop_app",
            remedy=f"{_OPERATOR}look at the app in the Whop dashboard. Syncs go on when it works again.",
        )
    return _passing(refusal) or _BY_ERROR.get(refusal.error, _unknown)(refusal)


def of_callback(error: str) -> ConnectorError:
    """The error for what Whop sends the browser back with in place of a code."""
    if error in ("server_error", "temporarily_unavailable"):
        return TryLaterError("Whop could not ask for your approval just now.", code="whop_trouble")
    return _BY_ERROR.get(error, _unknown)(Refusal(400, error, "", None))


def unanswered() -> TryLaterError:
    """It is not known whether Whop used the refresh token up."""
    return TryLaterError("Whop did not answer whether it renewed the access.", code=UNANSWERED)


@contextmanager
def perhaps_lost() -> Iterator[None]:
    """Of the door's failures, tell those after which Whop may have acted from those before."""
    try:
        yield
    except TryLaterError as error:
        if error.code in _NEVER_SENT or error.code.startswith("whop_"):
            raise
        raise unanswered() from error
    except RefusedError as error:
        if error.code != "answer_too_large":
            raise
        raise unanswered() from error


def _passing(refusal: Refusal) -> TryLaterError | None:
    if refusal.status == 429 or refusal.error == "rate_limit_exceeded":
        return TryLaterError("Whop asks for a pause.", after=refusal.after, code="whop_rate")
    if refusal.status >= 500 or not refusal.error:
        return TryLaterError("Whop is in trouble just now.", after=refusal.after, code="whop_trouble")
    return None


def _denied(_: Refusal) -> RefusedError:
    return RefusedError(
        "The approval was declined on Whop.",
        code="whop_denied",
        remedy="Nothing was connected and nothing was changed. Begin again when you want to approve.",
    )


def _spent(_: Refusal) -> RefusedError:
    return RefusedError(
        "Whop does not take this approval: it was used already, or is older than a few minutes.",
        code="whop_code",
        remedy="Begin again; it takes a new approval.",
    )


def _wrong_address() -> RefusedError:
    return RefusedError(
        "Whop does not know the address of this connector that it was told to come back to.",
        code="whop_redirect",
        remedy=f"{_OPERATOR}the Whop app must list WHOP_REDIRECT_URI to the letter.",
    )


def _wrong_request(refusal: Refusal) -> RefusedError:
    return _spent(refusal) if "code_verifier" in refusal.about else _unknown(refusal)


def _wrong_client(refusal: Refusal) -> RefusedError:
    if "token_exchange" in refusal.about:
        return RefusedError(
            "Whop does not take the secret of this connector's app.",
            code="whop_client",
            remedy=f"{_OPERATOR}a public app has no secret, so leave WHOP_CLIENT_SECRET out.",
        )
    return RefusedError(
        "Whop does not know this connector's app.",
        code="whop_client",
        remedy=f"{_OPERATOR}WHOP_CLIENT_ID is not the id of an app on Whop.",
    )


def _wrong_scope(_: Refusal) -> RefusedError:
    return RefusedError(
        "Whop does not know one of the permissions that were asked for.",
        code="whop_scope_unknown",
        remedy=f"{_OPERATOR}the Whop app must list the permissions of the page before.",
    )


def _unknown(refusal: Refusal) -> RefusedError:
    named = refusal.error if re.fullmatch(r"[a-z_]{1,40}", refusal.error) else "no reason given"
    return RefusedError(
        f"Whop refused ({named}).",
        code="whop_oauth_refused",
        remedy="Begin again. If it happens twice, tell whoever runs this connector.",
    )


_BY_ERROR: Final[Mapping[str, Words]] = {
    "access_denied": _denied,
    "invalid_grant": _spent,
    "invalid_request": _wrong_request,
    "invalid_client": _wrong_client,
    "unauthorized_client": _wrong_client,
    "invalid_scope": _wrong_scope,
}
