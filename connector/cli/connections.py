"""Commands about Whop connections."""

from __future__ import annotations

from typing import Any

import click

from connector.cli import base
from connector.cli.workspaces import step_document, step_lines
from connector.store import connections, workspaces
from connector.store.connections import Connection
from connector.sync import modelling, onboarding, steering


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
        made, account = onboarding.add_connection(
            parts.database,
            parts.vault,
            into,
            new,
            open_reader=parts.openers.reader_for,
            now=parts.tools.clock(),
        )
        steps = modelling.provision(parts.tools, into).steps
    lines = [f"{made.company_title} is connected: {made.id}", *step_lines(steps)]
    lines += [f"The key lacks {name}: what needs it is left as it is." for name in account.missing]
    shown = document(made) | {"missing": account.missing, "schema": [step_document(step) for step in steps]}
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
def disconnect(connection: str, *, as_json: bool) -> None:
    """Withdraw the approval on Whop and forget the credential. What was synced stays in the CRM.

    Example: flask connection disconnect 1f0c…
    """
    with base.parts() as parts:
        with parts.database.reading() as session:
            workspace_id = connections.owner_of(session, connection)
        steering.disconnect(parts.tools, parts.openers.keeper, workspace_id, connection)
        with parts.database.reading() as session:
            made = connections.get(session, workspace_id, connection)
    base.show(document(made), [f"{made.company_title} is disconnected."], as_json=as_json)


def document(one: Connection) -> dict[str, Any]:
    """A connection without its secrets."""
    names = ("id", "workspace_id", "service", "company_id", "company_title", "auth", "status")
    return {name: getattr(one, name) for name in names} | {"last_sync_at": one.last_sync_at}


for one in (add, list_, disconnect):
    connection_group.add_command(one)
COMMANDS = (connection_group,)
