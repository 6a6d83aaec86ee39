"""Forgets in time what nobody needs any more, a few rows in a transaction, so that syncs hardly notice.

There is no state but the rows: whoever begins goes on where the last one ended, and two at once do no harm.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from connector.ports import Clock
from connector.store import retention
from connector.store.db import Database, Session

log = structlog.get_logger(__name__)

_AT_ONCE: Final = 200
_LEFTOVERS: Final = timedelta(days=7)
_LATE: Final = timedelta(days=2)

Forget = Callable[[Session, datetime, int], int]


@dataclass(frozen=True, slots=True)
class Keeping:
    """For how long what is kept. A sync's log stays for as long as the sync can be undone."""

    undo: timedelta
    log: timedelta
    events: timedelta
    audit: timedelta
    mappings: timedelta

    @property
    def in_days(self) -> dict[str, int]:
        """What is kept for how many days."""
        ages = {
            "syncs can be undone": self.undo,
            "sync log": self.whole_log,
            "events": self.events,
            "audit log": self.audit,
            "former mapping versions": self.mappings,
        }
        return {name: age.days for name, age in ages.items()}

    @property
    def whole_log(self) -> timedelta:
        """For how long log entries are really kept."""
        return max(self.log, self.undo)


@dataclass(frozen=True, slots=True)
class Janitor:
    """What forgetting is done with."""

    database: Database
    clock: Clock
    keeping: Keeping
    ends: Callable[[], bool] = lambda: False


def _rules(keeping: Keeping) -> tuple[tuple[str, timedelta, Forget], ...]:
    """What is forgotten after how long; what others point at comes after those."""
    log_, events = keeping.whole_log, keeping.events
    return (
        ("undoable syncs", keeping.undo, retention.undoable),
        ("before-values", keeping.undo, retention.before_values),
        ("intents", keeping.undo, retention.intents),
        ("log entries", log_, retention.log_entries),
        ("syncs", log_, retention.runs),
        ("differences", log_, retention.differences),
        ("comparisons", log_, retention.comparisons),
        ("alert messages", log_, retention.messages),
        ("incidents", log_, retention.incidents),
        ("replies", log_, retention.replies),
        ("conversations", log_, retention.conversations),
        ("events", events, retention.events),
        ("missed deliveries", events, retention.deliveries),
        ("refused deliveries", events, retention.refusals),
        ("audit entries", keeping.audit, retention.audit),
        ("mapping versions", keeping.mappings, retention.mapping_versions),
        ("mapping sets", log_, retention.mapping_sets),
        ("sessions", _LEFTOVERS, retention.sessions),
        ("sign-in links", _LEFTOVERS, retention.sign_in_links),
    )


def overdue(janitor: Janitor) -> list[str]:
    """What should have been forgotten days ago, and was not: nobody does so. Nothing is forgotten here."""
    found = []
    for name, age, forget in _rules(janitor.keeping):
        with suppress(_TakenBack), janitor.database.transaction() as session:
            if forget(session, janitor.clock() - age - _LATE, 1):
                found.append(name)
            raise _TakenBack
    return found


class _TakenBack(Exception):
    """Ends a transaction that is to leave nothing behind."""


def prune(janitor: Janitor, until: datetime | None = None) -> dict[str, int]:
    """Forget what is old, until nothing is left of it or the time is up; how much of what."""
    forgotten: dict[str, int] = {}
    for name, age, forget in _rules(janitor.keeping):
        before = janitor.clock() - age
        while not janitor.ends() and (until is None or janitor.clock() < until):
            with janitor.database.transaction() as session:
                count = forget(session, before, _AT_ONCE)
            if not count:
                break
            forgotten[name] = forgotten.get(name, 0) + count
    if forgotten:
        log.info("forgot what is old", **{name.replace(" ", "_"): n for name, n in forgotten.items()})
    return forgotten
