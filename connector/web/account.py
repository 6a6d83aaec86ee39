"""The operator's own pages: workspace, password, sessions, audit log, colours, signing out."""

from __future__ import annotations

from datetime import timedelta

import flask
from flask import Blueprint, abort, current_app, g, render_template, request, url_for
from flask.typing import ResponseReturnValue

from connector.bootstrap import Parts
from connector.errors import RefusedError
from connector.store import audit, operators, sessions, workspaces
from connector.web import access, limits, shell
from connector.web.signin import LONGEST_PASSWORD, hashed, is_right

#: For somebody signed in, with or without a workspace.
blueprint = access.protect(Blueprint("account", __name__), workspace=False)
#: Public: colours may be chosen before signing in.
colours = Blueprint("colours", __name__)

SHORTEST_PASSWORD = 12
_FRESH = timedelta(minutes=15)
_PAGE = 50
_OPERATORS_OWN = frozenset(
    f"account.{name}" for name in ("workspace", "choose_workspace", "password", "set_password")
)


@blueprint.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End this session."""
    with _parts().database.transaction() as session:
        sessions.revoke(session, g.person.id, g.session_id, _parts().tools.clock())
        access.record(session, "sign_out")
    return access.dismiss(flask.redirect(url_for("signin.form"), 303))


@blueprint.before_request
def _keep_admins_out() -> None:
    """An admin has one workspace, and no password: these pages are an operator's."""
    if g.person.is_admin and request.endpoint in _OPERATORS_OWN:
        abort(404)


@blueprint.get("/workspace")
def workspace() -> ResponseReturnValue:
    """Choose one of several; with none, how to add one."""
    with _parts().database.reading() as session:
        every = workspaces.every(session)
    onward = access.safe_path(request.args.get("next"))
    return render_template("signin/workspace.html", every=every, onward=onward)


@blueprint.post("/workspace")
def choose_workspace() -> ResponseReturnValue:
    """This session looks at that workspace from now on. An unknown one is 404."""
    with _parts().database.transaction() as session:
        try:
            chosen = workspaces.get(session, request.form.get("workspace", ""))
        except RefusedError:
            abort(404)
        sessions.choose(session, g.session_id, chosen.id)
    return flask.redirect(access.safe_path(request.form.get("next")), 303)


@blueprint.get("/password")
def password() -> ResponseReturnValue:
    """The form; the present password is asked for unless a link was used just now."""
    return render_template("signin/password.html", asks_present=_asks_present(), problem="", at="")


@blueprint.post("/password")
@limits.limiter.limit(
    limits.per_name, scope="password", key_func=lambda: str(g.person.id), deduct_when=limits.failed
)
def set_password() -> ResponseReturnValue:
    """Keep a new password, and end the operator's other sessions."""
    new, now = request.form.get("new", ""), _parts().tools.clock()
    if _asks_present() and not is_right(request.form.get("present", ""), _kept_password()):
        return _password_refused("present", "This is not your present password.", 403)
    if problem := _weakness(new):
        return _password_refused("new", problem, 422)
    kept = hashed(new)
    with _parts().database.transaction() as session:
        operators.set_password(session, g.person.id, kept)
        sessions.revoke_all(session, g.person.id, now, but=g.session_id)
        access.record(session, "password_set")
    shell.tell("Your password is set", "You can sign in with your name and this password from now on.")
    return flask.redirect("/", 303)


@blueprint.get("/sessions")
def listing() -> ResponseReturnValue:
    """Where the operator is signed in."""
    with _parts().database.reading() as session:
        found = sessions.of_person(session, g.person.id, _parts().tools.clock())
    return render_template("signin/sessions.html", found=found)


@blueprint.post("/sessions")
def revoke() -> ResponseReturnValue:
    """End one session of the operator's, or all others. Somebody else's is 404."""
    which, now = request.form.get("session", ""), _parts().tools.clock()
    with _parts().database.transaction() as session:
        if which == "others":
            ended = sessions.revoke_all(session, g.person.id, now, but=g.session_id)
        else:
            ended = int(sessions.revoke(session, g.person.id, which, now))
        if not ended and which != "others":
            abort(404)
        access.record(session, "session_revoked", ended=ended)
    if which == g.session_id:
        return access.dismiss(flask.redirect(url_for("signin.form"), 303))
    shell.tell("Signed out there")
    return flask.redirect(url_for("account.listing"), 303)


@blueprint.get("/audit")
def audit_log() -> ResponseReturnValue:
    """Who did what in this workspace, and the operator's own sign-ins; newest first."""
    before = request.args.get("before", type=int)
    here = g.workspace.id if g.workspace else None
    with _parts().database.reading() as session:
        found = audit.shown(session, here, g.person.id, before=before, limit=_PAGE + 1)
    older = found[_PAGE - 1].id if len(found) > _PAGE else None
    return render_template("signin/audit.html", found=found[:_PAGE], words=WORDS, older=older, before=before)


