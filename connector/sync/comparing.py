"""Whop's log of deliveries beside the inbox: what never arrived is delivered again, and counted.

The log is read from its newest delivery back to where the last comparison began. A long one goes on in the
next look where it stopped, so one look costs a bounded number of requests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from connector.core.hooking import Sent
from connector.errors import RefusedError
from connector.ports.hooks import HookKeeper
from connector.store import misses
from connector.store.db import Database
from connector.store.misses import Miss
from connector.store.registrations import Registration

log = structlog.get_logger(__name__)

#: One that was sent later may be on its way yet.
_ON_ITS_WAY: Final = timedelta(minutes=2)
#: The log is read again this far: deliveries may be listed a little out of order.
_OVERLAP: Final = timedelta(minutes=10)
_MOST_PAGES: Final = 10
#: So many are asked for one by one; of more, all of their time at once.
_ONE_BY_ONE: Final = 20
_MOST_ASKED: Final = 5
#: Times in the log are cut to what is shown of them.
_ROUNDING: Final = timedelta(seconds=1)
_KEPT: Final = timedelta(days=30)

Keep = Callable[..., Registration]


def compare(
    database: Database, keeper: HookKeeper, registration: Registration, keep: Keep, now: datetime
) -> bool:
    """One look; True when there is more to read at once. Nothing where the webhook does not deliver."""
    ids = (registration.workspace_id, registration.connection_id)
    with database.transaction() as session:
        misses.mark_recovered(session, *ids, now)
        misses.prune(session, *ids, now - _KEPT)
    if registration.hook_id is None or not registration.enabled:
        return False
    more = _read(database, keeper, registration, keep, now)
    _ask_again(database, keeper, registration)
    return more


def _read(database: Database, keeper: HookKeeper, known: Registration, keep: Keep, now: datetime) -> bool:
    hook_id, cursor, newest = known.hook_id or "", known.cursor, known.newest
    floor = known.compared_until - _OVERLAP if known.compared_until else None
    for _ in range(_MOST_PAGES):
        try:
            page = keeper.sent(hook_id, cursor)
        except RefusedError as error:
            if cursor is None or error.code != "source_cursor":
                raise
            keep(known, cursor=None, newest=None)  # the place is gone: begin at the top next time
            return True
        newest = newest or min((page.items[0].sent_at if page.items else now), now - _ON_ITS_WAY)
        _note(database, known, [one for one in page.items if one.sent_at <= now - _ON_ITS_WAY], now)
        cursor = page.cursor
        if cursor is None or (floor and page.items and page.items[-1].sent_at < floor):
            keep(known, cursor=None, newest=None, compared_until=newest)
            return False
        known = keep(known, cursor=cursor, newest=newest)
    return True


def _note(database: Database, known: Registration, sent: Sequence[Sent], now: datetime) -> None:
    """Keep which of these are not in the inbox."""
    told = {one.message: one for one in sent if one.message}
    with database.transaction() as session:
        ids = (known.workspace_id, known.connection_id)
        absent = set(told) - misses.arrived(session, *ids, list(told))
        new = [
            Miss(*ids, one.message, one.event, one.id, one.sent_at, now)
            for one in told.values()
            if one.message in absent
        ]
        misses.add(session, new)


def _ask_again(database: Database, keeper: HookKeeper, known: Registration) -> None:
    """Ask for what is missing. What arrives is found in the inbox by the next look, which counts it."""
    ids, hook_id = (known.workspace_id, known.connection_id), known.hook_id or ""
    with database.reading() as session:
        wanted = misses.wanted(session, *ids, most_asked=_MOST_ASKED)
    if not wanted:
        return
    log.warning("deliveries never arrived", connection=known.connection_id, count=len(wanted))
    with database.transaction() as session:  # before it is asked: a look that dies has asked, all the same
        misses.count_asked(session, *ids, [one.event_id for one in wanted])
    if len(wanted) <= _ONE_BY_ONE:
        for one in wanted:
            _ask_for_one(keeper, hook_id, one)
        return
    times = [one.sent_at for one in wanted]
    keeper.send_range_again(hook_id, min(times) - _ROUNDING, max(times) + _ROUNDING, failed_only=False)


def _ask_for_one(keeper: HookKeeper, hook_id: str, one: Miss) -> None:
    try:
        keeper.send_again(hook_id, one.delivery_id)
    except RefusedError as error:  # it is out of the log by now, or cannot be replayed: the others may be
        log.warning("a delivery was not sent again", delivery=one.delivery_id, code=error.code)
