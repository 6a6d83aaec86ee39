"""``flask chaos``: a whole installation while everything that can break does, and whether it was survived.

Every process is real. At random, but by a seed, so that a day of it can be repeated: processes are killed,
Redis is emptied, both services answer badly or not at all, deliveries get lost; meanwhile members join, pay,
renew and cancel. Afterwards one incremental sync must suffice: both sides agree, nothing is there twice, and
the counts of each run are those of its log.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis

from connector import logs
from connector.cli import agreement, stage
from connector.cli.bench import hooked
from connector.cli.bench.hooked import Hooked
from connector.cli.bench.report import Report
from connector.cli.stage import Size
from connector.core.outcomes import Result, sum_of
from connector.errors import RefusedError
from connector.store import runs
from connector.store.runs import Run
from connector.sync import hook_secrets, onboarding

Json = dict[str, Any]

_EACH = 0.5  # seconds between two happenings
_FAULTS_EACH = 4.0
_LOST = 0.05
_SETTLE = 180.0
_KEYS = {"people": "whopMemberId", "opportunities": "whopMembershipId", "whopProducts": "whopId"}
_WHOP_LISTS = r"GET /(memberships|members|payments|products)"
_BAD: Sequence[Json] = (
    {"status": 500},
    {"status": 429, "headers": {"Retry-After": "1"}},
    {"cut": True},
    {"delay": 3},
    {"status": 502},
)
_BAD_CRM: Sequence[Json] = (
    {"status": 500},
    {"status": 429, "headers": {"Retry-After": "1"}},
    {"cut": "before"},
    {"cut": "after"},
    {"delay": 3},
)


@dataclass(slots=True)
class Chaos:
    """What was done to it, and to whom things may happen."""

    there: Hooked
    dice: random.Random
    faults: Counter[str] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)

    def of(self, kind: str, *statuses: str) -> str:
        """The id of a record in one of these states; empty where there is none."""
        found = [one["id"] for one in self.there.whop("GET", f"/records/{kind}") if one["status"] in statuses]
        return self.dice.choice(found) if found else ""


def run(minutes: float, seed: int, members: int) -> Report:
    """Let it go on for so long, then look at what is left."""
    report = Report("chaos")
    with hooked.installation(Size(members, members * 2, limits=False)) as there:
        stage.meanwhile(there.supervisor, lambda: _all(report, there, minutes, seed))
    return report


def _all(report: Report, there: Hooked, minutes: float, seed: int) -> None:
    there.sync()
    _listen(there)
    chaos = Chaos(there, random.Random(seed))  # noqa: S311 - chance, not secrecy
    _rage(chaos, minutes * 60)
    _calm(chaos)
    last = _catch_up(there)
    for name, count in sorted(chaos.happened.items()):
        report.add(f"happened on Whop: {name}", count, "times")
    for name, count in sorted(chaos.faults.items()):
        report.add(f"survived: {name}", count, "times")
    _judge(report, there, last)


def _listen(there: Hooked) -> None:
    """A webhook at the sandbox Whop, which delivers, repeats and gives up by itself as Whop does."""
    there.whop("PATCH", "/webhooks", {"public_only": False, "retries": [1, 2, 4, 8, 16]})
    made = there.whop("POST", "/webhooks", {"url": there.address})
    ids = (there.connection.workspace_id, there.connection.id)
    hook_secrets.enter(there.parts.hooks, *ids, "standard", made["webhook_secret"], keep_others=True)


def _rage(chaos: Chaos, seconds: float) -> None:
    end = time.monotonic() + seconds
    next_fault = time.monotonic()
    while time.monotonic() < end:
        _happen(chaos)
        if time.monotonic() >= next_fault:
            _strike(chaos)
            next_fault = time.monotonic() + chaos.dice.uniform(0.5, 1.5) * _FAULTS_EACH
        time.sleep(chaos.dice.uniform(0.5, 1.5) * _EACH)


def _happen(chaos: Chaos) -> None:
    what, kind, statuses = chaos.dice.choice(
        (
            ("join", "", ()),
            ("renew", "memberships", ("active", "trialing")),
            ("pay", "memberships", ("active", "past_due")),
            ("fail", "memberships", ("active",)),
            ("cancel", "memberships", ("active", "trialing")),
            ("expire", "memberships", ("active", "canceling")),
        )
    )
    id_ = chaos.of(kind, *statuses) if kind else ""
    if kind and not id_:
        return
    lost = chaos.dice.random() < _LOST
    chaos.there.whop("POST", "/happen", {"what": what, "id": id_, "silent": lost})
    chaos.happened[what] += 1
    if lost:
        chaos.faults["deliveries that got lost"] += 1


def _strike(chaos: Chaos) -> None:
    strike: Callable[[Chaos], str] = chaos.dice.choice((_kill, _kill, _flush, _whop_fails, _crm_fails, _sync))
    chaos.faults[strike(chaos)] += 1


def _kill(chaos: Chaos) -> str:
    names = [
        name for name in chaos.there.supervisor.pids() if name.startswith(("worker", "web", "scheduler"))
    ]
    name = chaos.dice.choice(names)
    chaos.there.supervisor.kill(name)
    return f"kill -9 of {name.split('-')[0]}"


def _flush(chaos: Chaos) -> str:
    with redis.Redis.from_url(chaos.there.stage.redis.url) as client:
        client.flushall()
    return "Redis emptied"


def _whop_fails(chaos: Chaos) -> str:
    fault = chaos.dice.choice(_BAD)
    chaos.there.whop("POST", "/dials", {"match": _WHOP_LISTS, "fault": fault, "times": 3})
    return f"Whop: {_word(fault)}"


def _crm_fails(chaos: Chaos) -> str:
    fault = chaos.dice.choice(_BAD_CRM)
    door = chaos.there.parts.door.session(chaos.there.stage.address("twenty"))
    door.request("POST", "/sandbox/dials", json={"match": "POST /graphql", "fault": fault, "times": 3})
    return f"Twenty: {_word(fault)}"


def _word(fault: Json) -> str:
    (name, value), *_ = fault.items()
    words = {"cut": "connection cut", "delay": "answers late"}
    return words.get(name, f"answers {value}")


def _sync(chaos: Chaos) -> str:
    """An admin presses the button, whatever is under way."""
    there, kind = chaos.there, chaos.dice.choice(("full", "incremental"))
    reference = logs.new_correlation_id()
    try:
        onboarding.start_sync(
            there.parts.tools, there.connection, kind, why="Chaos", correlation_id=reference
        )
    except RefusedError:
        return "a second click beside a sync"
    return f"{kind} sync in the midst of it"


def _calm(chaos: Chaos) -> None:
    """Nothing breaks any more: what is under way ends, and what was to be delivered arrives."""
    there = chaos.there
    there.whop("DELETE", "/dials")
    there.parts.door.session(there.stage.address("twenty")).request("DELETE", "/sandbox/dials")
    there.whop("POST", "/webhooks/retry")
    there.whop("POST", "/webhooks/quiet")
    there.settle()
    _wait_for(lambda: not _active(there))


def _active(there: Hooked) -> list[Run]:
    with there.parts.database.reading() as session:
        return [run for run in runs.of_workspace(session, there.connection.workspace_id) if run.active]


def _wait_for(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + _SETTLE
    while not is_so() and time.monotonic() < until:
        time.sleep(0.2)


def _catch_up(there: Hooked) -> Run:
    run_id = onboarding.start_sync(
        there.parts.tools,
        there.connection,
        "incremental",
        why="After chaos",
        correlation_id=logs.new_correlation_id(),
    )
    _wait_for(lambda: not _run(there, run_id).active)
    return _run(there, run_id)


def _run(there: Hooked, run_id: str) -> Run:
    with there.parts.database.reading() as session:
        return runs.by_id(session, run_id)


def _judge(report: Report, there: Hooked, last: Run) -> None:
    verdict = stage.audit(there.parts, there.stage, there.connection, stage.told(there.parts, last))
    report.add("the sync afterwards: changes that it found", _written(last), "records")
    report.add("the sync afterwards: failed", sum_of(last.counts, Result.FAILED), "records", ("<=", 0))
    report.add("differences between both sides", len(verdict.differences), "fields", ("<=", 0))
    for line in verdict.differences[:5]:
        report.add(f"  {line}"[:200], 1, "")
    report.add("records that are there twice", _twice(there), "records", ("<=", 0))
    report.add("records compared", sum(verdict.compared.values()), "records")
    ended = _ended(there)
    report.add("runs in all", len(ended), "runs")
    report.add("runs that never ended", sum(1 for one in ended if one.active), "runs", ("<=", 0))
    wrong = sum(1 for one in ended if not _adds_up(there, one))
    report.add("runs whose counts differ from their log", wrong, "runs", ("<=", 0))


def _twice(there: Hooked) -> int:
    crm, more = stage.crm_session(there.parts, there.stage), 0
    for plural, key in _KEYS.items():
        held = [row[key] for row in agreement.crm_rows(crm, plural, f"id {key}") if row[key]]
        more += len(held) - len(set(held))
    return more


def _written(run: Run) -> int:
    return sum_of(run.counts, Result.CREATED) + sum_of(run.counts, Result.UPDATED)


def _ended(there: Hooked) -> list[Run]:
    with there.parts.database.reading() as session:
        return runs.of_workspace(session, there.connection.workspace_id, limit=10_000)


def _adds_up(there: Hooked, run: Run) -> bool:
    """Whether as many records are told as counted; the unchanged are only counted."""
    results = [Result.CREATED.value, Result.UPDATED.value, Result.FAILED.value]
    with there.parts.database.reading() as session:
        told = runs.entries(session, run.workspace_id, run.number, results=results, limit=100_000)
    counted = sum(sum_of(run.counts, Result(result)) for result in results)
    return len(told) == counted
