"""A stage for syncs: both sandboxes served over real HTTP, a real database, the real adapters.

A scene is built as an installation is, by ``bootstrap``; only the clock, the bell and, where a test wants
to break something, a wrapped port are put in their place.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from connector import bootstrap, config
from connector.bootstrap import Parts
from connector.core.outcomes import sum_of
from connector.errors import TryLaterError
from connector.sandbox import twenty, whop
from connector.store import connections, runs, workspaces
from connector.store.connections import Connection
from connector.store.runs import LogEntry, Run
from connector.store.workspaces import Workspace
from connector.sync import mirror, modelling, onboarding
from connector.sync.mappings import Mapped
from connector.sync.tools import Tools
from connector.vault import new_key

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOWHERE = "unix:///nowhere/redis.sock"
PLURALS = ("whopProducts", "people", "opportunities")

Json = dict[str, Any]


class Clock:
    """A clock that stands until it is moved; with a ``step`` it moves at each look."""

    def __init__(self, step: float = 0.0) -> None:
        self.now = NOON
        self.step = timedelta(seconds=step)

    def __call__(self) -> datetime:
        self.now += self.step
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class RecordingBell:
    """A bell that only remembers who rang; out of order it refuses as one without Redis does."""

    def __init__(self) -> None:
        self.rings: list[tuple[str, str, dict[str, str]]] = []
        self.broken = False

    def ring(self, job: str, queue: str, *, expires: int | None = None, **ids: str) -> None:
        if self.broken:
            raise TryLaterError("The job queue does not answer.", code="queue")
        self.rings.append((job, queue, ids))


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:
        """Keep the test's output clean."""


@dataclass(frozen=True, slots=True)
class Service:
    """A sandbox that is being served."""

    app: Flask
    url: str

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Turn or read something below ``/sandbox``."""
        answer = self.app.test_client().open(f"/sandbox{path}", method=method, json=body)
        assert answer.status_code < 400, answer.text
        return answer.json

    def dial(self, match: str, fault: Json, *, skip: int = 0, times: int | None = 1) -> None:
        """Script a fault."""
        self.ask("POST", "/dials", {"match": match, "fault": fault, "skip": skip, "times": times})

    def undial(self) -> None:
        self.ask("DELETE", "/dials")


@contextmanager
def served(app: Flask) -> Iterator[Service]:
    """The app behind a socket of its own, on threads."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    server.daemon_threads = True  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield Service(app, f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def whop_served(**size: Any) -> Iterator[Service]:
    with served(whop.create_app(**{"members": 40, "memberships": 60, "limited": False} | size)) as service:
        yield service


@contextmanager
def twenty_served(**options: Any) -> Iterator[Service]:
    with served(twenty.create_app(**{"rate_limited": False} | options)) as service:
        yield service


def environment(database_url: str, whop_url: str, redis_url: str, **settings: str) -> dict[str, str]:
    """Settings as an operator gives them."""
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "PUBLIC_URL": "http://127.0.0.1:8080",
        "WHOP_API_URL": f"{whop_url}/api/v1",
        "ALLOWED_PRIVATE_HOSTS": "127.0.0.1",
        "SECRET_KEY": "s" * 48,
        "TOKEN_ENCRYPTION_KEYS": new_key(),
        **settings,
    }


def with_app(database_url: str, whop_url: str) -> dict[str, str]:
    """The same of one who has an app on Whop, so that companies connect by approval; without Redis."""
    oauth = {"WHOP_OAUTH_URL": f"{whop_url}/oauth", "WHOP_AUTH_URL": f"{whop_url}/oauth/authorize"}
    return environment(database_url, whop_url, NOWHERE, **oauth, WHOP_CLIENT_ID="app_sandboxConnector")


class Waits:
    """A process's own clock, which moves only by its waits: they are not slept."""

    def __init__(self) -> None:
        self.now = 0.0

    def pause(self, seconds: float) -> None:
        self.now += seconds

    def tick(self) -> float:
        return self.now


def built(env: dict[str, str], waits: Waits | None = None) -> Parts:
    """Everything, as in an installation; waits for a busy CRM are not slept."""
    waits = waits or Waits()
    return bootstrap.build(config.load(env), pause=waits.pause, tick=waits.tick)


