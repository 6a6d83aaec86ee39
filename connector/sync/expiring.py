"""Memberships whose end has passed without an event: looked at again within minutes, by a run of their own.

It goes beside any other, as events do: a first sync takes long, and one that waits for an answer longer.

The end that a record tells is kept with its outcome (``note``). A renewal moves it; what has ended has none.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta

import structlog

from connector.core import ending
from connector.errors import RefusedError
from connector.store import endings, runs
from connector.store.runs import NewRun
from connector.sync import mirror
from connector.sync.tools import Tools

log = structlog.get_logger(__name__)

_AT_ONCE = 500
_WHY = "Their end on Whop has passed"


def sweep(tools: Tools) -> int:
    """Start a run for what is due, one for each connection; how many were started."""
    with tools.database.reading() as session:
        due = endings.due(session, tools.clock(), _AT_ONCE)
    return sum(_start(tools, *ids, found) for ids, found in due.items())


def _start(
    tools: Tools, workspace_id: str, connection_id: str, found: Sequence[tuple[str, str, int]]
) -> bool:
    now, id_ = tools.clock(), str(uuid.uuid4())
    refs: dict[str, list[str]] = {}
    for kind, source_id, _ in found:
        refs.setdefault(kind, []).append(source_id)
    next_at = {looks: now + timedelta(seconds=ending.wait_after(looks)) for _, _, looks in found}
    place = {"refs": refs}
    new = NewRun(id_, workspace_id, connection_id, "repair", _WHY, uuid.uuid4().hex, now, place, alone=False)
    try:
        with tools.database.transaction() as session:
            runs.start(session, new)
            if not endings.take(session, workspace_id, connection_id, found, next_at):
                raise RefusedError("Another scheduler looks at these.", code="run_active")
            run = runs.by_id(session, id_)
    except RefusedError:
        return False
    mirror.ring(tools, run)
    return True
