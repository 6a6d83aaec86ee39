"""What the conductor needs from the outside, in the core's words. Each adapter fills one of these."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol

from connector.core.events import Told
from connector.core.mapping import Mapping
from connector.core.outcomes import WriteResult
from connector.core.plan import Found, PlannedWrite, Stamp
from connector.core.records import BadRecord, CrmRow, Page, Ref, SourceRecord

Clock = Callable[[], datetime]
"""The present moment, aware, in UTC."""


@dataclass(frozen=True, slots=True)
class SourceAccount:
    """What a source credential opens: the company, and the permissions it lacks for the kinds asked."""

    company_id: str
    title: str
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tokens:
    """What an OAuth server gave. ``scopes`` is None where it did not say what was granted."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_in: int
    scopes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Approver:
    """Who granted access; ``name`` may be empty."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class CrmAccount:
    """What a CRM credential opens. ``schema_version`` moves with every change of the data model."""

    workspace_id: str
    name: str
    schema_version: int


Lane = Literal["webhook", "incremental", "full"]
"""Who goes first where requests are short, the most urgent first."""


class Limit(NamedTuple):
    """So many requests come back, one by one, in so many seconds; no more than that are saved up."""

    requests: int
    seconds: float


class Budget(Protocol):
    """Leave to send requests to one service, shared by every worker and machine that sends there.

    Either way to wait raises TryLaterError when the wait is longer than a worker should be kept by it.
    """

    def reserved(self, requests: int = 1) -> AbstractContextManager[None]:
        """Wait until so many requests may be sent, and have them set aside for the ``sending`` inside."""
        ...

    def sending(self) -> AbstractContextManager[None]:
        """Send one request inside: one that was set aside, or as soon as there is one."""
        ...

    def refused(self, limit: Limit | None) -> None:
        """The service refused a request for its limit, which it named or did not."""
        ...


class Reader(Protocol):
    """Reads one company of the source."""

    def account(self) -> SourceAccount:
        """Raises ReconnectError for a credential that opens nothing."""
        ...

    def pages(self, kind: str, cursor: str | None) -> Iterable[Page]:
        """Every page of a kind from the cursor on, the last marked. Raises TryLaterError, ReconnectError."""
        ...

    def recents(self, kind: str) -> tuple[str, ...]:
        """The ways in which the source lists what moved lately; none: all of the kind must be read."""
        ...

    def recent(self, kind: str, way: str, since: str, cursor: str | None) -> Iterable[Page]:
        """What moved after ``since`` (ISO 8601), the newest first; the last page marked.

        It proves nothing of what is not in it. Raises as ``pages``.
        """
        ...

    def fetch(self, kind: str, ids: Sequence[str]) -> dict[str, SourceRecord | BadRecord]:
        """The records of these ids; one that the source does not have (404) is absent."""
        ...

    def behind(self, kind: str, payment_id: str) -> Sequence[SourceRecord | BadRecord]:
        """The refunds or disputes of a payment, which an old event about the payment is really about."""
        ...

    def may_read(self, kind: str) -> bool:
        """Whether the credential opens this kind. Raises TryLaterError, ReconnectError."""
        ...

    def told(self, raw: bytes) -> Told:
        """What the body of a webhook tells. Raises BadRecordError for what is no event of this company."""
        ...

    def parents(self, kind: str, ids: Sequence[str]) -> dict[str, SourceRecord | BadRecord]:
        """The same for what other records point at: it may be a while old."""
        ...

    def forget(self, kind: str, ids: Sequence[str]) -> None:
        """These changed, an event says: what is remembered of them is not to be used any more."""
        ...


class TokenClient(Protocol):
    """Speaks OAuth with a source. No method sends anything twice: codes and refresh tokens work once."""

    def authorize_url(
        self, scopes: Sequence[str], *, state: str, verifier: str, nonce: str, company_id: str | None
    ) -> str:
        """Where to send the browser. Opens nothing."""
        ...

    def exchange(self, code: str, *, verifier: str, nonce: str, redirect_uri: str) -> Tokens:
        """The tokens for a code. Raises RefusedError saying why not, TryLaterError."""
        ...

    def refresh(self, refresh_token: str, *, company_id: str | None) -> Tokens:
        """New tokens, in place of the old ones, which end.

        Raises ReconnectError (code ``whop_grant``) when the grant is gone, TryLaterError with the code
        ``whop_refresh_unanswered`` when it is not known whether the old token was used up.
        """
        ...

    def approver(self, access_token: str) -> Approver:
        """Who granted this token."""
        ...

    def companies(self, access_token: str) -> list[SourceAccount]:
        """Every company that the token opens."""
        ...

    def revoke(self, refresh_token: str) -> None:
        """End a grant. An access token lives on until its hour is over."""
        ...


class Seek(NamedTuple):
    """A question to the CRM: the row of this id, and the rows that hold one of these keys.

    ``further``: also those that hold it beside their first value, as people do further e-mails.
    """

    ref: Ref
    id: str
    keys: tuple[tuple[str, str], ...]
    further: bool = True


class Writer(Protocol):
    """Writes into one CRM workspace."""

    def account(self) -> CrmAccount:
        """Raises ReconnectError for a credential that opens nothing."""
        ...

    def batch_size(self) -> int:
        """How many records one request takes, as far as is known."""
        ...

    def reserved(self, requests: int = 1) -> AbstractContextManager[None]:
        """Wait until the CRM's limit lets so many requests through, set aside for what is sent inside.

        Raises TryLaterError for a long wait. Enter it before anything is claimed.
        """
        ...

    def learned(self) -> int | None:
        """The batch size that the CRM has proved since this writer was made; None: it has not yet."""
        ...

    def look(self, mapping: Mapping, seeks: Sequence[Seek]) -> dict[Ref, Found]:
        """What the CRM holds for each seek, deleted rows included, with the values the mapping writes."""
        ...

    def living(self, mapping: Mapping, ids: Sequence[str]) -> set[str]:
        """Which of these rows are in the CRM, and not in its bin."""
        ...

    def stamps(self, mapping: Mapping, ids: Sequence[str]) -> dict[str, Stamp]:
        """When each of these rows changed last, and what it points at; none for one that is in the bin."""
        ...

    def remove(self, mapping: Mapping, rows: Sequence[CrmRow]) -> set[str]:
        """Put living rows, as many as one request takes, into the CRM's bin; the ids of those that went.

        A row that was changed since it was looked at stays. Raises TryLaterError as ``apply`` does.
        """
        ...

    def put(self, mapping: Mapping, ids: Sequence[str], field: str, value: Any) -> dict[str, str]:
        """Give living rows one value in one field; id → the CRM's time of it, for those that took it."""
        ...

    def apply(self, mapping: Mapping, writes: Sequence[PlannedWrite]) -> list[WriteResult]:
        """Carry out creates and updates; as many results as writes, in their order.

        Raises TryLaterError or ReconnectError when what was written is not known for all of them: doing
        the same again is safe.
        """
        ...


class JobQueue(Protocol):
    """A doorbell. Losing a ring delays; it never loses, because the rows are the truth."""

    def ring(self, job: str, queue: str, *, expires: int | None = None, **ids: str) -> None:
        """Have ``jobs.<job>(**ids)`` run soon, or not at all after ``expires`` seconds.

        Raises TryLaterError when the bell is out of order.
        """
        ...
