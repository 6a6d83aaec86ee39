"""Which records: ``status: [a, b]`` these, ``status_not: [a, b]`` all but these."""

from __future__ import annotations

from typing import Final

from connector.core import rules
from connector.core.mapping import Filter
from connector.mapping_files.nodes import Node, Scalar, Sequence, shown
from connector.mapping_files.problems import Problems, listed
from connector.mapping_files.reading import Part
from connector.mapping_files.slips import check_words
from connector.mapping_files.world import ANYTHING, World, type_at

_FILTER_TYPES: Final = frozenset({"text", "id", "number", "boolean"})


def filters_of(part: Part, kind: str, world: World) -> tuple[Filter, ...]:
    """Every line of a table of conditions on records of this kind."""
    made = (_filter(name, spot, node, kind, world) for name, spot, node in part.entries())
    return tuple(one for one in made if one is not None)


def _filter(name: str, spot: Scalar, node: Node, kind: str, world: World) -> Filter | None:
    paths = world.source.kinds[kind]
    negated = type_at(name, paths) is None and name.endswith("_not")
    path = name.removesuffix("_not") if negated else name
    flow = world.flow(kind, spot, path)
    if flow is None:
        return None
    if not flow <= _FILTER_TYPES:
        world.problems.unfit(
            spot, f"{path}, which is {', '.join(flow)}", f"{listed(sorted(_FILTER_TYPES))} to filter by"
        )
    nodes = node.items if isinstance(node, Sequence) else (node,)
    if flow <= {"text"}:
        known = world.source.words.get(kind, {}).get(path, ())
        check_words(nodes, known, known, path, world.problems)
    values = [
        _filter_value(item, flow == ANYTHING or flow <= {"text", "id"}, world.problems) for item in nodes
    ]
    return Filter(path, rules.filtered(rules.path(path)), frozenset(values), negated)


def _filter_value(node: Node, as_text: bool, problems: Problems) -> str | int | float | bool | None:
    if not isinstance(node, Scalar):
        problems.unfit(node, shown(node), "a value, or a list of values")
        return None
    return node.text if as_text and node.value is not None else node.value
