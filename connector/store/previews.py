"""What a preview has told of records so far: those that others point at are thought of as it said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import or_, select

from connector.store.db import Session, one_of
from connector.store.models import sync_log_entry


class Told(NamedTuple):
    """What would become of a record."""

    object: str
    result: str
    reason: str | None
    crm_id: str | None


def told(session: Session, workspace_id: str, run: int, kind: str, ids: Sequence[str]) -> dict[str, Told]:
    """Source id → what a run told of it; none for what it left out or did not come to."""
    entry = sync_log_entry.c
    query = select(entry.source_id, entry.object, entry.result, entry.reason, entry.crm_id).where(
        one_of(session, entry.source_id, ids),
        entry.workspace_id == workspace_id,
        entry.run == run,
        entry.kind == kind,
        or_(
            entry.result.in_(("created", "failed")),
            entry.crm_id.is_not(None),
            entry.reason.in_(("review", "deleted_in_crm", "ignored")),
        ),
    )
    return {row.source_id: Told(*row[1:]) for row in session.execute(query)} if ids else {}
