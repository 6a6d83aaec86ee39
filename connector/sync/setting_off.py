"""Events set automations off: an act is a row, kept before anything else is made of its event.

Nor does it wait for the CRM: whoever carries acts out looks for events that came meanwhile (``listen``),
because a round that is under way may take longer than an automation waits. What nobody has looked at by then
is looked at when its round begins, so none is passed over. An event that is taken many times sets off each
act once; those that a person has taken again set off nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import structlog

from connector.core import automation as core
from connector.core.automation import Cause, Heard, Switched
from connector.core.records import iso
from connector.errors import RecordError
from connector.store import acts, automations, connections, inbox
from connector.store.acts import NewAct
from connector.store.inbox import InboxEvent
from connector.sync.tools import Tools

log = structlog.get_logger(__name__)


_MOST = 500


def listen(tools: Tools) -> int:
    """Look at events ahead of their round; how many acts are new."""
    if not tools.automations:
        return 0
    with tools.database.reading() as session:
        found = inbox.unheard(session, _MOST)
    return sum(_keep(tools, *ids, events, ahead=True) for ids, events in found.items())


def set_off(tools: Tools, workspace_id: str, connection_id: str, events: Sequence[InboxEvent]) -> int:
    """Keep what these events set off, but for those that were looked at; how many acts are new."""
    new = [one for one in events if not (one.quiet or one.heard)]
    return _keep(tools, workspace_id, connection_id, new) if tools.automations and new else 0


def _keep(
    tools: Tools, workspace_id: str, connection_id: str, events: Sequence[InboxEvent], *, ahead: bool = False
) -> int:
    with tools.database.reading() as session:
        known = automations.of_connection(session, workspace_id, connection_id)
        switched = {
            name: Switched(iso(one.since), frozenset(one.plans)) for name, one in known.items() if one.since
        }
        if not switched:
            return 0
        company = connections.get(session, workspace_id, connection_id).company_id
    heard = list(_heard(tools, company, events))
    causes, paid = core.causes(tools.automations, switched, heard), core.paid_for(heard)
    waiting = core.waiting_for_payment(tools.automations) if paid else []
    if not (causes or waiting or ahead):
        return 0
    now = tools.clock()
    new = [_new(tools, workspace_id, connection_id, one) for one in causes]
    with tools.database.transaction() as session:
        count = acts.add(session, new, now)
        if waiting:
            acts.wake(session, workspace_id, connection_id, waiting, paid, now)
        if ahead:
            inbox.mark_heard(session, workspace_id, [one.id for one in events if one.id is not None])
    if count:
        log.info("automations are set off", acts=count, connection=connection_id)
    return count


def _heard(tools: Tools, company: str, events: Sequence[InboxEvent]) -> Iterator[Heard]:
    """What the events tell; one that cannot be read, or is another company's, is told of elsewhere."""
    for one in events:
        try:
            told = tools.hear(one.body)
        except RecordError:
            continue
        if told.company in (None, company):
            yield Heard(one.id or 0, told, iso(one.received_at))


def _new(tools: Tools, workspace_id: str, connection_id: str, cause: Cause) -> NewAct:
    now = tools.clock()
    automation = next(one for one in tools.automations if one.name == cause.automation)
    due_at = core.first_due(automation, datetime.fromisoformat(cause.heard_at))
    return NewAct(
        workspace_id,
        connection_id,
        cause.automation,
        0,
        cause.kind,
        cause.id,
        cause.event,
        cause.at,
        cause.fields,
        due_at,
        [(iso(now), f"Set off by the {cause.kind} {cause.id}; due at {iso(due_at)[11:19]} UTC.")],
    )
