"""A small application. ``/`` names the process; ``/together`` answers once eight requests are inside it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

_barrier = threading.Barrier(8, timeout=5)


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/together":
        _barrier.wait()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(str(os.getpid()))))])
    return [str(os.getpid()).encode()]
