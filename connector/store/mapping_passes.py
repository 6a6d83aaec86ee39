"""What is still to be passed over after a change of the mapping files, one row for each connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select

from connector.store.db import Session, insert_into
from connector.store.models import mapping_pass


@dataclass(frozen=True, slots=True)
class Pass:
    """The kinds of a connection that are to be read anew since a change."""

    workspace_id: str
    connection_id: str
    kinds: list[str]
    change: int
    why: str


def add(
    session: Session, workspace_id: str, connection_id: str, kinds: Sequence[str], change: int, why: str
) -> None:
    """Have kinds passed over, beside those that wait already."""
    mine = (mapping_pass.c.connection_id == connection_id, mapping_pass.c.workspace_id == workspace_id)
    before = session.execute(select(mapping_pass.c.kinds).where(*mine)).scalar() or []
    values = {"kinds": list(dict.fromkeys([*before, *kinds])), "change": change, "why": why}
    row = {"workspace_id": workspace_id, "connection_id": connection_id, **values}
    statement = insert_into(session, mapping_pass).values(row)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["connection_id"], set_=values, where=mapping_pass.c.workspace_id == workspace_id
        )
    )


def every(session: Session) -> list[Pass]:
    """All that wait, of all workspaces: for the sweeper."""
    return [Pass(**row._mapping) for row in session.execute(select(mapping_pass))]


def of_workspace(session: Session, workspace_id: str) -> list[Pass]:
    """Those of a workspace that wait."""
    query = select(mapping_pass).where(mapping_pass.c.workspace_id == workspace_id)
    return [Pass(**row._mapping) for row in session.execute(query)]


def take(session: Session, workspace_id: str, connection_id: str, change: int) -> bool:
    """Take a pass to start it; False where somebody did, or a later change added to it."""
    mine = (mapping_pass.c.connection_id == connection_id, mapping_pass.c.workspace_id == workspace_id)
    gone = session.execute(delete(mapping_pass).where(*mine, mapping_pass.c.change == change))
    return gone.rowcount == 1
