"""How the connections of a workspace stand, and what of it needs a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from flask import current_app, url_for

from connector.core.reconciling import TARGET, share
from connector.store import connections, overview, reconciliations, reviews
from connector.store.connections import Connection
from connector.store.db import Session
from connector.store.overview import Health
from connector.store.reconciliations import Reconciliation
from connector.store.runs import Run
from connector.store.workspaces import Workspace
from connector.sync import limiting
from connector.sync.waiting import side_in_trouble
from connector.web import error_registry, listening, present, shares
from connector.web.listening import Listening
from connector.web.pace import Pace

_NOTHING = Health()


class Standing(NamedTuple):
    """One connection, with its records' health and the run that is under way."""

    connection: Connection
    title: str
    status: present.Status
    health: Health
    active: Run | None
    pace: Pace | None = None
    listening: Listening | None = None
    report: Reconciliation | None = None

    @property
    def hearing(self) -> present.Status | None:
        """How its webhooks stand."""
        return self.listening.status if self.listening and self.usable else None

    @property
    def under_way(self) -> str:
        """What the sync that is under way does, after its name; empty without one."""
        side = side_in_trouble(self.active) if self.active else None
        if side:
            return "waits for Twenty" if side == "crm" else "waits for Whop"
        if self.active is None:
            return ""
        return "is paused" if self.active.status == "paused" else "is under way"

    @property
    def usable(self) -> bool:
        """Whether it has access, so that syncs may run."""
        return self.connection.status == "active"

    @property
    def first_steps(self) -> str:
        """Where it is agreed what will be created in the CRM; empty once a sync has ended."""
        known = "plan.show" in current_app.view_functions
        return url_for("plan.show", id_=self.connection.id) if self._is_new and known else ""

    @property
    def plan(self) -> str:
        """Where it stands what there is in the CRM for it."""
        known = "plan.show" in current_app.view_functions
        return url_for("plan.show", id_=self.connection.id) if self.usable and known else ""

    @property
    def _is_new(self) -> bool:
        return self.connection.last_sync_at is None and not self.health.known


class Need(NamedTuple):
    """Something that waits for a person, with the page that mends it."""

    tone: str
    shape: str
    title: str
    text: str
    link: str
    label: str


def of_workspace(session: Session, workspace_id: str, now: datetime | None = None) -> list[Standing]:
    """Every connection of the workspace, those that were disconnected last; how it hears, where ``now``."""
    health, waiting = overview.health(session, workspace_id), reviews.waiting(session, workspace_id)
    active = overview.active_runs(session, workspace_id)
    found = [
        Standing(
            one,
            present.company(one),
            present.connection_status(one),
            replace(health.get(one.id, _NOTHING), review=waiting.get(one.id, 0)),
            active.get(one.id),
            listening=listening.of(session, one, now) if now is not None else None,
            report=reconciliations.latest(session, workspace_id, one.id) if now is not None else None,
        )
        for one in connections.of_workspace(session, workspace_id)
    ]
    return sorted(found, key=lambda one: one.connection.status == "revoked")


def needs(workspace: Workspace, found: Sequence[Standing], latest: Sequence[Run]) -> list[Need]:
    """What a person has to do, the gravest first; ``latest`` are the newest runs."""
    return [
        *_shut_out(workspace),
        *_lost(found),
        *_stopped(found, latest),
        *_unheard(found),
        *_out_of_step(found),
        *_failing(found, latest),
        *_undecided(found),
        *_gone(found, latest),
        *_over_limit(found),
    ]


def _shut_out(workspace: Workspace) -> Iterator[Need]:
    if workspace.crm_refusal is not None:
        known = error_registry.entry(workspace.crm_refusal.get("code"))
        text = f"{known.title}. Syncs wait, and nothing is lost."
        link = url_for("crm.listing")
        yield Need("bad", "failed", "Twenty lets nobody in", text, link, "Look at it")


def connect_link(connection_id: str | None = None) -> str:
    """Where a company is connected, or this one again."""
    if "connect.start" in current_app.view_functions:
        return url_for("connect.start", connection=connection_id)
    return "/connect"


