"""Who may sign in, and the one-time links that let them. Of a link's token only the hash is kept.

Operators look after the whole installation, so nothing here belongs to a workspace. A removed operator's
row stays for the audit log; added again, the same person gets it back without a password.
"""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, insert, select, update

from connector.errors import RefusedError
from connector.store.db import Session, insert_into
from connector.store.models import operator, sign_in_link

LINK_LIFE = timedelta(hours=24)
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Operator:
    id: str
    name: str
    has_password: bool
    created_at: datetime
    removed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a password is checked against; ``password_hash`` is None until one was set."""

    operator_id: str
    password_hash: str | None = field(repr=False)


def digest(token: str) -> str:
    """What is kept of a token. It has 256 random bits, so a plain hash cannot be searched backwards."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def as_named(name: str) -> str:
    """A name as it is kept and compared. Raises RefusedError for one that nobody could type again."""
    kept = unicodedata.normalize("NFC", " ".join(name.split()))
    if not kept or not kept.isprintable() or len(kept) > _LONGEST_NAME:
        raise RefusedError(
            f"The name of an operator has 1 to {_LONGEST_NAME} characters that can be seen.",
            code="operator_name",
        )
    return kept


def add(session: Session, id_: str, name: str, now: datetime) -> Operator:
    """Keep a new operator, or let a removed one in again. Raises RefusedError when the name is taken."""
    name = as_named(name)
    back = update(operator).where(operator.c.name == name, operator.c.removed_at.is_not(None))
    if session.execute(back.values(removed_at=None, password_hash=None, created_at=now)).rowcount == 0:
        _insert(session, id_, name, now)
    return named(session, name)


def _insert(session: Session, id_: str, name: str, now: datetime) -> None:
    values = {"id": id_, "name": name, "created_at": now}
    statement = insert_into(session, operator).values(values).on_conflict_do_nothing(index_elements=["name"])
    if session.execute(statement.returning(operator.c.id)).first() is None:
        raise RefusedError(
            f"There is an operator {name!r} already.",
            code="operator_exists",
            remedy="`flask operator link` makes a new sign-in link for this operator.",
        )


def named(session: Session, name: str) -> Operator:
    """The operator of this name who may sign in. Raises RefusedError when there is none."""
    here = (operator.c.name == as_named(name)) & operator.c.removed_at.is_(None)
    row = session.execute(_OPERATORS.where(here)).first()
    if row is None:
        raise RefusedError(
            f"There is no operator {name!r}.",
            code="no_operator",
            remedy="`flask operator list` shows them.",
        )
    return _made(row)


def every(session: Session) -> list[Operator]:
    """All operators by name, removed ones included."""
    return [_made(row) for row in session.execute(_OPERATORS.order_by(operator.c.name))]


def remove(session: Session, operator_id: str, now: datetime) -> None:
    """Shut an operator out: sessions end with the row's look-up, links and password are void at once."""
    gone = update(operator).where(operator.c.id == operator_id)
    session.execute(gone.values(removed_at=now, password_hash=None))
    _void_links(session, operator_id, now)


def credentials(session: Session, name: str) -> Credentials | None:
    """What the password of this name is checked against; None for an unknown or a removed operator."""
    try:
        here = (operator.c.name == as_named(name)) & operator.c.removed_at.is_(None)
    except RefusedError:
        return None
    row = session.execute(select(operator.c.id, operator.c.password_hash).where(here)).first()
    return None if row is None else Credentials(*row)


def set_password(session: Session, operator_id: str, password_hash: str) -> None:
    """Keep a password's hash; the password itself never comes here."""
    session.execute(update(operator).where(operator.c.id == operator_id).values(password_hash=password_hash))


def keep_link(session: Session, operator_id: str, token: str, now: datetime) -> datetime:
    """Keep a new one-time link, in place of any unused one before it; when it ends."""
    _void_links(session, operator_id, now)
    ends = now + LINK_LIFE
    values = {"token_hash": digest(token), "operator_id": operator_id, "created_at": now, "expires_at": ends}
    session.execute(insert(sign_in_link).values(values))
    return ends


def link_owner(session: Session, token: str, now: datetime) -> Operator | None:
    """Whose link this is, without using it; None when it does not work (any more)."""
    return _owner(session, token, sign_in_link.c.used_at.is_(None), sign_in_link.c.expires_at > now)


def use_link(session: Session, token: str, now: datetime) -> Operator | None:
    """Use a link up; None when it was used before, has ended, or is none. Of two at once, one succeeds."""
    taken = session.execute(
        update(sign_in_link)
        .where(
            sign_in_link.c.token_hash == digest(token),
            sign_in_link.c.used_at.is_(None),
            sign_in_link.c.expires_at > now,
        )
        .values(used_at=now)
    )
    return _owner(session, token) if taken.rowcount == 1 else None


def _owner(session: Session, token: str, *more: Any) -> Operator | None:
    joined = _OPERATORS.join(sign_in_link, sign_in_link.c.operator_id == operator.c.id)
    here = (sign_in_link.c.token_hash == digest(token), operator.c.removed_at.is_(None))
    row = session.execute(joined.where(*here, *more)).first()
    return None if row is None else _made(row)


def _void_links(session: Session, operator_id: str, now: datetime) -> None:
    live = (sign_in_link.c.operator_id == operator_id) & (sign_in_link.c.expires_at > now)
    session.execute(update(sign_in_link).where(live, sign_in_link.c.used_at.is_(None)).values(expires_at=now))


_OPERATORS = select(
    operator.c.id,
    operator.c.name,
    operator.c.password_hash.is_not(None).label("has_password"),
    operator.c.created_at,
    operator.c.removed_at,
)


def _made(row: Row[Any]) -> Operator:
    return Operator(**row._mapping)
