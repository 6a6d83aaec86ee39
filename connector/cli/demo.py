"""``flask demo``: the whole way once, with stand-ins for both services, on an empty machine."""

from __future__ import annotations

import secrets
import shutil
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from connector import bootstrap, config, logs, vault
from connector.bootstrap import Parts
from connector.cli import agreement, base, fleet, processes, redis_server, syncs
from connector.core.outcomes import Result, sum_of
from connector.errors import RefusedError
from connector.sources.whop import headers
from connector.store import connections, migrate, runs, workspaces
from connector.store.connections import Connection
from connector.store.runs import LogEntry, Run
from connector.store.workspaces import Workspace
from connector.sync import onboarding

_PORTS = {"web": 8080, "whop": 5101, "twenty": 5102}
_NAME = "demo"
#: A full sync of the demo takes seconds; one that takes this long is stuck.
_PATIENCE = 600.0


@base.command("demo")
@click.option("--exit-when-synced", is_flag=True, help="End after the sync: 0 when both sides agree.")
@click.option("--fresh", is_flag=True, help="Start with empty data.")
@click.option("--data", type=click.Path(path_type=Path), default=Path(".demo"), show_default=True)
@click.option("--members", default=500, show_default=True, help="Invented members of the sandbox Whop.")
@click.option("--seed", default=1, show_default=True, help="The same number gives the same people.")
def demo(data: Path, members: int, seed: int, *, exit_when_synced: bool, fresh: bool, as_json: bool) -> None:
    """Sync a sandbox Whop into a sandbox Twenty, with every real part between them.

    Example: flask demo --exit-when-synced
    """
    logs.configure("WARNING", "auto")
    say = (lambda *_: None) if as_json else click.echo
    with processes.DataLock(data) as lock, ExitStack() as stack:
        if fresh:
            _empty(data)
        supervisor = stack.enter_context(processes.Supervisor(data / "logs", lock=lock))
        stage = stack.enter_context(_stage(data.resolve()))
        say("Starting Redis, both sandboxes, the web server, two workers and the scheduler …")
        if not supervisor.start_all(_children(stage, members, seed)):
            return
        parts = stack.enter_context(_parts(stage.env))
        with ThreadPoolExecutor(1) as aside:  # the supervisor looks after its children meanwhile
            work = aside.submit(_sync, parts, stage, say)
            supervisor.run_until(work.done)
            if not work.done():
                return
        result = work.result()
        base.show(result.document, result.lines, as_json=as_json)
        if exit_when_synced:
            stack.close()
            sys.exit(0 if result.agree else base.FAILED)
        say(f"Everything keeps running; Ctrl-C stops it. Health: {stage.address('web')}/readyz")
        supervisor.run_until(lambda: False)


@dataclass(frozen=True, slots=True)
class Stage:
    """Where everything of the demo is: folders, bound sockets, and the environment of its processes."""

    data: Path
    sockets: Mapping[str, socket.socket]
    redis: redis_server.RedisServer
    env: Mapping[str, str]

    def address(self, name: str) -> str:
        """The address of the web server or a sandbox."""
        return f"http://127.0.0.1:{self.sockets[name].getsockname()[1]}"

    def key(self, service: str) -> str:
        """The API key that a sandbox wrote down for its operator."""
        return (self.data / service / "api-key").read_text(encoding="utf-8").strip()


