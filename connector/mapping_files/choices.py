"""The choices of a line: what the source says → what the CRM is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from connector.core import rules
from connector.core.mapping import Filter
from connector.core.records import UNKNOWN
from connector.mapping_files.nodes import Node, Scalar, Table, shown
from connector.mapping_files.problems import Problems, listed
from connector.mapping_files.reading import Part, part_of
from connector.mapping_files.slips import check_words
from connector.mapping_files.values import Ending, Finisher, Value, said
from connector.mapping_files.world import Flow, World

_CHOOSABLE: Final = frozenset({"text", "id", "number", "boolean"})
_WORDS: Final = ("keep", "empty", "fail")
_FAIL: Final = object()


class Choices:
    """The tables of one file, and the words that may come to them."""

    def __init__(self, tables: Mapping[str, Table], kind: str, only: Sequence[Filter], world: World) -> None:
        self._tables = tables
        self._problems = world.problems
        self._words = world.source.words.get(kind, {})
        self._only = only
        self._used: set[str] = set()

    def of(self, part: Part, ending: Ending) -> Finisher | None:
        """The ``choices`` of a line, by name or written there; None where there are none to be used."""
        node = part.node("choices")
        if isinstance(node, Scalar) and isinstance(node.value, str):
            table = self._tables.get(node.value)
            if table is None:
                self._problems.unknown(node, node.value, "the name of a table under choices:", self._tables)
                return None
            self._used.add(node.value)
        elif node is None:
            return None
        else:
            inline = part_of(node, self._problems, "choices")
            if inline is None:
                return None
            table = inline.table
        return self._compiled(table, node, ending)

    def advise_unused(self) -> None:
        """Tell of tables that no line names: mostly one whose field was taken away, or renamed."""
        for name, table in self._tables.items():
            if name not in self._used:
                self._problems.advise(
                    table, f'the choices "{name}", which no field names', f"a field with choices: {name}"
                )

    def _compiled(self, table: Table, spot: Node, ending: Ending) -> Finisher:
        answers = [
            (key, _answer(node, ending, self._problems))
            for name, (key, node) in table.entries.items()
            if name != "otherwise"
        ]
        listed_ = [key.text for key, _ in answers]
        unlisted = _otherwise(table, listed_, ending, self._problems)

        def finisher(value: Value) -> rules.Finish:
            flow = value.flow
            if not flow <= _CHOOSABLE:
                self._problems.unfit(spot, f"{said(flow)} for choices", listed(sorted(_CHOOSABLE)))
            self._check_words(table, [key for key, _ in answers], value.path)
            return _chosen(_by_value(answers, flow, self._problems), listed_, unlisted)

        return finisher

    def _check_words(self, table: Table, keys: Sequence[Scalar], path: str | None) -> None:
        """None is misspelt, and it is told which words that the source sends have no answer of their own.

        That is advice and no mistake: otherwise a file would stop working when a newer version of the
        connector knows of one word more.
        """
        known = self._words.get(path, ()) if path is not None else ()
        coming = [word for word in known if self._passes(path, word)]
        there = {key.text for key in keys}
        left_out = [word for word in coming if word not in there]
        if path is not None:
            check_words(keys, known, left_out, path, self._problems)
        if left_out and _only_for_the_unknown(table):
            self._problems.advise(
                table,
                f"choices without {', '.join(left_out)}",
                f"an answer for every word that {path} is known to hold "
                "(keep, empty and fail are answers; so is a value under otherwise:)",
            )

    def _passes(self, path: str | None, word: str) -> bool:
        """Whether a record with this word is not left out by ``only``."""
        return all((word in one.values) is not one.negated for one in self._only if one.path == path)


def _only_for_the_unknown(table: Table) -> bool:
    """Whether ``otherwise`` is no answer of its own, but a way to stand what nobody knew of."""
    _, node = table.entries.get("otherwise", (None, None))
    return isinstance(node, Scalar) and node.text in _WORDS


def _answer(node: Node, ending: Ending, problems: Problems) -> Any:
    """What one word becomes: a stored value, or what one of the three words asks for."""
    word = node.text if isinstance(node, Scalar) else None
    if word == "keep":
        return UNKNOWN
    if word == "empty":
        return None
    if word == "fail":
        return _FAIL
    return ending.stored(node, problems)


def _chosen(table: dict[Any, Any], listed_: Sequence[str], unlisted: rules.Unlisted) -> rules.Finish:
    refused = {value for value, answer in table.items() if answer is _FAIL}
    if not refused:
        return rules.choose(table, unlisted)
    refuse = rules.fail([word for word in listed_ if word not in refused])
    rest = {value: answer for value, answer in table.items() if value not in refused}
    return rules.choose(rest, lambda value: refuse(value) if value in refused else unlisted(value))


def check_otherwise(table: Table, problems: Problems) -> None:
    """A table says what becomes of what it does not list, also one that no field names yet."""
    if "otherwise" not in table.entries:
        problems.unfit(table, "choices without otherwise:", "otherwise: keep, empty, fail, or a value")
        return
    node = table.entries["otherwise"][1]
    if not isinstance(node, Scalar) or node.value is None:
        problems.unfit(node, shown(node), "keep, empty, fail, or a value")


def _otherwise(table: Table, known: list[str], ending: Ending, problems: Problems) -> rules.Unlisted:
    check_otherwise(table, problems)
    if "otherwise" not in table.entries:
        return rules.keep
    node = table.entries["otherwise"][1]
    word = node.text if isinstance(node, Scalar) and node.value is not None else None
    if word == "keep":
        return rules.keep
    if word == "empty":
        return rules.empty
    if word == "fail":
        return rules.fail(known)
    if word is None:
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
