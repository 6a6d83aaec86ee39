"""A Redis, and budgets upon it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis

from connector import budget


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with budget.client(redis_url) as client:
        yield client
