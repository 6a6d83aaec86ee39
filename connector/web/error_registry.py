"""Every error code in the words of the pages: what it means, what to do, and who can do it.

The table is ``errors.toml`` beside this module; ``docs/errors.md`` is made from it by
``python -m connector.web``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

from connector.errors import ConnectorError, TryLaterError

_TABLE: Final = Path(__file__).with_name("errors.toml")
WHO: Final[Mapping[str, str]] = {
    "admin": "Whoever looks after Whop and Twenty",
    "operator": "The operator of this installation",
    "wait": "Nobody; it mends itself",
}


class Entry(NamedTuple):
    """One code. ``about`` is the group it is listed in, ``who`` one of WHO."""

    code: str
    about: str
    title: str
    meaning: str
    todo: str
    who: str

    @property
    def who_can(self) -> str:
        """Who can do it, in words."""
        return WHO[self.who]


@cache
def entries() -> Mapping[str, Entry]:
    """Code → entry, in the order of the table."""
    table = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
    return {code: Entry(code=code, **values) for code, values in table.items()}


def entry(code: str | None) -> Entry:
    """What is known of a code; one that nobody described is still shown, as what it is."""
    known = entries()
    return known.get(code or "error") or known["error"]._replace(code=code or "error")


def todo(error: ConnectorError) -> str:
    """What to do about an error that a page shows to whoever waits for it.

    A run is tried again by itself; what somebody asked of a page is not.
    """
    if not isinstance(error, TryLaterError) or error.remedy != TryLaterError.remedy:
        return error.remedy
    known = entry(error.code)
    return "Try again in a moment." if known.who == "wait" else known.todo


def by_subject() -> list[tuple[str, list[Entry]]]:
    """The entries under their headings."""
    return [(about, list(group)) for about, group in groupby(entries().values(), lambda one: one.about)]


def document() -> str:
    """The page for the documentation, as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Errors"
    yield ""
    yield "Every code that a page, the sync log or a command can show. Made from `connector/web/errors.toml`."
    for about, group in by_subject():
        yield from ("", f"## {about}", "", "| code | what it means | what to do | who can do it |")
        yield "| --- | --- | --- | --- |"
        for one in group:
            yield f"| `{one.code}` | **{one.title}.** {one.meaning} | {one.todo} | {one.who_can} |"
