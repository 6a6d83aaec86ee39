"""Taking a sync back: what that would do, doing it, and the records that are held since."""

from __future__ import annotations

import flask
from flask import Blueprint, abort, g, render_template, request, url_for
from flask.typing import ResponseReturnValue

from connector.errors import ConnectorError, RefusedError
from connector.store import connections, holds, logbook, runs, workspaces
from connector.store.runs import Run
from connector.sync import undo
from connector.web import access, filters, present, shell
from connector.web.crm_links import CrmLinks
from connector.web.views_connections import by_hand, refused

blueprint = access.protect(Blueprint("undo", __name__))

_PAGE = 50


@blueprint.post("/runs/<run_id>/undo/preview")
def preview(run_id: str) -> ResponseReturnValue:
    """Find out what taking it back would do; nothing is written."""
    run = _found(run_id)
    try:
        new = undo.preview(
            shell.parts().tools,
            run.workspace_id,
            run.id,
            why=f"To see what undoing sync {run.number} would do. {by_hand()}",
            correlation_id=g.correlation_id,
        )
    except ConnectorError as error:
        return refused(error, run.connection_id, url_for("runs.show", run_id=run.id))
    _record("undo_previewed", run)
    return flask.redirect(url_for("runs.show", run_id=new), 303)


@blueprint.post("/runs/<run_id>/undo")
def begin(run_id: str) -> ResponseReturnValue:
    """Take back what this preview showed."""
    run = _found(run_id)
    try:
        new = undo.begin(
            shell.parts().tools,
            run.workspace_id,
            run.id,
            why=f"Undo of sync {run.checkpoint.get('of')}. {by_hand()}",
            correlation_id=g.correlation_id,
        )
    except ConnectorError as error:
        return refused(error, run.connection_id, url_for("runs.show", run_id=run.id))
    _record("undo_started", run)
    shell.tell("It is being taken back", "You may close this page; it goes on by itself.")
    return flask.redirect(url_for("runs.show", run_id=new), 303)


@blueprint.get("/held")
def held() -> str:
    """The records that no sync writes, because an admin took back what one had written."""
    desk = shell.workspace_id()
    with shell.parts().database.reading() as session:
        leaf = holds.page(session, desk, filters.place(), _PAGE)
        count = holds.count(session, desk)
        names = logbook.titles(session, desk, [one.source_id for one in leaf.items])
        known = connections.of_workspace(session, desk)
        crm = CrmLinks(workspaces.get(session, desk))
    return render_template(
        "pages/held.html",
        leaf=leaf,
        count=count,
        names=names,
        titles={one.id: present.company(one) for one in known},
        words=shell.vocabulary(),
        crm=crm,
        here=filters.here,
    )


@blueprint.post("/held/let-go")
def let_go() -> ResponseReturnValue:
    """Have the records that the form names, or all, follow Whop again."""
    wanted = request.form.getlist("record")
    if not wanted and request.form.get("all") != "yes":
        abort(400)
    count = undo.let_go(
        shell.parts().tools,
        shell.workspace_id(),
        wanted,
        why=f"Let go. {by_hand()}",
        correlation_id=g.correlation_id,
    )
    with shell.parts().database.transaction() as session:
        access.record(session, "undo_let_go", records=count)
    shell.tell(
        f"{present.plural(count, 'record')} let go",
        "They are brought in line with Whop now, or by the next sync where one is under way.",
    )
    return flask.redirect(url_for(".held"), 303)


def _found(run_id: str) -> Run:
    try:
        with shell.parts().database.reading() as session:
            return runs.get(session, shell.workspace_id(), run_id)
    except RefusedError:
        abort(404)


def _record(what: str, run: Run) -> None:
    with shell.parts().database.transaction() as session:
        access.record(session, what, run=run.checkpoint.get("of", run.number), connection=run.connection_id)
