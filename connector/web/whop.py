"""Connecting Whop: what is asked for, the way to Whop and back, and which company where there are several.

Whoever comes back must be the one who went: the same operator, and the same browser, which has a cookie of
its own for this. That cookie outlasts a sign-in, so a session that ended on the way costs nothing.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import flask
import structlog
from flask import Blueprint, Flask, abort, g, render_template, request, url_for
from flask.typing import ResponseReturnValue

from connector.bootstrap import Parts
from connector.errors import ConnectorError, ReconnectError, RefusedError, SchemaError, TryLaterError
from connector.sources.whop import oauth_refusals, scopes
from connector.store import connections, overview, pending
from connector.store.connections import Connection
from connector.store.pending import Visitor
from connector.sync import connecting, keys, mirror
from connector.sync.connecting import Choice, Connected
from connector.sync.onboarding import NewConnection
from connector.web import access, act_scopes, browser_mark, limits, present, safety, shell

log = structlog.get_logger(__name__)

blueprint = access.protect(Blueprint("connect", __name__))

#: How often one operator may go to Whop, and how often answers may come back to one address.
BEGIN_LIMIT = "10 per minute; 60 per hour"
ANSWER_LIMIT = "30 per minute"
_COOKIE = "whop"

_DENIED = ("whop_denied", "whop_state")
_CONFLICT = ("connection_exists", "whop_state_used", "whop_choice")


def install(app: Flask, parts: Parts) -> None:
    """Put the answer's address where the setting says it is. Called after the blueprint is registered."""
    path = urlsplit(parts.settings.whop_redirect_uri).path or "/"
    app.add_url_rule(path, "connect.answer", answer, methods=["GET"])


def _by_operator() -> str:
    return f"operator {g.person.id}"


@blueprint.get("/connect/whop")
def start() -> ResponseReturnValue:
    """What Whop will be asked for and why, and the button that leads there."""
    again = _wanted_again()
    needed = scopes.needed(shell.mappings())
    has = {one.name for one in needed}
    acting = [one for one in act_scopes.wanted(again, _automation()) if one.name not in has]
    known: dict[str, Any] = {"scopes": needed, "again": again, "uses": _uses(needed)}
    known |= {"acting": acting, "automation": _automation()}
    if not shell.parts().settings.whop_client_id:
        return render_template("whop/unavailable.html", **known)
    page = render_template("whop/start.html", **known)
    response = flask.make_response(page)
    response.headers["Content-Security-Policy"] = _policy(shell.parts().settings.whop_auth_url)
    return response


@blueprint.post("/connect/whop")
@limits.limiter.limit(BEGIN_LIMIT, key_func=_by_operator)
def begin() -> ResponseReturnValue:
    """Remember who goes, and send the browser to Whop."""
    again, browser = _wanted_again(), browser_mark.of_request(_COOKIE)
    visitor = Visitor(g.person.id, pending.digest(browser))
    desk, workspace_id = shell.parts().desk, shell.workspace_id()
    more = [one.name for one in act_scopes.wanted(again, _automation())]
    id_ = again.id if again else None
    url = connecting.begin(desk, workspace_id, visitor, connection_id=id_, more=more)
    return browser_mark.keep(flask.redirect(url, 303), _COOKIE, browser)


@limits.limiter.limit(ANSWER_LIMIT)
def answer() -> ResponseReturnValue:
    """Whop's answer. Only what was begun in this browser is looked at further."""
    desk, workspace_id, visitor = shell.parts().desk, shell.workspace_id(), _visitor()
    state, code, error = (request.args.get(name, "") for name in ("state", "code", "error"))
    if error or not code:
        connecting.decline(desk, workspace_id, visitor, state=state)
        log.warning("whop sent no code", error=error[:40])
        raise oauth_refusals.of_callback(error)
    done = connecting.complete(desk, workspace_id, visitor, state=state, code=code)
    if isinstance(done, Choice):
        return flask.redirect(url_for(".company", choice=done.id), 303)
    return _on(done)


@blueprint.get("/connect/whop/company")
def company() -> str:
    """Which of several companies to connect."""
    id_ = request.args.get("choice", "")
    choice = connecting.offered(shell.parts().desk, shell.workspace_id(), _visitor(), id_)
    return render_template("whop/company.html", choice=choice)


@blueprint.post("/connect/whop/company")
@limits.limiter.limit(ANSWER_LIMIT, key_func=_by_operator)
def choose() -> ResponseReturnValue:
    """Connect the company that was chosen."""
    chosen, id_ = request.form.get("company", ""), request.form.get("choice", "")
    if not chosen:
        shell.tell("No company was chosen", "Choose one of them.", tone="warn")
        return flask.redirect(url_for(".company", choice=id_), 303)
    desk, workspace_id = shell.parts().desk, shell.workspace_id()
    return _on(connecting.choose(desk, workspace_id, _visitor(), id_, company_id=chosen))


