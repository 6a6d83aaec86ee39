"""What a window of records asks of a person, what it no longer asks, and what it leaves open meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from connector.core.mapping import Mapping
from connector.core.plan import Candidate, PlannedWrite
from connector.store import relations, reviews
from connector.store.db import Session
from connector.store.reviews import DECIDED, WAITING, Question
from connector.sync.scope import Item, Scope


def keep(scope: Scope, mapping: Mapping, session: Session, window: Sequence[Item], now: datetime) -> None:
    """In the transaction that keeps the window's outcomes."""
    claims, workspace = scope.claims(mapping), scope.run.workspace_id
    asked = [(item, _question(item, item.plan)) for item in window if item.plan and item.plan.doubt]
    reviews.ask(session, claims, [question for item, question in asked if _is_news(item, question)], now)
    for state, carried_out in ((WAITING, False), (DECIDED, True)):
        ids = [
            item.asked.id for item in window if item.asked and _is_settled(item) and item.asked.state == state
        ]
        if ids:
            reviews.settle(session, workspace, ids, carried_out=carried_out)
    left_open = [one for item in window for one in item.left_open]
    if mapping.links and (left_open or relations.any_of(session, workspace)):
        relations.keep(session, claims, [item.ref for item in window], left_open)


def _is_settled(item: Item) -> bool:
    plan = item.plan
    failed = plan is None or plan.error or (item.result is not None and item.result.error)
    return not failed and plan is not None and plan.doubt is None


def _is_news(item: Item, question: Question) -> bool:
    return item.asked is None or item.asked.state != WAITING or item.asked.version != question.version


def _question(item: Item, plan: PlannedWrite) -> Question:
    doubt = plan.doubt
    if doubt is None:
        raise AssertionError(f"{item.ref} asks nothing")
    said = {name: value for name, value in item.values.items() if value is not None}
    return Question(
        item.ref,
        plan.title,
        doubt.why.value,
        said,
        [_candidate(one) for one in doubt.candidates],
        doubt.only_one,
    )


def _candidate(one: Candidate) -> dict[str, Any]:
    row = one.row
    return {
        "id": row.id,
        "fits": list(one.fits),
        "values": {name: value for name, value in row.values.items() if value is not None},
        "further": {name: list(texts) for name, texts in row.further.items()},
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "deleted": row.deleted,
        "holder": f"{one.holder.kind} {one.holder.id}" if one.holder else None,
    }
