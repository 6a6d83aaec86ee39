"""Several processes as one: started in order, restarted when they die, ended together.

::

    with DataLock(data_dir) as lock, Supervisor(data_dir / "logs", lock=lock) as supervisor:
        if supervisor.start_all([redis.child(), web, worker]):
            supervisor.run_until(lambda: False)  # until SIGINT, SIGTERM or SIGHUP

Every child leads a session of its own, so a Ctrl-C at the terminal reaches the supervisor alone, which
ends the children in reverse order. None outlives it: see ``connector.cli.tether``.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Self

import click

from connector.cli.tether import DataLock, Tether, kill_sessions
from connector.errors import ConnectorError
from connector.logs import scrub

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

__all__ = [
    "Child",
    "DataLock",
    "Supervisor",
    "bound_socket",
    "gunicorn_argv",
    "http_healthy",
    "serve",
]

_FIRST_DELAY, _LONGEST_DELAY = 0.2, 5.0
#: So many deaths within so many seconds, and never once healthy: it will not get better by itself.
_DEATHS, _DEATHS_WITHIN = 5, 20.0
#: A child lived well, and its next death is a first one again, after so many seconds.
_STEADY = 10.0
#: A child without a health check counts as healthy after so many seconds.
_PRESUMED_HEALTHY = 5.0
_LOG_LIMIT = 5_000_000
_SHOWN_LINES, _SHOWN_BYTES = 15, 8192
#: A terminal and a wrapper may both hand on one Ctrl-C; a second one by a person comes later than this.
_SAME_SIGNAL = 0.25


@dataclass(frozen=True, slots=True)
class Child:
    """A process to keep running. ``env`` is its whole environment; None means the supervisor's own.

    ``healthy`` is asked, until it says so, whether the child is ready; it returns False or raises OSError
    meanwhile. A child with ``restart=False`` may end: well (exit code 0) at any time, badly once it was
    healthy. The caller keeps ``pass_fds`` open. ``remedy`` is added to the error when it cannot be started.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] | None = None
    cwd: Path | None = None
    healthy: Callable[[], bool] | None = None
    pass_fds: tuple[int, ...] = ()
    restart: bool = True
    grace: float = 10.0
    remedy: str = ""


@dataclass(slots=True)
class _Run:
    """What is known of one child: ``process`` while it lives, ``due`` while it waits for its next start."""

    child: Child
    process: subprocess.Popen[bytes] | None = None
    due: float | None = None
    started: float = 0.0
    finished: bool = False
    healthy: bool = False
    ever_healthy: bool = False
    deaths: list[float] = field(default_factory=list)
    delay: float = 0.0
    log_start: int | None = None


def to_stderr(line: str) -> None:
    click.echo(line, err=True)


