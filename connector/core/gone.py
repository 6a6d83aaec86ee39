"""What a mapping file says of records that are gone from the source."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, NamedTuple


class Gone(StrEnum):
    """What a mapping file wants for records that are gone from the source."""

    KEEP = "keep"
    MARK = "mark"
    CLEAR = "clear"
    DELETE = "delete"


class WhenGone(NamedTuple):
    """``field`` gets ``value`` where it is to be marked, and nothing where it is to be cleared."""

    do: Gone = Gone.KEEP
    field: str | None = None
    value: Any = None


KEEP: Final = WhenGone()
