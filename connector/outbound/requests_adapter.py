"""The transport adapter by which a session of requests goes through the door."""

from __future__ import annotations

from typing import Any, Protocol

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers

from .wire import Body, OutboundResponse, Target, target


class Send(Protocol):
    def __call__(
        self, to: Target, method: str, path: str, query: str, headers: dict[str, str], body: Body, /
    ) -> OutboundResponse: ...


class _Answer(Response):
    """An answer that is never a redirect to follow: a session asks this property before it goes on."""

    @property
    def is_redirect(self) -> bool:
        return False


class DoorAdapter(HTTPAdapter):
    """What the session says of timeouts, proxies and verification is not heard: the door decides."""

    def __init__(self, send: Send) -> None:
        super().__init__()
        self._send = send

    def send(self, request: PreparedRequest, *_args: Any, **_kwargs: Any) -> Response:
        """Raises the door's errors, which are not those of requests."""
        to = target(request.url or "")
        query = f"?{to.query}" if to.query else ""
        headers = {name: _text(value) for name, value in request.headers.items()}
        got = self._send(to, request.method or "GET", to.path, query, headers, _body(request))
        return _answer(request, got, self)


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _body(request: PreparedRequest) -> Body:
    if request.body is None or isinstance(request.body, bytes | str):
        return request.body
    raise TypeError("only text and bytes go out of the door")


def _answer(request: PreparedRequest, got: OutboundResponse, adapter: HTTPAdapter) -> Response:
    answer = _Answer()
    answer.status_code = got.status
    answer.headers = CaseInsensitiveDict(got.headers)
    answer.encoding = get_encoding_from_headers(answer.headers)
    answer.url = request.url or got.url
    answer.request = request
    answer.connection = adapter
    answer._content = got.body
    answer._content_consumed = True  # type: ignore[attr-defined]
    return answer
