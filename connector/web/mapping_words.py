"""A mapping file in plain words, its lines with what is wrong in them, and a record on its way through."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from connector.core.gone import Gone
from connector.core.mapping import FieldRule, LinkRule, Mapping, OnNull, Own, UnknownChoice, ValueProblem
from connector.core.outcomes import Outcome
from connector.core.records import UNKNOWN, SourceRecord
from connector.mapping_files import FileMapping
from connector.web import present
from connector.web.present import Value
from connector.web.vocabulary import Vocabulary

OWN: Final = {
    Own.ALWAYS: "Whop decides: what somebody types over it in Twenty is put back",
    Own.FILL: "Filled in while it is empty in Twenty; what somebody typed there stays",
    Own.ONCE: "Written when the record is made, then left alone",
    Own.NEVER: "Never written",
}
ON_NULL: Final = {
    OnNull.CLEAR: "It is emptied",
    OnNull.KEEP: "It is left as it is",
    OnNull.SKIP: "The whole record is left out",
}
_DELETED: Final = {
    "respect": "Stays deleted: somebody wanted it so.",
    "restore": "Is taken out of Twenty’s bin again.",
    "recreate": "Is made anew.",
}
_PLACE: Final = re.compile(r"^(?P<file>[^:]+):(?P<line>\d+):(?P<column>\d+): (?P<text>.*)$", re.DOTALL)


class Problem(NamedTuple):
    """What is wrong at a place of a file; line 0: at none."""

    file: str
    line: int
    column: int
    text: str


class Line(NamedTuple):
    """A line of a file with what is wrong in it."""

    number: int
    text: str
    problems: list[Problem]


class Rule(NamedTuple):
    """One field in words."""

    field: str
    source: str
    own: str
    empty: str
    line: int


class Step(NamedTuple):
    """One field of one record: what Whop says, and what Twenty has and would have.

    ``state`` is changed, same, left, unknown, never or wrong; ``line`` is where the rule stands.
    """

    field: str
    source: Value
    before: Value
    after: Value
    state: str
    line: int
    wrong: str = ""


def problems_of(told: Sequence[str]) -> list[Problem]:
    """The sentences of a MappingFileError, taken apart."""
    found = []
    for one in told:
        at = _PLACE.match(one)
        found.append(
            Problem(at["file"], int(at["line"]), int(at["column"]), at["text"])
            if at
            else Problem("", 0, 0, one)
        )
    return found


def marked(text: str, file: str, problems: Sequence[Problem]) -> list[Line]:
    """The lines of a file, each with what is wrong in it."""
    lines = text.split("\n")[:20_000]
    mine = [one for one in problems if one.file == file]
    return [
        Line(number, line, [one for one in mine if one.line == number])
        for number, line in enumerate(lines, start=1)
    ]


def rules(mapping: Mapping, words: Vocabulary) -> list[Rule]:
    """Field by field: where its value comes from, and whose it is."""
    name = mapping.object.name
    found = [
        Rule(words.field(name, one.spec.name), one.source, OWN[one.own], ON_NULL[one.on_null], one.line)
        for one in mapping.fields
    ]
    links = [
        Rule(words.field(name, one.spec.name), f"the {one.kind} of {one.source}", OWN[one.own], "", one.line)
        for one in mapping.links
    ]
    return found + links


def matched(mapping: Mapping, words: Vocabulary) -> str:
    """Which fields tell that a record is in Twenty already."""
    names = [words.field(mapping.object.name, one.field) for one in mapping.match]
    return ", then ".join(names) or "nothing: each record is made anew"


def when_gone(mapping: Mapping, words: Vocabulary) -> str:
    """What becomes of a record that is gone from Whop."""
    gone, object_ = mapping.when_gone, mapping.object.name
    if gone.do is Gone.KEEP:
        return "Stays in Twenty as it is."
    if gone.do is Gone.DELETE:
        return "Goes into Twenty’s bin, where only we made it and nobody has changed it since."
    field = words.field(object_, gone.field or "")
    value = words.told(object_, gone.field or "", gone.value)
    return f"Gets {field}: {value}." if value else f"Has {field} emptied."


def when_deleted(mapping: Mapping) -> str:
    """What becomes of a record that somebody deleted in Twenty."""
    return _DELETED[mapping.when_deleted.value]


def steps(
    record: SourceRecord, mapping: FileMapping, outcome: Outcome | None, words: Vocabulary
) -> Iterator[Step]:
    """One record on its way, field by field; a field that cannot be told says why, the others go on."""
    rules_: tuple[FieldRule | LinkRule, ...] = (*mapping.fields, *mapping.links)
    for rule in rules_:
        name = words.field(mapping.object.name, rule.spec.name)
        source = _source(rule, record)
        labels = mapping.labels.get(rule.spec.name)
        try:
            value = _read(rule, record)
        except ValueProblem as problem:
            wrong = f"expected {problem.expected}, found {problem.found}"
            yield Step(name, source, Value(""), Value(""), "wrong", rule.line, wrong)
            continue
        yield _step(rule, name, source, value, outcome, labels)


def _read(rule: FieldRule | LinkRule, record: SourceRecord) -> Any:
    value = rule.read(record.fields) if isinstance(rule, FieldRule) else rule.read_id(record.fields)
    return value.instead if type(value) is UnknownChoice else value


def _step(
    rule: FieldRule | LinkRule,
    name: str,
    source: Value,
    value: Any,
    outcome: Outcome | None,
    labels: Any,
) -> Step:
    before = (outcome.before or {}) if outcome else {}
    after = (outcome.after or {}) if outcome and outcome.error is None else {}
    field = rule.spec.name
    if rule.own is Own.NEVER:
        return Step(name, source, Value(""), Value(""), "never", rule.line)
    if field in after:
        shown = value if isinstance(rule, LinkRule) else after[field]
        was = present.value(before.get(field), labels)
        return Step(name, source, was, present.value(shown, labels), "changed", rule.line)
    if value is UNKNOWN:
        return Step(name, source, Value(""), Value(""), "unknown", rule.line)
    state = "same" if outcome and outcome.result.value in ("created", "updated", "unchanged") else "left"
    return Step(name, source, Value(""), present.value(value, labels), state, rule.line)


def _source(rule: FieldRule | LinkRule, record: SourceRecord) -> Value:
    """What Whop says in the places that the rule reads: the first that is not empty."""
    for path in re.findall(r"[a-z_][a-z0-9_.]*", rule.source):
        value: Any = record.fields
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if isinstance(value, dict) and {"amount", "currency"} <= value.keys():
            return Value(f"{value['amount']} {value['currency']}")
        if value is not None:
            return present.value(value)
    return Value("")


def diff(before: str, after: str) -> list[tuple[str, str]]:
    """Lines with what became of them: del, ins, or empty for those around them."""
    found = []
    for line in list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2))[2:]:
        kind = {"-": "del", "+": "ins", "@": "gap"}.get(line[:1], "")
        found.append((kind, "…" if kind == "gap" else line[1:]))
    return found
