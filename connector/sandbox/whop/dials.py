"""Scripted faults and counts: what a test sets and reads, never by chance.

A fault is ``{"match", "skip", "times", "fault"}``: the requests whose
``"METHOD /path"`` (path below ``/api/v1``, or ``/oauth/…``; without query) fits
the regular expression, after the first ``skip`` of them, ``times`` times (null: always).
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final

FAULTS: Final = {"status", "body", "headers", "cut", "after", "delay", "truncate"}


@dataclass(slots=True)
class Dial:
    """One scripted fault and how often it met and struck."""

    match: str
    fault: dict[str, Any]
    skip: int = 0
    times: int | None = 1
    met: int = 0
    struck: int = 0

    def strikes(self, line: str) -> bool:
        """Count a request; True when this one is to fail."""
        if not re.search(self.match, line):
            return False
        self.met += 1
        if self.met <= self.skip or (self.times is not None and self.struck >= self.times):
            return False
        self.struck += 1
        return True

    def as_json(self) -> dict[str, Any]:
        """The dial as ``GET /sandbox/dials`` shows it."""
        return {name: getattr(self, name) for name in ("match", "skip", "times", "fault", "met", "struck")}


def dial(wanted: dict[str, Any]) -> Dial:
    """A dial from a request's body; raises ValueError naming what is wrong."""
    fault = wanted.get("fault")
    if not isinstance(fault, dict) or not fault or not fault.keys() <= FAULTS:
        raise ValueError(f"fault: expected an object of {sorted(FAULTS)}, found {fault!r}")
    unknown = wanted.keys() - {"match", "skip", "times", "fault"}
    if unknown or not isinstance(wanted.get("match"), str):
        raise ValueError(f"expected match, skip, times and fault, found {sorted(wanted)}")
    try:
        re.compile(wanted["match"])
    except re.error as error:
        raise ValueError(f"match: {error}") from error
    return Dial(wanted["match"], fault, wanted.get("skip", 0), wanted.get("times", 1))


@dataclass(slots=True)
class Dials:
    """All dials in the order they were set; the first that strikes decides."""

    dials: list[Dial] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def fault(self, line: str) -> dict[str, Any] | None:
        """The fault for this request, if any; every dial counts it."""
        with self._lock:
            struck = [known.fault for known in self.dials if known.strikes(line)]
        return struck[0] if struck else None


@dataclass(slots=True)
class Stats:
    """How many requests came, by ``"METHOD /route"``, and how they were answered."""

    requests: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    faults: int = 0
    _lock: Lock = field(default_factory=Lock)

    def came(self, operation: str) -> None:
        """Count a request."""
        with self._lock:
            self.requests[operation] += 1

    def answered(self, status: int) -> None:
        """Count an answer."""
        with self._lock:
            self.statuses[str(status)] += 1

    def struck(self) -> None:
        """Count a fault that was played."""
        with self._lock:
            self.faults += 1

    def as_json(self) -> dict[str, Any]:
        """``{"requests": {…, "total": n}, "statuses": {…}, "faults": n}``."""
        requests = {**dict(sorted(self.requests.items())), "total": self.requests.total()}
        return {
            "requests": requests,
            "statuses": dict(sorted(self.statuses.items())),
            "faults": self.faults,
        }

    def clear(self) -> None:
        """Count anew."""
        with self._lock:
            self.requests.clear()
            self.statuses.clear()
            self.faults = 0
