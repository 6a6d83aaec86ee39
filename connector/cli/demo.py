"""``flask demo``: the whole way once, with stand-ins for both services, on an empty machine."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from connector import logs
from connector.bootstrap import Parts
from connector.cli import agreement, base, operators, processes, stage, syncs
from connector.cli.stage import Size, Stage
from connector.cli.visitor import Visitor
from connector.core.outcomes import sum_of
from connector.store import runs
from connector.store.runs import LogEntry, Run
from connector.store.workspaces import Workspace

_PORTS = {"whop": 5101, "twenty": 5102}
_NAME = "demo"
_PATIENCE = 600.0  # seconds; the demo's full sync takes a few
_STAGES = 3

Say = Callable[[str], None]


@base.command("demo")
@click.option("--exit-when-synced", is_flag=True, help="End after the sync: 0 when both sides agree.")
@click.option("--fresh", is_flag=True, help="Start with empty data.")
@click.option("--data", type=click.Path(path_type=Path), default=Path(".demo"), show_default=True)
@click.option("--members", default=500, show_default=True, help="Invented members of the sandbox Whop.")
@click.option("--seed", default=1, show_default=True, help="The same number gives the same people.")
@click.option("--port", default=8080, show_default=True, help="Of the pages; another one where it is taken.")
def demo(
    data: Path, members: int, seed: int, port: int, *, exit_when_synced: bool, fresh: bool, as_json: bool
) -> None:
    """Sync a sandbox Whop into a sandbox Twenty, with every real part between them.

    Example: flask demo --exit-when-synced
    """
    logs.configure("WARNING", "auto")
    say: Say = (lambda _text: None) if as_json else click.echo
    with processes.DataLock(data) as lock, ExitStack() as stack:
        if fresh:
            _empty(data)
        supervisor = stack.enter_context(processes.Supervisor(data / "logs", lock=lock))
        set_up = stack.enter_context(stage.set_up(data, {"web": port, **_PORTS}))
        say("Starting Redis, both sandboxes, the web server, two workers and the scheduler …")
        if not supervisor.start_all(set_up.children(Size(members=members, seed=seed))):
            return
        parts = stack.enter_context(stage.parts(set_up))
        if not exit_when_synced:
            _stay(parts, set_up, supervisor, as_json=as_json)
            return
        ending = stage.meanwhile(supervisor, partial(_sync, parts, set_up, say, shown=not as_json))
        if ending is None:
            return
        base.show(ending.document, ending.lines, as_json=as_json)
        stack.close()
        sys.exit(0 if ending.agree else base.FAILED)


def _stay(parts: Parts, set_up: Stage, supervisor: processes.Supervisor, *, as_json: bool) -> None:
    """Everything is up: say where to look, and stay until it is stopped."""
    stage.workspace_of(parts, set_up, _NAME)
    link = operators.link_for(parts, _NAME)
    document = {
        "address": set_up.address("web"),
        "sign_in": link.url,
        "crm": set_up.address("twenty"),
        "whop": set_up.address("whop"),
    }
    lines = [
        "",
        f"Open {link.url}",
        "to sign in (the link works once), then click Connect Whop.",
        f"Or sign in as an admin of the CRM does: type {set_up.address('twenty')} under Sign in with Twenty.",
        f"The CRM's people, products and opportunities: {set_up.address('twenty')}",
        "Ctrl-C stops everything; the next start finds it as it is now.",
    ]
    base.show(document, lines, as_json=as_json)
    supervisor.run_until(lambda: False)


def _empty(data: Path) -> None:
    """Everything but the lock, which we hold."""
    for child in data.iterdir():
        if child.is_dir():
            shutil.rmtree(child)
        elif child.name != "lock":
            child.unlink()


@dataclass(frozen=True, slots=True)
class Ending:
    """What is printed at the end, and whether both sides agree."""

    agree: bool
    lines: list[str]
    document: dict[str, Any]


def _sync(parts: Parts, set_up: Stage, say: Say, *, shown: bool) -> Ending:
    workspace = stage.workspace_of(parts, set_up, _NAME)
    started = time.monotonic()
    _ask_for_a_sync(parts, set_up, workspace, say)
    with parts.database.reading() as session:
        run = runs.of_workspace(session, workspace.id, limit=1)[0]
    run = _follow(parts, run, shown=shown)
    took = time.monotonic() - started
    told = list(stage.told(parts, run))
    connection = stage.connections_of(parts, workspace)[0]
    return _ending(run, told, stage.audit(parts, set_up, connection, told), took)


def _ask_for_a_sync(parts: Parts, set_up: Stage, workspace: Workspace, say: Say) -> None:
    """What an admin does in a browser: sign in, connect Whop and agree; or, the second time, Sync now."""
    visitor, home = Visitor(), set_up.address("web")
    page = visitor.open(operators.link_for(parts, _NAME).url)
    visitor.press(page, "Sign in")
    say("Signed in with a one-time link.")
    if stage.connections_of(parts, workspace):
        visitor.press(visitor.open(f"{home}/connections"), "Sync now")
        say("Connected already; pressed Sync now.")
        return
    page = visitor.press(visitor.open(f"{home}/connect/whop"), "Connect Whop")
    page = visitor.press(page, "Approve")
    say(f"Approved on Whop; came back to {page.url}")
    page = visitor.press(page, "Agree and start the first sync")
    say(f"Agreed to what will be created in the CRM; watching {page.url}")


def _follow(parts: Parts, run: Run, *, shown: bool) -> Run:
    """Wait for the end of the run, with a bar that counts what is settled."""
    deadline = time.monotonic() + _PATIENCE
    while run.active and time.monotonic() < deadline:
        time.sleep(0.2)
        with parts.database.reading() as session:
            run = runs.get(session, run.workspace_id, run.id)
        if shown:
            _bar(run)
    if shown:
        click.echo()
    return run


def _bar(run: Run) -> None:
    done = len(run.checkpoint.get("done", ()))
    at = str(run.checkpoint.get("stage", "")).partition(":")[0]
    doing = f"{at}s" if at and run.active else run.status
    filled = "#" * (8 * done if not at else 8 * done + 4)
    line = f"[{filled:<{8 * _STAGES}}] {sum_of(run.counts):,} records settled · {doing}"
    click.echo(f"\r{line:<70}" if sys.stdout.isatty() else line, nl=not sys.stdout.isatty())


def _ending(run: Run, told: list[LogEntry], verdict: agreement.Verdict, took: float) -> Ending:
    agree = run.status in ("success", "partial") and not verdict.differences
    rows = [(kind, verdict.compared[kind], verdict.in_crm[kind]) for kind in verdict.compared]
    lines = [
        f"The run ended: {run.status}, {sum_of(run.counts):,} records in {took:.1f} s.",
        *syncs.count_lines(run.counts),
        "",
        *base.table(rows, ("kind", "Whop has to sync", "the CRM has")),
        "",
        *(syncs.entry_line(entry) for entry in told),
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
