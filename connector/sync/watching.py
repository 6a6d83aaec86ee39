"""Updates that wait for their request: is what they are to change still there?

An update by id may take a record out of the CRM's bin again, and no answer tells. So where the look behind
an update is more than a few seconds old when its request may be sent (a limit was waited for, or the queue
is long), the CRM is asked again: one small request for all that wait. Where nothing waits it costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from threading import Lock
from typing import NamedTuple

from connector.core.mapping import Mapping
from connector.core.matching import plan_vanished
from connector.core.plan import Action
from connector.core.records import Ref
from connector.sync.scope import Item, Scope

_OLD = timedelta(seconds=5)


class _Seen(NamedTuple):
    """A CRM record that is to be updated: when it was seen alive, or None once it was not."""

    crm_id: str
    at: datetime | None


class Watch:
    """The updates of one kind that are not sent yet. Requests on several threads share it."""

    def __init__(self, scope: Scope, mapping: Mapping) -> None:
        self._scope = scope
        self._mapping = mapping
        self._seen: dict[Ref, _Seen] = {}
        self._looking = Lock()

    def add(self, items: Sequence[Item], at: datetime) -> None:
        """Updates that were planned by a look at the CRM, which was begun at this moment."""
        for item in items:
            plan = item.plan
            if plan is not None and plan.action is Action.UPDATE and plan.crm_id and not plan.restores:
                self._seen[item.ref] = _Seen(plan.crm_id, at)

    def living(self, batch: Sequence[Item]) -> list[Item]:
        """The writes of a request that may still be sent; the plan of each other is changed.

        To be called when the request may be sent, and right before it is.
        """
        with self._looking:
            known = [self._seen[item.ref].at for item in batch if item.ref in self._seen]
            oldest = min((at for at in known if at is not None), default=None)
            if oldest is not None and self._scope.clock() - oldest > _OLD:
                self._look_again()
        living = []
        for item in batch:
            seen = self._seen.pop(item.ref, None)
            if item.plan is not None and seen is not None and seen.at is None:
                item.plan = plan_vanished(item.plan, self._mapping)
            else:
                living.append(item)
        return living

    def _look_again(self) -> None:
        waiting = self._seen.copy()  # more may be planned meanwhile
        writer = self._scope.writer
        with writer.reserved(2):  # this one, and the write right after it
            now = self._scope.clock()
            living = writer.living(self._mapping, [one.crm_id for one in waiting.values()])
        for ref, one in waiting.items():
            if ref in self._seen:
                self._seen[ref] = _Seen(one.crm_id, now if one.crm_id in living else None)
