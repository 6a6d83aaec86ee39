"""Scripted faults: which requests fail, and how (the connector never calls this; tests do).

A dial is {"match", "skip", "times", "fault"}. `match` is a GraphQL root field, or a regex (with a blank)
on "METHOD path?query".
The first `skip` matches pass, the next `times` fail (absent: all). `fault` holds any of
    {"status": 500, "body": …, "headers": {…}, "when": "before" | "after"}
    {"graphql_error": {"message": …, "extensions": {…}}, "when": "before" | "after"}
    {"cut": "before" | "after"}   close the connection without an answer, work undone or done
    {"delay": seconds}            then go on
    {"truncate": bytes}           send that much of the answer, then close
"""

import re
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Dial:
    match: str
    fault: dict[str, Any]
    skip: int = 0
    times: int | None = None
    seen: int = field(default=0)

    def hits(self, roots: tuple[str, ...], line: str) -> bool:
        if self.match not in roots and not (" " in self.match and re.search(self.match, line)):
            return False
        self.seen += 1
        used = self.seen - self.skip
        return used > 0 and (self.times is None or used <= self.times)

    def shown(self) -> dict[str, Any]:
        told = {"match": self.match, "skip": self.skip, "times": self.times}
        return {**told, "fault": self.fault, "seen": self.seen}


class Dials:
    def __init__(self) -> None:
        self._dials: list[Dial] = []

    def add(self, given: dict[str, Any]) -> None:
        known = {name: given[name] for name in ("match", "fault", "skip", "times") if name in given}
        self._dials.append(Dial(**known))

    def clear(self) -> None:
        self._dials.clear()

    def shown(self) -> list[dict[str, Any]]:
        return [dial.shown() for dial in self._dials]

    def fault(self, roots: tuple[str, ...], line: str) -> dict[str, Any]:
        """The fault of this request: the first dial that hits; {} if none does."""
        for dial in self._dials:
            if dial.hits(roots, line):
                return dial.fault
        return {}
