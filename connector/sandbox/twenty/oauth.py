"""Discovery, registration, tokens: OAuth at the API host (recordings 021-061, 072-097, 904-907)."""

from typing import Any

from flask import Blueprint, Response, request

from connector.sandbox.twenty import oauth_clients
from connector.sandbox.twenty.limits import Window
from connector.sandbox.twenty.oauth_errors import OAuthError, ShapeError
from connector.sandbox.twenty.oauth_grants import Args, Grants
from connector.sandbox.twenty.road import Answer, Road, cannot
from connector.sandbox.twenty.world import World

KINDS = ("authorization_code", "client_credentials", "refresh_token")


def blueprint(world: World) -> Blueprint:
    doors = Blueprint("oauth", __name__)
    registrations = Window(10, 3600, "Too many registration requests, please try again later")
    calls = Window(60, 60, "Too many requests, please try again later")

    def road(work: Any, limit: Window | None = None) -> Response:
        """Answer one request; on an older server nothing is here."""
        if not world.server.oauth:
            return cannot(request.method, request.path)
        return Road(world, _refused).pass_by(lambda body: _limited(world, limit, work, body))

    @doors.get("/.well-known/oauth-authorization-server")
    def server() -> Response:
        return road(lambda _body: (200, _metadata(world)))

    @doors.get("/.well-known/oauth-protected-resource")
    @doors.get("/.well-known/oauth-protected-resource/<path:what>")
    def resource(what: str = "") -> Response:
        return road(lambda _body: (200, _resource(what)))

    @doors.post("/oauth/register")
    def register() -> Response:
        return road(lambda body: _register(world.grants, body), registrations)

    @doors.get("/oauth/register/<client_id>")
    def registered(client_id: str) -> Response:
        return road(lambda _body: _registered(world.grants, client_id))

    @doors.post("/oauth/token")
    def token() -> Response:
        return road(lambda body: (200, _token(world.grants, body)), calls)

    @doors.post("/oauth/revoke")
    def revoke() -> Response:
        return road(lambda body: (200, _revoke(world.grants, body)), calls)

    @doors.post("/oauth/introspect")
    def introspect() -> Response:
        return road(lambda body: (200, _introspect(world.grants, body)), calls)

    doors.after_request(_uncached)
    return doors


def _limited(world: World, limit: Window | None, work: Any, body: Any) -> Answer:
    """The limit counts by address, and before anything is looked at (905, 906)."""
    if limit is not None and world.settings.rate_limited:
        limit.count(request.remote_addr or "", world.settings.now())
    answer: Answer = work(body if isinstance(body, dict) else {})
    return answer


def _refused(error: OAuthError) -> Answer:
    return error.status, error.body


def _uncached(response: Response) -> Response:
    if request.method == "POST":
        response.headers.update({"Cache-Control": "no-store", "Pragma": "no-cache"})
    return response


def base() -> str:
    return request.host_url.rstrip("/")


def _metadata(world: World) -> Args:
    """The consent page may live on another host than the API (904)."""
    host, methods = base(), ["client_secret_post"]
    return {
        "issuer": host,
        "authorization_endpoint": f"{world.server.front_url or host}/authorize",
        "token_endpoint": f"{host}/oauth/token",
        "registration_endpoint": f"{host}/oauth/register",
        "revocation_endpoint": f"{host}/oauth/revoke",
        "introspection_endpoint": f"{host}/oauth/introspect",
        "scopes_supported": list(oauth_clients.SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(KINDS),
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": [*methods, "none"],
        "revocation_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_methods_supported": methods,
        "authorization_response_iss_parameter_supported": True,
    }


def _resource(what: str) -> Args:
    return {
        "resource": f"{base()}/{what}".rstrip("/"),
        "authorization_servers": [base()],
        "scopes_supported": list(oauth_clients.SCOPES),
        "bearer_methods_supported": ["header"],
    }


def _register(grants: Grants, body: Args) -> Answer:
    client = oauth_clients.register(grants.clients, body, int(grants.now()))
    grants.changed = True
    return 201, {**oauth_clients.shown(client, base()), "client_id_issued_at": client["issued_at"]}


def _registered(grants: Grants, client_id: str) -> Answer:
    if client_id not in grants.clients:
        raise OAuthError("invalid_client", "Client not found", status=404)
    return 200, oauth_clients.shown(grants.clients[client_id], base())


def _token(grants: Grants, body: Args) -> Args:
    kind = body.get("grant_type")
    if not isinstance(kind, str):
        raise ShapeError([
            "grant_type must be shorter than or equal to 50 characters", "grant_type must be a string"
        ])  # fmt: skip
    if kind not in KINDS:
        text = f"The provided grant_type is not supported. Supported values: {', '.join(KINDS)}"
        raise OAuthError("unsupported_grant_type", text)
    acts = dict(zip(KINDS, (grants.redeem, grants.of_application, grants.refresh), strict=True))
    return acts[kind](_client(grants, body), body)


def _client(grants: Grants, body: Args) -> Any:
    if not body.get("client_id"):
        raise OAuthError("invalid_client", "client_id is required", status=401)
    return grants.client(body["client_id"])


def _revoke(grants: Grants, body: Args) -> Args:
    """It answers and does nothing: tokens are only claims (072-074)."""
    _client(grants, body)
    return {}


def _introspect(grants: Grants, body: Args) -> Args:
    client = _client(grants, body)
    return grants.introspect(client, str(body.get("token") or ""), base())
