"""Previews on request: of a whole sync, or of single records."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.store import runs
from connector.store.connections import Connection
from connector.store.runs import NewRun
from connector.sync import mirror, stages
from connector.sync.drifting import DOUBT
from connector.sync.tools import Tools


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a preview is about: single records (kind → source ids), or all of some kinds, or everything.

    ``version`` are the mapping files that it goes by, where those are not the ones in force.
    """

    refs: Mapping[str, Sequence[str]] | None = None
    kinds: tuple[str, ...] = ()
    version: str | None = None


def start(tools: Tools, connection: Connection, wanted: Wanted, *, why: str, correlation_id: str) -> str:
    """Queue a preview and ring for it; its id. It goes on beside any sync, because it writes nothing.

    Raises RefusedError where the connection is not active, or paused.
    """
    mirror.check_may_run(connection)
    checkpoint: dict[str, Any] = {}
    if wanted.refs is not None:
        checkpoint["refs"] = {kind: list(ids) for kind, ids in wanted.refs.items()}
    if wanted.kinds:
        checkpoint[stages.ONLY] = list(wanted.kinds)
    if wanted.refs is not None or wanted.version is not None:
        checkpoint[DOUBT] = True
    id_ = str(uuid.uuid4())
    ids = (connection.workspace_id, connection.id)
    new = NewRun(
        id_,
        *ids,
        "preview",
        why,
        correlation_id,
        tools.clock(),
        checkpoint,
        alone=False,
        mapping_version=wanted.version,
    )
    with tools.database.transaction() as session:
        runs.start(session, new)
        run = runs.by_id(session, id_)
    mirror.ring(tools, run)
    return id_
