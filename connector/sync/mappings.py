"""What each workspace maps by: the shipped files, and its own in their place.

Which change of its files is in force stands in the workspace's row, which whoever asks has read anyway. So
what was loaded once is found again by that number, in every process, and is never out of date.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator
from collections.abc import Mapping as MappingType
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from connector.core.mapping import Mapping
from connector.errors import MappingFileError, OwnMappingError, RefusedError
from connector.mapping_files import FileMapping, MappingSet, Recipe
from connector.store import mappings, workspaces
from connector.store.db import Database
from connector.store.runs import Run
from connector.store.workspaces import Workspace

Texts = MappingType[str, str]
"""File name → the file's text."""

_KEPT_LATELY: Final = timedelta(hours=1)  # nothing of a day is ever forgotten
_REMEMBERED: Final = 64
"""Sets that a process keeps loaded; a set is some hundred KB."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """The files that a workspace maps by. ``kept`` are the kinds that are kept for what they add up to,
    beside those that are mapped.
    """

    files: MappingSet
    kept: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[FileMapping]:
        return iter(self.files)

    @property
    def version(self) -> str:
        """The hash of all the texts: what a run records."""
        return self.files.version

    @property
    def mappings(self) -> tuple[FileMapping, ...]:
        """All of them, parents before children."""
        return self.files.mappings


@dataclass(slots=True)
class Mappings:
    """``shipped`` are the operator's files, which hold for all who have none of their own. ``load`` checks
    texts; ``summed`` says which kinds some mappings need to have kept. ``recipes`` may be switched on.
    """

    database: Database
    shipped: MappingSet
    load: Callable[[Texts], MappingSet]
    summed: Callable[[Iterable[Mapping]], tuple[str, ...]]
    recipes: tuple[Recipe, ...] = ()
    _known: OrderedDict[Hashable, Mapped] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, workspace_id: str) -> Mapped:
        """What this workspace maps by now. Raises OwnMappingError as ``in_force``."""
        with self.database.reading() as session:
            workspace = workspaces.get(session, workspace_id)
        return self.in_force(workspace)

    def in_force(self, workspace: Workspace) -> Mapped:
        """The same, of a row that was just read.

        Raises OwnMappingError where the workspace's own files do not go with those that are shipped now.
        """
        if workspace.mapping_change is None:
            return self._remembered("", lambda: self.shipped)
        key = (workspace.id, workspace.mapping_change)
        try:
            return self._remembered(key, lambda: self.load(self.texts(workspace)))
        except MappingFileError as error:
            raise OwnMappingError(error.problems) from error

    def if_it_loads(self, workspace: Workspace) -> Mapped | None:
        """What is in force; None where it does not load any more."""
        with suppress(OwnMappingError):
            return self.in_force(workspace)
        return None

    def checked(self, texts: Texts) -> Mapped:
        """Files that are not in force. Raises MappingFileError naming every mistake."""
        files = self.load(texts)
        return Mapped(files, self.summed(files))

    def of_run(self, run: Run, workspace: Workspace) -> Mapped:
        """What a run maps by: to its end that with which it began."""
        if run.mapping_version is None:
            return self.in_force(workspace)
        now = self.if_it_loads(workspace)  # what is wrong with the newest concerns later runs
        if now is not None and now.version == run.mapping_version:
            return now
        return self.of_version(run.workspace_id, run.mapping_version) or self.in_force(workspace)

    def of_version(self, workspace_id: str, version: str) -> Mapped | None:
        """A set of this workspace by its hash; None for one that was never kept."""
        with self.database.reading() as session:
            texts = mappings.kept_set(session, workspace_id, version)
        return None if texts is None else self._remembered((workspace_id, version), lambda: self.load(texts))

    def recipe(self, name: str) -> Recipe:
        """One of those that may be switched on. Raises RefusedError naming them."""
        for one in self.recipes:
            if one.name == name:
                return one
        known = ", ".join(one.name for one in self.recipes)
        raise RefusedError(f"No recipe is called {name!r}; there are {known}.", code="no_recipe")

    def texts(self, workspace: Workspace) -> dict[str, str]:
        """The text of every file in force, by its name."""
        with self.database.reading() as session:
            own = mappings.own(session, workspace.id, workspace.mapping_change)
        return overlaid(self.shipped.texts, own)

    def keep(self, workspace_id: str, found: Mapped, now: datetime) -> None:
        """Keep a set, so that the run that begins with it has it to its end, whatever changes meanwhile."""
        with self.database.reading() as session:
            if mappings.is_kept(session, workspace_id, found.version, now - _KEPT_LATELY):
                return
        with self.database.transaction() as session:
            mappings.keep_set(session, workspace_id, found.version, found.files.texts, now)

    def _remembered(self, key: Hashable, load: Callable[[], MappingSet]) -> Mapped:
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        files = load()
        made = Mapped(files, self.summed(files))
        with self._lock:
            self._known[key] = made
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return made


def overlaid(shipped: Texts, own: MappingType[str, str | None]) -> dict[str, str]:
    """The shipped files, with the workspace's own in their place; None: that file is not used."""
    texts: dict[str, str | None] = {**shipped, **own}
    return {name: text for name, text in texts.items() if text is not None}
