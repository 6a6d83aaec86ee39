"""Which events leave notes and tasks, in the words of the pages."""

from __future__ import annotations

from collections.abc import Iterable

from connector.core.mapping import Mapping


def left_by_events(mappings: Iterable[Mapping]) -> dict[str, list[str]]:
    """ "note" and "task" → what leaves one, in words."""
    found: dict[str, dict[str, None]] = {"note": {}, "task": {}}
    for rule in (rule for mapping in mappings for rule in mapping.notes):
        found[rule.kind].update((_event(name), None) for name in sorted(rule.on))
    return {kind: list(of) for kind, of in found.items()}


def _event(name: str) -> str:
    kind, _, what = name.partition(".")
    return f"{kind.replace('_', ' ')} {what.replace('_', ' ')}"
