"""The tables. A ``#:`` says why a column exists and when it is null.

Ids that are shown or travel are UUID text; links and log entries, of which there are many, count.
"""

from __future__ import annotations

from connector.store.db import metadata
from connector.store.models.access import audit_event, operator, sign_in_link, web_session
from connector.store.models.alerts import alert_message, alert_settings, incident
from connector.store.models.automations import act, automation, crm_request
from connector.store.models.conversations import conversation, reply
from connector.store.models.crm import connection, pending_authorization, workspace
from connector.store.models.events import (
    UNHEARD,
    drain,
    event_inbox,
    missed_delivery,
    registration,
    webhook_refusal,
    webhook_secret,
)
from connector.store.models.mappings import mapping_change, mapping_pass, mapping_set
from connector.store.models.notes import note
from connector.store.models.reconciling import difference, reconcile_plan, reconciliation
from connector.store.models.records import intent, link, sync_log_entry, sync_run
from connector.store.models.reviews import open_relation, review
from connector.store.models.sales import sale
from connector.store.models.schedule import checkpoint, ending, schedule
from connector.store.models.sign_in import admin, crm_grant, crm_registration, crm_sign_in

__all__ = [
    "UNHEARD",
    "act",
    "admin",
    "alert_message",
    "alert_settings",
    "audit_event",
    "automation",
    "checkpoint",
    "connection",
    "conversation",
    "crm_grant",
    "crm_registration",
    "crm_request",
    "crm_sign_in",
    "difference",
    "drain",
    "ending",
    "event_inbox",
    "incident",
    "intent",
    "link",
    "mapping_change",
    "mapping_pass",
    "mapping_set",
    "metadata",
    "missed_delivery",
    "note",
    "open_relation",
    "operator",
    "pending_authorization",
    "reconcile_plan",
    "reconciliation",
    "registration",
    "reply",
    "review",
    "sale",
    "schedule",
    "sign_in_link",
    "sync_log_entry",
    "sync_run",
    "web_session",
    "webhook_refusal",
    "webhook_secret",
    "workspace",
]
