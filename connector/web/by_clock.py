"""How a connection is synced by the clock, in the words of its page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from connector.store import checkpoints, schedules
from connector.store.connections import Connection
from connector.store.db import Session
from connector.store.schedules import INCREMENTAL
from connector.sync import scheduling
from connector.sync.incremental import ROUND
from connector.sync.tools import Tools

_CHOICES: Final = (5, 15, 30, 60, 120, 360, 720, 1440)
_MONTH: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class ByClock:
    """``state`` is on, off (by an admin) or none (by the operator); ``chosen`` is the value of the form.

    ``rounds`` is how many syncs it takes until each membership was looked at, ``missed`` what webhooks should
    have brought in the last 30 days.
    """

    state: str
    words: str
    due_at: datetime | None
    chosen: str
    choices: Sequence[tuple[str, str]]
    rounds: int
    missed: int


def of(session: Session, one: Connection, tools: Tools) -> ByClock:
    """How it is planned, and what came of it."""
    ids = (one.workspace_id, one.id)
    plan = schedules.get(session, *ids, INCREMENTAL)
    usual = tools.every
    own = plan.every if plan else None
    interval = timedelta(minutes=own) if own is not None else (usual or timedelta(hours=1))
    state = "none" if usual is None else "off" if plan and not plan.enabled else "on"
    return ByClock(
        state,
        scheduling.every(interval),
        plan.due_at if plan and state == "on" and one.status == "active" and not one.paused else None,
        "off" if state == "off" else "" if own is None else str(own),
        _choices(usual, own),
        _rounds(session, *ids),
        schedules.missed(session, *ids, tools.clock() - _MONTH),
    )


def _choices(usual: timedelta | None, own: int | None) -> list[tuple[str, str]]:
    minutes = sorted({*_CHOICES, *([own] if own is not None else ())})
    listed = [(str(one), scheduling.every(timedelta(minutes=one))) for one in minutes]
    first = ("", f"As everywhere here: {scheduling.every(usual).lower()}") if usual else ("", "As everywhere")
    return [first, *listed, ("off", "Not by the clock")]


def _rounds(session: Session, workspace_id: str, connection_id: str) -> int:
    """As the last round of memberships tells, or the present one where that is longer already."""
    round_ = checkpoints.get(session, workspace_id, connection_id, "membership:all").round or {}
    read = max(int(round_.get("read", 0)), int((round_.get("whole") or {}).get("read", 0)))
    return max(1, -(-read // ROUND))
