"""What a browser is known by before and beside a session: marks of approvals under way, and an address.

A mark is random; by it an approval that comes back finds the one who went. It outlasts a sign-in, so a
session that ended on the way costs nothing.
"""

from __future__ import annotations

import secrets
from typing import TypeVar

from flask import current_app, request
from werkzeug.wrappers import Response

from connector.store.answers import LIFE

LONGEST_ADDRESS = 300
_ADDRESS = "crm_address"
_YEAR = 365 * 24 * 3600

R = TypeVar("R", bound=Response)


def name(kind: str) -> str:
    """The cookie of this kind of approval; over https bound to this very host."""
    return f"__Host-{kind}" if current_app.config["SESSION_COOKIE_SECURE"] else kind


def of_request(kind: str) -> str:
    """The mark that the browser has, or a new one for ``keep``; without it, no digest of a row is matched."""
    return request.cookies.get(name(kind)) or secrets.token_urlsafe(32)


def keep(response: R, kind: str, mark: str) -> R:
    """Have the browser bring the mark along when it comes back by a link: hence Lax."""
    secure, life = current_app.config["SESSION_COOKIE_SECURE"], int(LIFE.total_seconds())
    response.set_cookie(
        name(kind), mark, max_age=life, path="/", secure=secure, httponly=True, samesite="Lax"
    )
    return response


def crm_address() -> str:
    """The address of the CRM at which somebody last signed in with this browser; may be empty."""
    return request.cookies.get(_ADDRESS, "")[:LONGEST_ADDRESS]


def keep_crm_address(response: R, typed: str) -> R:
    """Remember the address for a year."""
    secure = current_app.config["SESSION_COOKIE_SECURE"]
    response.set_cookie(
        _ADDRESS, typed, max_age=_YEAR, path="/", secure=secure, httponly=True, samesite="Lax"
    )
    return response
