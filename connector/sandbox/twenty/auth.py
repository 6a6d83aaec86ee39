"""Who is let in with which token, and the refusals of wrong ones (007-020, 027, 092-099)."""

from typing import Any

from connector.sandbox.twenty import callers, tokens
from connector.sandbox.twenty.callers import Caller
from connector.sandbox.twenty.tokens import Claims
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
        errors = {401: "UNAUTHENTICATED", 403: "FORBIDDEN_EXCEPTION"}
        error = errors.get(self.status, "INTERNAL_SERVER_ERROR")
        return {"statusCode": self.status, "messages": [self.message], "error": error}

    def graphql(self) -> dict[str, Any]:
        codes: dict[str, Any] = {
            "code": "UNAUTHENTICATED",
            "subCode": "UNAUTHENTICATED",
            "userFriendlyMessage": _UNAUTHENTICATED,
        }
        if self.status == 403:
            codes = {"code": "FORBIDDEN", "subCode": "FORBIDDEN_EXCEPTION", "userFriendlyMessage": _FORBIDDEN}
        if self.status == 500:
            codes = {"code": "INTERNAL_SERVER_ERROR"}
        return {"errors": [{"message": self.message, "extensions": codes}]}


def new_key(workspace: Workspace, role: str, name: str, now: int, until: int | None = None) -> dict[str, Any]:
    """A key of a workspace; `role` is a role's id, or admin or reader."""
    times = {"iat": now, "exp": until or now + LIFETIME}
    key: dict[str, Any] = {"id": new_id(), "name": name, "role": role, "state": "good", **times}
    workspace.keys[key["id"]] = key
    workspace.changed = True
    return key


def token_of(workspace: Workspace, key: dict[str, Any], secret: bytes) -> str:
    """The token of a key; the same every time."""
    claims: Claims = {"sub": workspace.id, "type": "API_KEY", "workspaceId": workspace.id}
    return tokens.sign(claims | {"iat": key["iat"], "exp": key["exp"], "jti": key["id"]}, secret)


def session_token(workspace: Workspace, user: dict[str, Any], secret: bytes, now: int) -> str:
    """What the browser of a signed-in person holds."""
    claims: Claims = {"sub": user["id"], "userId": user["id"], "workspaceId": workspace.id}
    claims |= {"userWorkspaceId": user["seat"], "type": "ACCESS", "authProvider": "password"}
    return tokens.sign(claims | {"isImpersonating": False, "iat": now, "exp": now + 1800}, secret)


def homeless_token(user: dict[str, Any], secret: bytes, now: int) -> str:
    """A person's token before a workspace was chosen (020)."""
    claims = {"sub": user["id"], "userId": user["id"], "type": "WORKSPACE_AGNOSTIC"}
    return tokens.sign(claims | {"iat": now, "exp": now + 1800}, secret)


class Gate:
    """Lets in who shows a good token. `epochs` says, by type of token, which ones a dial has ended."""

    def __init__(self, workspaces: dict[str, Workspace], secret: bytes, epochs: dict[str, int]) -> None:
        self._workspaces, self._secret, self._epochs = workspaces, secret, epochs

    def let_in(self, header: str | None, now: float) -> Caller:
        """Whom an Authorization header speaks for; raises AuthRefusal."""
        if not header or not header.startswith("Bearer "):
            raise AuthRefusal(403, "Missing authentication token", missing=True)
        try:
            claims, epoch = tokens.read(header.removeprefix("Bearer ").strip(), self._secret)
        except tokens.InvalidTokenError:
            raise AuthRefusal(401, "Token invalid.") from None
        kind = claims["type"]
        if kind == "WORKSPACE_AGNOSTIC":
            raise AuthRefusal(500, "No data sources found")
        workspace = self._workspaces.get(claims["workspaceId"])
        if workspace is None or kind == "APPLICATION_REFRESH":
            raise AuthRefusal(401, "Token invalid.")
        if now >= claims["exp"] or epoch < self._epochs.get(kind, 0):
            raise AuthRefusal(401, "Token has expired.")
        if kind == "API_KEY":
            return _by_key(workspace, claims)
        user = workspace.users.get(str(claims.get("userId")))
        return callers.by_person(workspace, user, "user" if kind == "ACCESS" else "app")


def _by_key(workspace: Workspace, claims: Claims) -> Caller:
    key = workspace.keys.get(claims["jti"])
    if key is None:
        raise AuthRefusal(401, "Token invalid.")
    if key["state"] == "token_expired":
        raise AuthRefusal(401, "Token has expired.")
    if key["state"] in ("revoked", "expired"):
        raise AuthRefusal(403, f"This API Key is {key['state']}")
    return callers.by_key(workspace, key)
