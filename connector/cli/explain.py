"""The command that tells where a value in the CRM comes from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from connector.cli import base
from connector.errors import RefusedError
from connector.store import workspaces
from connector.sync import explaining
from connector.sync.explaining import Origin


@base.command("explain")
@click.argument("workspace")
@click.argument("kind")
@click.argument("record")
@click.argument("field", required=False)
def explain(workspace: str, kind: str, record: str, field: str | None, *, as_json: bool) -> None:
    """Tell of each value that was written of a record: which sync or event wrote it, and by which rule.

    Example: flask explain acme membership mem_4QxLq2mTn8VrYe stage
    """
    with base.parts() as parts:
        with parts.database.reading() as session:
            within = workspaces.named(session, workspace).id
        found = explaining.story(parts.tools, within, kind, record).origins
    told = [one for one in found if field in (None, one.field)]
    if not told:
        raise RefusedError(
            f"Nothing was written of {kind} {record}{f' into {field}' if field else ''}.",
            code="not_written",
            remedy="The page of the record says why; `flask sync record` takes it through a sync.",
        )
    lines = [line for one in told for line in _lines(one)]
    base.show([_document(one) for one in told], lines, as_json=as_json)


def _lines(one: Origin) -> Iterator[str]:
    value = repr(one.value) if one.told else "a value that is not kept any more"
    yield f"{one.object}.{one.field}: {value}"
    after = f", after the event {one.event.type} {one.event.event_id}" if one.event else ""
    when = f" of {one.at:%Y-%m-%d %H:%M} UTC" if one.at else ", which is not kept any more"
    yield f"  written by sync {one.run}{when}{after}"
    if one.rule is None:
        yield "  no mapping writes it now"
        return
    yield f"  from {one.rule.source}, by {one.rule.file}:{one.rule.line} (own: {one.rule.own})"
    yield from (f"    {text}" for text in one.rule.text.splitlines())


def _document(one: Origin) -> dict[str, Any]:
    rule = one.rule
    return {
        "object": one.object,
        "field": one.field,
        "value": one.value,
        "value_kept": one.told,
        "run": one.run,
        "run_id": one.run_id,
        "why": one.why,
        "at": one.at,
        "event": one.event.event_id if one.event else None,
        "event_type": one.event.type if one.event else None,
        "from": rule.source if rule else None,
        "file": rule.file if rule else None,
        "line": rule.line if rule else None,
        "own": rule.own if rule else None,
        "rule": rule.text if rule else None,
    }


COMMANDS = (explain,)
