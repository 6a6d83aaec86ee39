"""The errors of OAuth: ``{"error", "error_description"}``, texts as in the reference fixtures."""


class OAuthError(Exception):
    """An OAuth answer that is an error: JSON at the token endpoints, a redirect at the consent page."""

    def __init__(self, error: str, description: str, *, status: int = 400, retry: int | None = None) -> None:
        super().__init__(description)
        self.status = status
        self.body = {"error": error, "error_description": description}
        self.headers = {} if retry is None else {"Retry-After": str(retry)}


class StrangerError(Exception):
    """An app or an address nobody registered: the browser is told, and sent nowhere."""


def invalid_request(description: str) -> OAuthError:
    """A parameter is missing, repeated or not what it should be."""
    return OAuthError("invalid_request", description)


def invalid_grant(description: str) -> OAuthError:
    """A code or refresh token that opens nothing (any more)."""
    return OAuthError("invalid_grant", description)


def invalid_client(description: str = "Unknown client") -> OAuthError:
    """Not an app, or one that may not come this way."""
    return OAuthError("invalid_client", description, status=401)


def invalid_token(description: str) -> OAuthError:
    """An access token that opens nothing (any more)."""
    error = OAuthError("invalid_token", description, status=401)
    error.headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    return error
