"""A whole installation under test: what ``flask demo`` starts, with the faults that a test asks for."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import requests
from sqlalchemy import update

from connector.bootstrap import Parts
from connector.cli import operators, processes, stage
from connector.cli.bench import hooked
from connector.cli.stage import Size, Stage
from connector.cli.visitor import Visitor
from connector.sources.whop.gate import Scheme
from connector.store import connections, eventbook, inbox, overview, reconciliations, reviews, runs
from connector.store.connections import Connection
from connector.store.eventbook import EventFilter
from connector.store.inbox import InboxEvent
from connector.store.models import sync_run
from connector.store.reconciliations import Reconciliation
from connector.store.reviews import Review
from connector.store.runs import NewRun, Run
from connector.store.workspaces import Workspace
from connector.sync import alerting, expiring, hook_secrets, reconciling
from connector.web import own_door

PATIENCE = 30.0
_PORTS = {"web": 0, "whop": 0, "twenty": 0}


@dataclass(frozen=True, slots=True)
class Installation:
    """The processes' addresses, and what a test does behind the pages' back."""

    parts: Parts
    stage: Stage
    workspace: Workspace

    @property
    def home(self) -> str:
        """The address of the web pages."""
        return self.stage.address("web")

    @property
    def whop(self) -> str:
        """The address of the sandbox Whop."""
        return self.stage.address("whop")

    @property
    def twenty(self) -> str:
        """The address of the sandbox Twenty."""
        return self.stage.address("twenty")

    @property
    def answer_path(self) -> str:
        """Where Whop sends people back to."""
        return urlsplit(self.parts.settings.whop_redirect_uri).path

    def link(self, name: str) -> str:
        """A one-time link for this operator."""
        return operators.link_for(self.parts, name).url

    # --- what is known

    def reviews(self) -> list[Review]:
        """What waits for a decision."""
        with self.parts.database.reading() as session:
            return reviews.page(session, self.workspace.id, (reviews.WAITING,)).items

    def connections(self) -> list[Connection]:
        """Every connection, those that were ended too."""
        return stage.connections_of(self.parts, self.workspace)

    def runs(self) -> list[Run]:
        """Runs, newest first."""
        with self.parts.database.reading() as session:
            return runs.of_workspace(session, self.workspace.id, limit=50)

    def links_of(self, connection: Connection) -> int:
        """How many records of this connection are linked."""
        with self.parts.database.reading() as session:
            return overview.health(session, self.workspace.id)[connection.id].known

    def wait_until_idle(self) -> None:
        """Return when no run is under way."""
        until = time.monotonic() + PATIENCE
        while any(run.active for run in self.runs()):
            assert time.monotonic() < until, self.runs()
            time.sleep(0.05)

    # --- what happens elsewhere

    def connect(self) -> Connection:
        """Connect the company, where it is not connected, as somebody else would; wait for its sync."""
        if not self._active():
            visitor = Visitor()
            visitor.press(visitor.open(self.link("Otto")), "Sign in")
            page = visitor.press(visitor.open(f"{self.home}/connect/whop"), "Connect Whop")
            page = visitor.press(page, "Approve")
            if page.url.endswith("/plan"):  # connected again, it catches up by itself
                visitor.press(page, "Agree and start the first sync")
        self.wait_until_idle()
        expiring.sweep(self.parts.tools)  # as the clock would in a moment, while a test clicks
        self.wait_until_idle()
        return self._active()[0]

    def sync(self, connection: Connection) -> Run:
        """A full sync from its start to its end."""
        run = stage.start(self.parts, connection, "Manually by Otto")
        self.wait_until_idle()
        return next(one for one in self.runs() if one.id == run.id)

    def compare(self, connection: Connection) -> Reconciliation:
        """A comparison with Whop from its start to its end."""
        id_ = reconciling.start(self.parts.tools, connection, why="Manually by Otto", correlation_id="test")
        until = time.monotonic() + PATIENCE
        while True:
            with self.parts.database.reading() as session:
                one = reconciliations.by_id(session, id_)
            if not one.active:
                return one
            assert time.monotonic() < until, one
            time.sleep(0.05)

    @contextmanager
    def asking(self, connection: Connection, **asks: Any) -> Iterator[Run]:
        """A sync that waits for somebody's answer, as long as the block is. It is in no other's way."""
        now = self.parts.tools.clock()
        new = NewRun(
            str(uuid.uuid4()), connection.workspace_id, connection.id, "full", "Every hour", "test", now
        )
        with self.parts.database.transaction() as session:
            runs.start(session, new)
            asked = update(sync_run).where(sync_run.c.id == new.id)
            session.execute(asked.values(active_key=None, started_at=now, **asks))
            run = runs.by_id(session, new.id)
        try:
            yield run
        finally:
            with self.parts.database.transaction() as session:
                session.execute(
                    update(sync_run).where(sync_run.c.id == new.id).values(status="cancelled", ended_at=now)
                )

    def tell_of_what_is_wrong(self) -> None:
        """To a webhook that takes nothing: what is wrong is on the page of alerts, and that nobody heard."""
        desk, id_ = self.parts.alerts, self.workspace.id
        alerting.set_webhook(desk, id_, f"{self.stage.address('whop')}/nobody", self.parts.door.check)
        alerting.look(desk)

    def _active(self) -> list[Connection]:
        return [one for one in self.connections() if one.status == "active"]

    def members(self) -> list[dict[str, Any]]:
        """The members on Whop, newest first."""
        found: list[dict[str, Any]] = self._ask("GET", "whop", "records/members")
        return found

    def plain_member(self) -> dict[str, Any]:
        """One with an e-mail address and a user, whose name is as plain as most."""
        return next(
            one for one in self.members() if one["email"] and one["user"] and "<" not in one["display_name"]
        )

    def rename(self, member: Mapping[str, Any], name: str) -> None:
        """Let the member change their name on Whop."""
        self._ask("PATCH", "whop", f"records/members/{member['id']}", {"user": {"name": name}})

    def hear(self, connection: Connection) -> None:
        """Let the connection believe a webhook, and leave notes of whatever happens."""
        ids = (connection.workspace_id, connection.id)
        hook_secrets.enter(self.parts.hooks, *ids, "standard", f"ws_{uuid.uuid4().hex}", keep_others=True)
        self.switch_notes(connection, on=True)
        until = time.monotonic() + PATIENCE  # the door looks every two seconds which secrets there are
        probe = own_door.harmless(connection, Scheme.STANDARD, "2026-11-20T12:00:00.000Z")
        while own_door.post(self.parts, connection, probe, Scheme.STANDARD) != 200:
            assert time.monotonic() < until

    def switch_notes(self, connection: Connection, *, on: bool) -> None:
        """Have events leave notes or not, whenever they came about."""
        since = datetime(2020, 1, 1, tzinfo=UTC) if on else None
        with self.parts.database.transaction() as session:
            connections.set_notes(session, connection.workspace_id, connection.id, since)

    def happen(self, connection: Connection, what: str, id_: str) -> list[InboxEvent]:
        """Something happens on Whop and is told to us; the events, once they are through."""
        told = self._ask("POST", "whop", "happen", {"what": what, "id": id_, "silent": True})["told"]
        bodies = [hooked.body(one["event"], one["record"], connection.company_id) for one in told]
        for body in bodies:
            assert own_door.post(self.parts, connection, body, Scheme.STANDARD) == 200
        ids = {body["id"] for body in bodies}
        until = time.monotonic() + PATIENCE
        while [one for one in self.events() if one.event_id in ids and one.state == "pending"]:
            assert time.monotonic() < until, self.events()
            time.sleep(0.05)
        return [one for one in self.events() if one.event_id in ids]

    def events(self) -> list[InboxEvent]:
        """The newest events, the newest first."""
        with self.parts.database.reading() as session:
            return eventbook.event_page(session, self.workspace.id, EventFilter()).items

    def park(self, event: InboxEvent) -> None:
        """As if trying again had not helped."""
        told = {"code": "crm_bad_value", "message": "Provided phone number is invalid"}
        with self.parts.database.transaction() as session:
            later = self.parts.tools.clock() + timedelta(days=1)
            inbox.replay(session, event.workspace_id, [event.id or 0], later, quiet=True)
            inbox.fail(session, event.workspace_id, event.id or 0, told, due_at=None)

    def memberships(self) -> list[dict[str, Any]]:
        """The memberships on Whop."""
        found: list[dict[str, Any]] = self._ask("GET", "whop", "records/memberships")
        return found

    def edit_in_twenty(self, plural: str, id_: str, **fields: Any) -> None:
        """Somebody changes a record in the CRM."""
        bearer = {"Authorization": f"Bearer {self.stage.key('twenty')}"}
        url = f"{self.twenty}/rest/{plural}/{id_}"
        answer = requests.patch(url, json=fields, headers=bearer, timeout=10)
        assert answer.ok, answer.text

    def people(self) -> list[dict[str, Any]]:
        """The people in the CRM."""
        found: list[dict[str, Any]] = self._ask("GET", "twenty", "records/people")
        return found

    def dial(self, match: str, fault: Mapping[str, Any], times: int = 1) -> None:
        """The CRM's next ``times`` requests of this kind meet this fault."""
        self._ask("POST", "twenty", "dials", {"match": match, "fault": fault, "times": times})

    def clear_dials(self) -> None:
        """No more faults."""
        self._ask("DELETE", "twenty", "dials")

    def _ask(self, method: str, service: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        url = f"{self.stage.address(service)}/sandbox/{path}"
        answer = requests.request(method, url, json=body, timeout=10)
        assert answer.ok, answer.text
        return answer.json()


@contextmanager
def running(folder: Path) -> Iterator[Installation]:
    """An installation with a workspace, whose processes are looked after meanwhile."""
    with ExitStack() as stack:
        set_up = stack.enter_context(stage.set_up(folder, _PORTS))
        stack.enter_context(_looked_after(folder / "logs", set_up.children(Size(members=60, limits=False))))
        parts = stack.enter_context(stage.parts(set_up))
        yield Installation(parts, set_up, stage.workspace_of(parts, set_up, "Northlight"))


@contextmanager
def _looked_after(logs: Path, children: list[processes.Child]) -> Iterator[None]:
    """The processes run. In another thread, so that a Ctrl-C is pytest's."""
    up, over = Event(), Event()

    def look_after() -> None:
        with processes.Supervisor(logs, echo=lambda _line: None) as supervisor:
            supervisor.start_all(children)
            up.set()
            supervisor.run_until(over)

    with ThreadPoolExecutor(1) as aside:
        future = aside.submit(look_after)
        try:
            _wait(up, future)
            yield
        finally:
            over.set()
        future.result()


def _wait(up: Event, future: Future[None]) -> None:
    while not up.wait(0.05):
        if future.done():
            future.result()
