"""Nodes → the plain things a mapping is made of; what does not fit is reported and read as absent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from connector.mapping_files.nodes import Node, Scalar, Sequence, Table, shown
from connector.mapping_files.problems import Problems, listed

Word = TypeVar("Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Part:
    """A table of the file whose keys were checked: ask it for one key after the other."""

    table: Table
    problems: Problems

    def __contains__(self, key: str) -> bool:
        return key in self.table.entries

    def node(self, key: str) -> Node | None:
        """The value of a key, or None where the key is absent."""
        entry = self.table.entries.get(key)
        return entry[1] if entry else None

    def spot(self, key: str) -> Scalar:
        """The place of a key that is there."""
        return self.table.entries[key][0]

    def entries(self) -> Iterator[tuple[str, Scalar, Node]]:
        """Name, its place, and its value."""
        for name, (spot, node) in self.table.entries.items():
            yield name, spot, node

    def text(self, key: str) -> str | None:
        """Some text; numbers and the like are refused."""
        node = self.node(key)
        return None if node is None else text_of(node, self.problems)

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        node = self.node(key)
        if node is None:
            return default
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return node.value
        self.problems.unfit(node, shown(node), "true or false")
        return default

    def word(self, key: str, words: type[Word], default: Word) -> Word:
        """One of a few words."""
        node = self.node(key)
        if node is None:
            return default
        if isinstance(node, Scalar) and node.text in list(words):
            return words(node.text)
        among = [word.value for word in words]
        if isinstance(node, Scalar) and node.text:
            self.problems.unknown(node, node.text, listed(among), among)
        else:
            self.problems.unfit(node, shown(node), listed(among))
        return default

    def part(self, key: str, what: str, known: Mapping[str, str] | None = None) -> Part | None:
        """A table inside this one; ``known`` names its keys where they are fixed."""
        node = self.node(key)
        return None if node is None else part_of(node, self.problems, what, known)


def part_of(node: Node, problems: Problems, what: str, known: Mapping[str, str] | None = None) -> Part | None:
    """The node as a table, its unknown keys reported where ``known`` names them."""
    if not isinstance(node, Table):
        problems.unfit(node, shown(node), f"{what}: a table of keys")
        return None
    if known is not None:
        for name, (spot, _) in node.entries.items():
            if name not in known:
                problems.unknown(spot, name, f"{listed(sorted(known))} in {what}", known)
    return Part(node, problems)


def text_of(node: Node, problems: Problems, expected: str = "text") -> str | None:
    """The node as text."""
    if isinstance(node, Scalar) and isinstance(node.value, str) and node.value.strip():
        return node.value
    problems.unfit(node, shown(node), expected)
    return None


def texts_of(node: Node, problems: Problems, expected: str) -> list[tuple[Scalar, str]]:
    """A text or a list of texts, each with its place."""
    nodes = node.items if isinstance(node, Sequence) else (node,)
    if not nodes:
        problems.unfit(node, "an empty list", expected)
    found = []
    for one in nodes:
        text = text_of(one, problems, expected)
        if text is not None and isinstance(one, Scalar):
            found.append((one, text))
    return found


def missing(problems: Problems, part: Part, what: str, key: str) -> None:
    """Report a key that must be there."""
    problems.unfit(part.table, f"{what} without {key}:", f"{key}:")
