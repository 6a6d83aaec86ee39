"""The first half of a field's line: where its value comes from, and what is made of it on the way."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from connector.core import rules
from connector.core.catalogue import CrmType
from connector.core.mapping import Read, UnknownChoice, ValueProblem
from connector.core.records import UNKNOWN
from connector.core.transforms import TRANSFORMS, Transform
from connector.mapping_files.nodes import Node, Scalar, Sequence, Table, plain, shown
from connector.mapping_files.problems import Problems, listed
from connector.mapping_files.reading import Part, text_of, texts_of
from connector.mapping_files.world import ANYTHING, Flow, World

PATH: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*")
_PIECE: Final = re.compile(r"\{([^{}]*)\}")
_PLAIN: Final = frozenset({"text", "id", "time", "number", "boolean"})
SOURCES: Final = ("from", "value", "text", "stamp")


@dataclass(frozen=True, slots=True)
class Value:
    """A value on its way: how to read it, what types it may have, and the file's words for it."""

    read: Read
    flow: Flow
    source: str
    steps: tuple[rules.Step, ...] = ()
    path: str | None = None
    """Where it comes from, as long as that is one place and nothing is made of it."""


def value_of(part: Part, kind: str, world: World) -> Value | None:
    """Read ``from`` or ``text`` of a line, and the functions of ``using``."""
    node = part.node("from")
    made = from_paths(node, kind, world) if node is not None else None
    node = part.node("text")
    if node is not None:
        made = from_template(node, kind, world)
    using = part.node("using")
    return made if made is None or using is None else _through(made, using, world)


def from_paths(node: Node, kind: str, world: World) -> Value | None:
    """A path, or the first of several that is not empty."""
    found = texts_of(node, world.problems, "a field name, or a list of them")
    flows = [_path_flow(spot, path, kind, world) for spot, path in found]
    known = [flow for flow in flows if flow is not None]
    if not known or len(known) != len(flows):
        return None
    read = rules.first([rules.path(path) for _, path in found])
    # One path into the undescribed makes the whole undescribed.
    flow = ANYTHING if ANYTHING in known else frozenset().union(*known)
    paths = [path for _, path in found]
    return Value(read, flow, ", ".join(paths), path=paths[0] if len(paths) == 1 else None)


def _path_flow(spot: Scalar, path: str, kind: str, world: World) -> Flow | None:
    if not PATH.fullmatch(path):
        world.problems.unfit(spot, shown(spot), "a field name like user.email (there are no expressions)")
        return None
    return world.flow(kind, spot, path)


def from_template(node: Node, kind: str, world: World) -> Value | None:
    """Text with plain field names in braces."""
    text = text_of(node, world.problems)
    if text is None or not isinstance(node, Scalar):
        return None
    if not _PIECE.search(text) or re.search(r"[{}]", _PIECE.sub("", text)):
        world.problems.unfit(node, shown(node), 'text with field names in braces, like "{a} ({b})"')
        return None
    pieces: list[str | Read] = []
    for position, piece in enumerate(_PIECE.split(text)):
        if position % 2 == 0:
            pieces.extend([piece] if piece else [])
            continue
        flow = _path_flow(node, piece, kind, world)
        if flow is None:
            return None
        if not flow <= _PLAIN:
            world.problems.unfit(
                node, f"{piece}, which is {said(flow)}", f"{listed(sorted(_PLAIN))} in a text"
            )
            return None
        pieces.append(rules.path(piece))
    return Value(rules.template(pieces), frozenset({"text"}), f'"{text}"')


def _through(value: Value, using: Node, world: World) -> Value | None:
    steps, flow = [], value.flow
    for node in using.items if isinstance(using, Sequence) else (using,):
        step = _function(node, world)
        if step is None:
            return None
        name, transform, argument = step
        if not flow <= transform.takes:
            takes = listed(sorted(transform.takes))
            world.problems.unfit(node, f"{said(flow)} for the function {name}", f"{takes} for it")
            return None
        steps.append((transform.apply, argument))
        flow = frozenset({transform.gives})
    return Value(value.read, flow, value.source, tuple(steps))


def _function(node: Node, world: World) -> tuple[str, Transform, Any] | None:
    """One entry of ``using``: a name, or a name with its fixed argument."""
    problems, functions = world.problems, world.functions
    name, spot, given = _named(node)
    if name is None or spot is None:
        problems.unfit(node, shown(node), "a function name, or one with its argument like {cut: 200}")
        return None
    transform = functions.get(name)
    if transform is None:
        problems.unknown(spot, name, "a function", functions)
        return None
    if transform.argument is None:
        if given is not None:
            problems.unfit(given, f"an argument for {name}", "none")
        return name, transform, None
    if given is None:
        problems.unfit(spot, f"{name} without an argument", transform.argument.expected)
        return None
    try:
        return name, transform, transform.argument.read(plain(given))
    except ValueProblem:
        problems.unfit(given, f"{shown(given)} for {name}", transform.argument.expected)
        return None


