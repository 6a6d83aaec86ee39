"""What a bench prints: a line for each figure beside its goal, and a summary line."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_HOLDS = {"<=": operator.le, ">=": operator.ge, "==": operator.eq}


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. ``goal`` is a comparison and a bound; None: for orientation only."""

    name: str
    value: float
    unit: str
    goal: tuple[str, float] | None = None
    note: str = ""

    @property
    def met(self) -> bool:
        """Whether the goal holds, as far as there is one."""
        return self.goal is None or bool(_HOLDS[self.goal[0]](self.value, self.goal[1]))

    def line(self) -> str:
        """Name, value, goal and whether it is met."""
        goal = f"goal {self.goal[0]} {self.goal[1]:g} {self.unit}" if self.goal else ""
        verdict = ("met" if self.met else "MISSED") if self.goal else ""
        figure = f"{self.name:<58} {self.value:>10.3f} {self.unit:<10}"
        return f"{figure} {goal:<26} {verdict:<7} {self.note}".rstrip()


@dataclass(slots=True)
class Report:
    """The figures of one bench in the order they were measured."""

    name: str
    figures: list[Figure] = field(default_factory=list)

    def add(
        self, name: str, value: float, unit: str, goal: tuple[str, float] | None = None, note: str = ""
    ) -> None:
        """Keep a figure."""
        self.figures.append(Figure(name, value, unit, goal, note))

    @property
    def met(self) -> bool:
        """Whether every goal is met."""
        return all(figure.met for figure in self.figures)

    def lines(self) -> Iterator[str]:
        """One line a figure, and the summary."""
        yield from (figure.line() for figure in self.figures)
        goals = [figure for figure in self.figures if figure.goal]
        met = sum(figure.met for figure in goals)
        yield f"bench {self.name}: {met} of {len(goals)} goals met"

    def document(self) -> dict[str, Any]:
        """The same as data."""
        return {
            "bench": self.name,
            "met": self.met,
            "figures": [
                {
                    "name": one.name,
                    "value": one.value,
                    "unit": one.unit,
                    "goal": list(one.goal) if one.goal else None,
                    "met": one.met,
                    "note": one.note,
                }
                for one in self.figures
            ],
        }
