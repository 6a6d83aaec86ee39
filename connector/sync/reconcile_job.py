"""One job of a comparison: it holds the lease of the row, works for a few seconds in the lowest lane, saves
what each block came to with its place in one transaction, and rings for the next.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import structlog

from connector.core.mapping import Mapping
from connector.core.outcomes import as_json
from connector.core.reconciling import without_source
from connector.core.records import Page, Ref
from connector.errors import ConnectorError, TryLaterError
from connector.store import connections, differences, leases, reconciliations, runs, workspaces
from connector.store.reconciliations import Reconciliation
from connector.sync import judging, mirror, modelling, waiting
from connector.sync.heartbeat import heartbeat
from connector.sync.judging import Findings
from connector.sync.reading import in_blocks
from connector.sync.scope import Scope
from connector.sync.tools import Tools

log = structlog.get_logger(__name__)

_SLICE = timedelta(seconds=5)
_FETCH = 100
_MOST_BREAKS = 5
_KEPT: Final = 30
"""Reports whose differences are kept, for each connection."""


def ring(tools: Tools, id_: str) -> None:
    """Ask for the next job. A bell out of order only delays: the sweeper rings again."""
    try:
        tools.queue.ring("reconcile", "full", reconciliation_id=id_)
    except TryLaterError as error:
        log.warning("could not ring for the comparison", error=str(error))


def advance(tools: Tools, id_: str, *, owner: str) -> None:
    """Compare for a slice of time; ring for the next slice, or end it."""
    now = tools.clock()
    with tools.database.transaction() as session:
        one = reconciliations.lease(session, id_, owner=owner, now=now, until=now + mirror.LEASE)
    if one is None:
        return
    structlog.contextvars.bind_contextvars(correlation_id=one.correlation_id, reconciliation=one.number)
    job = _Job(tools, one, owner)
    try:
        with heartbeat(partial(_prolong, tools, id_, owner)):
            if not _slice(job, now + _SLICE):
                return
    except TryLaterError as error:
        if error.code != "lease_lost":
            raise
        log.warning("another worker took the comparison over")
        return
    ring(tools, id_)


class _Job:
    """One job's hold on a comparison; ``one`` is replaced as its progress is saved."""

    def __init__(self, tools: Tools, one: Reconciliation, owner: str) -> None:
        self.tools = tools
        self.one = one
        self.owner = owner

    def save(self, **values: Any) -> None:
        """Save without findings."""
        with self.tools.database.transaction() as session:
            reconciliations.save(session, self.one, owner=self.owner, **values)
        self._moved(**values)

    def keep(self, object_: str, findings: Findings, checkpoint: dict[str, Any]) -> None:
        """What a block came to, and the place after it, in one transaction."""
        counts = {name: dict(of) for name, of in self.one.counts.items()}
        into = counts.setdefault(object_, {})
        for standing, number in findings.standings.items():
            into[standing] = into.get(standing, 0) + number
        values = {"counts": counts, "checkpoint": checkpoint}
        workspace_id, number = self.one.workspace_id, self.one.number
        with self.tools.database.transaction() as session:
            differences.add(session, workspace_id, number, findings.differences)
            differences.mark_compared(session, workspace_id, findings.links, number)
            reconciliations.save(session, self.one, owner=self.owner, **values)
        self._moved(**values)

    def _moved(self, **values: Any) -> None:
        self.one = replace(self.one, **values, checkpoint_version=self.one.checkpoint_version + 1)


def _slice(job: _Job, until: datetime) -> bool:
    """Whether there is more to do at once."""
    tools = job.tools
    try:
        ended = _work(job, _opened(job), until)
    except TryLaterError as error:
        _wait(job, error)
        return False
    except ConnectorError as error:
        _fail(job, error)
        return False
    except Exception as error:
        log.exception("a job of the comparison broke off")
        _broke_off(job, error)
        return False
    if not ended:
        job.save(lease_owner=None, lease_until=None, due_at=tools.clock(), error=None)
        return True
    with tools.database.transaction() as session:
        reconciliations.finish(session, job.one, owner=job.owner, now=tools.clock())
        reconciliations.prune(session, job.one.workspace_id, job.one.connection_id, _KEPT)
    log.info("comparison ended", counts=job.one.counts)
    return False


def _opened(job: _Job) -> Scope:
    """The steps' view of it. They know runs; this one is never saved, and claims nothing."""
    tools, one = job.tools, job.one
    with tools.database.reading() as session:
        workspace = workspaces.get(session, one.workspace_id)
        connection = connections.get(session, one.workspace_id, one.connection_id)
    mirror.check_may_run(connection)
    mapped = tools.mappings.in_force(workspace)
    return Scope(
        tools.database,
        mapped.mappings,
        tools.open_reader(connection, "full"),
        modelling.open_writer(tools, workspace, "full"),
        tools.clock,
        job.owner,
        mirror.LEASE,
        _as_run(one),
        sales_known=bool(mapped.kept) and connection.sales_read_at is not None,
        kept=mapped.kept,
    )


