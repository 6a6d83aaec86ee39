"""What is kept, in the words of the pages: statuses, names, values, times, durations, numbers, money."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from connector.store.connections import Connection
from connector.store.runs import LogEntry, Run
from connector.sync import stages
from connector.sync.waiting import Side, side_in_trouble
from connector.web.money import money


class Status(NamedTuple):
    """A state as word, shape and tone: always all three."""

    word: str
    shape: str
    tone: str = ""


RUN: Final[Mapping[str, Status]] = {
    "queued": Status("Queued", "queued"),
    "running": Status("Running", "running", "info"),
    "paused": Status("Paused", "paused"),
    "waiting": Status("Waiting for approval", "waiting", "warn"),
    "success": Status("Success", "success", "ok"),
    "partial": Status("Partial", "partial", "warn"),
    "failed": Status("Failed", "failed", "bad"),
    "cancelled": Status("Cancelled", "cancelled"),
}
_IN_TROUBLE: Final[Mapping[Side, Status]] = {
    "crm": Status("Waiting for Twenty", "waiting", "warn"),
    "source": Status("Waiting for Whop", "waiting", "warn"),
}
OUTCOME: Final[Mapping[str, Status]] = {
    "created": Status("Created", "created", "ok"),
    "updated": Status("Updated", "updated", "info"),
    "unchanged": Status("Unchanged", "none"),
    "skipped": Status("Skipped", "none"),
    "failed": Status("Failed", "failed", "bad"),
}
RUN_TYPE: Final[Mapping[str, str]] = {
    "full": "Full",
    "incremental": "Incremental",
    "webhook": "Webhook",
    "preview": "Preview, nothing is written",
    "undo": "Undo",
    "repair": "Chosen records, changed mapping",
}
_CHANGED_MAPPING: Final = "Changed mapping"
_CHOSEN: Final = "Chosen records"
REASON: Final[Mapping[str, str]] = {
    "filtered": "Left out by a rule of the mapping",
    "stale": "Something newer is known already",
    "duplicate": "Whop listed it twice",
    "gone": "No longer on Whop",
    "deleted_in_crm": "Someone deleted it in Twenty; that stands",
    "review": "Fits more than one record in Twenty; a person must choose",
    "held": "Held back",
    "undone": "Undone; held until it changes on Whop",
    "ignored": "Left out, as you decided",
    "adopted": "Found in Twenty and taken over",
    "chosen": "As you decided",
    "merged": "Merged into another record in Twenty, which is kept up to date from now on",
    "restored": "Taken out of the bin of Twenty",
    "recreated": "Deleted in Twenty, and made anew",
    "kept": "Left as it is in Twenty",
    "removed": "Done when the company was disconnected",
    "put_back": "Someone changed it in Twenty; put back",
    "unmade": "The sync had made it: into the bin of Twenty",
    "taken_back": "As it was before the sync",
}
WHY: Final[Mapping[str, str]] = {
    "several": "Fits more than one in Twenty",
    "somebody_else": "Fits one that is somebody else’s",
    "taken": "Fits one that is tied to another record",
    "choice_gone": "What was chosen for it is gone",
    "not_new": "It is in Twenty already",
}
CHOICE: Final[Mapping[str, str]] = {"link": "Tied", "create": "Made new", "ignore": "Left out"}
DECIDED: Final[Mapping[str, str]] = {
    "link": "Tied together",
    "create": "A new one is made",
    "ignore": "Left out",
}
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")
_LONG: Final = 300


def connection_status(one: Connection) -> Status:
    """How a connection stands, in a word."""
    if one.status == "expired":
        return Status("No access", "failed", "bad")
    if one.status == "revoked":
        return Status("Disconnected", "cancelled")
    return Status("Paused", "paused") if one.paused else Status("Connected", "success", "ok")


def company(one: Connection) -> str:
    """The company's name, or its id where Whop gave none."""
    return one.company_title.strip() or one.company_id


def name_of(entry: LogEntry) -> str:
    """The record's name, or that it has none."""
    return entry.title if entry.title.strip() else f"(no name) · {entry.source_id}"


def run_name(run: Run) -> str:
    """What a run is called."""
    return f"Sync {run.number}"


def run_type(run: Run) -> str:
    """What kind of a sync a run is."""
    if run.type == "repair":
        return _CHANGED_MAPPING if stages.ONLY in run.checkpoint else _CHOSEN
    return RUN_TYPE.get(run.type, run.type)


def run_status(run: Run) -> Status:
    """How a run stands, in a word; one that a service in trouble holds up says which."""
    side = side_in_trouble(run)
    return _IN_TROUBLE[side] if side else RUN[run.status]


def number(value: int) -> str:
    """With thousands apart, never shortened."""
    return f"{value:,}"


def iso(moment: datetime) -> str:
    """For the ``datetime`` of a time element."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def utc(moment: datetime) -> str:
    """Exact, and readable without a script."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def duration(length: timedelta) -> str:
    """The two largest parts: 41 s, 1 min 2 s, 2 h 5 min."""
    seconds = max(0, int(length.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return _two(seconds // 60, "min", seconds % 60, "s")
    return _two(seconds // 3600, "h", seconds % 3600 // 60, "min")


def roughly(length: timedelta) -> str:
    """The largest part, for what is an estimate: 51 min."""
    seconds = max(0, int(length.total_seconds()))
    if seconds < 60:
        return f"{max(1, seconds)} s"
    return f"{round(seconds / 60):,} min" if seconds < 5400 else f"{round(seconds / 3600):,} h"


def _two(most: int, unit: str, rest: int, small: str) -> str:
    return f"{most:,} {unit} {rest} {small}" if rest else f"{most:,} {unit}"


def plural(count: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


class Value(NamedTuple):
    """A value to show: ``text`` (empty: none), ``rest`` beyond what fits, ``moment`` where it is a time."""

    text: str
    rest: str = ""
    moment: datetime | None = None


def value(raw: Any, labels: Mapping[str, str] | None = None) -> Value:
    """A canonical value of the log in words."""
    if isinstance(raw, str) and _MOMENT.fullmatch(raw):
        return _moment(raw)
    text = " ".join(_text(raw, labels or {}).split())
    return Value(text[:_LONG], text[_LONG:])


def _moment(raw: str) -> Value:
    try:
        moment = datetime.fromisoformat(raw)
    except ValueError:
        return Value(raw)
    return Value(raw, moment=moment)


def _text(raw: Any, labels: Mapping[str, str]) -> str:
    match raw:
        case None | "":
            return ""
        case bool():
            return "Yes" if raw else "No"
        case {"amountMicros": int(micros), "currencyCode": str(currency)}:
            return money(micros, currency)
        case Mapping():
            return " ".join(filter(None, (_text(part, labels) for part in raw.values())))
        case list() | tuple():
            return ", ".join(_text(part, labels) for part in raw)
        case _:
            return labels.get(str(raw), str(raw))
