"""The webhooks of a connection: how they stand, how they are set up, their secrets, and a test."""

from __future__ import annotations

import uuid
from datetime import timedelta

import flask
from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue

from connector.errors import ConnectorError
from connector.sources.whop.gate import Scheme
from connector.sources.whop.hooking import PERMISSION, TEST_EVENT, TOLD, is_stand_in
from connector.store import eventbook, schedules
from connector.store.connections import Connection
from connector.sync import hook_secrets, hooking
from connector.web import access, event_samples, event_words, listening, own_door, present, shell
from connector.web.views_connections import found_or_404

blueprint = access.protect(Blueprint("hooks", __name__))

_MONTH = timedelta(days=30)


@blueprint.get("/connections/<id_>/webhooks")
def show(id_: str) -> str:
    """How this connection hears of what happens on Whop."""
    one, now = found_or_404(id_), shell.parts().tools.clock()
    ids = (one.workspace_id, one.id)
    with shell.parts().database.reading() as session:
        state = listening.of(session, one, now)
        taken = eventbook.taken(session, *ids, now - listening.DAY)
        lengths = eventbook.durations(session, *ids)
        missed = schedules.missed(session, *ids, now - _MONTH)
    desk = shell.parts().hooks
    return render_template(
        "pages/webhooks.html",
        one=one,
        title=present.company(one),
        state=state,
        taken=taken,
        missed=missed,
        typical=event_words.seconds(lengths[len(lengths) // 2]) if lengths else "",
        worst=event_words.seconds(lengths[-1]) if lengths else "",
        address=desk.address(one.id),
        reachable=desk.reachable,
        events=sorted(TOLD),
        version=desk.wanted("").version,
        permission=PERMISSION,
        grace=hooking.GRACE,
        samples=_samples() if is_stand_in(shell.parts().settings.whop_api_url) else {},
    )


@blueprint.post("/connections/<id_>/webhooks/check")
def check(id_: str) -> ResponseReturnValue:
    """Look after the webhook at Whop now."""
    one = found_or_404(id_)
    try:
        found = hooking.check(shell.parts().hooks, one.workspace_id, one.id, owner=_owner())
    except ConnectorError as error:
        shell.tell_error(error)
        return _back(one)
    _record("webhook_checked", one)
    if found.enabled:
        shell.tell("The webhook is as it should be", "Whop was asked just now.")
    return _back(one)


@blueprint.post("/connections/<id_>/webhooks/on")
def switch_on(id_: str) -> ResponseReturnValue:
    """Have Whop deliver again, and catch up."""
    one = found_or_404(id_)
    try:
        hooking.switch_on(shell.parts().hooks, one.workspace_id, one.id, owner=_owner())
    except ConnectorError as error:
        shell.tell_error(error)
        return _back(one)
    _record("webhook_switched_on", one)
    shell.tell("The webhook is switched on again", "A full sync brings what was missed meanwhile.")
    return _back(one)


@blueprint.post("/connections/<id_>/webhooks/secrets")
def enter(id_: str) -> ResponseReturnValue:
    """Keep the secret of a webhook that was set up by hand."""
    one, desk = found_or_404(id_), shell.parts().hooks
    scheme = _scheme()
    keeps = request.form.get("others") == "keep"
    try:
        hook_secrets.enter(
            desk, one.workspace_id, one.id, scheme, request.form.get("secret", ""), keep_others=keeps
        )
    except ConnectorError as error:
        shell.tell_error(error)
        return _back(one)
    _record("webhook_secret_added", one)
    shell.tell("The secret is kept", "It is sealed and never shown again. Send a test to see that it fits.")
    return _back(one)


@blueprint.post("/connections/<id_>/webhooks/secrets/<secret_id>/retire")
def retire(id_: str, secret_id: str) -> ResponseReturnValue:
    """Let a secret end in a day."""
    one = found_or_404(id_)
    if not hook_secrets.retire(shell.parts().hooks, one.workspace_id, one.id, secret_id):
        abort(404)
    _record("webhook_secret_retired", one)
    shell.tell("The secret ends in a day", "Until then both are believed.")
    return _back(one)


@blueprint.post("/connections/<id_>/webhooks/secrets/<secret_id>/drop")
def take_back(id_: str, secret_id: str) -> ResponseReturnValue:
    """End a secret at once."""
    one = found_or_404(id_)
    if not hook_secrets.take_back(shell.parts().hooks, one.workspace_id, one.id, secret_id):
        abort(404)
    _record("webhook_secret_dropped", one)
    shell.tell("The secret is taken back", "Within seconds nothing that it signs is believed any more.")
    return _back(one)


@blueprint.post("/connections/<id_>/webhooks/test")
def test(id_: str) -> ResponseReturnValue:
    """Have an event delivered that changes nothing: by Whop where we registered, else by ourselves."""
    one = found_or_404(id_)
    by_whop = request.form.get("by") == "whop"
    try:
        status = _by_whop(one) if by_whop else _by_us(one)
    except ConnectorError as error:
        shell.tell_error(error)
        return _back(one)
    _record("webhook_tested", one)
    _tell_test(one, status, "Whop" if by_whop else "This connector")
    return _back(one)


@blueprint.post("/connections/<id_>/webhooks/sample")
def sample(id_: str) -> ResponseReturnValue:
    """Post a signed sample event: where Whop is a stand-in, so that invented people harm nobody."""
    one, parts = found_or_404(id_), shell.parts()
    if not is_stand_in(parts.settings.whop_api_url):
        abort(404)
    event, dialect = request.form.get("event", ""), request.form.get("dialect", "")
    if dialect not in event_samples.DIALECTS:
        abort(400)
    try:
        body = event_samples.sample(dialect, event, one.company_id, request.form.get("record", "").strip())
        status = own_door.post(parts, one, body, event_samples.scheme_of(dialect))
    except ConnectorError as error:
        shell.tell_error(error)
        return _back(one)
    _record("webhook_sample_sent", one)
    link = url_for("events.listing", connection=one.id)
    if status == 200:
        shell.tell(f"{event} was taken in", "What came of it is told there.", link=link, label="Open events")
    else:
        shell.tell("The sample was not taken", f"The connector answered {status}.", tone="bad")
    return _back(one)


def _by_whop(one: Connection) -> int | None:
    return hooking.test(shell.parts().hooks, one, TEST_EVENT)


def _by_us(one: Connection) -> int | None:
    parts, scheme = shell.parts(), _scheme()
    body = own_door.harmless(one, scheme, present.iso(parts.tools.clock()))
    return own_door.post(parts, one, body, scheme)


def _tell_test(one: Connection, status: int | None, sender: str) -> None:
    if status == 200:
        link = url_for("events.listing", connection=one.id)
        told = "It is in the list of events in a moment, and changes nothing in Twenty."
        shell.tell("The test event arrived", told, link=link, label="Open events")
    elif status is None:
        shell.tell("The test event did not arrive", f"{sender} got no answer at this address.", tone="bad")
    else:
        told = f"{sender} was answered {status}. Below it stands why, under what was refused."
        shell.tell("The test event was not taken", told, tone="bad")


def _scheme() -> Scheme:
    try:
        return Scheme(request.form.get("scheme", "standard"))
    except ValueError:
        abort(400)


def _samples() -> dict[str, list[str]]:
    """Dialect → the events that there are samples of."""
    return {dialect: event_samples.names(dialect) for dialect in event_samples.DIALECTS}


def _owner() -> str:
    return f"web-{uuid.uuid4().hex[:12]}"


def _back(one: Connection) -> ResponseReturnValue:
    return flask.redirect(url_for(".show", id_=one.id), 303)


def _record(what: str, one: Connection) -> None:
    with shell.parts().database.transaction() as session:
        access.record(session, what, company=present.company(one), connection=one.id)
