"""A console with something in it: a workspace, a connection, runs with their log, and a browser."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from entering import NOON, NOWHERE, Door, door
from flask.testing import FlaskClient
from sqlalchemy import insert

from connector.core import outcomes
from connector.core.outcomes import Outcome, Result
from connector.core.records import Ref
from connector.errors import ConnectorError, WriteRefusedError
from connector.store import connections, runs
from connector.store.connections import Connection
from connector.store.models import link
from connector.store.runs import NewRun, Run
from connector.store.workspaces import Workspace

HOSTILE = "<b>Robert</b>; DROP TABLE students;--"
OWNER = "worker-1"


@dataclass(frozen=True, slots=True)
class Desk:
    """One workspace with one connection, and a browser in which somebody looks at them."""

    door: Door
    browser: FlaskClient
    workspace: Workspace
    connection: Connection

    def page(self, path: str, status: int = 200) -> str:
        """What a browser shows at a path."""
        answer = self.browser.get(path, headers={"Accept": "text/html"})
        assert answer.status_code == status, answer.text
        return answer.text

    def run(self, found: Sequence[Outcome] = (), *, at: datetime = NOON, **changed: Any) -> Run:
        """A run that is over, with the log of what it found. ``status`` None leaves it under way."""
        database = self.door.parts.database
        ended = changed.pop("status", "success")
        error, checkpoint = changed.pop("error", None), changed.pop("checkpoint", {})
        with database.transaction() as session:
            new = a_new_run(self.connection, at, **changed)
            runs.start(session, new)
            run = runs.lease(session, new.id, owner=OWNER, now=at, until=at + timedelta(minutes=1))
            assert run is not None
            runs.log(session, run, found, at)
            counts = outcomes.tally(found)
            runs.save(session, run, owner=OWNER, counts=counts, checkpoint=checkpoint, mapping_version="a41f")
            run = replace(runs.by_id(session, run.id))
            if ended:
                runs.finish(
                    session, run, owner=OWNER, status=ended, now=at + timedelta(seconds=41), error=error
                )
            return runs.by_id(session, run.id)

    def linked(self, *ids: str, state: str = "linked") -> None:
        """Records that the links remember."""
        row = {"workspace_id": self.workspace.id, "connection_id": self.connection.id, "source": "whop"}
        row |= {"kind": "member", "object": "person", "state": state, "generation": 0}
        with self.door.parts.database.transaction() as session:
            session.execute(insert(link), [{**row, "source_id": id_, "crm_id": f"crm-{id_}"} for id_ in ids])


@contextmanager
def desk(database_url: str, redis_url: str = NOWHERE) -> Iterator[Desk]:
    with door(database_url, redis_url) as opened:
        workspace = opened.add_workspace("Northlight Academy")
        connection = a_connection(workspace.id)
        with opened.parts.database.transaction() as session:
            connections.add_or_revive(session, connection)
        yield Desk(opened, opened.signed_in(), workspace, connection)


def a_connection(workspace_id: str, **changed: Any) -> Connection:
    values: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "workspace_id": workspace_id,
        "service": "whop",
        "company_id": "biz_1",
        "company_title": "Northlight Academy",
        "auth": "api_key",
        "secret_sealed": "sealed",
        "refresh_sealed": None,
        "expires_at": None,
        "source_user_id": None,
        "scopes": None,
        "status": "active",
        "last_sync_at": NOON,
        "created_at": NOON,
    }
    return Connection(**{**values, **changed})


def a_new_run(connection: Connection, at: datetime, **changed: Any) -> NewRun:
    values: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "workspace_id": connection.workspace_id,
        "connection_id": connection.id,
        "type": "full",
        "why": "Manually by marta",
        "correlation_id": "corr-1",
        "now": at,
    }
    return NewRun(**{**values, **changed})


def a_person(id_: str = "mber_1", result: Result = Result.CREATED, **changed: Any) -> Outcome:
    values: dict[str, Any] = {
        "ref": Ref("whop", "member", id_),
        "object": "person",
        "result": result,
        "title": "Ada Bergström",
        "crm_id": "11111111-2222-4333-8444-555555555555",
        "after": {"name": {"firstName": "Ada", "lastName": "Bergström"}, "emails": f"{id_}@example.com"},
    }
    return Outcome(**{**values, **changed})


def a_failure(id_: str = "mber_9", error: ConnectorError | None = None, **changed: Any) -> Outcome:
    refused = WriteRefusedError(
        f"member {id_}: Provided phone number is invalid +00 000", code="crm_bad_value", field="phones"
    )
    values = {"crm_id": None, "error": error or refused, "title": HOSTILE, **changed}
    return a_person(id_, Result.FAILED, **values)


def an_update(id_: str = "mem_1", **changed: Any) -> Outcome:
    values: dict[str, Any] = {
        "ref": Ref("whop", "membership", id_),
        "object": "opportunity",
        "title": "道場 Monthly",
        "before": {"amount": {"amountMicros": 12_000_000_000, "currencyCode": "JPY"}, "stage": "CUSTOMER"},
        "after": {
            "amount": {"amountMicros": 12_800_000_000, "currencyCode": "JPY"},
            "stage": "PROPOSAL",
            "whopRenewalDate": "2026-12-01T00:00:00.000Z",
        },
    }
    return a_person(id_, Result.UPDATED, **{**values, **changed})
