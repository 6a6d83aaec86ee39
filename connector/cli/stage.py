"""A whole installation with stand-ins for both services, in one folder: for the demo and the benches.

Every process is a real one and talks HTTP; nothing in the connector is told that it is not the real Whop
and Twenty. It has its settings from the environment, as any operator's installation has.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from connector import bootstrap, config, logs, vault
from connector.bootstrap import Parts
from connector.cli import agreement, fleet, processes, redis_server
from connector.core.outcomes import Result
from connector.errors import RefusedError
from connector.outbound import OutboundSession
from connector.sources.whop import headers
from connector.store import connections, migrate, runs, workspaces
from connector.store.connections import Connection
from connector.store.runs import LogEntry, Run
from connector.store.workspaces import Workspace
from connector.sync import modelling, onboarding

T = TypeVar("T")

_NO_LIMIT = "1000000"  # requests a minute


@dataclass(frozen=True, slots=True)
class Size:
    """What the sandbox Whop holds, and whether both sandboxes keep their services' limits.

    ``crm`` are more options of ``flask sandbox twenty``.
    """

    members: int = 500
    memberships: int | None = None
    seed: int = 1
    limits: bool = True
    crm: tuple[str, ...] = ()

    @property
    def whop_options(self) -> tuple[str, ...]:
        """Options of ``flask sandbox whop``."""
        options = ["--members", str(self.members), "--seed", str(self.seed), self._limits]
        if self.memberships is not None:
            options += ["--memberships", str(self.memberships)]
        return tuple(options)

    @property
    def twenty_options(self) -> tuple[str, ...]:
        """Options of ``flask sandbox twenty``."""
        return (self._limits, *self.crm)

    @property
    def _limits(self) -> str:
        return "--limits" if self.limits else "--no-limits"


@dataclass(frozen=True, slots=True)
class Stage:
    """Where everything is: the folder, the bound sockets, and the environment of its processes."""

    data: Path
    sockets: Mapping[str, socket.socket]
    redis: redis_server.RedisServer
    env: Mapping[str, str]

    def address(self, name: str) -> str:
        """The address of ``web``, ``whop`` or ``twenty``."""
        return f"http://127.0.0.1:{self.sockets[name].getsockname()[1]}"

    def key(self, service: str) -> str:
        """The API key that a sandbox wrote down for its operator."""
        return (self.data / service / "api-key").read_text(encoding="utf-8").strip()

    def children(self, size: Size, *, workers: int = 2, web: int = 1) -> list[processes.Child]:
        """All processes in the order of their start; the database is migrated first."""
        built = bootstrap.build(config.load(self.env))
        migrate.upgrade(built.database)
        built.close()
        whop, twenty = size.whop_options, size.twenty_options
        env = self.env if size.limits else {**self.env, "WHOP_REQUESTS_PER_MINUTE": _NO_LIMIT}
        children = [
            self.redis.child(),
            fleet.sandbox("whop", self.sockets["whop"], self.data / "whop", self.env, *whop),
            fleet.sandbox("twenty", self.sockets["twenty"], self.data / "twenty", self.env, *twenty),
            fleet.web(self.sockets["web"], env, threads=8, workers=web),
            *fleet.workers(env, workers),
            fleet.scheduler(env),
        ]
        # In a folder where no .env of the caller's lies.
        return [replace(child, cwd=self.data) for child in children]


@contextmanager
def set_up(data: Path, ports: Mapping[str, int]) -> Iterator[Stage]:
    """Bind the ports (another where one is taken), make what must be there before the first process."""
    data = data.resolve()
    with ExitStack() as stack:
        sockets = {name: stack.enter_context(processes.bound_socket(port)) for name, port in ports.items()}
        redis = redis_server.RedisServer(data)
        stack.callback(redis.close)
        numbers = {name: one.getsockname()[1] for name, one in sockets.items()}
        yield Stage(data, sockets, redis, _environment(data, numbers, redis.url))


def _environment(data: Path, ports: Mapping[str, int], redis_url: str) -> dict[str, str]:
    """Settings as an operator would give them. Nothing of the caller's own settings comes along."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    whop = f"http://127.0.0.1:{ports['whop']}"
    ours = {
        "FLASK_SKIP_DOTENV": "1",
        "DATABASE_URL": f"sqlite:///{data / 'connector.db'}",
        "REDIS_URL": redis_url,
        "PUBLIC_URL": f"http://127.0.0.1:{ports['web']}",
        "WHOP_API_URL": f"{whop}/api/v1",
        "WHOP_OAUTH_URL": f"{whop}/oauth",
        "WHOP_AUTH_URL": f"{whop}/oauth/authorize",
        "WHOP_CLIENT_ID": "app_sandboxConnector",
        "ALLOWED_PRIVATE_HOSTS": "127.0.0.1",
        "LOG_FORMAT": "json",
    }
    return kept | _secrets(data) | ours


