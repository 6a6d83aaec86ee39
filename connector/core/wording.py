"""The words of notes and tasks: fixed text with values in it, as a reader expects them.

What somebody typed on Whop is shown as it is: in a note, which is markdown, it makes no heading, no link and
no picture.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from connector.core.currencies import places
from connector.core.mapping import Fields, Read, ValueProblem
from connector.core.notes import Words
from connector.core.records import UNKNOWN
from connector.core.transforms import as_text

NOT_GIVEN: Final = "(not given)"
_MOST_TITLE: Final = 200
_MOST_VALUE: Final = 1_000

Piece = str | tuple[Read, str]
"""Fixed text, or what reads a value and the value's type."""


def words(pieces: Sequence[Piece], *, plain: bool = False, endless: bool = False) -> Words:
    """Text made of fixed pieces and of values with their types; ``plain``: not markdown but a title, or with
    ``endless`` a text that is shown as it is."""

    def made(fields: Fields) -> str:
        return "".join(_piece(piece, fields, plain) for piece in pieces)

    return (lambda fields: made(fields)[:_MOST_TITLE]) if plain and not endless else made


def _piece(piece: Piece, fields: Fields, plain: bool) -> str:
    if isinstance(piece, str):
        return piece
    read, type_ = piece
    try:
        said = _said(read(fields), type_)
    except ValueProblem:  # a note is no reason to fail: it says what it can
        said = ""
    said = " ".join(said.replace("\x00", "").split())[:_MOST_VALUE] or NOT_GIVEN
    return said if plain else escaped(said)


def _said(value: Any, type_: str) -> str:
    if value is None or value is UNKNOWN:
        return ""
    if isinstance(value, Mapping):
        return _money(value)
    text = as_text(value)
    return (
        f"{text[:10]} {text[11:16]} UTC" if type_ == "time" and len(text) > len("2026-11-20T12:00") else text
    )


def _money(value: Fields) -> str:
    """An amount with the decimals that its currency has, none of those that it has beyond them lost."""
    amount, currency = value.get("amount"), str(value.get("currency") or "").upper()
    try:
        exact = Decimal(str(amount))
        short = exact.quantize(Decimal(1).scaleb(-places(currency)))
    except InvalidOperation:
        return ""
    if not exact.is_finite():
        return ""
    return f"{short if short == exact else exact:,f} {currency}".strip()


_MARKS: Final = re.compile(r"([\\`*_{}\[\]<>|~#!&$@])")
_ADDRESS: Final = re.compile(r"://|(?i:www)\.")
_AT_START: Final = re.compile(r"^([-+=]|\d+(?=[.)](?:\s|$)))")


def escaped(text: str) -> str:
    """Text that somebody typed, so that markdown shows it as it is: no heading, link or picture of theirs."""
    text = _MARKS.sub(r"\\\1", text)
    text = _ADDRESS.sub(lambda found: found[0][:-1] + "\\." if found[0][-1] == "." else "\\://", text)
    start = _AT_START.match(text)
    if start is None:
        return text
    first, rest = start[0], text[start.end() :]
    return f"{first}\\{rest}" if first[-1].isdigit() else f"\\{first}{rest}"
