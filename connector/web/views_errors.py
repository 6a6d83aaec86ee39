"""The error guide: what each code means, what to do, and who can do it."""

from __future__ import annotations

from flask import Blueprint, abort, render_template

from connector.store import logbook
from connector.store.logbook import EntryFilter
from connector.web import access, error_registry, present, shell

blueprint = access.protect(Blueprint("errors", __name__))

_LATEST = 5


@blueprint.get("/errors")
def listing() -> str:
    """Every code, under its heading."""
    return render_template("pages/errors.html", subjects=error_registry.by_subject())


@blueprint.get("/errors/<code>")
def show(code: str) -> str:
    """One code, and the latest records of this workspace that failed by it."""
    if code not in error_registry.entries():
        abort(404)
    desk = shell.workspace_id()
    with shell.parts().database.reading() as session:
        leaf = logbook.entry_page(session, desk, EntryFilter(error_code=code), limit=_LATEST)
    return render_template(
        "pages/error_code.html",
        one=error_registry.entry(code),
        entries=leaf.items,
        name_of=present.name_of,
        words=shell.vocabulary(),
    )