def _secrets(data: Path) -> dict[str, str]:
    """Made once for each data folder, so that a second start opens what the first one sealed."""
    kept = data / "secrets.env"
    if not kept.exists():
        made = {"SECRET_KEY": secrets.token_urlsafe(48), "TOKEN_ENCRYPTION_KEYS": vault.new_key()}
        kept.touch(mode=0o600)
        kept.write_text("".join(f"{name}={value}\n" for name, value in made.items()), encoding="utf-8")
    return config.read_env_file(kept)


@contextmanager
def parts(stage: Stage) -> Iterator[Parts]:
    """Everything built from the stage's settings, closed afterwards."""
    built = bootstrap.build(config.load(stage.env))
    try:
        yield built
    finally:
        built.close()


def meanwhile(supervisor: processes.Supervisor, work: Callable[[], T]) -> T | None:
    """Do the work while the supervisor looks after its children; None when it was stopped before the end."""
    with ThreadPoolExecutor(1) as aside:
        future = aside.submit(work)
        supervisor.run_until(future.done)
        if not future.done():
            os._exit(130)  # the work may wait for a child that has just been stopped
        return future.result()


def workspace_of(parts: Parts, stage: Stage, name: str) -> Workspace:
    """The workspace of this name, added where it is not there yet."""
    with parts.database.transaction() as session:
        known = next((one for one in workspaces.every(session) if one.name == name), None)
        if known is None:
            found = None
        else:  # the port of the CRM may be another one today
            workspaces.move(session, known.id, stage.address("twenty"))
            found = workspaces.get(session, known.id)
    return found or _add_workspace(parts, stage, name)


def connect(parts: Parts, stage: Stage, name: str) -> tuple[Workspace, Connection]:
    """The workspace and a connection of it by API key, made and provisioned where they are not there yet."""
    workspace = workspace_of(parts, stage, name)
    held = connections_of(parts, workspace)
    connection = held[0] if held else _add_connection(parts, stage, workspace)
    modelling.provision(parts.tools, workspace)
    return workspace, connection


def connections_of(parts: Parts, workspace: Workspace) -> list[Connection]:
    """The workspace's connections, oldest first."""
    with parts.database.reading() as session:
        return connections.of_workspace(session, workspace.id)


def _add_workspace(parts: Parts, stage: Stage, name: str) -> Workspace:
    new = onboarding.NewWorkspace(name, stage.address("twenty"), stage.key("twenty"))
    return onboarding.add_workspace(
        parts.database, parts.vault, new, check_key=parts.check_crm_key, now=parts.tools.clock()
    )


def _add_connection(parts: Parts, stage: Stage, workspace: Workspace) -> Connection:
    company = parts.openers.reader_for(stage.key("whop"), None).account().company_id
    new = onboarding.NewConnection(company, stage.key("whop"))
    opener, now = parts.openers.reader_for, parts.tools.clock()
    made, _ = onboarding.add_connection(
        parts.database, parts.vault, workspace, new, open_reader=opener, now=now
    )
    return made


def provision_bare(parts: Parts, crm_url: str, key: str) -> None:
    """Give a CRM the data model of the mappings without keeping it as a workspace."""
    parts.openers.schema_for(crm_url, key).apply(parts.tools.mappings.shipped.mappings)


def start(parts: Parts, connection: Connection, why: str) -> Run:
    """Start a full sync; or find the one that an earlier start left under way."""
    correlation_id = logs.new_correlation_id()
    try:
        onboarding.start_sync(parts.tools, connection, "full", why=why, correlation_id=correlation_id)
    except RefusedError as error:
        if error.code != "run_active":
            raise
    with parts.database.reading() as session:
        return runs.of_workspace(session, connection.workspace_id, limit=1)[0]


def whop_session(parts: Parts, stage: Stage) -> OutboundSession:
    """Whop's API as an auditor sees it."""
    return parts.door.session(f"{stage.address('whop')}/api/v1", headers=headers(stage.key("whop")))


def crm_session(parts: Parts, stage: Stage) -> OutboundSession:
    """The CRM's API as an auditor sees it."""
    bearer = {"Authorization": f"Bearer {stage.key('twenty')}"}
    return parts.door.session(stage.address("twenty"), headers=bearer)


def told(parts: Parts, run: Run) -> Iterator[LogEntry]:
    """Every record of a run that was skipped or failed."""
    after = 0
    wanted = (Result.SKIPPED.value, Result.FAILED.value)
    while True:
        with parts.database.reading() as session:
            page = runs.entries(session, run.workspace_id, run.number, results=wanted, after=after, limit=500)
        yield from page
        if len(page) < 500:
            return
        after = page[-1].id


def audit(parts: Parts, stage: Stage, connection: Connection, told: Iterable[LogEntry]) -> agreement.Verdict:
    """Whether both services agree, but for the records that the run told the admin about."""
    aside = {entry.source_id for entry in told}
    whop, crm = whop_session(parts, stage), crm_session(parts, stage)
    return agreement.audit(whop, crm, connection.company_id, set_aside=aside.__contains__)
