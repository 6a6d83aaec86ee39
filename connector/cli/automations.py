"""Commands about automations: what is done on Whop by itself when something happens there."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from connector import config
from connector.bootstrap import Parts, acting
from connector.cli import base
from connector.sources.whop.acting import PERMISSIONS, READ
from connector.store import acts, audit, automations, connections, crm_requests, workspaces
from connector.store.acts import STATES, Act, ActFilter
from connector.store.audit import NewEvent
from connector.store.connections import Connection
from connector.sync import asking, switching
from connector.sync.act_endings import CRM, asker


@click.group("automation")
def automation_group() -> None:
    """What is done on Whop by itself: off until it is switched on for a connection."""


@base.command("check")
def check(*, as_json: bool) -> None:
    """Check every automation file (of AUTOMATIONS_DIR, else the shipped ones).

    Exits 3 naming file, line and nearest name of every mistake.
    Example: flask automation check
    """
    environ = config.environment(os.environ, Path(".env"))
    found = acting.automations(environ.get("AUTOMATIONS_DIR", ""))
    rows = [(one.name, ", ".join(sorted(one.on)), len(one.steps), one.title) for one in found]
    head = ("name", "on", "steps", "title")
    base.show(
        {"automations": [dict(zip(head, row, strict=True)) for row in rows]},
        base.table(rows, head),
        as_json=as_json,
    )


@base.command("list")
@click.argument("workspace", required=False)
def list_(workspace: str | None, *, as_json: bool) -> None:
    """List the automations of every connection, of one workspace or of all: on or off, and what they did.

    Example: flask automation list acme
    """
    with base.parts() as parts, parts.database.reading() as session:
        within = [workspaces.named(session, workspace)] if workspace else workspaces.every(session)
        rows: list[tuple[Any, ...]] = []
        for each in within:
            counts = acts.count(session, each.id)
            for one in connections.of_workspace(session, each.id):
                known = automations.of_connection(session, each.id, one.id)
                for automation in parts.acts.automations:
                    switch, done = known.get(automation.name), counts.get((one.id, automation.name), {})
                    since = _moment(switch.since) if switch and switch.since else "off"
                    numbers = tuple(done.get(state, 0) for state in STATES)
                    rows.append((one.id, one.company_title, automation.name, since, *numbers))
    head = ("connection", "company", "automation", "on since", *STATES)
    base.show([dict(zip(head, row, strict=True)) for row in rows], base.table(rows, head), as_json=as_json)


@base.command("on")
@click.argument("name")
@click.argument("connection")
@click.option("--plan", "plans", multiple=True, help="A plan that it is for; repeatable.")
def on(name: str, connection: str, plans: tuple[str, ...], *, as_json: bool) -> None:
    """Have an automation act on what happens from now on, and on nothing before.

    Example: flask automation on one_time_purchases 1f0c… --plan plan_abc
    """
    with base.parts() as parts:
        one, automation = _found(parts, connection), switching.found(parts.acts, name)
        needs = tuple(needed.name for step in automation.steps for needed in PERMISSIONS[step.verb])
        switching.switch_on(parts.acts, one, name, {plan: plan for plan in plans}, (*needs, *READ))
        _record(parts, one, "automation_on", name)
    told = {"connection": connection, "automation": name, "on": True, "plans": list(plans)}
    base.show(told, [f"{automation.title} is on for {one.company_title}."], as_json=as_json)


@base.command("off")
@click.argument("name")
@click.argument("connection")
def off(name: str, connection: str, *, as_json: bool) -> None:
    """Have an automation do nothing any more. What waits is not done.

    Example: flask automation off one_time_purchases 1f0c…
    """
    with base.parts() as parts:
        one, automation = _found(parts, connection), switching.found(parts.acts, name)
        dropped = switching.switch_off(parts.acts, one, name)
        _record(parts, one, "automation_off", name)
    told = {"connection": connection, "automation": name, "on": False, "dropped": dropped}
    line = f"{automation.title} is off for {one.company_title}; {dropped} that waited will not be done."
    base.show(told, [line], as_json=as_json)


@base.command("dry-run")
@click.argument("name")
@click.argument("connection")
@click.option("--plan", "plans", multiple=True, help="Only payments of this plan; repeatable.")
@click.option("--days", type=click.IntRange(1, 90), default=7, show_default=True)
def dry_run(name: str, connection: str, plans: tuple[str, ...], days: int, *, as_json: bool) -> None:
    """Say what an automation would have done with the newest payments, or memberships. Nothing is changed.

    Example: flask automation dry-run one_time_purchases 1f0c… --days 30
    """
    with base.parts() as parts:
        one = _found(parts, connection)
        found = switching.dry_run(parts.acts, one, name, frozenset(plans) or None, days=days)
    head = ("would", "record", "membership", "plan", "at", "why")
    rows = [
        ("act" if one.would else "leave", one.record_id, one.membership_id, one.plan_id, one.at, one.why)
        for one in found
    ]
    lines = base.table(rows, head) if rows else ["Nothing of these days is what it is for."]
    base.show([dict(zip(head, row, strict=True)) for row in rows], lines, as_json=as_json)


@base.command("log")
@click.argument("workspace")
@click.option("--state", type=click.Choice(STATES), default=None)
@click.option("--limit", type=click.IntRange(1, 1_000), default=50, show_default=True)
def log(workspace: str, state: str | None, limit: int, *, as_json: bool) -> None:
    """List what automations did, newest first.

    Example: flask automation log acme --state failed
    """
    with base.parts() as parts, parts.database.reading() as session:
        id_ = workspaces.named(session, workspace).id
        found = acts.page(session, id_, ActFilter(state), limit=limit).items
    rows = [_row(one) for one in found]
    head = ("act", "state", "automation", "record", "membership", "asked by", "outcome")
    lines = base.table(rows, head) if rows else ["Nothing was done yet."]
    base.show([_document(one) for one in found], lines, as_json=as_json)


@base.command("again")
@click.argument("workspace")
@click.argument("act", type=int)
def again(workspace: str, act: int, *, as_json: bool) -> None:
    """Have an action that failed tried again, now.

    Example: flask automation again acme 12
    """
    _decide(workspace, act, switching.try_again, "act_again", "is tried again", as_json=as_json)


@base.command("done")
@click.argument("workspace")
@click.argument("act", type=int)
def done(workspace: str, act: int, *, as_json: bool) -> None:
    """Say that what an action was to do was done by hand on Whop.

    Example: flask automation done acme 12
    """
    _decide(workspace, act, switching.by_hand, "act_by_hand", "is settled", as_json=as_json)


@base.command("crm")
@click.argument("workspace")
@click.argument("switch", type=click.Choice(["on", "off", "show"]), default="show")
@click.option("--who", type=click.Choice(["anybody", "people"]), help="Who may ask from now on.")
def crm(workspace: str, switch: str, who: str | None, *, as_json: bool) -> None:
    """Have people in Twenty ask for something on Whop by the field “Whop action” of opportunities, or not.

    With --who people, what a workflow or an API key of Twenty chooses is refused.

    Example: flask automation crm acme on --who people
    """
    with base.parts() as parts:
        with parts.database.reading() as session:
            one = workspaces.named(session, workspace)
        if who is not None:
            asking.let_ask(parts.asks, one.id, only_people=who == "people")
            _record_crm(parts, one.id, "crm_requests_who", who=who)
        if switch != "show":
            (asking.switch_on if switch == "on" else asking.switch_off)(parts.asks, one)
            _record_crm(parts, one.id, f"crm_requests_{switch}")
        with parts.database.reading() as session:
            found = crm_requests.get(session, one.id)
    since = found.since if found else None
    may = "people" if found and found.only_people else "anybody"
    told = {"workspace": one.name, "since": since, "webhook": bool(found and found.hook_id), "who": may}
    how = "Twenty tells at once" if told["webhook"] else "looked for each hour"
    line = f"Whop actions in Twenty are on since {_moment(since)}; {how}." if since else "They are off."
    line += " Only people may ask." if may == "people" else " Whoever may edit the field may ask."
    base.show(told, [line], as_json=as_json)


def _record_crm(parts: Parts, workspace_id: str, what: str, **about: str) -> None:
    new = NewEvent(what, parts.tools.clock(), workspace_id=workspace_id, about={**about})
    with parts.database.transaction() as session:
        audit.record(session, new)


def _decide(
    workspace: str, id_: int, decide: Callable[..., None], what: str, told: str, *, as_json: bool
) -> None:
    with base.parts() as parts:
        with parts.database.reading() as session:
            one = switching.act_of(session, workspaces.named(session, workspace).id, id_)
        decide(parts.acts, one, "The operator")
        with parts.database.transaction() as session:
            about: dict[str, str | int | bool | None] = {"act": one.id, "automation": one.automation}
            now = parts.tools.clock()
            audit.record(session, NewEvent(what, now, workspace_id=one.workspace_id, about=about))
    base.show({"act": id_}, [f"Action {id_} {told}."], as_json=as_json)


def _found(parts: Parts, connection: str) -> Connection:
    with parts.database.reading() as session:
        return connections.get(session, connections.owner_of(session, connection), connection)


def _record(parts: Parts, one: Connection, what: str, name: str) -> None:
    about = {"company": one.company_title, "connection": one.id, "automation": name}
    new = NewEvent(what, parts.tools.clock(), workspace_id=one.workspace_id, about=about)
    with parts.database.transaction() as session:
        audit.record(session, new)


def _row(one: Act) -> tuple[Any, ...]:
    return (one.id, one.state, one.automation, one.source_id, one.membership_id, _asker(one), one.outcome)


def _document(one: Act) -> dict[str, Any]:
    names = ("id", "state", "automation", "kind", "source_id", "membership_id", "outcome", "error", "tries")
    found = {name: getattr(one, name) for name in (*names, "due_at", "ended_at", "journal", "event")}
    return {**found, "asked_by": _asker(one)}


def _asker(one: Act) -> str | None:
    return asker(one) if one.kind == CRM.fact else None


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


for command in (check, list_, on, off, dry_run, log, again, done, crm):
    automation_group.add_command(command)
COMMANDS = (automation_group,)
