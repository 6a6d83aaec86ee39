"""Webhooks beside a full sync at the CRM's limit: how long their writes wait, and whether it moves on."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Iterator

from connector.bootstrap import Parts
from connector.cli import stage
from connector.cli.bench.report import Report
from connector.cli.stage import Stage
from connector.core.mapping import Mapping
from connector.core.plan import Action, PlannedWrite
from connector.core.records import Ref
from connector.errors import ConnectorError
from connector.ports import Seek, Writer
from connector.store import runs
from connector.store.connections import Connection

#: Few records a request, so that the sync lasts: it must be at the limit all the time that is measured.
CAP, RECORDS = 8, 1_600
_EVENTS = 50
_GAP = 3.0  # seconds from one event to the next, on average: with its look-up, two requests in that time
_PACE = 100 / 60  # requests a second that the sandbox allows
_FLOOR = 0.2  # of it that stays a full sync's own


def measure(report: Report, parts: Parts, set_up: Stage) -> None:
    """Start a sync, wait until it is at the limit, and write as webhooks do meanwhile."""
    workspace, connection = stage.connect(parts, set_up, "bench")
    stage.start(parts, connection, "A bench")
    _await_limit(parts, connection)
    writer = parts.openers.writer(workspace, "webhook")
    mapping = next(one for one in parts.tools.mappings.shipped if one.kind == "member")
    before, started = _sent(parts, set_up), time.monotonic()
    waits = sorted(_write(writer, mapping) for _ in _events())
    seconds, after = time.monotonic() - started, _sent(parts, set_up)
    moved = (after["total"] - before["total"] - 2 * _EVENTS) / seconds
    _check_active(parts, connection)
    report.add("webhooks beside a full sync: look-up and write, median", waits[len(waits) // 2], "s")
    report.add("webhooks beside a full sync: look-up and write, p99", _p99(waits), "s", ("<=", 2))
    report.add("full sync beside webhooks: its requests", moved, "a second", (">=", _FLOOR * _PACE))
    both = moved + 2 * _EVENTS / seconds
    report.add("both together, of what the limit allows", both / _PACE, "x", note="at the limit: 1")
    report.add("both together: refused", after["refused"] - before["refused"], "requests")


def _await_limit(parts: Parts, connection: Connection) -> None:
    while True:
        standing = parts.openers.crm_limit(connection.workspace_id)
        if standing is not None and standing.short:
            return
        _check_active(parts, connection)
        time.sleep(0.2)


def _check_active(parts: Parts, connection: Connection) -> None:
    with parts.database.reading() as session:
        run = runs.of_workspace(session, connection.workspace_id, limit=1)[0]
    if not run.active:
        raise ConnectorError("The full sync ended too early to be measured against.", code="bench")


def _events() -> Iterator[None]:
    """Events come when they like, by the same dice each time; one that comes too soon finds us late."""
    dice = random.Random(1)  # noqa: S311 - no secret
    due = time.monotonic()
    for _ in range(_EVENTS):
        due += dice.expovariate(1 / _GAP)
        time.sleep(max(0.0, due - time.monotonic()))
        yield


def _write(writer: Writer, mapping: Mapping) -> float:
    """One new person, as a webhook brings one; the seconds until Twenty has answered."""
    started, id_ = time.monotonic(), str(uuid.uuid4())
    ref, key = Ref("whop", "member", f"mber_{id_}"), f"user_{id_}"
    writer.look(mapping, [Seek(ref, id_, (("whopUserId", key),))])
    result = writer.apply(mapping, [PlannedWrite(ref, Action.CREATE, "person", id_, {"whopUserId": key})])[0]
    if result.error:
        raise result.error
    return time.monotonic() - started


def _p99(ordered: list[float]) -> float:
    return ordered[min(len(ordered) - 1, round(0.99 * len(ordered)))]


def _sent(parts: Parts, set_up: Stage) -> dict[str, int]:
    """The CRM's count of requests to records; what is asked of its metadata is free."""
    session = stage.crm_session(parts, set_up)
    counts: dict[str, int] = session.request("GET", "/sandbox/stats").json()["requests"]
    free = sum(n for name, n in counts.items() if name.startswith(("currentWorkspace", "GET /rest/metadata")))
    return {"total": counts["total"] - free - counts["refused"], "refused": counts["refused"]}
