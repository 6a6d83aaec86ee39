"""Registered applications: who may ask for consent, and where it may lead (030-036, 076, 905, 907)."""

import hashlib
import hmac
from typing import Any, Final
from urllib.parse import urlsplit

from connector.sandbox.twenty.oauth_errors import OAuthError, ShapeError
from connector.sandbox.twenty.workspace import new_id

Client = dict[str, Any]
SCOPES: Final = ("api", "profile")
GRANTS: Final = ("authorization_code", "refresh_token")
LOCAL: Final = ("localhost", "127.0.0.1", "[::1]")
APPS: Final = ("cursor", "vscode", "code")


def register(clients: dict[str, Client], body: dict[str, Any], now: int) -> Client:
    """Keep a public client; what it asked for beyond that is dropped without a word (031, 035)."""
    _check_shape(body)
    for address in body["redirect_uris"]:
        _check_address(address)
    grants = body.get("grant_types") or ["authorization_code"]
    for grant in grants:
        if grant not in GRANTS:
            text = f"Unsupported grant_type: {grant}. Only authorization_code and refresh_token are allowed"
            raise OAuthError("invalid_client_metadata", f"{text} for dynamic registrations.")
    asked = str(body.get("scope") or " ".join(SCOPES)).split()
    client = {
        "client_id": new_id(),
        "client_name": body.get("client_name") or "",
        "redirect_uris": body["redirect_uris"],
        "grant_types": grants,
        "scope": " ".join(scope for scope in asked if scope in SCOPES),
        "issued_at": now,
        "secret": None,
        "installed": {},
    }
    clients[client["client_id"]] = client
    return client


def register_confidential(
    clients: dict[str, Client], name: str, addresses: list[str], scopes: list[str], secret: str
) -> Client:
    """A client with a secret, which only a person in the CRM can make (076)."""
    body = {"client_name": name, "redirect_uris": addresses, "scope": " ".join(scopes)}
    client = register(clients, body, 0)
    client["secret"] = digest(secret)
    return client


def _check_shape(body: dict[str, Any]) -> None:
    addresses = body.get("redirect_uris")
    if not isinstance(addresses, list) or not all(isinstance(each, str) for each in addresses):
        raise ShapeError([
            "each value in redirect_uris must be shorter than or equal to 2048 characters",
            "redirect_uris must contain no more than 20 elements",
            "each value in redirect_uris must be a string",
            "redirect_uris must be an array",
        ])  # fmt: skip


def _check_address(address: str) -> None:
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2].partition(":")[0] if "[" not in parts.netloc else "[::1]"
    good = parts.scheme == "https" or (parts.scheme == "http" and host in LOCAL) or parts.scheme in APPS
    if not good or parts.fragment:
        text = "Redirect URIs must use HTTPS (except localhost) or an allowed custom scheme"
        raise OAuthError("invalid_client_metadata", f"{text}: {address}")


def shown(client: Client, base: str) -> dict[str, Any]:
    """A registration as it reads back; the answer to the registration itself says when as well."""
    return {
        "client_id": client["client_id"],
        "client_name": client["client_name"],
        "redirect_uris": client["redirect_uris"],
        "grant_types": client["grant_types"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "scope": client["scope"],
        "registration_client_uri": f"{base}/oauth/register/{client['client_id']}",
    }


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def authenticate(client: Client, secret: str | None) -> None:
    """A confidential client has to show its secret (078, 079)."""
    if client["secret"] is None:
        return
    if secret is None:
        text = "Client authentication required for confidential clients"
        raise OAuthError("invalid_client", text, status=401)
    check_secret(client, secret)


def check_secret(client: Client, secret: str | None) -> None:
    if client["secret"] is None or not hmac.compare_digest(client["secret"], digest(secret or "")):
        raise OAuthError("invalid_client", "Invalid client secret", status=401)
