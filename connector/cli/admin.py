"""Commands of the operator about the installation itself: config, keys, migrate, doctor."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import click

from connector import config, vault
from connector.bootstrap import Parts
from connector.cli import base
from connector.errors import ConnectorError
from connector.jobqueue import QueueUnavailable
from connector.store import connections, migrate, workspaces
from connector.store.connections import Connection
from connector.store.db import Unavailable
from connector.store.workspaces import Workspace
from connector.sync import pruning


@base.command("config")
def config_command(*, as_json: bool) -> None:
    """Print the settings in force, secrets masked.

    Example: flask config
    """
    shown = config.masked(base.settings())
    rows = [(one.name, one.value, "default" if one.is_default else "") for one in shown]
    document = [{"name": one.name, "value": one.value, "default": one.is_default} for one in shown]
    base.show(document, base.table(rows, ("setting", "value", "")), as_json=as_json)


@click.group("keys")
def keys_group() -> None:
    """Make secrets for the settings."""


@base.command("new")
def keys_new(*, as_json: bool) -> None:
    """Print a new SECRET_KEY and a new key for TOKEN_ENCRYPTION_KEYS.

    Example: flask keys new >> .env
    """
    made = {"SECRET_KEY": secrets.token_urlsafe(48), "TOKEN_ENCRYPTION_KEYS": vault.new_key()}
    base.show(made, (f"{name}={value}" for name, value in made.items()), as_json=as_json)


@base.command("migrate")
def migrate_command(*, as_json: bool) -> None:
    """Bring the database's tables up to date.

    Example: flask migrate
    """
    with base.parts() as parts:
        applied = migrate.upgrade(parts.database)
    lines = [f"applied {name}" for name in applied] or ["The database is up to date."]
    base.show({"applied": applied}, lines, as_json=as_json)


@base.command("doctor")
def doctor_command(*, as_json: bool) -> None:
    """Check settings, mapping files, database, queue, and every CRM and Whop connection.

    Exits 1 when anything is wrong, naming it. Example: flask doctor
    """
    with base.parts() as parts:
        findings = list(_findings(parts))
    document = [{"check": name, "ok": why is None, "why": why} for name, why in findings]
    lines = [
        f"{'ok ' if why is None else 'BAD'}  {name}{f': {why}' if why else ''}" for name, why in findings
    ]
    base.show(document, lines, as_json=as_json)
    if any(why for _, why in findings):
        sys.exit(base.FAILED)


Finding = tuple[str, str | None]


def _findings(parts: Parts) -> Iterator[Finding]:
    yield "settings", None
    yield f"mapping files ({len(parts.tools.mappings.shipped)})", None
    yield _checked("job queue", parts.redis.ping)
    database = _checked("database", lambda: _migrated(parts))
    yield database
    if database[1] is None:
        yield _forgetting(parts)
        yield from _outside(parts)


def _migrated(parts: Parts) -> None:
    if not migrate.is_current(parts.database):
        raise ConnectorError("migrations are missing: run `flask migrate`", code="migrations")


def _forgetting(parts: Parts) -> Finding:
    """What is kept for how long, and whether what is older goes."""
    days = ", ".join(f"{name} {count} days" for name, count in parts.janitor.keeping.in_days.items())
    late = pruning.overdue(parts.janitor)
    told = f"not forgotten in time: {', '.join(late)}. The scheduler does so; `flask prune` does it now."
    return f"retention ({days})", told if late else None


def _outside(parts: Parts) -> Iterator[Finding]:
    with parts.database.reading() as session:
        every = workspaces.every(session)
        theirs = {one.id: connections.of_workspace(session, one.id) for one in every}
    for workspace in every:
        yield _checked(f"CRM of {workspace.name}", partial(_open_crm, parts, workspace))
        for connection in theirs[workspace.id]:
            if connection.status != "revoked":
                name = f"Whop connection {connection.company_title} of {workspace.name}"
                yield _checked(name, partial(_open_source, parts, connection))


def _open_crm(parts: Parts, workspace: Workspace) -> None:
    parts.openers.writer(workspace, "incremental").account()


def _open_source(parts: Parts, connection: Connection) -> None:
    parts.openers.reader(connection).account()


def _checked(name: str, check: Callable[[], Any]) -> Finding:
    try:
        check()
    except ConnectorError as error:
        return name, f"{error} {error.remedy}".strip()
    except (QueueUnavailable, Unavailable) as error:
        return name, f"does not answer ({type(error).__name__})"
    return name, None


keys_group.add_command(keys_new)
COMMANDS = (config_command, keys_group, migrate_command, doctor_command)
