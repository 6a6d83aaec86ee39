"""The OAuth 2.1 endpoints beside the API: consent, tokens, who somebody is, and the end of it.

Undocumented by Whop and chosen here: 60 requests a minute for each endpoint and
client, and that ``company_id`` must be repeated at each refresh if it was asked for.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from flask import Blueprint, Response, current_app, request

from connector.sandbox.whop import oauth_pages
from connector.sandbox.whop.api import answer
from connector.sandbox.whop.errors import ApiError
from connector.sandbox.whop.limits import Limiter
from connector.sandbox.whop.oauth_apps import App
from connector.sandbox.whop.oauth_errors import (
    OAuthError,
    StrangerError,
    invalid_client,
    invalid_request,
    invalid_token,
)
from connector.sandbox.whop.oauth_grants import Grant, Grants, Issued
from connector.sandbox.whop.shop_records import owner_picture, owner_user

PER_MINUTE: Final = 60
#: The reference's answer to too many requests names a fixed wait.
WAIT: Final = 30
ACTS: Final = ("revoke_all", "expire_access")


@dataclass(slots=True)
class OAuth:
    """What the endpoints work with. ``scope_field``: token answers have the undocumented ``scope``."""

    apps: Mapping[str, App]
    grants: Grants
    limiter: Limiter
    scope_field: bool = True

    def turn(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """What tests turn: ``access_seconds``, ``per_minute``, ``scope_field``, and ``do``.

        ``do`` is revoke_all (as if the owner had removed the app) or expire_access. Gives all settings,
        and how many grants there are and can still be refreshed. Settings last until the next start.
        """
        places: dict[str, Any] = {
            "access_seconds": self.grants,
            "per_minute": self.limiter,
            "scope_field": self,
        }
        for name, value in wanted.items():
            if name in places:
                setattr(places[name], name, value)
            elif name == "do" and value in ACTS:
                getattr(self.grants, value)()
            else:
                raise ValueError(
                    f"expected {', '.join(places)} or do: {' | '.join(ACTS)}, found {name}: {value}"
                )
        return {**{name: getattr(place, name) for name, place in places.items()}, **self.grants.counted()}


def token() -> Response:
    """POST /oauth/token, as JSON or as a form: a code or a refresh token for a fresh pair."""
    given = _given()
    client_id = _public_client(given)
    grants = _oauth().grants
    kind = _need(given, "grant_type")
    if kind == "authorization_code":
        issued = grants.redeem(
            _need(given, "code"),
            client_id=client_id,
            redirect_uri=_need(given, "redirect_uri"),
            verifier=_need(given, "code_verifier"),
        )
    elif kind == "refresh_token":
        company_id = given.get("company_id")
        issued = grants.refresh(_need(given, "refresh_token"), client_id=client_id, company_id=company_id)
    else:
        raise OAuthError("unsupported_grant_type", f"grant_type {kind} is not supported")
    return _uncached(answer(_body(issued)))


def userinfo() -> Response:
    """GET /oauth/userinfo: who approved, as far as the scopes say."""
    _count(request.headers.get("Authorization", ""))
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    found = _oauth().grants.find(key.strip()) if scheme.lower() == "bearer" else None
    if found is None:
        raise invalid_token("The access token is not valid")
    grant, late = found
    if late:
        raise invalid_token("The access token has expired")
    if "openid" not in grant.scopes:
        raise OAuthError("insufficient_scope", "The scope openid is required", status=403)
    return _uncached(answer(_person(grant)))


def revoke() -> Response:
    """POST /oauth/revoke, as JSON or as a form."""
    given = _given()
    client_id = _public_client(given)
    _oauth().grants.revoke(_need(given, "token"), client_id=client_id)
    return _uncached(answer({}))


def _given() -> dict[str, str]:
    """The parameters of the body."""
    body = request.get_json(silent=True) if request.is_json else request.form.to_dict()
    if not isinstance(body, dict):
        raise invalid_request("The request body must be a JSON object or a form")
    return {name: value for name, value in body.items() if isinstance(value, str) and value}


def _need(given: Mapping[str, str], name: str) -> str:
    if name not in given:
        raise invalid_request(f"{name} is required")
    return given[name]


def _public_client(given: Mapping[str, str]) -> str:
    """The app that asks, counted. All apps here are public: proof of possession replaces the secret."""
    client_id = given.get("client_id", "")
    _count(client_id)
    if client_id not in _oauth().apps:
        raise invalid_client()
    if "client_secret" in given or request.authorization is not None:
        raise invalid_client("client_secret lacks oauth:token_exchange permission")
    return client_id


def _count(client_id: str) -> None:
    try:
        _oauth().limiter.count(request.path, client_id)
    except ApiError:
        raise OAuthError("rate_limit_exceeded", "Too many requests", status=429, retry=WAIT) from None


def _body(issued: Issued) -> dict[str, Any]:
    body: dict[str, Any] = {
        "access_token": issued.access_token,
        "refresh_token": issued.refresh_token,
        "token_type": "Bearer",
        "expires_in": issued.seconds,
    }
    if "openid" in issued.grant.scopes:
        body["id_token"] = _id_token(issued)
    if _oauth().scope_field:
        body["scope"] = " ".join(issued.grant.scopes)
    return body


def _id_token(issued: Issued) -> str:
    """Signed with a key nobody else has (HS256); the real one is signed with ES256."""
    parts, now = _parts(), int(_oauth().grants.now())
    claims = {
        "iss": request.host_url.rstrip("/"),
        "sub": parts.world.home.company.owner_id,
        "aud": issued.grant.client_id,
        "iat": now,
        "exp": now + issued.seconds,
        "nonce": issued.grant.nonce,
    }
    signed = f"{_encode(orjson.dumps({'alg': 'HS256', 'typ': 'JWT'}))}.{_encode(orjson.dumps(claims))}"
    mark = hmac.new(parts.keyring.main.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_encode(mark)}"


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _person(grant: Grant) -> dict[str, Any]:
    world = _parts().world
    company, account = world.home.company, world.home.tables["accounts"].get(0)
    user = owner_user(company)
    told: dict[str, Any] = {"sub": user["id"]}
    if "profile" in grant.scopes:
        told |= {"name": user["name"], "preferred_username": user["username"]}
        told["picture"] = owner_picture(company)
    if "email" in grant.scopes:
        told |= {"email": account["email"], "email_verified": True}
    return told


def _uncached(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


def _refused(error: OAuthError) -> Response:
    response = _uncached(answer(error.body, error.status))
    response.headers.update(error.headers)
    return response


def _parts() -> Any:
    return current_app.extensions["whop"]


def _oauth() -> OAuth:
    found: OAuth = _parts().oauth
    return found


def create_blueprint() -> Blueprint:
    """All routes below ``/oauth``, and the style of the consent page."""
    routes = Blueprint("oauth", __name__, static_folder="static", static_url_path="/assets")
    routes.add_url_rule("/oauth/authorize", "authorize", oauth_pages.authorize)
    routes.add_url_rule("/oauth/authorize", "decide", oauth_pages.decide, methods=["POST"])
    routes.add_url_rule("/oauth/token", "token", token, methods=["POST"])
    routes.add_url_rule("/oauth/userinfo", "userinfo", userinfo)
    routes.add_url_rule("/oauth/revoke", "revoke", revoke, methods=["POST"])
    routes.register_error_handler(OAuthError, _refused)
    routes.register_error_handler(StrangerError, oauth_pages.stranger)
    return routes
