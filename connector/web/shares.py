"""Shares in words."""

from __future__ import annotations


def in_step(rate: float | None) -> str:
    """A share of records in step, never rounded up to all of them; nothing where there are none."""
    if rate is None:
        return ""
    return "100 %" if rate == 1 else f"{int(rate * 10_000) / 100:.2f} %"
