"""Playing a scripted fault (see ``dials``): before the work is done, or after it."""

import socket
import time
from typing import Any, Final

from flask import Response, request

from connector.sandbox.whop.api import answer

TYPES: Final = {
    401: ("unauthorized", "The access token has expired."),
    403: ("forbidden", "This credential can't act for this account."),
    404: ("not_found", "Not found."),
    429: ("rate_limit_exceeded", "Try again in 12 seconds."),
}


def before(fault: dict[str, Any]) -> Response | None:
    """Play what needs no answer of the API: the wait, the false answer, the cut."""
    time.sleep(fault.get("delay", 0))
    if fault.get("after"):
        return None
    return _instead(fault)


def after(fault: dict[str, Any], response: Response) -> Response:
    """Play what spoils the real answer, when the work is already done."""
    if fault.get("after"):
        response = _instead(fault) or response
    if "truncate" in fault:
        response.set_data(response.get_data()[: fault["truncate"]])
    return response


def _instead(fault: dict[str, Any]) -> Response | None:
    if fault.get("cut"):
        cut(request.environ)
        return Response(status=500)
    if "status" not in fault:
        return None
    response = _false(fault["status"], fault.get("body"))
    response.headers.extend(fault.get("headers") or {})
    return response


def _false(status: int, body: Any) -> Response:
    """An answer with this body: text is HTML, as proxies send it; nothing is the API's own."""
    if isinstance(body, str):
        return Response(body, status, content_type="text/html")
    if body is None:
        kind, message = TYPES.get(status, ("internal_server_error", "Something went wrong."))
        if request.path.startswith("/oauth/"):
            body = {"error": kind, "error_description": message}
        else:
            body = {"error": {"type": kind, "message": message}}
    return answer(body, status)


def cut(environ: dict[str, Any]) -> None:
    """Close the connection without an answer; without a socket, raise as it would break."""
    connection = environ.get("werkzeug.socket") or environ.get("gunicorn.socket")
    if connection is None:
        raise ConnectionResetError("cut by a dial")
    connection.shutdown(socket.SHUT_RDWR)
