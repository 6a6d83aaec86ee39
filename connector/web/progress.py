"""How far a run is, kind by kind. Pure: a run, what a former one found, and the present moment."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from connector.core.outcomes import Counts, sum_of
from connector.store.runs import Run
from connector.web.present import RUN, Status, run_status
from connector.web.vocabulary import Vocabulary

_DONE = Status("Done", "success", "ok")
_TOO_EARLY = timedelta(seconds=5)  # before that, a rate is noise


class Stage(NamedTuple):
    """One kind. ``total`` is None while it is not known; ``about`` says that it is an estimate."""

    name: str
    status: Status
    done: int
    total: int | None = None
    about: bool = False


class Progress(NamedTuple):
    """The whole run. ``rate`` is records a second; ``left`` and ``total`` are None where nobody knows."""

    stages: list[Stage]
    done: int
    total: int | None = None
    about: bool = False
    rate: float | None = None
    left: timedelta | None = None


def of_run(run: Run, words: Vocabulary, former: Run | None, now: datetime) -> Progress:
    """The progress of a run; ``former`` is a complete run of the same connection, if there is one."""
    stages = _repairing(run) if "refs" in run.checkpoint else _mirroring(run, words, former)
    done = sum_of(run.counts)
    total = sum(stage.total or 0 for stage in stages) if all(_is_known(one) for one in stages) else None
    rate = _rate(run, done, now)
    left = timedelta(seconds=max(0, total - done) / rate) if total is not None and rate else None
    return Progress(stages, done, total, any(one.about for one in stages), rate, left)


def _is_known(stage: Stage) -> bool:
    return stage.total is not None


def _repairing(run: Run) -> list[Stage]:
    done = sum_of(run.counts)
    left = sum(len(ids) for ids in run.checkpoint.get("refs", {}).values())
    name = "Records to look at" if run.type == "preview" else "Records to try again"
    return [Stage(name, run_status(run), done, done + left)]


def _mirroring(run: Run, words: Vocabulary, former: Run | None) -> list[Stage]:
    ended = run.checkpoint.get("done", ())
    at = run.checkpoint.get("stage") or next((kind for kind in words.kinds if kind not in ended), None)
    counted = former.counts if former else {}
    stages = []
    only = run.checkpoint.get("only")
    for kind, object_ in words.kinds.items():
        if only is not None and kind.partition(":")[0] not in only:
            continue
        name, done = words.many(object_), _total(run.counts, object_)
        if kind in ended:
            stages.append(Stage(name, _DONE, done, done))
        else:
            status = run_status(run) if kind == at else RUN["queued"]
            expected = max(done, _total(counted, object_)) if counted else None
            stages.append(Stage(name, status, done, expected, about=bool(counted)))
    return stages


def _total(counts: Counts, object_: str) -> int:
    return sum(counts.get(object_, {}).values())


def _rate(run: Run, done: int, now: datetime) -> float | None:
    if run.started_at is None or run.status != "running" or not done:
        return None
    spent = now - run.started_at
    return done / spent.total_seconds() if spent >= _TOO_EARLY else None
