"""The errors of the API: ``{"error": {"type", "message", "code"?, "param"?}}``.

Texts are those of the reference fixtures; only the one of 429 is documented by
Whop word for word.
"""

from typing import Final

VERSIONS: Final = ("2025-01-01", "2026-10-15-1")
NAMES: Final = {
    "accounts": "Account",
    "products": "Product",
    "plans": "Plan",
    "members": "Member",
    "users": "User",
    "memberships": "Membership",
    "payments": "Payment",
    "refunds": "Refund",
    "disputes": "Dispute",
}


class ApiError(Exception):
    """An answer that is an error; raised anywhere below a route."""

    def __init__(
        self, status: int, kind: str, message: str, *, code: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        extra = {"code": code, "param": param}
        known = {field: value for field, value in extra.items() if value is not None}
        self.body = {"error": {"type": kind, "message": message, **known}}


def missing_credential() -> ApiError:
    """401: no credential, or one that is not (any more) known."""
    return ApiError(401, "unauthorized", "Authentication is required.")


def expired_credential() -> ApiError:
    """401: a token past its hour."""
    return ApiError(401, "unauthorized", "The access token has expired.")


def lacks(permission: str) -> ApiError:
    """403: the credential may not do this."""
    return ApiError(403, "forbidden", f"This credential lacks the {permission} permission.")


def foreign_account() -> ApiError:
    """403: the credential does not belong to one account."""
    return ApiError(403, "forbidden", "This credential can't act for this account.")


def not_found(kind: str) -> ApiError:
    """404: no such record, or one of somebody else."""
    return ApiError(404, "not_found", f"{NAMES.get(kind, kind)} not found.")


def unknown_version(asked: str) -> ApiError:
    """400: names the versions there are."""
    listed = ", ".join(VERSIONS)
    return ApiError(
        400, "invalid_request", f"Unknown Api-Version-Date {asked}. Supported versions: {listed}."
    )


def not_built(message: str) -> ApiError:
    """501: Whop can do this, the sandbox cannot."""
    return ApiError(501, "sandbox_not_built", message)


def bad_param(param: str, message: str) -> ApiError:
    """400: a parameter that is unknown or whose value is not understood."""
    return ApiError(400, "invalid_request", message, code="parameter_invalid", param=param)


def bad_cursor(param: str) -> ApiError:
    """400: a cursor that this list did not give."""
    return bad_param(param, f"{param} is not a valid cursor.")


def unknown_param(param: str) -> ApiError:
    """400: a parameter of another version, or of none."""
    hint = " Use account_id." if param == "company_id" else ""
    return bad_param(param, f"{param} is not accepted at this version.{hint}")


def unprocessable(message: str) -> ApiError:
    """422: the record is in no state for this."""
    return ApiError(422, "unprocessable_entity", message)


def too_many(seconds: int) -> ApiError:
    """429: the wait stands in the message and, by default, nowhere else."""
    unit = "second" if seconds == 1 else "seconds"
    return ApiError(429, "rate_limit_exceeded", f"Try again in {seconds} {unit}.")
