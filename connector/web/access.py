"""Who is asking: settled before any page is made, and before a form's token is looked at.

The browser holds a random token in a cookie; the database holds its hash, and is asked each time, so that a
revoked session or a removed operator is out at once. ``protect`` marks the blueprints that need a session.
"""

from __future__ import annotations

import secrets
import uuid
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import urlsplit

import flask
import structlog
from flask import Blueprint, Flask, current_app, g, request, url_for
from flask.sansio.app import App
from flask_limiter import RateLimitExceeded
from flask_wtf.csrf import CSRFError, CSRFProtect  # type: ignore[import-untyped]
from werkzeug.wrappers import Response

from connector.bootstrap import Parts
from connector.errors import RefusedError
from connector.store import audit, sessions, workspaces
from connector.store.db import Session, Unavailable
from connector.store.sessions import NewSession, WebSession
from connector.store.workspaces import Workspace
from connector.web import limits, traces

log = structlog.get_logger(__name__)

csrf = CSRFProtect()
THEMES = ("light", "dark", "auto")
_GUARDED = "access"


class SignedIn(NamedTuple):
    """What pages know of who is signed in: an operator, or an admin of one CRM workspace and no other."""

    id: str
    name: str
    is_admin: bool

    @property
    def admin_id(self) -> str | None:
        """The id, if it is an admin's."""
        return self.id if self.is_admin else None

    @property
    def operator_id(self) -> str | None:
        """The id, if it is an operator's."""
        return None if self.is_admin else self.id


def protect(blueprint: Blueprint, *, workspace: bool = True) -> Blueprint:
    """Show this blueprint's pages only to somebody signed in, who has chosen a workspace unless told so.

    Its views find ``g.person``, ``g.session_id`` and ``g.workspace``. Called before it is registered.
    """
    blueprint.record(lambda state: _guarded(state.app).__setitem__(state.name, workspace))
    return blueprint


def install(app: Flask, parts: Parts) -> None:
    """Cookies, the guard, CSRF protection and rate limits. Sessions come first: without one, a form's
    token means nothing, and the answer is the sign-in page."""
    app.config.update(_cookie_settings(https=parts.settings.public_url.startswith("https://")))
    _guarded(app)
    app.before_request(_enter)
    csrf.init_app(app)
    limits.install(app, parts)
    app.after_request(_say_when_it_ends)
    app.register_error_handler(CSRFError, _csrf_refused)
    app.register_error_handler(RateLimitExceeded, _too_often)


def current() -> WebSession | None:
    """The live session of this request, looked up once."""
    if "web_session" not in g:
        token = request.cookies.get(current_app.config["SESSION_TOKEN_COOKIE"], "")
        g.web_session = _found(token) if token else None
    found: WebSession | None = g.web_session
    return found


def begin(
    session: Session,
    operator_id: str | None,
    by: str,
    *,
    admin_id: str | None = None,
    instead_of: WebSession | None,
) -> str:
    """Start an operator's or an admin's session in place of this browser's (``current()``); its token."""
    token, now = secrets.token_urlsafe(32), _parts().tools.clock()
    if instead_of is not None:
        sessions.revoke(session, instead_of.person_id, instead_of.id, now)
    agent, network = traces.browser(request.user_agent.string), traces.network(limits.address())
    new = NewSession(str(uuid.uuid4()), operator_id, by, agent, network, admin_id)
    sessions.start(session, new, token, now)
    return token


def admit(response: Response, token: str) -> Response:
    """Give the browser its token. The secret of its forms changes with it."""
    flask.session.clear()
    g.pop("web_session", None)
    _set_cookie(response, current_app.config["SESSION_TOKEN_COOKIE"], token)
    return response


def dismiss(response: Response) -> Response:
    """Take the token from the browser; the session itself was revoked by the caller."""
    flask.session.clear()
    g.web_session = None
    response.delete_cookie(
        current_app.config["SESSION_TOKEN_COOKIE"],
        secure=current_app.config["SESSION_COOKIE_SECURE"],
        httponly=True,
        samesite="Lax",
    )
    return response


def keep_theme(response: Response, theme: str) -> Response:
    """Remember the colours for a year."""
    _set_cookie(response, "theme", theme, max_age=365 * 24 * 3600)
    return response


def record(
    session: Session, what: str, *, operator_id: str | None = None, **about: str | int | bool | None
) -> None:
    """Add what this request did to the audit log, in the name of who is signed in or ``operator_id``."""
    workspace: Workspace | None = g.get("workspace")
    who: SignedIn | None = g.get("person")
    event = audit.NewEvent(
        what,
        _parts().tools.clock(),
        operator_id=operator_id or (who.operator_id if who else None),
        workspace_id=workspace.id if workspace and what in audit.OF_WORKSPACE else None,
        address=limits.address(),
        about=about,
        admin_id=who.admin_id if who and operator_id is None else None,
    )
    audit.record(session, event)


def safe_path(text: str | None) -> str:
    """A path of this site to go to, or ``/``: nothing that a browser could read as another site's address."""
    text = text or ""
    odd = any(char <= " " or char in "\\\x7f" for char in text)
    if odd or len(text) > 1000 or not text.startswith("/") or text.startswith("//"):
        return "/"
    return "/" if text.startswith(("/sign-in", "/sign-out")) else text


