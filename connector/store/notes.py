"""Which notes and tasks there are, or were: what was left once is not left again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import bindparam, func, or_, select, update

from connector.store import connections
from connector.store.db import Session, insert_new, many, one_of
from connector.store.models import link, note

Key = tuple[str, str]
"""The rule, and the id that its note is made once for."""

State = Literal["pending", "left", "done", "undone"]
Waits = tuple[str, str] | None
"""An object of the CRM, and the source id of a record that is to be there."""

_MOST_WOKEN = 500
_IN_CRM = ("left", "done")
_THROUGH = ("done", "undone")


@dataclass(frozen=True, slots=True)
class NewNote:
    """One that is about to be sent."""

    rule: str
    per: str
    kind: str
    crm_id: str
    event: int
    waits: Waits = None

    @property
    def key(self) -> Key:
        """What there is once."""
        return self.rule, self.per


@dataclass(frozen=True, slots=True)
class Kept:
    """One as it stands. ``waits`` is the record that it is to stand beside, once that is in the CRM."""

    crm_id: str
    state: State
    waits: Waits = None
    rule: str = ""
    kind: str = ""
    per: str = ""
    id: int = 0


def begin(
    session: Session, workspace_id: str, connection_id: str, new: Sequence[NewNote], now: datetime
) -> set[Key]:
    """Remember these before they are sent; those that have to be sent: they were not left yet, or not beside
    all that is there by now.

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
            "event": one.event,
            **_waiting_for(one.waits),
        }
        for one in new
    ]
    many(session, insert_new(session, note), rows)
    found, waits = find(session, workspace_id, [one.key for one in new]), {one.key: one.waits for one in new}
    return {
        key
        for key, one in found.items()
        if one.state == "pending" or (one.waits is not None and one.waits != waits[key])
    }


def find(session: Session, workspace_id: str, keys: Iterable[Key]) -> dict[Key, Kept]:
    """Each that there is or was."""
    wanted = set(keys)
    if not wanted:
        return {}
    here = one_of(session, note.c.per, sorted({per for _, per in wanted}))
    query = select(*_KEPT).where(here, note.c.workspace_id == workspace_id)
    found = ((row.rule, row.per, _kept(row)) for row in session.execute(query))
    return {(rule, per): one for rule, per, one in found if (rule, per) in wanted}


def of_event(session: Session, workspace_id: str, event: int, per: str | None) -> list[Kept]:
    """What an event left, or would have if it had not been there already: that of its record."""
    same = note.c.event == event if per is None else or_(note.c.event == event, note.c.per == per)
    query = select(*_KEPT).where(same, note.c.workspace_id == workspace_id)
    return [_kept(row) for row in session.execute(query.order_by(note.c.id).limit(50))]


def of_run(session: Session, workspace_id: str, run: int, place: int | None, limit: int) -> list[Kept]:
    """What a run left and nobody took back, the last first; ``place``: only those before this one."""
    query = select(*_KEPT).where(
        note.c.run == run, note.c.workspace_id == workspace_id, note.c.state.in_(_IN_CRM)
    )
    if place is not None:
        query = query.where(note.c.id < place)
    return [_kept(row) for row in session.execute(query.order_by(note.c.id.desc()).limit(limit))]


def undone(session: Session, workspace_id: str, crm_ids: Sequence[str]) -> int:
    """These were taken back, and are never left again; how many."""
    here = (one_of(session, note.c.crm_id, crm_ids), note.c.workspace_id == workspace_id)
    gone = {"state": "undone", **_waiting_for(None)}
    return session.execute(update(note).where(*here, note.c.state != "undone").values(gone)).rowcount


def left(session: Session, workspace_id: str, run: int, found: Mapping[str, Waits]) -> int:
    """This run has them in the CRM, beside all but the record that they wait for; how many."""
    rows = [
        {
            "of_id": id_,
            "of_workspace": workspace_id,
            "by_run": run,
            **_LEAVING,
            **_waiting_for(waits, "to_"),
        }
        for id_, waits in found.items()
    ]
    return many(session, _LEFT, rows)


def done(session: Session, workspace_id: str, crm_ids: Sequence[str]) -> int:
    """These tasks are done; how many."""
    here = (one_of(session, note.c.crm_id, crm_ids), note.c.workspace_id == workspace_id)
    still = note.c.state.not_in(_THROUGH)
    return session.execute(update(note).where(*here, still).values(state="done")).rowcount


def wake(session: Session) -> dict[str, list[int]]:
    """Workspace → events whose notes waited for a record that is in the CRM by now. Over all workspaces.

    They are to be sent anew, and wait no longer.
    """
    query = select(note.c.workspace_id, note.c.id, note.c.event).where(
        note.c.waits_for == link.c.source_id,
        note.c.waits_object == link.c.object,
        note.c.workspace_id == link.c.workspace_id,
        note.c.waits_for.is_not(None),
        note.c.state.not_in(_THROUGH),
        note.c.event.is_not(None),
        link.c.state == "linked",
        link.c.crm_id.is_not(None),
    )
    found: dict[str, list[int]] = {}
    for workspace_id, id_, event in session.execute(query.limit(_MOST_WOKEN)).all():
        here = (note.c.id == id_, note.c.workspace_id == workspace_id)
        fresh = {"state": "pending", "waits_object": None, "waits_for": None}
        session.execute(update(note).where(*here).values(fresh))
        found.setdefault(workspace_id, []).append(event)
    return found


_KEPT = (
    note.c.crm_id,
    note.c.state,
    note.c.waits_object,
    note.c.waits_for,
    note.c.rule,
    note.c.kind,
    note.c.per,
    note.c.id,
)
_LEAVING = {"of_done": "done", "of_undone": "undone", "to_state": "left"}
_LEFT = (
    update(note)
    .where(
        note.c.crm_id == bindparam("of_id"),
        note.c.workspace_id == bindparam("of_workspace"),
        note.c.state != bindparam("of_done"),
        note.c.state != bindparam("of_undone"),
    )
    .values(
        state=bindparam("to_state"),
        run=func.coalesce(note.c.run, bindparam("by_run")),
        waits_object=bindparam("to_waits_object"),
        waits_for=bindparam("to_waits_for"),
    )
)


def _waiting_for(waits: Waits, mark: str = "") -> dict[str, str | None]:
    object_, id_ = waits or (None, None)
    return {f"{mark}waits_object": object_, f"{mark}waits_for": id_}


def _kept(row: Any) -> Kept:
    waits = (row.waits_object, row.waits_for) if row.waits_for is not None else None
    return Kept(row.crm_id, row.state, waits, row.rule, row.kind, row.per, row.id)
