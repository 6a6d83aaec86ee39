"""A mail server and a webhook that keep what they are given."""

from __future__ import annotations

import base64
import io
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email import message_from_string, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, cast

import orjson


class _Smtp(socketserver.StreamRequestHandler):
    let_in = False

    def handle(self) -> None:
        with suppress(OSError):  # whoever mistrusts our certificate goes without a word
            self._talk()

    def finish(self) -> None:
        super().finish()
        self.connection.close()  # an encrypted one is not the socket that the server closes

    def _talk(self) -> None:
        catcher = cast("MailCatcher", self.server)
        self._say("220 catcher")
        while line := self.rfile.readline().decode().strip():
            word = line.split()[0].upper()
            if word == "QUIT":
                self._say("221 bye")
                return
            if word == "RCPT" and catcher.refuses:
                self._say("550 no such mailbox")
            elif word == "EHLO":
                self._say(self._greeting(catcher))
            elif word == "STARTTLS" and catcher.tls:
                self._say("220 go on")
                self._encrypt(catcher.tls)
            elif word == "AUTH":
                self._say("235 you are in" if self._is_let_in(line) else "535 5.7.8 not with hush-hush")
            elif word == "MAIL" and catcher.account and not self.let_in:
                self._say("530 sign in first")
            elif word == "DATA":
                self._say("354 go on")
                catcher.take(self._data())
                if catcher.silent:
                    return
                self._say("250 kept")
            else:
                self._say("250 fine")

    def _greeting(self, catcher: MailCatcher) -> str:
        encrypted = isinstance(self.connection, ssl.SSLSocket)
        offers = ["STARTTLS"] if catcher.tls and not encrypted else []
        offers += ["AUTH PLAIN"] if catcher.account and encrypted else []
        lines = ["catcher", *offers]
        return "\r\n".join(f"250{' ' if line is lines[-1] else '-'}{line}" for line in lines)

    def _encrypt(self, context: ssl.SSLContext) -> None:
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = cast("io.BufferedIOBase", self.connection.makefile("wb", 0))

    def _is_let_in(self, line: str) -> bool:
        """AUTH PLAIN and, in base64, nobody, the name and the password, each with a NUL before it."""
        _, name, password = base64.b64decode(line.split()[2]).decode().split("\0")
        self.let_in = (name, password) == cast("MailCatcher", self.server).account
        return self.let_in

    def _data(self) -> str:
        lines = []
        while (line := self.rfile.readline().decode().rstrip("\r\n")) != ".":
            lines.append(line)
        return "\n".join(lines)

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class MailCatcher(socketserver.ThreadingTCPServer):
    """``silent``: it takes an e-mail and breaks off without an answer. With ``tls`` it offers STARTTLS;
    with ``account`` it asks for this name and password, encrypted."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Smtp)
        self.caught: list[EmailMessage] = []
        self.refuses = False
        self.silent = False
        self.tls: ssl.SSLContext | None = None
        self.account: tuple[str, str] | None = None

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def take(self, text: str) -> None:
        self.caught.append(cast("EmailMessage", message_from_string(text, policy=policy.default)))


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        catcher = cast("HookCatcher", self.server)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if catcher.status == 200:
            catcher.caught.append(orjson.loads(body))
        self.send_response(catcher.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""


class HookCatcher(HTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Hook)
        self.caught: list[dict[str, str]] = []
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/services/T0/B0/very-secret"


@contextmanager
def mail_caught() -> Iterator[MailCatcher]:
    with MailCatcher() as server, _serving(server):
        yield server


@contextmanager
def hooks_caught() -> Iterator[HookCatcher]:
    with HookCatcher() as server, _serving(server):
        yield server


@contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
