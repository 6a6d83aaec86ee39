"""How far each stream of a connection's records is covered. Saved by compare-and-set, and only forward."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, select, update

from connector.errors import TryLaterError
from connector.store.db import Session, insert_new
from connector.store.models import checkpoint


@dataclass(frozen=True, slots=True)
class Covered:
    """One stream: everything before ``until`` is covered, or ``round`` says how far a reading in rounds is.

    ``version`` 0: it was never saved.
    """

    stream: str
    until: datetime | None = None
    round: dict[str, Any] | None = None
    version: int = 0


def get(session: Session, workspace_id: str, connection_id: str, stream: str) -> Covered:
    """How far a stream is covered."""
    query = select(checkpoint).where(_of(workspace_id, connection_id, stream))
    row = session.execute(query).first()
    return Covered(stream) if row is None else Covered(stream, row.until, row.round, row.version)


def move(
    session: Session,
    workspace_id: str,
    connection_id: str,
    known: Covered,
    *,
    until: datetime | None = None,
    round_: dict[str, Any] | None = None,
    back: bool = False,
) -> bool:
    """Save how far it is covered now; False where that would be less than before, unless it may go ``back``.

    Raises TryLaterError when another worker moved it since ``known`` was read; save nothing then.
    """
    if not back and known.until is not None and until is not None and until < known.until:
        return False
    values = {"until": until, "round": round_, "version": known.version + 1}
    if known.version == 0:
        row = {"workspace_id": workspace_id, "connection_id": connection_id, "stream": known.stream}
        made = insert_new(session, checkpoint).values(row | values).returning(checkpoint.c.version)
        moved = len(session.execute(made).all())
    else:
        here = and_(_of(workspace_id, connection_id, known.stream), checkpoint.c.version == known.version)
        moved = session.execute(update(checkpoint).where(here).values(values)).rowcount
    if moved != 1:
        raise TryLaterError("Another worker moved this checkpoint meanwhile.", after=1.0, code="claimed")
    return True


def _of(workspace_id: str, connection_id: str, stream: str) -> Any:
    return and_(
        checkpoint.c.connection_id == connection_id,
        checkpoint.c.workspace_id == workspace_id,
        checkpoint.c.stream == stream,
    )
