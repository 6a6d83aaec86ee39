"""Functions on text and lists, and look-ups by a table of the file."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from connector.core.mapping import ValueProblem
from connector.core.transforms.kit import (
    ANY_PLAIN,
    TEXT,
    Argument,
    Example,
    Transform,
    as_text,
    some_text,
    text_of,
    whole,
)


def _trim(value: Any, _: Any) -> str:
    return text_of(value).strip()


def _lower(value: Any, _: Any) -> str:
    return text_of(value).lower()


def _upper(value: Any, _: Any) -> str:
    return text_of(value).upper()


def _capitals(value: Any, _: Any) -> str:
    return " ".join(f"{word[:1].upper()}{word[1:].lower()}" for word in text_of(value).split(" "))


def _words(value: Any, _: Any) -> str:
    words = " ".join(text_of(value).replace("_", " ").replace("-", " ").split())
    return f"{words[:1].upper()}{words[1:]}"


def _one_line(value: Any, _: Any) -> str:
    return " ".join(text_of(value).split())


def _text(value: Any, _: Any) -> str:
    return as_text(value)


def _cut(value: Any, length: int) -> str:
    return text_of(value)[:length]


def _before(value: Any, mark: str) -> str:
    return text_of(value).partition(mark)[0]


def _after(value: Any, mark: str) -> str | None:
    _, found, rest = text_of(value).partition(mark)
    return rest if found else None


def _replace(value: Any, table: Mapping[str, str]) -> str:
    text = text_of(value)
    for old, new in table.items():
        text = text.replace(old, new)
    return text


def _first_item(value: Any, _: Any) -> str | None:
    items = [as_text(item) for item in _listed(value) if item is not None]
    return items[0] if items else None


def _count(value: Any, _: Any) -> int:
    return len(_listed(value))


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise ValueProblem("a list", value)
    return list(value)


class _Lookup(NamedTuple):
    """``otherwise``: what a value becomes that is not listed; None where it stays, "" where it is emptied."""

    table: Mapping[str, str]
    otherwise: str | None
    fails: bool


def _lookup(value: Any, lookup: _Lookup) -> str | None:
    text = as_text(value)
    found = lookup.table.get(text)
    if found is not None:
        return found
    if lookup.fails:
        raise ValueProblem("a value that the table lists", value)
    return text if lookup.otherwise is None else lookup.otherwise or None


def _read_lookup(value: Any) -> _Lookup:
    table = dict(_read_table(value))
    otherwise = table.pop("otherwise", None)
    if not table:
        raise ValueProblem("a table of texts, like {US: United States}", value)
    said = "" if otherwise == "empty" else None if otherwise in {None, "fail"} else otherwise
    return _Lookup(MappingProxyType(table), said, fails=otherwise == "fail")


def _read_table(value: Any) -> Mapping[str, str]:
    if not isinstance(value, dict) or not value:
        raise ValueProblem("a table of texts, like {US: United States}", value)
    return MappingProxyType({as_text(key): _plain(item) for key, item in value.items()})


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        raise ValueProblem("a text, a number, true or false", value)
    return as_text(value)


def _read_replacements(value: Any) -> Mapping[str, str]:
    if not isinstance(value, dict) or not value or not all(isinstance(key, str) and key for key in value):
        raise ValueProblem('a table of texts, like {"_": " "}', value)
    return MappingProxyType({key: "" if new is None else _plain(new) for key, new in value.items()})


_PLAIN_SCHEMA: Final = {"type": ["string", "number", "boolean"]}
_US: Final = {"US": "United States", "SE": "Sweden"}

FUNCTIONS: Final[Mapping[str, Transform]] = {
    "trim": Transform(
        TEXT,
        "text",
        _trim,
        "Takes away white space at both ends.",
        (Example("  Gold Circle ", "Gold Circle"),),
        (Example(12, None),),
    ),
    "lower": Transform(TEXT, "text", _lower, "Writes in small letters.", (Example("ADA", "ada"),)),
    "upper": Transform(TEXT, "text", _upper, "Writes in capital letters.", (Example("ada", "ADA"),)),
    "capitals": Transform(
        TEXT,
        "text",
        _capitals,
        "Begins every word with a capital letter and writes the rest small.",
        (Example("ada BERGSTRÖM lind", "Ada Bergström Lind"),),
        (Example(12, None),),
    ),
    "words": Transform(
        TEXT,
        "text",
        _words,
        "Makes words for people of a word for machines.",
        (Example("past_due", "Past due"), Example("paid-once", "Paid once")),
        (Example(True, None),),
    ),
    "one_line": Transform(
        TEXT,
        "text",
        _one_line,
        "Makes one line of several, with single spaces.",
        (Example("Gold\n  Circle ", "Gold Circle"),),
        (Example(12, None),),
    ),
    "text": Transform(
        ANY_PLAIN | {"list"},
        "text",
        _text,
        "Makes text of a number, of true or false, or of a list.",
        (
            Example(12, "12"),
            Example(12.5, "12.5"),
            Example(True, "true"),
            Example(["vip", "beta"], "vip, beta"),
        ),
        (Example({"a": 1}, None),),
    ),
    "cut": Transform(
        TEXT | {"time"},
        "text",
        _cut,
        "Keeps the first characters, as many as the argument says.",
        (Example("Northwind Signals", "Northwind", 9),),
        (Example(12, None, 9),),
        whole(1, 100_000, "a length from 1 to 100000, like {cut: 200}"),
    ),
    "before": Transform(
        TEXT,
        "text",
        _before,
        "Keeps what stands before the first such sign; all of it where there is none.",
        (Example("gold-monthly", "gold", "-"), Example("gold", "gold", "-")),
        (Example(12, None, "-"),),
        some_text('the text to stop at, like {before: "-"}'),
    ),
    "after": Transform(
        TEXT,
        "text",
        _after,
        "Keeps what stands after the first such sign; nothing where there is none.",
        (Example("gold-monthly", "monthly", "-"), Example("gold", None, "-")),
        (Example(12, None, "-"),),
        some_text('the text to start after, like {after: "-"}'),
    ),
    "replace": Transform(
        TEXT,
        "text",
        _replace,
        "Writes other text for each text of the table, wherever it stands, in their order.",
        (Example("gold_monthly", "gold monthly", {"_": " "}), Example("a--b", "ab", {"-": ""})),
        (Example(12, None, {"_": " "}),),
        Argument(
            'a table of texts, like {replace: {"_": " "}}',
            _read_replacements,
            {
                "type": "object",
                "minProperties": 1,
                "propertyNames": {"minLength": 1},
                "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
            },
        ),
    ),
    "lookup": Transform(
        ANY_PLAIN - {"time"},
        "text",
        _lookup,
        "Replaces a value by what the table says. One that the table does not list stays, unless `otherwise` "
        "says what it becomes: a text, `empty`, or `fail`, which fails the record.",
        (
            Example("plan_g1", "Gold", {"plan_g1": "Gold", "plan_s1": "Silver", "otherwise": "Free"}),
            Example("plan_x", "Free", {"plan_g1": "Gold", "plan_s1": "Silver", "otherwise": "Free"}),
            Example("NO", "NO", _US),
            Example("NO", None, {**_US, "otherwise": "empty"}),
        ),
        (Example("NO", None, {**_US, "otherwise": "fail"}), Example({"a": 1}, None, _US)),
        Argument(
            "a table of texts, like {lookup: {US: United States}}",
            _read_lookup,
            {"type": "object", "minProperties": 1, "additionalProperties": _PLAIN_SCHEMA},
        ),
    ),
    "first_item": Transform(
        frozenset({"list"}),
        "text",
        _first_item,
        "Takes the first of a list.",
        (Example(["vip", "beta"], "vip"), Example([], None)),
        (Example("vip", None), Example([{"a": 1}], None)),
    ),
    "count": Transform(
        frozenset({"list"}),
        "number",
        _count,
        "Counts what a list holds.",
        (Example(["vip", "beta"], 2), Example([], 0)),
        (Example("vip", None),),
    ),
}
