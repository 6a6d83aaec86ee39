"""One record: is it in step, where each of its values comes from, and everything that touched it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import flask
from flask import Blueprint, abort, g, render_template, url_for
from flask.typing import ResponseReturnValue

from connector.errors import ConnectorError
from connector.sources.whop import front
from connector.store import connections, conversations
from connector.store.connections import Connection
from connector.store.histories import Known
from connector.sync import explaining, steering
from connector.sync.explaining import Story
from connector.web import access, error_registry, event_words, present, shell, talk_words, timeline
from connector.web.crm_links import CrmLinks
from connector.web.present import Status
from connector.web.views_connections import by_hand, refused

blueprint = access.protect(Blueprint("records", __name__))

_SHOWN = 25
_STATES: Final[Mapping[str, Status]] = {
    "linked": Status("In step", "success", "ok"),
    "review": Status("Waits for you", "waiting", "warn"),
    "failed": Status("Failing", "failed", "bad"),
    "deleted_in_crm": Status("Deleted in Twenty", "none"),
    "gone": Status("Removed from Twenty", "none"),
    "ignored": Status("Left out, as you decided", "none"),
}
_HELD: Final = Status("Held", "paused", "warn")
_BEHIND: Final = Status("To be compared", "waiting", "info")
_UNKNOWN: Final = Status("Not in Twenty", "none")
_OWN: Final[Mapping[str, str]] = {
    "always": "Whop decides; a change in Twenty is put back",
    "fill": "Filled while it is empty or holds what we wrote; what a person wrote stays",
    "once": "Written when the record is made, and never again",
    "never": "Never written",
}


@blueprint.get("/records/<kind>/<source_id>")
def show(kind: str, source_id: str) -> str:
    """All that is known of it."""
    told = _story(kind, source_id)
    first = told.known[0] if told.known else None
    owner = first.connection_id if first else _owner(told)
    with shell.parts().database.reading() as session:
        connection = connections.get(session, shell.workspace_id(), owner) if owner else None
        found = conversations.of_record(session, shell.workspace_id(), kind, source_id)
        talks = talk_words.with_replies(session, shell.workspace_id(), found)
    seen = told.runs.get(first.seen_run) if first and first.seen_run else None
    return render_template(
        "pages/record.html",
        kind=kind,
        source_id=source_id,
        story=told,
        first=first,
        name=present.name_of(told.entries[0]) if told.entries else source_id,
        company=present.company(connection) if connection else "",
        whop=_on_whop(connection, kind, source_id) if connection else "",
        moments=timeline.of(told.sales, told.events),
        sums=timeline.sums(told.sales),
        state=_state(first),
        seen=seen,
        shown=_SHOWN,
        own=_OWN,
        words=shell.vocabulary(),
        outcomes=present.OUTCOME,
        name_of=present.name_of,
        error_of=error_registry.entry,
        crm=CrmLinks(g.workspace),
        states=event_words.STATE,
        story_of=event_words.story,
        talks=talks,
        **talk_words.words(),
    )


@blueprint.post("/records/<kind>/<source_id>/sync")
def sync(kind: str, source_id: str) -> ResponseReturnValue:
    """Take just this record now, as Whop has it."""
    told, here = _story(kind, source_id), url_for(".show", kind=kind, source_id=source_id)
    owner = told.known[0].connection_id if told.known else _owner(told)
    if owner is None:
        abort(404)
    try:
        run_id = steering.take_again(
            shell.parts().tools,
            shell.workspace_id(),
            owner,
            {kind: [source_id]},
            why=f"Just {kind} {source_id}. {by_hand()}",
            correlation_id=g.correlation_id,
        )
    except ConnectorError as error:
        return refused(error, owner, here)
    with shell.parts().database.transaction() as session:
        access.record(session, "sync_started", record=f"{kind} {source_id}")
    shell.tell("It is being brought in line", "This page shows how it goes.")
    return flask.redirect(url_for("runs.show", run_id=run_id), 303)


def _on_whop(connection: Connection, kind: str, source_id: str) -> str:
    return front.page(shell.parts().settings.whop_api_url, connection.company_id, kind, source_id)


def _story(kind: str, source_id: str) -> Story:
    found = explaining.story(shell.parts().tools, shell.workspace_id(), kind, source_id)
    if not (found.known or found.entries or found.events):
        abort(404)
    return found


def _owner(told: Story) -> str | None:
    """The connection of a record that no link knows."""
    runs = (told.runs.get(entry.run) for entry in told.entries)
    owners = [run.connection_id for run in runs if run] + [event.connection_id for event in told.events]
    return owners[0] if owners else None


def _state(first: Known | None) -> Status:
    if first is None:
        return _UNKNOWN
    if first.held_run is not None:
        return _HELD
    if first.state == "linked" and not first.in_step:
        return _BEHIND
    return _STATES.get(first.state, _UNKNOWN)
