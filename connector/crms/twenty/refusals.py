"""What Twenty's error answers mean: told by the body, never by the HTTP status alone.

Twenty sends server trouble as HTTP 400 (REST) and every error as HTTP 200 (GraphQL). So a refusal is
permanent only when its text is one we know; what is unknown is taken for passing trouble.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from connector.errors import ConnectorError, ReconnectError, SchemaError, TryLaterError


class Kind(Enum):
    """A refusal of what was sent, which the writer can act upon."""

    DUPLICATE = auto()
    PARENT_GONE = auto()
    BAD_VALUE = auto()
    TOO_MANY = auto()
    TOO_LARGE = auto()


class Refusal(Exception):
    """Twenty read the request and will not do it. ``cap`` is the batch size that it named."""

    def __init__(self, kind: Kind, message: str, *, cap: int | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.cap = cap


@dataclass(frozen=True, slots=True)
class Trouble:
    """One error of an answer, REST or GraphQL alike."""

    message: str
    codes: frozenset[str]
    status: int


_LIMIT = re.compile(r"Limit reached \((\d+) tokens per (\d+) ms\)")
_CAP = re.compile(r"Maximum number of records to \w+ is (\d+)")
_RECONNECT = {"UNAUTHENTICATED", "FORBIDDEN_EXCEPTION", "NO_AUTHENTICATION_CONTEXT", "INVALID_AUTH_CONTEXT"}
_SCHEMA = re.compile(r"object '.+' not found|doesn't have any \".+\" field|Cannot query field", re.IGNORECASE)
_BAD_VALUE = re.compile(
    r"^Invalid .*(value|input)|Data validation error|phone number is invalid|country code are conflicting"
    r"|country code is invalid|calling code|violates not-null|Multiple records found with the same unique|"
    r"is required|must be a |must not be|Expected 1 record to connect|invalid input",
    re.IGNORECASE,
)
_BAD_VALUE_CODES = {
    "INVALID_PHONE_NUMBER",
    "INVALID_PHONE_COUNTRY_CODE",
    "INVALID_PHONE_CALLING_CODE",
    "CONFLICTING_PHONE_COUNTRY_CODE",
    "INVALID_ARGS_DATA",
    "UPSERT_MULTIPLE_MATCHING_RECORDS_CONFLICT",
}


def read(trouble: Trouble) -> ConnectorError | Refusal:
    """The error or refusal that an answer stands for (catalogue: section 11 of the API notes)."""
    message, codes, status = trouble.message, trouble.codes, trouble.status
    if limit := _LIMIT.search(message):
        tokens, milliseconds = int(limit[1]), int(limit[2])
        return TryLaterError(
            f"Twenty is at its request limit: {message}.",
            after=milliseconds / tokens / 1000,
            code="crm_rate_limit",
        )
    if "PERMISSION_DENIED" in codes:
        return ReconnectError(
            f"Twenty says: {message}",
            code="crm_permission",
            remedy="Give the API key a role with this right.",
        )
    if status == 401 or codes & _RECONNECT:
        return ReconnectError(f"Twenty does not accept this API key: {message}", code="crm_credential")
    return _read_refusal(trouble) or TryLaterError(
        f"Twenty cannot answer now ({status}): {message[:200]}", code="crm_unavailable"
    )


def _read_refusal(trouble: Trouble) -> ConnectorError | Refusal | None:
    message = trouble.message
    if cap := _CAP.search(message):
        return Refusal(Kind.TOO_MANY, message, cap=int(cap[1]))
    if trouble.status in (413, 431) or "request entity too large" in message:
        return Refusal(Kind.TOO_LARGE, message)
    if "A duplicate entry was detected" in message:
        return Refusal(Kind.DUPLICATE, message)
    if "violates foreign key" in message:
        return Refusal(Kind.PARENT_GONE, message)
    if _SCHEMA.search(message):
        return SchemaError(
            f"Twenty's data model has changed: {message}",
            remedy="Run `flask workspace provision`, then sync again.",
        )
    if _BAD_VALUE.search(message) or trouble.codes & _BAD_VALUE_CODES:
        return Refusal(Kind.BAD_VALUE, message)
    return None


def of_graphql(error: Mapping[str, Any], status: int) -> Trouble:
    """One entry of a GraphQL answer's ``errors``."""
    extensions = error.get("extensions") or {}
    codes = {str(extensions[name]) for name in ("code", "subCode") if extensions.get(name)}
    return Trouble(str(error.get("message", "")), frozenset(codes), status)


def of_rest(body: Any, status: int) -> Trouble:
    """A REST answer with an error status; ``body`` is parsed JSON, or text where it was none."""
    if not isinstance(body, Mapping):
        return Trouble(str(body)[:300] or "no answer", frozenset(), status)
    messages = body.get("messages") or body.get("message") or body.get("error") or ""
    text = "; ".join(map(str, messages)) if isinstance(messages, list) else str(messages)
    codes = {str(body[name]) for name in ("error", "code") if body.get(name)}
    return Trouble(text, frozenset(codes), status)
