"""The parts of a mapping rule, as closures made once when a file is loaded.

A rule's ``read`` is made of a source (``path``, ``first``, ``constant``, ``template``), the functions of
``using``, and an ending: the CRM type's ``canonical``, or choices whose answers are canonical already.
Every part hands on UNKNOWN and None as they are: the first was not told, the second is empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from connector.core.mapping import Fields, Read, UnknownChoice, ValueProblem
from connector.core.records import UNKNOWN
from connector.core.transforms import as_text

Step = tuple[Callable[[Any, Any], Any], Any]
"""A function of the table, and its fixed argument."""

Finish = Callable[[Any], Any]
"""A value that is there → what the CRM stores; raises ValueProblem."""

_MOST_LISTED: Final = 20

Unlisted = Callable[[Any], Any]
"""The answer to a value that choices do not list."""


def path(dotted: str) -> Read:
    """Read ``a.b.c``: UNKNOWN where a name is missing, None where the way there ends in None."""
    names = dotted.split(".")
    if len(names) == 1:
        return _one_name(dotted)
    if len(names) == 2:
        return _two_names(*names)
    return _many_names(tuple(names))


def _one_name(name: str) -> Read:
    return lambda fields: fields.get(name, UNKNOWN)


def _two_names(outer: str, inner: str) -> Read:
    def read(fields: Fields) -> Any:
        value = fields.get(outer, UNKNOWN)
        if value is None or value is UNKNOWN:
            return value
        if not isinstance(value, dict):
            raise ValueProblem(f"parts inside {outer}", value)
        return value.get(inner, UNKNOWN)

    return read


def _many_names(names: tuple[str, ...]) -> Read:
    outer, inner = names[0], names[1:]

    def read(fields: Fields) -> Any:
        value = fields.get(outer, UNKNOWN)
        for name in inner:
            if value is None or value is UNKNOWN:
                return value
            if not isinstance(value, dict):
                raise ValueProblem(f"parts inside, for {'.'.join(names)}", value)
            value = value.get(name, UNKNOWN)
        return value

    return read


def first(reads: Sequence[Read]) -> Read:
    """The first value that is not empty; UNKNOWN as soon as one that comes before it is unknown.

    An unknown value might be there: taking the next one would write something else than what a full
    record gives, and taking it for empty would clear the field.
    """

    def read(fields: Fields) -> Any:
        value = None
        for one in reads:
            value = one(fields)
            if value is not None:
                break
        return value

    return reads[0] if len(reads) == 1 else read


def constant(value: Any) -> Read:
    """The same for every record."""
    return lambda _: value


def template(pieces: Sequence[str | Read]) -> Read:
    """Text made of fixed pieces and of values; empty values leave no trace, unknown ones make all unknown.

    Where every value is empty the whole is empty, so that no lone brackets or commas are written.
    """

    def read(fields: Fields) -> Any:
        parts, some = [], False
        for piece in pieces:
            if isinstance(piece, str):
                parts.append(piece)
                continue
            value = piece(fields)
            if value is UNKNOWN:
                return UNKNOWN
            if value is not None and (text := as_text(value)):
                parts.append(text)
                some = True
        return "".join(parts) if some else None

    return read


def choose(table: Mapping[Any, Any], unlisted: Unlisted) -> Finish:
    """Answer by the table; ``unlisted`` answers for every other value."""

    def finish(value: Any) -> Any:
        try:
            return table[value]
        except KeyError:
            return unlisted(value)
        except TypeError:  # a list or an object: nothing that choices could name
            raise ValueProblem("text, a number, true or false", value) from None

    return finish


def keep(value: Any) -> Any:
    """Leave the CRM's field as it is, and count the value."""
    return UnknownChoice(as_text(value), UNKNOWN)


def empty(value: Any) -> Any:
    """Empty the CRM's field, and count the value."""
    return UnknownChoice(as_text(value), None)


def fail(listed: Sequence[str]) -> Unlisted:
    """Fail the record, naming what the choices list."""
    more = f" and {len(listed) - _MOST_LISTED} more" if len(listed) > _MOST_LISTED else ""
    expected = f"one of {', '.join(listed[:_MOST_LISTED])}{more}"

    def refuse(value: Any) -> Any:
        raise ValueProblem(expected, value)

    return refuse


def answer(value: Any) -> Unlisted:
    """Give every other value the same answer: an intended one, so it is not counted."""
    return lambda _: value


def rule(read: Read, steps: Sequence[Step], finish: Finish) -> Read:
    """One field's whole way: read, then each function, then the ending."""
    if not steps:
        return _plain_rule(read, finish)

    def whole(fields: Fields) -> Any:
        value = read(fields)
        if value is None or value is UNKNOWN:
            return value
        for apply, argument in steps:
            value = apply(value, argument)
            if value is None:
                return None
        return finish(value)

    return whole


def _plain_rule(read: Read, finish: Finish) -> Read:
    def whole(fields: Fields) -> Any:
        value = read(fields)
        return value if value is None or value is UNKNOWN else finish(value)

    return whole


def parent_id(read: Read) -> Read:
    """The id a link points by: text, None where it is empty."""

    def whole(fields: Fields) -> Any:
        value = read(fields)
        if value is None or value is UNKNOWN:
            return value
        if not isinstance(value, str):
            raise ValueProblem("an id", value)
        return value or None

    return whole


def filtered(read: Read) -> Read:
    """The value that ``only`` looks at; lists and objects, which no file can name, stand as their text."""

    def whole(fields: Fields) -> Any:
        value = read(fields)
        plain = value is None or value is UNKNOWN or isinstance(value, str | int | float)
        return value if plain else f"{type(value).__name__} {value}"

    return whole
