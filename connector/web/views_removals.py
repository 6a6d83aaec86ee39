"""Records that are gone from Whop and too many to be removed without asking: which they are, yes or no."""

from __future__ import annotations

from typing import Any, NamedTuple

import flask
from flask import Blueprint, abort, g, render_template, url_for
from flask.typing import ResponseReturnValue

from connector.core.gone import Gone
from connector.core.mapping import Mapping
from connector.errors import ConnectorError, RefusedError
from connector.store import connections, logbook, removals, runs, workspaces
from connector.store.db import Session
from connector.store.runs import Run
from connector.sync import answering, leaving, removing
from connector.web import access, present, shell
from connector.web.crm_links import CrmLinks

blueprint = access.protect(Blueprint("removals", __name__))

_SHOWN = 200


class Line(NamedTuple):
    """One record: what it is called, its id on Whop, and its page in Twenty."""

    name: str
    source_id: str
    page: str


class Asked(NamedTuple):
    """What is asked about one kind: so many of so many, what would be done, and the first of them."""

    name: str
    number: int
    of: int
    what: str
    lines: list[Line]


@blueprint.get("/runs/<run_id>/removals")
def show(run_id: str) -> str:
    """What would be removed."""
    with shell.parts().database.reading() as session:
        run = _found(session, run_id)
        links = CrmLinks(workspaces.get(session, run.workspace_id))
        connection = connections.get(session, run.workspace_id, run.connection_id)
        asked = [_asked(session, run, one, links) for one in _mappings(run)]
    return render_template(
        "pages/removals.html",
        run=run,
        title=present.company(connection),
        run_name=present.run_name(run),
        asked=asked,
        total=sum(one.number for one in asked),
        shown=_SHOWN,
    )


@blueprint.post("/runs/<run_id>/removals/approve")
def approve(run_id: str) -> ResponseReturnValue:
    """Have them removed: each is looked for on Whop once more."""
    run = _run(run_id)
    try:
        new = answering.approve(
            shell.parts().tools, run.workspace_id, run.id, who=g.person.name, correlation_id=g.correlation_id
        )
    except ConnectorError as error:
        shell.tell_error(error)
        return flask.redirect(url_for("runs.show", run_id=run_id), 303)
    _record("removals_approved", run)
    shell.tell("Approved", "Each record is looked for on Whop once more before anything happens to it.")
    return flask.redirect(url_for("runs.show", run_id=new), 303)


@blueprint.post("/runs/<run_id>/removals/refuse")
def refuse(run_id: str) -> ResponseReturnValue:
    """Leave them as they are."""
    run = _run(run_id)
    try:
        kept = answering.refuse(shell.parts().tools, run.workspace_id, run.id, who=g.person.name)
    except ConnectorError as error:
        shell.tell_error(error)
        return flask.redirect(url_for("runs.show", run_id=run_id), 303)
    _record("removals_refused", run)
    shell.tell(f"{present.plural(kept, 'record')} left as they are", "You are not asked about them again.")
    return flask.redirect(url_for("runs.show", run_id=run_id), 303)


def _run(run_id: str) -> Run:
    with shell.parts().database.reading() as session:
        return _found(session, run_id)


def _found(session: Session, run_id: str) -> Run:
    try:
        run = runs.get(session, shell.workspace_id(), run_id)
    except RefusedError:
        abort(404)
    if not removing.asks(run):
        abort(404)
    return run


def _mappings(run: Run) -> list[Mapping]:
    return [one for one in shell.mappings() if one.kind in removing.asks(run)]


def _asked(session: Session, run: Run, mapping: Mapping, links: CrmLinks) -> Asked:
    told: dict[str, Any] = removing.asks(run)[mapping.kind]
    scope = leaving.scope_of(mapping, run.workspace_id, run.connection_id)
    found = removals.unseen(session, scope, told["from"], 0, _SHOWN)
    names = logbook.titles(session, run.workspace_id, [left.ref.id for left in found])
    object_ = mapping.object.name
    lines = [
        Line(names.get(left.ref.id, left.ref.id), left.ref.id, links.record(object_, left.crm_id))
        for left in found
    ]
    return Asked(shell.vocabulary().many(object_), told["count"], told["of"], _what(mapping), lines)


def _what(mapping: Mapping) -> str:
    gone, words = mapping.when_gone, shell.vocabulary()
    if gone.do is Gone.DELETE:
        return "goes into Twenty’s bin, where only we made it and nobody has changed it since"
    field = words.field(mapping.object.name, gone.field or "")
    value: Any = words.told(mapping.object.name, gone.field or "", gone.value)
    return f"gets {field}: {value}" if value else f"has {field} emptied"


def _record(what: str, run: Run) -> None:
    with shell.parts().database.transaction() as session:
        access.record(session, what, run=run.number, connection=run.connection_id)
