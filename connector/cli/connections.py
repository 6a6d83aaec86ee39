"""Commands about Whop connections."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import click

from connector.cli import base
from connector.cli.workspaces import step_document, step_lines
from connector.errors import RefusedError
from connector.sources.whop import scopes
from connector.store import connections, schedules, workspaces
from connector.store.connections import Connection
from connector.store.schedules import Schedule
from connector.sync import connecting, leaving, modelling, onboarding, scheduling, steering
from connector.sync.leaving import Then
from connector.sync.steering import Leave
from connector.sync.tools import Tools


@click.group("connection")
def connection_group() -> None:
    """Whop companies that are connected to a workspace."""


@base.command("add")
@click.argument("workspace")
@click.option("--company", required=True, help="The company on Whop: biz_…")
@click.option("--whop-api-key-file", help="A file holding the Whop API key; - for standard input.")
def add(workspace: str, company: str, whop_api_key_file: str | None, *, as_json: bool) -> None:
    """Connect a Whop company by API key, and prepare the CRM for what the mappings write.

    Example: flask connection add acme --company biz_4QxLq2mTn8VrYe
    """
    with base.parts() as parts:
        with parts.database.reading() as session:
            into = workspaces.named(session, workspace)
        key = base.secret("Whop API key", whop_api_key_file, parts.settings.whop_api_key)
        new = onboarding.NewConnection(company, key)
        made, _ = onboarding.add_connection(
            parts.database,
            parts.vault,
            into,
            new,
            open_reader=parts.openers.reader_for,
            now=parts.tools.clock(),
            asked=parts.desk.asked(into.id),
        )
        steps = modelling.provision(parts.tools, into).steps
        missing = connecting.missing(parts.desk, made)
        needed = scopes.needed(parts.tools.mappings.in_force(into))
    lacks = [scope for scope in needed if scope.name in missing]
    lines = [f"{made.company_title} is connected: {made.id}", *step_lines(steps)]
    lines += [f"The key lacks {scope.name}. {scope.without}" for scope in lacks]
    lacking = [scope.name for scope in lacks]
    shown = document(made) | {"missing": lacking, "schema": [step_document(step) for step in steps]}
    base.show(shown, lines, as_json=as_json)


@base.command("list")
@click.argument("workspace", required=False)
def list_(workspace: str | None, *, as_json: bool) -> None:
    """List the connections, of one workspace or of all.

    Example: flask connection list acme
    """
    with base.parts() as parts, parts.database.reading() as session:
        within = [workspaces.named(session, workspace)] if workspace else workspaces.every(session)
        found = [(one.name, each) for one in within for each in connections.of_workspace(session, one.id)]
    rows = [(name, one.company_title, one.company_id, one.status, one.id) for name, one in found]
    head = ("workspace", "company", "company id", "status", "id")
    lines = base.table(rows, head) if rows else ["There is no connection yet."]
    base.show([document(one) for _, one in found], lines, as_json=as_json)


@base.command("disconnect")
@click.argument("connection")
@click.option(
    "--records",
    type=click.Choice([then.value for then in Then]),
    default=Then.KEEP.value,
    help="What becomes of its records in the CRM.",
)
@click.option("--number", type=int, help="How many records you expect that to be, in place of typing it.")
def disconnect(connection: str, records: str, number: int | None, *, as_json: bool) -> None:
    """Withdraw the approval on Whop and forget the credential; keep, mark or delete its records.

    Deleting is for records that the connector made and nobody has changed since; they go into Twenty's bin.

    Example: flask connection disconnect 1f0c… --records mark
    """
    then = Then(records)
    with base.parts() as parts:
        with parts.database.reading() as session:
            workspace_id = connections.owner_of(session, connection)
            mappings = parts.tools.mappings.of(workspace_id).mappings
            counts = leaving.count(session, mappings, workspace_id, connection)
        _agree(then, leaving.total(counts, then), number)
        leave = Leave(then, "Disconnected on the machine", uuid.uuid4().hex)
        run_id = steering.disconnect(
            parts.tools, parts.openers.keeper, workspace_id, connection, leave, hooks=parts.hooks
        )
        with parts.database.reading() as session:
            made = connections.get(session, workspace_id, connection)
    lines = [f"{made.company_title} is disconnected."]
    lines += [f"Run {run_id} takes its records back; `flask sync list` shows it."] if run_id else []
    base.show(document(made) | {"run": run_id}, lines, as_json=as_json)


def _agree(then: Then, total: int, number: int | None) -> None:
    """Raises RefusedError unless the number was given, or is typed now."""
    if then is Then.KEEP:
        return
    if number is None:
        number = click.prompt(f"{total} records. Type that number to {then} them", type=int, err=True)
    if number != total or not total:
        raise RefusedError(
            f"{total} records could be taken back, not {number}. Nothing was done.",
            code="number",
            remedy="Look at the numbers on the page of the connection, then say which one you mean.",
        )


@base.command("notes")
@click.argument("connection")
@click.argument("switch", type=click.Choice(["on", "off"]))
def notes(connection: str, switch: str, *, as_json: bool) -> None:
    """Have what happens on Whop from now on leave notes and tasks in the CRM, or not.

    What happened before is never made up for. Which notes there are, the mapping files say.

    Example: flask connection notes 1f0c… off
    """
    with base.parts() as parts:
        with parts.database.reading() as session:
            workspace_id = connections.owner_of(session, connection)
        steering.switch_notes(parts.tools, workspace_id, connection, on=switch == "on")
        with parts.database.reading() as session:
            made = connections.get(session, workspace_id, connection)
    told = f"on since {made.notes_since:%Y-%m-%d %H:%M} UTC" if made.notes_since else "off"
    base.show(document(made), [f"Notes and tasks of {made.company_title} are {told}."], as_json=as_json)


@base.command("pause")
@click.argument("connection")
def pause(connection: str, *, as_json: bool) -> None:
    """Stop the syncs of a connection for the time being; one under way keeps its place.

    Example: flask connection pause 1f0c…
    """
    _steer(connection, steering.pause, "is paused", as_json=as_json)


@base.command("resume")
@click.argument("connection")
def resume(connection: str, *, as_json: bool) -> None:
    """Let the syncs of a connection go on where they stopped.

    Example: flask connection resume 1f0c…
    """
    _steer(connection, steering.resume, "goes on", as_json=as_json)


def _steer(connection: str, act: Callable[[Tools, str, str], None], told: str, *, as_json: bool) -> None:
    with base.parts() as parts:
        with parts.database.reading() as session:
            workspace_id = connections.owner_of(session, connection)
        act(parts.tools, workspace_id, connection)
        with parts.database.reading() as session:
            made = connections.get(session, workspace_id, connection)
    base.show(document(made) | {"paused": made.paused}, [f"{made.company_title} {told}."], as_json=as_json)


@base.command("schedule")
@click.argument("connection")
@click.argument("every", required=False)
def schedule(connection: str, every: str | None, *, as_json: bool) -> None:
    """Show or set how often a connection is synced by the clock: minutes, usual, or off.

    Example: flask connection schedule 1f0c… 15
    """
    with base.parts() as parts:
        with parts.database.reading() as session:
            workspace_id = connections.owner_of(session, connection)
        if every is not None:
            scheduling.change(
                parts.tools, workspace_id, connection, minutes=_minutes(every), enabled=every != "off"
            )
        with parts.database.reading() as session:
            made = connections.get(session, workspace_id, connection)
            plan = schedules.get(session, workspace_id, connection, schedules.INCREMENTAL)
    usual = parts.tools.every
    shown = document(made) | {
        "every_minutes": plan.every if plan else None,
        "enabled": usual is not None and (plan is None or plan.enabled),
        "due_at": plan.due_at if plan else None,
    }
    base.show(shown, [_schedule_line(made, plan, usual)], as_json=as_json)


def _minutes(every: str) -> int | None:
    if every in ("usual", "off"):
        return None
    if not (every.isascii() and every.isdigit()):
        raise RefusedError(
            f"{every!r} is no interval.", code="interval", remedy="Give minutes, or usual, or off."
        )
    return int(every)


def _schedule_line(one: Connection, plan: Schedule | None, usual: timedelta | None) -> str:
    if usual is None:
        return "Syncs by the clock are switched off in this installation (WHOP_SYNC_ENABLED)."
    if plan is not None and not plan.enabled:
        return f"{one.company_title} is not synced by the clock."
    interval = plan.interval(usual) if plan else usual
    due = f", next {plan.due_at:%Y-%m-%d %H:%M} UTC" if plan else " from its first sync on"
    return f"{one.company_title} is synced {scheduling.every(interval).lower()}{due}."


def document(one: Connection) -> dict[str, Any]:
    """A connection without its secrets."""
    names = ("id", "workspace_id", "service", "company_id", "company_title", "auth", "status")
    return {name: getattr(one, name) for name in names} | {
        "last_sync_at": one.last_sync_at,
        "notes_since": one.notes_since,
    }


for one in (add, list_, notes, schedule, pause, resume, disconnect):
    connection_group.add_command(one)
COMMANDS = (connection_group,)
