"""CRM workspaces: the scope of everything else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, insert, select, update

from connector.errors import RefusedError
from connector.store.db import Session
from connector.store.models import workspace

_BATCH_HOLDS = timedelta(days=1)  # then one request, refused at worst, finds it out anew


@dataclass(frozen=True, slots=True)
class Workspace:
    id: str
    name: str
    crm_url: str
    crm_workspace_id: str
    crm_name: str
    crm_key_sealed: str | None
    schema_version: int | None
    batch_cap: int | None
    created_at: datetime
    crm_names: dict[str, Any] | None = None
    crm_front_url: str | None = None
    batch_cap_at: datetime | None = None
    crm_key_expires_at: datetime | None = None
    crm_refusal: dict[str, str] | None = None
    mapping_change: int | None = None

    def batch_known(self, now: datetime) -> int | None:
        """The batch size that was learned not long ago: a server that is upgraded may take more."""
        return self.batch_cap if self.batch_cap_at and now - self.batch_cap_at < _BATCH_HOLDS else None


def add(session: Session, new: Workspace) -> None:
    """Keep a new workspace. Raises RefusedError when its name or the CRM workspace is taken."""
    same_crm = (workspace.c.crm_workspace_id == new.crm_workspace_id) & (workspace.c.crm_url == new.crm_url)
    clash = session.execute(select(workspace).where((workspace.c.name == new.name) | same_crm)).first()
    if clash is not None:
        raise RefusedError(
            f"The workspace {clash.name!r} is there already, for {clash.crm_url}.",
            code="workspace_exists",
            remedy="`flask workspace list` shows it.",
        )
    session.execute(insert(workspace).values(_columns(new)))


def get(session: Session, workspace_id: str) -> Workspace:
    """The workspace of this id. Raises RefusedError when there is none."""
    return _one(session, workspace.c.id == workspace_id, workspace_id)


def named(session: Session, name: str) -> Workspace:
    """The workspace of this name or id. Raises RefusedError when there is none."""
    return _one(session, (workspace.c.name == name) | (workspace.c.id == name), name)


def of_crm(session: Session, crm_url: str, crm_workspace_id: str) -> Workspace | None:
    """The workspace of this CRM's workspace: the origin belongs to it, ids are anybody's to claim."""
    same = (workspace.c.crm_workspace_id == crm_workspace_id) & (workspace.c.crm_url == crm_url)
    row = session.execute(select(workspace).where(same)).first()
    return None if row is None else _made(row)


def is_served(session: Session, crm_url: str) -> bool:
    """Whether any workspace is of the CRM at this origin."""
    return session.execute(select(workspace.c.id).where(workspace.c.crm_url == crm_url)).first() is not None


def free_name(session: Session, wanted: str) -> str:
    """A name that no workspace has: the wanted one, or with a number."""
    taken = set(session.execute(select(workspace.c.name)).scalars())
    wanted = " ".join(wanted.split())[:180] or "Twenty"
    numbered = (f"{wanted} {number}" for number in range(2, len(taken) + 3))
    return wanted if wanted not in taken else next(name for name in numbered if name not in taken)


def give_key(session: Session, workspace_id: str, sealed: str, expires_at: datetime | None) -> None:
    """Write with this API key from now on; what was refused before is forgotten."""
    values = {"crm_key_sealed": sealed, "crm_key_expires_at": expires_at, "crm_refusal": None}
    session.execute(update(workspace).where(workspace.c.id == workspace_id).values(values))


def remove_key(session: Session, workspace_id: str) -> None:
    """Forget the API key."""
    values = {"crm_key_sealed": None, "crm_key_expires_at": None}
    session.execute(update(workspace).where(workspace.c.id == workspace_id).values(values))


def refuse(session: Session, workspace_id: str, why: dict[str, str]) -> None:
    """The CRM lets nobody write now: syncs wait for a credential that works."""
    session.execute(update(workspace).where(workspace.c.id == workspace_id).values(crm_refusal=why))


def accept(session: Session, workspace_id: str) -> None:
    """The CRM lets us write (again)."""
    session.execute(update(workspace).where(workspace.c.id == workspace_id).values(crm_refusal=None))


def every(session: Session) -> list[Workspace]:
    """All workspaces by name: for the operator's own commands, never for an admin's page."""
    return [_made(row) for row in session.execute(select(workspace).order_by(workspace.c.name))]


def move(session: Session, workspace_id: str, crm_url: str) -> None:
    """The same CRM workspace now lives at another address."""
    session.execute(update(workspace).where(workspace.c.id == workspace_id).values(crm_url=crm_url))


def remember_crm(
    session: Session,
    workspace_id: str,
    *,
    schema_version: int | None = None,
    crm_names: dict[str, Any] | None = None,
    crm_front_url: str | None = None,
) -> None:
    """Keep what was learned of the CRM; None leaves as it is."""
    learned = {
        "schema_version": schema_version,
        "crm_names": crm_names,
        "crm_front_url": crm_front_url,
    }
    values = {name: value for name, value in learned.items() if value is not None}
    if values:
        session.execute(update(workspace).where(workspace.c.id == workspace_id).values(values))


def remember_batch(session: Session, workspace_id: str, cap: int, now: datetime) -> None:
    """Keep how many records one request takes, as the CRM has just proved."""
    values = {"batch_cap": cap, "batch_cap_at": now}
    session.execute(update(workspace).where(workspace.c.id == workspace_id).values(values))


def _one(session: Session, condition: ColumnElement[bool], asked: str) -> Workspace:
    row = session.execute(select(workspace).where(condition)).first()
    if row is None:
        raise RefusedError(
            f"There is no workspace {asked!r}.",
            code="no_workspace",
            remedy="`flask workspace list` shows them.",
        )
    return _made(row)


def _made(row: Row[Any]) -> Workspace:
    return Workspace(**row._mapping)


def _columns(one: Workspace) -> dict[str, object]:
    return {name: getattr(one, name) for name in Workspace.__slots__}
