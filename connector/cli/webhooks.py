"""Commands about webhooks: their secrets, the events that came, taking them again, samples to try with."""

from __future__ import annotations

from typing import Any

import click

from connector.bootstrap import Parts
from connector.cli import base
from connector.errors import RefusedError
from connector.sources.whop import payloads
from connector.sources.whop.gate import Scheme
from connector.store import connections, eventbook, hooks, inbox, workspaces
from connector.store.connections import Connection
from connector.store.eventbook import STATES, EventFilter
from connector.store.inbox import InboxEvent
from connector.sync import hook_secrets, replaying
from connector.web import event_samples, own_door


@click.group("webhook")
def webhook_group() -> None:
    """What Whop tells as it happens."""


@click.group("secret")
def secret_group() -> None:
    """The signing secrets of a connection's webhook."""


@base.command("add")
@click.argument("connection")
@click.option("--scheme", type=click.Choice([one.value for one in Scheme]), default="standard")
@click.option("--secret-file", help="A file holding the secret; - for standard input.")
@click.option("--keep-others", is_flag=True, help="Let the older ones go on for ever, not for a day.")
def add(connection: str, scheme: str, secret_file: str | None, *, keep_others: bool, as_json: bool) -> None:
    """Keep the signing secret that Whop showed when the webhook was made.

    Older secrets go on for a day, so that nothing is refused while Whop changes over.

    Example: flask webhook secret add 1f0c…
    """
    with base.parts() as parts:
        found, plain = _connection(parts, connection), base.secret("Webhook secret", secret_file)
        ids = (found.workspace_id, found.id)
        new = hook_secrets.enter(parts.hooks, *ids, scheme, plain, keep_others=keep_others)
        address = parts.hooks.address(found.id)
    base.show(
        {"id": new.id, "scheme": scheme, "address": address},
        [f"Kept. Whop delivers to {address}"],
        as_json=as_json,
    )


@base.command("list")
@click.argument("connection")
def list_secrets(connection: str, *, as_json: bool) -> None:
    """List the secrets of a connection, without showing them.

    Example: flask webhook secret list 1f0c…
    """
    with base.parts() as parts, parts.database.reading() as session:
        workspace_id = connections.owner_of(session, connection)
        found = hooks.secrets(session, workspace_id, connection)
    rows = [(one.id, one.scheme, one.created_at, one.retires_at or "no end") for one in found]
    lines = base.table(rows, ("id", "scheme", "kept since", "until")) if rows else ["There is none yet."]
    names = ("id", "scheme", "created_at", "retires_at")
    base.show([{name: getattr(one, name) for name in names} for one in found], lines, as_json=as_json)


@base.command("drop")
@click.argument("connection")
@click.argument("which")
def drop(connection: str, which: str, *, as_json: bool) -> None:
    """Take a secret back: within seconds nothing that it signs is believed any more.

    Example: flask webhook secret drop 1f0c… 9a41…
    """
    with base.parts() as parts, parts.database.transaction() as session:
        workspace_id = connections.owner_of(session, connection)
        count = hooks.drop_secret(session, workspace_id, connection, which)
    if not count:
        raise RefusedError(
            f"The connection has no webhook secret {which!r}.",
            code="no_webhook_secret",
            remedy="`flask webhook secret list` shows them.",
        )
    base.show({"dropped": which}, ["It is not accepted any more."], as_json=as_json)


@base.command("list")
@click.argument("workspace")
@click.option("--state", type=click.Choice(STATES), help="Only events of this state.")
@click.option("--event", help="Only events of this name, such as payment.failed.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
def list_(workspace: str, state: str | None, event: str | None, limit: int, *, as_json: bool) -> None:
    """List the events that came, the newest first.

    Example: flask webhook list acme --state parked
    """
    with base.parts() as parts, parts.database.reading() as session:
        of = workspaces.named(session, workspace).id
        found = eventbook.event_page(session, of, EventFilter(state, event), limit=limit).items
    rows = [(one.id, one.type, one.source_id or "", one.state, one.received_at) for one in found]
    head = ("id", "event", "about", "state", "arrived")
    lines = base.table(rows, head) if rows else ["There is no such event."]
    base.show([document(one) for one in found], lines, as_json=as_json)


@base.command("replay")
@click.argument("workspace")
@click.argument("events", nargs=-1, type=int)
@click.option("--parked", is_flag=True, help="All that are parked.")
@click.option("--notes", is_flag=True, help="Leave their notes and tasks too; asks first, with their number.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def replay(
    workspace: str, events: tuple[int, ...], *, parked: bool, notes: bool, yes: bool, as_json: bool
) -> None:
    """Have events taken again: those named, or all that are parked. Notes and tasks only with --notes.

    Example: flask webhook replay acme --parked
    """
    if bool(events) == parked:
        raise click.UsageError("Name the events, or say --parked.")
    with base.parts() as parts:
        with parts.database.reading() as session:
            of = workspaces.named(session, workspace).id
            ids = list(events) or eventbook.parked_ids(session, of)
            would = replaying.would_leave(parts.tools, session, of, ids, payloads.heard)
        if notes and would and not yes:
            click.confirm(f"They leave up to {would} notes and tasks in the CRM. Go on?", abort=True)
        with parts.database.transaction() as session:
            count = inbox.replay(session, of, ids, parts.tools.clock(), quiet=not notes)
        parts.bell.ring_once("drain", "webhooks")
    lines = [f"{count} taken again."]
    if would and not notes:
        lines.append(f"Up to {would} notes and tasks are not left; --notes leaves them.")
    base.show({"replayed": count, "notes": would if notes else 0}, lines, as_json=as_json)


@base.command("send")
@click.argument("connection")
@click.argument("event", default="membership.activated")
@click.option("--dialect", type=click.Choice(event_samples.DIALECTS), default="v1", show_default=True)
@click.option("--id", "record_id", help="The id of the record that it is to be about.")
def send(connection: str, event: str, dialect: str, record_id: str | None, *, as_json: bool) -> None:
    """Post a signed sample event to this connector, as Whop would.

    Its person and amounts are invented; --id makes it tell of a record that is there.

    Example: flask webhook send 1f0c… payment.failed --id pay_tDaHcKpMRGverf
    """
    with base.parts() as parts:
        found = _connection(parts, connection)
        body = event_samples.sample(dialect, event, found.company_id, record_id or "")
        status = own_door.post(parts, found, body, event_samples.scheme_of(dialect))
    if status != 200:
        raise RefusedError(f"The connector answered {status}.", code="refused", remedy="Its log says why.")
    base.show({"status": status, "event": event}, [f"{event} was taken in."], as_json=as_json)


def document(one: InboxEvent) -> dict[str, Any]:
    """An event without its body."""
    names = ("id", "event_id", "type", "kind", "source_id", "state", "reason", "attempts", "error")
    return {name: getattr(one, name) for name in names} | {
        "received_at": one.received_at,
        "settled_at": one.settled_at,
    }


def _connection(parts: Parts, id_: str) -> Connection:
    with parts.database.reading() as session:
        return connections.get(session, connections.owner_of(session, id_), id_)


for one in (add, list_secrets, drop):
    secret_group.add_command(one)
for one in (secret_group, list_, replay, send):
    webhook_group.add_command(one)
COMMANDS = (webhook_group,)
