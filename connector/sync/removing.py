"""CRM records whose source is gone: looked for after a complete pass, and dealt with as the mapping says.

Gone is what a complete pass did not come upon and what the source then answers with 404, while our
permissions are proven in the same minute: a permission that was withdrawn gives fewer rows, not an error.
Where more than the mapping's limit (a tenth of the records), and more than 50, would be touched, nothing is:
an admin is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import structlog

from connector.core.gone import Gone
from connector.core.limits import is_too_much
from connector.core.mapping import Mapping
from connector.store import links, questions, removals
from connector.store.removals import Left
from connector.store.runs import Run
from connector.sync import leaving, stages
from connector.sync.leaving import Then
from connector.sync.scope import Scope
from connector.sync.tools import Tools

log = structlog.get_logger(__name__)

_SAMPLE: Final = 100
"""So many are asked for by id before an admin is: enough to know that it is no mistake of the list."""

_BY_ID: Final = 50
_THEN: Final = {Gone.MARK: Then.MARK, Gone.CLEAR: Then.MARK, Gone.DELETE: Then.DELETE}


def work(tools: Tools, scope: Scope, until: datetime) -> bool:
    """Deal with what the passes of this run did not come upon; True when nothing is left."""
    passed: dict[str, int] = scope.run.checkpoint.get("passed", {})
    for mapping in reversed(scope.mappings):
        first = passed.get(mapping.kind)
        if first is None or mapping.when_gone.do not in _THEN or _is_done(scope, mapping):
            continue
        if _may(scope, mapping, first) and not _carry_out(tools, scope, mapping, first, until):
            return False
        _note(scope, removed=[*scope.run.checkpoint.get("removed", ()), _stage(mapping)])
    return True


def passed_all(scope: Scope) -> bool:
    """Note that this run was a complete pass of everything; True, as what comes next may begin."""
    if "passed" not in scope.run.checkpoint:
        kinds = [mapping.kind for mapping in scope.mappings]
        _note(scope, passed=dict.fromkeys(kinds, scope.run.number))
    return True


def asks(run: Run) -> dict[str, Any]:
    """What an admin is asked about this run's removals: kind → from, count, of; none: nothing."""
    found: dict[str, Any] = run.checkpoint.get("asks", {})
    return found


def _may(scope: Scope, mapping: Mapping, first: int) -> bool:
    """Whether it may be done without asking; otherwise the question is noted."""
    if scope.run.checkpoint.get("approved"):
        return True
    run = scope.run
    with scope.database.reading() as session:
        if questions.waiting(session, run.workspace_id, run.connection_id):
            log.info("removals wait for the answer to those of an earlier sync", kind=mapping.kind)
            return False
        count, of = removals.count_unseen(session, scope.claims(mapping), first)
    most = mapping.limits.most_removed
    if not is_too_much(count, of, most):
        return True
    with scope.database.reading() as session:
        sample = removals.unseen(session, scope.claims(mapping), first, 0, _SAMPLE)
    gone = _gone(scope, mapping, sample)
    if not is_too_much(count * len(gone) // max(1, len(sample)), of, most):
        return True
    log.warning("many records are gone: an admin is asked", kind=mapping.kind, count=count, of=of)
    asked = {"from": first, "count": count, "of": of, "object": mapping.object.name}
    _note(scope, asks={**asks(run), mapping.kind: asked})
    return False


def _carry_out(tools: Tools, scope: Scope, mapping: Mapping, first: int, until: datetime) -> bool:
    while True:
        place = scope.run.checkpoint.get("at", {}).get(_stage(mapping), 0)
        most = min(_BY_ID, scope.writer.batch_size())
        with scope.database.reading() as session:
            block = removals.unseen(session, scope.claims(mapping), first, place, most)
        if not block:
            return True
        gone = _gone(scope, mapping, block)
        checkpoint = stages.going_on(scope)
        at = {**checkpoint.get("at", {}), _stage(mapping): block[-1].id}
        if gone:
            then = _THEN[mapping.when_gone.do]
            leaving.take_back(scope, mapping, gone, then, {**checkpoint, "at": at})
        else:
            stages.save_place(scope, {**checkpoint, "at": at})
        if tools.clock() >= until or stages.is_to_stop(tools, scope.run):
            return False


def _gone(scope: Scope, mapping: Mapping, block: Sequence[Left]) -> list[Left]:
    """Those that the source answers with 404, our permissions proven right after."""
    found = scope.reader.fetch(mapping.kind, [left.ref.id for left in block])
    scope.reader.account()  # asks anew what we may read
    if not scope.reader.may_read(mapping.kind):
        return []
    there = [left.id for left in block if left.ref.id in found]
    with scope.database.transaction() as session:
        links.see(session, scope.run.workspace_id, there, scope.run.number)
    return [left for left in block if left.ref.id not in found]


def _stage(mapping: Mapping) -> str:
    return f"{mapping.kind}:{mapping.object.name}"


def _is_done(scope: Scope, mapping: Mapping) -> bool:
    return _stage(mapping) in scope.run.checkpoint.get("removed", ())


def _note(scope: Scope, **more: Any) -> None:
    stages.save_place(scope, {**stages.going_on(scope), **more})
