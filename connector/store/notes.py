"""Which notes and tasks there are, or were: what was left once is not left again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import select, update

from connector.store import connections
from connector.store.db import Session, insert_new, many, one_of
from connector.store.models import note

Key = tuple[str, str]
"""The rule, and the id that its note is made once for."""

State = Literal["pending", "left", "done"]


@dataclass(frozen=True, slots=True)
class NewNote:
    """One that is about to be sent."""

    rule: str
    per: str
    kind: str
    crm_id: str

    @property
    def key(self) -> Key:
        """What there is once."""
        return self.rule, self.per


def begin(
    session: Session, workspace_id: str, connection_id: str, new: Sequence[NewNote], now: datetime
) -> set[Key]:
    """Remember these before they are sent; those that have to be sent, because they were not left yet.

    Raises RefusedError for a connection that the workspace does not have.
    """
    connections.get(session, workspace_id, connection_id)
    scope = {"workspace_id": workspace_id, "connection_id": connection_id, "created_at": now}
    rows = [
        {
            **scope,
            "rule": one.rule,
            "per": one.per,
            "kind": one.kind,
            "crm_id": one.crm_id,
            "state": "pending",
        }
        for one in new
    ]
    many(session, insert_new(session, note), rows)
    found = find(session, workspace_id, [one.key for one in new])
    return {key for key, (_, state) in found.items() if state == "pending"}


def find(session: Session, workspace_id: str, keys: Iterable[Key]) -> dict[Key, tuple[str, State]]:
    """Id in the CRM and state of each that there is or was."""
    wanted = set(keys)
    if not wanted:
        return {}
    query = select(note.c.rule, note.c.per, note.c.crm_id, note.c.state).where(
        one_of(session, note.c.per, sorted({per for _, per in wanted})), note.c.workspace_id == workspace_id
    )
    return {
        (rule, per): (id_, state) for rule, per, id_, state in session.execute(query) if (rule, per) in wanted
    }


def settle(session: Session, workspace_id: str, crm_ids: Sequence[str], state: State) -> int:
    """They were left, or done; how many."""
    here = (one_of(session, note.c.crm_id, crm_ids), note.c.workspace_id == workspace_id)
    return session.execute(update(note).where(*here, note.c.state != "done").values(state=state)).rowcount
