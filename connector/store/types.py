"""Column types that leave no room for doubt."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import DateTime, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment, kept and returned in UTC; a naive one is refused. SQLite forgets zones by itself."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a naive time was given to the store: {value!r}")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any] | None:
        """The rows of one transaction carry the same few moments: each is converted once."""
        convert = super().bind_processor(dialect)
        return lru_cache(maxsize=16)(convert) if convert else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _dumped(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


class Json(TypeDecorator[Any]):
    """A JSON document as text: written by orjson, because a link's memory is on the hot path."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return _dumped(value)

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        """Without the layers in between: this is called for every record."""
        return _dumped

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else orjson.loads(value)
