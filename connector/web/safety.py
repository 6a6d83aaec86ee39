"""What every answer carries, and what an error may show."""

from __future__ import annotations

import structlog
from flask import Flask, Response, g, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from connector import logs
from connector.store.db import Unavailable
from connector.web import shell

log = structlog.get_logger(__name__)

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def install(app: Flask) -> None:
    """Correlation id in, security headers out, and no stack trace to anybody."""
    app.before_request(_begin)
    app.after_request(_end)
    app.register_error_handler(HTTPException, _refused)
    app.register_error_handler(Exception, _broken)


def _begin() -> None:
    g.correlation_id = logs.new_correlation_id()
    logs.bind_correlation(g.correlation_id)


def _end(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["X-Request-Id"] = g.get("correlation_id", "")
    return response


def _refused(error: HTTPException) -> ResponseReturnValue:
    if shell.wants_page():
        return shell.page_of(error)
    return {"error": error.name}, error.code or 500


def _broken(error: Exception) -> ResponseReturnValue:
    # The outermost door: what nobody named is a defect; the reader gets an id to quote, the log the rest.
    # The rule, not the path: that of a one-time link holds its token.
    log.exception("request failed", rule=str(request.url_rule))
    status = 503 if isinstance(error, Unavailable) else 500
    if shell.wants_page():
        return shell.error_page(status)
    return {"error": "Something went wrong on our side.", "id": g.get("correlation_id", "")}, status
