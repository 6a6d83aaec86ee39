"""What is forgotten in time, over all workspaces, a few rows at a time: the database is never held for long.

Each function forgets rows that are older than a moment, at most ``limit``, and gives how many it did; none is
left when that is 0. What is still needed stays however old: what waits or failed, what is under way, the last
of each kind, and whatever a record is held by.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, Table, delete, exists, func, or_, select, tuple_, update

from connector.store.db import Session
from connector.store.models import (
    act,
    alert_message,
    audit_event,
    conversation,
    difference,
    event_inbox,
    incident,
    intent,
    link,
    mapping_change,
    mapping_set,
    missed_delivery,
    note,
    reconciliation,
    reply,
    sign_in_link,
    sync_log_entry,
    sync_run,
    web_session,
    webhook_refusal,
    workspace,
)
from connector.store.runs import ACTIVE

_LIVE = (*ACTIVE, "waiting")
_WRONG = 100
_SETTLED = ("done", "ignored")


def undoable(session: Session, before: datetime, limit: int) -> int:
    """That syncs which ended before then can be undone: what for is cut from their log after this."""
    run = sync_run.c
    old = select(run.number).where(run.pruned_at.is_(None), run.ended_at < before, run.status.not_in(_LIVE))
    if busy := _being_undone(session):
        old = old.where(run.number.not_in(busy))
    found = _of(session, old.order_by(run.number).limit(limit))
    marked = update(sync_run).where(run.number.in_(found)).values(pruned_at=before)
    return session.execute(marked).rowcount if found else 0


def _being_undone(session: Session) -> list[int]:
    """Syncs that a run takes back now, or shows what that would be."""
    query = select(sync_run.c.checkpoint).where(
        sync_run.c.status.in_(_LIVE), sync_run.c.type.in_(("undo", "preview"))
    )
    return [place["of"] for place in session.execute(query).scalars() if "of" in place]


def before_values(session: Session, _before: datetime, limit: int) -> int:
    """What the CRM held before syncs that cannot be undone any more."""
    entry, run = sync_log_entry.c, sync_run.c
    marked = select(run.number).where(run.pruned_at.is_not(None))
    newest = select(func.max(run.number)).where(run.pruned_at.is_not(None)).scalar_subquery()
    ids = select(entry.id).where(entry.before.is_not(None), entry.run <= newest, entry.run.in_(marked))
    found = _of(session, ids.order_by(entry.run, entry.id).limit(limit))
    cut = update(sync_log_entry).where(entry.id.in_(found)).values(before=None)
    return session.execute(cut).rowcount if found else 0


def log_entries(session: Session, before: datetime, limit: int) -> int:
    """Log entries of syncs that cannot be undone any more."""
    entry, run = sync_log_entry.c, sync_run.c
    over = exists().where(run.number == entry.run, run.pruned_at.is_not(None), run.ended_at < before)
    old = select(entry.id).where(*_older(session, entry.id, entry.created_at, before), over)
    return _forget(session, sync_log_entry, entry.id, old.order_by(entry.id).limit(limit))


def runs(session: Session, before: datetime, limit: int) -> int:
    """Syncs without a log, but for the last of each type and how it ended, and those that hold records."""
    run = sync_run.c
    last = select(func.max(run.number)).group_by(run.connection_id, run.type, run.status)
    holds = select(link.c.held_run).where(link.c.held_run.is_not(None))
    told = exists().where(sync_log_entry.c.run == run.number)
    meant = exists().where(intent.c.run == run.number)
    old = select(run.number).where(
        run.ended_at < before,
        run.pruned_at.is_not(None),
        run.status.not_in(_LIVE),
        run.number.not_in(last),
        run.number.not_in(holds),
        ~told,
        ~meant,
    )
    return _forget(session, sync_run, run.number, old.order_by(run.number).limit(limit))


def intents(session: Session, before: datetime, limit: int) -> int:
    """What syncs that are over were about to write when they were cancelled."""
    over = select(sync_run.c.number).where(sync_run.c.ended_at < before, sync_run.c.status.not_in(_LIVE))
    old = select(intent.c.id).where(intent.c.run.in_(over))
    return _forget(session, intent, intent.c.id, old.limit(limit))


def events(session: Session, before: datetime, limit: int) -> int:
    """Events that are through, unless a note or an automation still waits for what they are about."""
    event = event_inbox.c
    needed = exists().where(
        note.c.event == event.id, or_(note.c.state == "pending", note.c.waits_for.is_not(None))
    )
    waits = exists().where(act.c.event == event.id, act.c.state == "waiting")
    older = _older(session, event.id, event.received_at, before)
    old = select(event.id).where(*older, event.state.in_(_SETTLED), ~needed, ~waits)
    return _forget(session, event_inbox, event.id, old.order_by(event.id).limit(limit))


def deliveries(session: Session, before: datetime, limit: int) -> int:
    """Deliveries that had not arrived at first."""
    old = select(missed_delivery.c.id).where(missed_delivery.c.found_at < before)
    return _forget(session, missed_delivery, missed_delivery.c.id, old.limit(limit))


def refusals(session: Session, before: datetime, limit: int) -> int:
    """How many deliveries were refused, hour by hour."""
    old = select(webhook_refusal.c.id).where(webhook_refusal.c.last_at < before)
    return _forget(session, webhook_refusal, webhook_refusal.c.id, old.limit(limit))


def differences(session: Session, before: datetime, limit: int) -> int:
    """What comparisons found, but for the last of each connection."""
    old = select(difference.c.id).where(difference.c.reconciliation.in_(_old_reports(before)))
    return _forget(session, difference, difference.c.id, old.limit(limit))


def comparisons(session: Session, before: datetime, limit: int) -> int:
    """Reports whose differences are forgotten."""
    told = exists().where(difference.c.reconciliation == reconciliation.c.number)
    old = _old_reports(before).where(~told)
    return _forget(session, reconciliation, reconciliation.c.number, old.limit(limit))


def _old_reports(before: datetime) -> Select[Any]:
    one = reconciliation.c
    last = select(func.max(one.number)).group_by(one.connection_id, one.status)
    return select(one.number).where(one.ended_at < before, one.active_key.is_(None), one.number.not_in(last))


def messages(session: Session, before: datetime, limit: int) -> int:
    """What was sent about incidents that are over."""
    one = alert_message.c
    over = select(incident.c.id).where(incident.c.cleared_at.is_not(None))
    about = or_(one.incident_id.is_(None), one.incident_id.in_(over))
    old = select(one.id).where(one.created_at < before, one.state != "waiting", about)
    return _forget(session, alert_message, one.id, old.limit(limit))


def incidents(session: Session, before: datetime, limit: int) -> int:
    """Incidents that are over, once their messages are forgotten."""
    told = exists().where(alert_message.c.incident_id == incident.c.id)
    old = select(incident.c.id).where(incident.c.cleared_at < before, ~told)
    return _forget(session, incident, incident.c.id, old.limit(limit))


def replies(session: Session, before: datetime, limit: int) -> int:
    """What buyers wrote in conversations that are over, or that nobody has gone on with."""
    old = select(reply.c.id).where(reply.c.conversation.in_(_old_conversations(before)))
    return _forget(session, reply, reply.c.id, old.limit(limit))


def conversations(session: Session, before: datetime, limit: int) -> int:
    """Conversations whose replies are forgotten."""
    told = exists().where(reply.c.conversation == conversation.c.id)
    return _forget(
        session, conversation, conversation.c.id, _old_conversations(before).where(~told).limit(limit)
    )


def _old_conversations(before: datetime) -> Select[Any]:
    one = conversation.c
    quiet = func.coalesce(one.last_at, one.state_at) < before
    return select(one.id).where(one.state != "open", one.state_at < before, quiet)


def audit(session: Session, before: datetime, limit: int) -> int:
    """What people did."""
    one = audit_event.c
    old = select(one.id).where(*_older(session, one.id, one.at, before)).order_by(one.id)
    return _forget(session, audit_event, one.id, old.limit(limit))


def mapping_versions(session: Session, before: datetime, limit: int) -> int:
    """Versions of mapping files, but for the one of each file that counts and the one before it."""
    one = mapping_change.c
    newest = select(one.workspace_id, func.max(one.number)).group_by(one.workspace_id, one.file)
    latest = mapping_change.alias()
    mine = tuple_(latest.c.workspace_id, latest.c.number).in_(newest)
    former = select(latest.c.workspace_id, latest.c.previous).where(mine, latest.c.previous.is_not(None))
    key = tuple_(one.workspace_id, one.number)
    old = select(one.workspace_id, one.number).where(
        one.created_at < before, key.not_in(newest), key.not_in(former)
    )
    return _forget_pairs(session, mapping_change, key, old.limit(limit))


def mapping_sets(session: Session, before: datetime, limit: int) -> int:
    """Sets of mapping files that no sync went by that is kept, and that do not count."""
    one = mapping_set.c
    used = exists().where(
        sync_run.c.workspace_id == one.workspace_id, sync_run.c.mapping_version == one.version
    )
    counts = (
        exists()
        .where(workspace.c.id == one.workspace_id, mapping_change.c.workspace_id == one.workspace_id)
        .where(mapping_change.c.number == workspace.c.mapping_change)
        .where(mapping_change.c.set_version == one.version)
    )
    key = tuple_(one.workspace_id, one.version)
    old = select(one.workspace_id, one.version).where(
        or_(one.kept_at < before, one.kept_at.is_(None)), ~used, ~counts
    )
    return _forget_pairs(session, mapping_set, key, old.limit(limit))


def sessions(session: Session, before: datetime, limit: int) -> int:
    """Sign-ins whose time is over."""
    over = or_(web_session.c.expires_at < before, web_session.c.revoked_at < before)
    old = select(web_session.c.id).where(over)
    return _forget(session, web_session, web_session.c.id, old.limit(limit))


def sign_in_links(session: Session, before: datetime, limit: int) -> int:
    """Links that signed somebody in, or would have."""
    old = select(sign_in_link.c.token_hash).where(sign_in_link.c.expires_at < before)
    return _forget(session, sign_in_link, sign_in_link.c.token_hash, old.limit(limit))


def _older(
    session: Session, key: Column[int], at: Column[Any], before: datetime
) -> tuple[ColumnElement[bool], ...]:
    """Rows from before a moment, by their ids, which count: no index on the moment, no look at the rest.

    A few whose moment was noted by a clock that was wrong keep nothing.
    """
    newer = select(key).where(at >= before).order_by(key)
    first = session.execute(newer.offset(_WRONG).limit(1)).scalar()
    return (at < before,) if first is None else (key < first, at < before)


def _forget(session: Session, table: Table, key: Column[Any], old: Select[Any]) -> int:
    found = _of(session, old)
    return session.execute(delete(table).where(key.in_(found))).rowcount if found else 0


def _forget_pairs(session: Session, table: Table, key: ColumnElement[Any], old: Select[Any]) -> int:
    found = [tuple(row) for row in session.execute(old)]
    return session.execute(delete(table).where(key.in_(found))).rowcount if found else 0


def _of(session: Session, query: Select[Any]) -> Sequence[Any]:
    return list(session.execute(query).scalars())