@blueprint.post("/connect/whop/key")
@limits.limiter.limit(BEGIN_LIMIT, key_func=_by_operator)
def by_key() -> ResponseReturnValue:
    """Connect by an API key that was pasted in, or give a connection another one."""
    again = _wanted_again()
    company_id = again.company_id if again else request.form.get("company", "").strip()
    new = NewConnection(company_id, request.form.get("key", "").strip())
    if not new.key:
        shell.tell("No API key was entered", "Paste the one that you made on Whop.", tone="warn")
        return flask.redirect(url_for(".start", connection=again.id if again else None), 303)
    return _on(keys.connect(shell.parts().desk, g.workspace, new, again=again is not None))


@blueprint.errorhandler(ConnectorError)
def failed(error: ConnectorError) -> ResponseReturnValue:
    """What happened, what is safe, and *Try again*: never a stack trace."""
    log.warning("connecting failed", code=error.code, error=str(error), page=request.endpoint)
    page = render_template("whop/failed.html", error=error, again=_try_again(error))
    response = flask.make_response(page, status_of(error))
    if isinstance(error, TryLaterError) and error.after is not None:
        response.headers["Retry-After"] = str(int(error.after))
    return response


def status_of(error: ConnectorError) -> int:
    """The HTTP status that an error of connecting or preparing is shown with."""
    if isinstance(error, TryLaterError | ReconnectError):
        return 502
    if isinstance(error, SchemaError) or error.code in _CONFLICT:
        return 409
    if isinstance(error, RefusedError):
        return 403 if error.code in _DENIED else 400
    return 500


def _try_again(error: ConnectorError) -> str:
    """A choice that failed for a passing reason still stands; anything else begins anew."""
    if request.endpoint == "connect.choose" and isinstance(error, TryLaterError):
        return url_for(".company", choice=request.form.get("choice", ""))
    return url_for(".start")


def _on(done: Connected) -> ResponseReturnValue:
    """The company is connected: record it, and go on to what will be created in the CRM, or to the sync
    that catches up."""
    made, company = done.connection, present.company(done.connection)
    with shell.parts().database.transaction() as session:
        how = "approval" if made.auth == "oauth" else "API key"
        access.record(session, "connect", company=company, connection=made.id, how=how)
        run = overview.active_of(session, made.workspace_id, made.id)
    if run is None:
        shell.tell(f"{company} is connected", "Nothing was written to Twenty yet.")
        return flask.redirect(url_for("plan.show", id_=made.id), 303)
    if run.status == "paused":
        shell.tell(f"{company} is connected again", "Its syncs are paused; Resume lets them catch up.")
        return flask.redirect(url_for("connections.show", id_=made.id), 303)
    mirror.ring(shell.parts().tools, run)
    shell.tell(f"{company} is connected again", "This sync catches up with what changed meanwhile.")
    return flask.redirect(url_for("runs.show", run_id=run.id), 303)


def _automation() -> str:
    """The automation for which somebody connects again."""
    return str(request.values.get("automation", ""))[:60]


def _wanted_again() -> Connection | None:
    """The connection whose access is to be granted anew, where one is named."""
    id_ = request.values.get("connection", "")
    if not id_:
        return None
    try:
        with shell.parts().database.reading() as session:
            return connections.get(session, shell.workspace_id(), id_)
    except RefusedError:
        abort(404)


def _uses(needed: tuple[scopes.Scope, ...]) -> dict[str, str]:
    """Scope → the objects and fields in Twenty that need it, in words."""
    return {one.name: ", ".join(map(_in_words, one.used_by)) for one in needed}


def _in_words(user: str) -> str:
    words = shell.vocabulary()
    object_, _, field = user.partition(".")
    return f"{words.object(object_)}: {words.field(object_, field)}" if field else words.many(object_)


def _visitor() -> Visitor:
    # Without a cookie this is the digest of nothing, which no row has.
    return Visitor(g.person.id, pending.digest(request.cookies.get(browser_mark.name(_COOKIE), "")))


def _policy(authorize_url: str) -> str:
    """The usual policy, and leave for the form to end on Whop.

    A browser checks every address on the form's way. The page on which people approve may stand on another
    host of the same service (api.whop.com sends them to whop.com), hence its neighbours.
    """
    parts = urlsplit(authorize_url)
    targets = [f"{parts.scheme}://{parts.netloc}"]
    if parts.netloc.startswith("api."):
        home = parts.netloc.removeprefix("api.")
        targets += [f"{parts.scheme}://{home}", f"{parts.scheme}://*.{home}"]
    usual: str = safety.HEADERS["Content-Security-Policy"]
    return usual.replace("form-action 'self'", f"form-action 'self' {' '.join(targets)}")
