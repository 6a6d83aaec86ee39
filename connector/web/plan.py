"""What is created in the CRM, and the agreement to it, which starts the first sync."""

from __future__ import annotations

import flask
from flask import Blueprint, g, render_template, request, url_for
from flask.typing import ResponseReturnValue

from connector.errors import ConnectorError, RefusedError, SchemaError
from connector.store import overview
from connector.store.connections import Connection
from connector.sync import mirror, modelling, onboarding
from connector.web import access, limits, permissions, plan_extras, plan_lines, present, shell, whop
from connector.web.crm_links import CrmLinks
from connector.web.views_connections import found_or_404

blueprint = access.protect(Blueprint("plan", __name__))

AGREE_LIMIT = "10 per minute"
#: A second click meets the first one's work, and looks this often, this many seconds apart, how far it is.
_LOOKS = 40
_PAUSE = 1.0
_TRIES = 4


def _by_operator() -> str:
    return f"operator {g.person.id}"


@blueprint.get("/connections/<id_>/plan")
def show(id_: str) -> ResponseReturnValue:
    """Object by object: what is created, what is right already, what is in the way."""
    one = found_or_404(id_)
    if (there := _under_way(one)) is not None:
        return there
    plan = modelling.plan(shell.parts().tools, g.workspace, admin_id=g.person.admin_id)
    crm = CrmLinks(g.workspace)
    return render_template(
        "whop/plan.html",
        connection=one,
        title=present.company(one),
        is_new=_is_new(one),
        plan=plan,
        lines=list(plan_lines.lines(plan.steps, crm)),
        permissions=permissions.of(one),
        extras=plan_extras.gathered(g.workspace, crm),
    )


@blueprint.post("/connections/<id_>/plan")
@limits.limiter.limit(AGREE_LIMIT, key_func=_by_operator)
def agree(id_: str) -> ResponseReturnValue:
    """Create what the plan showed; for a new company, start the first sync and show it.

    A second click shows the same sync.
    """
    one = found_or_404(id_)
    if (there := _under_way(one)) is not None:
        return there
    if not _is_new(one):
        return _create_only(one)
    mirror.check_may_run(one)
    parts = shell.parts()
    why = f"First sync, started by {g.person.name}"
    try:
        _prepare()
        run_id = onboarding.start_sync(parts.tools, one, "full", why=why, correlation_id=g.correlation_id)
    except ConnectorError:
        if (there := _under_way(one)) is not None:
            return there
        raise
    _record(one, "plan_agreed", "sync_started")
    shell.tell("The first sync has started", "You may close this page; it goes on by itself.")
    return flask.redirect(url_for("runs.show", run_id=run_id), 303)


def _create_only(one: Connection) -> ResponseReturnValue:
    _prepare()
    _record(one, "plan_agreed")
    shell.tell("Created in Twenty", "The next sync fills what is new.")
    return flask.redirect(url_for(".show", id_=one.id), 303)


@blueprint.post("/connections/<id_>/plan/workflow")
@limits.limiter.limit(AGREE_LIMIT, key_func=_by_operator)
def switch_workflow(id_: str) -> ResponseReturnValue:
    """Pause the workflow that makes companies, or switch it on again."""
    one, on = found_or_404(id_), request.form.get("on") == "yes"
    workflows = shell.parts().openers.workflows(g.workspace, g.person.admin_id)
    found = workflows.for_new_people()
    if found is not None and found.active != on:
        try:
            workflows.switch(found, on=on)
        except RefusedError as error:
            return _not_done(error, id_)
        _record(one, "workflow_resumed" if on else "workflow_paused")
        shell.tell("The workflow is on again" if on else "The workflow is paused", found.name)
    return flask.redirect(url_for(".show", id_=id_), 303)


@blueprint.post("/connections/<id_>/plan/views")
@limits.limiter.limit(AGREE_LIMIT, key_func=_by_operator)
def make_views(id_: str) -> ResponseReturnValue:
    """Make the lists that are missing."""
    one, parts = found_or_404(id_), shell.parts()
    try:
        made = parts.openers.views(g.workspace, g.person.admin_id).make(shell.mappings().mappings)
    except RefusedError as error:
        return _not_done(error, id_)
    _record(one, "views_made")
    shell.tell("The lists are in Twenty", ", ".join(view.name for view in made if view.at))
    return flask.redirect(url_for(".show", id_=id_, _anchor="views"), 303)


def _not_done(error: RefusedError, id_: str) -> ResponseReturnValue:
    """Back to the plan, with what a person can do instead."""
    shell.tell(str(error), error.remedy, tone="bad")
    return flask.redirect(url_for(".show", id_=id_), 303)


@blueprint.errorhandler(ConnectorError)
def failed(error: ConnectorError) -> ResponseReturnValue:
    """What stands in the way, what is safe, and *Try again*."""
    id_ = (request.view_args or {}).get("id_", "")
    page = render_template("whop/unplanned.html", error=error, again=url_for(".show", id_=id_))
    return page, whop.status_of(error)


def _is_new(one: Connection) -> bool:
    """Whether it has never been synced to the end."""
    return one.last_sync_at is None


def _record(one: Connection, *what: str) -> None:
    with shell.parts().database.transaction() as session:
        for code in what:
            access.record(session, code, company=present.company(one), connection=one.id)


def _prepare() -> None:
    """Create what is missing. Where Twenty refuses, somebody else may be creating the same just now."""
    parts = shell.parts()
    for _ in range(_TRIES - 1):
        try:
            modelling.provision(parts.tools, g.workspace, admin_id=g.person.admin_id)
        except SchemaError as error:
            if error.code != "crm_schema_refused":
                raise
            _wait_for_others()
        else:
            return
    modelling.provision(parts.tools, g.workspace, admin_id=g.person.admin_id)


def _wait_for_others() -> None:
    """Until nobody creates anything any more: what is still missing then is for us to create."""
    left = _left_to_do()
    for _ in range(_LOOKS):
        shell.parts().openers.pause(_PAUSE)
        before, left = left, _left_to_do()
        if left in (0, before):
            return


def _left_to_do() -> int:
    return len(modelling.plan(shell.parts().tools, g.workspace, admin_id=g.person.admin_id).changes)


def _under_way(one: Connection) -> ResponseReturnValue | None:
    """On to the run that is there already, saying so."""
    with shell.parts().database.reading() as session:
        active = overview.active_runs(session, one.workspace_id).get(one.id)
    if active is None:
        return None
    shell.tell("A sync is under way already", "It is this one; no second one was started.", tone="")
    return flask.redirect(url_for("runs.show", run_id=active.id), 303)
