"""OAuth 2.1 with Whop: consent with PKCE, tokens for a code, new tokens for old ones, and the end of it.

Authlib builds and reads the messages; each goes out by the one door, and none is sent twice, because codes
and refresh tokens work once. Tokens are in bodies and headers only: no address, log line or error has one.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl

import orjson
from authlib.integrations.requests_client import OAuth2Session  # type: ignore[import-untyped]

from connector.errors import ReconnectError, RefusedError, TryLaterError
from connector.ports import Approver, SourceAccount, Tokens

from . import client, oauth_refusals
from .reader import company_of

_PAGE: Final = 100
_MOST_PAGES: Final = 20  # companies of one person; more than that is an answer in a circle
#: When the server does not say: what its documentation says.
_LIFE: Final = 3600


@dataclass(frozen=True, slots=True)
class App:
    """Our registration at Whop, and where its OAuth lives. A public app has no ``secret``."""

    client_id: str
    redirect_uri: str
    authorize_url: str
    oauth_url: str
    secret: str = field(default="", repr=False)


class Doorkeeper(Protocol):
    """What is needed of the door out."""

    def mount(self, session: Any, /) -> None: ...


class WhopOAuth:
    """Fills ``ports.TokenClient``. ``open_api`` gives a session of the API for an access token."""

    def __init__(self, app: App, door: Doorkeeper, open_api: Callable[[str], client.Session]) -> None:
        self._app = app
        self._door = door
        self._open_api = open_api

    def authorize_url(
        self, scopes: Sequence[str], *, state: str, verifier: str, nonce: str, company_id: str | None
    ) -> str:
        """Where to send the browser. With ``company_id`` what is granted is limited to that company."""
        session = self._session()
        url, _ = session.create_authorization_url(
            self._app.authorize_url,
            state=state,
            code_verifier=verifier,
            redirect_uri=self._app.redirect_uri,
            scope=" ".join(scopes),
            nonce=nonce,
            company_id=company_id,
        )
        return str(url)

    def exchange(self, code: str, *, verifier: str, nonce: str, redirect_uri: str) -> Tokens:
        """The tokens for a code. Raises RefusedError saying why not, TryLaterError."""
        session = self._session()
        session.register_compliance_hook("access_token_response", _accepted(oauth_refusals.of_code))
        with _understood("whop_oauth_answer"):
            answer = session.fetch_token(
                f"{self._app.oauth_url}/token",
                grant_type="authorization_code",
                code=code,
                code_verifier=verifier,
                redirect_uri=redirect_uri,
            )
            tokens = _tokens(answer)
        if tokens.scopes is None or "openid" in tokens.scopes:
            _check_nonce(answer.get("id_token"), nonce)
        return tokens

    def refresh(self, refresh_token: str, *, company_id: str | None) -> Tokens:
        """New tokens; ``company_id`` is the one of the request for consent, if one was named there.

        Raises ReconnectError (code ``whop_grant``) when the grant is gone, TryLaterError with the code
        ``whop_refresh_unanswered`` when Whop may have used the old token up without our having the new one.
        """
        session = self._session()
        session.register_compliance_hook("refresh_token_response", _accepted(oauth_refusals.of_refresh))
        named = {} if company_id is None else {"company_id": company_id}
        with oauth_refusals.perhaps_lost(), _understood(oauth_refusals.UNANSWERED):
            answer = session.refresh_token(
                f"{self._app.oauth_url}/token", refresh_token=refresh_token, **named
            )
            return _tokens(answer)

    def approver(self, access_token: str) -> Approver:
        """Who granted this token. Raises RefusedError, TryLaterError."""
        session = self._session(token={"access_token": access_token, "token_type": "Bearer"})
        with _understood("whop_oauth_answer"):
            answer = _accepted(oauth_refusals.of_code)(session.get(f"{self._app.oauth_url}/userinfo"))
            found = orjson.loads(answer.content)
            name = found.get("name") or found.get("preferred_username") or ""
            return Approver(str(found["sub"]), str(name))

    def companies(self, access_token: str) -> list[SourceAccount]:
        """Every company that the token opens, in Whop's order."""
        session = self._open_api(access_token)
        try:
            return list(_companies(session))
        except ReconnectError as error:
            raise RefusedError(
                "What was approved on Whop does not let us see which companies there are.",
                code="whop_scope",
                remedy="Begin again and approve everything that is asked for.",
            ) from error

    def revoke(self, refresh_token: str) -> None:
        """End a grant. An access token lives on until its hour is over. Raises as ``approver`` does."""
        session = self._session()
        _accepted(oauth_refusals.of_code)(
            session.revoke_token(f"{self._app.oauth_url}/revoke", token=refresh_token)
        )

    def _session(self, **more: Any) -> OAuth2Session:
        session = OAuth2Session(
            self._app.client_id,
            self._app.secret or None,
            code_challenge_method="S256",
            token_endpoint_auth_method="whop",  # noqa: S106 - a name, registered below
            revocation_endpoint_auth_method="whop",
            **more,
        )
        session.register_client_auth_method(("whop", _as_json))
        self._door.mount(session)
        return session


