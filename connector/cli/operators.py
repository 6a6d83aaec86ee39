"""Commands about the people who may sign in."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click

from connector.bootstrap import Parts
from connector.cli import base
from connector.store import audit, operators, sessions
from connector.store.operators import Operator


@dataclass(frozen=True, slots=True)
class Link:
    """A one-time link, which is a secret until it is used."""

    name: str
    url: str
    expires_at: datetime


def link_for(parts: Parts, name: str, *, new: bool | None = None) -> Link:
    """A one-time link for the operator of this name; unused ones from before stop working.

    ``new`` says whether the operator is to be added (True), must be there (False), or either (None).
    Raises RefusedError where that is not so.
    """
    token, now = secrets.token_urlsafe(32), parts.tools.clock()
    with parts.database.transaction() as session:
        known = {one.name for one in operators.every(session) if one.removed_at is None}
        if new or (new is None and operators.as_named(name) not in known):
            one = operators.add(session, str(uuid.uuid4()), name, now)
            audit.record(session, audit.NewEvent("operator_added", now, operator_id=one.id))
        else:
            one = operators.named(session, name)
        ends = operators.keep_link(session, one.id, token, now)
        audit.record(session, audit.NewEvent("link_made", now, operator_id=one.id))
    return Link(one.name, f"{parts.settings.public_url}/sign-in/{token}", ends)


@click.group("operator")
def operator_group() -> None:
    """People who may sign in to the web pages."""


@base.command("add")
@click.argument("name")
def add(name: str, *, as_json: bool) -> None:
    """Add an operator and print a one-time link to sign in with.

    Example: flask operator add marta
    """
    with base.parts() as parts:
        _show(link_for(parts, name, new=True), as_json=as_json)


@base.command("link")
@click.argument("name")
def link(name: str, *, as_json: bool) -> None:
    """Print a new one-time link for an operator; an unused one from before stops working.

    Example: flask operator link marta
    """
    with base.parts() as parts:
        _show(link_for(parts, name, new=False), as_json=as_json)


@base.command("list")
def list_(*, as_json: bool) -> None:
    """List the operators.

    Example: flask operator list
    """
    with base.parts() as parts, parts.database.reading() as session:
        found = [one for one in operators.every(session) if one.removed_at is None]
    rows = [(one.name, "yes" if one.has_password else "no", f"{one.created_at:%Y-%m-%d}") for one in found]
    none = ["There is no operator yet: `flask operator add NAME` adds one."]
    lines = base.table(rows, ("name", "password", "added")) if rows else none
    base.show([document(one) for one in found], lines, as_json=as_json)


@base.command("remove")
@click.argument("name")
def remove(name: str, *, as_json: bool) -> None:
    """Shut an operator out: sessions, links and password end at once.

    Example: flask operator remove marta
    """
    with base.parts() as parts, parts.database.transaction() as session:
        now = parts.tools.clock()
        one = operators.named(session, name)
        operators.remove(session, one.id, now)
        ended = sessions.revoke_all(session, one.id, now)
        audit.record(session, audit.NewEvent("operator_removed", now, operator_id=one.id))
    told = {"name": one.name, "removed": True, "sessions_ended": ended}
    base.show(told, [f"{one.name} can no longer sign in; {ended} sessions were ended."], as_json=as_json)


def document(one: Operator) -> dict[str, Any]:
    """An operator without secrets."""
    return {"name": one.name, "has_password": one.has_password, "created_at": one.created_at}


def _show(made: Link, *, as_json: bool) -> None:
    lines = [
        f"{made.name} signs in here, once, until {made.expires_at:%Y-%m-%d %H:%M} UTC:",
        made.url,
    ]
    told = {"name": made.name, "link": made.url, "expires_at": made.expires_at}
    base.show(told, lines, as_json=as_json)


for one in (add, link, list_, remove):
    operator_group.add_command(one)
COMMANDS = (operator_group,)
