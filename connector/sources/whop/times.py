"""Whop's times in canonical form."""

from __future__ import annotations

from datetime import UTC, datetime


def canonical_time(text: str) -> str:
    """ISO 8601 with any offset → UTC with milliseconds and ``Z``; text of that very form is handed back.

    Raises ValueError for anything else, a time that does not name its offset included.
    """
    moment = datetime.fromisoformat(text)
    # Of the 24-character forms that parse only this one has these four signs in these places.
    if len(text) == 24 and text[7] == "-" and text[10] == "T" and text[19] == "." and text[23] == "Z":
        return text
    if moment.tzinfo is None:
        raise ValueError("no zone")
    try:
        moment = moment.astimezone(UTC)
    except OverflowError as err:
        raise ValueError("out of range") from err
    return f"{moment.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
