"""Runs that ask an admin something, and the answers. They are through with everything else."""

from __future__ import annotations

from sqlalchemy import select, update

from connector.store import runs
from connector.store.db import Session
from connector.store.models import sync_run
from connector.store.runs import Run


def answer(session: Session, workspace_id: str, run_id: str, answer_: str, who: str, status: str) -> bool:
    """Keep an admin's answer to what a run asked; False where it does not wait for one (any more)."""
    known = runs.get(session, workspace_id, run_id)
    told = {**known.checkpoint, "answer": answer_, "answered_by": who}
    mine = (sync_run.c.id == run_id, sync_run.c.workspace_id == workspace_id, sync_run.c.status == "waiting")
    answered = update(sync_run).where(*mine).values(status=status, checkpoint=told)
    return session.execute(answered).rowcount == 1


def waiting(session: Session, workspace_id: str, connection_id: str) -> list[Run]:
    """The connection's runs that wait for an admin's answer."""
    query = select(sync_run).where(
        sync_run.c.connection_id == connection_id,
        sync_run.c.workspace_id == workspace_id,
        sync_run.c.status == "waiting",
    )
    return [Run(**row._mapping) for row in session.execute(query.order_by(sync_run.c.number))]
