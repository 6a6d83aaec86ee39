"""The functions there are: those of the house, and those that an operator's own packages add.

A package adds functions by entry points of the group ``connector.functions``, each the name of a function
and the place of its ``Transform``. What is broken, or takes a name that is taken, is refused by name before
any file is read: a function that is missing would make records fail later, one by one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any, Final

from connector.core.mapping import ValueProblem
from connector.core.transforms import TRANSFORMS, VALUE_TYPES, Argument, Example, Transform, is_of
from connector.errors import MappingFunctionError

GROUP: Final = "connector.functions"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,59}")


@cache
def installed() -> Mapping[str, Transform]:
    """Every function, by name. Raises MappingFunctionError naming the entry points that cannot be used."""
    return joined(entry_points(group=GROUP))


def joined(points: Iterable[EntryPoint]) -> Mapping[str, Transform]:
    """The functions of the house and those behind these entry points."""
    found, owner, problems = dict(TRANSFORMS), dict.fromkeys(TRANSFORMS, "the connector itself"), []
    for point in sorted(points, key=lambda one: (one.name, one.value)):
        said = f'function "{point.name}" ({point.value}{_of(point)})'
        if point.name in owner:
            problems.append(f"{said}: found a name that {owner[point.name]} has, expected another name")
            continue
        loaded = _loaded(point)
        wrong = [loaded] if isinstance(loaded, str) else list(_wrong(point.name, loaded))
        problems.extend(f"{said}: {one}" for one in wrong)
        if not wrong and isinstance(loaded, Transform):
            found[point.name] = guarded(point.name, loaded)
            owner[point.name] = point.value
    if problems:
        raise MappingFunctionError(problems)
    return MappingProxyType(found)


def _of(point: EntryPoint) -> str:
    return f" of {point.dist.name}" if point.dist is not None else ""


def _loaded(point: EntryPoint) -> Transform | str:
    """What stands behind an entry point, or why it cannot be had."""
    try:
        made: Any = point.load()
    except Exception as error:  # noqa: BLE001 - a stranger's module may raise anything while it is imported
        return f"found {type(error).__name__} when it was loaded ({error}), expected a Transform"
    if not isinstance(made, Transform):
        return f"found {type(made).__name__}, expected a Transform"
    return made


def _wrong(name: str, made: Transform) -> Iterator[str]:
    """Everything that keeps a function from being used; its examples are run once its form is right."""
    form = list(_wrong_form(name, made))
    yield from form
    if form:
        return
    safe = guarded(name, made)
    for example in made.examples:
        came = _came(safe, example)
        if came != example.gives or type(came) is not type(example.gives):
            yield f"found {came!r} for its example {example.given!r}, expected {example.gives!r}"
    for example in made.refuses:
        came = _came(safe, example)
        if not isinstance(came, ValueProblem):
            yield f"found {came!r} for {example.given!r}, expected that it is refused"


def _wrong_form(name: str, made: Any) -> Iterator[str]:
    if not _NAME.fullmatch(name):
        yield "found such a name, expected one of small letters, digits and _"
    types = {one for one in {*_listed(made.takes), made.gives} if one not in VALUE_TYPES}
    if types or not _listed(made.takes):
        found = ", ".join(sorted(map(str, types))) or "nothing"
        yield f"found {found} as what it takes or gives, expected types of {', '.join(sorted(VALUE_TYPES))}"
    if not callable(made.apply):
        yield f"found {made.apply!r} to apply, expected a function of a value and an argument"
    if not made.doc or not isinstance(made.doc, str):
        yield "found no sentence about it, expected doc"
    examples = (*_listed(made.examples), *_listed(made.refuses))
    if not made.examples or not all(isinstance(one, Example) for one in examples):
        yield "found no examples, expected at least one Example, which is run here"
    if not isinstance(made.argument, Argument | None):
        yield f"found {made.argument!r} as its argument, expected an Argument, or None"


def _listed(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list | set | frozenset) else ()


def _came(made: Transform, example: Example) -> Any:
    """What an example comes to; a refusal as the ValueProblem that it is."""
    try:
        return made.apply(example.given, made.argument.read(example.argument) if made.argument else None)
    except ValueProblem as problem:
        return problem


def guarded(name: str, made: Transform) -> Transform:
    """The function, made safe: what it raises or gives that it should not fails the record, in its name."""
    argument = replace(made.argument, read=_safe_read(made.argument)) if made.argument else None
    takes = made.takes | {"id"} if "text" in made.takes else made.takes  # an id is text to anybody else
    return replace(made, takes=takes, apply=_safe_apply(name, made), argument=argument)


def _safe_apply(name: str, made: Transform) -> Callable[[Any, Any], Any]:
    apply, gives = made.apply, made.gives

    def safe(value: Any, fixed: Any) -> Any:
        try:
            came = apply(value, fixed)
        except ValueProblem:
            raise
        except Exception as error:
            expected = f"a value that {name} can take (it raised {type(error).__name__})"
            raise ValueProblem(expected, value) from error
        if came is not None and not is_of(gives, came):
            raise ValueProblem(f"that {name} gives {gives}", came)
        return came

    return safe


def _safe_read(argument: Argument) -> Callable[[Any], Any]:
    def safe(value: Any) -> Any:
        try:
            return argument.read(value)
        except ValueProblem:
            raise
        except Exception as error:
            raise ValueProblem(argument.expected, value) from error

    return safe
