"""What is left after chaos: whether every record is in step, once, and told as it was counted.

The connector's own comparison is the end. Beside it stands an auditor that shares nothing with it, so that
neither agrees with the other's mistakes.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from connector import logs
from connector.cli import agreement, stage
from connector.cli.bench.hooked import Hooked
from connector.cli.bench.report import Report
from connector.core.outcomes import Result, sum_of
from connector.core.reconciling import Standing, count, share
from connector.store import reconciliations, runs
from connector.store.reconciliations import Reconciliation
from connector.store.runs import Run
from connector.sync import onboarding, reconciling

_SETTLE = 180.0
_KEYS = {"people": "whopMemberId", "opportunities": "whopMembershipId", "whopProducts": "whopId"}


def judge(report: Report, there: Hooked) -> None:
    """Catch up by one incremental sync, then compare and count."""
    last = _catch_up(there)
    report.add("the sync afterwards: changes that it found", _written(last), "records")
    report.add("the sync afterwards: failed", sum_of(last.counts, Result.FAILED), "records", ("<=", 0))
    _add_comparison(report, _compared(there))
    verdict = stage.audit(there.parts, there.stage, there.connection, stage.told(there.parts, last))
    report.add("an auditor: differences between both sides", len(verdict.differences), "fields", ("<=", 0))
    for line in verdict.differences[:5]:
        report.add(f"  {line}"[:200], 1, "")
    report.add("an auditor: records compared", sum(verdict.compared.values()), "records")
    report.add("records that are there twice", _twice(there), "records", ("<=", 0))
    ended = _runs(there)
    report.add("runs in all", len(ended), "runs")
    report.add("runs that never ended", sum(1 for one in ended if one.active), "runs", ("<=", 0))
    wrong = sum(1 for one in ended if not _adds_up(there, one))
    report.add("runs whose counts differ from their log", wrong, "runs", ("<=", 0))


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait for it, but not for ever: the figures tell what never came."""
    until = time.monotonic() + _SETTLE
    while not is_so() and time.monotonic() < until:
        time.sleep(0.2)


def is_quiet(there: Hooked) -> bool:
    """Whether no run has work before it."""
    return not any(run.active for run in _runs(there))


def _catch_up(there: Hooked) -> Run:
    run_id = onboarding.start_sync(
        there.parts.tools,
        there.connection,
        "incremental",
        why="After chaos",
        correlation_id=logs.new_correlation_id(),
    )
    wait_until(lambda: not _run(there, run_id).active)
    return _run(there, run_id)


def _compared(there: Hooked) -> Reconciliation:
    """The comparison that an admin asks for, by a worker, to its end."""
    id_ = reconciling.start(
        there.parts.tools, there.connection, why="After chaos", correlation_id=logs.new_correlation_id()
    )

    def found() -> Reconciliation:
        with there.parts.database.reading() as session:
            return reconciliations.by_id(session, id_)

    wait_until(lambda: not found().active)
    return found()


def _add_comparison(report: Report, one: Reconciliation) -> None:
    in_step = 100 * (share(one.counts) or 0) if one.status == "done" else 0
    report.add("reconcile: in step", in_step, "%", (">=", 100))
    for standing in Standing:
        report.add(f"reconcile: {standing.value}", count(one.counts, standing), "records")


def _run(there: Hooked, run_id: str) -> Run:
    with there.parts.database.reading() as session:
        return runs.by_id(session, run_id)


def _twice(there: Hooked) -> int:
    crm, more = stage.crm_session(there.parts, there.stage), 0
    for plural, key in _KEYS.items():
        held = [row[key] for row in agreement.crm_rows(crm, plural, f"id {key}") if row[key]]
        more += len(held) - len(set(held))
    return more


def _written(run: Run) -> int:
    return sum_of(run.counts, Result.CREATED) + sum_of(run.counts, Result.UPDATED)


def _runs(there: Hooked) -> list[Run]:
    with there.parts.database.reading() as session:
        return runs.of_workspace(session, there.connection.workspace_id, limit=10_000)


def _adds_up(there: Hooked, run: Run) -> bool:
    """Whether as many records are told as counted; the unchanged are only counted."""
    results = [Result.CREATED.value, Result.UPDATED.value, Result.FAILED.value]
    with there.parts.database.reading() as session:
        told = runs.entries(session, run.workspace_id, run.number, results=results, limit=100_000)
    counted = sum(sum_of(run.counts, Result(result)) for result in results)
    return len(told) == counted
