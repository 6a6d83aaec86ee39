"""A supervisor in a process of its own, for tests that send it signals. Arguments: directory, port.

It prints one line of JSON once everything runs, then supervises until a signal.
"""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path

import connector

# In the place of the package itself, which imports all commands: a second at each start.
sys.modules["connector.cli"] = commands = types.ModuleType("connector.cli")
commands.__path__ = [str(Path(connector.__file__).parent / "cli")]

from connector.cli.processes import (  # noqa: E402
    Child,
    DataLock,
    Supervisor,
    bound_socket,
    gunicorn_argv,
    http_healthy,
)
from connector.cli.redis_server import RedisServer  # noqa: E402

# It stands for RQ's worker: its child makes itself a group of its own, and outlives a worker that is killed.
WORKER = """
import os, signal, time
if os.fork() == 0:
    os.setpgrp()
    time.sleep(600)
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
print("stands", flush=True)
time.sleep(600)
"""
#: Ends at nothing but SIGKILL.
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("stands", flush=True)
time.sleep(600)
"""


def standing(directory: Path, name: str, code: str) -> Child:
    log = directory / f"logs/{name}.log"
    argv = [sys.executable, "-S", "-c", code]
    return Child(name, argv, healthy=lambda: "stands" in log.read_text(), grace=60)


def main(directory: Path, port: int, *extra: str) -> None:
    here = Path(__file__).parent
    with (
        DataLock(directory) as lock,
        bound_socket(port) as web,
        Supervisor(directory / "logs", lock=lock) as sup,
    ):
        server = RedisServer(directory)
        listening = web.getsockname()[1]
        children = [
            server.child(),
            Child(
                "web",
                gunicorn_argv("wsgi_sample:app", web.fileno()),
                cwd=here,
                healthy=http_healthy(listening, "/"),
                pass_fds=(web.fileno(),),
            ),
            standing(directory, "worker", WORKER),
        ]
        if "stubborn" in extra:
            children.append(standing(directory, "stubborn", STUBBORN))
        if sup.start_all(children):
            told = {"pids": sup.pids(), "watcher": sup.watcher, "port": listening, "redis": server.url}
            print(json.dumps(told), flush=True)
            sup.run_until(lambda: False)
    server.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
