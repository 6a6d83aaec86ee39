"""One record that the CRM answers with words that nobody knows, each time it is sent.

Unknown words are taken for passing trouble, which is waited out. Where they stay, one of the records of the
request may be what they are about, and it must not hold the others for ever. So after some waits that led
nowhere the request is taken apart: a record that is refused alone while others are written fails, in the
CRM's own words. Where nothing is written at all it is the CRM that is in trouble, and is waited for; only a
record that has nobody beside it fails after a long time, for the next sync to try again.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from connector.core.mapping import Mapping
from connector.core.outcomes import WriteResult
from connector.core.plan import PlannedWrite, refused
from connector.core.records import Ref
from connector.errors import TryLaterError
from connector.sync.scope import Scope

log = structlog.get_logger(__name__)

_TRIES = 5  # about half a minute
_TRIES_ALONE = 30  # about ten minutes
_UNANSWERED = 16  # requests without a single success: more of them would only burden a CRM in trouble


def apply(scope: Scope, mapping: Mapping, writes: Sequence[PlannedWrite]) -> list[WriteResult]:
    """Write, as ``Writer.apply`` does; what the CRM takes in no company is told as failed."""
    try:
        return scope.writer.apply(mapping, writes)
    except TryLaterError as error:
        if not _is_unknown(error) or scope.tries < _TRIES:
            raise
        if len(writes) > 1:
            return _apart(scope, mapping, writes, error)
        if scope.tries < _TRIES_ALONE:
            raise
        return [_failed(writes[0], error)]


def _is_unknown(error: TryLaterError) -> bool:
    return error.code == "crm_unavailable" and error.after is None


def _apart(
    scope: Scope, mapping: Mapping, writes: Sequence[PlannedWrite], error: TryLaterError
) -> list[WriteResult]:
    log.warning("a request is taken apart", records=len(writes), error=str(error))
    results, alone, asked = dict[Ref, WriteResult](), list[WriteResult](), 1
    parts = _halves(writes)
    while parts:
        part, asked = parts.pop(), asked + 1
        try:
            results.update((one.ref, one) for one in scope.writer.apply(mapping, part))
        except TryLaterError as again:
            if not _is_unknown(again) or (not results and asked > _UNANSWERED):
                raise
            if len(part) == 1:
                alone.append(_failed(part[0], again))
            else:
                parts += _halves(part)
    if not results:
        raise error
    results.update((one.ref, one) for one in alone)
    return [results[write.ref] for write in writes]


def _halves(writes: Sequence[PlannedWrite]) -> list[Sequence[PlannedWrite]]:
    middle = len(writes) // 2
    return [writes[:middle], writes[middle:]]


def _failed(write: PlannedWrite, error: TryLaterError) -> WriteResult:
    told = f"each time it is sent: {error}"
    return WriteResult(write.ref, error=refused(write, told, code="crm_unknown_refusal"))
