"""Codes and tokens that a person's consent gives an application (recordings 037-061, 072-097, 902, 903).

A code lives five minutes and is good once; a wrong verifier or address leaves it as it was. Tokens are
claims and nothing more: a refresh leaves the old tokens good, and so does a revocation.
"""

import base64
import hashlib
import secrets
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlencode

from connector.sandbox.twenty import oauth_clients, tokens
from connector.sandbox.twenty.oauth_clients import SCOPES, Client
from connector.sandbox.twenty.oauth_errors import OAuthError, invalid_grant, unknown_client
from connector.sandbox.twenty.refusals import Refusal, forbidden
from connector.sandbox.twenty.tokens import Claims
from connector.sandbox.twenty.workspace import User, Workspace, new_id

CODE_SECONDS: Final = 300
ACCESS, REFRESH = "APPLICATION_ACCESS", "APPLICATION_REFRESH"
Args = dict[str, Any]


class Grants:
    """All registrations and codes of the server. `keep` writes them down; `epochs` ends tokens by type."""

    def __init__(self, kept: Args | None, secret: bytes, now: Callable[[], float]) -> None:
        self.secret, self.now = secret, now
        self.clients: dict[str, Client] = (kept or {}).get("clients", {})
        self.codes: dict[str, Args] = (kept or {}).get("codes", {})
        self.epochs: dict[str, int] = (kept or {}).get("epochs", {ACCESS: 0, REFRESH: 0})
        self.access_seconds, self.refresh_seconds = 1800, 60 * 24 * 3600
        self.changed = False

    def kept(self) -> Args:
        return {"clients": self.clients, "codes": self.codes, "epochs": self.epochs}

    def client(self, client_id: Any) -> Client:
        if client_id not in self.clients:
            raise unknown_client()
        return self.clients[client_id]

    def end(self, kind: str) -> None:
        """From now on the tokens of this type that were given out have expired."""
        self.epochs[kind] += 1
        self.changed = True

    def allow(self, workspace: Workspace, user: User, asked: Args) -> str:
        """A person's consent: where the browser goes with a fresh code; raises Refusal (037-041)."""
        client, address = self.check(asked)
        code = secrets.token_hex(42)
        client["installed"].setdefault(workspace.id, new_id())
        self.codes[code] = {
            "client": client["client_id"],
            "address": address,
            "challenge": asked.get("codeChallenge"),
            "workspace": workspace.id,
            "user": user["id"],
            "seat": user["seat"],
            "until": self.now() + CODE_SECONDS,
            "used": False,
        }
        self.changed = True
        state = {"state": asked["state"]} if asked.get("state") else {}
        return f"{address}{'&' if '?' in address else '?'}{urlencode({'code': code, **state})}"

    def check(self, asked: Args) -> tuple[Client, str]:
        """The application that asks and where it wants the person back; raises Refusal."""
        name, address = asked.get("clientId"), asked.get("redirectUrl")
        client = self.clients.get(str(name))
        if client is None:
            text, friendly = f"Client not found for '{name}'", "An error occurred."
            raise Refusal(text, 404, "Error", None, "NOT_FOUND", "CLIENT_NOT_FOUND", friendly)
        if address not in client["redirect_uris"]:
            raise forbidden(f"redirectUrl mismatch for '{name}'")
        strange = [scope for scope in str(asked.get("scope") or "").split() if scope not in SCOPES]
        if strange:
            raise forbidden(f"Invalid scopes: {', '.join(strange)}")
        if client["secret"] is None and not asked.get("codeChallenge"):
            raise forbidden("code_challenge is required for public clients (PKCE S256, per OAuth 2.1)")
        return client, str(address)

    def redeem(self, client: Client, given: Args) -> Args:
        """Tokens for a code (043-049, 080)."""
        oauth_clients.authenticate(client, given.get("client_secret"))
        code = self.codes.get(str(given.get("code")))
        if code is None or code["client"] != client["client_id"]:
            raise invalid_grant("Authorization code not found")
        if code["used"]:
            raise invalid_grant("Authorization code has already been used")
        if self.now() >= code["until"]:
            raise invalid_grant("Authorization code has expired")
        if code["address"] != given.get("redirect_uri"):
            raise invalid_grant("redirect_uri does not match the one used in the authorization request")
        _check_verifier(code["challenge"], given.get("code_verifier"))
        code["used"] = self.changed = True
        claims = {"workspaceId": code["workspace"], "userWorkspaceId": code["seat"], "userId": code["user"]}
        return self._pair(client, claims)

    def refresh(self, client: Client, given: Args) -> Args:
        """A new pair; the old refresh token keeps working (051, 052)."""
        oauth_clients.authenticate(client, given.get("client_secret"))
        claims = self.read(str(given.get("refresh_token")))
        installed = client["installed"].get((claims or {}).get("workspaceId"))
        if claims is None or claims["type"] != REFRESH or claims["sub"] != installed:
            raise invalid_grant("Invalid or expired refresh token")
        who = {name: claims[name] for name in ("workspaceId", "userWorkspaceId", "userId")}
        return self._pair(client, who)

    def of_application(self, client: Client, given: Args) -> Args:
        """A token without a person; only where exactly one workspace has the app (057, 077, 081, 903)."""
        oauth_clients.check_secret(client, given.get("client_secret"))
        installed = list(client["installed"])
        if not installed:
            text = "No workspace installation found for this client. Install the app in a workspace first."
            raise OAuthError("server_error", text)
        if len(installed) > 1:
            text = "Client credentials grant requires exactly one installation."
            raise OAuthError("invalid_request", f"Multiple workspace installations found. {text}")
        answer = self._pair(client, {"workspaceId": installed[0]})
        del answer["refresh_token"]
        return answer

    def _pair(self, client: Client, who: Claims) -> Args:
        return {
            "access_token": self._token(client, ACCESS, who, self.access_seconds),
            "token_type": "Bearer",
            "expires_in": self.access_seconds,
            "refresh_token": self._token(client, REFRESH, who, self.refresh_seconds),
            "scope": client["scope"],
        }

    def _token(self, client: Client, kind: str, who: Claims, seconds: int) -> str:
        application, now = client["installed"][who["workspaceId"]], int(self.now())
        claims = {"sub": application, "applicationId": application, "type": kind, **who}
        return tokens.sign(claims | {"iat": now, "exp": now + seconds}, self.secret, self.epochs[kind])

    def read(self, token: str) -> Claims | None:
        """The claims of a token of an application that is still good."""
        try:
            claims, epoch = tokens.read(token, self.secret)
        except tokens.InvalidTokenError:
            return None
        good = claims["type"] in self.epochs and epoch >= self.epochs[claims["type"]]
        return claims if good and self.now() < claims["exp"] else None

    def introspect(self, client: Client, token: str, issuer: str) -> Args:
        """What a token says; of an access token without its end (058-060, 096)."""
        claims = self.read(token)
        if claims is None:
            return {"active": False}
        told = {"sub": claims["sub"], "client_id": client["client_id"], "token_type": "Bearer"}
        told |= {"scope": client["scope"], "aud": claims["workspaceId"], "iss": issuer}
        times = {name: claims[name] for name in ("exp", "iat")} if claims["type"] == REFRESH else {}
        return {"active": True, **told, **times}


def _check_verifier(challenge: str | None, verifier: Any) -> None:
    if challenge is None:
        return
    if not verifier:
        text = "code_verifier is required (PKCE was used in authorization)"
        raise OAuthError("invalid_request", text)
    made = base64.urlsafe_b64encode(hashlib.sha256(str(verifier).encode()).digest()).decode().rstrip("=")
    if made != challenge:
        raise invalid_grant("Code verifier does not match the code challenge")
