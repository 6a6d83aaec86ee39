"""Mistakes of mapping files, gathered so that all of them are reported at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Protocol


class Spot(Protocol):
    """A place in a file; lines and columns count from one."""

    @property
    def file(self) -> str: ...
    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


class Problems:
    """A list of ``file:line:column: found …, expected …``, kept in the files' own order."""

    def __init__(self) -> None:
        self._found: list[tuple[str, int, int, str]] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, spot: Spot, message: str) -> None:
        """Report a sentence of one's own."""
        self.at(spot.file, spot.line, spot.column, message)

    def at(self, file: str, line: int, column: int, message: str) -> None:
        """Report at a place that has no node."""
        entry = (file, line, column, message)
        if entry not in self._found:
            self._found.append(entry)

    def unfit(self, spot: Spot, found: str, expected: str) -> None:
        """Report something of the wrong kind."""
        self.add(spot, f"found {found}, expected {expected}")

    def unknown(self, spot: Spot, name: str, expected: str, among: Iterable[str], also: str = "") -> None:
        """Report a name that does not exist, with the nearest one that does."""
        self.add(spot, f'found "{name}", expected {expected}{also}{did_you_mean(name, among)}')

    def lines(self) -> list[str]:
        """What the operator reads, sorted by file and place."""
        return [f"{file}:{line}:{column}: {text}" for file, line, column, text in sorted(self._found)]


def did_you_mean(name: str, among: Iterable[str]) -> str:
    """``, did you mean "x"?`` with the nearest name, or nothing where none is near."""
    by_small = {one.lower(): one for one in among}
    near = difflib.get_close_matches(name.lower(), by_small, n=1, cutoff=0.6)
    return f', did you mean "{by_small[near[0]]}"?' if near else ""


def listed(names: Iterable[str]) -> str:
    """``one of a, b, c``; just ``a`` where there is but one."""
    names = list(names)
    return names[0] if len(names) == 1 else f"one of {', '.join(names)}"
