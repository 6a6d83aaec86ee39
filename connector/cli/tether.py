"""Ties children, and the data directory they work in, to the supervisor that started them.

One watching process reads a pipe whose only writer is the supervisor. However the supervisor ends,
``kill -9`` included, the pipe ends with it, and the watcher ends every session it was told of.
This file is both ends of that pipe: imported by the supervisor, and run by path as the watcher,
with the standard library alone.

The other ways were left aside. ``PR_SET_PDEATHSIG`` exists on Linux only, needs ``preexec_fn`` or an
exec wrapper (20 ms for each start of each child), fires when the *thread* that started the child ends,
and reaches no grandchild such as gunicorn's workers. A wrapper that stays beside each child and polls
``getppid`` hides the child's pid and exit status, and once killed itself sets its child free. This
watcher is one process of 12 MB, works alike on Linux and macOS, and delays nothing: it starts while
the children do (30 ms, and the pipe keeps what it is told meanwhile). Should it be killed, the
supervisor starts another. What it cannot cover is a supervisor killed within the millisecond between
a child's start and the telling.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Self

#: How long a child may take to end by itself once its supervisor is gone.
_GRACE = 1.0


class Tether:
    """The supervisor's end. ``fds`` (a lock) stay open in the watcher until the last child is gone."""

    def __init__(self, fds: Iterable[int] = ()) -> None:
        self._fds = tuple(fds)
        self._held: set[int] = set()
        self._watcher = self._start()

    @property
    def pid(self) -> int:
        return self._watcher.pid

    def hold(self, leader: int) -> None:
        self._held.add(leader)
        self._tell()

    def release(self, leader: int) -> None:
        self._held.discard(leader)
        self._tell()

    def ensure(self) -> None:
        """Start another watcher if somebody killed this one."""
        if self._watcher.poll() is None:
            return
        self._hang_up()
        self._watcher = self._start()
        self._tell()

    def close(self) -> None:
        """End the watcher, and with it what it still holds; returns once that is done."""
        self._hang_up()
        self._watcher.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and our own file
            [sys.executable, "-I", "-S", os.path.abspath(__file__)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd="/",
            pass_fds=self._fds,
            start_new_session=True,
        )

    def _tell(self) -> None:
        # Every line is the whole truth, so the last one heard is all there is to know. A watcher that
        # is gone hears nothing: ``ensure`` tells the next one.
        if self._watcher.stdin and not self._watcher.stdin.closed:
            with suppress(BrokenPipeError):
                self._watcher.stdin.write(f"{' '.join(map(str, self._held))}\n".encode())

    def _hang_up(self) -> None:
        if self._watcher.stdin:
            self._watcher.stdin.close()


class DataLock:
    """One supervisor for each data directory; a context manager.

    Raises RefusedError, naming the other's pid, if another one has it. One that was killed keeps it until
    the last of its children has ended, which is waited for.
    """

    def __init__(self, data_dir: Path, *, patience: float = 5.0) -> None:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + patience
        while not self._take():
            holder = self._holder()
            if _lives(holder) or time.monotonic() > deadline:
                os.close(self._file)
                raise _in_use(data_dir, holder)
            time.sleep(0.05)
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Closed, not unlocked: a watcher that still ends children has it too, and keeps it meanwhile.
        os.close(self._file)

    def fileno(self) -> int:
        return self._file

    def _take(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _holder(self) -> int:
        written = os.pread(self._file, 20, 0).strip()
        return int(written) if written.isdigit() else 0


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid > 0


def _in_use(data_dir: Path, holder: int) -> Exception:
    from connector.errors import RefusedError  # noqa: PLC0415 - the watcher runs without our packages

    return RefusedError(
        f"{data_dir} is in use by another start of the connector, process {holder}.",
        code="data_dir_in_use",
        remedy="Stop that one first, or choose another data directory.",
    )


def end_sessions(leaders: Collection[int], grace: float) -> None:
    """SIGTERM to the leaders; after ``grace`` seconds SIGKILL to all that is left of their sessions."""
    for leader in leaders:
        with suppress(OSError):
            os.kill(leader, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while members(leaders) and time.monotonic() < deadline:
        time.sleep(0.02)
    kill_sessions(leaders)


def kill_sessions(leaders: Collection[int]) -> None:
    """SIGKILL to every process of these sessions, looking again for those forked meanwhile."""
    for _ in range(5):
        left = members(leaders)
        if not left:
            return
        for pid in left:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def members(leaders: Collection[int]) -> list[int]:
    """The processes of these sessions. Unlike a group, nobody leaves a session unless he starts his own:
    RQ's work-horse, which makes itself a group of its own, is among them."""
    return [pid for pid in _all_pids() if _session(pid) in leaders] if leaders else []


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return -1


def _all_pids() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except FileNotFoundError:  # macOS
        listed = subprocess.run(["/bin/ps", "-axo", "pid="], capture_output=True, check=False)
        return [int(pid) for pid in listed.stdout.split()]


def _watch() -> None:
    # What a terminal, or a well-meant ``kill``, sends to everybody: the children come first.
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    last = b""
    for line in sys.stdin.buffer:
        last = line
    end_sessions({int(leader) for leader in last.split()}, _GRACE)


if __name__ == "__main__":
    _watch()
