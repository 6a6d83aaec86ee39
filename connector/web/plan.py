"""What will be created in the CRM, and the agreement to it, which starts the first sync."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import flask
from flask import Blueprint, g, render_template, request, url_for
from flask.typing import ResponseReturnValue

from connector.errors import ConnectorError, SchemaError
from connector.ports import SchemaStep
from connector.sources.whop import scopes
from connector.sources.whop.scopes import Scope
from connector.store import overview
from connector.store.connections import Connection
from connector.sync import connecting, mirror, modelling, onboarding
from connector.web import access, limits, present, shell, whop
from connector.web.views_connections import found_or_404

blueprint = access.protect(Blueprint("plan", __name__))

AGREE_LIMIT = "10 per minute"
#: A second click meets the first one's work, and looks this often, this many seconds apart, how far it is.
_LOOKS = 40
_PAUSE = 1.0
_TRIES = 4


class Line(NamedTuple):
    """What happens to one object of the CRM."""

    object: str
    word: str
    shape: str
    tone: str
    what: str
    fields: str


class Conflict(NamedTuple):
    """What is in the way, with what to do in ``why``."""

    where: str
    why: str


def _by_operator() -> str:
    return f"operator {g.operator.id}"


@blueprint.get("/connections/<id_>/plan")
def show(id_: str) -> ResponseReturnValue:
    """Object by object: what is created, what is right already, what is in the way."""
    one = found_or_404(id_)
    if (there := _under_way(one)) is not None:
        return there
    tools = shell.parts().tools
    steps = modelling.plan(tools, g.workspace).steps
    return render_template(
        "whop/plan.html",
        connection=one,
        title=present.company(one),
        lines=list(_lines(steps)),
        conflicts=[_conflict(step) for step in steps if step.do == "conflict"],
        missing=_missing(one),
    )


@blueprint.post("/connections/<id_>/plan")
@limits.limiter.limit(AGREE_LIMIT, key_func=_by_operator)
def agree(id_: str) -> ResponseReturnValue:
    """Create what the plan showed, start the first sync and show it; a second click shows the same one."""
    one = found_or_404(id_)
    if (there := _under_way(one)) is not None:
        return there
    mirror.check_may_run(one)
    parts = shell.parts()
    why = f"First sync, started by {g.operator.name}"
    try:
        _prepare()
        run_id = onboarding.start_sync(parts.tools, one, "full", why=why, correlation_id=g.correlation_id)
    except ConnectorError:
        if (there := _under_way(one)) is not None:
            return there
        raise
    with parts.database.transaction() as session:
        for what in ("plan_agreed", "sync_started"):
            access.record(session, what, company=present.company(one), connection=one.id)
    shell.tell("The first sync has started", "You may close this page; it goes on by itself.")
    return flask.redirect(url_for("runs.show", run_id=run_id), 303)


@blueprint.errorhandler(ConnectorError)
def failed(error: ConnectorError) -> ResponseReturnValue:
    """What stands in the way, what is safe, and *Try again*."""
    id_ = (request.view_args or {}).get("id_", "")
    page = render_template("whop/unplanned.html", error=error, again=url_for(".show", id_=id_))
    return page, whop.status_of(error)


def _prepare() -> None:
    """Create what is missing. Where Twenty refuses, somebody else may be creating the same just now."""
    parts = shell.parts()
    for _ in range(_TRIES - 1):
        try:
            modelling.provision(parts.tools, g.workspace)
        except SchemaError as error:
            if error.code != "crm_schema_refused":
                raise
            _wait_for_others()
        else:
            return
    modelling.provision(parts.tools, g.workspace)


def _wait_for_others() -> None:
    """Until nobody creates anything any more: what is still missing then is for us to create."""
    left = _left_to_do()
    for _ in range(_LOOKS):
        shell.parts().openers.pause(_PAUSE)
        before, left = left, _left_to_do()
        if left in (0, before):
            return


def _left_to_do() -> int:
    return len(modelling.plan(shell.parts().tools, g.workspace).changes)


def _under_way(one: Connection) -> ResponseReturnValue | None:
    """On to the run that is there already, saying so."""
    with shell.parts().database.reading() as session:
        active = overview.active_runs(session, one.workspace_id).get(one.id)
    if active is None:
        return None
    shell.tell("A sync is under way already", "It is this one; no second one was started.", tone="")
    return flask.redirect(url_for("runs.show", run_id=active.id), 303)


def _missing(one: Connection) -> list[Scope]:
    lacks = connecting.missing(shell.parts().desk, one)
    return [scope for scope in scopes.needed(shell.parts().mappings) if scope.name in lacks]


def _lines(steps: Sequence[SchemaStep]) -> Iterator[Line]:
    for object_, group in groupby(steps, lambda step: step.object):
        yield _line(object_, list(group))


def _line(object_: str, steps: Sequence[SchemaStep]) -> Line:
    label = shell.vocabulary().object(object_)
    new = [step.field for step in steps if step.do == "create" and step.field]
    wider = [step.field for step in steps if step.do == "options" and step.field]
    names = ", ".join(shell.vocabulary().field(object_, name) for name in [*new, *wider])
    told = [present.plural(len(new), "new field")] if new else []
    told += [f"{present.plural(len(wider), 'field')} with new options"] if wider else []
    if any(step.do == "create" and step.field is None for step in steps):
        return Line(label, "New object", "created", "ok", ", ".join(["new object", *told]), names)
    if told:
        return Line(label, "New fields", "created", "ok", ", ".join(told), names)
    if all(step.do == "conflict" for step in steps):
        return Line(label, "In the way", "failed", "bad", "see below", "")
    return Line(label, "Right", "success", "ok", "nothing to create", "")


def _conflict(step: SchemaStep) -> Conflict:
    label = shell.vocabulary().object(step.object)
    return Conflict(f"{label} · {step.field}" if step.field else label, step.why)
