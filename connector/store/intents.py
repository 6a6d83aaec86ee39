"""What is about to be written to the CRM, noted together with the claim.

A worker that dies between the CRM's answer and the log takes with it what it wrote over: the CRM does not
hold that any more. Whoever goes on finds the write done, and here what was there before it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import delete, insert, select

from connector.store.db import Session
from connector.store.models import intent

if TYPE_CHECKING:
    from connector.store.runs import Run


class Intent(NamedTuple):
    """One write: what the fields held, what they are to hold, why, and which of them a person had changed."""

    before: dict[str, Any] | None
    after: dict[str, Any]
    reason: str | None
    drift: list[str]


def note(session: Session, run: Run, kind: str, object_: str, writes: Mapping[str, Any]) -> int:
    """Note the updates of one request, each as an ``Intent`` by its source id; the id of the note."""
    values = {
        "workspace_id": run.workspace_id,
        "run": run.number,
        "kind": kind,
        "object": object_,
        "writes": dict(writes),
    }
    return int(session.execute(insert(intent).values(values).returning(intent.c.id)).scalar_one())


def of_run(session: Session, workspace_id: str, run: int) -> dict[tuple[str, str], Intent]:
    """Kind and source id → the last thing that was to be written of it by a run, and was not told yet."""
    query = select(intent.c.kind, intent.c.writes).where(
        intent.c.run == run, intent.c.workspace_id == workspace_id
    )
    found: dict[tuple[str, str], Intent] = {}
    for kind, writes in session.execute(query.order_by(intent.c.id)):
        found.update({(kind, source_id): Intent(*write) for source_id, write in writes.items()})
    return found


def forget(session: Session, workspace_id: str, ids: Collection[int]) -> None:
    """These are told."""
    if ids:
        session.execute(delete(intent).where(intent.c.id.in_(ids), intent.c.workspace_id == workspace_id))


def forget_run(session: Session, workspace_id: str, run: int) -> None:
    """A run that has ended has told everything."""
    session.execute(delete(intent).where(intent.c.run == run, intent.c.workspace_id == workspace_id))
