"""What Twenty's error answers mean: told by the body, never by the HTTP status alone.

Twenty sends server trouble as HTTP 400 (REST) and every error as HTTP 200 (GraphQL). So a refusal is
permanent only when its text or code is one we know; what is unknown is taken for passing trouble.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from connector.errors import ConnectorError, ReconnectError, SchemaError, TryLaterError
from connector.ports import Limit


class Kind(Enum):
    """A refusal of what was sent, which the caller can act upon."""

    DUPLICATE = auto()
    PARENT_GONE = auto()
    BAD_VALUE = auto()
    NOT_FOUND = auto()
    TOO_MANY = auto()
    TOO_LARGE = auto()


class Refusal(Exception):
    """Twenty read the request and will not do it. What it told beyond its words, where it did:

    ``cap`` the batch size it takes · ``spot`` the field, such as ``emails.primaryEmail`` · ``type`` our
    word for the type of field · ``shown`` the value as its message shows it · ``row`` the id of the
    record that was sent · ``holder`` the id of the record that has the value already.
    """

    def __init__(
        self,
        kind: Kind,
        message: str,
        *,
        cap: int | None = None,
        holder: str | None = None,
        **told: str | None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.cap = cap
        self.holder = holder
        self.spot = told.get("spot")
        self.type = told.get("type")
        self.shown = told.get("shown")
        self.row = told.get("row")


class LimitError(TryLaterError):
    """Twenty is at its request limit and did nothing. ``limit`` is the one that it named, if it did."""

    code = "crm_rate_limit"

    def __init__(self, message: str, limit: Limit | None) -> None:
        super().__init__(message, after=limit.seconds / limit.requests if limit else None)
        self.limit = limit


@dataclass(frozen=True, slots=True)
class Trouble:
    """One error of an answer, REST or GraphQL alike."""

    message: str
    codes: frozenset[str]
    status: int
    holder: str | None = None


_LIMIT = re.compile(r"Limit reached \((\d+) tokens per (\d+) ms\)")
_RECONNECT = {"UNAUTHENTICATED", "FORBIDDEN_EXCEPTION", "APPLICATION_NOT_FOUND"}
#: The token is good, but whoever it speaks for is not of the workspace any more.
_PERSON_GONE = {"NO_AUTHENTICATION_CONTEXT", "INVALID_AUTH_CONTEXT"}
_WORKSPACE_GONE = re.compile(r"^No data sources found$|^Workspace not found")
_DENIED = {"PERMISSION_DENIED", "VIEW_CREATE_PERMISSION_DENIED", "FORBIDDEN"}
_SCHEMA = re.compile(
    r"^object '.+' not found|^Object \w+ doesn't have any \".*\" field|^Cannot query field"
    r"|^Field \"\w+\" does not exist or is not sortable|^Sub field \"\w+\" not found for composite type"
    r"|^Operator \"\w+\" is not valid for field",
)

_TABLE: tuple[tuple[Kind, re.Pattern[str], str | None], ...] = tuple(
    (kind, re.compile(pattern, re.DOTALL), type_)
    for kind, pattern, type_ in (
        (Kind.TOO_MANY, r"Maximum number of records to \w+ is (?P<cap>\d+)", None),
        (Kind.TOO_MANY, r"Cannot \w+ more than (?P<cap>\d+) records at once", None),
        (Kind.TOO_LARGE, r"request entity too large", None),
        (Kind.DUPLICATE, r"A duplicate entry was detected|^duplicate key value violates unique", None),
        (
            Kind.DUPLICATE,
            r"^Multiple records found with the same unique field values for (?:id: (?P<row>[0-9a-f-]{36}), )?"
            r"(?:.*, )?(?P<spot>\w+(?:\.\w+)?): ",
            None,
        ),
        (Kind.DUPLICATE, r'^Name "(?P<spot>\w+)" is not available|^Object already exists$', None),
        (Kind.PARENT_GONE, r"violates foreign key constraint", None),
        (Kind.PARENT_GONE, r"^Expected 1 record to connect to (?P<spot>\w+), but found", None),
        (Kind.NOT_FOUND, r"^(Record|One or more records|Object metadata|Field metadata) not found$", None),
        (Kind.NOT_FOUND, r"^Could not find flat entity in maps", None),
        (
            Kind.BAD_VALUE,
            r'^Invalid (?:\w+ )?value (?P<shown>.*) for (?:[\w-]+ )?field "(?P<spot>[\w.]+)"',
            None,
        ),
        (Kind.BAD_VALUE, r'^Invalid subfield \w+ for [\w ]+ field "(?P<spot>[\w.]+)"', None),
        (Kind.BAD_VALUE, r'null value in column "(?P<spot>\w+)" .* violates not-null constraint', None),
        (Kind.BAD_VALUE, r"^Provided phone number is invalid (?P<shown>.*)", "phones"),
        (Kind.BAD_VALUE, r"^Provided and inferred (country|calling) code are conflicting", "phones"),
        (Kind.BAD_VALUE, r"^The URL of the link is not valid", "links"),
        (Kind.BAD_VALUE, r"^Data validation error|^invalid input syntax for type", None),
        (Kind.BAD_VALUE, r"is not a valid UUID$|^Invalid cursor: |is not valid JSON$", None),
        (Kind.BAD_VALUE, r"^'\w+' invalid for |^'\w+=.*' parameter invalid|^limit '.*' is invalid", None),
        (Kind.BAD_VALUE, r"^Query path '.*' invalid|^Filters are mandatory for bulk", None),
        (Kind.BAD_VALUE, r"should not be empty|must be a string|must be one of the following values", None),
        (Kind.BAD_VALUE, r"^(Expected|Unexpected) .* JSON\b", None),
        (Kind.BAD_VALUE, r"^Migration action '\w+' for '\w+' .* failed", None),
    )
)
_BAD_VALUE_CODES = {
    "INVALID_ARGS_DATA",
    "INVALID_ARGS_FILTER",
    "INVALID_PHONE_NUMBER",
    "INVALID_PHONE_COUNTRY_CODE",
    "INVALID_PHONE_CALLING_CODE",
    "CONFLICTING_PHONE_COUNTRY_CODE",
    "CONFLICTING_PHONE_CALLING_CODE",
    "INVALID_URL",
    "METADATA_VALIDATION_ERROR",
    "METADATA_VALIDATION_FAILED",
    "FIELD_MUTATION_NOT_ALLOWED",
    "OBJECT_MUTATION_NOT_ALLOWED",
}


def read(trouble: Trouble) -> ConnectorError | Refusal:
    """The error or refusal that an answer stands for (catalogue: section 11 of the API notes)."""
    return (
        _limit(trouble)
        or _credential(trouble)
        or _schema(trouble)
        or _refusal(trouble)
        or TryLaterError(
            f"Twenty cannot answer now ({trouble.status}): {trouble.message[:200]}", code="crm_unavailable"
        )
    )


def _limit(trouble: Trouble) -> LimitError | None:
    told = _LIMIT.search(trouble.message)
    if told is None and trouble.status != 429:
        return None
    limit = Limit(int(told[1]), int(told[2]) / 1000) if told and int(told[1]) and int(told[2]) else None
    return LimitError(f"Twenty is at its request limit: {trouble.message[:200]}.", limit)


def _credential(trouble: Trouble) -> ReconnectError | None:
    codes = trouble.codes
    if _WORKSPACE_GONE.search(trouble.message) or "WORKSPACE_NOT_FOUND" in codes:
        return ReconnectError(
            f"The workspace is no longer there in Twenty: {trouble.message[:200]}",
            code="crm_workspace_gone",
            remedy="If it was deleted there, nothing can be synced into it any more.",
        )
    if codes & _PERSON_GONE:
        return ReconnectError(
            f"Twenty no longer knows whoever signed in: {trouble.message[:200]}",
            code="crm_person_gone",
            remedy="Have another admin sign in with Twenty, or give an API key.",
        )
    if trouble.status == 401 or codes & _RECONNECT:
        return ReconnectError(
            f"Twenty does not accept the access that is kept here: {trouble.message[:200]}",
            code="crm_credential",
            remedy="Give a new API key, or sign in with Twenty again.",
        )
    if codes & _DENIED:
        return ReconnectError(
            f"Twenty says: {trouble.message[:300]}",
            code="crm_permission",
            remedy="Give the API key, or whoever signed in, a role with this right.",
        )
    return None


def _schema(trouble: Trouble) -> SchemaError | None:
    if not _SCHEMA.search(trouble.message):
        return None
    return SchemaError(
        f"Twenty's data model has changed: {trouble.message[:300]}",
        remedy="Run `flask workspace provision`, then sync again.",
    )


def _refusal(trouble: Trouble) -> Refusal | None:
    message = trouble.message
    if trouble.status in (413, 431):
        return Refusal(Kind.TOO_LARGE, message)
    for kind, pattern, type_ in _TABLE:
        if found := pattern.search(message):
            told: dict[str, str | None] = {"type": type_, **found.groupdict()}
            cap = told.pop("cap", None)
            return Refusal(kind, message, cap=int(cap) if cap else None, holder=trouble.holder, **told)
    if trouble.codes & _BAD_VALUE_CODES:
        return Refusal(Kind.BAD_VALUE, message)
    return None


def of_graphql(error: Any, status: int) -> Trouble:
    """One entry of a GraphQL answer's ``errors``."""
    if not isinstance(error, Mapping):
        return Trouble(str(error)[:300], frozenset(), status)
    extensions = error.get("extensions")
    extensions = extensions if isinstance(extensions, Mapping) else {}
    codes = frozenset(str(extensions[name]) for name in ("code", "subCode") if extensions.get(name))
    message = _cause(extensions.get("errors")) or str(error.get("message", ""))
    holder = extensions.get("conflictingRecordId")
    return Trouble(message, codes, status, holder if isinstance(holder, str) else None)


def of_rest(body: Any, status: int) -> Trouble:
    """A REST answer with an error status; ``body`` is parsed JSON, or text where it was none."""
    if not isinstance(body, Mapping):
        return Trouble(str(body)[:300] or "no answer", frozenset(), status)
    messages = body.get("messages") or body.get("message") or body.get("error") or ""
    text = "; ".join(map(str, messages)) if isinstance(messages, list) else str(messages)
    codes = frozenset(str(body[name]) for name in ("error", "code") if body.get(name))
    return Trouble(_cause(body.get("errors")) or text, codes, status)


def _cause(tree: Any) -> str | None:
    """The cause in a tree of validation errors: what hangs on the refused object or field fails with it."""
    if not isinstance(tree, Mapping):
        return None
    for name in ("objectMetadata", "fieldMetadata"):
        found = list(_messages(tree.get(name)))
        if found:
            return "; ".join(dict.fromkeys(found))
    return None


def _messages(items: Any) -> Iterator[str]:
    for item in items if isinstance(items, list) else ():
        for error in item.get("errors") or () if isinstance(item, Mapping) else ():
            if isinstance(error, Mapping) and error.get("message"):
                yield str(error["message"])