@contextmanager
def hurried(parts: Parts, seconds: float = 0.5) -> Iterator[Callable[[Tools], Tools]]:
    """The tools of one who does not wait longer for an answer of the CRM: for what never answers, only.

    What does answer may be slow on a busy machine, so nothing else is to be done with them.
    """
    settings = replace(parts.settings, http_read_timeout_seconds=seconds)
    with closing(bootstrap.build(settings, pause=(waits := Waits()).pause, tick=waits.tick)) as other:
        yield lambda tools: replace(tools, open_writer=other.tools.open_writer)


@dataclass(slots=True)
class Scene:
    """Both services, the parts between them, and what was connected."""

    whop: Service
    twenty: Service
    parts: Parts
    clock: Clock = field(default_factory=Clock)
    bell: RecordingBell = field(default_factory=RecordingBell)
    workspace: Workspace | None = None
    connection: Connection | None = None
    number: int = 0

    @property
    def tools(self) -> Tools:
        return replace(self.parts.tools, clock=self.clock, queue=self.bell)

    @property
    def whop_key(self) -> str:
        return str(self.whop.app.extensions["whop"].keyring.main)

    @property
    def crm_key(self) -> str:
        return twenty.api_keys(self.twenty.app)[self.number]

    @property
    def company(self) -> str:
        return self.parts.openers.reader_for(self.whop_key, None).account().company_id

    # --- connecting

    def add_workspace(self, name: str = "acme", *, url: str = "", key: str = "") -> Workspace:
        new = onboarding.NewWorkspace(name, url or self.twenty.url, key or self.crm_key)
        opener, now = self.parts.check_crm_key, self.clock()
        return onboarding.add_workspace(self.parts.database, self.parts.vault, new, check_key=opener, now=now)

    def add_connection(self, workspace: Workspace, *, company: str = "", key: str = "") -> Connection:
        new = onboarding.NewConnection(company or self.company, key or self.whop_key)
        opener, now = self.parts.openers.reader_for, self.clock()
        made, _ = onboarding.add_connection(
            self.parts.database, self.parts.vault, workspace, new, open_reader=opener, now=now
        )
        return made

    def connect(self) -> Scene:
        """A workspace with a prepared CRM and a connected company."""
        self.workspace = self.add_workspace()
        modelling.provision(self.tools, self.workspace)
        self.connection = self.add_connection(self.workspace)
        return self

    def prepare(self) -> None:
        """Bring the CRM's data model in line again."""
        assert self.workspace is not None
        modelling.provision(self.tools, self.workspace)

    # --- syncing

    def start(self) -> str:
        assert self.workspace is not None
        assert self.connection is not None
        with self.parts.database.reading() as session:
            connection = connections.get(session, self.workspace.id, self.connection.id)
        return onboarding.start_sync(
            self.tools, connection, "full", why="The test", correlation_id="corr-test"
        )

    def run(self, run_id: str) -> Run:
        with self.parts.database.reading() as session:
            return runs.by_id(session, run_id)

    def advance(self, run_id: str, *, owner: str = "worker", tools: Tools | None = None) -> Run:
        """One job, as a worker runs it."""
        mirror.advance(tools or self.tools, run_id, owner=owner)
        return self.run(run_id)

    def sync(self, *, wrap: Callable[[Tools], Tools] = lambda tools: tools) -> Run:
        """A full sync to its end; waits are made by moving the clock."""
        run_id = self.start()
        return self.go_on(run_id, tools=wrap(self.tools))

    def go_on(self, run_id: str, *, tools: Tools | None = None, jobs: int = 40) -> Run:
        """Job after job until the run has ended."""
        for number in range(jobs):
            run = self.advance(run_id, owner=f"worker-{number}", tools=tools)
            if not run.active or run.status == "paused":
                return run
            self.clock.now = max(self.clock.now, run.due_at, run.lease_until or run.due_at)
            self.clock.advance(0.001)
        raise AssertionError(f"the run did not end: {run}")

    # --- looking

    def log(self, run: Run, *results: str) -> list[LogEntry]:
        with self.parts.database.reading() as session:
            return runs.entries(session, run.workspace_id, run.number, results=results, limit=10_000)

    def told(self, run: Run, source_id: str) -> LogEntry:
        """The one log entry of a source record."""
        found = [entry for entry in self.log(run) if entry.source_id == source_id]
        assert len(found) == 1, found
        return found[0]

    def rows(self, plural: str) -> list[Json]:
        """Every row of the CRM, soft-deleted ones too."""
        where = f"?workspace={self.number}" if self.number else ""
        return list(self.twenty.ask("GET", f"/records/{plural}{where}"))

    def records(self, kind: str) -> list[Json]:
        return list(self.whop.ask("GET", f"/records/{kind}"))

    def change(self, kind: str, id_: str, **fields: Any) -> None:
        self.whop.ask("PATCH", f"/records/{kind}/{id_}", fields)

    def person_of(self, member_id: str) -> Json:
        return one(self.rows("people"), whopMemberId=member_id)

    def deal_of(self, membership_id: str) -> Json:
        return one(self.rows("opportunities"), whopMembershipId=membership_id)

    def crm(self, query: str, **variables: Any) -> Any:
        """A person at work in the CRM."""
        headers = {"Authorization": f"Bearer {self.crm_key}"}
        session = self.parts.door.session(self.twenty.url, headers=headers)
        answer = session.request("POST", "/graphql", json={"query": query, "variables": variables}).json()
        assert not answer.get("errors"), answer
        return answer["data"]

    def type_person(self, **values: Any) -> str:
        """A person whom somebody typed into the CRM; the id."""
        query = "mutation($data:PersonCreateInput!){createPerson(data:$data){id}}"
        return str(self.crm(query, data=values)["createPerson"]["id"])