def _companies(session: client.Session) -> Iterator[SourceAccount]:
    params: dict[str, str | int] = {"first": _PAGE}
    for _ in range(_MOST_PAGES):
        body = client.get(session, "/accounts", params)
        with _understood("source_answer"):
            page, info = list(body["data"]), body["page_info"]
            more, cursor = info["has_next_page"], info.get("end_cursor")
        for one in page:
            yield SourceAccount(*company_of("/accounts", one))
        if not more:
            return
        params["after"] = str(cursor)
    raise TryLaterError("Whop's list of companies does not end.", code="source_paging")


def _as_json(app: Any, _method: str, url: str, headers: Any, body: str | bytes) -> tuple[str, Any, bytes]:
    """Whop documents JSON bodies where OAuth has forms. A secret goes along only where there is one."""
    text = body.decode() if isinstance(body, bytes) else body or ""
    given = dict(parse_qsl(text, keep_blank_values=True)) | {"client_id": app.client_id}
    if app.client_secret:
        given["client_secret"] = app.client_secret
    headers["Content-Type"] = "application/json"
    return url, headers, orjson.dumps(given)


def _accepted(refusal: oauth_refusals.Words) -> Callable[[Any], Any]:
    """Hands on a success; anything else becomes one of our errors before Authlib reads it."""

    def look(answer: Any) -> Any:
        found = oauth_refusals.read(answer.status_code, answer.headers, answer.content)
        if answer.status_code != 200 or found.error:
            raise refusal(found)
        return answer

    return look


@contextmanager
def _understood(code: str) -> Iterator[None]:
    """An answer that cannot be read: what Authlib and a missing field raise becomes an error of ours."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TryLaterError("Whop answered, but not in the form that it documents.", code=code) from error


def _tokens(answer: Any) -> Tokens:
    scopes, life = answer.get("scope"), answer.get("expires_in")
    return Tokens(
        _text(answer["access_token"]),
        _text(answer["refresh_token"]),
        int(life) if life else _LIFE,
        tuple(scopes.split()) if isinstance(scopes, str) and scopes.strip() else None,
    )


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("a token is text")
    return value


def _check_nonce(id_token: object, nonce: str) -> None:
    """That the id token answers our very request.

    Its signature is not looked at: it came straight from the token endpoint, over a connection that TLS
    vouches for, which OpenID Connect takes for as good (Core 1.0, 3.1.3.7, number 6).
    """
    if not isinstance(id_token, str) or _claims(id_token).get("nonce") != nonce:
        raise RefusedError(
            "Whop's answer does not belong to the approval that was asked for here.",
            code="whop_nonce",
            remedy="Begin again. If it happens twice, tell whoever runs this connector.",
        )


def _claims(id_token: str) -> dict[str, Any]:
    part = id_token.partition(".")[2].partition(".")[0]
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}
