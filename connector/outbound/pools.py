"""Connections that open only to addresses the guard has checked, kept alive in pools."""

from __future__ import annotations

import os
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

import certifi
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.ssl_ import create_urllib3_context

from .addresses import Answer, Guard

#: Connections kept per service: more than a process has threads, so none is thrown away.
_KEPT = 64


class _PlainConnection(HTTPConnection):
    def __init__(self, *args: Any, guard: Guard, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._guard = guard

    def _new_conn(self) -> socket.socket:
        return _open(self, self._guard, encrypted=False)


class _SecureConnection(HTTPSConnection):
    def __init__(self, *args: Any, guard: Guard, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._guard = guard

    # Only the socket goes to the checked address. The name stays the connection's host, which is what
    # the handshake asks for (SNI) and what the certificate is compared with.
    def _new_conn(self) -> socket.socket:
        return _open(self, self._guard, encrypted=True)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class Pools:
    """One pool per scheme, host and port, made when first asked for. Safe for threads."""

    def __init__(self, guard: Guard, *, ca_file: str | None = None) -> None:
        self._guard = guard
        self._tls = _tls_context(ca_file)
        self._begin()

    def get(self, scheme: str, host: str, port: int) -> HTTPConnectionPool:
        # A forked worker must not speak on the connections of its parent.
        if self._process != os.getpid():
            self._begin()
        with self._lock:
            pool = self._pools.get((scheme, host, port))
            if pool is None:
                pool = self._pools[scheme, host, port] = self._made(scheme, host, port)
            return pool

    def close(self) -> None:
        with self._lock:
            for pool in self._pools.values():
                pool.close()
            self._pools.clear()

    def _begin(self) -> None:
        self._pools: dict[tuple[str, str, int], HTTPConnectionPool] = {}
        self._lock = threading.Lock()
        self._process = os.getpid()

    def _made(self, scheme: str, host: str, port: int) -> HTTPConnectionPool:
        if scheme == "https":
            return _SecurePool(host, port, maxsize=_KEPT, guard=self._guard, ssl_context=self._tls)
        return _PlainPool(host, port, maxsize=_KEPT, guard=self._guard)


def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    context = create_urllib3_context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.check_hostname = True
    context.load_verify_locations(cafile=certifi.where())
    if ca_file:
        context.load_verify_locations(cafile=ca_file)
    return context


def _open(connection: HTTPConnection, guard: Guard, *, encrypted: bool) -> socket.socket:
    """A connected socket, or urllib3's error for what went wrong, as its pool expects."""
    # The name as it was given: its last dot, if it has one, matters to DNS.
    host, port = connection._dns_host, connection.port or connection.default_port
    try:
        opened = _first_that_answers(guard.answers(host, port, encrypted=encrypted), connection)
    except (socket.gaierror, UnicodeError) as err:
        reason = err if isinstance(err, socket.gaierror) else socket.gaierror(str(err))
        raise NameResolutionError(host, connection, reason) from err
    except TimeoutError as err:
        raise ConnectTimeoutError(connection, "timed out") from err
    except OSError as err:
        raise NewConnectionError(connection, f"{err.strerror or err}") from err
    sys.audit("http.client.connect", connection, host, port)
    return opened


def _first_that_answers(answers: Sequence[Answer], connection: HTTPConnection) -> socket.socket:
    deadline = _deadline(connection.timeout)
    last: OSError = OSError("the name has no address")
    for answer in answers:
        try:
            return _connected(answer, deadline(), connection)
        except OSError as err:
            last = err
    raise last


def _deadline(timeout: float | None) -> Callable[[], float | None]:
    """What is left of the connect timeout, however many addresses are tried within it."""
    if timeout is None:
        return lambda: None
    end = monotonic() + timeout
    return lambda: max(end - monotonic(), 0.001)


def _connected(answer: Answer, timeout: float | None, connection: HTTPConnection) -> socket.socket:
    family, kind, protocol, _, address = answer
    opened = socket.socket(family, kind, protocol)
    try:
        for option in connection.socket_options or ():
            opened.setsockopt(*option)
        opened.settimeout(timeout)
        opened.connect(address)
    except BaseException:
        opened.close()
        raise
    opened.settimeout(connection.timeout)
    return opened
