"""Times as Twenty writes them: ISO 8601, UTC, three decimals (so that text order is time order)."""

import re
import time
from datetime import UTC, datetime
from functools import lru_cache

_SHAPE = re.compile(
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?\s?(Z|[+-]\d\d(:?\d\d)?)?)?", re.ASCII | re.IGNORECASE
)


@lru_cache(8192)
def _to_second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def iso(ms: int) -> str:
    """1700000000123 -> 2023-11-14T22:13:20.123Z"""
    second, rest = divmod(ms, 1000)
    return f"{_to_second(second)}.{rest:03d}Z"


def after(moment: str, now: str) -> str:
    """Return `now`, or one millisecond after `moment` where the clock has not moved since."""
    if now > moment:
        return now
    return iso(int(datetime.fromisoformat(moment).timestamp() * 1000 + 0.5) + 1)


def canonical(text: str) -> str | None:
    """A date or date-time as stored: cut to milliseconds, no zone means UTC (812-815); None if it is none."""
    if not _SHAPE.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text.replace(" ", "T", 1))
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
