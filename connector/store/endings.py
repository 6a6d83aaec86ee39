"""Records whose access ends at a known moment, and when they are looked at again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, exists, select, update

from connector.store.db import Session, insert_new, many, one_of
from connector.store.links import Claimed
from connector.store.models import act, connection, ending

GRACE = timedelta(minutes=2)
"""So long an event of the end may take before it is looked for."""


def keep(session: Session, scope: Claimed, found: Mapping[str, str | None]) -> int:
    """Source id → when it ends, None where nothing is to be waited for. One that ends when it did stays as it
    is; how many rows changed."""
    ids = list(found)
    here = (*_of(scope), one_of(session, ending.c.source_id, ids))
    known = {
        row[0]: row[1] for row in session.execute(select(ending.c.source_id, ending.c.ends_at).where(*here))
    }
    over = [id_ for id_ in known if found[id_] is None]
    moved = {id_: at for id_, at in found.items() if at is not None and known.get(id_) != at}
    gone = (*_of(scope), one_of(session, ending.c.source_id, [*over, *moved]))
    if over or moved:
        session.execute(delete(ending).where(*gone))
    return many(session, insert_new(session, ending), [_row(scope, id_, at) for id_, at in moved.items()])


def _row(scope: Claimed, id_: str, at: str) -> dict[str, Any]:
    return {
        "source_id": id_,
        "kind": scope.kind,
        "connection_id": scope.connection_id,
        "workspace_id": scope.workspace_id,
        "ends_at": at,
        "due_at": datetime.fromisoformat(at) + GRACE,
        "looks": 0,
    }


def due(session: Session, now: datetime, limit: int) -> dict[tuple[str, str], list[tuple[str, str, int]]]:
    """(workspace, connection) → (kind, source id, looks) of what has ended by now, over all workspaces; only
    of connections that may sync."""
    query = (
        select(ending)
        .join(connection, connection.c.id == ending.c.connection_id)
        .where(
            ending.c.due_at <= now,
            connection.c.status == "active",
            connection.c.paused.is_(False),
        )
        .order_by(ending.c.due_at)
        .limit(limit)
    )
    found: dict[tuple[str, str], list[tuple[str, str, int]]] = {}
    for row in session.execute(query):
        found.setdefault((row.workspace_id, row.connection_id), []).append(
            (row.kind, row.source_id, row.looks)
        )
    return found


def coming(
    session: Session,
    workspace_id: str,
    connection_id: str,
    kind: str,
    name: str,
    *,
    after: datetime,
    until: datetime,
    limit: int,
) -> list[tuple[str, str]]:
    """(id, when its period ends) of records that end between these moments and have no act of this
    automation for it yet, the first first."""
    made = exists().where(
        act.c.source_id == ending.c.source_id + "@" + ending.c.ends_at,
        act.c.automation == name,
        act.c.connection_id == ending.c.connection_id,
    )
    query = select(ending.c.source_id, ending.c.ends_at).where(
        ending.c.connection_id == connection_id,
        ending.c.workspace_id == workspace_id,
        ending.c.kind == kind,
        ending.c.due_at > after + GRACE,
        ending.c.due_at <= until + GRACE,
        ~made,
    )
    rows = session.execute(query.order_by(ending.c.due_at, ending.c.source_id).limit(limit))
    return [(row[0], row[1]) for row in rows]


_TAKEN = (
    update(ending)
    .where(
        ending.c.source_id == bindparam("of_id"),
        ending.c.kind == bindparam("of_kind"),
        ending.c.connection_id == bindparam("of_connection"),
        ending.c.workspace_id == bindparam("of_workspace"),
        ending.c.looks == bindparam("of_looks"),
    )
    .values(due_at=bindparam("next_at"), looks=bindparam("more"))
)


def take(
    session: Session,
    workspace_id: str,
    connection_id: str,
    found: Sequence[tuple[str, str, int]],
    next_at: Mapping[int, datetime],
) -> bool:
    """Take the turn to look at these, by naming the next by the looks so far; False when another has some."""
    whose = {"of_workspace": workspace_id, "of_connection": connection_id}
    rows = [
        {"of_id": id_, "of_kind": kind, "of_looks": n, "next_at": next_at[n], "more": n + 1, **whose}
        for kind, id_, n in found
    ]
    return many(session, _TAKEN, rows) == len(rows)


def _of(scope: Claimed) -> tuple[Any, ...]:
    return (
        ending.c.connection_id == scope.connection_id,
        ending.c.kind == scope.kind,
        ending.c.workspace_id == scope.workspace_id,
    )
