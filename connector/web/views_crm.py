"""The CRM of the workspace: who is signed in there, which credential writes, and how to give another."""

from __future__ import annotations

from typing import NamedTuple

import flask
from flask import Blueprint, abort, g, render_template, request, url_for
from flask.typing import ResponseReturnValue

from connector.errors import ConnectorError
from connector.store import admins, crm_grants
from connector.store.admins import Admin
from connector.sync import crm_keys
from connector.web import access, crm_sign_in, error_registry, limits, shell

blueprint = access.protect(Blueprint("crm", __name__))

#: A key is asked about at the CRM with half a dozen requests.
GIVE_LIMIT = "10 per minute"


class Person(NamedTuple):
    """Somebody who signed in, and whether what they granted is kept (``kept``) and works (``live``)."""

    admin: Admin
    kept: bool
    live: bool
    writes: bool


def _by_person() -> str:
    return f"person {g.person.id}"


@blueprint.get("/twenty")
def listing() -> ResponseReturnValue:
    """How the access to the CRM stands."""
    return _page()


@blueprint.post("/twenty/key")
@limits.limiter.limit(GIVE_LIMIT, key_func=_by_person)
def give_key() -> ResponseReturnValue:
    """Check the key that was pasted, and write with it from now on. It is never shown again."""
    parts = shell.parts()
    try:
        found = crm_keys.give_key(
            parts.tools, parts.vault, parts.crm_desk.client, g.workspace, request.form.get("key", "").strip()
        )
    except ConnectorError as error:
        return _page(error), crm_sign_in.status_of(error)
    _record("crm_key_given")
    text = "What is written from now on shows its name in Twenty."
    if not found.may_change_model:
        text += " It may not change the data model: that is done with the sign-in of an admin."
    shell.tell("The key works and is kept", text, tone="ok" if found.may_change_model else "warn")
    return _back()


@blueprint.get("/twenty/key/remove")
def ask_remove_key() -> str:
    """What removing the key does, and the button for it."""
    if g.workspace.crm_key_sealed is None:
        abort(404)
    return render_template("crm/remove_key.html", heir=next((one for one in _people() if one.live), None))


@blueprint.post("/twenty/key/remove")
def remove_key() -> ResponseReturnValue:
    """Forget the key."""
    crm_keys.remove_key(shell.parts().tools, shell.workspace_id())
    _record("crm_key_removed")
    shell.tell("The key was forgotten here", "It still works in Twenty until it is revoked there.")
    return _back()


@blueprint.post("/twenty/check")
@limits.limiter.limit(GIVE_LIMIT, key_func=_by_person)
def check() -> ResponseReturnValue:
    """Ask the CRM whether it lets us in; syncs that waited go on."""
    try:
        crm_keys.check(shell.parts().tools, g.workspace)
    except ConnectorError as error:
        shell.tell(str(error), error_registry.todo(error), tone="bad")
        return _back()
    _record("crm_checked")
    shell.tell("Twenty lets us in", "Syncs that waited for it go on.")
    return _back()


@blueprint.post("/twenty/sign-in")
@limits.limiter.limit(crm_sign_in.BEGIN_LIMIT, key_func=_by_person)
def sign_in() -> ResponseReturnValue:
    """Go to this workspace's CRM, to sign in there (again)."""
    return crm_sign_in.leave(g.workspace.crm_url, shell.workspace_id(), url_for(".listing"))


@blueprint.get("/twenty/people/<person>/disconnect")
def ask_disconnect(person: str) -> str:
    """What deleting a sign-in does and does not do, and the button for it."""
    return render_template("crm/disconnect.html", one=_person_or_404(person), heir=_heir_of(person))


@blueprint.post("/twenty/people/<person>/disconnect")
def disconnect(person: str) -> ResponseReturnValue:
    """Forget what this person granted."""
    one = _person_or_404(person)
    crm_keys.disconnect(shell.parts().tools, shell.workspace_id(), person)
    _record("crm_disconnected", person=one.admin.name)
    shell.tell(f"The sign-in of {one.admin.name} was deleted here")
    return _back()


def _page(error: ConnectorError | None = None) -> str:
    people, refusal = _people(), g.workspace.crm_refusal
    return render_template(
        "crm/listing.html",
        people=people,
        writer=next((one for one in people if one.writes), None),
        error=error,
        refusal=refusal,
        known=error_registry.entry(refusal["code"]) if refusal else None,
    )


def _people() -> list[Person]:
    with shell.parts().database.reading() as session:
        everybody = admins.of_workspace(session, shell.workspace_id())
        grants = {one.admin_id: one for one in crm_grants.of_workspace(session, shell.workspace_id())}
        writing = crm_grants.newest(session, shell.workspace_id())
    by_key = g.workspace.crm_key_sealed is not None
    writer_id = writing.admin_id if writing and not by_key else None
    return [
        Person(
            one,
            one.id in grants,
            one.id in grants and grants[one.id].ended_at is None,
            one.id == writer_id,
        )
        for one in everybody
    ]


def _heir_of(id_: str) -> Person | None:
    """Who would write if this person's sign-in were deleted."""
    return next((one for one in _people() if one.live and one.admin.id != id_), None)


def _person_or_404(id_: str) -> Person:
    found = next((one for one in _people() if one.admin.id == id_ and one.kept), None)
    return found or abort(404)


def _back() -> ResponseReturnValue:
    return flask.redirect(url_for(".listing"), 303)


def _record(what: str, **about: str) -> None:
    with shell.parts().database.transaction() as session:
        access.record(session, what, **about)
