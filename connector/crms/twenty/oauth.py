"""Sign in with Twenty: consent with PKCE, tokens for a code, new tokens for old ones, and who that is.

Authlib builds and reads the messages; each goes out by the one door. A client is public and registers
itself; a refresh token works again after it was used, so nothing is lost by a renewal whose answer was.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import quote

import orjson
from authlib.integrations.requests_client import OAuth2Session  # type: ignore[import-untyped]

from connector.core.mapping import Mapping
from connector.crms.twenty import keys, oauth_discovery, oauth_refusals
from connector.crms.twenty.client import TwentyClient
from connector.crms.twenty.oauth_discovery import Session
from connector.errors import ReconnectError, TryLaterError
from connector.ports import CrmAccount, Tokens
from connector.ports.crm_sign_in import CrmKey, CrmPerson, CrmServer

SCOPES: Final = "api profile"
_LIFE: Final = 1800  # when the server does not say: its default
_WHO: Final = (
    "query{currentUser{id email firstName lastName "
    "currentWorkspace{id displayName subdomain metadataVersion} currentUserWorkspace{permissionFlags}}}"
)
#: What the people of a workspace may do is told by these flags; the names of roles are theirs to choose.
_MODEL, _WEBHOOKS = "DATA_MODEL", "API_KEYS_AND_WEBHOOKS"


class Doorkeeper(Protocol):
    """What is needed of the door out."""

    def mount(self, session: Any, /) -> None: ...

    def session(self, base_url: str, /) -> Session: ...


@dataclass(frozen=True, slots=True)
class Client:
    """How we introduce ourselves to every server."""

    name: str
    redirect_uri: str


class TwentyOAuth:
    """Fills ``ports.CrmSignIn``. ``open_client`` gives a client of an origin's API for a credential."""

    def __init__(
        self, client: Client, door: Doorkeeper, open_client: Callable[[str, str], TwentyClient]
    ) -> None:
        self._client = client
        self._door = door
        self._open_client = open_client

    def find(self, origin: str) -> CrmServer:
        """The server behind an address, which may be that of its pages."""
        return oauth_discovery.find(origin, self._door.session)

    def is_known(self, server: CrmServer, client_id: str) -> bool:
        """Whether the server still has this registration."""
        answer = self._door.session(server.register_url).request("GET", f"/{quote(client_id, safe='')}")
        if answer.status == 200:
            return True
        found = oauth_refusals.read(answer.status, answer.body)
        if found.error == "invalid_client" or answer.status == 404:
            return False
        raise oauth_refusals.of_registration(found)

    def register(self, server: CrmServer) -> str:
        """Make ourselves known; the client id."""
        asked = {
            "client_name": self._client.name,
            "redirect_uris": [self._client.redirect_uri],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "scope": SCOPES,
        }
        answer = self._door.session(server.register_url).request("POST", "", json=asked, retry=False)
        if answer.status not in (200, 201):
            raise oauth_refusals.of_registration(oauth_refusals.read(answer.status, answer.body))
        with _readable():
            return _text(orjson.loads(answer.body)["client_id"])

    def authorize_url(self, server: CrmServer, client_id: str, *, state: str, verifier: str) -> str:
        """Where to send the browser."""
        url, _ = self._session(client_id).create_authorization_url(
            server.authorize_url,
            state=state,
            code_verifier=verifier,
            redirect_uri=self._client.redirect_uri,
            scope=SCOPES,
        )
        return str(url)

    def exchange(self, token_url: str, client_id: str, code: str, *, verifier: str) -> Tokens:
        """The tokens for a code. Sent once: it works once."""
        session = self._session(client_id)
        session.register_compliance_hook("access_token_response", _accepted(oauth_refusals.of_code))
        with _readable():
            return _tokens(
                session.fetch_token(
                    token_url,
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=verifier,
                    redirect_uri=self._client.redirect_uri,
                )
            )

    def refresh(self, token_url: str, client_id: str, refresh_token: str) -> Tokens:
        """New tokens; the newest refresh token lasts longest."""
        session = self._session(client_id)
        session.register_compliance_hook("refresh_token_response", _accepted(oauth_refusals.of_refresh))
        with _readable():
            return _tokens(session.refresh_token(token_url, refresh_token=refresh_token))

    def person(self, origin: str, access_token: str) -> CrmPerson:
        """Whom a token speaks for, with their rights as they are now."""
        found = self._open_client(origin, access_token).metadata(_WHO)
        user = found.get("currentUser")
        if not user or not user.get("currentWorkspace"):
            raise ReconnectError("Twenty does not say whose token this is.", code="crm_credential")
        with _readable():
            flags = (user.get("currentUserWorkspace") or {}).get("permissionFlags") or ()
            name = " ".join(part for part in (user.get("firstName"), user.get("lastName")) if part)
            return CrmPerson(
                id=_text(user["id"]),
                name=name.strip(),
                email=str(user.get("email") or ""),
                workspace=account_of(user["currentWorkspace"]),
                may_change_model=_MODEL in flags,
                may_make_webhooks=_WEBHOOKS in flags,
                host=oauth_discovery.host_of(origin, user["currentWorkspace"].get("subdomain")),
            )

    def key(self, origin: str, key: str, mappings: Collection[Mapping]) -> CrmKey:
        """What an API key opens; checked with the least that tells."""
        claims = keys.read(key)
        return keys.check(origin, self._open_client(origin, key), claims, mappings)

    def _session(self, client_id: str) -> OAuth2Session:
        session = OAuth2Session(
            client_id,
            code_challenge_method="S256",
            token_endpoint_auth_method="none",  # noqa: S106 - a public client has no secret
        )
        self._door.mount(session)
        return session


def account_of(workspace: Any) -> CrmAccount:
    """A workspace as ``currentWorkspace`` shows it."""
    version = int(workspace.get("metadataVersion") or 0)
    return CrmAccount(_text(workspace["id"]), workspace.get("displayName") or "", version)


def _accepted(refusal: oauth_refusals.Words) -> Callable[[Any], Any]:
    """Hands on a success; anything else becomes one of our errors before Authlib reads it."""

    def look(answer: Any) -> Any:
        found = oauth_refusals.read(answer.status_code, answer.content)
        if answer.status_code not in (200, 201) or found.error:
            raise refusal(found)
        return answer

    return look


@contextmanager
def _readable() -> Iterator[None]:
    """An answer that cannot be read: what Authlib and a missing field raise becomes an error of ours."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TryLaterError(
            "Twenty answered, but not in the form that it documents.", code="crm_oauth_answer"
        ) from error


def _tokens(answer: Any) -> Tokens:
    life, scopes = answer.get("expires_in"), answer.get("scope")
    return Tokens(
        _text(answer["access_token"]),
        _text(answer["refresh_token"]),
        int(life) if life else _LIFE,
        tuple(scopes.split()) if isinstance(scopes, str) and scopes.strip() else None,
    )


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("an id or a token is text")
    return value
