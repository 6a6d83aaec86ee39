"""One request, one answer: sent through the pools, read within limits, failures put in our words."""

from __future__ import annotations

import http.client
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

import orjson
from urllib3 import exceptions as failures
from urllib3.response import BaseHTTPResponse
from urllib3.util import Timeout, Url, parse_url

from connector.errors import AddressError, ConnectorError, RefusedError, TryLaterError

from .pools import Pools

_PORTS = {"http": 80, "https": 443}
_CHUNK = 1 << 16
_SENDABLE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
#: An answer may trickle for this many read timeouts in all.
_PATIENCE = 10

Body = bytes | str | None


@dataclass(frozen=True, slots=True)
class OutboundResponse:
    """What a service answered. ``headers`` ignores case; ``url`` is the one asked, without its query."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str

    def json(self) -> Any:
        """The body as JSON; raises TryLaterError where it is something else, such as a proxy's page."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as err:
            message = f"{self.url} answered {self.status} with something that is not JSON."
            raise TryLaterError(message, code="not_json") from err


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes, taken apart once: ``path`` ends without a slash."""

    scheme: str
    host: str
    port: int
    path: str
    query: str | None = None

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    def shown(self, path: str) -> str:
        """The address for messages and responses: no user, no query."""
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}{path}"


def target(url: str) -> Target:
    """Raises AddressError for anything but a plain http or https address. Opens nothing."""
    parts = _parsed(url)
    if parts.scheme not in _PORTS:
        raise AddressError("This is not an http or https address.")
    if parts.auth is not None:
        raise AddressError("An address with a user name or password in it is not connected to.")
    if not parts.host:
        raise AddressError("This address names no host.")
    port = parts.port or _PORTS[parts.scheme]
    return Target(parts.scheme, parts.host, port, parts.path or "", parts.query)


def _parsed(url: str) -> Url:
    try:
        return parse_url(url)
    except failures.LocationParseError:
        # The parser's own message repeats the address, secrets and all.
        raise AddressError("This address cannot be read.") from None


def check_headers(headers: Mapping[str, str]) -> None:
    """Raises RefusedError, naming the header only: the standard library would print its value."""
    for name, value in headers.items():
        if not _SENDABLE.fullmatch(value) or value != value.strip():
            raise RefusedError(
                f"The header {name} holds characters that cannot be sent.",
                code="header",
                remedy="Enter the credential again, without line breaks or characters from a word processor.",
            )


def merged(*layers: Mapping[str, str]) -> dict[str, str]:
    """One set of headers; a later layer wins, however its names are spelled."""
    found = {name.lower(): (name, value) for layer in layers for name, value in layer.items()}
    return dict(found.values())


class Wire:
    """Sends. Knows limits and addresses; whether to send again is not its business."""

    def __init__(
        self,
        pools: Pools,
        *,
        connect_timeout: float,
        read_timeout: float,
        max_bytes: int,
        in_transaction: Callable[[], bool] | None,
    ) -> None:
        self._pools = pools
        self._timeout = Timeout(connect=connect_timeout, read=read_timeout)
        self._total = read_timeout * _PATIENCE
        self._max_bytes = max_bytes
        self._in_transaction = in_transaction

    def send(
        self, to: Target, method: str, path: str, query: str, headers: Mapping[str, str], body: Body
    ) -> OutboundResponse:
        """Raises TryLaterError for every failure of transport; redirects are answers like any other."""
        if self._in_transaction is not None and self._in_transaction():
            raise RuntimeError("a database transaction is open: no HTTP inside it")
        shown = to.shown(path)
        try:
            return self._exchange(to, method, path + query, shown, headers, body)
        except (failures.HTTPError, http.client.HTTPException, OSError) as err:
            raise _in_our_words(err, shown) from err

    def _exchange(
        self, to: Target, method: str, url: str, shown: str, headers: Mapping[str, str], body: Body
    ) -> OutboundResponse:
        answer = self._pools.get(*to.origin).urlopen(
            method,
            url or "/",
            body=body,
            headers=headers,
            retries=False,
            redirect=False,
            assert_same_host=False,
            timeout=self._timeout,
            preload_content=False,
            decode_content=True,
        )
        return OutboundResponse(answer.status, answer.headers, self._read(answer, shown), shown)

    def _read(self, answer: BaseHTTPResponse, shown: str) -> bytes:
        try:
            body = self._read_within_limits(answer, shown)
        except BaseException:
            # A connection with an unread rest on it is of no use to the next request.
            answer.close()
            raise
        answer.release_conn()
        return body

    def _read_within_limits(self, answer: BaseHTTPResponse, shown: str) -> bytes:
        chunks: list[bytes] = []
        size, deadline = 0, monotonic() + self._total
        while chunk := answer.read1(_CHUNK):
            chunks.append(chunk)
            size += len(chunk)
            if size > self._max_bytes:
                raise _too_large(shown, self._max_bytes)
            if monotonic() > deadline:
                raise TryLaterError(f"{shown} took too long over its answer.", code="timeout")
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _too_large(shown: str, limit: int) -> RefusedError:
    return RefusedError(
        f"{shown} answered with more than {limit:,} bytes.",
        code="answer_too_large",
        remedy="Check that the address is the service's own.",
    )


# The most particular first: urllib3's classes inherit from one another.
_WORDS: tuple[tuple[type[BaseException], str, str], ...] = (
    (failures.NameResolutionError, "unreachable", "{} cannot be reached: its name is not known."),
    (failures.NewConnectionError, "unreachable", "{} cannot be reached: nothing answers at that address."),
    (
        failures.ConnectTimeoutError,
        "timeout",
        "{} cannot be reached: it did not accept a connection in time.",
    ),
    (failures.ReadTimeoutError, "timeout", "{} did not answer in time."),
    (failures.SSLError, "tls", "{} and this connector could not agree on an encrypted connection."),
    (failures.DecodeError, "cut_short", "{} sent an answer whose compression is broken."),
)


def _in_our_words(err: BaseException, shown: str) -> ConnectorError:
    if _is_certificate(err):
        reason = getattr(err.args[0], "verify_message", "") or "it is not valid"
        return TryLaterError(
            f"The certificate of {shown} is not to be trusted: {reason}.", code="certificate"
        )
    for kind, code, words in _WORDS:
        if isinstance(err, kind):
            return TryLaterError(words.format(shown), code=code)
    return TryLaterError(f"{shown} broke off the connection.", code="cut_short")


def _is_certificate(err: BaseException) -> bool:
    return isinstance(err, failures.SSLError) and isinstance(
        err.args[0] if err.args else None, ssl.SSLCertVerificationError
    )
