"""A workspace's authorised access to a source. Holds ciphertext only; opening it is the vault's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from connector.errors import RefusedError
from connector.store import sharing
from connector.store.db import Session
from connector.store.models import connection

_LASTING = frozenset({"id", "created_at", "last_sync_at", "sales_read_at"})


@dataclass(frozen=True, slots=True)
class Connection:
    """One row; ``status`` is active, expired or revoked."""

    id: str
    workspace_id: str
    service: str
    company_id: str
    company_title: str
    auth: str
    secret_sealed: str | None
    refresh_sealed: str | None
    expires_at: datetime | None
    source_user_id: str | None
    scopes: list[str] | None
    status: str
    last_sync_at: datetime | None
    created_at: datetime
    paused: bool = False
    asked_company_id: str | None = None
    refresh_claimed_by: str | None = None
    refresh_claimed_until: datetime | None = None
    sales_read_at: datetime | None = None
    refresh_asked_at: datetime | None = None
    ended_code: str | None = None
    ended_at: datetime | None = None
    notes_since: datetime | None = None

    @property
    def may_come_back(self) -> bool:
        """Whether access ended in a way that leaves the credential as good as it was."""
        return self.status == "expired" and self.ended_code in MAY_COME_BACK


MAY_COME_BACK = frozenset({"whop_scope", "whop_unseen", "whop_app", "whop_shut_out"})
"""Why access ended, where the credential is not used up: a change at the source lets it work again."""


def add_or_revive(session: Session, new: Connection, *, again: bool = False) -> None:
    """Keep a new connection; a disconnected or expired one of the same company gets its credential back.

    Raises RefusedError when the workspace has this company already, unless ``again`` says that its
    credential is to be replaced.
    """
    here = (connection.c.company_id == new.company_id) & (connection.c.workspace_id == new.workspace_id)
    there = session.execute(select(connection).where(here, connection.c.status == "active")).first()
    if there is not None and not again:
        raise RefusedError(
            f"{new.company_title or new.company_id} is connected to this workspace already.",
            code="connection_exists",
            remedy=f"It is connection {there.id}; disconnect it first to connect it anew.",
        )
    known = known_id(session, new.workspace_id, new.company_id)
    if known is None:
        session.execute(insert(connection).values(_columns(new)))
    else:
        revived = {name: value for name, value in _columns(new).items() if name not in _LASTING}
        if not get(session, new.workspace_id, known).notes_since:
            revived["notes_since"] = (
                None  # they were switched off, and a new credential is no reason to begin
            )
        _update(session, new.workspace_id, known, revived)
        sharing.hand_over(session, new.workspace_id, known)


def known_id(session: Session, workspace_id: str, company_id: str) -> str | None:
    """The id of this company's connection in the workspace, disconnected ones included."""
    here = (connection.c.company_id == company_id) & (connection.c.workspace_id == workspace_id)
    return session.execute(select(connection.c.id).where(here)).scalar()


def keep_credential(session: Session, workspace_id: str, id_: str, **values: Any) -> None:
    """Save sealed secrets and what belongs to them (expiry, scopes, status) of one connection."""
    _update(session, workspace_id, id_, values)


def mark(
    session: Session,
    workspace_id: str,
    id_: str,
    status: str,
    *,
    code: str | None = None,
    now: datetime | None = None,
) -> None:
    """Set the status: active, expired or revoked; ``code`` and ``now`` say why and when access ended."""
    _update(session, workspace_id, id_, {"status": status, "ended_code": code, "ended_at": now})


def that_may_come_back(session: Session) -> list[Connection]:
    """The expired ones, over all workspaces, whose credential may work again."""
    query = select(connection).where(
        connection.c.status == "expired", connection.c.ended_code.in_(MAY_COME_BACK)
    )
    return [_made(row) for row in session.execute(query.order_by(connection.c.id))]


def come_back(session: Session, workspace_id: str, id_: str, ended_at: datetime | None) -> bool:
    """The credential that opened nothing from then on works again; False where that was found out already, or
    there is another one by now.
    """
    here = (connection.c.id == id_) & (connection.c.workspace_id == workspace_id)
    still = (connection.c.status == "expired") & (connection.c.ended_at == ended_at)
    values = {"status": "active", "ended_code": None, "ended_at": None}
    return session.execute(update(connection).where(here, still).values(values)).rowcount == 1


def set_paused(session: Session, workspace_id: str, id_: str, *, paused: bool) -> None:
    """Stop the syncs of a connection for the time being, or let them go on."""
    _update(session, workspace_id, id_, {"paused": paused})


def set_notes(session: Session, workspace_id: str, id_: str, since: datetime | None) -> None:
    """Have what comes about after ``since`` leave notes and tasks; None: nothing does."""
    _update(session, workspace_id, id_, {"notes_since": since})


def disconnect(session: Session, workspace_id: str, id_: str) -> None:
    """Forget the credential; what was synced and the links stay. What it shared has another owner now."""
    forgotten = ("secret_sealed", "refresh_sealed", "refresh_asked_at", "ended_code", "ended_at")
    _update(session, workspace_id, id_, {"status": "revoked", "paused": False, **dict.fromkeys(forgotten)})
    sharing.hand_over(session, workspace_id, id_)


def touch_synced(session: Session, workspace_id: str, id_: str, now: datetime) -> None:
    """Remember when a run last ended well."""
    _update(session, workspace_id, id_, {"last_sync_at": now})


def mark_sales_read(session: Session, workspace_id: str, id_: str, now: datetime) -> None:
    """Every payment was read: from now on what a membership was paid is known."""
    _update(session, workspace_id, id_, {"sales_read_at": now})


def get(session: Session, workspace_id: str, id_: str) -> Connection:
    """One connection of the workspace. Raises RefusedError when it has none of this id."""
    here = (connection.c.id == id_) & (connection.c.workspace_id == workspace_id)
    row = session.execute(select(connection).where(here)).first()
    if row is None:
        raise RefusedError(f"There is no connection {id_!r}.", code="no_connection")
    return _made(row)


def of_workspace(session: Session, workspace_id: str) -> list[Connection]:
    """The workspace's connections, oldest first."""
    query = select(connection).where(connection.c.workspace_id == workspace_id)
    return [_made(row) for row in session.execute(query.order_by(connection.c.created_at))]


def owner_of(session: Session, id_: str) -> str:
    """The workspace a connection belongs to: for the operator's commands, which name only the connection."""
    found = session.execute(select(connection.c.workspace_id).where(connection.c.id == id_)).scalar()
    if found is None:
        raise RefusedError(
            f"There is no connection {id_!r}.",
            code="no_connection",
            remedy="`flask connection list` shows them.",
        )
    return str(found)


def _update(session: Session, workspace_id: str, id_: str, values: dict[str, Any]) -> None:
    here = (connection.c.id == id_) & (connection.c.workspace_id == workspace_id)
    session.execute(update(connection).where(here).values(values))


def _made(row: Row[Any]) -> Connection:
    return Connection(**row._mapping)


def _columns(one: Connection) -> dict[str, object]:
    return {name: getattr(one, name) for name in Connection.__slots__}