def came_from() -> str:
    """The page of ours that the form stood on, else ``/``."""
    found = urlsplit(request.referrer or "")
    ours = (request.host, urlsplit(_parts().settings.public_url).netloc)
    if found.netloc not in ours:
        return "/"
    return safe_path(found.path + (f"?{found.query}" if found.query else ""))


def _guarded(app: App) -> dict[str, bool]:
    """The protected blueprints of an application, and whether each needs a workspace."""
    found: dict[str, bool] = app.extensions.setdefault(_GUARDED, {})
    return found


def _parts() -> Parts:
    parts: Parts = current_app.extensions["parts"]
    return parts


def _cookie_settings(*, https: bool) -> dict[str, object]:
    # With the prefix __Host- a browser takes the cookie from this very host over https only.
    prefix = "__Host-" if https else ""
    return {
        "SESSION_TOKEN_COOKIE": "__Host-session" if https else "session_token",
        "SESSION_COOKIE_NAME": f"{prefix}forms",
        "SESSION_COOKIE_SECURE": https,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_PATH": "/",
        # A form is good for as long as its session: the secret changes at sign-in and sign-out.
        "WTF_CSRF_TIME_LIMIT": None,
        # It compares with the Host header, which proxies change; the token in the form is the proof.
        "WTF_CSRF_SSL_STRICT": False,
    }


def _set_cookie(response: Response, name: str, value: str, *, max_age: int | None = None) -> None:
    # Lax, because Whop sends the browser back by a link of another site, and it must arrive signed in.
    secure = current_app.config["SESSION_COOKIE_SECURE"]
    response.set_cookie(name, value, max_age=max_age, path="/", secure=secure, httponly=True, samesite="Lax")


def _enter() -> flask.typing.ResponseReturnValue | None:
    theme = request.cookies.get("theme")
    g.theme = theme if theme in THEMES else "auto"
    g.person = g.workspace = g.session_id = None
    needs = _guarded(current_app).get(request.blueprint or "")
    if needs is None and request.endpoint is not None:
        return None  # a public page; at an unknown address somebody signed in keeps the navigation
    found = current()
    if found is None:
        return None if needs is None else _away()
    g.person, g.session_id = SignedIn(found.person_id, found.person_name, found.is_admin), found.id
    g.workspace = _workspace(found)
    if needs and g.workspace is None:
        return flask.redirect(url_for("account.workspace", next=_wanted()), 303)
    return None


def _found(token: str) -> WebSession | None:
    parts = _parts()
    now = parts.tools.clock()
    with parts.database.reading() as session:
        found = sessions.find(session, token, now)
    # What a script polls is no sign that somebody sits there.
    if found is None or _is_scripted() or not sessions.is_touchable(found, now):
        return found
    with parts.database.transaction() as session:
        sessions.touch(session, found.id, now)
    return replace(found, seen_at=now)


def _workspace(found: WebSession) -> Workspace | None:
    """The one that was chosen; the only one, which chooses it; else None."""
    parts = _parts()
    with parts.database.reading() as session:
        if found.workspace_id is not None:
            return _known(session, found.workspace_id)
        every = [] if found.is_admin else workspaces.every(session)
    if len(every) != 1:
        return None
    with parts.database.transaction() as session:
        sessions.choose(session, found.id, every[0].id)
    return every[0]


def _known(session: Session, workspace_id: str) -> Workspace | None:
    try:
        return workspaces.get(session, workspace_id)
    except RefusedError:
        return None


def _away() -> flask.typing.ResponseReturnValue:
    if _is_scripted():
        return {"error": "Your session has ended.", "sign_in": url_for("signin.form")}, 401
    return flask.redirect(url_for("signin.form", next=_wanted()), 303)


def _wanted() -> str:
    """Where to go on afterwards: a form cannot be sent again, but its page can be opened again."""
    return safe_path(request.full_path.rstrip("?")) if request.method in ("GET", "HEAD") else came_from()


def _is_scripted() -> bool:
    return request.headers.get("Sec-Fetch-Dest") == "empty"


def _say_when_it_ends(response: flask.Response) -> flask.Response:
    found: WebSession | None = g.get("web_session")
    if found is not None:
        response.headers["X-Session-Ends"] = found.ends_at.isoformat()
    return response


def _csrf_refused(error: CSRFError) -> flask.typing.ResponseReturnValue:
    _record_refusal("csrf_refused", page=request.endpoint)
    reason = "unmarked" if error.description == "The CSRF token is missing." else "changed"
    return flask.render_template("signin/form_refused.html", reason=reason, back=came_from()), 400


def _too_often(_error: RateLimitExceeded) -> flask.typing.ResponseReturnValue:
    wait = limits.seconds_to_wait()
    _record_refusal("rate_limited", page=request.endpoint)
    signing = request.blueprint in ("signin", "account")
    minutes = -(-wait // 60)
    page = flask.render_template("signin/too_often.html", minutes=minutes, back=came_from(), signing=signing)
    return page, 429, {"Retry-After": str(wait)}


def _record_refusal(what: str, **about: str | None) -> None:
    log.warning("refused at the door", what=what, address=limits.address(), **about)
    if not limits.is_worth_recording(what):
        return
    try:
        with _parts().database.transaction() as session:
            record(session, what, **about)
    except Unavailable:  # the page that says why it was refused is shown all the same
        log.warning("the refusal could not be recorded")
