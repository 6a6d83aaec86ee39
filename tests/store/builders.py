"""Rows with honest defaults, and the home (workspace and connection) that most of them need."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.core.outcomes import Outcome, Result
from connector.core.plan import Link
from connector.core.records import Ref
from connector.store import connections, inbox, links, runs, workspaces
from connector.store.connections import Connection
from connector.store.db import Database
from connector.store.inbox import InboxEvent
from connector.store.links import Claimed
from connector.store.pending import Pending, digest
from connector.store.runs import NewRun, Run
from connector.store.workspaces import Workspace

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def a_workspace(**changed: Any) -> Workspace:
    id_ = changed.get("id", str(uuid.uuid4()))
    values = {
        "id": id_,
        "name": f"Workspace {id_}",
        "crm_url": "https://crm.example.com",
        "crm_workspace_id": f"crm-{id_}",
        "crm_name": "Acme",
        "crm_key_sealed": "v1:k1:sealed-key",
        "schema_version": None,
        "batch_cap": None,
        "created_at": NOW,
    }
    return Workspace(**{**values, **changed})


def a_connection(workspace_id: str, **changed: Any) -> Connection:
    values = {
        "id": str(uuid.uuid4()),
        "workspace_id": workspace_id,
        "service": "whop",
        "company_id": "biz_1",
        "company_title": "Acme Courses",
        "auth": "api_key",
        "secret_sealed": "v1:k1:sealed-secret",
        "refresh_sealed": None,
        "expires_at": None,
        "source_user_id": None,
        "scopes": None,
        "status": "active",
        "last_sync_at": None,
        "created_at": NOW,
    }
    return Connection(**{**values, **changed})


def a_pending(workspace_id: str, **changed: Any) -> Pending:
    values = {
        "id": str(uuid.uuid4()),
        "state_hash": digest(str(uuid.uuid4())),
        "verifier_sealed": "v1:k1:sealed-verifier",
        "nonce": "nonce-of-a",
        "workspace_id": workspace_id,
        "operator_id": "operator-1",
        "browser_hash": "browser-1",
        "connection_id": None,
        "redirect_uri": "https://connector.example.com/oauth/whop/callback",
        "created_at": NOW,
        "expires_at": NOW + MINUTE,
        "offer": {"companies": "of-a"},
    }
    return Pending(**{**values, **changed})


@dataclass(frozen=True, slots=True)
class Home:
    """A kept workspace with one kept connection."""

    workspace_id: str
    connection_id: str

    @property
    def claims(self) -> Claimed:
        return Claimed(self.workspace_id, self.connection_id, "whop", "member", "person")


def a_home(database: Database, *, workspace: Workspace | None = None, **changed: Any) -> Home:
    workspace = workspace or a_workspace()
    connection = a_connection(workspace.id, **changed)
    with database.transaction() as session:
        workspaces.add(session, workspace)
        connections.add_or_revive(session, connection)
    return Home(workspace.id, connection.id)


def a_new_run(home: Home, **changed: Any) -> NewRun:
    values = {
        "id": str(uuid.uuid4()),
        "workspace_id": home.workspace_id,
        "connection_id": home.connection_id,
        "type": "full",
        "why": "An admin asked for it.",
        "correlation_id": "corr-1",
        "now": NOW,
    }
    return NewRun(**{**values, **changed})


def a_run(database: Database, home: Home, **changed: Any) -> Run:
    """A queued run that nobody is at."""
    new = a_new_run(home, **changed)
    with database.transaction() as session:
        runs.start(session, new)
        return runs.by_id(session, new.id)


def a_leased_run(database: Database, home: Home, *, owner: str = "worker-1", **changed: Any) -> Run:
    run = a_run(database, home, **changed)
    with database.transaction() as session:
        leased = runs.lease(session, run.id, owner=owner, now=NOW, until=NOW + MINUTE)
    assert leased is not None
    return leased


def refs(*ids: str) -> list[Ref]:
    return [Ref("whop", "member", id_) for id_ in ids]


def claim(
    database: Database, home: Home, wanted: Sequence[Ref], *, owner: str = "run-1", now: datetime = NOW
) -> dict[Ref, Link]:
    with database.transaction() as session:
        claimed = links.claim(session, home.claims, wanted, owner=owner, now=now, until=now + MINUTE)
        return links.find(session, home.workspace_id, "person", list(claimed))


def find(database: Database, home: Home, wanted: Sequence[Ref], **more: Any) -> dict[Ref, Link]:
    with database.reading() as session:
        return links.find(session, home.workspace_id, "person", wanted, **more)


def a_kept_row(link: Link, **changed: Any) -> dict[str, Any]:
    """What ``links.keep`` saves of one record that was written well."""
    values = {
        "of_id": link.ref.id,
        "crm_id": f"crm-{link.ref.id}",
        "state": "linked",
        "fingerprint": "f" * 32,
        "source_updated_at": "2026-03-01T10:00:00.000Z",
        "memory": {"name-of-a": [1234567890, 1]},
        "crm_created_at": "2026-03-02T09:00:00.000Z",
        "crm_updated_at": "2026-03-02T09:00:00.000Z",
        "seen_run": 1,
    }
    return {**values, **changed}


def an_outcome(**changed: Any) -> Outcome:
    values = {
        "ref": Ref("whop", "member", "mber_1"),
        "object": "person",
        "result": Result.CREATED,
        "crm_id": "crm-1",
        "title": "Ada Lovelace",
    }
    return Outcome(**{**values, **changed})


def an_event(home: Home, **changed: Any) -> InboxEvent:
    values = {
        "workspace_id": home.workspace_id,
        "connection_id": home.connection_id,
        "event_id": "msg_1",
        "type": "membership.activated",
        "dialect": "v1",
        "body": b'{"id":"mem_1"}',
        "received_at": NOW,
        "due_at": NOW,
    }
    return InboxEvent(**{**values, **changed})


def add_event(database: Database, event: InboxEvent) -> bool:
    with database.transaction() as session:
        return inbox.add(session, [event]) == 1
