"""Events taken again: because a person wants it, or because a note of theirs waited for a record.

Bringing records in line twice is the same as once, but notes and tasks are for what happens now. So whoever
has events taken again is told first how many of those they would leave, and asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta

import structlog

from connector.core import notes
from connector.core.events import BACKOFF, Told
from connector.core.notes import Fact, NoteRule
from connector.core.records import SourceRecord, iso
from connector.core.sales import sale
from connector.errors import RecordError
from connector.store import connections, eventbook, inbox
from connector.store import notes as kept
from connector.store.db import Session
from connector.store.inbox import InboxEvent
from connector.sync.tools import Tools

log = structlog.get_logger(__name__)

_LONGEST = timedelta(seconds=max(BACKOFF)) + timedelta(hours=1)
"""Longer than any event waits to be tried again."""

_AT_ONCE = 1_000


def would_leave(
    tools: Tools, session: Session, workspace_id: str, ids: Sequence[int], told: Callable[[bytes], Told]
) -> int:
    """How many notes and tasks these events would leave at most, if they were taken again now.

    Whether there is a record for each to stand beside is found out when they are taken.
    """
    since = {
        one.id: iso(one.notes_since)
        for one in connections.of_workspace(session, workspace_id)
        if one.notes_since
    }
    wanted: dict[kept.Key, None] = {}
    for event in eventbook.named(session, workspace_id, ids):
        if event.connection_id in since:
            wanted.update(dict.fromkeys(_keys(tools, event, since[event.connection_id], told)))
    there = kept.find(session, workspace_id, list(wanted))
    return sum(key not in there or there[key].state == "pending" for key in wanted)


def _keys(tools: Tools, event: InboxEvent, since: str, told: Callable[[bytes], Told]) -> Iterator[kept.Key]:
    try:
        tells = told(event.body)
    except RecordError:
        return
    if tells.ref is None:
        return
    at = notes.dated(tells, tells.record, iso(event.received_at))
    of = _ids(tells.ref.kind, tells.ref.id, tells.record)
    for mapping in tools.mappings.of(event.workspace_id):
        for rule in mapping.notes:
            if at > since and tells.name in rule.on and _counts(rule, tells):
                yield f"{mapping.name}/{rule.name}", of.get(rule.once_per, tells.ref.id)


def _counts(rule: NoteRule, tells: Told) -> bool:
    """Whether the rule means such a fact, as far as the body tells it."""
    if tells.record is None or tells.ref is None or tells.ref.kind != rule.fact:
        return True  # an old event shows something else: it is read when it is taken
    fields = tells.record.fields
    fact = Fact(tells.name, rule.fact, {rule.once_per: "?"}, "~", fields, fields)
    return bool(notes.wanted([rule], [fact], ""))


def _ids(kind: str, id_: str, record: SourceRecord | None) -> dict[str, str]:
    if record is None or kind not in ("payment", "refund", "dispute"):
        return {kind: id_}
    of = sale(record)
    found = {"membership": of.membership_id, "payment": of.payment_id, kind: id_}
    return {name: one for name, one in found.items() if one}


def bring_forward(tools: Tools) -> int:
    """Events that came, or were put off, while a clock was ahead are due now; how many. Of very many the next
    look takes the rest."""
    now = tools.clock()
    with tools.database.reading() as session:
        late = inbox.beyond(session, now + _LONGEST, _AT_ONCE)
    for workspace_id in {workspace_id for workspace_id, _ in late}:
        ids = [id_ for of, id_ in late if of == workspace_id]
        with tools.database.transaction() as session:
            inbox.put_off(session, workspace_id, ids, now)
        log.warning("events waited for too far ahead: did the clock jump?", events=len(ids))
    return len(late)


def wake(tools: Tools) -> int:
    """Have the events taken again whose notes waited for a record that has come; how many."""
    with tools.database.transaction() as session:
        found = kept.wake(session)
        count = sum(_again(tools, session, *one) for one in found.items())
    if count:
        log.info("notes go to records that have come since", events=count)
    return count


def _again(tools: Tools, session: Session, workspace_id: str, events: Iterable[int]) -> int:
    return inbox.replay(session, workspace_id, dict.fromkeys(events), tools.clock(), quiet=False)
