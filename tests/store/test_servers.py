"""The servers the tests stand on."""

from __future__ import annotations

import redis


def test_redis_is_there_and_empty(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        found = client.dbsize()
        client.set("left", "over")

    assert found == 0


def test_redis_is_emptied_between_tests(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
