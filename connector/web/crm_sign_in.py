"""Signing in with Twenty: the address, the way there and back, and every reason why not.

Whoever comes back must be the one who went: the same browser, which has a cookie of its own for this. An
operator who is signed in stays who they are, and opens a workspace or lends their browser to its admin;
anybody else is signed in as the admin that the CRM vouches for.
"""

from __future__ import annotations

import flask
import structlog
from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from connector.errors import ConnectorError, ReconnectError, RefusedError, TryLaterError
from connector.store import audit, sessions
from connector.store.answers import digest
from connector.store.db import Session
from connector.sync import crm_access
from connector.sync.crm_access import Beginner, Entered
from connector.web import access, browser_mark, limits, shell

log = structlog.get_logger(__name__)

#: Public: nobody can be signed in before.
blueprint = Blueprint("crm_sign_in", __name__)

#: How often one network may have us look for a server, and how often answers may come back to it.
BEGIN_LIMIT = "30 per minute; 200 per hour"
ANSWER_LIMIT = "60 per minute"
CALLBACK = "/oauth/twenty/callback"

_COOKIE = "twenty"
_DENIED = ("crm_state", "crm_not_admin", "crm_sign_up", "crm_other_workspace", "crm_denied")
_USED = ("crm_state_used",)


@blueprint.get("/sign-in/twenty")
def form() -> ResponseReturnValue:
    """The address of the CRM, remembered from the last time."""
    return _form(browser_mark.crm_address(), access.safe_path(request.args.get("next")))


@blueprint.post("/sign-in/twenty")
@limits.limiter.limit(BEGIN_LIMIT)
def begin() -> ResponseReturnValue:
    """Look for the server and go there."""
    typed = request.form.get("address", "").strip()[: browser_mark.LONGEST_ADDRESS]
    return leave(typed, None, access.safe_path(request.form.get("next")))


def leave(typed: str, workspace_id: str | None, onward: str) -> ResponseReturnValue:
    """Send the browser to the CRM, by a page of ours: a form may end on this site only.

    With ``workspace_id`` whoever approves there must be of that workspace.
    """
    found = access.current()
    operator_id = found.person_id if found and not found.is_admin else None
    mark = browser_mark.of_request(_COOKIE)
    beginner = Beginner(digest(mark), operator_id, workspace_id)
    try:
        going = crm_access.begin(shell.parts().crm_desk, typed, beginner, onward=onward)
    except ConnectorError as error:
        log.warning("nobody can sign in there", code=error.code, error=str(error))
        return _form(typed, onward, error)
    page = flask.make_response(render_template("signin/leaving.html", going=going))
    return browser_mark.keep(browser_mark.keep_crm_address(page, typed), _COOKIE, mark)


@blueprint.get(CALLBACK)
@limits.limiter.limit(ANSWER_LIMIT)
def answer() -> ResponseReturnValue:
    """The CRM's answer. Only what was begun in this browser is looked at further."""
    desk, browser_hash = shell.parts().crm_desk, digest(request.cookies.get(browser_mark.name(_COOKIE), ""))
    state, code, error = (request.args.get(name, "") for name in ("state", "code", "error"))
    if error or not code:
        crm_access.decline(desk, browser_hash, state=state)
        raise RefusedError(
            "The sign-in was declined on Twenty's page.",
            code="crm_denied",
            remedy="Nothing was changed. Begin again when you want to sign in.",
        )
    old, tokens = access.current(), []

    def also(session: Session, entered: Entered) -> None:
        if entered.operator_id is None:
            tokens.append(access.begin(session, None, "twenty", admin_id=entered.admin.id, instead_of=old))
        elif old is not None and old.person_id == entered.operator_id:
            sessions.choose(session, old.id, entered.workspace.id)
        _record(session, entered)

    entered = crm_access.complete(desk, browser_hash, state=state, code=code, also=also)
    response = flask.redirect(entered.onward, 303)
    if tokens:
        access.admit(response, tokens[0])
    _welcome(entered)
    return response


@blueprint.errorhandler(ConnectorError)
def failed(error: ConnectorError) -> ResponseReturnValue:
    """What happened, what to do, and *Try again*: never a stack trace."""
    log.warning("signing in with the CRM failed", code=error.code, error=str(error))
    if limits.is_worth_recording("crm_sign_in_refused"):
        with shell.parts().database.transaction() as session:
            access.record(session, "crm_sign_in_refused", reason=error.code)
    return _with_wait(render_template("signin/twenty_failed.html", error=error), error)


def _form(typed: str, onward: str, error: ConnectorError | None = None) -> ResponseReturnValue:
    page = render_template("signin/twenty.html", address=typed, onward=onward, error=error)
    return page if error is None else _with_wait(page, error)


def _with_wait(page: str, error: ConnectorError) -> ResponseReturnValue:
    response = flask.make_response(page, status_of(error))
    if isinstance(error, TryLaterError) and error.after is not None:
        response.headers["Retry-After"] = str(int(error.after))
    return response


def status_of(error: ConnectorError) -> int:
    """The HTTP status that an error of signing in, or of a credential, is shown with."""
    if isinstance(error, TryLaterError | ReconnectError):
        return 502
    if error.code in _USED:
        return 409
    return 403 if error.code in _DENIED else 400


def _record(session: Session, entered: Entered) -> None:
    """In the name of the admin, whoever's browser it is: it is they who approved."""
    for what in ("crm_opened", "crm_sign_in") if entered.is_new else ("crm_sign_in",):
        event = audit.NewEvent(
            what,
            shell.parts().tools.clock(),
            operator_id=None,
            workspace_id=entered.workspace.id,
            address=limits.address(),
            about={"workspace": entered.workspace.crm_name},
            admin_id=entered.admin.id,
        )
        audit.record(session, event)


def _welcome(entered: Entered) -> None:
    who, where = entered.admin.name, entered.workspace.crm_name or entered.workspace.name
    if entered.is_new:
        shell.tell(f"{where} is open", "Connect a Whop company next; nothing was written to Twenty yet.")
    elif entered.operator_id is not None:
        shell.tell(f"{who} is signed in with Twenty", "You are still signed in as yourself.")
