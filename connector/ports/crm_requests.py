"""What people in the CRM ask to be done on the source, by a field that is made for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from connector.core.requests import Asker


class Asked(NamedTuple):
    """A record whose field holds a choice; ``updated_at`` is the CRM's time of it, ``by`` who changed it
    last."""

    id: str
    choice: str
    updated_at: str
    by: Asker = Asker()


class CrmRequests(Protocol):
    """The field by which people ask, and the one in which they are answered. Raises as the other ports."""

    def prepare(self) -> None:
        """Make both fields where they are not there yet. Raises SchemaError where something is in the way,
        ReconnectError where the credential may not."""
        ...

    def waiting(self) -> Sequence[Asked]:
        """Every living record that asks for something, as many as one look shows."""
        ...

    def take(self, id_: str, choice: str, answer: str) -> None:
        """Empty the field of a record, if it still holds this choice, and say that it is being done."""
        ...

    def answer(self, id_: str, text: str) -> None:
        """Say what became of it."""
        ...

    def listen(self, url: str, secret: str) -> str:
        """Have the CRM tell at once when such a record changes; the id of that webhook."""
        ...

    def unlisten(self, hook_id: str) -> None:
        """Not any more; one that is gone already is no mistake."""
        ...
