"""Who is told when something is wrong: what is wrong now, how it is told, and what was sent."""

from __future__ import annotations

import re
from typing import Any, Final

import flask
from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from connector.core.alerting import Kind, Thresholds
from connector.errors import ConnectorError
from connector.store import alerts
from connector.sync import alerting
from connector.web import access, filters, present, shell
from connector.web.present import Status

blueprint = access.protect(Blueprint("alerts", __name__))

KINDS: Final = {
    "access_lost": "Access to Whop ended",
    "crm_lost": "Twenty lets nobody in",
    "cannot_connect": "A sync cannot connect",
    "run_failed": "A sync failed",
    "records_failing": "Many records fail",
    "events_parked": "Events are parked",
    "webhooks_silent": "Webhooks do not arrive",
    "rate_limited": "A request limit slows syncs down",
    "breaker": "A sync waits for your approval",
    "out_of_step": "Less than 99.9 % in step",
}
LIMITS: Final = {
    "failing_percent": "Failing: % of a sync",
    "failing_least": "Failing: records",
    "parked": "Events parked",
    "unreachable_minutes": "Not reached: minutes",
    "limited_minutes": "Request limit: minutes",
    "untold_changes": "Changes without an event",
}
_MUTES: Final = {
    "0": "Not muted",
    "1": "For an hour",
    "8": "For 8 hours",
    "24": "For a day",
    "168": "For a week",
}
_STATES: Final = {
    "waiting": Status("Waiting", "queued"),
    "sent": Status("Sent", "success", "ok"),
    "failed": Status("Not sent", "failed", "bad"),
    "dropped": Status("Not needed any more", "none"),
}
_ADDRESS: Final = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+")
_MOST: Final = 20


@blueprint.get("/alerts")
def listing() -> str:
    """The page."""
    desk, id_ = shell.parts().alerts, shell.workspace_id()
    with shell.parts().database.reading() as session:
        wanted = alerts.settings(session, id_)
        open_ = alerts.open_incidents(session, id_)
        leaf = alerts.page(session, id_, filters.place())
        to = alerting.recipients(session, wanted)
        ways = alerting.channels(desk, session, wanted)
    return render_template(
        "pages/alerts.html",
        wanted=wanted,
        open_=open_,
        leaf=leaf,
        to=to,
        ways=ways,
        mails=desk.mail is not None,
        muted=wanted.muted_until is not None and wanted.muted_until > desk.clock(),
        thresholds=Thresholds.of(wanted.thresholds),
        kinds=KINDS,
        limits=LIMITS,
        mutes=_MUTES,
        states=_STATES,
        here=filters.here,
    )


@blueprint.post("/alerts")
def save() -> ResponseReturnValue:
    """Whom to tell, of what, and from where on."""
    typed = request.form.get("recipients", "")
    found = _ADDRESS.findall(typed)[:_MOST]
    if re.sub(r"[\s,;]", "", typed) != "".join(found):
        why = "Separate them by commas. Nothing was changed."
        shell.tell("One of these is no e-mail address", why, tone="bad")
        return _back()
    on = request.form.getlist("told")
    changed: dict[str, Any] = {
        "recipients": found or None,
        "off": [kind.value for kind in Kind if kind.value not in on],
        "thresholds": {name: _number(name) for name in LIMITS},
    }
    with shell.parts().database.transaction() as session:
        alerts.keep_settings(session, shell.workspace_id(), **changed)
        access.record(session, "alerts_changed")
    shell.tell("Saved", "It holds from the next look on, within a minute.")
    return _back()


@blueprint.post("/alerts/webhook")
def webhook() -> ResponseReturnValue:
    """Keep the address of a webhook, or take it away."""
    parts, address = shell.parts(), request.form.get("webhook", "").strip()
    try:
        alerting.set_webhook(parts.alerts, shell.workspace_id(), address or None, parts.door.check)
    except ConnectorError as error:
        shell.tell_error(error)
        return _back()
    with parts.database.transaction() as session:
        access.record(session, "alerts_webhook_given" if address else "alerts_webhook_removed")
    if address:
        shell.tell("The webhook is kept", "It is sealed and never shown again. Send a test.")
    else:
        shell.tell("The webhook is taken away", "Nothing is sent there any more.")
    return _back()


@blueprint.post("/alerts/mute")
def mute() -> ResponseReturnValue:
    """Send nothing for a while, or send again."""
    hours = request.form.get("hours", "0")
    until = alerting.mute(shell.parts().alerts, shell.workspace_id(), int(hours) if hours in _MUTES else 0)
    with shell.parts().database.transaction() as session:
        access.record(session, "alerts_muted" if until else "alerts_unmuted")
    if until:
        shell.tell("Muted", f"Until {present.utc(until)}. What is still wrong then is told then.")
    else:
        shell.tell("Not muted", "What is wrong and was not told yet is told within a minute.")
    return _back()


@blueprint.post("/alerts/test")
def test() -> ResponseReturnValue:
    """Send a test on every way."""
    try:
        found = alerting.test(shell.parts().alerts, shell.workspace_id())
    except ConnectorError as error:
        shell.tell_error(error)
        return _back()
    bad = [way for way, why in found.items() if why]
    if bad:
        shell.tell("The test did not get through", f"By {' and '.join(bad)}: see the log below.", tone="bad")
    else:
        shell.tell("The test was sent", f"By {' and '.join(found)}. Look whether it arrived.")
    return _back()


def _number(name: str) -> int:
    typed = request.form.get(name, "")
    usable = typed.isascii() and typed.isdigit() and 1 <= int(typed[:7]) <= 100_000
    return int(typed) if usable else int(getattr(Thresholds(), name))


def _back() -> ResponseReturnValue:
    return flask.redirect(url_for(".listing"), 303)
