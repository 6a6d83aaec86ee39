"""The filter and order grammar of REST addresses (twenty-api.md section 6; recordings 269-289).

`field[op]:value` joined by commas, `or(…)`, `and(…)`, `not(…)`; it becomes the same object GraphQL sends.
"""

import re
from typing import Any

from connector.sandbox.twenty.filters import OPERATORS
from connector.sandbox.twenty.refusals import Refusal
from connector.sandbox.twenty.shape import Shape

_ITEM = re.compile(r"([\w.]+)\[(\w+)\]:(.*)", re.DOTALL)
_GROUP = re.compile(r"(or|and|not)\((.*)\)", re.DOTALL)
_ORDER = re.compile(r"([\w.]+)(?:\[(\w+)\])?")
_DEPTH = {"[": 1, "(": 1, "]": -1, ")": -1}


def parse_filter(shape: Shape, text: str) -> dict[str, Any]:
    """The filter object of `filter=…`; several conditions are joined by AND."""
    parts = [_parse(shape, part) for part in split(text)]
    return parts[0] if len(parts) == 1 else {"and": parts} if parts else {}


def split(text: str) -> list[str]:
    """Split at the commas that stand outside quotes and brackets."""
    parts, depth, quoted, start = [], 0, False, 0
    for index, sign in enumerate(text):
        if sign == '"':
            quoted = not quoted
        elif not quoted:
            depth += _DEPTH.get(sign, 0)
            if sign == "," and depth == 0:
                parts.append(text[start:index])
                start = index + 1
    return [part for part in (*parts, text[start:]) if part]


def _parse(shape: Shape, text: str) -> dict[str, Any]:
    group = _GROUP.fullmatch(text)
    if group:
        inner = [_parse(shape, part) for part in split(group[2])]
        return {group[1]: inner if group[1] != "not" else {"and": inner}}
    item = _ITEM.fullmatch(text)
    if not item:
        raise Refusal(f"'filter' invalid for '{text}'. eg: price[gte]:10")
    name, operator, value = item.groups()
    if operator not in OPERATORS:
        known = ", ".join(OPERATORS)
        raise Refusal(f"'filter' invalid for '{text}', comparator {operator} not in {known}")
    return _nest(name, {operator: _value(shape, name, operator, value)})


def _nest(name: str, condition: dict[str, Any]) -> dict[str, Any]:
    head, _, rest = name.partition(".")
    return {head: _nest(rest, condition) if rest else condition}


def _value(shape: Shape, name: str, operator: str, text: str) -> Any:
    if operator in ("in", "containsAny"):
        return [_typed(shape, name, each.strip()) for each in split(text.strip()[1:-1])]
    return _typed(shape, name, text)


def _typed(shape: Shape, name: str, text: str) -> Any:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    column = shape.columns.get(name)
    kind = column.type if column else "NUMBER" if name.endswith("amountMicros") else "TEXT"
    if kind == "BOOLEAN":
        return text.lower() in ("true", "t", "1")
    if kind in ("NUMBER", "POSITION") and re.fullmatch(r"-?\d+(\.\d+)?", text):
        return float(text) if "." in text else int(text)
    return text


def parse_order(text: str | None) -> list[dict[str, Any]]:
    """`createdAt[DescNullsLast],name.lastName` as the list that GraphQL takes."""
    order = []
    for part in (text or "").split(","):
        item = _ORDER.fullmatch(part)
        if item:
            name, direction = item.groups()
            order.append(_nest(name, direction or "AscNullsFirst"))  # type: ignore[arg-type]
    return order
