"""The door: sessions for our adapters, and an adapter for sessions of requests."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import orjson
import requests

from connector.errors import AddressError, TryLaterError

from .addresses import AllowList, Guard, Resolver
from .pools import Pools
from .requests_adapter import DoorAdapter
from .wire import Body, OutboundResponse, Target, Wire, check_headers, merged, target

Params = Mapping[str, str | int | Sequence[str | int] | None]

_TRIES = 3
_FIRST_WAIT = 0.25
#: A longer wait than this belongs to whoever plans the work, not to a sleeping thread.
_LONGEST_WAIT = 5.0
_UNAVAILABLE = (502, 503, 504)
#: Sending again cures neither of these.
_LASTING = ("certificate", "tls")


class Door:
    """The one way out, shared by all threads of a process.

    ``correlation_id`` gives the X-Request-Id of a request, or None. ``in_transaction``, where given,
    is asked before every request, and True is a bug of the caller: RuntimeError. Proxies of the
    environment are not used: a proxy would resolve the name, past the address guard.
    """

    def __init__(  # noqa: PLR0913 - the settings and the outside world, each by name
        self,
        *,
        connect_timeout: float,
        read_timeout: float,
        allowed_private: AllowList,
        user_agent: str,
        max_bytes: int = 32 * 1024 * 1024,
        allow_http: bool = False,
        ca_file: str | None = None,
        correlation_id: Callable[[], str | None] = lambda: None,
        in_transaction: Callable[[], bool] | None = None,
        resolver: Resolver = socket.getaddrinfo,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = random.random,
    ) -> None:
        self._guard = Guard(allowed_private, resolver, allow_http)
        self._pools = Pools(self._guard, ca_file=ca_file)
        self._wire = Wire(
            self._pools,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            max_bytes=max_bytes,
            in_transaction=in_transaction,
        )
        self._user_agent = user_agent
        self._correlation_id = correlation_id
        self._sleep = sleep
        self._random = random

    def session(self, base_url: str, *, headers: Mapping[str, str] | None = None) -> OutboundSession:
        """Requests to one origin, each with these headers. Cheap; the connections are the door's."""
        return OutboundSession(self, base_url, headers or {})

    def mount(self, session: requests.Session) -> None:
        """Make the session (Authlib's is one) go through this door and no other way."""
        session.adapters.clear()
        session.trust_env = False
        session.headers["User-Agent"] = self._user_agent
        adapter = DoorAdapter(self.send)
        session.mount("https://", adapter)
        session.mount("http://", adapter)

    def check(self, url: str) -> None:
        """Raises AddressError where the address may not be connected to, TryLaterError without DNS."""
        to = target(url)
        try:
            self._guard.answers(to.host.strip("[]"), to.port, encrypted=to.scheme == "https")
        except (OSError, UnicodeError) as err:
            raise TryLaterError(f"The name {to.host} is not known.", code="unreachable") from err

    def close(self) -> None:
        """Close the kept connections."""
        self._pools.close()

    def send(
        self,
        to: Target,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        body: Body,
        *,
        retry: bool | None = None,
    ) -> OutboundResponse:
        """Send, again where that is safe: a GET by default, anything with ``retry=True``."""
        check_headers(headers)
        sent = self._with_own(headers)
        tries = _TRIES if (method in ("GET", "HEAD") if retry is None else retry) else 1
        for left in range(tries - 1, 0, -1):
            wait = self._backoff(tries - 1 - left)
            try:
                response = self._wire.send(to, method, path, query, sent, body)
            except TryLaterError as err:
                if err.code in _LASTING:
                    raise
            else:
                wait = max(wait, _wait_asked_for(response))
                if response.status not in _UNAVAILABLE or wait > _LONGEST_WAIT:
                    return response
            self._sleep(wait)
        return self._wire.send(to, method, path, query, sent, body)

    def _backoff(self, tried: int) -> float:
        return _FIRST_WAIT * 2.0**tried * (0.5 + self._random())

    def _with_own(self, headers: Mapping[str, str]) -> dict[str, str]:
        own = {"User-Agent": self._user_agent, "Accept-Encoding": "gzip"}
        correlation_id = self._correlation_id()
        if correlation_id:
            own["X-Request-Id"] = correlation_id
        return merged(own, headers)


class OutboundSession:
    """Requests to one origin with one set of headers. Safe for threads."""

    def __init__(self, door: Door, base_url: str, headers: Mapping[str, str]) -> None:
        self._door = door
        self._base = target(base_url)
        self._path = self._base.path.rstrip("/")
        self._headers = dict(headers)
        check_headers(self._headers)

    def request(
        self,
        method: str,
        path_or_url: str,
        *,
        json: Any = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        retry: bool | None = None,
    ) -> OutboundResponse:
        """The answer, whatever its status. A full URL must be of the session's origin.

        Raises TryLaterError for a failure of transport, AddressError for a refused address.
        ``json`` is any value orjson takes; ``params`` that are None are left out.
        """
        path, query = self._place(path_or_url, params)
        body = None if json is None else orjson.dumps(json)
        own = {"Accept": "application/json"}
        if body is not None:
            own["Content-Type"] = "application/json"
        sent = merged(own, self._headers, headers or {})
        return self._door.send(self._base, method.upper(), path, query, sent, body, retry=retry)

    def _place(self, path_or_url: str, params: Params | None) -> tuple[str, str]:
        path, given = self._parts(path_or_url)
        added = urlencode({name: v for name, v in (params or {}).items() if v is not None}, doseq=True)
        query = "&".join(part for part in (given, added) if part)
        return path, f"?{query}" if query else ""

    def _parts(self, path_or_url: str) -> tuple[str, str]:
        if path_or_url.startswith(("http://", "https://")):
            to = target(path_or_url)
            # The session's headers hold a credential, and a service may name any address it likes.
            if to.origin != self._base.origin:
                raise AddressError(f"{to.shown('')} is not the service this session is for.")
            return to.path, to.query or ""
        path, _, query = path_or_url.partition("?")
        return f"{self._path}/{path.lstrip('/')}" if path else self._path, query


def _wait_asked_for(response: OutboundResponse) -> float:
    asked = response.headers.get("Retry-After", "")
    return float(asked) if asked.isascii() and asked.isdigit() else 0.0
