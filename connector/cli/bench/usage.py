"""CPU seconds and memory of other processes, from the system's own books."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path


def cpu_seconds(pids: Sequence[int]) -> float:
    """User and system time that these processes have used so far, together."""
    return sum(_cpu(pid) for pid in pids)


def resident(pids: Sequence[int]) -> float:
    """The largest resident memory among these processes, in MB."""
    return max(float(_ps(pid, "rss")) / 1024 for pid in pids)


def most_resident(pids: Sequence[int]) -> float:
    """The most that any of these processes has had resident so far, in MB; where the system does not keep
    that, what it has now."""
    return max(_peak(pid) for pid in pids)


def _peak(pid: int) -> float:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return resident([pid])
    lines = status.read_text(encoding="ascii", errors="replace").splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


def _cpu(pid: int) -> float:
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return _clock(_ps(pid, "time"))
    fields = stat.read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _clock(text: str) -> float:
    """``[[dd-]hh:]mm:ss[.cc]``, as ps writes it where there is no /proc."""
    days, _, rest = text.rpartition("-")
    seconds = 0.0
    for part in rest.split(":"):
        seconds = seconds * 60 + float(part)
    return seconds + 86_400 * int(days or 0)


def _ps(pid: int, column: str) -> str:
    argv = ["ps", "-o", f"{column}=", "-p", str(pid)]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603
