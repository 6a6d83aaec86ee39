"""What is wrong enough to tell somebody, out of how everything stands: decided here, as data.

A condition that holds is an incident: told once when it begins and once when it is over. Which condition
belongs to which incident is its ``key``, so that looking again tells nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple


class Kind(StrEnum):
    """What somebody may be told about."""

    ACCESS_LOST = "access_lost"
    CRM_LOST = "crm_lost"
    CANNOT_CONNECT = "cannot_connect"
    RUN_FAILED = "run_failed"
    RECORDS_FAILING = "records_failing"
    EVENTS_PARKED = "events_parked"
    WEBHOOKS_SILENT = "webhooks_silent"
    RATE_LIMITED = "rate_limited"
    BREAKER = "breaker"
    OUT_OF_STEP = "out_of_step"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From where on something is told. Shares are in per cent, lengths in minutes."""

    failing_percent: int = 5
    failing_least: int = 5
    parked: int = 1
    unreachable_minutes: int = 15
    limited_minutes: int = 30
    untold_changes: int = 3

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Thresholds:
        """Those that somebody set; of the others the default."""
        known = {one.name for one in fields(cls)}
        return cls(**{name: int(value) for name, value in kept.items() if name in known})


class LastRun(NamedTuple):
    """A sync as far as alerts go. ``stuck`` is the kind of trouble it waits for: "service", "limit" or none;
    ``since`` is when the trouble began, or the sync where it is a limit."""

    id: str
    number: int
    status: str
    message: str = ""
    failed: int = 0
    total: int = 0
    stuck: str = ""
    since: datetime | None = None


class Facts(NamedTuple):
    """How one connection stands. ``ended`` is the last sync that is over, ``active`` the one
    under way, ``asks`` one that waits for an admin's answer, under way or not."""

    connection_id: str
    title: str
    status: str
    crm_refused: str = ""
    ended: LastRun | None = None
    active: LastRun | None = None
    asks: LastRun | None = None
    parked: int = 0
    untold: int = 0
    hook_trouble: str = ""
    in_step: float | None = None
    report_id: str = ""


class Condition(NamedTuple):
    """Something that is wrong now. ``path`` is the page that mends it."""

    kind: Kind
    subject: str
    title: str
    text: str
    path: str

    @property
    def key(self) -> str:
        """What makes it the same incident as before."""
        return f"{self.kind.value}:{self.subject}"


CLEARS_AFTER: Final = timedelta(minutes=5)
"""A condition must be gone so long since it was last noted: what comes and goes is one incident."""

_TARGET: Final = 0.999


def conditions(all_facts: Sequence[Facts], limits: Thresholds, now: datetime) -> list[Condition]:
    """Everything that is wrong, each once."""
    found: dict[str, Condition] = {}
    for facts in all_facts:
        for one in _conditions(facts, limits, now):
            found.setdefault(one.key, one)
    return list(found.values())


def _conditions(facts: Facts, limits: Thresholds, now: datetime) -> Iterator[Condition]:
    if facts.crm_refused:
        yield Condition(
            Kind.CRM_LOST, "", "Twenty lets nobody in", f"{facts.crm_refused} Syncs wait.", "/twenty"
        )
    if facts.status == "expired":
        text = "Whop no longer accepts the access. Syncs are paused; connect the company again."
        yield _about(facts, Kind.ACCESS_LOST, "access to Whop ended", text, "/connections")
    if facts.status != "active":
        return
    yield from _of_ended(facts, limits)
    yield from _of_active(facts, limits, now)
    yield from _of_events(facts, limits)
    if facts.in_step is not None and facts.in_step < _TARGET:
        share = int(facts.in_step * 10_000) / 100
        text = f"The latest comparison found {share:.2f} % of the records in step."
        path = f"/reconcile/{facts.report_id}"
        yield _about(facts, Kind.OUT_OF_STEP, "less than 99.9 % in step", text, path)


def _of_ended(facts: Facts, limits: Thresholds) -> Iterator[Condition]:
    run = facts.ended
    if run is None:
        return
    if run.status == "failed":
        yield _about(facts, Kind.RUN_FAILED, f"sync {run.number} failed", run.message, f"/runs/{run.id}")
    enough = run.failed >= limits.failing_least
    if enough and run.failed * 100 >= run.total * limits.failing_percent:
        text = f"{run.failed:,} of {run.total:,} records failed in sync {run.number}."
        yield _about(facts, Kind.RECORDS_FAILING, "many records fail", text, f"/runs/{run.id}#failures")


def _of_active(facts: Facts, limits: Thresholds, now: datetime) -> Iterator[Condition]:
    if facts.asks is not None:
        number, path = facts.asks.number, f"/runs/{facts.asks.id}"
        what = "change" if facts.asks.status == "paused" else "remove"
        text = f"Sync {number} wants to {what} more records than usual, and waits for your decision."
        yield _about(facts, Kind.BREAKER, "a sync waits for approval", text, path)
    run = facts.active
    if run is None:
        return
    path = f"/runs/{run.id}"
    lasts = now - run.since if run.since else timedelta()
    if run.stuck == "service" and lasts >= timedelta(minutes=limits.unreachable_minutes):
        yield _about(facts, Kind.CANNOT_CONNECT, "a sync cannot connect", run.message, path)
    if run.stuck == "limit" and lasts >= timedelta(minutes=limits.limited_minutes):
        yield _about(facts, Kind.RATE_LIMITED, "a request limit slows syncs down", run.message, path)


def _of_events(facts: Facts, limits: Thresholds) -> Iterator[Condition]:
    hooks = f"/connections/{facts.connection_id}/webhooks"
    if facts.parked >= max(1, limits.parked):
        text = f"{facts.parked:,} waiting. Trying again did not help; a person has to look."
        yield _about(facts, Kind.EVENTS_PARKED, "events are parked", text, "/events?state=parked")
    if facts.hook_trouble:
        yield _about(facts, Kind.WEBHOOKS_SILENT, "webhooks do not arrive", facts.hook_trouble, hooks)
    elif facts.untold >= max(1, limits.untold_changes):
        text = f"The latest syncs brought {facts.untold:,} changes that no event told."
        yield _about(facts, Kind.WEBHOOKS_SILENT, "Whop is silent although things change", text, hooks)


def _about(facts: Facts, kind: Kind, what: str, text: str, path: str) -> Condition:
    return Condition(kind, facts.connection_id, f"{facts.title}: {what}", text, path)


class Change(NamedTuple):
    """What to do with incidents after a look: ``opened`` are new, ``seen`` go on, ``cleared`` are over."""

    opened: tuple[Condition, ...]
    seen: tuple[str, ...]
    cleared: tuple[str, ...]


def changes(now_wrong: Sequence[Condition], opened: Mapping[str, datetime], now: datetime) -> Change:
    """``opened`` has the keys of open incidents with when each was seen last."""
    wrong = {one.key: one for one in now_wrong}
    return Change(
        tuple(one for key, one in wrong.items() if key not in opened),
        tuple(key for key in opened if key in wrong),
        tuple(key for key, at in opened.items() if key not in wrong and now - at >= CLEARS_AFTER),
    )


def waits(tries: int) -> timedelta | None:
    """How long a message that could not be sent waits; None once it is given up."""
    steps = (1, 2, 5, 15, 60, 60, 180)
    return timedelta(minutes=steps[tries - 1]) if tries <= len(steps) else None
