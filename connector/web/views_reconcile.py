"""Is Twenty what Whop says? Reports of comparisons, what differs, and the buttons that mend it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import flask
from flask import Blueprint, Response, abort, g, render_template, request, url_for
from flask.typing import ResponseReturnValue

from connector.core.reconciling import REPAIRABLE, TARGET, Cause, Standing, count, share
from connector.errors import ConnectorError, RefusedError
from connector.store import connections, differences, reconcile_plans, reconciliations
from connector.store.db import Database
from connector.store.differences import DifferenceFilter, Kept
from connector.store.paging import Place
from connector.store.reconciliations import Reconciliation
from connector.sync import reconciling
from connector.web import access, downloads, error_registry, filters, present, shares, shell
from connector.web.crm_links import CrmLinks
from connector.web.present import Status
from connector.web.views_connections import by_hand, found_or_404

blueprint = access.protect(Blueprint("reconcile", __name__))

_PAGE: Final = 50
_STATUS: Final = {
    "queued": Status("Queued", "queued"),
    "running": Status("Running", "running", "info"),
    "done": Status("Done", "success", "ok"),
    "failed": Status("Failed", "failed", "bad"),
    "cancelled": Status("Cancelled", "cancelled"),
}
CAUSES: Final = {
    "drift": Status("Changed in Twenty", "updated", "warn"),
    "behind": Status("Not up to date", "waiting", "warn"),
    "missing": Status("Missing in Twenty", "created", "bad"),
    "duplicate": Status("There twice", "partial", "warn"),
    "failing": Status("Failing", "failed", "bad"),
    "no_source": Status("Not on Whop any more", "none"),
}
_EVERY: Final = {"24": "Every night", "168": "Once a week", "0": "Only when you ask"}
_COLUMNS = ("cause", "object", "field", "whop", "twenty", "kind", "source_id", "crm_id", "title")


@blueprint.get("/reconcile")
def listing() -> str:
    """Every comparison, newest first."""
    desk = shell.workspace_id()
    with shell.parts().database.reading() as session:
        leaf = reconciliations.page(session, desk, filters.place(), _PAGE)
        known = [one for one in connections.of_workspace(session, desk) if one.status == "active"]
        plans = {one.id: reconcile_plans.get(session, desk, one.id) for one in known}
        titles = {one.id: present.company(one) for one in connections.of_workspace(session, desk)}
    return render_template(
        "pages/reconcile.html",
        leaf=leaf,
        known=known,
        plans=plans,
        titles=titles,
        every=_EVERY,
        here=filters.here,
        **_words(),
    )


@blueprint.get("/reconcile/<comparison_id>")
def show(comparison_id: str) -> str:
    """One report."""
    one, desk, wanted = _found(comparison_id), shell.workspace_id(), _wanted()
    with shell.parts().database.reading() as session:
        leaf = differences.page(session, desk, one.number, wanted, filters.place(), _PAGE)
        fields = differences.fields(session, desk, one.number)
        title = present.company(connections.get(session, desk, one.connection_id))
        mendable = sum(
            len(ids)
            for ids in differences.repairable(session, desk, one.number, reconciling.MOST_REPAIRED).values()
        )
    return render_template(
        "pages/reconciliation.html",
        one=one,
        title=title,
        leaf=leaf,
        fields=fields,
        mendable=mendable,
        most=reconciling.MOST_REPAIRED,
        any_filter=filters.is_filtered("object", "field", "cause"),
        causes=CAUSES,
        words=shell.vocabulary(),
        crm=CrmLinks(g.workspace),
        error_of=error_registry.entry,
        here=filters.here,
        args=filters.word,
        shown=_shown,
        **_words(),
    )


@blueprint.get("/reconcile/<comparison_id>/differences.csv")
def download(comparison_id: str) -> Response:
    """What differs, as the filters of the page have it."""
    one, wanted, desk = _found(comparison_id), _wanted(), shell.workspace_id()
    name = f"comparison-{one.number}"
    return downloads.table(_COLUMNS, _rows(shell.parts().database, desk, one.number, wanted), name)


@blueprint.post("/connections/<id_>/reconcile")
def start(id_: str) -> ResponseReturnValue:
    """Compare now."""
    one = found_or_404(id_)
    try:
        new = reconciling.start(shell.parts().tools, one, why=by_hand(), correlation_id=g.correlation_id)
    except ConnectorError as error:
        shell.tell_error(error)
        return flask.redirect(url_for(".listing"), 303)
    _record("reconcile_started", one.id)
    shell.tell("Comparing", "Nothing is changed by it. You may close this page.")
    return flask.redirect(url_for(".show", comparison_id=new), 303)


@blueprint.post("/connections/<id_>/reconcile/plan")
def plan(id_: str) -> ResponseReturnValue:
    """How often it is compared by itself."""
    one, every = found_or_404(id_), request.form.get("every", "")
    if every not in _EVERY:
        abort(404)
    reconciling.plan(shell.parts().tools, one.workspace_id, one.id, int(every))
    _record("reconcile_planned", one.id)
    shell.tell(f"Compared: {_EVERY[every].lower()}", present.company(one))
    return flask.redirect(url_for(".listing"), 303)


@blueprint.post("/reconcile/<comparison_id>/cancel")
def cancel(comparison_id: str) -> ResponseReturnValue:
    """End it before it is through."""
    one = _found(comparison_id)
    try:
        reconciling.cancel(shell.parts().tools, one.workspace_id, one.id, who=g.person.name)
    except ConnectorError as error:
        shell.tell_error(error)
        return flask.redirect(url_for(".show", comparison_id=comparison_id), 303)
    _record("reconcile_cancelled", one.connection_id)
    shell.tell("Cancelled", "What it had found until then is listed.")
    return flask.redirect(url_for(".show", comparison_id=comparison_id), 303)


@blueprint.post("/reconcile/<comparison_id>/repair")
def repair(comparison_id: str) -> ResponseReturnValue:
    """Mend what differs, by a sync of just these records."""
    one = _found(comparison_id)
    try:
        run_id = reconciling.repair(
            shell.parts().tools,
            one.workspace_id,
            one.id,
            why=f"Repair of comparison {one.number}, by {g.person.name}",
            correlation_id=g.correlation_id,
        )
    except ConnectorError as error:
        shell.tell_error(error)
        return flask.redirect(url_for(".show", comparison_id=comparison_id), 303)
    _record("reconcile_repaired", one.connection_id)
    shell.tell("Repair started", "It is a sync of just these records. Compare again when it has ended.")
    return flask.redirect(url_for("runs.show", run_id=run_id), 303)


def _found(id_: str) -> Reconciliation:
    try:
        with shell.parts().database.reading() as session:
            return reconciliations.get(session, shell.workspace_id(), id_)
    except RefusedError:
        abort(404)


def _wanted() -> DifferenceFilter:
    return DifferenceFilter(filters.word("object"), filters.word("field"), filters.word("cause"))


def _words() -> dict[str, Any]:
    return {
        "statuses": _STATUS,
        "rate_of": lambda one: shares.in_step(share(one.counts)),
        "is_low": lambda one: (share(one.counts) or 1) < TARGET,
        "count": lambda one, standing: count(one.counts, Standing(standing)),
        "repairable": tuple(cause.value for cause in REPAIRABLE),
    }


def _shown(one: Kept, value: Any) -> str:
    return shell.vocabulary().told(one.object, one.field or "", value)


def _rows(
    database: Database, workspace_id: str, number: int, wanted: DifferenceFilter
) -> Iterator[tuple[Any, ...]]:
    """Page by page, with no transaction open while the reader is waited for."""
    place: Place | None = Place()
    while place is not None:
        with database.reading() as session:
            leaf = differences.page(session, workspace_id, number, wanted, place, 1000)
        for one in leaf.items:
            yield (
                *(Cause(one.cause).value, one.object, one.field, one.said, one.there),
                *(one.kind, one.source_id, one.crm_id, one.title),
            )
        place = None if leaf.older is None else Place(before=leaf.older)


def _record(what: str, connection_id: str) -> None:
    with shell.parts().database.transaction() as session:
        found = connections.get(session, shell.workspace_id(), connection_id)
        access.record(session, what, company=present.company(found), connection=connection_id)
