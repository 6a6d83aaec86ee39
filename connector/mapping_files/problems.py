"""Mistakes of mapping files, gathered so that all of them are reported at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final, Protocol


class Spot(Protocol):
    """A place in a file; lines and columns count from one."""

    @property
    def file(self) -> str: ...
    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


_MOST: Final = 200
"""Mistakes that are told at once: nobody reads more, and a file made to be slow must not be."""
_LONGEST: Final = 100


class Problems:
    """A list of ``file:line:column: found …, expected …``, kept in the files' own order.

    ``advice`` are things that are allowed, and that its author may not have meant.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[str, int, int, str], None] = {}
        self._advice: dict[tuple[str, int, int, str], None] = {}

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, spot: Spot, message: str) -> None:
        """Report a sentence of one's own."""
        self.at(spot.file, spot.line, spot.column, message)

    def at(self, file: str, line: int, column: int, message: str) -> None:
        """Report at a place that has no node."""
        if len(self._found) == _MOST:
            message = f"found more than {_MOST} mistakes, expected the first of them corrected"
        if len(self._found) <= _MOST:
            self._found[file, line, column, message] = None

    def unfit(self, spot: Spot, found: str, expected: str) -> None:
        """Report something of the wrong kind."""
        self.add(spot, f"found {found}, expected {expected}")

    def unknown(self, spot: Spot, name: str, expected: str, among: Iterable[str], also: str = "") -> None:
        """Report a name that does not exist, with the nearest one that does."""
        hint = "" if len(self._found) > _MOST else did_you_mean(name, among)
        self.add(spot, f'found "{_shortened(name)}", expected {expected}{also}{hint}')

    def advise(self, spot: Spot, found: str, expected: str) -> None:
        """Tell of something that works, and that may have been meant otherwise."""
        if len(self._advice) < _MOST:
            self._advice[spot.file, spot.line, spot.column, f"found {found}, expected {expected}"] = None

    def lines(self) -> list[str]:
        """What the operator reads, sorted by file and place."""
        return _told(self._found)

    def advice(self) -> list[str]:
        """The same of what is allowed."""
        return _told(self._advice)


def _told(found: Iterable[tuple[str, int, int, str]]) -> list[str]:
    return [f"{file}:{line}:{column}: {text}" for file, line, column, text in sorted(found)]


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…"


def did_you_mean(name: str, among: Iterable[str], *, cutoff: float = 0.6) -> str:
    """``, did you mean "x"?`` with the nearest name, or nothing where none is near."""
    if len(name) > _LONGEST:
        return ""
    by_small = {one.lower(): one for one in among}
    near = difflib.get_close_matches(name.lower(), by_small, n=1, cutoff=cutoff)
    return f', did you mean "{by_small[near[0]]}"?' if near else ""


def listed(names: Iterable[str]) -> str:
    """``one of a, b, c``; just ``a`` where there is but one."""
    names = list(names)
    return names[0] if len(names) == 1 else f"one of {', '.join(names)}"
