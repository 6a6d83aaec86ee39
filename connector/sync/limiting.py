"""Changes while they stream: more than the mapping allows a sync to make are not made before an admin agrees.

What is over the limit is not sent. The run is paused with its place kept, until somebody says yes to it
(``answering.agree``): neither a new credential nor resuming the connection is such a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from connector.core.limits import is_too_much
from connector.core.mapping import Mapping
from connector.core.plan import Action
from connector.errors import RefusedError
from connector.store import removals, runs
from connector.store.runs import Run
from connector.sync.scope import Item, Scope

ASKED: Final = "asked_changes"
"""In a run's checkpoint: the objects it was paused for once. It goes on only by somebody's word."""

_OF_ITSELF: Final = ("full", "incremental")


class ManyChangesError(RefusedError):
    """The next request would change more than the mapping allows."""

    code = "many_changes"
    remedy = "See what was changed. Then let it change the rest too, or cancel it."

    def __init__(self, message: str, object_: str) -> None:
        super().__init__(message)
        self.object = object_


class Ceiling:
    """Counts the changes of one object in a run, as they are about to be sent."""

    def __init__(self, scope: Scope, mapping: Mapping) -> None:
        self._object, self._percent = mapping.object.name, mapping.limits.most_changed
        self._count = scope.run.counts.get(self._object, {}).get("updated", 0)
        self._of: int | None = None
        if self._percent is not None and scope.run.type in _OF_ITSELF and not _is_agreed(scope.run, mapping):
            with scope.database.reading() as session:
                self._of = removals.count(session, scope.claims(mapping))

    def add(self, items: Sequence[Item]) -> None:
        """These are sent next. Raises ManyChangesError where that would be too many."""
        if self._of is None or self._percent is None:
            return
        count = self._count + sum(1 for item in items if item.plan and item.plan.action is Action.UPDATE)
        if count > self._count and is_too_much(count, self._of, self._percent):
            raise ManyChangesError(
                f"It would change more than {self._percent} % of the {self._of:,} records that are there "
                f"({self._object}); {self._count:,} were changed so far.",
                self._object,
            )
        self._count = count


def paused(run: Run, error: ManyChangesError) -> dict[str, Any]:
    """The change of a run that is paused for this: it will have been asked about."""
    asked = sorted({*run.checkpoint.get(ASKED, ()), error.object})
    return {"status": "paused", "checkpoint": {**run.checkpoint, ASKED: asked}}


def asks(run: Run) -> bool:
    """Whether a run waits for somebody's word because of this."""
    return run.status == "paused" and (run.error or {}).get("code") in runs.ASKING


def _is_agreed(run: Run, mapping: Mapping) -> bool:
    return mapping.object.name in run.checkpoint.get(ASKED, ())
