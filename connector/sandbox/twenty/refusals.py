"""Every refusal of the server, in its two shapes: a REST body and a GraphQL error.

The texts are those of the recordings; `friendly` is Twenty's `userFriendlyMessage`.
"""

from dataclasses import dataclass, field
from typing import Any

Json = Any


@dataclass(eq=False)
class Refusal(Exception):
    """One refused operation; the door it came in by decides which shape is sent."""

    message: str
    status: int = 400
    error: str = "BadRequestException"
    code: str | None = None
    gql: str = "BAD_USER_INPUT"
    sub: str | None = None
    friendly: Json = None
    extra: dict[str, Json] = field(default_factory=dict)

    def rest(self) -> dict[str, Json]:
        body: dict[str, Json] = {"statusCode": self.status, "error": self.error, "messages": [self.message]}
        return body | {"code": self.code} if self.code else body

    def graphql(self) -> dict[str, Json]:
        extensions: dict[str, Json] = {"code": self.gql, **self.extra}
        if self.sub:
            extensions["subCode"] = self.sub
        if self.friendly is not None:
            extensions["userFriendlyMessage"] = self.friendly
        return {"message": self.message, "extensions": extensions}


def bad_data(message: str, friendly: str = "An error occurred.") -> Refusal:
    return Refusal(message, sub="INVALID_ARGS_DATA", friendly=friendly)


def bad_filter(message: str, friendly: str = "An error occurred.") -> Refusal:
    return Refusal(message, sub="INVALID_ARGS_FILTER", friendly=friendly)


def coded(message: str, code: str, status: int = 400) -> Refusal:
    """A refusal that names its code by REST too (`error` is then the bare class name)."""
    return Refusal(message, status=status, error="Error", code=code, sub=code, friendly=message)


def not_found(message: str = "Record not found") -> Refusal:
    friendly = "This record does not exist or has been deleted."
    if message != "Record not found":
        friendly = "One or more records were not found."
    return Refusal(message, 404, "NotFoundException", None, "NOT_FOUND", "RECORD_NOT_FOUND", friendly)


def unknown_field(singular: str, name: object, *, in_filter: bool = False) -> Refusal:
    make = bad_filter if in_filter else bad_data
    return make(f'Object {singular} doesn\'t have any "{name}" field.')


def duplicate(label: str | None = None, holder: str | None = None, singular: str | None = None) -> Refusal:
    """A unique value or id is taken; the caller decides whether the holder is named (403, 954, 966)."""
    subject = f"This {label} value is already in use." if holder else "This record already exists."
    extra = {"conflictingRecordId": holder, "conflictingObjectNameSingular": singular} if holder else {}
    friendly = f"{subject} Please check your data and try again."
    return Refusal("A duplicate entry was detected", friendly=friendly, extra=extra)


def dead_reference(table: str, constraint: str) -> Refusal:
    text = f'insert or update on table "{table}" violates foreign key constraint "{constraint}"'
    friendly = "This operation references a record that does not exist or cannot be modified due to"
    return Refusal(text, friendly=f"{friendly} existing relationships.")


def not_null(table: str, column: str) -> Refusal:
    text = f'null value in column "{column}" of relation "{table}" violates not-null constraint'
    return Refusal(text, friendly="An error occurred.")


def too_many(verb: str, cap: int) -> Refusal:
    return coded(f"Cannot {verb} more than {cap} records at once", "TOO_MANY_RECORDS_TO_UPDATE")


def denied(more: str = "", status: int = 400) -> Refusal:
    """The role lacks the right; `more` may name the field."""
    text = f"Entity performing the request does not have permission{more}"
    return Refusal(
        text,
        status,
        "Error",
        "PERMISSION_DENIED",
        "FORBIDDEN",
        "PERMISSION_DENIED",
        "User does not have permission.",
    )


def throttled(limit: int, window_ms: int) -> Refusal:
    text = f"Limit reached ({limit} tokens per {window_ms} ms)"
    friendly = "Rate limit reached. Please try again later."
    return Refusal(text, 429, "HttpException", None, "BAD_USER_INPUT", "LIMIT_REACHED", friendly)


def forbidden(text: str, sub: str = "FORBIDDEN_EXCEPTION") -> Refusal:
    """What a caller of this kind may not ask of the accounts (038-041, 090)."""
    friendly = "You do not have permission to perform this action."
    return Refusal(text, 403, "Error", sub, "FORBIDDEN", sub, friendly)


def nobody() -> Refusal:
    """An application without a person asks for records by REST (082, 884)."""
    return Refusal("Authentication context is invalid", 400, "Error", "NO_AUTHENTICATION_CONTEXT")


def nobody_graphql() -> Refusal:
    """The same by GraphQL (083, 885)."""
    friendly = "An error occurred."
    return Refusal(
        "Invalid auth context", gql="UNAUTHENTICATED", sub="INVALID_AUTH_CONTEXT", friendly=friendly
    )
