"""Records that only a person can place: the list of them, one with its candidates, and the decision."""

from __future__ import annotations

from typing import Any

import flask
from flask import Blueprint, abort, g, render_template, request, url_for
from flask.typing import ResponseReturnValue

from connector.core.plan import Choice, Decision
from connector.errors import ConnectorError, RefusedError
from connector.store import connections, reviews
from connector.store.db import Session
from connector.store.reviews import Review
from connector.sync import deciding
from connector.web import access, filters, present, reviewing, shell
from connector.web.crm_links import CrmLinks

blueprint = access.protect(Blueprint("review", __name__))

_PAGE = 50


@blueprint.get("/review")
def listing() -> str:
    """What waits for a decision, newest first; or what was decided."""
    desk, decided = shell.workspace_id(), filters.word("show") == "decided"
    states = (reviews.DECIDED, reviews.DONE) if decided else (reviews.WAITING,)
    with shell.parts().database.reading() as session:
        leaf = reviews.page(session, desk, states, filters.word("connection") or None, filters.place(), _PAGE)
        known = connections.of_workspace(session, desk)
    return render_template(
        "pages/reviews.html",
        leaf=leaf,
        decided=decided,
        titles={one.id: present.company(one) for one in known},
        any_filter=filters.is_filtered("connection"),
        here=filters.here,
        args=filters.word,
        **_words(),
    )


@blueprint.get("/review/<int:review_id>")
def show(review_id: int) -> str:
    """One record beside the records of the CRM that it may be."""
    desk, one = shell.workspace_id(), _found(review_id)
    with shell.parts().database.reading() as session:
        connection = connections.get(session, desk, one.connection_id)
        left = sum(reviews.waiting(session, desk).values())
    return render_template(
        "pages/review.html",
        one=one,
        company=present.company(connection),
        left=left,
        rows=reviewing.side_by_side(one, shell.vocabulary()),
        crm=CrmLinks(g.workspace),
        **_words(),
    )


@blueprint.post("/review/<int:review_id>")
def decide(review_id: int) -> ResponseReturnValue:
    """Take a decision, and go on to the next record that waits."""
    one, decision = _found(review_id), _decision()
    try:
        deciding.decide(
            shell.parts().tools,
            shell.workspace_id(),
            review_id,
            decision,
            version=request.form.get("version", ""),
            who=g.person.name,
            tell=_teller("review_decided", decision.choice.value),
        )
    except ConnectorError as error:
        shell.tell_error(error)
        return flask.redirect(url_for(".show", review_id=review_id), 303)
    shell.tell(present.DECIDED[decision.choice.value], f"{_name(one)}. You can take it back at any time.")
    return flask.redirect(_next(), 303)


@blueprint.post("/review/<int:review_id>/take-back")
def take_back(review_id: int) -> ResponseReturnValue:
    """Forget a decision: the record is asked about again."""
    one = _found(review_id)
    try:
        deciding.take_back(
            shell.parts().tools,
            shell.workspace_id(),
            review_id,
            tell=_teller("review_taken_back", one.choice or ""),
        )
    except ConnectorError as error:
        shell.tell_error(error)
    else:
        shell.tell("Taken back", f"{_name(one)} is looked at again now. What was written in Twenty stays.")
    return flask.redirect(url_for(".show", review_id=review_id), 303)


def _decision() -> Decision:
    choice = request.form.get("decision", "")
    if choice not in tuple(Choice):
        abort(400)
    chosen = request.form.get("crm_id") if choice == Choice.LINK else None
    return Decision(Choice(choice), chosen)


def _next() -> str:
    with shell.parts().database.reading() as session:
        leaf = reviews.page(session, shell.workspace_id(), (reviews.WAITING,), limit=1)
    return url_for(".show", review_id=leaf.items[0].id) if leaf.items else url_for(".listing")


def _teller(what: str, choice: str) -> deciding.Tell:
    def tell(session: Session, one: Review) -> None:
        access.record(
            session, what, record=f"{one.kind} {one.source_id}", choice=choice, linked_to=one.crm_id
        )

    return tell


def _found(review_id: int) -> Review:
    try:
        with shell.parts().database.reading() as session:
            return reviews.get(session, shell.workspace_id(), review_id)
    except RefusedError:
        abort(404)


def _name(one: Review) -> str:
    return one.title.strip() or f"(no name) · {one.source_id}"


def _words() -> dict[str, Any]:
    return {"why": present.WHY, "choices": present.CHOICE, "name_of": _name, "words": shell.vocabulary()}
