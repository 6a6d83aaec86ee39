"""What the tests of processes share: waiting, knowing who lives, and a supervisor in its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import connector
from connector.cli import tether

HERE = Path(__file__).parent
ENV = {**os.environ, "PYTHONPATH": str(Path(connector.__file__).parent.parent)}


def wait_for(condition: Callable[[], Any], seconds: float = 5.0) -> Any:
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)
    return found


def lives(pid: int) -> bool:
    """A process that has ended, and that nobody has asked about yet, does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        # No /proc: macOS. Or it has just ended.
        return not Path("/proc/self").exists()


class Started:
    """``running.py`` in a process of its own, with all that it started."""

    def __init__(self, directory: Path, *extra: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "running.py"), str(directory), "0", *extra],
            env=ENV,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout
        line = self.process.stdout.readline()
        self.told: dict[str, Any] = json.loads(line) if line else {}
        self.pids: dict[str, int] = self.told.get("pids", {})
        self.everybody = tether.members(set(self.pids.values()))

    def survivors(self) -> list[int]:
        return [pid for pid in [*self.everybody, self.told["watcher"]] if lives(pid)]

    def end(self) -> tuple[int, str]:
        _, errors = self.process.communicate(timeout=60)  # a hang, not a busy machine
        return self.process.returncode, errors
