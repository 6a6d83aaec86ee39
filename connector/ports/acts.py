"""What automations need of the source: to look at what they are about, and to change it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from connector.core.records import SourceRecord
from connector.core.requests import Change


class SourceActs(Protocol):
    """Looks at memberships and changes them, for one connection.

    Every method raises TryLaterError, ReconnectError and RefusedError; one that changes something sends its
    request once, and of TryLaterError nobody knows whether it was carried out.
    """

    def record(self, kind: str, id_: str) -> SourceRecord | None:
        """A record as it is now; None where the source has none of this id. Raises BadRecordError."""
        ...

    def payments_of(self, membership_id: str) -> Sequence[SourceRecord]:
        """The payments of a membership."""
        ...

    def payments_by(self, user_id: str, plan_id: str, since: datetime) -> Sequence[SourceRecord]:
        """What a user has paid, or is about to pay, for a plan since then."""
        ...

    def latest_payments(self, since: datetime, most: int) -> Sequence[SourceRecord]:
        """The newest payments of the company since then."""
        ...

    def plans_sold_once(self) -> Sequence[SourceRecord]:
        """The plans that are bought once, and do not renew."""
        ...

    def cancel(self, membership_id: str, *, at_period_end: bool, key: str) -> SourceRecord:
        """End a membership, now or with its period; as it is then. One ``key`` is carried out once."""
        ...

    def change(self, membership_id: str, change: Change, *, key: str) -> SourceRecord:
        """Do what somebody asked for; the membership as it is then. One ``key`` is carried out once."""
        ...

    def channel(self, user_id: str) -> str:
        """The support chat with a user, opened now or long ago; its id."""
        ...

    def messages(self, channel: str) -> Sequence[str]:
        """The texts in a chat, as many as one look shows."""
        ...

    def write(self, channel: str, text: str, *, key: str) -> Mapping[str, Any]:
        """Write into a chat; what was written. One ``key`` is carried out once."""
        ...

    def latest_memberships(self, since: datetime, most: int) -> Sequence[SourceRecord]:
        """The newest memberships of the company since then."""
        ...

    def lacks(self, permissions: Sequence[str]) -> tuple[str, ...]:
        """Which of these the credential does not have."""
        ...
