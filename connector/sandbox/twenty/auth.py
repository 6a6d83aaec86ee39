"""API keys: JWTs with the recorded claims (050), and the refusals of wrong ones (007-019, 092-099).

Signed with HS256 and a secret of the sandbox; the real server signs with ES256.
"""

import base64
import hashlib
import hmac
from typing import Any

import orjson

from connector.sandbox.twenty.refusals import Refusal
from connector.sandbox.twenty.workspace import Workspace, new_id

LIFETIME = 3650 * 24 * 3600
_UNAUTHENTICATED = {"id": "z+7x/s", "message": "You must be authenticated to perform this action."}
_FORBIDDEN = {"id": "q5OVn+", "message": "You do not have permission to perform this action."}


class AuthRefusal(Exception):
    """Who asks is not let in. `missing` marks the absence of a token, which GraphQL words differently."""

    def __init__(self, status: int, message: str, *, missing: bool = False) -> None:
        super().__init__(message)
        self.status, self.message, self.missing = status, message, missing

    def rest(self) -> dict[str, Any]:
        error = "FORBIDDEN_EXCEPTION" if self.status == 403 else "UNAUTHENTICATED"
        return {"statusCode": self.status, "messages": [self.message], "error": error}

    def graphql(self) -> dict[str, Any]:
        codes = {
            "code": "UNAUTHENTICATED",
            "subCode": "UNAUTHENTICATED",
            "userFriendlyMessage": _UNAUTHENTICATED,
        }
        if self.status == 403:
            codes = {"code": "FORBIDDEN", "subCode": "FORBIDDEN_EXCEPTION", "userFriendlyMessage": _FORBIDDEN}
        return {"errors": [{"message": self.message, "extensions": codes}]}


def new_key(workspace: Workspace, role: str, name: str, now: int) -> dict[str, Any]:
    """A key of a workspace; `role` is "admin" or "reader"."""
    times = {"iat": now, "exp": now + LIFETIME}
    key: dict[str, Any] = {"id": new_id(), "name": name, "role": role, "state": "good", **times}
    workspace.keys[key["id"]] = key
    workspace.changed = True
    return key


def token_of(workspace: Workspace, key: dict[str, Any], secret: bytes) -> str:
    """The token of a key; the same every time."""
    claims: dict[str, Any] = {"sub": workspace.id, "type": "API_KEY", "workspaceId": workspace.id}
    claims |= {"iat": key["iat"], "exp": key["exp"], "jti": key["id"]}
    head = _encode(orjson.dumps({"alg": "HS256", "typ": "JWT", "kid": "sandbox"}))
    signed = f"{head}.{_encode(orjson.dumps(claims))}"
    return f"{signed}.{_sign(signed, secret)}"


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _sign(text: str, secret: bytes) -> str:
    return _encode(hmac.new(secret, text.encode(), hashlib.sha256).digest())


def let_in(
    workspaces: dict[str, Workspace], header: str | None, secret: bytes, now: float
) -> tuple[Workspace, dict[str, Any]]:
    """The workspace and key that an Authorization header speaks for; raises AuthRefusal."""
    if not header or not header.startswith("Bearer "):
        raise AuthRefusal(403, "Missing authentication token", missing=True)
    claims = _claims(header.removeprefix("Bearer ").strip(), secret)
    workspace = workspaces.get(str(claims.get("workspaceId")))
    key = workspace.keys.get(str(claims.get("jti"))) if workspace else None
    if workspace is None or key is None:
        raise AuthRefusal(401, "Token invalid.")
    if now >= claims["exp"] or key["state"] == "token_expired":
        raise AuthRefusal(401, "Token has expired.")
    if key["state"] in ("revoked", "expired"):
        raise AuthRefusal(403, f"This API Key is {key['state']}")
    return workspace, key


def _claims(token: str, secret: bytes) -> dict[str, Any]:
    signed, _, signature = token.rpartition(".")
    if not hmac.compare_digest(_sign(signed, secret).encode(), signature.encode()):
        raise AuthRefusal(401, "Token invalid.")
    body = signed.partition(".")[2]
    read: dict[str, Any] = orjson.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return read


def no_list() -> Refusal:
    return Refusal("No such key", 404, "NOT_FOUND")
