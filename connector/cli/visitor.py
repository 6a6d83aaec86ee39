"""Uses web pages as a person with a browser would: follows links, fills forms, presses buttons by name.

No script is run, so this also proves that the pages are whole without it.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from urllib.parse import urlencode, urljoin

from connector.errors import ConnectorError

_TIMEOUT = 60.0


@dataclass(slots=True)
class Form:
    """A form of a page: what it would send as it stands, and its buttons by their words."""

    action: str
    method: str
    values: list[tuple[str, str]] = field(default_factory=list)
    buttons: dict[str, tuple[str, str] | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """What a request ended at, after redirects."""

    url: str
    status: int
    text: str
    forms: tuple[Form, ...]
    links: dict[str, str]


class Visitor:
    """One browser session: cookies are kept from page to page."""

    def __init__(self) -> None:
        cookies = urllib.request.HTTPCookieProcessor(CookieJar())
        # No proxy of the environment: every address is on this machine.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), cookies)

    def open(self, url: str) -> Page:
        """Go to an address. Raises ConnectorError when it does not answer."""
        return self._load(urllib.request.Request(url))  # noqa: S310 - addresses of this machine's own servers

    def press(self, page: Page, words: str, **fields: str) -> Page:
        """Press the button or link with these words, with form fields filled in.

        Raises ConnectorError when the page has none, showing what it has instead.
        """
        for form in page.forms:
            if name := _called(words, form.buttons):
                return self._send(page, form, form.buttons[name], fields)
        if name := _called(words, page.links):
            return self.open(urljoin(page.url, page.links[name]))
        offered = [*page.links, *(name for form in page.forms for name in form.buttons)]
        raise ConnectorError(
            f"{page.url} ({page.status}) has nothing called {words!r}; it offers {', '.join(offered)}.",
            code="page",
        )

    def _send(self, page: Page, form: Form, button: tuple[str, str] | None, fields: dict[str, str]) -> Page:
        kept = [(name, value) for name, value in form.values if name not in fields]
        data = urlencode([*kept, *fields.items(), *([button] if button else [])])
        address = urljoin(page.url, form.action)
        if form.method == "get":
            return self.open(f"{address}?{data}")
        request = urllib.request.Request(address, data.encode(), {"Referer": page.url})  # noqa: S310
        return self._load(request)

    def _load(self, request: urllib.request.Request) -> Page:
        try:
            answer = self._opener.open(request, timeout=_TIMEOUT)
        except urllib.error.HTTPError as error:
            answer = error
        except OSError as error:
            raise ConnectorError(f"{request.full_url} does not answer: {error}", code="page") from error
        with answer:
            text = answer.read().decode(errors="replace")
            return _read(answer.geturl(), answer.status or 0, text)


def _called(words: str, names: Iterable[str]) -> str | None:
    """The name that is these words, or begins with them: for the ear, buttons name their row as well."""
    found = [name for name in names if name == words or name.startswith((f"{words} ", f"{words}:"))]
    return found[0] if found else None


def _read(url: str, status: int, text: str) -> Page:
    reader = _Reader()
    reader.feed(text)
    return Page(url, status, text, tuple(reader.forms), reader.links)


class _Reader(HTMLParser):
    """Collects forms and links; words are compared with white space folded."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: dict[str, str] = {}
        self._form: Form | None = None
        self._words: list[str] = []
        self._open: tuple[str, dict[str, str]] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(found.get("action", ""), found.get("method", "get").lower())
            self.forms.append(self._form)
        elif tag in ("a", "button"):
            self._open, self._words = (tag, found), []
        elif tag == "input" and self._form is not None:
            self._form.values.extend(_sent(found))

    def handle_data(self, data: str) -> None:
        self._words.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        if self._open is None or self._open[0] != tag:
            return
        attrs, words = self._open[1], " ".join("".join(self._words).split())
        self._open = None
        if tag == "a" and "href" in attrs:
            self.links.setdefault(words, attrs["href"])
        elif tag == "button" and self._form is not None and attrs.get("type", "submit") == "submit":
            name = attrs.get("name")
            self._form.buttons[words] = (name, attrs.get("value", "")) if name else None


def _sent(found: dict[str, str]) -> Iterator[tuple[str, str]]:
    """What an input contributes as the page stands: hidden and typed values, and what is checked."""
    name, type_ = found.get("name"), found.get("type", "text")
    if (
        name
        and type_ not in ("submit", "button", "file")
        and (type_ not in ("radio", "checkbox") or "checked" in found)
    ):
        yield name, found.get("value", "on" if type_ == "checkbox" else "")
