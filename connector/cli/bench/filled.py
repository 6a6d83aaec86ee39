"""An installation that was in use for a while: runs with their log, links, and a run that is under way.

Nothing was synced: the rows are written by the store's own functions, in seconds instead of hours.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connector.bootstrap import Parts
from connector.core import outcomes
from connector.core.outcomes import Outcome, Result
from connector.core.plan import LinkState
from connector.core.records import Ref
from connector.errors import WriteRefusedError
from connector.store import audit, connections, links, runs, workspaces
from connector.store.connections import Connection
from connector.store.db import Session
from connector.store.links import Claimed
from connector.store.runs import NewRun, Run
from connector.store.workspaces import Workspace

_OWNER = "bench"
_LINKS, _EVENTS = 10_000, 1_000
_FAILURES = (
    ("crm_bad_value", "phones", "Provided phone number is invalid +00 000"),
    ("write_refused", "emails", "Email address is not valid"),
    ("crm_duplicate", "emails", "A duplicate entry was detected"),
)
_STATES = (*(LinkState.LINKED,) * 47, LinkState.FAILED, LinkState.REVIEW, LinkState.GONE)


@dataclass(frozen=True, slots=True)
class Filled:
    """What the pages are asked about: the biggest run that is over, the one under way, the connection.

    ``some_id`` is a member's, with one entry among the newest.
    """

    big: Run
    active: Run
    connection: Connection
    some_id: str


def fill(parts: Parts, number_of_runs: int, entries: int) -> Filled:
    """A workspace with so many runs, and log entries half of which are one run's."""
    now = parts.tools.clock()
    with parts.database.transaction() as session:
        workspace = _add_workspace(session, now)
        connection = _add_connection(session, workspace, now)
        _link(session, connection, now)
        for _ in range(_EVENTS):
            about = {"company": connection.company_title}
            audit.record(session, audit.NewEvent("sync_started", now, workspace_id=workspace.id, about=about))
    sizes = _sizes(number_of_runs, entries)
    made = []
    for place, size in enumerate(sizes):
        with parts.database.transaction() as session:
            at = now - timedelta(hours=len(sizes) - place)
            made.append(_run(session, connection, at, size, first=sum(sizes[:place])))
            if place < len(sizes) - 1:
                _end(session, made[-1], at + timedelta(minutes=2))
    return Filled(made[len(made) // 2], made[-1], connection, _outcome(entries // 50 * 50 - 47).ref.id)


def _sizes(number_of_runs: int, entries: int) -> list[int]:
    """Half of the entries in the middle run, the rest spread evenly."""
    small = entries // 2 // (number_of_runs - 1)
    sizes = [small] * number_of_runs
    sizes[number_of_runs // 2] = entries - small * (number_of_runs - 1)
    return sizes


def _add_workspace(session: Session, now: datetime) -> Workspace:
    made = Workspace(
        id=str(uuid.uuid4()),
        name="Bench",
        crm_url="http://127.0.0.1",
        crm_workspace_id=str(uuid.uuid4()),
        crm_name="Bench",
        crm_key_sealed=None,
        schema_version=None,
        batch_cap=None,
        created_at=now,
    )
    workspaces.add(session, made)
    return made


def _add_connection(session: Session, workspace: Workspace, now: datetime) -> Connection:
    made = Connection(
        id=str(uuid.uuid4()),
        workspace_id=workspace.id,
        service="whop",
        company_id="biz_bench",
        company_title="Northlight Academy",
        auth="api_key",
        secret_sealed="never opened",  # noqa: S106 - no secret
        refresh_sealed=None,
        expires_at=None,
        source_user_id=None,
        scopes=None,
        status="active",
        last_sync_at=now,
        created_at=now,
    )
    connections.add_or_revive(session, made)
    return made


def _link(session: Session, connection: Connection, now: datetime) -> None:
    scope = Claimed(connection.workspace_id, connection.id, "whop", "member", "person")
    refs = [Ref("whop", "member", f"mber_{number:09}") for number in range(_LINKS)]
    links.claim(session, scope, refs, owner=_OWNER, now=now, until=now + timedelta(minutes=5))
    links.keep(session, scope, _OWNER, [_link_row(place, ref, now) for place, ref in enumerate(refs)])


def _link_row(place: int, ref: Ref, now: datetime) -> dict[str, Any]:
    return {
        "of_id": ref.id,
        "crm_id": str(uuid.UUID(int=place)),
        "state": _STATES[place % len(_STATES)].value,
        "fingerprint": f"{place:064x}",
        "source_updated_at": now,
        "memory": {},
        "crm_created_at": None,
        "crm_updated_at": None,
        "seen_run": None,
    }


def _run(session: Session, connection: Connection, at: datetime, size: int, first: int) -> Run:
    """A run that wrote so many entries, with a worker at it."""
    why, correlation_id = "Every 5 minutes", str(uuid.uuid4())
    new = NewRun(str(uuid.uuid4()), connection.workspace_id, connection.id, "full", why, correlation_id, at)
    runs.start(session, new)
    run = runs.lease(session, new.id, owner=_OWNER, now=at, until=at + timedelta(days=1))
    if run is None:
        raise RuntimeError("a run that was just made cannot be leased")
    found = [_outcome(number) for number in range(first, first + size)]
    runs.log(session, run, found, at)
    kept = {"stage": "membership:", "done": ["product", "member"]}
    runs.save(session, run, owner=_OWNER, counts=outcomes.tally(found), checkpoint=kept)
    return runs.by_id(session, run.id)


def _end(session: Session, run: Run, at: datetime) -> None:
    runs.finish(session, run, owner=_OWNER, status="partial", now=at)


def _outcome(number: int) -> Outcome:
    """Of 50 one fails and two are skipped; of the others half are created, half updated."""
    if number % 50 == 0:
        return _failure(number)
    if number % 50 in (1, 2):
        return _person(number, Result.SKIPPED)._replace(reason="stale", after=None)
    return _person(number, Result.CREATED) if number % 2 else _update(number)


def _person(number: int, result: Result) -> Outcome:
    values = {
        "name": {"firstName": f"Ada {number % 997}", "lastName": "Bergström"},
        "emails": {"primaryEmail": f"ada.{number}@example.com"},
        "whopUserId": f"user_{number:09}",
        "whopMemberId": f"mber_{number:09}",
        "whopUsername": f"ada{number}",
        "whopCreatedAt": "2026-10-01T09:30:00.000Z",
    }
    title, crm_id = f"Ada {number % 997} Bergström", str(uuid.UUID(int=number))
    ref = Ref("whop", "member", f"mber_{number:09}")
    return Outcome(ref, "person", result, crm_id=crm_id, title=title, after=values)


def _failure(number: int) -> Outcome:
    code, field, words = _FAILURES[number // 50 % len(_FAILURES)]
    error = WriteRefusedError(f"member mber_{number:09}: {words}", code=code, field=field)
    return _person(number, Result.FAILED)._replace(error=error, crm_id=None)


def _update(number: int) -> Outcome:
    before = {"stage": "CUSTOMER", "amount": {"amountMicros": 12_000_000_000, "currencyCode": "JPY"}}
    after = {"stage": "PROPOSAL", "amount": {"amountMicros": 12_800_000_000, "currencyCode": "JPY"}}
    ref, crm_id = Ref("whop", "membership", f"mem_{number:09}"), str(uuid.UUID(int=number))
    title = "道場 Monthly"
    return Outcome(ref, "opportunity", Result.UPDATED, None, crm_id, title, before, after)
