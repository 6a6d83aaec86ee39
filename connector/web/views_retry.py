"""Take records of a run again: one, those of one cause, or all that failed."""

from __future__ import annotations

import flask
from flask import Blueprint, abort, g, request, url_for
from flask.typing import ResponseReturnValue

from connector.errors import ConnectorError, RefusedError
from connector.store import runs
from connector.store.runs import Run
from connector.sync import steering
from connector.web import access, shell
from connector.web.views_connections import by_hand, refused

blueprint = access.protect(Blueprint("retry", __name__))


@blueprint.post("/runs/<run_id>/retry")
def retry(run_id: str) -> ResponseReturnValue:
    """Start a repair of the entries that the form names, of its cause, or of every failure; then show it."""
    run, entries = _found(run_id), _entries()
    try:
        new = steering.retry(
            shell.parts().tools,
            run.workspace_id,
            run.id,
            entry_ids=entries,
            error_code=request.form.get("error") or None,
            why=f"{by_hand()}, after sync {run.number}",
            correlation_id=g.correlation_id,
        )
    except ConnectorError as error:
        return refused(error, run.connection_id, url_for("runs.show", run_id=run.id))
    with shell.parts().database.transaction() as session:
        access.record(session, "sync_started", again_after=run.number)
    shell.tell("Trying again", "This page shows how it goes.")
    return flask.redirect(url_for("runs.show", run_id=new), 303)


def _entries() -> list[int]:
    """The entries that are named. One that is no number must not come to mean all of them."""
    named = request.form.getlist("entry")
    if not all(one.isascii() and one.isdecimal() and len(one) < 19 for one in named):
        abort(400)
    return [int(one) for one in named]


def _found(run_id: str) -> Run:
    try:
        with shell.parts().database.reading() as session:
            return runs.get(session, shell.workspace_id(), run_id)
    except RefusedError:
        abort(404)
