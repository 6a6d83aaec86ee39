"""GET and POST /oauth/authorize: the page on which the owner allows an app what it asks for.

There is no sign-in: whoever opens the page is the owner. What was asked travels
through the page in one signed hidden field, so that only a page of ours is answered.
"""

from collections.abc import Callable
from typing import Any

from flask import Response, current_app, render_template, request
from itsdangerous import BadSignature, URLSafeSerializer

from connector.sandbox.whop import oauth_apps
from connector.sandbox.whop.oauth_apps import Args, Asked, Sender
from connector.sandbox.whop.oauth_errors import OAuthError, StrangerError
from connector.sandbox.whop.oauth_scopes import SCOPES

HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"


def authorize() -> Response:
    """GET: show the page, or go back to the app with what is wrong."""
    return _for(request.args.to_dict(flat=False), _consent)


def decide() -> Response:
    """POST: go back to the app with a code, or with the owner's no."""
    try:
        args = _sealer().loads(request.form.get("request", ""))
    except BadSignature:
        return stranger(StrangerError("This form is not one that we made. Start again from the app."))
    return _for(args, _decided)


def stranger(error: Exception) -> Response:
    """The page for a browser that is sent nowhere."""
    return _page("oauth/refused.html", status=400, why=str(error))


def _for(args: Args, then: Callable[[Asked], Response]) -> Response:
    """Check what is asked, and do it; what the app did wrong is told to the app."""
    sender = oauth_apps.sender(args, _parts().oauth.apps)
    try:
        return then(oauth_apps.asked(args, sender, _companies()))
    except OAuthError as error:
        return _back(sender, **error.body)


def _consent(asked: Asked) -> Response:
    companies = _companies()
    return _page(
        "oauth/consent.html",
        goes_to=asked.sender.origin(),
        app=asked.sender.app,
        scopes=[(scope, SCOPES[scope]) for scope in asked.scopes],
        companies=companies,
        limited_to=companies.get(asked.company_id or ""),
        user=_parts().world.home.company.identity.owner,
        sealed=_sealer().dumps(request.args.to_dict(flat=False)),
    )


def _decided(asked: Asked) -> Response:
    if request.form.get("decision") != "approve":
        raise OAuthError("access_denied", "The user denied the request")
    company = asked.company_id or request.form.get("company") or None
    if company is not None and company not in _companies():
        raise StrangerError("The company you chose is none of yours. Start again from the app.")
    return _back(asked.sender, code=_parts().oauth.grants.begin(asked, company))


def _back(sender: Sender, **told: str) -> Response:
    """See Other: the browser goes on with a GET whatever it came with."""
    return Response(status=303, headers={**HEADERS, "Location": sender.back(**told)})


def _page(template: str, *, status: int = 200, goes_to: str = "", **shown: Any) -> Response:
    """A page; ``goes_to`` is where its form may lead in the end, which browsers check along the way."""
    response = Response(render_template(template, goes_to=goes_to, **shown), status)
    response.headers.update(HEADERS)
    response.headers["Content-Security-Policy"] = f"{POLICY} {goes_to}".strip()
    return response


def _companies() -> dict[str, str]:
    """The titles of the owner's companies by id, as they are today."""
    return {shelf.company.id: shelf.tables["accounts"].get(0)["title"] for shelf in _parts().world.owned}


def _sealer() -> URLSafeSerializer:
    return URLSafeSerializer(_parts().keyring.main, "consent")


def _parts() -> Any:
    return current_app.extensions["whop"]
