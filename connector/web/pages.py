"""The overview, and how the pages are hung into the application."""

from __future__ import annotations

from flask import Blueprint, Flask, g, render_template

from connector.store import overview
from connector.store.overview import Health, RunFilter
from connector.web import (
    access,
    error_registry,
    shell,
    standing,
    views_alerts,
    views_asking,
    views_automations,
    views_checkout,
    views_connections,
    views_crm,
    views_disconnect,
    views_errors,
    views_events,
    views_hooks,
    views_log,
    views_mapping,
    views_mapping_change,
    views_recipes,
    views_reconcile,
    views_records,
    views_removals,
    views_retry,
    views_review,
    views_runs,
    views_undo,
)

blueprint = access.protect(Blueprint("pages", __name__))

_LATEST = 8


def install(app: Flask) -> None:
    """Every page for somebody signed in; ``access.install`` comes before it."""
    shell.install(app)
    app.register_blueprint(blueprint)
    listed = (
        views_alerts,
        views_asking,
        views_automations,
        views_checkout,
        views_reconcile,
        views_runs,
        views_retry,
        views_review,
        views_log,
        views_mapping,
        views_mapping_change,
        views_recipes,
        views_removals,
        views_events,
        views_hooks,
        views_errors,
        views_undo,
        views_records,
    )
    for module in (views_connections, views_crm, views_disconnect, *listed):
        app.register_blueprint(module.blueprint)


@blueprint.get("/", endpoint="overview")
def home() -> str:
    """What needs a person first, then how the records stand, then connections and the latest runs."""
    desk, now = shell.workspace_id(), shell.parts().tools.clock()
    with shell.parts().database.reading() as session:
        found = [views_runs.with_pace(session, one) for one in standing.of_workspace(session, desk, now)]
        latest = overview.run_page(session, desk, RunFilter(), limit=_LATEST).items
    return render_template(
        "pages/overview.html",
        standings=found,
        total=sum((one.health for one in found), Health()),
        needs=standing.needs(g.workspace, found, latest),
        runs=latest,
        titles={one.connection.id: one.title for one in found},
        connect=standing.connect_link,
        error_of=error_registry.entry,
        **views_runs.run_words(),
    )
