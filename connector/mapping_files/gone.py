"""``when_gone``: what becomes of a CRM record whose source is gone."""

from __future__ import annotations

from typing import Final

from connector.core.gone import KEEP, Gone, WhenGone
from connector.core.mapping import Own
from connector.mapping_files.lines import Lines
from connector.mapping_files.nodes import Scalar, shown
from connector.mapping_files.problems import listed
from connector.mapping_files.reading import Part, missing, part_of

KEYS: Final = dict.fromkeys(("do", "field", "value"), "")
_WITH_FIELD: Final = (Gone.MARK, Gone.CLEAR)


def when_gone(root: Part, lines: Lines) -> WhenGone:
    """A word alone, or a table of ``do``, ``field`` and ``value``."""
    node, problems = root.node("when_gone"), lines.world.problems
    if node is None:
        return KEEP
    if isinstance(node, Scalar):
        do = root.word("when_gone", Gone, Gone.KEEP)
        if do in _WITH_FIELD:
            problems.unfit(node, f'"{do}" alone', f"{{do: {do}, field: …}}")
        return WhenGone(do)
    part = part_of(node, problems, "when_gone", KEYS)
    return KEEP if part is None else _read(part, lines)


def _read(part: Part, lines: Lines) -> WhenGone:
    problems = lines.world.problems
    if "do" not in part:
        missing(problems, part, "when_gone", "do")
        return KEEP
    do = part.word("do", Gone, Gone.KEEP)
    wanted = {Gone.MARK: ("field", "value"), Gone.CLEAR: ("field",)}.get(do, ())
    for key in ("field", "value"):
        if key in part and key not in wanted:
            problems.unfit(part.spot(key), f"{key}: beside do: {do}", "it left out")
        if key not in part and key in wanted:
            missing(problems, part, f"when_gone with do: {do}", key)
    name = _field(part, lines) if "field" in wanted and "field" in part else None
    if name is None:
        return WhenGone(do)
    return WhenGone(do, name, _value(part, name, lines) if "value" in wanted else None)


def _field(part: Part, lines: Lines) -> str | None:
    """One that the file writes: what it never writes, or writes once, is not ours to mark."""
    name, node = part.text("field"), part.node("field")
    written = [rule.spec.name for rule in lines.fields if rule.own in (Own.ALWAYS, Own.FILL)]
    if name is None or node is None:
        return None
    if name not in written:
        lines.world.problems.unknown(node, name, f"a field that this file keeps: {listed(written)}", written)
        return None
    return name


def _value(part: Part, name: str, lines: Lines) -> object:
    """As the CRM stores it; of a select it must be one of the labels that the file has already."""
    node = part.node("value")
    if node is None:
        return None
    if isinstance(node, Scalar) and node.value is None:
        lines.world.problems.unfit(node, shown(node), "a value, or do: clear")
        return None
    ending = lines.endings[name]
    was, ending.fixed = ending.fixed, bool(ending.options)
    stored: object = ending.stored(node, lines.world.problems)
    ending.fixed = was
    return stored