def _lost(found: Sequence[Standing]) -> Iterator[Need]:
    for one in found:
        if one.connection.status == "expired":
            title = f"{one.title}: access to Whop ended"
            known = error_registry.entry(one.connection.ended_code or "reconnect")
            text = f"{known.title}. Its syncs are paused; what was synced stays in Twenty."
            yield Need("bad", "failed", title, text, connect_link(one.connection.id), "Reconnect")


def _stopped(found: Sequence[Standing], latest: Sequence[Run]) -> Iterator[Need]:
    for one in found:
        last = next((run for run in latest if run.connection_id == one.connection.id), None)
        if one.usable and last is not None and last.status == "failed":
            known = error_registry.entry((last.error or {}).get("code"))
            link = url_for("runs.show", run_id=last.id)
            title = f"{one.title}: {present.run_name(last)} stopped"
            yield Need("bad", "failed", title, f"{known.title}. {known.todo}", link, "Look at it")


def _unheard(found: Sequence[Standing]) -> Iterator[Need]:
    for one in found:
        for trouble in one.listening.troubles if one.listening else ():
            shape = "failed" if trouble.tone == "bad" else "waiting"
            link = url_for("hooks.show", id_=one.connection.id)
            yield Need(
                trouble.tone, shape, f"{one.title}: {_small(trouble.title)}", trouble.text, link, "Look at it"
            )


def _out_of_step(found: Sequence[Standing]) -> Iterator[Need]:
    for one in found:
        rate = share(one.report.counts) if one.report else None
        if one.usable and one.report and rate is not None and rate < TARGET:
            title = f"{one.title}: {shares.in_step(rate)} in step"
            text = "The latest comparison found records in Twenty that are not what Whop says."
            link = url_for("reconcile.show", comparison_id=one.report.id)
            yield Need("warn", "partial", title, text, link, "Look at them")


def _small(title: str) -> str:
    return title[:1].lower() + title[1:]


def _failing(found: Sequence[Standing], latest: Sequence[Run]) -> Iterator[Need]:
    for one in found:
        if one.health.failing:
            title = f"{one.title}: {present.plural(one.health.failing, 'record')} failing"
            text = "All other records are in step. The sync log says why, and what to do."
            look = "Look at it" if one.health.failing == 1 else "Look at them"
            yield Need("warn", "partial", title, text, _failures_of(one, latest), look)


def _failures_of(one: Standing, latest: Sequence[Run]) -> str:
    mine = (run for run in latest if run.connection_id == one.connection.id and run.status == "partial")
    last = next(mine, None)
    if last is not None and last.type == "full":
        return url_for("runs.show", run_id=last.id, _anchor="failures")
    return url_for("log.listing", result="failed", connection=one.connection.id)


def _gone(found: Sequence[Standing], latest: Sequence[Run]) -> Iterator[Need]:
    """Removals that were too many to be made without asking."""
    titles = {one.connection.id: one.title for one in found}
    for run in latest:
        if run.status == "waiting" and run.connection_id in titles:
            title = f"{titles[run.connection_id]}: many records are gone from Whop"
            text = "So many that nothing was done with them. Say whether they are gone, or it is a mistake."
            yield Need("warn", "waiting", title, text, url_for("removals.show", run_id=run.id), "Decide")


def _over_limit(found: Sequence[Standing]) -> Iterator[Need]:
    """Changes that were too many to be made without asking."""
    for one in found:
        run = one.active
        if run is not None and limiting.asks(run):
            title = f"{one.title}: a sync would change unusually many records"
            text = str((run.error or {}).get("message", ""))
            yield Need("warn", "waiting", title, text, url_for("runs.show", run_id=run.id), "Decide")


def _undecided(found: Sequence[Standing]) -> Iterator[Need]:
    for one in found:
        if one.health.review:
            fits = present.plural(one.health.review, "record fits", "records fit")
            title = f"{one.title}: {fits} more than one in Twenty"
            text = "We do not guess, so nothing was written. Say which of them it is."
            link = url_for("review.listing", connection=one.connection.id)
            yield Need("warn", "waiting", title, text, link, "Decide")
