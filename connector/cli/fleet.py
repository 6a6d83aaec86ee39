"""The processes of an installation, as children for a supervisor: the same for ``up`` and ``demo``."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from connector.cli.processes import Child, gunicorn_argv, http_healthy

ROOT = Path(__file__).resolve().parent.parent.parent
WSGI = ROOT / "wsgi.py"
_SERVED = ("webhooks", "incremental", "full")


def flask(*words: str) -> list[str]:
    """The argv of one of our own commands, whatever the current folder is."""
    return [sys.executable, "-m", "flask", "--app", str(WSGI), *words]


def web(listening: socket.socket, env: Mapping[str, str], *, threads: int, workers: int) -> Child:
    """The web server, on a socket that is bound already."""
    port = listening.getsockname()[1]
    return Child(
        name="web",
        argv=gunicorn_argv("wsgi:application()", listening.fileno(), threads=threads, workers=workers),
        env={**env, "PYTHONPATH": str(ROOT)},
        pass_fds=(listening.fileno(),),
        healthy=http_healthy(port, "/readyz"),
    )


#: A worker ends once the CRM has answered what is under way; a slow answer takes this many seconds.
_GRACE = 20.0


def workers(env: Mapping[str, str], number: int) -> Sequence[Child]:
    """One worker for webhooks alone, so that no sync can make an event wait, the others for all of it; and
    one more for what automations do, which has its time and waits for neither."""
    served = [("webhooks",), *[_SERVED] * (number - 1)] if number > 1 else [_SERVED]
    named = {f"worker-{place}": queues for place, queues in enumerate(served, start=1)}
    return [
        Child(name, flask("worker", "--queues", ",".join(queues)), env=env, grace=_GRACE)
        for name, queues in {**named, "worker-actions": ("actions",)}.items()
    ]


def scheduler(env: Mapping[str, str]) -> Child:
    """The clock of the installation; a second one does no harm."""
    return Child("scheduler", flask("scheduler"), env=env)


def sandbox(
    service: str, listening: socket.socket, data: Path, env: Mapping[str, str], *options: str
) -> Child:
    """A stand-in for Whop or Twenty."""
    port, fd = listening.getsockname()[1], listening.fileno()
    return Child(
        name=f"sandbox-{service}",
        argv=flask("sandbox", service, "--fd", str(fd), "--data", str(data), *options),
        env=env,
        pass_fds=(fd,),
        healthy=http_healthy(port, "/healthz"),
    )
