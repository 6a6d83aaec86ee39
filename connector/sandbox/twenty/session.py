"""What one request works with: who asks, the clock, the batch cap, the server's OAuth and the counters."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from connector.sandbox.twenty import clock, roles
from connector.sandbox.twenty.callers import Caller, system
from connector.sandbox.twenty.oauth_grants import Grants
from connector.sandbox.twenty.refusals import denied
from connector.sandbox.twenty.shape import Row, Shape

#: Fields whose change alone is no event.
SILENT = ("updatedAt", "updatedBy", "searchVector", "position")


class Happening(NamedTuple):
    """What a request did to one record; `fields` are those that changed."""

    action: str
    shape: Shape
    row: Row
    fields: tuple[str, ...] = ()


class Session:
    """Made per request, after authentication. `work` counts rows for statistics and recorded times."""

    def __init__(self, caller: Caller, cap: int, time: Callable[[], float], grants: Grants) -> None:
        self.caller, self.cap, self._time, self.grants = caller, cap, time, grants
        self.workspace = caller.workspace
        self.work: Counter[tuple[str, str]] = Counter()
        self.happened: list[Happening] = []

    def now(self) -> str:
        return clock.iso(int(self._time() * 1000))

    def seconds(self) -> float:
        return self._time()

    def actor(self) -> dict[str, Any]:
        """createdBy and updatedBy of what the caller writes."""
        return self.caller.actor

    def count(self, what: str, shape: Shape, rows: int) -> None:
        self.work[what, shape.singular] += rows

    def tell(self, action: str, shape: Shape, row: Row, before: Row | None = None) -> None:
        """Note what happened to a record, unless it is an update that changed nothing (661)."""
        fields = tuple(
            name for name in row if name not in SILENT and before and row[name] != before.get(name)
        )
        if action != "updated" or fields:
            self.happened.append(Happening(action, shape, row, fields))

    def need(self, flag: str, status: int = 400) -> None:
        """Refuse a caller whose role lacks a permission flag."""
        if self.caller.role is None or flag not in roles.flags(self.caller.role):
            raise denied(status=status)

    def may(self, act: str, shape: Shape) -> None:
        """Refuse a caller who may not do this to records of an object (442, 876-878)."""
        if self.caller.role is None or not roles.may(self.caller.role, shape.object_id, act):
            raise denied()

    def may_write(self, shape: Shape, names: Iterable[str]) -> None:
        """Refuse the first field that the caller's role may not write; the message names it (874)."""
        held = self._withheld(shape, "Update")
        for name in names:
            if name in held:
                raise denied(f': no permission to write field "{name}" on "{shape.singular}"')

    def seen(self, shape: Shape, row: Row) -> Row:
        """A row without what the caller's role may not read: fields, and rows of other objects (872, 879)."""
        held = self._withheld(shape, "Read") | self._unseen(shape)
        return {name: value for name, value in row.items() if name not in held} if held else row

    def _unseen(self, shape: Shape) -> set[str]:
        """Relations to objects that may not be read; those of the system may be."""
        role, objects = self.caller.role, self.workspace.objects
        if role is None or role["canReadAllObjectRecords"]:
            return set()
        return {
            name
            for name, relation in shape.relations.items()
            if not objects[relation.target]["wire"]["isSystem"]
            and not roles.may(role, relation.target, "Read")
        }

    def _withheld(self, shape: Shape, right: str) -> set[str]:
        role = self.caller.role
        if role is None or not role["fields"]:
            return set()
        return roles.withheld(role, self.workspace.objects[shape.object_id], right)

    def as_system(self) -> "Session":
        """What the server itself does along the way."""
        return Session(system(self.workspace), 1, self._time, self.grants)
