"""Commands about alerts: what is wrong now, a test, silence for a while."""

from __future__ import annotations

import sys

import click

from connector.bootstrap import Parts
from connector.cli import base
from connector.store import alerts, workspaces
from connector.sync import alerting


@click.group("alert")
def alert_group() -> None:
    """Who is told when something is wrong."""


@base.command("list")
@click.argument("workspace")
def list_(workspace: str, *, as_json: bool) -> None:
    """List what is wrong now, and what was told last.

    Example: flask alert list acme
    """
    with base.parts() as parts, parts.database.reading() as session:
        id_ = workspaces.named(session, workspace).id
        open_, sent = alerts.open_incidents(session, id_), alerts.page(session, id_).items
    lines = [f"open since {one.opened_at:%Y-%m-%d %H:%M}  {one.title}: {one.text}" for one in open_]
    lines = lines or ["Nothing is wrong."]
    why = {one.id: f": {one.error}" if one.error else "" for one in sent}
    lines += [f"{one.state}  {one.channel}  {one.title}{why[one.id]}" for one in sent]
    document = {
        "open": [{"kind": one.kind, "title": one.title, "since": one.opened_at} for one in open_],
        "sent": [{"title": one.title, "channel": one.channel, "state": one.state} for one in sent],
    }
    base.show(document, lines, as_json=as_json)


@base.command("webhook")
@click.argument("workspace")
@click.option("--file", help="A file holding the address; - for standard input.")
@click.option("--remove", is_flag=True, help="Take it away.")
def webhook(workspace: str, file: str | None, *, remove: bool, as_json: bool) -> None:
    """Keep the address of a webhook (Slack and others). It is a secret: it is asked for, and never shown.

    Example: flask alert webhook acme
    """
    with base.parts() as parts:
        address = None if remove else base.secret("Address of the webhook", file)
        alerting.set_webhook(parts.alerts, _id(parts, workspace), address, parts.door.check)
    base.show({"webhook": not remove}, ["Taken away." if remove else "Kept."], as_json=as_json)


@base.command("test")
@click.argument("workspace")
def test(workspace: str, *, as_json: bool) -> None:
    """Send a test on every way; exit 1 when one does not get through.

    Example: flask alert test acme
    """
    with base.parts() as parts:
        found = alerting.test(parts.alerts, _id(parts, workspace))
    base.show(found, [f"{way}: {why or 'sent'}" for way, why in found.items()], as_json=as_json)
    if any(found.values()):
        sys.exit(base.FAILED)


@base.command("mute")
@click.argument("workspace")
@click.option("--hours", type=click.IntRange(0, 8760), required=True, help="0: send again.")
def mute(workspace: str, hours: int, *, as_json: bool) -> None:
    """Send nothing for some hours. What is still wrong then is told then.

    Example: flask alert mute acme --hours 8
    """
    with base.parts() as parts:
        until = alerting.mute(parts.alerts, _id(parts, workspace), hours)
    base.show({"muted_until": until}, [f"Muted until {until}." if until else "Not muted."], as_json=as_json)


def _id(parts: Parts, workspace: str) -> str:
    with parts.database.reading() as session:
        return workspaces.named(session, workspace).id


for command in (list_, webhook, test, mute):
    alert_group.add_command(command)
COMMANDS = (alert_group,)
