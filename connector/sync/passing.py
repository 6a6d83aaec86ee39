"""The passes that bring records in line with a changed mapping: of its kinds alone, each record doubted.

What is to be passed over is a row, made with the change. Its run is started at once, or, while another sync
of the connection is under way, by the sweeper as soon as that has ended.
"""

from __future__ import annotations

import uuid

import structlog

from connector.errors import RefusedError
from connector.store import connections, mapping_passes, runs
from connector.store.mapping_passes import Pass
from connector.store.runs import NewRun
from connector.sync import mirror, stages
from connector.sync.tools import Tools

log = structlog.get_logger(__name__)


def sweep(tools: Tools) -> int:
    """Start every pass that may begin; how many."""
    with tools.database.reading() as session:
        waiting = mapping_passes.every(session)
    return sum(_try(tools, one) for one in waiting)


def _try(tools: Tools, one: Pass) -> bool:
    try:
        with tools.database.reading() as session:
            mirror.check_may_run(connections.get(session, one.workspace_id, one.connection_id))
        return _start(tools, one)
    except RefusedError as error:
        log.debug("a pass of a changed mapping waits", code=error.code)
        return False


def _start(tools: Tools, one: Pass) -> bool:
    id_ = str(uuid.uuid4())
    new = NewRun(
        id_,
        one.workspace_id,
        one.connection_id,
        "repair",
        one.why,
        f"mapping-{id_[:13]}",
        tools.clock(),
        {stages.ONLY: list(one.kinds)},
    )
    with tools.database.transaction() as session:
        if not mapping_passes.take(session, one.workspace_id, one.connection_id, one.change):
            return False
        runs.start(session, new)
        run = runs.by_id(session, id_)
    mirror.ring(tools, run)
    return True