class Supervisor:
    """Use it as a context manager, in the main thread if signals are to stop it.

    Nothing runs between calls: children are looked after while ``start``, ``start_all`` or ``run_until``
    runs. ``pids`` and ``kill`` may be called from any thread. Every error stops all children first.
    """

    def __init__(
        self, log_dir: Path | None, *, echo: Callable[[str], None] = to_stderr, lock: DataLock | None = None
    ) -> None:
        """``log_dir`` None lets the children write where the supervisor does. ``lock`` is kept until the
        last child has ended, even if the supervisor is killed."""
        self._log_dir = log_dir
        self._echo = echo
        self._runs: dict[str, _Run] = {}
        self._tether = Tether([lock.fileno()] if lock else [])
        self._turn = threading.RLock()
        self._stopping = False
        self._hurry = False
        self._first_signal: float | None = None
        self._old_handlers: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                # Whoever started us with nohup wants us to outlive the terminal.
                if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                    self._old_handlers[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_all()
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)

    @property
    def stopping(self) -> bool:
        """Whether a signal, an error or ``stop_all`` has ended the work."""
        return self._stopping

    @property
    def watcher(self) -> int:
        """The pid of the process that ends the children if this one is killed."""
        return self._tether.pid

    def pids(self) -> dict[str, int]:
        """The living children, in the order they were first started."""
        processes = [(name, run.process) for name, run in list(self._runs.items())]
        return {name: process.pid for name, process in processes if process and process.poll() is None}

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to the child, if it lives just now. For tests and fault injection."""
        if process := self._runs[name].process:
            process.send_signal(number)

    def start_all(self, children: Iterable[Child], *, timeout: float = 30.0) -> bool:
        """Start each once the one before is healthy. False if a signal stopped it meanwhile."""
        return all(self.start(child, timeout=timeout) for child in children)

    def start(self, child: Child, *, timeout: float = 30.0) -> bool:
        """Start the child and wait until it is healthy; one without a health check is not waited for.

        False if a signal came meanwhile. Raises ConnectorError, with the last lines of the child's log,
        if it is not healthy within ``timeout`` seconds, cannot be run, or keeps dying.
        """
        if self._stopping:
            return False
        if child.name in self._runs:
            raise ValueError(child.name)
        run = self._runs[child.name] = _Run(child)
        deadline = time.monotonic() + timeout
        self._launch(run)
        while child.healthy and not run.healthy and not run.finished and not self._stopping:
            if time.monotonic() > deadline:
                self._give_up(run, f"{child.name} was started, but is not ready after {timeout:g} seconds")
            self._look_after_all()
            time.sleep(0.02)
        return not self._stopping

    def run_until(self, stop: threading.Event | Callable[[], bool]) -> None:
        """Keep the children running until ``stop``, or a signal, says so. Does not end them."""
        asked = stop.is_set if isinstance(stop, threading.Event) else stop
        while not self._stopping and not asked():
            self._look_after_all()
            time.sleep(0.05)

    def stop_all(self) -> None:
        """End the children, the last started first. Callable again."""
        self._stopping = True
        with self._turn:
            for run in reversed(self._runs.values()):
                self._stop(run)
            self._tether.close()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        self._first_signal = self._first_signal or now
        self._hurry = self._hurry or now - self._first_signal > _SAME_SIGNAL
        self._stopping = True

    def _say(self, line: str) -> None:
        # The terminal may be gone before us.
        with suppress(OSError):
            self._echo(line)

    # Keeping them running

    def _look_after_all(self) -> None:
        with self._turn:
            if self._stopping:
                return
            self._tether.ensure()
            for run in list(self._runs.values()):
                self._look_after(run, time.monotonic())

    def _look_after(self, run: _Run, now: float) -> None:
        if run.process is None:
            if run.due is not None and now >= run.due:
                self._launch(run)
        elif (code := run.process.poll()) is not None:
            self._bury(run, run.process)
            self._after_death(run, code, now)
        elif not run.healthy and _is_healthy(run, now):
            if run.ever_healthy:
                self._say(f"{run.child.name} runs again.")
            run.healthy = run.ever_healthy = True

    def _launch(self, run: _Run) -> None:
        child, run.due = run.child, None
        log = self._open_log(run)
        try:
            run.process = subprocess.Popen(  # noqa: S603 - what to run is the caller's, never a user's
                child.argv,
                env=child.env,
                cwd=child.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=child.pass_fds,
                start_new_session=True,
            )
            self._tether.hold(run.process.pid)
        except OSError as error:
            self._give_up(run, f"{child.name} cannot be started ({error})")
        finally:
            if log is not None:
                os.close(log)
        run.started = time.monotonic()

    def _after_death(self, run: _Run, code: int, now: float) -> None:
        name, how = run.child.name, _how(code)
        if not run.child.restart:
            if code and not run.ever_healthy:
                self._give_up(run, f"{name} {how}")
            run.finished = True
            return self._say(f"{name} {how}.")
        run.deaths = [*(died for died in run.deaths if now - died < _DEATHS_WITHIN), now]
        if not run.ever_healthy and len(run.deaths) >= _DEATHS:
            self._give_up(run, f"{name} does not start: it ended {_DEATHS} times, and the last time it {how}")
        steady = run.healthy and now - run.started > _STEADY
        run.delay = min(_LONGEST_DELAY, run.delay * 2) if run.delay and not steady else _FIRST_DELAY
        run.due, run.healthy = now + run.delay, False
        return self._say(f"{name} {how}; it is started again in {run.delay:g} s.")

    def _give_up(self, run: _Run, what: str) -> None:
        shown = self._last_lines(run)
        self.stop_all()
        raise ConnectorError(f"{what}.{shown}", code="process", remedy=run.child.remedy)

    # Ending them

    def _stop(self, run: _Run) -> None:
        run.due = None
        if not (process := run.process):
            return
        process.terminate()
        deadline = time.monotonic() + run.child.grace
        while process.poll() is None and time.monotonic() < deadline and not self._hurry:
            time.sleep(0.01)
        if process.poll() is None:
            self._say(f"{run.child.name} is killed: it did not end in time.")
            process.kill()
        process.wait()
        self._bury(run, process)

    def _bury(self, run: _Run, process: subprocess.Popen[bytes]) -> None:
        """Nothing that a child started outlives it, so that its successor starts on clean ground."""
        kill_sessions({process.pid})
        self._tether.release(process.pid)
        run.process = None

    # Their logs

    def _log_path(self, run: _Run) -> Path | None:
        return self._log_dir / f"{run.child.name}.log" if self._log_dir else None

    def _open_log(self, run: _Run) -> int | None:
        if not (path := self._log_path(run)):
            return None
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > _LOG_LIMIT:
            path.replace(path.with_suffix(".log.1"))
            run.log_start = 0
        log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        if run.log_start is None:
            run.log_start = os.fstat(log).st_size
        return log

    def _last_lines(self, run: _Run) -> str:
        path = self._log_path(run)
        if not path or not path.exists():
            return ""
        with path.open("rb") as log:
            log.seek(max(run.log_start or 0, log.seek(0, os.SEEK_END) - _SHOWN_BYTES))
            lines = scrub(log.read().decode(errors="replace")).splitlines()[-_SHOWN_LINES:]
        shown = "".join(f"\n    {line}" for line in lines) or " Nothing."
        return f" The last lines of {path}:{shown}"


def _is_healthy(run: _Run, now: float) -> bool:
    if not run.child.healthy:
        return now - run.started > _PRESUMED_HEALTHY
    try:
        return run.child.healthy()
    except OSError:
        return False


def _how(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


# Serving HTTP


def bound_socket(preferred: int) -> socket.socket:
    """A socket that listens on 127.0.0.1: on the preferred port, or on a free one if it is taken or 0.

    It goes to a child by number (``pass_fds``), so nobody takes the port between choosing and using it.
    While we keep it open, a caller that comes during a restart of the child waits instead of being refused.
    """
    if preferred and not _is_answered(preferred):
        with suppress(OSError):
            return _listening(preferred)
    return _listening(0)


_SILENT = 30
"""Seconds for which a connection is left to the system before its first request has come."""


def _listening(port: int) -> socket.socket:
    # It listens at once, because bound alone does not keep others away. SO_REUSEADDR is set by it, so
    # lingering connections of an earlier start are no hindrance.
    listening = socket.create_server(("127.0.0.1", port), backlog=1024)
    if hasattr(socket, "TCP_DEFER_ACCEPT"):  # Linux
        # A connection that has said nothing yet is nobody's work. Gunicorn has a thread wait for its first
        # word, so that a few which a browser or a proxy opens ahead keep every other caller waiting.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, _SILENT)
    return listening


def _is_answered(port: int) -> bool:
    """Whether someone is there; macOS would let us bind beside a server that has every address."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def http_healthy(port: int, path: str, *, timeout: float = 2.0) -> Callable[[], bool]:
    """A health check: whether GET ``path`` is answered, and with a status below 400."""
    return partial(_is_well, port, path, timeout)


