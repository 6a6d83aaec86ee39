"""Records that were read a while ago: kept for their time, fresh where that is asked for, never needed."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
import structlog
from redis import Redis
from test_whop_reader import Recorded, a

from connector.cache import Cache
from connector.sources.whop import WhopReader
from connector.sources.whop.remembered import HOUR, KEPT, Remembered

COMPANY = "biz_4QxLq2mTn8VrYe"


class Kept(dict[str, bytes]):
    """A cache that notes for how long."""

    seconds = 0

    def get(self, names: Iterable[str]) -> dict[str, bytes]:  # type: ignore[override]
        return {name: self[name] for name in names if name in self}

    def put(self, values: Mapping[str, bytes], seconds: int) -> None:
        self.update(values)
        self.seconds = seconds

    def drop(self, names: Iterable[str]) -> None:
        for name in names:
            self.pop(name, None)


def reader(session: Recorded, store: Any, connection: str = "c1") -> WhopReader:
    return WhopReader(session, company_id=COMPANY, remembered=Remembered(store, connection))


def ada(session: Recorded, **changes: Any) -> str:
    member = a("member", "ada", **changes)
    session.on(f"/members/{member['id']}", member)
    return str(member["id"])


def test_a_parent_that_is_remembered_is_not_asked_for_again() -> None:
    session, store = Recorded(), Kept()
    name = ada(session)

    first, again = (
        reader(session, store).parents("member", [name]),
        reader(session, store).parents("member", [name]),
    )

    assert first == again
    assert len(session.params_of(f"/members/{name}")) == 1
    assert store.seconds == KEPT["member"] == HOUR
    assert KEPT["product"] == 24 * HOUR


def test_what_must_be_fresh_is_fetched_and_remembered_anew() -> None:
    session, store = Recorded(), Kept()
    name = ada(session)
    one = reader(session, store)
    one.parents("member", [name])

    ada(session, email="new@example.com")
    one.fetch("member", [name])

    assert one.parents("member", [name])[name].fields["email"] == "new@example.com"
    assert len(session.params_of(f"/members/{name}")) == 2


def test_an_event_makes_it_forgotten() -> None:
    session, store = Recorded(), Kept()
    name = ada(session)
    one = reader(session, store)
    one.parents("member", [name])

    one.forget("member", [name])
    one.parents("member", [name])

    assert len(session.params_of(f"/members/{name}")) == 2


def test_connections_remember_apart() -> None:
    session, store = Recorded(), Kept()
    name = ada(session)

    reader(session, store, "c1").parents("member", [name])
    reader(session, store, "c2").parents("member", [name])

    assert len(session.params_of(f"/members/{name}")) == 2


def test_memberships_and_what_is_absent_are_not_remembered() -> None:
    session, store = Recorded(), Kept()
    bought = a("membership", "ada-monthly")
    session.on(f"/memberships/{bought['id']}", bought)

    reader(session, store).parents("membership", [bought["id"]])
    reader(session, store).parents("product", ["prod_none"])

    assert store == {}


def test_what_could_not_be_read_is_not_remembered() -> None:
    session, store = Recorded(), Kept()
    name = ada(session, status=3)

    assert name in reader(session, store).parents("member", [name])

    assert store == {}


def test_the_log_says_how_often_it_helped() -> None:
    session, store = Recorded(), Kept()
    name = ada(session)
    reader(session, store).parents("member", [name])

    with structlog.testing.capture_logs() as told:
        reader(session, store).parents("member", [name, "mber_other"])

    (line,) = [one for one in told if "helped" in one]
    assert (line["kind"], line["asked"], line["helped"]) == ("member", 2, 1)


def test_amounts_come_back_as_exact_as_they_were() -> None:
    session, store = Recorded(), Kept()
    plan = a("plan", "kw90")
    session.on(f"/plans/{plan['id']}", plan)
    one = reader(session, store)

    assert one.parents("plan", [plan["id"]]) == one.parents("plan", [plan["id"]])


# --- the cache itself ---


@pytest.fixture
def cache(redis_url: str) -> Cache:
    return Cache(Redis.from_url(redis_url), lambda: 0.0)


def test_what_is_put_is_there_until_it_is_dropped(cache: Cache) -> None:
    cache.put({"a": b"1", "b": b"2"}, 60)
    assert cache.get(["a", "b", "c"]) == {"a": b"1", "b": b"2"}

    cache.drop(["a"])
    assert cache.get(["a", "b"]) == {"b": b"2"}


def test_what_is_put_has_an_end(cache: Cache, redis_url: str) -> None:
    cache.put({"short": b"1"}, 60)

    with Redis.from_url(redis_url) as redis:
        assert 0 < redis.ttl("cache:short") <= 60


def test_without_redis_everything_is_fetched() -> None:
    cache = Cache(Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=0.2), lambda: 0.0)
    session = Recorded()
    name = ada(session)

    with structlog.testing.capture_logs() as told:
        for _ in range(2):
            assert name in reader(session, cache).parents("member", [name])

    assert len(session.params_of(f"/members/{name}")) == 2
    assert sum(one["log_level"] == "warning" for one in told) == 1


def test_redis_is_asked_again_after_a_while() -> None:
    moments = iter([0.0, 0.0, 1.0, 9.0, 9.0])
    cache = Cache(Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=0.2), lambda: next(moments))

    with structlog.testing.capture_logs() as told:
        for _ in range(3):
            cache.get(["a"])

    assert len(told) == 2
