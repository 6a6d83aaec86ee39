"""Questions to a person: which CRM record a source record is. A decision is remembered for ever."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Row, and_, func, select, update

from connector.core.plan import Choice, Decision
from connector.core.records import Ref
from connector.errors import RefusedError
from connector.store.db import Session, insert_into, one_of
from connector.store.links import Claimed
from connector.store.models import link, review
from connector.store.paging import NEWEST, Leaf, Place, from_place, leaf_of, newest_first

WAITING, DECIDED, DONE, CLOSED = "waiting", "decided", "done", "closed"


class Asked(NamedTuple):
    """What the road needs of a review. ``decision`` is one to be carried out, or one that stands for ever."""

    id: int
    state: str
    version: str
    decision: Decision | None


class Question(NamedTuple):
    """What is put to a person about one source record."""

    ref: Ref
    title: str
    why: str
    said: Mapping[str, Any]
    candidates: Sequence[Mapping[str, Any]]
    only_one: bool

    @property
    def version(self) -> str:
        """The same as long as there is the same to choose from."""
        asked = [self.why, self.only_one, [(one["id"], one["fits"]) for one in self.candidates]]
        return hashlib.blake2b(orjson.dumps(asked), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Review:
    """One row; ``choice`` is None while nothing is decided."""

    id: int
    workspace_id: str
    connection_id: str
    source: str
    kind: str
    source_id: str
    object: str
    title: str
    why: str
    said: dict[str, Any]
    candidates: list[dict[str, Any]]
    only_one: bool
    version: str
    state: str
    choice: str | None
    crm_id: str | None
    decided_by: str | None
    decided_at: datetime | None
    started_at: datetime | None
    asked_at: datetime

    @property
    def ref(self) -> Ref:
        """The source record it is about."""
        return Ref(self.source, self.kind, self.source_id)


def find(session: Session, workspace_id: str, object_: str, refs: Sequence[Ref]) -> dict[Ref, Asked]:
    """What was asked about these records (all of one kind); none: absent."""
    if not refs:
        return {}
    query = select(
        review.c.id, review.c.source_id, review.c.state, review.c.version, review.c.choice, review.c.crm_id
    ).where(
        one_of(session, review.c.source_id, [ref.id for ref in refs]),
        review.c.kind == refs[0].kind,
        review.c.object == object_,
        review.c.source == refs[0].source,
        review.c.workspace_id == workspace_id,
    )
    return {
        Ref(refs[0].source, refs[0].kind, source_id): Asked(
            id_, state, version, _to_carry_out(state, choice, crm_id)
        )
        for id_, source_id, state, version, choice, crm_id in session.execute(query)
    }


def _to_carry_out(state: str, choice: str | None, crm_id: str | None) -> Decision | None:
    # What was linked or made is remembered by its link from then on; only "ignore" has nothing else.
    if choice is None or (state != DECIDED and choice != Choice.IGNORE):
        return None
    return Decision(Choice(choice), crm_id)


def ask(session: Session, scope: Claimed, questions: Sequence[Question], now: datetime) -> None:
    """Put questions to a person: new ones, and those whose answer can no longer be carried out.

    A question that waits already gets its present candidates.
    """
    for one in questions:
        asked = {
            "title": one.title,
            "why": one.why,
            "said": dict(one.said),
            "candidates": [dict(candidate) for candidate in one.candidates],
            "only_one": one.only_one,
            "version": one.version,
            "state": WAITING,
            "choice": None,
            "crm_id": None,
            "decided_by": None,
            "decided_at": None,
            "started_at": None,
            "asked_at": now,
        }
        row = {
            "workspace_id": scope.workspace_id,
            "connection_id": scope.connection_id,
            "source": scope.source,
            "kind": scope.kind,
            "source_id": one.ref.id,
            "object": scope.object,
        }
        statement = insert_into(session, review).values(row | asked)
        key = ("source_id", "kind", "object", "source", "workspace_id")
        session.execute(statement.on_conflict_do_update(index_elements=key, set_=asked))


def settle(session: Session, workspace_id: str, ids: Sequence[int], *, carried_out: bool) -> None:
    """The records are where they belong: as was decided, or because there was nothing left to ask."""
    state, from_ = (DONE, DECIDED) if carried_out else (CLOSED, WAITING)
    here = (review.c.id.in_(ids), review.c.workspace_id == workspace_id, review.c.state == from_)
    session.execute(update(review).where(*here).values(state=state))


def decide(
    session: Session,
    workspace_id: str,
    id_: int,
    decision: Decision,
    *,
    version: str,
    who: str,
    now: datetime,
) -> Review:
    """Remember what a person chose for the question as they saw it; the review as it is then.

    Raises RefusedError: ``review_changed`` when it is another question by now, ``review_choice`` for what
    cannot be chosen, ``no_review``.
    """
    one = get(session, workspace_id, id_)
    _check(one, decision)
    values = {
        "state": DONE if decision.choice is Choice.IGNORE else DECIDED,
        "choice": decision.choice.value,
        "crm_id": decision.crm_id,
        "decided_by": who,
        "decided_at": now,
        "started_at": now if decision.choice is Choice.IGNORE else None,
    }
    here = (_one_of(workspace_id, id_), review.c.state == WAITING, review.c.version == version)
    if session.execute(update(review).where(*here).values(values)).rowcount != 1:
        raise RefusedError(
            "What there is to choose from changed meanwhile, or somebody else decided.",
            code="review_changed",
            remedy="Look at the record again, then decide.",
        )
    if decision.choice is Choice.IGNORE:
        _set_link(session, one, state="ignored")
    return get(session, workspace_id, id_)


def _check(one: Review, decision: Decision) -> None:
    known = {candidate["id"] for candidate in one.candidates}
    fits = {
        Choice.LINK: decision.crm_id in known,
        Choice.CREATE: not one.only_one and decision.crm_id is None,
        Choice.IGNORE: decision.crm_id is None,
    }
    if not fits[decision.choice]:
        raise RefusedError(
            "This cannot be chosen for this record.",
            code="review_choice",
            remedy="Choose one of the CRM records that are shown, or leave it out.",
        )


def take_back(session: Session, workspace_id: str, id_: int, *, now: datetime) -> Review:
    """Forget a decision: the record is unlinked, and asked about again. What was written stays in the CRM.

    Raises RefusedError (``review_undecided``) when there is none.
    """
    one = get(session, workspace_id, id_)
    here = (_one_of(workspace_id, id_), review.c.choice.is_not(None))
    values = {"state": DECIDED, "choice": None, "crm_id": None, "decided_by": None, "decided_at": now}
    if session.execute(update(review).where(*here).values(values | {"started_at": None})).rowcount != 1:
        raise RefusedError(
            "There is no decision to take back.",
            code="review_undecided",
            remedy="Look at the record again.",
        )
    # A record that we made keeps our id of its generation, so the next attempt gets one of its own.
    anew = {"generation": link.c.generation + 1} if one.choice == Choice.CREATE else {}
    _set_link(session, one, state="review", crm_id=None, fingerprint=None, memory=None, **anew)
    return get(session, workspace_id, id_)


def _set_link(session: Session, one: Review, **values: Any) -> None:
    here = and_(
        link.c.source_id == one.source_id,
        link.c.kind == one.kind,
        link.c.object == one.object,
        link.c.source == one.source,
        link.c.workspace_id == one.workspace_id,
    )
    session.execute(update(link).where(here).values(values))


def get(session: Session, workspace_id: str, id_: int) -> Review:
    """One review of the workspace. Raises RefusedError when it has none of this id."""
    row = session.execute(select(review).where(_one_of(workspace_id, id_))).first()
    if row is None:
        raise RefusedError(f"There is no review {id_}.", code="no_review")
    return _made(row)


def page(
    session: Session,
    workspace_id: str,
    states: Sequence[str],
    connection_id: str | None = None,
    place: Place = NEWEST,
    limit: int = 50,
) -> Leaf[Review]:
    """One page of the workspace's reviews in these states, newest first."""
    query = select(review).where(review.c.workspace_id == workspace_id, review.c.state.in_(states))
    if connection_id:
        query = query.where(review.c.connection_id == connection_id)
    rows = session.execute(from_place(query, review.c.id, place).limit(limit + 1)).all()
    found = newest_first([_made(row) for row in rows[:limit]], place)
    return leaf_of(found, [one.id for one in found], place, more=len(rows) > limit)


