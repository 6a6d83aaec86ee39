"""What the conductor needs of a source that tells what happens there: our webhook, and the log of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from connector.core.hooking import SentPage, SourceHook, Wanted


@dataclass(frozen=True, slots=True)
class MadeHook:
    """A webhook that was made just now, with the secret that the source tells this once."""

    hook: SourceHook
    secret: str = field(repr=False)


class HookKeeper(Protocol):
    """Webhooks of one company. Raises TryLaterError, ReconnectError, RefusedError.

    RefusedError with the code ``whop_hook_scope`` where the credential may not look after webhooks, and
    ``whop_not_found`` for a webhook that there is not.
    """

    def hooks(self) -> list[SourceHook]:
        """Every webhook of the company."""
        ...

    def make(self, wanted: Wanted) -> MadeHook:
        """Register one."""
        ...

    def change(self, id_: str, wanted: Wanted, names: Collection[str]) -> SourceHook:
        """Bring these parts of one (url, events, version) in line."""
        ...

    def switch_on(self, id_: str) -> SourceHook:
        """Have it deliver again; its failures are forgotten."""
        ...

    def remove(self, id_: str) -> None:
        """Take one away; one that there is not is no error."""
        ...

    def test(self, id_: str, event: str) -> int | None:
        """Have a sample delivered now: the status we answered with, None where we were not reached."""
        ...

    def sent(self, id_: str, cursor: str | None) -> SentPage:
        """A page of the log of deliveries, which the source keeps for 30 days."""
        ...

    def send_again(self, id_: str, delivery_id: str) -> None:
        """Have one delivered once more, under the same message id."""
        ...

    def send_range_again(self, id_: str, since: datetime, until: datetime, *, failed_only: bool) -> None:
        """Have all of a time delivered once more, each message once, under the same id."""
        ...
