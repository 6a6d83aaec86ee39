"""Sign-ins under way at a CRM, and how the CRMs know us. A consent that is cancelled never calls back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, insert, select

from connector.errors import RefusedError
from connector.store import answers
from connector.store.answers import digest
from connector.store.db import Session, insert_into
from connector.store.models import crm_registration, crm_sign_in


@dataclass(frozen=True, slots=True)
class CrmSignIn:
    """One row; ``operator_id`` and ``workspace_id`` where an operator began it, on a workspace's page."""

    id: str
    state_hash: str = field(repr=False)
    verifier_sealed: str = field(repr=False)
    browser_hash: str = field(repr=False)
    origin: str
    token_url: str
    client_id: str
    operator_id: str | None
    workspace_id: str | None
    onward: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None


def add(session: Session, new: CrmSignIn) -> None:
    """Keep a new one. Those whose time is over are forgotten on the way."""
    sweep(session, new.created_at)
    session.execute(insert(crm_sign_in).values({name: getattr(new, name) for name in CrmSignIn.__slots__}))


def use(session: Session, browser_hash: str, state: str, now: datetime) -> CrmSignIn:
    """Use a state up: of two answers with the same state one gets the row.

    Raises RefusedError: ``crm_state`` for one that this browser did not begin, ``crm_state_used``,
    ``crm_state_expired``. A refusal uses nothing up.
    """
    same_browser = crm_sign_in.c.browser_hash == browser_hash
    here = and_(crm_sign_in.c.state_hash == digest(state), same_browser)
    row, is_first = answers.use_up(session, crm_sign_in, here, now)
    if is_first and row is not None:
        return _made(row)
    raise _unusable(row)


def sweep(session: Session, now: datetime) -> int:
    """Forget every row whose time is over; how many."""
    return answers.forget(session, crm_sign_in, now)


def client_id(session: Session, origin: str, redirect_uri: str) -> str | None:
    """As whom this CRM knows us; None where it does not."""
    query = select(crm_registration.c.client_id).where(
        crm_registration.c.origin == origin, crm_registration.c.redirect_uri == redirect_uri
    )
    return session.execute(query).scalar()


def remember(session: Session, origin: str, redirect_uri: str, client: str, now: datetime) -> None:
    """As whom this CRM knows us from now on."""
    new = {"client_id": client, "created_at": now}
    statement = insert_into(session, crm_registration).values(origin=origin, redirect_uri=redirect_uri, **new)
    session.execute(statement.on_conflict_do_update(index_elements=["origin", "redirect_uri"], set_=new))


def _unusable(row: Row[Any] | None) -> RefusedError:
    if row is None:
        return RefusedError(
            "This answer from Twenty belongs to no sign-in that was begun in this browser.",
            code="crm_state",
            remedy="Begin again in the browser in which you want to sign in.",
        )
    if row.used_at is not None:
        return RefusedError(
            "This answer from Twenty was used already.",
            code="crm_state_used",
            remedy="If you are not signed in, begin again.",
        )
    return RefusedError(
        "Approving took longer than 15 minutes, so it does not count any more.",
        code="crm_state_expired",
        remedy="Begin again.",
    )


def _made(row: Row[Any]) -> CrmSignIn:
    return CrmSignIn(**row._mapping)
