"""What a browser loads for a page: over one kept connection, timed, weighed, and searched for addresses."""

from __future__ import annotations

import gzip
import http.client
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from urllib.parse import urljoin, urlsplit
from urllib.request import HTTPCookieProcessor, Request

from connector.cli.visitor import Visitor
from connector.errors import ConnectorError

_TIMEOUT = 60.0
_LOADING = {"src", "srcset", "poster", "data", "background"}
_IN_CSS = re.compile(r"""(?:@import\s+(?:url\(\s*)?|url\(\s*)["']?((?!data:)[^"')\s;]+)""", re.IGNORECASE)
# A script's text is not understood, only searched: an address of another host begins with two slashes.
_IN_SCRIPT = re.compile(r"""["'`]((?:(?:https?|wss?):)?//[\w.-]+[^"'`]*)""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: how long it took in seconds, and its bytes on the wire, headers included."""

    path: str
    status: int
    seconds: float
    weight: int
    text: str


class Browser(Visitor):
    """A visitor whose cookies can be handed on."""

    def __init__(self) -> None:
        super().__init__()
        self._jar = CookieJar()
        self._opener.add_handler(HTTPCookieProcessor(self._jar))

    def cookies(self, url: str) -> str:
        """What it would send to this address."""
        request = Request(url)  # noqa: S310 - never opened
        self._jar.add_cookie_header(request)
        return request.get_header("Cookie", "") or ""


class Line:
    """One kept connection of somebody signed in."""

    def __init__(self, home: str, cookies: str) -> None:
        host = urlsplit(home).netloc
        self._home = home
        self._connection = http.client.HTTPConnection(host, timeout=_TIMEOUT)
        self._headers = {"Cookie": cookies, "Accept": "text/html", "Accept-Encoding": "gzip"}

    def get(self, path: str) -> Answer:
        """Ask for a page. Raises ConnectorError for any answer but 200."""
        try:
            answer = self._get(path)
        except (http.client.RemoteDisconnected, ConnectionError):
            # The server may close a connection that was idle; a browser opens another then.
            self._connection.close()
            answer = self._get(path)
        if answer.status != 200:
            raise ConnectorError(f"{path} answered {answer.status}", code="page")
        return answer

    def _get(self, path: str) -> Answer:
        started = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        response = self._connection.getresponse()
        body = response.read()
        seconds = time.perf_counter() - started
        weight = len(body) + sum(len(name) + len(value) + 4 for name, value in response.getheaders())
        plain = gzip.decompress(body) if response.headers["Content-Encoding"] == "gzip" else body
        return Answer(path, response.status, seconds, weight, plain.decode())

    def load(self, path: str) -> Loaded:
        """A page and, as at a first visit, everything of this host that it loads."""
        page = self.get(path)
        weight, foreign, seen = page.weight, set[str](), set[str]()
        waiting = [urljoin(self._home + path, one) for one in loaded_by(page)]
        while waiting:
            url = waiting.pop()
            if not url.startswith(f"{self._home}/"):
                foreign.add(url)
            elif url not in seen:
                seen.add(url)
                asset = self.get(url.removeprefix(self._home))
                weight += asset.weight
                waiting.extend(urljoin(url, one) for one in loaded_by(asset))
        return Loaded(page, weight, frozenset(foreign))

    def close(self) -> None:
        """Hang up."""
        with suppress(OSError):
            self._connection.close()


@dataclass(frozen=True, slots=True)
class Loaded:
    """A page with what belongs to it: bytes in all, and the addresses of other hosts it would ask."""

    page: Answer
    weight: int
    foreign: frozenset[str]


def loaded_by(answer: Answer) -> Iterator[str]:
    """The addresses that a browser loads by itself for this page, style sheet or script."""
    path = answer.path.partition("?")[0]
    if path.endswith(".js"):
        yield from _IN_SCRIPT.findall(answer.text)
    elif path.endswith(".css"):
        yield from _IN_CSS.findall(answer.text)
    elif not path.endswith(".svg"):
        reader = _Assets()
        reader.feed(answer.text)
        yield from reader.found


class _Assets(HTMLParser):
    """Collects what is loaded without anybody's click, inline styles included."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in _LOADING or (name == "href" and tag in ("link", "use", "image")):
                self.found.extend(_addresses(name, value or ""))
            elif name == "style":
                self.found.extend(_IN_CSS.findall(value or ""))


def _addresses(name: str, value: str) -> list[str]:
    listed = [one.split()[0] for one in value.split(",") if one.strip()] if name == "srcset" else [value]
    return [one for one in listed if one and not one.startswith(("#", "data:"))]
