"""Whop's times in canonical form."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

_LENGTH: Final = 24
#: Of the forms of that length that parse only the canonical one has these four signs in these places.
_SIGNS: Final = ((7, "-"), (10, "T"), (19, "."), (23, "Z"))


def canonical_time(text: str) -> str:
    """ISO 8601 with any offset → UTC with milliseconds and ``Z``; text of that very form is handed back.

    Raises ValueError for anything else, a time that does not name its offset included.
    """
    moment = datetime.fromisoformat(text)
    if len(text) == _LENGTH and text[7] == "-" and text[10] == "T" and text[19] == "." and text[23] == "Z":
        return text
    if moment.tzinfo is None:
        raise ValueError("no zone")
    try:
        moment = moment.astimezone(UTC)
    except OverflowError as err:
        raise ValueError("out of range") from err
    return f"{moment.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def are_canonical(texts: Sequence[str]) -> bool:
    """Whether ``canonical_time`` hands each of these back as it is; asked of all at once."""
    joined = "".join(texts)
    if not set(map(len, texts)) <= {_LENGTH}:
        return False
    if any(joined[at::_LENGTH].strip(sign) for at, sign in _SIGNS):
        return False
    try:
        return all(map(datetime.fromisoformat, texts))
    except ValueError:
        return False
