"""Disconnecting a company, and what becomes of its records in the CRM: counted first, chosen, then done."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import flask
from flask import Blueprint, abort, g, render_template, request, url_for
from flask.typing import ResponseReturnValue

from connector.store import overview
from connector.store.connections import Connection
from connector.sync import leaving, steering
from connector.sync.leaving import Count, Then
from connector.sync.steering import Leave
from connector.web import access, present, shell
from connector.web.views_connections import found_or_404

blueprint = access.protect(Blueprint("disconnect", __name__))

#: Above so many records the number is typed by hand before anything happens to them.
TYPED_ABOVE: Final = 50


class Line(NamedTuple):
    """One object of the CRM: how many records, and in words what marking would write."""

    name: str
    linked: int
    made: int
    mark: str


@blueprint.get("/connections/<id_>/disconnect")
def ask(id_: str) -> str:
    """What disconnecting does, and a button for each thing that may be done with the records."""
    one = found_or_404(id_)
    if one.status == "revoked":
        abort(404)
    with shell.parts().database.reading() as session:
        counts = _counted(one)
        active = overview.active_of(session, one.workspace_id, one.id)
    return render_template(
        "pages/disconnect.html",
        one=one,
        title=present.company(one),
        active=active,
        lines=[_line(count) for count in counts if count.linked],
        known=sum(count.linked for count in counts),
        totals={then.value: leaving.total(counts, then) for then in Then},
        typed_above=TYPED_ABOVE,
    )


@blueprint.post("/connections/<id_>/disconnect")
def disconnect(id_: str) -> ResponseReturnValue:
    """Withdraw and forget the access; the records stay, or a run takes them back."""
    one, then = found_or_404(id_), _chosen()
    number = leaving.total(_counted(one), then)
    if one.status == "revoked":
        return flask.redirect(url_for("connections.listing"), 303)
    if then is not Then.KEEP and not _is_agreed(number):
        return flask.redirect(url_for(".ask", id_=id_), 303)
    parts, company = shell.parts(), present.company(one)
    why = f"{company} was disconnected by {g.person.name}"
    leave = Leave(then, why, g.correlation_id)
    run_id = steering.disconnect(
        parts.tools, parts.openers.keeper, one.workspace_id, one.id, leave, hooks=parts.hooks
    )
    with parts.database.transaction() as session:
        access.record(
            session, "disconnect", company=company, connection=one.id, records=then.value, number=number
        )
    if run_id is None:
        shell.tell(f"{company} is disconnected", "Its access was forgotten. What was synced stays.")
        return flask.redirect(url_for("connections.listing"), 303)
    shell.tell(f"{company} is disconnected", "This run does with its records what you chose.")
    return flask.redirect(url_for("runs.show", run_id=run_id), 303)


def _counted(one: Connection) -> list[Count]:
    mappings = shell.mappings().mappings
    with shell.parts().database.reading() as session:
        return leaving.count(session, mappings, one.workspace_id, one.id)


def _chosen() -> Then:
    try:
        return Then(request.form.get("then", "keep"))
    except ValueError:
        abort(400)


def _is_agreed(number: int) -> bool:
    """Whether the number that was shown still holds, and was typed where there are many; else it is said."""
    shown = request.form.get("number", "")
    if shown != str(number):
        shell.tell("The number has changed", "Nothing was done. Look at it again.", tone="warn")
        return False
    typed = "".join(filter(str.isdigit, request.form.get("typed", "")))
    if number > TYPED_ABOVE and typed != shown:
        told = f"Nothing was done. Type {present.number(number)} to show that you mean it."
        shell.tell("The number was not typed", told, tone="warn")
        return False
    return number > 0


def _line(count: Count) -> Line:
    words = shell.vocabulary()
    return Line(words.many(count.object), count.linked, count.made, _mark(count) if count.marked else "")


def _mark(count: Count) -> str:
    gone, words = count.mapping.when_gone, shell.vocabulary()
    field = words.field(count.object, gone.field or "")
    value: Any = words.told(count.object, gone.field or "", gone.value)
    return f"{field}: {value}" if value else f"{field}: emptied"