def _named(node: Node) -> tuple[str | None, Scalar | None, Node | None]:
    if isinstance(node, Scalar) and isinstance(node.value, str):
        return node.value, node, None
    if isinstance(node, Table) and len(node.entries) == 1:
        name, (spot, argument) = next(iter(node.entries.items()))
        return name, spot, argument
    return None, None, None


def said(flow: Flow) -> str:
    return " or ".join(sorted(flow)) or "anything"


Finisher = Callable[[Value], rules.Finish]
"""What arrives → how it ends, for an ending that must know it."""


# --- the ending


@dataclass(slots=True)
class Ending:
    """What becomes of the value in the CRM: the field's type, and for a select its labels."""

    type: str
    crm: CrmType
    select_value: Callable[[str], str]
    options: dict[str, str] = field(default_factory=dict)
    """Stored value → label, in the order in which they came up."""
    fixed: bool = False
    """Whether the file listed the options itself."""

    def add_option(self, spot: Node, label: str, problems: Problems) -> str | None:
        """The stored value of a label; None, reported, where it cannot be one."""
        stored = self.select_value(label)
        known = self.options.get(stored)
        if not stored:
            problems.unfit(spot, shown(spot), "a label with letters or digits")
            return None
        if known != label and self.fixed:
            problems.unknown(spot, label, listed(self.options.values()), self.options.values())
            return None
        if known is not None and known != label:
            problems.unfit(spot, shown(spot), f'a label that is stored otherwise than "{known}" ({stored})')
            return None
        self.options[stored] = label
        return stored

    def stored(self, node: Node, problems: Problems) -> Any:
        """What a value of the file is stored as; UNKNOWN, reported, where it does not fit. Null is empty."""
        if isinstance(node, Scalar) and node.value is None:
            return None
        if self.type == "select":
            label = text_of(node, problems, "a label")
            stored = self.add_option(node, label, problems) if label is not None else None
            return UNKNOWN if stored is None else stored
        try:
            return fitted(self.crm, natural(self.crm, plain(node)))
        except ValueProblem as problem:
            problems.unfit(node, shown(node), f"{problem.expected}, for a field of type {self.type}")
            return UNKNOWN


def natural(crm: CrmType, value: Any) -> Any:
    """A value of the file in the shape the CRM type works with: files speak plain dates and amounts."""
    if "time" in crm.accepts and "text" not in crm.accepts and isinstance(value, str):
        return TRANSFORMS["date_time"].apply(value, None)
    if "currency" in crm.accepts and isinstance(value, dict) and "amount" in value:
        return TRANSFORMS["money"].apply(value, None)
    if "full_name" in crm.accepts and isinstance(value, str):
        return TRANSFORMS["full_name"].apply(value, None)
    return value


def fitted(crm: CrmType, value: Any) -> Any:
    """Canonical, whatever the value is: what the type does not expect is a problem of the value."""
    if value is None:
        return None
    try:
        return crm.canonical(value)
    except (AttributeError, TypeError, KeyError, ValueError):
        raise ValueProblem(listed(sorted(crm.accepts)), value) from None


def finished(value: Value, spot: Node, ending: Ending, choices: Finisher | None, problems: Problems) -> Read:
    """Join the way and its ending."""
    if choices is not None:
        finish = choices(value)
    elif ending.type == "select":
        finish = _matching(ending)
    else:
        finish = ending.crm.canonical
        if value.flow == ANYTHING:
            crm = ending.crm
            finish = lambda found: fitted(crm, found)  # noqa: E731 - one of two ways to finish
    accepts = ending.crm.accepts
    if choices is None and not all(one in accepts or one == ending.type for one in value.flow):
        hint = _hint(value.flow, ending)
        problems.unfit(
            spot, said(value.flow), f"{listed(sorted(accepts))} for a field of type {ending.type}{hint}"
        )
    return rules.rule(value.read, value.steps, finish)


def _hint(flow: Flow, ending: Ending) -> str:
    for name, transform in TRANSFORMS.items():
        fits = transform.gives in ending.crm.accepts
        if fits and flow <= transform.takes and transform.argument is None:
            return f" (using: {name} makes {transform.gives} of it)"
    return ""


def _matching(ending: Ending) -> rules.Finish:
    """A select without choices takes the source's value for a label, however it is spelt."""

    def finish(value: Any) -> Any:
        if not isinstance(value, str):
            raise ValueProblem("text", value)
        stored = ending.select_value(value)
        return stored if stored in ending.options else UnknownChoice(value, UNKNOWN)

    return finish