@contextmanager
def _stage(data: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        sockets = {name: stack.enter_context(processes.bound_socket(port)) for name, port in _PORTS.items()}
        redis = redis_server.RedisServer(data)
        stack.callback(redis.close)
        ports = {name: one.getsockname()[1] for name, one in sockets.items()}
        yield Stage(data, sockets, redis, _environment(data, ports, redis.url))


def _environment(data: Path, ports: Mapping[str, int], redis_url: str) -> dict[str, str]:
    """Settings as an operator would give them. Nothing of the caller's own settings comes along."""
    import os  # noqa: PLC0415 - only for what a process needs to run at all

    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    whop = f"http://127.0.0.1:{ports['whop']}"
    # Children run in the data folder, where no .env of the caller's lies.
    return (
        kept
        | _secrets(data)
        | {
            "FLASK_SKIP_DOTENV": "1",
            "DATABASE_URL": f"sqlite:///{data / 'connector.db'}",
            "REDIS_URL": redis_url,
            "PUBLIC_URL": f"http://127.0.0.1:{ports['web']}",
            "WHOP_API_URL": f"{whop}/api/v1",
            "WHOP_OAUTH_URL": f"{whop}/oauth",
            "WHOP_AUTH_URL": f"{whop}/oauth/authorize",
            "ALLOWED_PRIVATE_HOSTS": "127.0.0.1",
            "LOG_FORMAT": "json",
        }
    )


def _secrets(data: Path) -> dict[str, str]:
    """Made once for each data folder, so that a second start opens what the first one sealed."""
    kept = data / "secrets.env"
    if not kept.exists():
        made = {"SECRET_KEY": secrets.token_urlsafe(48), "TOKEN_ENCRYPTION_KEYS": vault.new_key()}
        kept.touch(mode=0o600)
        kept.write_text("".join(f"{name}={value}\n" for name, value in made.items()), encoding="utf-8")
    return config.read_env_file(kept)


def _empty(data: Path) -> None:
    for child in data.iterdir():
        if child.is_dir():
            shutil.rmtree(child)
        elif child.name != "lock":
            child.unlink()


def _children(stage: Stage, members: int, seed: int) -> list[processes.Child]:
    size = ("--members", str(members), "--seed", str(seed))
    built = bootstrap.build(config.load(stage.env))
    migrate.upgrade(built.database)
    built.close()
    return [
        stage.redis.child(),
        fleet.sandbox("whop", stage.sockets["whop"], stage.data / "whop", stage.env, *size),
        fleet.sandbox("twenty", stage.sockets["twenty"], stage.data / "twenty", stage.env),
        fleet.web(stage.sockets["web"], stage.env, threads=8, workers=1),
        *fleet.workers(stage.env, 2),
        fleet.scheduler(stage.env),
    ]


@contextmanager
def _parts(env: Mapping[str, str]) -> Iterator[Parts]:
    built = bootstrap.build(config.load(env))
    try:
        yield built
    finally:
        built.close()


# --- the job itself


@dataclass(frozen=True, slots=True)
class Ending:
    agree: bool
    lines: list[str]
    document: dict[str, Any]


def _sync(parts: Parts, stage: Stage, say: Any) -> Ending:
    workspace, connection = _connected(parts, stage)
    say(f"Connected {connection.company_title} on Whop to the CRM workspace {workspace.crm_name or _NAME}.")
    started = time.monotonic()
    run = _follow(parts, _started(parts, connection), shown=say is click.echo)
    took = time.monotonic() - started
    told = list(_told(parts, run))
    verdict = _audit(parts, stage, connection, told)
    return _ending(run, told, verdict, took)


def _connected(parts: Parts, stage: Stage) -> tuple[Workspace, Connection]:
    with parts.database.transaction() as session:
        known = next((one for one in workspaces.every(session) if one.name == _NAME), None)
        if known is not None:  # the port of the CRM may be another one today
            workspaces.move(session, known.id, stage.address("twenty"))
            held = connections.of_workspace(session, known.id)
            known = workspaces.get(session, known.id)
    if known is None:
        known, held = _add_workspace(parts, stage), []
    connection = held[0] if held else _add_connection(parts, stage, known)
    onboarding.provision(parts.tools, known)
    return known, connection


def _add_workspace(parts: Parts, stage: Stage) -> Workspace:
    new = onboarding.NewWorkspace(_NAME, stage.address("twenty"), stage.key("twenty"))
    return onboarding.add_workspace(
        parts.database, parts.vault, new, open_writer=parts.openers.writer_for, now=parts.tools.clock()
    )


def _add_connection(parts: Parts, stage: Stage, workspace: Workspace) -> Connection:
    company = parts.openers.reader_for(stage.key("whop"), None).account().company_id
    new = onboarding.NewConnection(company, stage.key("whop"))
    made, _ = onboarding.add_connection(
        parts.database,
        parts.vault,
        workspace,
        new,
        open_reader=parts.openers.reader_for,
        now=parts.tools.clock(),
    )
    return made


def _started(parts: Parts, connection: Connection) -> Run:
    """A new run, or the one that an earlier start left under way."""
    try:
        onboarding.start_sync(
            parts.tools, connection, "full", why="The demo", correlation_id=logs.new_correlation_id()
        )
    except RefusedError as error:
        if error.code != "run_active":
            raise
    with parts.database.reading() as session:
        return runs.of_workspace(session, connection.workspace_id, limit=1)[0]


def _follow(parts: Parts, run: Run, *, shown: bool) -> Run:
    """Wait for the end of the run, with a bar that counts what is settled."""
    deadline = time.monotonic() + _PATIENCE
    label = "Syncing"
    while run.active and time.monotonic() < deadline:
        time.sleep(0.2)
        with parts.database.reading() as session:
            run = runs.get(session, run.workspace_id, run.id)
        if shown:
            _bar(label, run)
    if shown:
        click.echo()
    return run


def _bar(label: str, run: Run) -> None:
    done = list(run.checkpoint.get("done", ()))
    at = str(run.checkpoint.get("stage", "")).partition(":")[0]
    doing = f"reading {at}s" if at and run.active else run.status
    filled = "#" * (8 * (len(done) + bool(at)))
    click.echo(f"\r{label} [{filled:<24}] {sum_of(run.counts)} records, {doing:<24}", nl=False)


def _told(parts: Parts, run: Run) -> Iterator[LogEntry]:
    """Every record that was skipped or failed."""
    after = 0
    wanted = (Result.SKIPPED.value, Result.FAILED.value)
    while True:
        with parts.database.reading() as session:
            page = runs.entries(session, run.workspace_id, run.number, results=wanted, after=after, limit=500)
        yield from page
        if len(page) < 500:
            return
        after = page[-1].id


def _audit(parts: Parts, stage: Stage, connection: Connection, told: list[LogEntry]) -> agreement.Verdict:
    aside = {entry.source_id for entry in told}
    whop = parts.door.session(f"{stage.address('whop')}/api/v1", headers=headers(stage.key("whop")))
    bearer = {"Authorization": f"Bearer {stage.key('twenty')}"}
    crm = parts.door.session(stage.address("twenty"), headers=bearer)
    return agreement.audit(whop, crm, connection.company_id, set_aside=aside.__contains__)


def _ending(run: Run, told: list[LogEntry], verdict: agreement.Verdict, took: float) -> Ending:
    settled = run.status == "success" or (run.status == "partial" and not verdict.differences)
    agree = settled and not verdict.differences
    rows = [(kind, verdict.compared[kind], verdict.in_crm[kind]) for kind in verdict.compared]
    lines = [
        f"The run ended: {run.status}, in {took:.1f} s.",
        *syncs.count_lines(run.counts),
        "",
        *base.table(rows, ("kind", "to be in the CRM", "in the CRM")),
        "",
        *(syncs.entry_line(entry) for entry in told if entry.reason != "filtered"),
        *verdict.differences[:50],
        "Both sides agree, field by field." if agree else f"{len(verdict.differences)} differences.",
    ]
    document = {
        "run": syncs.document(run),
        "seconds": round(took, 1),
        "compared": verdict.compared,
        "in_crm": verdict.in_crm,
        "set_aside": [syncs.entry_document(entry) for entry in told],
        "differences": verdict.differences,
        "agree": agree,
    }
    return Ending(agree, lines, document)


COMMANDS = (demo,)
