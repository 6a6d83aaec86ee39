"""Authorizations under way: begun here, approved on Whop, ended once, by the browser that began them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, insert, select, update

from connector.errors import RefusedError
from connector.store import answers
from connector.store.db import Session
from connector.store.models import pending_authorization as pending

LIFE, digest = answers.LIFE, answers.digest


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whose authorization it is; ``browser_hash`` is the digest of a secret in that browser's cookie."""

    operator_id: str
    browser_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pending:
    """One row. ``offer`` and ``grant_sealed`` are there while a company is to be chosen."""

    id: str
    state_hash: str = field(repr=False)
    verifier_sealed: str = field(repr=False)
    nonce: str = field(repr=False)
    workspace_id: str
    operator_id: str
    browser_hash: str = field(repr=False)
    connection_id: str | None
    redirect_uri: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    grant_sealed: str | None = field(default=None, repr=False)
    offer: dict[str, Any] | None = None


def add(session: Session, new: Pending) -> None:
    """Keep a new one."""
    session.execute(insert(pending).values({name: getattr(new, name) for name in Pending.__slots__}))


def use(session: Session, workspace_id: str, visitor: Visitor, state: str, now: datetime) -> Pending:
    """Use a state up: of two answers with the same state one gets the row.

    Raises RefusedError: ``whop_state`` for one that this browser did not begin, ``whop_state_used``,
    ``whop_state_expired``. A refusal uses nothing up.
    """
    here = and_(_theirs(workspace_id, visitor), pending.c.state_hash == digest(state))
    row, is_first = answers.use_up(session, pending, here, now)
    if is_first and row is not None:
        return _made(row)
    raise _unusable(row)


def hold(session: Session, workspace_id: str, id_: str, grant_sealed: str, offer: dict[str, Any]) -> None:
    """Keep what was granted until a company is chosen."""
    here = and_(pending.c.id == id_, pending.c.workspace_id == workspace_id)
    session.execute(update(pending).where(here).values(grant_sealed=grant_sealed, offer=offer))


def held(session: Session, workspace_id: str, visitor: Visitor, id_: str, now: datetime) -> Pending:
    """What waits for a choice. Raises RefusedError (``whop_choice``) when nothing does (any more)."""
    row = session.execute(select(pending).where(_choosable(workspace_id, visitor, id_, now))).first()
    if row is None:
        raise _no_choice()
    return _made(row)


def settle(session: Session, workspace_id: str, visitor: Visitor, id_: str, now: datetime) -> None:
    """The choice is made: in the transaction that keeps the connection, so that both are done or neither.

    Raises RefusedError (``whop_choice``) when it was made before.
    """
    here = _choosable(workspace_id, visitor, id_, now)
    if session.execute(update(pending).where(here).values(grant_sealed=None)).rowcount != 1:
        raise _no_choice()


def lapsed(session: Session, now: datetime) -> list[Pending]:
    """Those whose time is over while something granted still waits in them: over all workspaces."""
    over = and_(pending.c.grant_sealed.is_not(None), pending.c.expires_at <= now)
    return [_made(row) for row in session.execute(select(pending).where(over))]


def sweep(session: Session, now: datetime) -> int:
    """Forget every row whose time is over, with what it holds; how many."""
    return answers.forget(session, pending, now)


def _theirs(workspace_id: str, visitor: Visitor) -> ColumnElement[bool]:
    return and_(
        pending.c.workspace_id == workspace_id,
        pending.c.operator_id == visitor.operator_id,
        pending.c.browser_hash == visitor.browser_hash,
    )


def _choosable(workspace_id: str, visitor: Visitor, id_: str, now: datetime) -> ColumnElement[bool]:
    waits = and_(pending.c.grant_sealed.is_not(None), pending.c.expires_at > now)
    return and_(_theirs(workspace_id, visitor), pending.c.id == id_, waits)


def _unusable(row: Row[Any] | None) -> RefusedError:
    if row is None:
        return RefusedError(
            "This answer from Whop belongs to no connecting that was begun in this browser.",
            code="whop_state",
            remedy="Begin again in the browser in which you want to connect.",
        )
    if row.used_at is not None:
        return RefusedError(
            "This answer from Whop was used already.",
            code="whop_state_used",
            remedy="If the company is not among your connections, begin again.",
        )
    return RefusedError(
        "The approval took longer than 15 minutes, so it does not count any more.",
        code="whop_state_expired",
        remedy="Begin again; what you entered on Whop is not needed twice.",
    )


def _no_choice() -> RefusedError:
    return RefusedError(
        "The choice of a company was made already, or took longer than 15 minutes.",
        code="whop_choice",
        remedy="If the company is not among your connections, begin again.",
    )


def _made(row: Row[Any]) -> Pending:
    return Pending(**row._mapping)
