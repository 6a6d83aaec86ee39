"""What Twenty's request limit means for a run, in plain words. Pure, like the progress it belongs to."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from connector.budget import Standing
from connector.core.outcomes import Result, sum_of
from connector.store.runs import Run
from connector.sync import waiting
from connector.web import present
from connector.web.progress import Progress

_BATCH = 200  # records that one request writes, where no smaller number was learned
_LOOKED_UP = 1_000  # records that one look-up covers
_ALONE = 0.95  # a share above this is ours alone


class Pace(NamedTuple):
    """A run that the limit slows down. ``left`` is None where nobody knows how much there is."""

    per_minute: int
    records: int
    shared: bool
    left: timedelta | None

    def __str__(self) -> str:
        others = ", and other tools use some of them" if self.shared else ""
        rest = f"At that pace up to {present.number(self.records)} changed records a minute go through."
        if self.left is not None:
            rest = f"The rest takes about {present.roughly(self.left)}."
        return f"Twenty allows about {present.plural(self.per_minute, 'request')} a minute{others}. {rest}"


def of_run(run: Run, progress: Progress, standing: Standing | None, batch: int | None) -> Pace | None:
    """None where the limit is not what the run waits for. ``batch`` is how many records a request takes."""
    if standing is None or not standing.short or run.status != "running" or waiting.side_in_trouble(run):
        return None
    requests = standing.per_minute * standing.share
    each = _requests_per_record(run, batch or _BATCH)
    left = None
    if progress.total is not None:
        by_limit = timedelta(minutes=(progress.total - progress.done) * each / requests)
        left = max(by_limit, progress.left or by_limit)
    records = requests * (batch or _BATCH)
    return Pace(max(1, round(standing.per_minute)), round(records), standing.share < _ALONE, left)


def _requests_per_record(run: Run, batch: int) -> float:
    """As it was so far: what is in step already needs no write."""
    done = sum_of(run.counts)
    written = sum_of(run.counts, Result.CREATED) + sum_of(run.counts, Result.UPDATED)
    return (written / done if done else 1.0) / batch + 1 / _LOOKED_UP
