"""What people did, and what was refused them: append-only, never a secret in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, insert, or_, select

from connector.store.db import Session
from connector.store.models import admin, audit_event, operator

_OF_THE_DOOR = frozenset(
    {
        "operator_added",
        "operator_removed",
        "link_made",
        "link_used",
        "link_refused",
        "sign_in",
        "sign_in_failed",
        "sign_out",
        "session_revoked",
        "password_set",
        "csrf_refused",
        "rate_limited",
        "crm_sign_in_refused",
    }
)
#: What is done to a workspace; everything else is its operator's own.
OF_WORKSPACE = frozenset(
    {
        "connect",
        "disconnect",
        "plan_agreed",
        "review_decided",
        "review_taken_back",
        "views_made",
        "workflow_paused",
        "workflow_resumed",
        "sync_started",
        "sync_paused",
        "changes_approved",
        "removals_approved",
        "removals_refused",
        "run_cancelled",
        "preview_started",
        "undo_previewed",
        "undo_started",
        "undo_let_go",
        "mapping_changed",
        "schedule_changed",
        "sync_resumed",
        "sync_cancelled",
        "webhook_checked",
        "webhook_mended",
        "webhook_registered",
        "webhook_secret_added",
        "webhook_secret_dropped",
        "webhook_secret_retired",
        "webhook_switched_on",
        "webhook_tested",
        "reconcile_cancelled",
        "reconcile_planned",
        "reconcile_repaired",
        "reconcile_started",
        "webhook_sample_sent",
        "act_again",
        "act_by_hand",
        "act_done",
        "act_failed",
        "act_refused",
        "alerts_changed",
        "crm_requests_off",
        "crm_requests_on",
        "crm_requests_who",
        "automation_off",
        "automation_on",
        "alerts_muted",
        "alerts_unmuted",
        "alerts_webhook_given",
        "alerts_webhook_removed",
        "notes_on",
        "notes_off",
        "events_replayed",
        "crm_sign_in",
        "crm_opened",
        "crm_key_given",
        "crm_key_removed",
        "crm_checked",
        "crm_disconnected",
    }
)
#: Everything that is recorded. The page has words for each; a new one needs some.
CODES = _OF_THE_DOOR | OF_WORKSPACE
About = Mapping[str, str | int | bool | None]

_SECRET = re.compile(r"token|secret|passw|code|key|verifier|cookie", re.IGNORECASE)
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class NewEvent:
    """What is recorded, of an operator or an admin; of neither for somebody unknown.

    ``workspace_id`` is None where it has none.
    """

    what: str
    at: datetime
    operator_id: str | None = None
    workspace_id: str | None = None
    address: str = ""
    about: About = field(default_factory=dict)
    admin_id: str | None = None


@dataclass(frozen=True, slots=True)
class AuditEvent:
    id: int
    what: str
    at: datetime
    person_id: str | None
    person_name: str | None
    workspace_id: str | None
    address: str
    about: dict[str, Any]


def record(session: Session, new: NewEvent) -> None:
    """Add an event. Raises ValueError for a code not of CODES, or an ``about`` named like a secret."""
    if new.what not in CODES:
        raise ValueError(f"{new.what!r} is not a code of the audit log")
    values = {name: getattr(new, name) for name in NewEvent.__slots__}
    session.execute(insert(audit_event).values(values | {"about": _clean(new.about)}))


def shown(
    session: Session,
    workspace_id: str | None,
    person_id: str,
    *,
    before: int | None = None,
    limit: int = 50,
) -> list[AuditEvent]:
    """The workspace's events and the person's own of none, newest first, from below ``before``."""
    theirs = or_(audit_event.c.operator_id == person_id, audit_event.c.admin_id == person_id)
    own = and_(audit_event.c.workspace_id.is_(None), theirs)
    query = _EVENTS.where(or_(audit_event.c.workspace_id == workspace_id, own) if workspace_id else own)
    if before is not None:
        query = query.where(audit_event.c.id < before)
    rows = session.execute(query.order_by(audit_event.c.id.desc()).limit(limit))
    return [AuditEvent(**row._mapping) for row in rows]


def _clean(about: About) -> dict[str, Any]:
    named_like_one = [name for name in about if _SECRET.search(name)]
    if named_like_one:
        raise ValueError(f"the audit log holds no secrets: {named_like_one}")
    return {name: value[:_LONGEST] if isinstance(value, str) else value for name, value in about.items()}


_EVENTS = (
    select(
        audit_event.c.id,
        audit_event.c.what,
        audit_event.c.at,
        func.coalesce(audit_event.c.operator_id, audit_event.c.admin_id).label("person_id"),
        func.coalesce(operator.c.name, admin.c.name).label("person_name"),
        audit_event.c.workspace_id,
        audit_event.c.address,
        audit_event.c.about,
    )
    .outerjoin(operator, operator.c.id == audit_event.c.operator_id)
    .outerjoin(admin, admin.c.id == audit_event.c.admin_id)
)
