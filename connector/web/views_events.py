"""Events: what Whop told, what came of it, and taking them again."""

from __future__ import annotations

from typing import Any

import flask
from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue

from connector.errors import RefusedError
from connector.store import connections, eventbook, inbox, overview
from connector.store.eventbook import STATES, EventFilter
from connector.store.inbox import InboxEvent
from connector.web import access, error_registry, event_words, filters, present, redacting, shell

blueprint = access.protect(Blueprint("events", __name__))

_PAGE = 50
_FILTERS = ("state", "type", "connection", "q")


@blueprint.get("/events")
def listing() -> str:
    """Events, newest first."""
    desk, wanted = shell.workspace_id(), _wanted()
    with shell.parts().database.reading() as session:
        leaf = eventbook.event_page(session, desk, wanted, filters.place(), _PAGE)
        known = connections.of_workspace(session, desk)
        flows = {one.id: eventbook.flow(session, desk, one.id) for one in known}
        types = eventbook.types(session, desk)
    return render_template(
        "pages/events.html",
        leaf=leaf,
        parked=sum(flow.parked for flow in flows.values()),
        waiting=sum(flow.waiting for flow in flows.values()),
        last_at=max((flow.last_at for flow in flows.values() if flow.last_at), default=None),
        types=types,
        titles={one.id: present.company(one) for one in known},
        any_filter=filters.is_filtered(*_FILTERS),
        **_words(),
    )


@blueprint.get("/events/<int:event_id>")
def show(event_id: int) -> str:
    """One event with its body, in which what could open a door or identify a person is covered."""
    event, desk = _found(event_id), shell.workspace_id()
    with shell.parts().database.reading() as session:
        run_ids = overview.run_ids(session, desk, [event.run] if event.run else [])
    body = redacting.covered(event.body)
    return render_template(
        "pages/event.html",
        event=event,
        run_id=run_ids.get(event.run or 0),
        body=body,
        error=error_registry.entry(event.error["code"]) if event.error else None,
        **_words(),
    )


@blueprint.post("/events/replay")
def replay() -> ResponseReturnValue:
    """Take the named events again, or all that are parked."""
    desk, now = shell.workspace_id(), shell.parts().tools.clock()
    named = request.form.getlist("event")
    if not all(one.isascii() and one.isdecimal() and len(one) < 19 for one in named):
        abort(400)
    with shell.parts().database.transaction() as session:
        ids = [int(one) for one in named] or eventbook.parked_ids(session, desk)
        count = inbox.replay(session, desk, ids, now)
        if count:
            access.record(session, "events_replayed", count=count)
    shell.parts().bell.ring_once("drain", "webhooks")
    if count:
        shell.tell(
            f"{present.plural(count, 'event')} taken again", "What comes of it shows here in a moment."
        )
    else:
        shell.tell("No event was taken again", "Nothing is parked, or it is gone.", tone="warn")
    return flask.redirect(access.came_from() if named else url_for(".listing"), 303)


def _wanted() -> EventFilter:
    state = filters.word("state")
    return EventFilter(
        state if state in STATES else None,
        filters.word("type") or None,
        filters.word("connection") or None,
        filters.word("q"),
    )


def _found(event_id: int) -> InboxEvent:
    try:
        with shell.parts().database.reading() as session:
            return eventbook.get(session, shell.workspace_id(), event_id)
    except RefusedError:
        abort(404)


def _words() -> dict[str, Any]:
    return {
        "states": event_words.STATE,
        "story_of": event_words.story,
        "took": event_words.took,
        "here": filters.here,
        "args": filters.word,
    }