def _is_well(port: int, path: str, timeout: float) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < 400
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def gunicorn_argv(
    target: str,
    socket_fd: int,
    *,
    threads: int = 8,
    workers: int = 1,
    log_level: str = "info",
    access_log: bool = False,
) -> list[str]:
    """What serves ``target`` (``module:name`` or ``module:factory()``) on an inherited socket."""
    options = _gunicorn_options(socket_fd, threads=threads, workers=workers, log_level=log_level)
    named = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", value)]
    access = ["--access-logfile", "-"] if access_log else []
    return [sys.executable, "-m", "gunicorn", "--no-control-socket", *named, *access, target]


def serve(app: WSGIApplication, socket_fd: int, *, threads: int = 8) -> None:
    """Serve an application that exists already, in one process of so many threads, until a signal.

    That process is forked from this one: threads and database connections must not be made before.
    """
    from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]  # noqa: PLC0415 - slow

    # Gunicorn closes the number it is given, which is still the caller's.
    options = _gunicorn_options(os.dup(socket_fd), threads=threads, workers=1, log_level="warning")

    class Application(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            self.cfg.set("control_socket_disable", True)
            for name, value in options.items():
                self.cfg.set(_SETTING_NAMES.get(name, name), value)

        def load(self) -> WSGIApplication:
            return app

    Application().run()


def _gunicorn_options(socket_fd: int, *, threads: int, workers: int, log_level: str) -> dict[str, str]:
    return {
        "bind": f"fd://{socket_fd}",
        # Not sync: that closes the connection after each answer.
        "worker_class": "gthread",
        "threads": str(threads),
        "workers": str(workers),
        # Longer than a load balancer keeps an idle connection, 60 s for most: else it meets a closed one.
        "keep_alive": "75",
        "graceful_timeout": "5",
        "log_level": log_level,
    }


#: Where a setting of gunicorn is not named as its option.
_SETTING_NAMES = {"keep_alive": "keepalive", "log_level": "loglevel"}
