"""When access ends unless something happens: a membership may merely expire, without any event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

KIND: Final = "membership"
_OPEN: Final = ("active", "trialing", "canceling", "past_due", "completed")


def ends_at(kind: str, fields: Mapping[str, Any]) -> str | None:
    """The moment (ISO 8601), where there is one to wait for; None for what has ended, or never does."""
    if kind != KIND or fields.get("status") not in _OPEN:
        return None
    found = [fields.get(name) for name in ("current_period_end", "expires_at")]
    return min((one for one in found if isinstance(one, str) and one), default=None)


def wait_after(looks: int) -> float:
    """Seconds until the next look at one that has not changed: minutes at first, a day in the end."""
    return _WAITS[min(looks, len(_WAITS) - 1)]


_WAITS: Final = (300.0, 900.0, 3600.0, 21_600.0, 86_400.0)
