"""Notes and tasks in the CRM, as the conductor has them left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from connector.core.notes import Kind
from connector.core.undoing import LeftNote
from connector.errors import RecordError


@dataclass(frozen=True, slots=True)
class NewNote:
    """A note, or a task, to be left in the CRM under an id of ours.

    ``text`` is markdown. ``targets`` are the records that it stands beside: object and id. ``assignee`` is ""
    for nobody, ``owner`` for whoever owns one of these records, or a member's e-mail address.
    """

    id: str
    kind: Kind
    title: str
    text: str
    targets: tuple[tuple[str, str], ...]
    due_at: str | None = None
    assignee: str = ""


class Noter(Protocol):
    """Leaves notes and tasks in one CRM workspace."""

    def leave(self, notes: Sequence[NewNote]) -> dict[str, RecordError]:
        """Make these, once: what is there under its id, or was and somebody deleted it, is left as it is.

        By id why one could not be made. Raises TryLaterError, ReconnectError or SchemaError when it is not
        known what was made: doing the same again is safe.
        """
        ...

    def close(self, task_ids: Sequence[str]) -> None:
        """Mark tasks as done; those that somebody deleted are left alone. Raises as ``leave``."""
        ...

    def look(self, kind: Kind, ids: Sequence[str]) -> dict[str, LeftNote]:
        """Those of these that the CRM has, in its bin or out of it, by id. Raises as ``leave``."""
        ...

    def remove(self, kind: Kind, notes: Sequence[LeftNote]) -> set[str]:
        """Move these to the bin, as far as they are as they were looked at; the ids of those that went.

        Raises as ``leave``.
        """
        ...
