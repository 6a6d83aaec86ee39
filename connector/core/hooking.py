"""A webhook of ours at the source: what it is, what it should be, and what mends the difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class SourceHook:
    """A webhook as the source has it. ``version`` is the API version that its bodies are written in."""

    id: str
    url: str
    events: frozenset[str]
    version: str | None
    enabled: bool
    failures: int = 0
    failing_since: datetime | None = None
    disabled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a webhook of ours should be."""

    url: str
    events: frozenset[str]
    version: str


@dataclass(frozen=True, slots=True)
class Mending:
    """What is to be done: the hook that stays, what of it changes, whether one is made, which ones go."""

    keep: SourceHook | None
    changes: tuple[str, ...]
    make: bool
    remove: tuple[str, ...]


class Sent(NamedTuple):
    """One delivery in the source's log. ``message`` is its id here too; empty where the body has none."""

    id: str
    message: str
    event: str
    sent_at: datetime
    accepted: bool


class SentPage(NamedTuple):
    """A page of that log, the newest first; ``cursor`` leads to older ones and is None at the end."""

    items: tuple[Sent, ...]
    cursor: str | None


def mend(found: Sequence[SourceHook], known_id: str | None, wanted: Wanted) -> Mending:
    """Ours is the hook that we remember. Any other that delivers to our address goes: we do not know its
    secret, which is told once, so that what it delivers would be refused."""
    keep = next((hook for hook in found if hook.id == known_id), None)
    strange = tuple(hook.id for hook in found if hook.url == wanted.url and hook.id != known_id)
    return Mending(keep, _changes(keep, wanted) if keep else (), keep is None, strange)


def _changes(hook: SourceHook, wanted: Wanted) -> tuple[str, ...]:
    differs: Mapping[str, bool] = {
        "url": hook.url != wanted.url,
        "events": hook.events != wanted.events,
        "version": hook.version != wanted.version,
    }
    return tuple(name for name, is_so in differs.items() if is_so)
