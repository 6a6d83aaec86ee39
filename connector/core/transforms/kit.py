"""What a function of the mapping language is, and what functions share.

A function is pure: it is given a value that is there (empty and unknown ones pass it by) and the fixed
argument of the file, and either gives a value (None for empty) or raises ValueProblem. Its examples are run
by the tests and shown in docs/mapping.md.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from connector.core.catalogue import ValueType
from connector.core.mapping import ValueProblem


@dataclass(frozen=True, slots=True)
class Argument:
    """The fixed argument of a function: ``read`` checks what the file says, raising ValueProblem.

    ``schema`` says the same as a JSON Schema, as far as one can, for editors.
    """

    expected: str
    read: Callable[[Any], Any]
    schema: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Example:
    """What goes in, what comes out, and the argument where the function has one."""

    given: Any
    gives: Any
    argument: Any = None


@dataclass(frozen=True, slots=True)
class Transform:
    """One function. ``gives`` is a value type, or the CRM type whose very shape it makes."""

    takes: frozenset[ValueType]
    gives: ValueType
    apply: Callable[[Any, Any], Any]
    doc: str
    examples: tuple[Example, ...]
    refuses: tuple[Example, ...] = ()
    argument: Argument | None = None


TEXT: Final = frozenset({"text", "id"})
ANY_PLAIN: Final = frozenset({"text", "id", "time", "number", "boolean"})

_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,12})?")


def text_of(value: Any) -> str:
    """The value, which must be text."""
    if not isinstance(value, str):
        raise ValueProblem("text", value)
    return value


def as_text(value: Any) -> str:
    """A plain value as text: numbers without a needless ``.0``, ``true`` and ``false``, lists with commas.

    Raises ValueProblem for anything else.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and is_finite(value):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, list | tuple) and not any(isinstance(item, list | tuple) for item in value):
        return ", ".join(as_text(item) for item in value if item is not None)
    raise ValueProblem("text, a number, true or false, or a list of these", value)


def exact(value: Any, expected: str) -> Decimal | None:
    """A number or its text, exactly as it is written; None for empty text."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise ValueProblem(expected, value)
    # The text of a float is the shortest that means it: 49.99 gives "49.99", without arithmetic on floats.
    text = str(value).strip()
    if text == "" and isinstance(value, str):
        return None
    if not _NUMBER.fullmatch(text):
        raise ValueProblem(expected, value)
    return Decimal(text)


def plain_number(number: Decimal) -> int | float:
    """The number as JSON has it: whole ones without a fraction."""
    return int(number) if number == number.to_integral_value() else float(number)


def whole(least: int, most: int, expected: str) -> Argument:
    """An argument that is a whole number between two others."""

    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueProblem(expected, value)
        return value

    return Argument(expected, read, {"type": "integer", "minimum": least, "maximum": most})


def some_text(expected: str, *, most: int = 200) -> Argument:
    """An argument that is text of at least one character."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or not 0 < len(value) <= most:
            raise ValueProblem(expected, value)
        return value

    return Argument(expected, read, {"type": "string", "minLength": 1, "maxLength": most})


def is_finite(value: float) -> bool:
    """Whether it is a number at all; whole ones are, however long."""
    return isinstance(value, int) or math.isfinite(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and is_finite(value)


_SHAPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(("text", "id", "time"), lambda value: isinstance(value, str)),
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "list": lambda value: isinstance(value, list | tuple),
    **dict.fromkeys(("money", "object", "currency", "full_name"), lambda value: isinstance(value, dict)),
}

VALUE_TYPES: Final = frozenset(_SHAPES)
"""The types that a function may take or give."""


def is_of(type_: ValueType, value: Any) -> bool:
    """Whether a value has the shape of its type."""
    return _SHAPES[type_](value)
