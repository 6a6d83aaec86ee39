"""Payments, refunds and disputes that moved: what the lists of them tell, and what those leave open.

A payment that moved says which membership's sums are to be written anew; a refund or a dispute says which
payment is to be read again. What is kept as not settled yet (a payment that is authorized or pending, a
refund under way) moves without a list telling, so some of those are read again by id in every sync, in turn.
What moves long after it was settled, such as a payment that is voided after months, is in no list's order: of
all payments every sync reads one page again, so each of n comes up once in n / 100 syncs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from connector.core.records import AbsentRecord, Page, Ref
from connector.errors import RefusedError
from connector.store import sales
from connector.sync import selling, stages
from connector.sync.reading import in_blocks

if TYPE_CHECKING:
    from connector.sync.incremental import Job

_AT_ONCE: Final = 5  # pages: a transaction costs as much as a page, and must not keep others waiting
_BY_ID: Final = 20
_IN_TURN: Final = 5
_STREAM: Final = "sales:open"
_AGAIN: Final = "payment:again"


def take(job: Job) -> bool:
    """Keep what moved; False when the time is up before the end."""
    for kind in job.scope.kept:
        if job.scope.reader.may_read(kind) and not _lists(job, kind):
            return False
    _page_again(job)
    return _open(job) and _owed(job)


def _lists(job: Job, kind: str) -> bool:
    for way in job.scope.reader.recents(kind):
        stream = f"{kind}:{way}"
        if job.is_done(stream):
            continue
        pages = job.scope.reader.recent(kind, way, job.since(stream) or "", job.cursor(stream))
        for block in in_blocks(pages, _AT_ONCE):
            place = job.place(stream, block[-1].cursor, **_listed(job, way, block))
            selling.keep_changed(job.scope, kind, block, place)
            if job.is_over() and not block[-1].last:
                return False
        job.close(stream, until=job.began())
    return True


def _page_again(job: Job) -> None:
    """The next page of all payments, the newest first; after the last it begins anew."""
    reader = job.scope.reader
    if job.is_done(_AGAIN) or not reader.may_read("payment") or "made" not in reader.recents("payment"):
        return
    page = _page(job, (job.covered(_AGAIN).round or {}).get("cursor"))
    selling.keep_changed(job.scope, "payment", [page], job.place(_AGAIN, None))
    job.close(_AGAIN, round_={} if page.last else {"cursor": page.cursor})


def _page(job: Job, cursor: str | None) -> Page:
    try:
        return next(iter(job.scope.reader.recent("payment", "made", "", cursor)))
    except RefusedError as error:
        if cursor is None or error.code != "source_cursor":
            raise
    return _page(job, None)  # the place is void: it begins anew


def _listed(job: Job, way: str, block: list[Page]) -> dict[str, Any]:
    """The payments that are open still: those that are kept as open, and are not among them, have moved."""
    known = list(job.scope.run.checkpoint.get("listed", ()))
    if way == "open":
        known += [item.ref.id for page in block for item in page.items]
    return {"listed": known}


def _open(job: Job) -> bool:
    """Have some of those read again that no list tells of, a few in each sync."""
    if job.is_done(_STREAM):
        return True
    scope, run = job.scope, job.scope.run
    listed = set(run.checkpoint.get("listed", ()))
    with scope.database.reading() as session:
        found = sales.unsettled(session, run.workspace_id, run.connection_id)
    waiting = [one for one in found if one[1] not in listed]
    start = run.number * _IN_TURN % len(waiting) if waiting else 0
    turn = [*waiting[start:], *waiting[:start]][:_IN_TURN]
    owed = dict(run.checkpoint.get("owed", {}))
    for kind, id_ in turn:
        owed[kind] = [*owed.get(kind, ()), id_]
    kept = {name: of for name, of in run.checkpoint.items() if name != "listed"}
    done = [*kept.get("done", ()), _STREAM]
    stages.save_place(scope, {**kept, "owed": owed, "done": done})
    return True


def _owed(job: Job) -> bool:
    """Read by id what is owed, refunds before the payments that they lead to."""
    scope = job.scope
    for kind in ("refund", "dispute", "payment"):
        while owed := scope.run.checkpoint.get("owed", {}).get(kind, ()):
            block, rest = owed[:_BY_ID], owed[_BY_ID:]
            found = scope.reader.fetch(kind, block)
            refs = [Ref(scope.mappings[0].source, kind, id_) for id_ in block]
            items = tuple(found.get(ref.id) or AbsentRecord(ref) for ref in refs)
            left = {**scope.run.checkpoint["owed"], kind: rest}
            selling.keep_changed(
                scope, kind, [Page(items, None, last=False)], {**stages.going_on(scope), "owed": left}
            )
            if job.is_over():
                return False
    return True