def waiting(session: Session, workspace_id: str) -> dict[str, int]:
    """Connection id → how many of its records wait for a decision; none: absent."""
    query = (
        select(review.c.connection_id, func.count())
        .where(review.c.workspace_id == workspace_id, review.c.state == WAITING)
        .group_by(review.c.connection_id)
    )
    return {row.connection_id: row[1] for row in session.execute(query)}


def due(session: Session, workspace_id: str, connection_id: str) -> list[Review]:
    """Decisions of a connection for which no sync was started yet."""
    query = select(review).where(
        review.c.workspace_id == workspace_id,
        review.c.connection_id == connection_id,
        review.c.state == DECIDED,
        review.c.started_at.is_(None),
    )
    return [_made(row) for row in session.execute(query.order_by(review.c.id))]


def started(session: Session, workspace_id: str, ids: Sequence[int], now: datetime) -> None:
    """A sync is under way for these decisions."""
    here = (review.c.id.in_(ids), review.c.workspace_id == workspace_id)
    session.execute(update(review).where(*here).values(started_at=now))


def _one_of(workspace_id: str, id_: int) -> Any:
    return and_(review.c.id == id_, review.c.workspace_id == workspace_id)


def _made(row: Row[Any]) -> Review:
    return Review(**row._mapping)
