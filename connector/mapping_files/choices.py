"""The choices of a line: what the source says → what the CRM is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connector.core import rules
from connector.mapping_files.nodes import Node, Scalar, Table, shown
from connector.mapping_files.problems import Problems, listed
from connector.mapping_files.reading import Part, part_of
from connector.mapping_files.values import Ending, Finisher, said
from connector.mapping_files.world import Flow

_CHOOSABLE: Final = frozenset({"text", "id", "number", "boolean"})


def choices_of(
    part: Part, tables: Mapping[str, Table], ending: Ending, problems: Problems
) -> Finisher | None:
    """The ``choices`` of a line, by name or written there; None where there are none to be used."""
    node = part.node("choices")
    if isinstance(node, Scalar) and isinstance(node.value, str):
        table = tables.get(node.value)
        if table is None:
            problems.unknown(node, node.value, "the name of a table under choices:", tables)
            return None
    elif node is None:
        return None
    else:
        inline = part_of(node, problems, "choices")
        if inline is None:
            return None
        table = inline.table
    return _compiled(table, node, ending, problems)


def _compiled(table: Table, spot: Node, ending: Ending, problems: Problems) -> Finisher:
    answers = [
        (key, ending.stored(node, problems))
        for name, (key, node) in table.entries.items()
        if name != "otherwise"
    ]
    unlisted = _otherwise(table, [key.text for key, _ in answers], ending, problems)

    def finisher(flow: Flow) -> rules.Finish:
        if not flow <= _CHOOSABLE:
            problems.unfit(spot, f"{said(flow)} for choices", listed(sorted(_CHOOSABLE)))
        return rules.choose(_by_value(answers, flow, problems), unlisted)

    return finisher


def _otherwise(table: Table, known: list[str], ending: Ending, problems: Problems) -> rules.Unlisted:
    if "otherwise" not in table.entries:
        problems.unfit(table, "choices without otherwise:", "otherwise: keep, empty, fail, or a value")
        return rules.keep
    node = table.entries["otherwise"][1]
    word = node.text if isinstance(node, Scalar) else None
    if word == "keep":
        return rules.keep
    if word == "empty":
        return rules.empty
    if word == "fail":
        return rules.fail(known)
    if word is None or (isinstance(node, Scalar) and node.value is None):
        problems.unfit(node, shown(node), "keep, empty, fail, or a value")
        return rules.keep
    return rules.answer(ending.stored(node, problems))


def _by_value(answers: list[tuple[Scalar, Any]], flow: Flow, problems: Problems) -> dict[Any, Any]:
    table: dict[Any, Any] = {}
    for key, stored in answers:
        if flow and flow <= {"text", "id"}:
            table[key.text] = stored
            continue
        if flow == {"boolean"} and not isinstance(key.value, bool):
            problems.unfit(key, shown(key), "true or false")
        if flow == {"number"} and (isinstance(key.value, bool | str) or key.value is None):
            problems.unfit(key, shown(key), "a number")
        table[key.text] = table[key.value] = stored
    return table
