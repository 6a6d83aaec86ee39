"""A run as it is after its place was saved."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from connector.store.runs import Run


def saved(run: Run, **values: Any) -> Run:
    """The run once these were saved by compare-and-set."""
    return replace(run, **values, checkpoint_version=run.checkpoint_version + 1)
