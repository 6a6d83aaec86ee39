"""How both services answer badly while ``flask chaos`` goes on: each way with its name in the report.

Who waits for an answer gives it up after ``PATIENCE``, so that one that is longer on its way is a time-out,
after which nobody knows whether the work was done.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Fault = dict[str, Any]

PATIENCE = 3
"""How long the installation waits for an answer, in seconds."""

_TOO_LATE = PATIENCE + 1.5

WHOP: Mapping[str, Fault] = {
    "answers 500": {"status": 500},
    "answers 502": {"status": 502},
    "answers 429": {"status": 429, "headers": {"Retry-After": "1"}},
    "connection cut": {"cut": True},
    "answers after the time-out": {"delay": _TOO_LATE},
}

TOKENS: Mapping[str, Fault] = {
    "answers 500": {"status": 500},
    "answers 429": {"status": 429, "headers": {"Retry-After": "1"}},
    "connection cut": {"cut": True},
    "no answer, nothing renewed": {"delay": _TOO_LATE, "cut": True},
    # Whop gives a refresh token once: these two end the access, and only a person can approve it again.
    "renewed, and the connection cut": {"cut": True, "after": True},
    "renewed, and answered after the time-out": {"delay": _TOO_LATE},
}

CRM: Mapping[str, Fault] = {
    "answers 500": {"status": 500},
    "answers 429": {"status": 429, "headers": {"Retry-After": "1"}},
    "connection cut, nothing done": {"cut": "before"},
    "connection cut, the work done": {"cut": "after"},
    "answers after the time-out": {"delay": _TOO_LATE},
}
