"""YAML text → nodes that know their place in the file.

A careful subset of YAML: no aliases or anchors (a small file cannot grow), no tags, no second document,
no key twice, and the booleans of YAML 1.2 (``no`` and ``on`` stay text).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

from connector.mapping_files.problems import Problems

MOST_BYTES: Final = 256 * 1024
MOST_DEPTH: Final = 12

_NO_TEXT: Final = "found a character that is no text, expected UTF-8 text"

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEAN: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT: Final = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})\.[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value; ``text`` is how it is written, ``value`` what YAML takes it for."""

    file: str
    line: int
    column: int
    text: str
    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    file: str
    line: int
    column: int
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Keys with their values, by the text of the key, in the file's order."""

    file: str
    line: int
    column: int
    entries: dict[str, tuple[Scalar, Node]]


Node = Scalar | Sequence | Table


def plain(node: Node) -> Any:
    """The node as an ordinary Python value."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key: plain(value) for key, (_, value) in node.entries.items()}


def shown(node: Node) -> str:
    """The node as a message shows it."""
    if isinstance(node, Sequence):
        return "a list"
    if isinstance(node, Table):
        return "a table of keys"
    if node.value is None:
        return "nothing"
    text = node.text if len(node.text) <= 60 else f"{node.text[:60]}…"
    return f'"{text}"' if isinstance(node.value, str) else text


def compose(file: str, text: str, problems: Problems) -> Node | None:
    """The nodes of a file; None where it cannot be read, which ``problems`` then tells."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        problems.at(file, 1, 1, _NO_TEXT)
        return None
    if size > MOST_BYTES:
        problems.at(file, 1, 1, f"found {size // 1024} KB, expected at most {MOST_BYTES // 1024} KB")
        return None
    try:
        return _Composer(file, text, problems).document()
    except _Stop:
        return None
    except yaml.YAMLError as error:
        problems.at(file, *_told(error, text))
        return None


class _Stop(Exception):
    """The rest of the file cannot be read."""


class _Composer:
    """Walks the events of the YAML parser; each method leaves them after the node it made."""

    def __init__(self, file: str, text: str, problems: Problems) -> None:
        self._file = file
        self._problems = problems
        self._events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)

    def document(self) -> Node | None:
        next(self._events)  # the start of the stream
        if isinstance(next(self._events), yaml.StreamEndEvent):
            self._problems.at(self._file, 1, 1, "found an empty file, expected a mapping")
            return None
        node = self._node(next(self._events), 1)
        next(self._events)  # the end of the document
        after = next(self._events)
        if isinstance(after, yaml.DocumentStartEvent):
            self._stop(after, 'found a second document ("---"), expected one mapping per file')
        return node

    def _node(self, event: Any, depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            self._stop(event, f'found the alias "*{event.anchor}", expected it written out in full')
        if depth > MOST_DEPTH:
            self._stop(
                event, f"found more than {MOST_DEPTH} levels inside each other, expected a flatter file"
            )
        if event.anchor is not None:
            self._report(event, f'found the anchor "&{event.anchor}", expected a value without one')
        if event.tag is not None:
            self._report(event, f'found the tag "{event.tag}", expected a value without one')
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return Sequence(self._file, *_place(event), self._items(depth))
        return Table(self._file, *_place(event), self._entries(depth))

    def _scalar(self, event: Any) -> Scalar:
        value = _resolved(event.value) if not event.style else event.value
        return Scalar(self._file, *_place(event), event.value, value)

    def _items(self, depth: int) -> tuple[Node, ...]:
        items = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return tuple(items)

    def _entries(self, depth: int) -> dict[str, tuple[Scalar, Node]]:
        entries: dict[str, tuple[Scalar, Node]] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key, value = self._node(event, depth + 1), self._node(next(self._events), depth + 1)
            if not isinstance(key, Scalar):
                self._problems.unfit(key, shown(key), "a name as the key")
            elif key.text in entries:
                earlier = entries[key.text][0].line
                self._problems.add(
                    key, f'found "{key.text}" twice, expected it once (first on line {earlier})'
                )
            else:
                entries[key.text] = (key, value)
        return entries

    def _report(self, event: Any, message: str) -> None:
        self._problems.at(self._file, *_place(event), message)

    def _stop(self, event: Any, message: str) -> None:
        self._report(event, message)
        raise _Stop


def _place(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _resolved(text: str) -> str | int | float | bool | None:
    if text in _NULL:
        return None
    if text in _BOOLEAN:
        return _BOOLEAN[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _told(error: yaml.YAMLError, text: str) -> tuple[int, int, str]:
    """Line, column and words for text that is not YAML."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return 1, 1, _NO_TEXT
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    if "\t" in line[: mark.column + 1]:
        return mark.line + 1, line.index("\t") + 1, "found a tab, expected spaces"
    what = " ".join(
        part for part in (getattr(error, "context", None), getattr(error, "problem", None)) if part
    )
    return mark.line + 1, mark.column + 1, f"found text that is not YAML: {what}"
