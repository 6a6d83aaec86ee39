"""How every connection of a workspace stands, as far as somebody may have to be told. Only reads."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from connector.core.alerting import Facts, LastRun
from connector.core.outcomes import Result, sum_of
from connector.core.reconciling import share
from connector.store import (
    connections,
    eventbook,
    hooks,
    overview,
    reconciliations,
    registrations,
    silence,
    workspaces,
)
from connector.store.connections import Connection
from connector.store.db import Session
from connector.store.overview import RunFilter
from connector.store.runs import Run
from connector.sync import limiting
from connector.sync.waiting import LONGEST, side_in_trouble

_LIMITS: Final = ("crm_rate_limit", "crm_busy", "source_rate")


def gather(session: Session, workspace_id: str, now: datetime) -> list[Facts]:
    """The facts of every connection that was not disconnected."""
    refusal = workspaces.get(session, workspace_id).crm_refusal
    refused = str(refusal.get("message", "")) if refusal else ""
    return [
        _facts(session, one, refused, now)
        for one in connections.of_workspace(session, workspace_id)
        if one.status != "revoked"
    ]


def _facts(session: Session, one: Connection, refused: str, now: datetime) -> Facts:
    ids = (one.workspace_id, one.id)
    syncs = overview.latest_syncs(session, *ids)
    ended = next((run for run in syncs if run.status in ("success", "partial", "failed")), None)
    active = next((run for run in syncs if run.active), None)
    waits = RunFilter(status="waiting", connection_id=one.id)
    asking = overview.run_page(session, one.workspace_id, waits, limit=1).items
    asking = asking or [run for run in syncs if limiting.asks(run)]
    report = reconciliations.latest(session, *ids)
    return Facts(
        one.id,
        one.company_title.strip() or one.company_id,
        one.status,
        refused,
        _last(ended, now) if ended else None,
        _last(active, now) if active else None,
        _last(asking[0], now) if asking else None,
        parked=len(eventbook.parked_ids(session, *ids)),
        untold=_untold(session, one),
        hook_trouble=_hook_trouble(session, one),
        in_step=share(report.counts) if report else None,
        report_id=report.id if report else "",
    )


def _last(run: Run, now: datetime) -> LastRun:
    stuck, since = _stuck(run, now)
    return LastRun(
        run.id,
        run.number,
        run.status,
        str((run.error or {}).get("message", "")),
        sum_of(run.counts, Result.FAILED),
        sum_of(run.counts),
        stuck,
        since,
    )


def _stuck(run: Run, now: datetime) -> tuple[str, datetime | None]:
    """What a run under way waits for, and since when: of a service the tries tell, of a limit its start."""
    if not run.active:
        return "", None
    if side_in_trouble(run):
        return "service", now - timedelta(seconds=LONGEST * int(run.checkpoint.get("tries", 0)))
    waits = run.lease_owner is None and run.due_at > now
    limited = waits and (run.error or {}).get("code") in _LIMITS
    return ("limit", run.started_at or run.queued_at) if limited else ("", None)


def _untold(session: Session, one: Connection) -> int:
    """Changes that syncs brought since the last event came, and that no event told."""
    ids = (one.workspace_id, one.id)
    since = min((secret.created_at for secret in hooks.secrets(session, *ids)), default=None)
    if since is None:
        return 0
    found, last = silence.untold(session, *ids, since), eventbook.flow(session, *ids).last_at
    silent = found.last_at is not None and (last is None or last < found.last_at)
    return found.count if silent else 0


def _hook_trouble(session: Session, one: Connection) -> str:
    known = registrations.get(session, one.workspace_id, one.id)
    if known is None or not known.hook_id or known.enabled:
        return ""
    return "It is switched off at Whop. Switching it on again starts a sync that brings what was missed."
