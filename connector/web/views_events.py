"""Events: what Whop told, what came of it, and taking them again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flask
from flask import Blueprint, abort, g, render_template, request, url_for
from flask.typing import ResponseReturnValue

from connector.errors import RefusedError
from connector.sources.whop import payloads
from connector.store import acts, connections, eventbook, inbox, logbook, notes, overview, sales
from connector.store.db import Session
from connector.store.eventbook import STATES, EventFilter
from connector.store.inbox import InboxEvent
from connector.store.runs import LogEntry
from connector.sync import replaying
from connector.web import access, act_words, error_registry, event_words, filters, present, redacting, shell
from connector.web.crm_links import CrmLinks

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
        written = _written(session, event)
        left = notes.of_event(session, desk, event_id, event.source_id)
        set_off = acts.of_event(session, desk, event_id)
    return render_template(
        "pages/event.html",
        event=event,
        run_id=run_ids.get(event.run or 0),
        written=written,
        left=[event_words.note(one) for one in left],
        set_off=set_off,
        act_states=act_words.STATES,
        body=redacting.covered(event.body),
        error=error_registry.entry(event.error["code"]) if event.error else None,
        words=shell.vocabulary(),
        outcomes=present.OUTCOME,
        name_of=present.name_of,
        error_of=error_registry.entry,
        crm=CrmLinks(g.workspace),
        **_words(),
    )


def _written(session: Session, event: InboxEvent) -> list[LogEntry]:
    """What became of the event's record in its run; of a payment's also that of the membership it is for."""
    if event.run is None or event.source_id is None:
        return []
    paid = sales.memberships_of(session, event.workspace_id, event.connection_id, [event.source_id])
    ids = [event.source_id, *paid.values()]
    end = event.settled_at or shell.parts().tools.clock()
    return logbook.written_for(session, event.workspace_id, event.run, ids, (event.received_at, end))


@blueprint.post("/events/replay")
def replay() -> ResponseReturnValue:
    """Take the named events again, or all that are parked. Where they would leave notes and tasks, it is
    asked first whether they are to."""
    desk, now = shell.workspace_id(), shell.parts().tools.clock()
    named, wish = request.form.getlist("event"), request.form.get("notes")
    if not all(one.isascii() and one.isdecimal() and len(one) < 19 for one in named):
        abort(400)
    if request.form.get("some") and not named:
        shell.tell("No event was chosen", "Tick those that are to be taken again.", tone="warn")
        return flask.redirect(access.came_from(), 303)
    if wish is None and (would := _would_leave(named)):
        return render_template("pages/replay.html", named=named, would=would, back=access.came_from())
    with shell.parts().database.transaction() as session:
        ids = [int(one) for one in named] or eventbook.parked_ids(session, desk)
        count = inbox.replay(session, desk, ids, now, quiet=wish != "leave")
        if count:
            access.record(session, "events_replayed", count=count)
    shell.parts().bell.ring_once("drain", "webhooks")
    if count:
        shell.tell(
            f"{present.plural(count, 'event')} taken again", "What comes of it shows here in a moment."
        )
    else:
        shell.tell("No event was taken again", "Nothing is parked, or it is gone.", tone="warn")
    return flask.redirect(_where_to(named), 303)


def _would_leave(named: Sequence[str]) -> int:
    tools, desk = shell.parts().tools, shell.workspace_id()
    with tools.database.reading() as session:
        ids = [int(one) for one in named] or eventbook.parked_ids(session, desk)
        return replaying.would_leave(tools, session, desk, ids, payloads.heard)


def _where_to(named: Sequence[str]) -> str:
    """Where the button was pressed; after a question, to what it was about."""
    if request.form.get("notes") is None and named:
        return access.came_from()
    return url_for(".show", event_id=named[0]) if len(named) == 1 else url_for(".listing")


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
