"""Reading request bodies and writing answers, faults of the line included."""

import contextlib
import re
import socket
from collections.abc import Iterator
from typing import Any

import orjson
from flask import Response, request

#: What Node allows beyond the exact text of a JSON error is not imitated; these two are recorded (248, 436).
_ENDS = "Unexpected end of JSON input"


class BadJsonError(Exception):
    """The body is no JSON; carries the framework's answer."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.body = {"message": message, "error": "Bad Request", "statusCode": 400}


def read_body() -> Any:
    """The JSON of the request, or the fields of a form (860); None if there is no body."""
    if request.mimetype == "application/x-www-form-urlencoded":
        return request.form.to_dict()
    raw = request.get_data()
    if not raw:
        return None
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadJsonError(_complaint(raw.decode(errors="replace"), error)) from None


def _complaint(text: str, error: orjson.JSONDecodeError) -> str:
    if re.search(r"[{,]\s*$", text):
        at = len(text.rstrip()) if text.rstrip() == text else len(text)
        return f"Expected property name or '}}' in JSON at position {at} (line 1 column {at + 1})"
    if error.pos >= len(text.rstrip()):
        return _ENDS
    return f"Unexpected token '{text[error.pos]}', \"{text[:20]}\" is not valid JSON"


def reply(status: int, body: Any, *, text: bool = False) -> Response:
    """An answer as the server sends it."""
    if text:
        return Response(str(body), status, content_type="text/html; charset=utf-8")
    options = orjson.OPT_NON_STR_KEYS
    return Response(
        orjson.dumps(body, option=options), status, content_type="application/json; charset=utf-8"
    )


def cut() -> Response:
    """Close the connection without an answer; where there is no socket (a test client), raise instead."""
    line = _socket()
    if line is None:
        raise ConnectionResetError("the sandbox cut the connection")
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
    return Response(b"", 500)


def truncated(whole: Response, length: int) -> Response:
    """The beginning of an answer that announces its whole length, then the end of the connection."""
    raw, line = whole.get_data(), _socket()

    def body() -> Iterator[bytes]:
        yield raw[:length]
        if line is not None:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    answer = Response(body(), whole.status_code, content_type=whole.content_type)
    if line is not None:
        answer.headers["Content-Length"] = str(len(raw))
    return answer


def _socket() -> socket.socket | None:
    found = request.environ.get("gunicorn.socket") or request.environ.get("werkzeug.socket")
    return found if isinstance(found, socket.socket) else None
