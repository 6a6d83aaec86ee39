"""The CRM beside its source: each record of Whop compared with its CRM record as it is. Writes nothing there.

A chain of short jobs, like a run (``reconcile_job``). It stands beside the runs and keeps none of them
waiting; what it reads while they write is *in flight*. A sync of just the records that differ mends them.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Final

from connector.core.outcomes import as_json
from connector.errors import ConnectorError, RefusedError
from connector.store import connections, differences, reconcile_plans, reconciliations
from connector.store.connections import Connection
from connector.store.reconcile_plans import Plan
from connector.store.reconciliations import NewReconciliation
from connector.sync import mirror, steering
from connector.sync.reconcile_job import ring
from connector.sync.tools import Tools

MOST_REPAIRED: Final = 5_000
_NIGHT: Final = 2
"""The hour (UTC) in which nightly comparisons begin; those of many companies are spread over two hours."""


def start(tools: Tools, connection: Connection, *, why: str, correlation_id: str) -> str:
    """Queue a comparison and ring for a worker; its id. Raises RefusedError where it may not be."""
    mirror.check_may_run(connection)
    new = NewReconciliation(
        str(uuid.uuid4()), connection.workspace_id, connection.id, why, correlation_id, tools.clock()
    )
    with tools.database.transaction() as session:
        reconciliations.start(session, new)
    ring(tools, new.id)
    return new.id


def cancel(tools: Tools, workspace_id: str, id_: str, *, who: str) -> None:
    """End a comparison before it is through; a worker at it stops at its next save. What it found stays.

    Raises RefusedError where there is none of this id, or it has ended already.
    """
    told = ConnectorError(
        f"{who} cancelled it. What it had found until then is listed.",
        code="cancelled",
        remedy="Nothing to do.",
    )
    with tools.database.transaction() as session:
        reconciliations.get(session, workspace_id, id_)
        if not reconciliations.end(session, workspace_id, id_, tools.clock(), as_json(told)):
            raise RefusedError(
                "This comparison has ended already.", code="reconcile_over", remedy="Nothing to do."
            )


def repair(tools: Tools, workspace_id: str, id_: str, *, why: str, correlation_id: str) -> str:
    """Take what differs through a sync of its own, the normal road; its id.

    Of very many the first few thousand. Raises RefusedError where nothing is to be mended, or a sync is under
    way.
    """
    with tools.database.reading() as session:
        one = reconciliations.get(session, workspace_id, id_)
        refs = differences.repairable(session, workspace_id, one.number, MOST_REPAIRED)
    if not refs:
        raise RefusedError("Nothing of it can be mended by a sync.", code="nothing_to_repair")
    run_id = steering.take_again(
        tools, workspace_id, one.connection_id, refs, why=why, correlation_id=correlation_id
    )
    with tools.database.transaction() as session:
        reconciliations.mark_repaired(session, workspace_id, id_, run_id)
    return run_id


def plan(tools: Tools, workspace_id: str, connection_id: str, every_hours: int) -> None:
    """How often a connection is compared from now on; 0: only when somebody asks."""
    now = tools.clock()
    first = Plan(connection_id, workspace_id, every_hours, _tonight(now, connection_id))
    with tools.database.transaction() as session:
        connections.get(session, workspace_id, connection_id)
        reconcile_plans.add(session, first)
        reconcile_plans.change(
            session, workspace_id, connection_id, every_hours=every_hours, due_at=first.due_at
        )


def sweep(tools: Tools) -> None:
    """Start what is due, and ring for what nobody is at."""
    now = tools.clock()
    with tools.database.reading() as session:
        new, due = reconcile_plans.unplanned(session), reconcile_plans.due(session, now)
        idle = reconciliations.overdue(session, now)
    for workspace_id, connection_id in new:
        with tools.database.transaction() as session:
            at = _tonight(now, connection_id)
            reconcile_plans.add(session, Plan(connection_id, workspace_id, reconcile_plans.NIGHTLY, at))
    for one in due:
        _start_planned(tools, one, now)
    for id_ in idle:
        ring(tools, id_)


def _start_planned(tools: Tools, one: Plan, now: datetime) -> None:
    id_ = str(uuid.uuid4())
    why = "Every night" if one.every_hours == reconcile_plans.NIGHTLY else "As planned"
    new = NewReconciliation(id_, one.workspace_id, one.connection_id, why, f"reconcile-{id_[:13]}", now)
    with tools.database.transaction() as session:
        if not reconcile_plans.take(session, one, now):
            return
        try:
            reconciliations.start(session, new)
        except RefusedError:  # somebody asked for one just now: that will do
            return
    ring(tools, id_)


def _tonight(now: datetime, connection_id: str) -> datetime:
    spread = timedelta(seconds=uuid.UUID(connection_id).int % 7200)
    at = now.replace(hour=_NIGHT, minute=0, second=0, microsecond=0) + spread
    return at if at > now else at + timedelta(days=1)
