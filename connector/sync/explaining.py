"""Where each value in the CRM comes from: which run or event wrote it, from which field, by which line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.core.mapping import FieldRule, LinkRule
from connector.core.sales import Sale
from connector.mapping_files import FileMapping
from connector.store import eventbook, histories, sales, workspaces
from connector.store.eventbook import EventFilter
from connector.store.histories import Known
from connector.store.inbox import InboxEvent
from connector.store.runs import LogEntry, Run
from connector.sync.mappings import Mapped
from connector.sync.tools import Tools

_EVENTS = 100


@dataclass(frozen=True, slots=True)
class Rule:
    """The line of a mapping file that a value comes from; ``text`` is that line, and what belongs to it."""

    file: str
    line: int
    text: str
    source: str
    own: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one field's value comes from. ``value`` is what was written, where the log still has that.

    ``run`` is the run's number, ``run_id`` and ``at`` are None where it is not kept any more. ``event`` is
    the event that had it written; ``rule`` is None where no file writes the field.
    """

    object: str
    field: str
    value: Any
    told: bool
    run: int
    run_id: str | None
    why: str | None
    at: datetime | None
    event: InboxEvent | None
    rule: Rule | None


@dataclass(frozen=True, slots=True)
class Story:
    """All that is known of one source record."""

    known: list[Known]
    origins: list[Origin]
    entries: list[LogEntry]
    events: list[InboxEvent]
    runs: dict[int, Run]
    sales: list[Sale]


def story(tools: Tools, workspace_id: str, kind: str, source_id: str) -> Story:
    """Tell what is known of a record; nothing known: everything empty."""
    with tools.database.reading() as session:
        workspace = workspaces.get(session, workspace_id)
        links = histories.known(session, workspace_id, kind, source_id)
        entries = histories.entries(session, workspace_id, kind, source_id)
        wanted = EventFilter(text=source_id)
        events = eventbook.event_page(session, workspace_id, wanted, limit=_EVENTS).items
        numbers = {entry.run for entry in entries} | _numbers(links)
        runs = histories.runs_of(session, workspace_id, numbers)
        paid = sales.of_record(session, workspace_id, kind, source_id)
    now = tools.mappings.in_force(workspace)
    sets = {
        version: tools.mappings.of_version(workspace_id, version) or now
        for version in {run.mapping_version for run in runs.values()}
        if version is not None
    }
    origins = [
        _origin(one, name, entries, events, runs, lambda run: sets.get(run.mapping_version or "", now))
        for one in links
        for name in one.memory
    ]
    return Story(links, origins, entries, events, runs, paid)


def _numbers(links: Sequence[Known]) -> set[int]:
    seen = {one.seen_run for one in links if one.seen_run is not None}
    return seen | {memory[1] for one in links for memory in one.memory.values()}


def _origin(
    one: Known,
    name: str,
    entries: Sequence[LogEntry],
    events: Sequence[InboxEvent],
    runs: dict[int, Run],
    mapped: Any,
) -> Origin:
    wrote = next((entry for entry in entries if _wrote(entry, one.object, name)), None)
    number = wrote.run if wrote else one.memory[name][1]
    run = runs.get(number)
    event = next((each for each in events if each.run == number), None)
    kind = wrote.kind if wrote else (entries[0].kind if entries else "")
    return Origin(
        one.object,
        name,
        (wrote.after or {})[name] if wrote else None,
        wrote is not None,
        number,
        run.id if run else None,
        run.why if run else None,
        wrote.created_at if wrote else (run.started_at if run else None),
        event,
        rule_of(mapped(run), kind, one.object, name) if run else None,
    )


def _wrote(entry: LogEntry, object_: str, name: str) -> bool:
    written = entry.result in ("created", "updated") and entry.object == object_
    return written and name in (entry.after or {})


def rule_of(mapped: Mapped, kind: str, object_: str, name: str) -> Rule | None:
    """The line that writes a field of an object from this kind."""
    for mapping in mapped.files:
        if mapping.object.name != object_ or kind not in ("", mapping.kind):
            continue
        rule = next((each for each in _lines(mapping) if each.spec.name == name), None)
        if rule is not None:
            text = _text(mapped.files.texts.get(mapping.file, ""), rule.line)
            return Rule(mapping.file, rule.line, text, rule.source, rule.own.value)
    return None


def _lines(mapping: FileMapping) -> tuple[FieldRule | LinkRule, ...]:
    return (*mapping.fields, *mapping.links)


def _text(text: str, line: int) -> str:
    """A line of a file, with the lines below it that are indented further."""
    lines = text.splitlines()[line - 1 :]
    if not lines:
        return ""
    depth = _depth(lines[0])
    more = [lines[0]]
    for one in lines[1:]:
        if one.strip() and _depth(one) <= depth:
            break
        more.append(one)
    kept = [one[depth:] for one in more if one.strip() and not one.strip().startswith("#")]
    return "\n".join(kept)


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())
