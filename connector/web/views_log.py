"""The sync log of the whole workspace: what happened to every record, filtered by the address."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, g, render_template

from connector.store import connections, logbook, overview
from connector.store.paging import Leaf
from connector.store.runs import LogEntry
from connector.web import access, downloads, error_registry, filters, present, shell
from connector.web.crm_links import CrmLinks

blueprint = access.protect(Blueprint("log", __name__))

PAGE = 25  # entries with their before and after: what fits into one page's weight
_FILTERS = ("q", "result", "object", "reason", "error", "connection", "day")


@blueprint.get("/log")
def listing() -> str:
    """Entries, newest first."""
    desk, wanted = shell.workspace_id(), filters.entry_filter()
    with shell.parts().database.reading() as session:
        leaf = logbook.entry_page(session, desk, wanted, filters.place(), PAGE)
        run_ids = overview.run_ids(session, desk, list({entry.run for entry in leaf.items}))
        known = connections.of_workspace(session, desk)
    return render_template(
        "pages/log.html",
        titles={one.id: present.company(one) for one in known},
        run_id_of=lambda entry: run_ids[entry.run],
        any_filter=filters.is_filtered(*_FILTERS),
        kept=shell.parts().janitor.keeping,
        **shown(leaf),
    )


@blueprint.get("/log.<form>")
def download(form: str) -> Response:
    """The same entries as a file, csv or json."""
    found = downloads.entries(shell.parts().database, shell.workspace_id(), filters.entry_filter())
    return as_file(form, found, "sync-log")


def as_file(form: str, found: Any, name: str) -> Response:
    """Entries as csv or json; any other form is 404."""
    make = {"csv": downloads.as_csv, "json": downloads.as_json}.get(form)
    if make is None:
        abort(404)
    return make(found, name)


def shown(leaf: Leaf[LogEntry]) -> dict[str, Any]:
    """What a template needs to show entries."""
    first_failed = next((entry.id for entry in leaf.items if entry.result == "failed"), None)
    return {
        "leaf": leaf,
        "opened": first_failed,
        "words": shell.vocabulary(),
        "outcomes": present.OUTCOME,
        "reasons": present.REASON,
        "name_of": present.name_of,
        "error_of": error_registry.entry,
        "here": filters.here,
        "args": filters.word,
        "crm": CrmLinks(g.workspace),
    }
