"""Functions on dates and times. A day begins at midnight in UTC, as Twenty stores times."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from connector.core.mapping import ValueProblem
from connector.core.records import iso
from connector.core.transforms.kit import TEXT, Example, Transform, exact, text_of, whole

_A_TIME: Final = "a date and time like 2026-11-20T09:00:00Z"


def _moment(value: Any) -> datetime | None:
    text = text_of(value).strip()
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueProblem(_A_TIME, value) from None


def _date_time(value: Any, _: Any) -> str | None:
    moment = _moment(value)
    return None if moment is None else iso(moment)


def _unix_time(value: Any, _: Any) -> str | None:
    seconds = exact(value, "seconds since 1970, like 1795168800")
    if seconds is None:
        return None
    try:
        return iso(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=float(seconds)))
    except OverflowError:
        raise ValueProblem("seconds since 1970, like 1795168800", value) from None


def _plus_days(value: Any, days: int) -> str | None:
    moment = _moment(value)
    if moment is None:
        return None
    try:
        return iso(moment + timedelta(days=days))
    except OverflowError:
        raise ValueProblem("a date between the years 1 and 9999", value) from None


def _midnight(value: Any, _: Any) -> str | None:
    moment = _moment(value)
    return None if moment is None else iso(moment.replace(hour=0, minute=0, second=0, microsecond=0))


def _day(value: Any, _: Any) -> str | None:
    moment = _moment(value)
    return None if moment is None else iso(moment)[:10]


def _month(value: Any, _: Any) -> str | None:
    moment = _moment(value)
    return None if moment is None else iso(moment)[:7]


def _year(value: Any, _: Any) -> int | None:
    moment = _moment(value)
    return None if moment is None else moment.year


_TIMES: Final = TEXT | {"time"}
_NIGHT: Final = "2026-11-20T23:30:00-05:00"

FUNCTIONS: Final[Mapping[str, Transform]] = {
    "date_time": Transform(
        _TIMES,
        "time",
        _date_time,
        "Reads a date, or a date and time; without a zone it is UTC.",
        (
            Example("2026-11-20T10:00:00+01:00", "2026-11-20T09:00:00.000Z"),
            Example("2026-11-20", "2026-11-20T00:00:00.000Z"),
        ),
        (Example("20/11/2026", None),),
    ),
    "unix_time": Transform(
        TEXT | {"number"},
        "time",
        _unix_time,
        "Reads seconds since 1970.",
        (Example(1795168800, "2026-11-20T10:00:00.000Z"), Example("0", "1970-01-01T00:00:00.000Z")),
        (Example("yesterday", None), Example(10**14, None)),
    ),
    "plus_days": Transform(
        _TIMES,
        "time",
        _plus_days,
        "So many days later; fewer than none is earlier.",
        (
            Example("2026-11-20T09:00:00.000Z", "2026-11-27T09:00:00.000Z", 7),
            Example("2026-11-20", "2026-11-19T00:00:00.000Z", -1),
        ),
        (Example("9999-12-31", None, 1),),
        whole(-36_500, 36_500, "a number of days, like {plus_days: 7}"),
    ),
    "midnight": Transform(
        _TIMES,
        "time",
        _midnight,
        "The beginning of that day, in UTC.",
        (Example(_NIGHT, "2026-11-21T00:00:00.000Z"),),
        (Example("today", None),),
    ),
    "day": Transform(
        _TIMES,
        "text",
        _day,
        "The day as text.",
        (Example(_NIGHT, "2026-11-21"),),
        (Example("today", None),),
    ),
    "month": Transform(
        _TIMES,
        "text",
        _month,
        "The month as text.",
        (Example(_NIGHT, "2026-11"),),
        (Example("today", None),),
    ),
    "year": Transform(
        _TIMES,
        "number",
        _year,
        "The year as a number.",
        (Example(_NIGHT, 2026),),
        (Example("today", None),),
    ),
}