def _as_run(one: Reconciliation) -> runs.Run:
    shared = ("id", "workspace_id", "connection_id", "status", "why", "correlation_id")
    return runs.Run(
        **{name: getattr(one, name) for name in shared},
        number=0,
        type="preview",
        mapping_version=None,
        counts={},
        unknown_choices={},
        checkpoint={},
        checkpoint_version=0,
        drift=0,
        error=None,
        lease_owner=None,
        lease_until=None,
        due_at=one.due_at,
        queued_at=one.queued_at,
        started_at=one.started_at,
        ended_at=None,
        active_key=None,
    )


def _work(job: _Job, scope: Scope, until: datetime) -> bool:
    for mapping in scope.mappings:
        if not _compare_kind(job, scope, mapping, until):
            return False
    return all(_look_for_unseen(job, scope, mapping, until) for mapping in scope.mappings)


def _stage(mapping: Mapping, part: str) -> str:
    return f"{mapping.kind}:{mapping.object.name}:{part}"


def _is_over(job: _Job, until: datetime) -> bool:
    return job.tools.clock() >= until or job.tools.ends()


def _compare_kind(job: _Job, scope: Scope, mapping: Mapping, until: datetime) -> bool:
    """Every record that the source lists; True when all of them are compared."""
    stage, place = _stage(mapping, "read"), job.one.checkpoint
    done = list(place.get("done", ()))
    if stage in done:
        return True
    cursor = place.get("cursor") if place.get("stage") == stage else None
    seen: set[Ref] = set()
    for block in in_blocks(scope.reader.pages(mapping.kind, cursor), job.tools.block_pages):
        findings = judging.judged(scope, mapping, block, job.one.number, seen)
        last = block[-1]
        after = {"done": done, "stage": stage, "cursor": last.cursor}
        job.keep(mapping.object.name, findings, {"done": [*done, stage]} if last.last else after)
        if last.last:
            return True
        if _is_over(job, until):
            return False
    job.save(checkpoint={"done": [*done, stage]})
    return True


def _look_for_unseen(job: _Job, scope: Scope, mapping: Mapping, until: datetime) -> bool:
    """Links whose record the source did not list: asked for by id, since a list may leave out what moved."""
    stage, place = _stage(mapping, "links"), job.one.checkpoint
    done = list(place.get("done", ()))
    if stage in done:
        return True
    after = int(place.get("link", 0)) if place.get("stage") == stage else 0
    readable = scope.reader.may_read(mapping.kind)  # what may not be read is not gone
    while readable:
        with scope.database.reading() as session:
            left = differences.unseen(session, scope.claims(mapping), job.one.number, after, _FETCH)
        if not left:
            break
        findings = _asked_for(job, scope, mapping, [(ref, crm_id) for _, ref, crm_id in left])
        after = left[-1][0]
        job.keep(mapping.object.name, findings, {"done": done, "stage": stage, "link": after})
        if _is_over(job, until):
            return False
    job.save(checkpoint={"done": [*done, stage]})
    return True


def _asked_for(job: _Job, scope: Scope, mapping: Mapping, left: list[tuple[Ref, str]]) -> Findings:
    fetched = scope.reader.fetch(mapping.kind, [ref.id for ref, _ in left])
    there = Page(tuple(fetched[ref.id] for ref, _ in left if ref.id in fetched), None, last=False)
    findings = judging.judged(scope, mapping, [there], job.one.number, set())
    for ref, crm_id in left:
        if ref.id not in fetched:
            judging.absent(findings, without_source(ref, mapping.object.name, crm_id))
    return findings


# --- what stands in the way


def _wait(job: _Job, error: TryLaterError) -> None:
    """Nothing is wrong with the data: give it back, and go on when the other side may answer."""
    if error.code == "lease_lost":
        raise error
    checkpoint = job.one.checkpoint
    if error.after is None:
        checkpoint = waiting.counted(checkpoint, error)
        if (end := waiting.end_of_patience(checkpoint, error)) is not None:
            _fail(job, end)
            return
    wait = error.after if error.after is not None else waiting.seconds(job.one.id, checkpoint["tries"])
    log.info("comparison waits", error=str(error), code=error.code, seconds=wait)
    _put_off(job, checkpoint, error, wait)


def _broke_off(job: _Job, error: Exception) -> None:
    breaks = int(job.one.checkpoint.get("breaks", 0)) + 1
    told = ConnectorError(
        f"A defect of the connector ({type(error).__name__}) stops this comparison at the same place.",
        code="internal",
        remedy="Report it: the engineer finds the details in the log under its number.",
    )
    if breaks >= _MOST_BREAKS:
        _fail(job, told)
        return
    _put_off(job, {**job.one.checkpoint, "breaks": breaks}, told, 2.0**breaks)


def _put_off(job: _Job, checkpoint: dict[str, Any], error: ConnectorError, wait: float) -> None:
    due_at = leases.later(job.tools.clock(), wait)
    given_back = {"lease_owner": None, "lease_until": None, "due_at": due_at}
    job.save(checkpoint=checkpoint, error=as_json(error), **given_back)


def _fail(job: _Job, error: ConnectorError) -> None:
    log.error("comparison failed", code=error.code, error=str(error))
    with job.tools.database.transaction() as session:
        reconciliations.finish(session, job.one, owner=job.owner, now=job.tools.clock(), error=as_json(error))


def _prolong(tools: Tools, id_: str, owner: str) -> None:
    with tools.database.transaction() as session:
        reconciliations.renew(session, id_, owner=owner, until=tools.clock() + mirror.LEASE)
