"""What follows a person's decision: its record is taken through the road at once, and what waits for it.

A decision is a row; the sync it needs is started with it, or, while another sync of the connection is under
way, by the sweeper as soon as that has ended.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

import structlog

from connector.core.plan import Decision
from connector.core.records import Ref
from connector.errors import RefusedError
from connector.store import connections, relations, reviews, runs
from connector.store.db import Session
from connector.store.reviews import Review
from connector.store.runs import NewRun
from connector.sync import mirror
from connector.sync.tools import Tools

log = structlog.get_logger(__name__)

Tell = Callable[[Session, Review], None]
"""Records who did it, in the transaction that does it."""


def decide(
    tools: Tools, workspace_id: str, review_id: int, decision: Decision, *, version: str, who: str, tell: Tell
) -> Review:
    """Remember a decision and start the sync that carries it out. Raises RefusedError where it cannot be."""
    with tools.database.transaction() as session:
        one = reviews.decide(
            session, workspace_id, review_id, decision, version=version, who=who, now=tools.clock()
        )
        tell(session, one)
    _try(tools, workspace_id, one.connection_id)
    return one


def take_back(tools: Tools, workspace_id: str, review_id: int, *, tell: Tell) -> Review:
    """Forget a decision and ask again, with the candidates of now."""
    with tools.database.transaction() as session:
        before = reviews.get(session, workspace_id, review_id)
        one = reviews.take_back(session, workspace_id, review_id, now=tools.clock())
        tell(session, before)
    _try(tools, workspace_id, one.connection_id)
    return one


def sweep(tools: Tools) -> int:
    """Start what decisions and open relations wait for; how many syncs."""
    with tools.database.reading() as session:
        waiting = relations.expectant(session)
    return sum(_try(tools, workspace_id, connection_id) for workspace_id, connection_id in waiting)


def _try(tools: Tools, workspace_id: str, connection_id: str) -> bool:
    """Start a sync of what waits, unless there is nothing, or it may not be now: then a sweep does later."""
    try:
        with tools.database.reading() as session:
            mirror.check_may_run(connections.get(session, workspace_id, connection_id))
            due = reviews.due(session, workspace_id, connection_id)
            refs = _waiting(session, workspace_id, connection_id, due)
        return bool(refs) and _start(tools, workspace_id, connection_id, refs, [one.id for one in due])
    except RefusedError as error:
        log.debug("a decision waits for its sync", code=error.code)
        return False


def _waiting(
    session: Session, workspace_id: str, connection_id: str, due: Sequence[Review]
) -> dict[str, list[str]]:
    """Kind → source ids: what was decided, what waits for that, and what waits for what came since."""
    decided = [one.ref for one in due]
    children = relations.children(session, workspace_id, decided)
    refs: dict[str, dict[str, None]] = {}
    for ref in (*decided, *children, *relations.ripe(session, workspace_id, connection_id)):
        refs.setdefault(ref.kind, {})[ref.id] = None
    return {kind: list(ids) for kind, ids in refs.items()}


def _start(
    tools: Tools, workspace_id: str, connection_id: str, refs: dict[str, list[str]], decided: Sequence[int]
) -> bool:
    id_, now = str(uuid.uuid4()), tools.clock()
    new = NewRun(
        id=id_,
        workspace_id=workspace_id,
        connection_id=connection_id,
        type="repair",
        why="After a decision in the review list",
        correlation_id=f"review-{id_[:13]}",
        now=now,
        checkpoint={"refs": refs},
    )
    source = tools.mappings.of(workspace_id).mappings[0].source
    with tools.database.transaction() as session:
        runs.start(session, new)
        reviews.started(session, workspace_id, decided, now)
        for kind, ids in refs.items():  # handed over: one that fails is told by its run, not tried for ever
            relations.forget(session, workspace_id, [Ref(source, kind, one) for one in ids])
        run = runs.by_id(session, id_)
    mirror.ring(tools, run)
    return True
