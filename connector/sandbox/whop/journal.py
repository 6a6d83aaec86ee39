"""The changes that tests and API calls made, kept beside the generated records.

A change is one JSON line ``{"kind", "place", "fields"}``; ``fields`` null means
removed. With a directory the lines survive a restart, in a file named after the
sizes and the seed, so that another company never meets foreign changes.
One process writes it: the sandbox is not meant to run twice over one directory.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson


class Change(NamedTuple):
    """One change; ``place`` is the index of the record in its table."""

    kind: str
    place: int
    fields: dict[str, Any] | None


class Journal:
    """An append-only list of changes, on disk when there is a path."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.length = 0

    def replay(self) -> Iterator[Change]:
        """The kept changes, oldest first. A last line cut short by a crash is taken out."""
        if self._path is None or not self._path.exists():
            return
        *lines, rest = self._path.read_bytes().split(b"\n")
        if rest:
            os.truncate(self._path, sum(len(line) + 1 for line in lines))
        for line in lines:
            self.length += 1
            yield Change(**orjson.loads(line))

    def append(self, change: Change) -> None:
        """Keep one more change."""
        self.length += 1
        if self._path is not None:
            with self._path.open("ab") as file:
                file.write(orjson.dumps(change._asdict()) + b"\n")