@dataclass(frozen=True, slots=True)
class _Remapped:
    """Mapping files as if they said something else."""

    real: Any
    change: Callable[[Any], Any]

    def _changed(self, found: Mapped) -> Mapped:
        made = tuple(one_ for one_ in map(self.change, found.mappings) if one_ is not None)
        return replace(found, files=replace(found.files, mappings=made))

    def of(self, workspace_id: str) -> Mapped:
        return self._changed(self.real.of(workspace_id))

    def in_force(self, workspace: Workspace) -> Mapped:
        return self._changed(self.real.in_force(workspace))

    def of_run(self, run: Run, workspace: Workspace) -> Mapped:
        return self._changed(self.real.of_run(run, workspace))

    def keep(self, workspace_id: str, found: Mapped, now: datetime) -> None:
        self.real.keep(workspace_id, found, now)


def remapped(tools: Tools, change: Callable[[Any], Any]) -> Tools:
    """The tools with every mapping as ``change`` makes it; None leaves it out."""
    return replace(tools, mappings=_Remapped(tools.mappings, change))  # type: ignore[arg-type]


def one(rows: list[Json], **wanted: Any) -> Json:
    """The only row with these values."""
    found = [row for row in rows if all(row.get(name) == value for name, value in wanted.items())]
    assert len(found) == 1, (wanted, len(found))
    return found[0]


def total(run: Run) -> int:
    return sum_of(run.counts)


_OURS = ("id", "createdAt", "updatedAt", "position", "searchVector", "whopSyncedAt", "syncedAt")


def picture(scene: Scene) -> dict[str, list[Json]]:
    """The CRM without what differs from one workspace or minute to another; relations by source id."""
    names = {row["id"]: row.get("whopId") for row in scene.rows("whopProducts")}
    names |= {row["id"]: row.get("whopMemberId") for row in scene.rows("people")}
    return {plural: sorted((_seen(row, names) for row in scene.rows(plural)), key=str) for plural in PLURALS}


def _seen(row: Json, names: dict[str, Any]) -> Json:
    kept = {name: value for name, value in row.items() if name not in _OURS}
    return {
        name: names.get(value, value) if isinstance(value, str) else value for name, value in kept.items()
    }


def disconnect(scene: Scene) -> None:
    assert scene.connection is not None
    with scene.parts.database.transaction() as session:
        connections.disconnect(session, scene.connection.workspace_id, scene.connection.id)


def cap_batches(scene: Scene, size: int) -> None:
    """As if an older server had named its limit: several writes for each window."""
    assert scene.workspace is not None
    with scene.parts.database.transaction() as session:
        workspaces.remember_batch(session, scene.workspace.id, size, scene.clock())
