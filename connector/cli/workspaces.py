"""Commands about CRM workspaces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import click

from connector.bootstrap import Parts
from connector.cli import base
from connector.errors import ConnectorError
from connector.ports.crm_model import SchemaPlan, SchemaStep, Workflow
from connector.store import admins, crm_grants, workspaces
from connector.store.db import Session
from connector.store.workspaces import Workspace
from connector.sync import crm_keys, modelling, onboarding

_WORDS = {
    "create": "to create   ",
    "options": "new options ",
    "unique": "made unique ",
    "drifted": "left as is  ",
    "conflict": "in the way  ",
}


@click.group("workspace")
def workspace_group() -> None:
    """CRM workspaces that this connector serves."""


@base.command("add")
@click.argument("name")
@click.option("--crm-url", required=True, help="The address of the CRM, such as https://crm.example.com.")
@click.option("--crm-api-key-file", help="A file holding the CRM's API key; - for standard input.")
def add(name: str, crm_url: str, crm_api_key_file: str | None, *, as_json: bool) -> None:
    """Add a CRM workspace; its API key is asked for and checked at once.

    Example: flask workspace add acme --crm-url https://crm.example.com
    """
    with base.parts() as parts:
        key = base.secret("API key of the CRM", crm_api_key_file)
        new = onboarding.NewWorkspace(name, crm_url, key)
        made = onboarding.add_workspace(
            parts.database, parts.vault, new, check_key=parts.check_crm_key, now=parts.tools.clock()
        )
    base.show(document(made), [f"{made.name} is added: {made.crm_name} at {made.crm_url}."], as_json=as_json)


@base.command("list")
def list_(*, as_json: bool) -> None:
    """List the workspaces.

    Example: flask workspace list
    """
    with base.parts() as parts, parts.database.reading() as session:
        found = [(one, _writer_of(session, one)) for one in workspaces.every(session)]
    rows = [(one.name, one.crm_url, one.crm_name, writes, one.id) for one, writes in found]
    head = ("name", "CRM", "called there", "writes with", "id")
    lines = base.table(rows, head) if rows else ["There is no workspace yet."]
    documents = [document(one) | {"writes_with": writes} for one, writes in found]
    base.show(documents, lines, as_json=as_json)


def _writer_of(session: Session, one: Workspace) -> str:
    """The credential in use, in words."""
    if one.crm_key_sealed is not None:
        found = "an API key"
    elif (grant := crm_grants.newest(session, one.id)) is not None:
        found = f"the sign-in of {admins.get(session, one.id, grant.admin_id).name}"
    else:
        return "nothing: nobody is signed in"
    return f"{found}, refused by the CRM" if one.crm_refusal else found


@base.command("key")
@click.argument("name")
@click.option("--crm-api-key-file", help="A file holding the CRM's API key; - for standard input.")
def key(name: str, crm_api_key_file: str | None, *, as_json: bool) -> None:
    """Give a workspace an API key, or replace the one it has; it is asked for and checked at once.

    Syncs that waited for it go on. Example: flask workspace key acme
    """
    with base.parts() as parts:
        with parts.database.reading() as session:
            workspace = workspaces.named(session, name)
        given = base.secret("API key of the CRM", crm_api_key_file)
        client = parts.crm_desk.client
        found = crm_keys.give_key(parts.tools, parts.vault, client, workspace, given)
    lines = [f"{workspace.name} writes with this key from now on."]
    if not found.may_change_model:
        lines.append("It may not change the data model: that takes an admin who signs in with Twenty.")
    told = {"name": workspace.name, "may_change_model": found.may_change_model}
    base.show(told | {"expires_at": found.expires_at}, lines, as_json=as_json)


@base.command("plan")
@click.argument("name")
def plan(name: str, *, as_json: bool) -> None:
    """Show what the mapping files need in the CRM: what is right, missing, changed by a person, in the way.

    Nothing is changed. Example: flask workspace plan acme
    """
    with base.parts() as parts:
        with parts.database.reading() as session:
            workspace = workspaces.named(session, name)
        found = modelling.plan(parts.tools, workspace)
        running = _company_workflow(parts, workspace)
    shown = {"steps": [step_document(step) for step in found.steps], "lacks": found.lacks or None}
    shown["workflow"] = running.name if running else None
    base.show(shown, [*plan_lines(found), *_workflow_lines(running, name)], as_json=as_json)


@base.command("provision")
@click.argument("name")
def provision(name: str, *, as_json: bool) -> None:
    """Create in the CRM the objects and fields that the mapping files declare.

    Safe to repeat; nothing that is there is changed. Example: flask workspace provision acme
    """
    with base.parts() as parts:
        with parts.database.reading() as session:
            workspace = workspaces.named(session, name)
        steps = modelling.provision(parts.tools, workspace).steps
        running = _company_workflow(parts, workspace)
    lines = [*step_lines(steps), *_workflow_lines(running, name)]
    base.show([step_document(step) for step in steps], lines, as_json=as_json)


def _company_workflow(parts: Parts, workspace: Workspace) -> Workflow | None:
    """The one that is on; where that cannot be seen, the rest is told all the same."""
    try:
        found = parts.openers.workflows(workspace).for_new_people()
    except ConnectorError:
        return None
    return found if found and found.active else None


def _workflow_lines(running: Workflow | None, name: str) -> list[str]:
    if running is None:
        return []
    return [
        f"“{running.name}” makes a company in Twenty for every new person.",
        "Before the first sync, switch it off:",
        f"  flask workspace workflow {name} --pause",
    ]


@base.command("views")
@click.argument("name")
def views(name: str, *, as_json: bool) -> None:
    """Make lists in the CRM of who is paying, who is at risk, and what each product sells.

    Safe to repeat. Example: flask workspace views acme
    """
    with base.parts() as parts:
        with parts.database.reading() as session:
            workspace = workspaces.named(session, name)
        made = parts.openers.views(workspace).make(parts.tools.mappings.in_force(workspace).mappings)
    front = (workspace.crm_front_url or workspace.crm_url).rstrip("/")
    urls = {one.name: f"{front}{one.at}" for one in made if one.at}
    shown = [{"name": one.name, "url": urls.get(one.name), "lacks": one.lacks} for one in made]
    lines = [
        f"{one.name}: {urls.get(one.name) or 'not yet, it lacks ' + ', '.join(one.lacks)}" for one in made
    ]
    base.show(shown, lines or ["The mapping files write nothing that there is a list for."], as_json=as_json)


@base.command("workflow")
@click.argument("name")
@click.option("--pause", "to", flag_value="pause", help="Switch it off, for a first load.")
@click.option("--resume", "to", flag_value="resume", help="Switch it on again.")
def workflow(name: str, to: str | None, *, as_json: bool) -> None:
    """Show, pause or resume the CRM's own workflow that makes a company for every new person.

    Only the sign-in of a person who may manage workflows can switch it: somebody who signed in here with
    Twenty, or in Twenty itself, under Workflows.

    Example: flask workspace workflow acme --pause
    """
    with base.parts() as parts:
        with parts.database.reading() as session:
            workspace = workspaces.named(session, name)
        workflows = parts.openers.workflows(workspace)
        found = workflows.for_new_people()
        if found is not None and to is not None and found.active != (to == "resume"):
            workflows.switch(found, on=to == "resume")
            found = replace(found, active=to == "resume")
    if found is None:
        base.show(
            None, ["The CRM has no workflow that makes a company for every new person."], as_json=as_json
        )
        return
    state = "on: it starts for every person who is brought over" if found.active else "paused"
    ways = f"Switch it {'off' if found.active else 'on again'}: flask workspace workflow {name} "
    ways += "--pause" if found.active else "--resume"
    base.show(
        {"name": found.name, "active": found.active}, [f"“{found.name}” is {state}.", ways], as_json=as_json
    )


def document(one: Workspace) -> dict[str, Any]:
    """A workspace without its secrets."""
    return {
        "id": one.id,
        "name": one.name,
        "crm_url": one.crm_url,
        "crm_workspace_id": one.crm_workspace_id,
        "crm_name": one.crm_name,
    }


def step_document(step: SchemaStep) -> dict[str, Any]:
    """A line of the schema plan."""
    kept = {"do": step.do, "object": step.object, "field": step.field, "type": step.type}
    return kept | {name: text for name in ("why", "todo") if (text := getattr(step, name))}


def plan_lines(plan: SchemaPlan) -> Iterator[str]:
    """The schema plan in words: what is right is counted, the rest is told."""
    told = [step for step in plan.steps if step.do != "right"]
    for step in told:
        yield f"{_WORDS[step.do]}  {step.label}"
        yield from (f"             {text}" for text in (step.why, step.todo) if text)
    if plan.lacks:
        yield f"The CRM's credential cannot create anything: its role lacks “{plan.lacks}”."
    yield f"{len(plan.steps) - len(told)} of {len(plan.steps)} objects and fields are right."


def step_lines(steps: Sequence[SchemaStep]) -> list[str]:
    """What was created in the CRM, in words."""
    made = [step for step in steps if step.changes]
    if not made:
        return ["The CRM has everything that the mappings need."]
    return [f"created in the CRM: {step.label}{'' if step.field else ' (object)'}" for step in made]


for one in (add, key, list_, plan, provision, views, workflow):
    workspace_group.add_command(one)
COMMANDS = (workspace_group,)
