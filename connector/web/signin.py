"""Signing in and out: by a one-time link, or by a password once one was set.

A wrong name, a wrong password and an operator without one get the same answer after the same time.
"""

from __future__ import annotations

import functools

import flask
from flask import Blueprint, current_app, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.security import check_password_hash, generate_password_hash

from connector.bootstrap import Parts
from connector.store import operators
from connector.web import access, browser_mark, limits

#: Public: nobody can be signed in before.
blueprint = Blueprint("signin", __name__)

LONGEST_PASSWORD = 200  # hashing takes longer the longer it is


def hashed(password: str) -> str:
    """What is kept of a password (scrypt)."""
    return generate_password_hash(password)


def is_right(password: str, kept: str | None) -> bool:
    """Whether it is the password that was kept; takes as long where none was."""
    right = check_password_hash(kept or _nobodys(), password[: LONGEST_PASSWORD + 1])
    return right and kept is not None


@functools.cache
def _nobodys() -> str:
    return hashed("the password of nobody")


@blueprint.get("/sign-in")
def form() -> ResponseReturnValue:
    """The form, and how to get a link."""
    onward = access.safe_path(request.args.get("next"))
    if access.current() is not None:
        return flask.redirect(onward, 303)
    return _form(onward, "", refused=False)


@blueprint.post("/sign-in")
@limits.limiter.shared_limit(limits.per_address, "sign-in", deduct_when=limits.failed)
@limits.limiter.limit(limits.per_name, scope="name", key_func=limits.typed_name, deduct_when=limits.failed)
def password() -> ResponseReturnValue:
    """Name and password → a session, and on to the page that was wanted."""
    name, onward = request.form.get("name", ""), access.safe_path(request.form.get("next"))
    with _parts().database.reading() as session:
        found = operators.credentials(session, name)
    right = is_right(request.form.get("password", ""), found.password_hash if found else None)
    if found is None or not right:
        _record("sign_in_failed", found.operator_id if found else None)
        return _form(onward, name, refused=True), 403
    return _admitted(found.operator_id, onward)


@blueprint.get("/sign-in/<token>")
def link(token: str) -> ResponseReturnValue:
    """A page with a button: whatever looks at a link to preview it must not use it up."""
    with _parts().database.reading() as session:
        owner = operators.link_owner(session, token, _parts().tools.clock())
    if owner is None:
        return render_template("signin/link_refused.html"), 404
    return render_template("signin/link.html", owner=owner)


@blueprint.post("/sign-in/<token>")
@limits.limiter.shared_limit(limits.per_address, "sign-in", deduct_when=limits.failed)
def use_link(token: str) -> ResponseReturnValue:
    """Use the link up: of several at once, one is let in."""
    parts, old = _parts(), access.current()
    with parts.database.transaction() as session:
        owner = operators.use_link(session, token, parts.tools.clock())
        if owner is not None:
            access.record(session, "link_used", operator_id=owner.id)
            given = access.begin(session, owner.id, "link", instead_of=old)
    if owner is None:
        _record("link_refused")
        return render_template("signin/link_refused.html"), 410
    onward = "/" if owner.has_password else url_for("account.password")
    return access.admit(flask.redirect(onward, 303), given)


def _form(onward: str, name: str, *, refused: bool) -> str:
    address = browser_mark.crm_address()
    return render_template(
        "signin/sign_in.html", onward=onward, name=name, refused=refused, address=address, error=None
    )


def _admitted(operator_id: str, onward: str) -> ResponseReturnValue:
    old = access.current()
    with _parts().database.transaction() as session:
        access.record(session, "sign_in", operator_id=operator_id)
        given = access.begin(session, operator_id, "password", instead_of=old)
    return access.admit(flask.redirect(onward, 303), given)


def _record(what: str, operator_id: str | None = None) -> None:
    if limits.is_worth_recording(what):
        with _parts().database.transaction() as session:
            access.record(session, what, operator_id=operator_id)


def _parts() -> Parts:
    parts: Parts = current_app.extensions["parts"]
    return parts
