"""What an admin does with syncs besides starting them: pause, resume, try again, disconnect."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from connector.core.outcomes import as_json
from connector.errors import ConnectorError, RefusedError
from connector.store import connections, links, logbook, runs
from connector.store.runs import NewRun
from connector.sync import hooking, leaving, mirror
from connector.sync.hooking import HookDesk
from connector.sync.leaving import Then
from connector.sync.tokens import Keeper, withdraw
from connector.sync.tools import Tools


def pause(tools: Tools, workspace_id: str, connection_id: str) -> None:
    """No sync of this connection goes on; one under way stops after the records in hand, its place kept."""
    with tools.database.transaction() as session:
        connections.set_paused(session, workspace_id, connection_id, paused=True)
        runs.pause_idle(session, workspace_id, connection_id)


def resume(tools: Tools, workspace_id: str, connection_id: str) -> None:
    """Syncs go on; one that was paused goes on where it stopped."""
    with tools.database.transaction() as session:
        connections.set_paused(session, workspace_id, connection_id, paused=False)
        resumed = runs.resume(session, workspace_id, connection_id, tools.clock())
    for run in resumed:
        mirror.ring(tools, run)


def cancel(tools: Tools, workspace_id: str, run_id: str, *, who: str) -> None:
    """End a run before it is through. What it has done stays; a worker at it stops before its next save.

    Raises RefusedError when it has ended already.
    """
    told = ConnectorError(
        f"{who} cancelled it. What it had brought stays.", code="cancelled", remedy="Nothing to do."
    )
    with tools.database.transaction() as session:
        if not runs.end(session, workspace_id, run_id, tools.clock(), as_json(told)):
            raise RefusedError("This sync has ended already.", code="run_over", remedy="Nothing to do.")
        links.release(session, workspace_id, run_id)


def switch_notes(tools: Tools, workspace_id: str, connection_id: str, *, on: bool) -> None:
    """Have what comes about from now on leave notes and tasks, or nothing. What is on already stays so."""
    with tools.database.transaction() as session:
        since = connections.get(session, workspace_id, connection_id).notes_since
        if on != (since is not None):
            connections.set_notes(session, workspace_id, connection_id, tools.clock() if on else None)


def retry(
    tools: Tools,
    workspace_id: str,
    run_id: str,
    *,
    entry_ids: Sequence[int] = (),
    error_code: str | None = None,
    why: str,
    correlation_id: str,
) -> str:
    """Take records of a run again: the given log entries, else every failure (of one cause).

    Gives the new run's id. Raises RefusedError when there is nothing to try again, or a sync of the
    connection is under way.
    """
    with tools.database.reading() as session:
        run = runs.get(session, workspace_id, run_id)
        refs = logbook.refs_to_retry(session, workspace_id, run.number, entry_ids, error_code)
    if not refs:
        raise RefusedError("There is no failed record left to try again.", code="nothing_to_retry")
    return take_again(tools, workspace_id, run.connection_id, refs, why=why, correlation_id=correlation_id)


def take_again(
    tools: Tools,
    workspace_id: str,
    connection_id: str,
    refs: dict[str, list[str]],
    *,
    why: str,
    correlation_id: str,
) -> str:
    """Take single records (kind → source ids) through a run of their own; its id.

    Raises RefusedError when a sync of the connection is under way, or may not be.
    """
    with tools.database.reading() as session:
        mirror.check_may_run(connections.get(session, workspace_id, connection_id))
    id_ = str(uuid.uuid4())
    new = NewRun(
        id=id_,
        workspace_id=workspace_id,
        connection_id=connection_id,
        type="repair",
        why=why,
        correlation_id=correlation_id,
        now=tools.clock(),
        checkpoint={"refs": refs},
    )
    with tools.database.transaction() as session:
        runs.start(session, new)
        started = runs.by_id(session, id_)
    mirror.ring(tools, started)
    return id_


@dataclass(frozen=True, slots=True)
class Leave:
    """What is done with the records of a company that is disconnected, who wants it and as which request."""

    then: Then = Then.KEEP
    why: str = ""
    correlation_id: str = ""


def disconnect(
    tools: Tools,
    keeper: Keeper,
    workspace_id: str,
    connection_id: str,
    leave: Leave = Leave(),
    *,
    hooks: HookDesk | None = None,
) -> str | None:
    """Withdraw the approval on Whop and forget the credential; a run under way is cancelled. With ``hooks``
    our webhook is removed there first.

    The links and the log stay. What was synced stays too, or a run takes it back, whose id is given. Whop not
    answering does not keep the credential here.
    """
    with tools.database.reading() as session:
        connection = connections.get(session, workspace_id, connection_id)
    if hooks is not None:
        hooking.remove(hooks, connection)
    withdraw(keeper, connection)
    now = tools.clock()
    with tools.database.transaction() as session:
        connections.disconnect(session, workspace_id, connection_id)
        runs.cancel(session, workspace_id, connection_id, now)
        if leave.then is Then.KEEP:
            return None
        id_ = leaving.start(
            session, connection, leave.then, why=leave.why, correlation_id=leave.correlation_id, now=now
        )
        run = runs.by_id(session, id_)
    mirror.ring(tools, run)
    return id_
