"""Who is signed in, from where, and until when. Of the browser's token only the hash is kept.

A session lives while nobody revoked it, its operator was not removed, it is younger than ``LIFE``, and it
was used within ``IDLE``. ``find`` asks all of that each time, so each of them takes effect at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, insert, or_, select, update

from connector.store.db import Session
from connector.store.models import operator, web_session
from connector.store.operators import digest

LIFE = timedelta(hours=12)
IDLE = timedelta(hours=2)
_SEEN_EVERY = timedelta(minutes=1)
_KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class WebSession:
    """One row, with the operator's name; ``by`` is link or password."""

    id: str
    operator_id: str
    operator_name: str
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
    """What a sign-in is kept with; browser and address are shortened before they come here."""

    id: str
    operator_id: str
    by: str
    user_agent: str
    address: str


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
    """The session looks at this workspace from now on."""
    session.execute(update(web_session).where(web_session.c.id == id_).values(workspace_id=chosen))


def of_operator(session: Session, operator_id: str, now: datetime) -> list[WebSession]:
    """The operator's live sessions, the last used first."""
    query = _SESSIONS.where(web_session.c.operator_id == operator_id, _live(now))
    return [_made(row) for row in session.execute(query.order_by(web_session.c.seen_at.desc()))]


def revoke(session: Session, operator_id: str, id_: str, now: datetime) -> bool:
    """End one session of the operator; False when it is not theirs or has ended."""
    theirs = and_(web_session.c.id == id_, web_session.c.operator_id == operator_id)
    return _revoke(session, theirs, now) == 1


def revoke_all(session: Session, operator_id: str, now: datetime, *, but: str | None = None) -> int:
    """End every session of the operator, but perhaps one; how many were ended."""
    theirs = web_session.c.operator_id == operator_id
    return _revoke(session, theirs if but is None else and_(theirs, web_session.c.id != but), now)


def _revoke(session: Session, which: ColumnElement[bool], now: datetime) -> int:
    live = and_(which, web_session.c.revoked_at.is_(None))
    return session.execute(update(web_session).where(live).values(revoked_at=now)).rowcount


def _live(now: datetime) -> ColumnElement[bool]:
    return and_(
        web_session.c.revoked_at.is_(None),
        web_session.c.expires_at > now,
        web_session.c.seen_at > now - IDLE,
        operator.c.removed_at.is_(None),
    )


def _forget(session: Session, before: datetime) -> None:
    long_ended = or_(web_session.c.expires_at < before, web_session.c.revoked_at < before)
    session.execute(delete(web_session).where(long_ended))


_SESSIONS = select(
    web_session.c.id,
    web_session.c.operator_id,
    operator.c.name.label("operator_name"),
    web_session.c.workspace_id,
    web_session.c.by,
    web_session.c.created_at,
    web_session.c.seen_at,
    web_session.c.expires_at,
    web_session.c.user_agent,
    web_session.c.address,
).join(operator, operator.c.id == web_session.c.operator_id)


def _made(row: Any) -> WebSession:
    return WebSession(**row._mapping)
