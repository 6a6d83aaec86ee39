"""Who is signed in, from where, and until when. Of the browser's token only the hash is kept.

A session is an operator's, or an admin's, who has one workspace and no other; ``person_id`` is the id of
either. It lives while nobody revoked it, its person was not removed, it is younger than ``LIFE``, and it was
used within ``IDLE``. ``find`` asks all of that each time, so each of them takes effect at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select, update

from connector.store.db import Session
from connector.store.models import admin, operator, web_session
from connector.store.operators import digest

LIFE = timedelta(hours=12)
IDLE = timedelta(hours=2)
_SEEN_EVERY = timedelta(minutes=1)
_KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class WebSession:
    """One row, with the person's name; ``by`` is link, password or twenty. An admin's workspace is theirs."""

    id: str
    person_id: str
    person_name: str
    is_admin: bool
    workspace_id: str | None
    by: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    user_agent: str
    address: str

    @property
    def ends_at(self) -> datetime:
        """When it ends if nothing is done in it from now on."""
        return min(self.expires_at, self.seen_at + IDLE)


@dataclass(frozen=True, slots=True)
class NewSession:
    """What a sign-in is kept with; browser and address are shortened before they come here.

    It names an operator or an admin.
    """

    id: str
    operator_id: str | None
    by: str
    user_agent: str
    address: str
    admin_id: str | None = None


def start(session: Session, new: NewSession, token: str, now: datetime) -> None:
    """Keep a new session. What ended long ago is forgotten on the way."""
    _forget(session, now - _KEPT)
    values = {name: getattr(new, name) for name in NewSession.__slots__}
    times = {"created_at": now, "seen_at": now, "expires_at": now + LIFE}
    session.execute(insert(web_session).values(token_hash=digest(token), **values, **times))


def find(session: Session, token: str, now: datetime) -> WebSession | None:
    """The live session of this token; None when there is none (any more)."""
    row = session.execute(_SESSIONS.where(web_session.c.token_hash == digest(token), _live(now))).first()
    return None if row is None else _made(row)


def touch(session: Session, id_: str, now: datetime) -> None:
    """Remember that it was used just now; a row is written at most once a minute."""
    stale = web_session.c.seen_at <= now - _SEEN_EVERY
    session.execute(update(web_session).where(web_session.c.id == id_, stale).values(seen_at=now))


def is_touchable(one: WebSession, now: datetime) -> bool:
    """Whether ``touch`` would write: asked first, so that most requests open no writing transaction."""
    return one.seen_at <= now - _SEEN_EVERY


def choose(session: Session, id_: str, chosen: str) -> None:
    """The operator's session looks at this workspace from now on; an admin's stays where it is."""
    operators = and_(web_session.c.id == id_, web_session.c.operator_id.is_not(None))
    session.execute(update(web_session).where(operators).values(workspace_id=chosen))


def of_person(session: Session, person_id: str, now: datetime) -> list[WebSession]:
    """The person's live sessions, the last used first."""
    query = _SESSIONS.where(_is_of(person_id), _live(now))
    return [_made(row) for row in session.execute(query.order_by(web_session.c.seen_at.desc()))]


def revoke(session: Session, person_id: str, id_: str, now: datetime) -> bool:
    """End one session of the person; False when it is not theirs or has ended."""
    return _revoke(session, and_(web_session.c.id == id_, _is_of(person_id)), now) == 1


def revoke_all(session: Session, person_id: str, now: datetime, *, but: str | None = None) -> int:
    """End every session of the person, but perhaps one; how many were ended."""
    theirs = _is_of(person_id)
    return _revoke(session, theirs if but is None else and_(theirs, web_session.c.id != but), now)


def _revoke(session: Session, which: ColumnElement[bool], now: datetime) -> int:
    live = and_(which, web_session.c.revoked_at.is_(None))
    return session.execute(update(web_session).where(live).values(revoked_at=now)).rowcount


def _is_of(person_id: str) -> ColumnElement[bool]:
    return or_(web_session.c.operator_id == person_id, web_session.c.admin_id == person_id)


def _live(now: datetime) -> ColumnElement[bool]:
    return and_(
        web_session.c.revoked_at.is_(None),
        web_session.c.expires_at > now,
        web_session.c.seen_at > now - IDLE,
        # Of an outer join: the missing one of the two has no such date either.
        operator.c.removed_at.is_(None),
        admin.c.removed_at.is_(None),
    )


def _forget(session: Session, before: datetime) -> None:
    long_ended = or_(web_session.c.expires_at < before, web_session.c.revoked_at < before)
    session.execute(delete(web_session).where(long_ended))


_SESSIONS = (
    select(
        web_session.c.id,
        func.coalesce(operator.c.id, admin.c.id).label("person_id"),
        func.coalesce(operator.c.name, admin.c.name).label("person_name"),
        admin.c.id.is_not(None).label("is_admin"),
        # Of an admin the row of the person decides, whatever the session's says.
        func.coalesce(admin.c.workspace_id, web_session.c.workspace_id).label("workspace_id"),
        web_session.c.by,
        web_session.c.created_at,
        web_session.c.seen_at,
        web_session.c.expires_at,
        web_session.c.user_agent,
        web_session.c.address,
    )
    .outerjoin(operator, operator.c.id == web_session.c.operator_id)
    .outerjoin(admin, admin.c.id == web_session.c.admin_id)
)


def _made(row: Any) -> WebSession:
    return WebSession(**row._mapping)
