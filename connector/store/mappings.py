"""A workspace's own mapping files: what each was at every change, and which change is in force."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, func, insert, select, update

from connector.errors import RefusedError
from connector.store.db import Session, insert_into
from connector.store.models import mapping_change, mapping_set, workspace

State = Literal["own", "shipped", "off"]

_MADE = mapping_change.c


@dataclass(frozen=True, slots=True)
class NewChange:
    """A change of one file. ``base``: the workspace's change that its author saw; None: there was none."""

    file: str
    state: State
    text: str | None
    set_version: str
    who: str
    how: str
    base: int | None


@dataclass(frozen=True, slots=True)
class Change:
    """One version of a file; ``number`` counts all changes of the workspace."""

    workspace_id: str
    number: int
    file: str
    state: State
    text: str | None
    hash: str | None
    set_version: str
    previous: int | None
    who: str
    how: str
    created_at: datetime


def digest(text: str) -> str:
    """The hash of a file's text, short enough to be read out."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def add(session: Session, workspace_id: str, new: NewChange, now: datetime) -> int:
    """Put a change in force; its number. Raises RefusedError where its author did not see the one before."""
    number = (new.base or 0) + 1
    mine = workspace.c.id == workspace_id
    seen = (
        workspace.c.mapping_change.is_(None) if new.base is None else workspace.c.mapping_change == new.base
    )
    found = session.execute(update(workspace).where(mine, seen).values(mapping_change=number))
    if found.rowcount != 1:
        raise moved()
    before = select(func.max(_MADE.number)).where(_MADE.workspace_id == workspace_id, _MADE.file == new.file)
    row = {
        "workspace_id": workspace_id,
        "number": number,
        "hash": digest(new.text) if new.text is not None else None,
        "previous": session.execute(before).scalar(),
        "created_at": now,
        **{name: getattr(new, name) for name in ("file", "state", "text", "set_version", "who", "how")},
    }
    session.execute(insert(mapping_change).values(row))
    return number


def moved() -> RefusedError:
    """Somebody else's change is in force that an author did not see."""
    return RefusedError(
        "Somebody changed the mapping files meanwhile. Nothing of yours was saved.",
        code="mapping_moved",
        remedy="Look at what was changed, and bring your change into it.",
    )


def own(session: Session, workspace_id: str, change: int | None) -> dict[str, str | None]:
    """File → its own text as of a change; None: it does not count. Shipped ones that count are absent."""
    newest = (
        select(func.max(_MADE.number))
        .where(_MADE.workspace_id == workspace_id, _MADE.number <= (change or 0))
        .group_by(_MADE.file)
    )
    query = select(_MADE.file, _MADE.text).where(
        _MADE.workspace_id == workspace_id, _MADE.number.in_(newest), _MADE.state != "shipped"
    )
    return {row.file: row.text for row in session.execute(query)}


def latest(session: Session, workspace_id: str) -> dict[str, Change]:
    """File → its latest change."""
    newest = select(func.max(_MADE.number)).where(_MADE.workspace_id == workspace_id).group_by(_MADE.file)
    found = _found(session, workspace_id, _MADE.number.in_(newest))
    return {one.file: one for one in found}


def history(session: Session, workspace_id: str, file: str, *, limit: int = 200) -> list[Change]:
    """The changes of a file, newest first."""
    return _found(session, workspace_id, _MADE.file == file)[:limit]


def get(session: Session, workspace_id: str, number: int) -> Change:
    """One change. Raises RefusedError where the workspace has none of this number."""
    found = _found(session, workspace_id, _MADE.number == number)
    if not found:
        raise RefusedError(f"There is no change {number} of the mapping files.", code="no_mapping_change")
    return found[0]


def which_made(session: Session, workspace_id: str, version: str) -> Change | None:
    """The latest change after which all files together had this hash; None where none had."""
    found = _found(session, workspace_id, _MADE.set_version == version)
    return found[0] if found else None


def keep_set(
    session: Session, workspace_id: str, version: str, texts: Mapping[str, str], now: datetime
) -> None:
    """Keep the texts that a version is made of; those that are kept already are kept from now on."""
    row = {"workspace_id": workspace_id, "version": version, "texts": dict(texts), "kept_at": now}
    keys = ("version", "workspace_id")
    statement = insert_into(session, mapping_set).values(row)
    session.execute(statement.on_conflict_do_update(index_elements=keys, set_={"kept_at": now}))


def is_kept(session: Session, workspace_id: str, version: str, since: datetime) -> bool:
    """Whether the texts of a version are kept, since then or later."""
    mine = (mapping_set.c.version == version, mapping_set.c.workspace_id == workspace_id)
    query = select(mapping_set.c.version).where(*mine, mapping_set.c.kept_at >= since)
    return session.execute(query).first() is not None


def kept_set(session: Session, workspace_id: str, version: str) -> dict[str, str] | None:
    """The texts of a version; None for one that this workspace never had."""
    query = select(mapping_set.c.texts).where(
        mapping_set.c.version == version, mapping_set.c.workspace_id == workspace_id
    )
    found: dict[str, str] | None = session.execute(query).scalar()
    return found


def _found(session: Session, workspace_id: str, condition: ColumnElement[bool]) -> list[Change]:
    query = select(mapping_change).where(_MADE.workspace_id == workspace_id, condition)
    return [_made(row) for row in session.execute(query.order_by(_MADE.number.desc()))]


def _made(row: Row[Any]) -> Change:
    return Change(**row._mapping)