@colours.post("/theme")
def theme() -> ResponseReturnValue:
    """Light, dark, or as the system has it; back to the page the form stood on."""
    wanted = request.form.get("theme", "")
    wanted = "auto" if wanted == "system" else wanted
    if wanted not in access.THEMES:
        abort(400)
    onward = access.safe_path(request.form["back"]) if "back" in request.form else access.came_from()
    return access.keep_theme(flask.redirect(onward, 303), wanted)


WORDS = {
    "operator_added": "Operator added",
    "operator_removed": "Operator removed",
    "link_made": "One-time link made",
    "link_used": "Signed in with a one-time link",
    "link_refused": "One-time link refused",
    "sign_in": "Signed in with the password",
    "sign_in_failed": "Wrong password",
    "sign_out": "Signed out",
    "session_revoked": "Sessions ended",
    "password_set": "Password set",
    "csrf_refused": "Form refused",
    "rate_limited": "Too many tries",
    "connect": "Whop company connected",
    "disconnect": "Whop company disconnected",
    "plan_agreed": "Changes in the CRM agreed to",
    "review_decided": "Record placed",
    "review_taken_back": "Decision taken back",
    "views_made": "Lists made in the CRM",
    "workflow_paused": "Workflow of the CRM paused",
    "workflow_resumed": "Workflow of the CRM switched on again",
    "act_again": "Action tried again",
    "act_by_hand": "Action done by hand",
    "act_done": "Automation acted on Whop",
    "act_failed": "Automation gave up",
    "act_refused": "Asked for in Twenty, and refused",
    "crm_requests_off": "Whop actions in Twenty switched off",
    "crm_requests_on": "Whop actions in Twenty switched on",
    "crm_requests_who": "Who may ask for Whop actions changed",
    "automation_off": "Automation switched off",
    "automation_on": "Automation switched on",
    "alerts_changed": "Alerts changed",
    "alerts_muted": "Alerts muted",
    "alerts_unmuted": "Alerts no longer muted",
    "alerts_webhook_given": "Webhook for alerts entered",
    "alerts_webhook_removed": "Webhook for alerts taken away",
    "reconcile_started": "Comparison with Whop started",
    "reconcile_cancelled": "Comparison with Whop cancelled",
    "reconcile_planned": "Comparisons planned otherwise",
    "reconcile_repaired": "Repair after a comparison started",
    "sync_started": "Sync started",
    "sync_paused": "Sync paused",
    "removals_approved": "Removals approved",
    "removals_refused": "Removals refused",
    "changes_approved": "Many changes approved",
    "run_cancelled": "Sync cancelled",
    "preview_started": "Preview started",
    "undo_previewed": "Undo of a sync looked at",
    "undo_started": "Undo of a sync started",
    "undo_let_go": "Held records let go",
    "mapping_changed": "Mapping file changed",
    "schedule_changed": "Syncs by the clock changed",
    "sync_resumed": "Sync resumed",
    "sync_cancelled": "Sync cancelled",
    "notes_on": "Notes and tasks switched on",
    "notes_off": "Notes and tasks switched off",
    "events_replayed": "Events taken again",
    "webhook_checked": "Webhook looked at",
    "webhook_mended": "Webhook at Whop brought in line",
    "webhook_registered": "Webhook registered at Whop",
    "webhook_secret_added": "Webhook secret entered",
    "webhook_secret_dropped": "Webhook secret taken back",
    "webhook_secret_retired": "Webhook secret given an end",
    "webhook_switched_on": "Webhook switched on again at Whop",
    "webhook_tested": "Webhook tested",
    "webhook_sample_sent": "Sample event sent",
    "crm_sign_in": "Signed in with Twenty",
    "crm_sign_in_refused": "Sign-in with Twenty refused",
    "crm_opened": "Workspace opened",
    "crm_key_given": "API key of Twenty given",
    "crm_key_removed": "API key of Twenty removed",
    "crm_checked": "Access to Twenty checked",
    "crm_disconnected": "Sign-in with Twenty deleted",
}


def _asks_present() -> bool:
    """Whoever has just used a link has proved as much as a password proves, and may have forgotten it."""
    found = access.current()
    fresh = found is not None and _parts().tools.clock() - found.created_at < _FRESH
    return _kept_password() is not None and not (fresh and found is not None and found.by == "link")


def _kept_password() -> str | None:
    with _parts().database.reading() as session:
        found = operators.credentials(session, g.person.name)
    return found.password_hash if found else None


def _weakness(password: str) -> str:
    """What is wrong with it, for the person; empty when it will do."""
    if len(password) < SHORTEST_PASSWORD:
        return f"At least {SHORTEST_PASSWORD} characters; this has {len(password)}."
    if len(password) > LONGEST_PASSWORD:
        return f"At most {LONGEST_PASSWORD} characters."
    if len(set(password)) < 5 or g.person.name.casefold() in password.casefold():
        return "Too easy to guess: it repeats itself, or holds your name."
    return ""


def _password_refused(at: str, problem: str, status: int) -> ResponseReturnValue:
    page = render_template("signin/password.html", asks_present=_asks_present(), problem=problem, at=at)
    return page, status


def _parts() -> Parts:
    parts: Parts = current_app.extensions["parts"]
    return parts
