"""An admin's answer to a sync that would remove, or change, more records than it may without asking."""

from __future__ import annotations

import uuid

from connector.core.outcomes import Result, sum_of
from connector.errors import RefusedError
from connector.store import connections, questions, removals, runs
from connector.store.db import Session
from connector.store.runs import NewRun, Run
from connector.sync import leaving, limiting, mirror
from connector.sync.removing import asks
from connector.sync.tools import Tools


def approve(tools: Tools, workspace_id: str, run_id: str, *, who: str, correlation_id: str) -> str:
    """Have the removals that a run asked about carried out by a run of their own; its id.

    Each is looked for on the source once more. Raises RefusedError where nothing waits (any more), or a sync
    of the connection is under way.
    """
    with tools.database.reading() as session:
        waiting = runs.get(session, workspace_id, run_id)
        connection = connections.get(session, workspace_id, waiting.connection_id)
    mirror.check_may_run(connection)
    passed = {kind: asked["from"] for kind, asked in asks(waiting).items()}
    id_, now = str(uuid.uuid4()), tools.clock()
    why = f"Removals of sync {waiting.number}, approved by {who}"
    new = NewRun(
        id_,
        workspace_id,
        waiting.connection_id,
        "repair",
        why,
        correlation_id,
        now,
        {"refs": {}, "passed": passed, "approved": True},
    )
    with tools.database.transaction() as session:
        _answer(session, waiting, "approved", who)
        runs.start(session, new)
        started = runs.by_id(session, id_)
    mirror.ring(tools, started)
    return id_


def refuse(tools: Tools, workspace_id: str, run_id: str, *, who: str) -> int:
    """Leave the records that a run asked about as they are, and do not ask again; how many.

    One that the source has again is taken up as ever. Raises RefusedError where nothing waits (any more).
    """
    with tools.database.reading() as session:
        waiting = runs.get(session, workspace_id, run_id)
    kept, mapped = 0, tools.mappings.of(workspace_id)
    with tools.database.transaction() as session:
        _answer(session, waiting, "refused", who)
        for mapping in mapped:
            asked = asks(waiting).get(mapping.kind)
            if asked:
                scope = leaving.scope_of(mapping, workspace_id, waiting.connection_id)
                kept += removals.keep_unseen(session, scope, asked["from"], tools.clock())
    return kept


def agree(tools: Tools, workspace_id: str, run_id: str) -> None:
    """Have a run that stopped before it changed too many records change the rest too.

    Raises RefusedError where it does not ask (any more), or may not go on.
    """
    with tools.database.reading() as session:
        asking = runs.get(session, workspace_id, run_id)
        connection = connections.get(session, workspace_id, asking.connection_id)
    mirror.check_may_run(connection)
    with tools.database.transaction() as session:
        if not limiting.asks(asking) or not runs.resume_one(session, workspace_id, run_id, tools.clock()):
            raise _no_question()
    mirror.ring(tools, asking)


def _answer(session: Session, waiting: Run, answer: str, who: str) -> None:
    status = "partial" if sum_of(waiting.counts, Result.FAILED) else "success"
    if not questions.answer(session, waiting.workspace_id, waiting.id, answer, who, status):
        raise _no_question()


def _no_question() -> RefusedError:
    return RefusedError(
        "This sync does not wait for an answer (any more).",
        code="no_question",
        remedy="Look at the sync: it says what became of it.",
    )
