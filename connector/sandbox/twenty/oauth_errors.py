"""The errors of the OAuth endpoints: `{error, error_description}`, or the framework's own shape."""

from typing import Any


class OAuthError(Exception):
    """An answer of OAuth that is an error (043-061, 077-079, 903-907)."""

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        super().__init__(description)
        self.status = status
        self.body: dict[str, Any] = {"error": error, "error_description": description}


class ShapeError(OAuthError):
    """A body that lacks what it must have; the framework answers (033, 056)."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__("Bad Request", "; ".join(messages))
        self.body = {"message": messages, "error": "Bad Request", "statusCode": 400}


def unknown_client() -> OAuthError:
    return OAuthError("invalid_client", "Client not found", status=401)


def invalid_grant(description: str) -> OAuthError:
    return OAuthError("invalid_grant", description)
