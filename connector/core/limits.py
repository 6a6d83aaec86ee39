"""How much one sync may do to the records of a mapping before a person is asked."""

from __future__ import annotations

from typing import Final, NamedTuple

_MANY: Final = 50


class Limits(NamedTuple):
    """In percent of the records. Removals have a limit always, changes where one is given."""

    most_removed: int = 10
    most_changed: int | None = None


USUAL: Final = Limits()


def is_too_much(count: int, of: int, percent: int) -> bool:
    """Whether so many are for a person to decide: more than this share, and than 50 however few there are."""
    return count > max(_MANY, of * percent // 100)
