"""A run as it is after its place was saved."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from connector.store.runs import Run


def saved(run: Run, **values: Any) -> Run:
    """The run once these were saved by compare-and-set."""
    return replace(run, **values, checkpoint_version=run.checkpoint_version + 1)


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds, as the source writes times: they compare as text."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
