"""``flask bench pages``: every page of an installation in long use, and the cost of live progress."""

from __future__ import annotations

import html
import random
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

from connector.bootstrap import Parts
from connector.cli import operators, processes, stage
from connector.cli.bench import filled, usage
from connector.cli.bench.figures import percentile
from connector.cli.bench.filled import Filled
from connector.cli.bench.loads import Browser, Line
from connector.cli.bench.report import Report
from connector.cli.stage import Size, Stage
from connector.errors import ConnectorError

_PORTS = {"web": 0, "whop": 0, "twenty": 0}
_MINIMAL = "/healthz"
_POLL_EVERY = 2.0  # seconds, as app.js does
_IDLE = 5.0
_ENTRY, _NOTHING = 'id="entry-', 'class="card empty"'
_OLDER = re.compile(r'href="([^"]*[?&;]before=[^"]*)">Older<')


class Page(NamedTuple):
    """What to call it, its address, and what it must hold."""

    name: str
    path: str
    holds: str = _ENTRY


@dataclass(frozen=True, slots=True)
class Work:
    """How much to do: rows, requests of each page, open pages and for how many seconds."""

    runs: int
    entries: int
    requests: int
    watching: int
    seconds: float


def bench(work: Work) -> Report:
    """Fill an installation and measure its pages."""
    report = Report("pages")
    with ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        lock = stack.enter_context(processes.DataLock(data))
        supervisor = stack.enter_context(processes.Supervisor(data / "logs", lock=lock))
        set_up = stack.enter_context(stage.set_up(data, _PORTS))
        # Nothing is synced, so that nothing but the pages takes the processor's time.
        children = [one for one in set_up.children(Size()) if one.name in ("redis", "web")]
        parts = stack.enter_context(stage.parts(set_up))
        known = filled.fill(parts, work.runs, work.entries)
        if not supervisor.start_all(children):
            raise SystemExit(130)
        stage.meanwhile(supervisor, partial(_measure, report, work, parts, set_up, supervisor, known))
    return report


def _measure(
    report: Report, work: Work, parts: Parts, set_up: Stage, supervisor: processes.Supervisor, known: Filled
) -> None:
    home = set_up.address("web")
    cookies = _sign_in(parts, home)
    with closing(Line(home, cookies)) as line:
        pages = [Page(_MINIMAL, _MINIMAL, "ok"), *_pages(line, known)]
        _check(line, pages)
        _report_times(report, _timed(line, pages, work.requests))
        _report_weights(report, line, pages[1:])
    lines = [Line(home, cookies) for _ in range(work.watching)]
    _report_live(report, work, lines, f"/runs/{known.active.id}/live", _family(supervisor.pids()["web"]))


def _sign_in(parts: Parts, home: str) -> str:
    browser = Browser()
    browser.press(browser.open(operators.link_for(parts, "bench").url), "Sign in")
    return browser.cookies(home)


def _pages(line: Line, known: Filled) -> Iterator[Page]:
    big = f"/runs/{known.big.id}"
    yield Page("/", "/", known.active.id)
    yield Page("/connections", "/connections", known.connection.company_title)
    yield Page("/runs", "/runs", known.active.id)
    yield Page("/runs/<run>", big)
    yield Page("/runs/<run>, second page", _older(line, big))
    yield Page("/runs/<run>, failures", f"{big}?result=failed")
    yield Page("/runs/<run>, one cause", f"{big}?error=crm_bad_value")
    yield Page("/runs/<run> under way", f"/runs/{known.active.id}", 'data-active="yes"')
    yield Page("/log", "/log")
    yield Page("/log, second page", _older(line, "/log"))
    yield from _searches(known)
    yield Page("/errors", "/errors", "crm_bad_value")
    yield Page("/errors/<code>", "/errors/crm_bad_value", "Bergström")
    yield Page("/audit", "/audit", known.connection.company_title)


def _searches(known: Filled) -> Iterator[Page]:
    day = {"day": f"{known.big.queued_at:%Y-%m-%d}", "connection": known.connection.id}
    for name, query, holds in (
        ("search for a frequent name", {"q": "Bergström"}, _ENTRY),
        ("search for an id", {"q": known.some_id}, _ENTRY),
        ("search for what is not there", {"q": "zebra"}, _NOTHING),
        ("failed people", {"result": "failed", "object": "person"}, _ENTRY),
        ("one reason", {"reason": "stale"}, _ENTRY),
        ("a reason never given", {"reason": "review"}, _NOTHING),
        ("one day of a connection", day, _ENTRY),
    ):
        yield Page(f"/log, {name}", f"/log?{urlencode(query)}", holds)


def _check(line: Line, pages: Sequence[Page]) -> None:
    """A page counts only where it shows what it was asked for. This also compiles every template once."""
    for one in pages:
        if one.holds not in line.get(one.path).text:
            raise ConnectorError(f"{one.name} shows no {one.holds!r}", code="page")


def _older(line: Line, path: str) -> str:
    found = _OLDER.search(line.get(path).text)
    if found is None:
        raise ConnectorError(f"{path} has no second page", code="page")
    return html.unescape(found[1])


def _timed(line: Line, pages: Sequence[Page], requests: int) -> dict[str, list[float]]:
    """Name → seconds of each request, in an order in which no page finds its own rows fresh in a cache."""
    turns = list(pages) * requests
    random.Random(1).shuffle(turns)  # noqa: S311 - the same order each time
    times: dict[str, list[float]] = {page.name: [] for page in pages}
    for page in turns:
        times[page.name].append(line.get(page.path).seconds)
    return times


def _report_times(report: Report, times: Mapping[str, Sequence[float]]) -> None:
    loop = percentile(times[_MINIMAL], 50)
    report.add(f"minimal loop: {_MINIMAL}, p50", loop * 1000, "ms")
    for name, seconds in list(times.items())[1:]:
        middle, high = percentile(seconds, 50), percentile(seconds, 95)
        report.add(f"{name}: p50", middle * 1000, "ms", note=f"{middle / loop:.0f} x the minimal loop")
        report.add(f"{name}: p95", high * 1000, "ms", ("<=", 100))


def _report_weights(report: Report, line: Line, pages: Sequence[Page]) -> None:
    foreign: set[str] = set()
    for page in pages:
        loaded = line.load(page.path)
        foreign |= loaded.foreign
        note = f"the page alone {loaded.page.weight / 1000:.1f}"
        report.add(f"{page.name}: transferred at first visit", loaded.weight / 1000, "kB", ("<=", 150), note)
    report.add("addresses of other hosts", len(foreign), "addresses", ("<=", 0), " ".join(sorted(foreign)))


def _report_live(report: Report, work: Work, lines: Sequence[Line], path: str, pids: Sequence[int]) -> None:
    """CPU of the web processes while so many pages are open, less what they use at rest."""
    idle = _share_of_a_core(pids, partial(time.sleep, _IDLE))
    counted: list[int] = []
    busy = _share_of_a_core(pids, lambda: counted.extend(_watch_all(lines, path, work.seconds)))
    least = len(lines) * (work.seconds // _POLL_EVERY - 1)  # the next comes so long after an answer
    report.add("web processes at rest", idle * 100, "% core")
    report.add("live progress: polls answered", sum(counted), "polls", (">=", least))
    report.add("live progress: for each open page", (busy - idle) / len(lines) * 100, "% core", ("<=", 2))


def _share_of_a_core(pids: Sequence[int], work: Callable[[], object]) -> float:
    cpu, started = usage.cpu_seconds(pids), time.monotonic()
    work()
    return (usage.cpu_seconds(pids) - cpu) / (time.monotonic() - started)


def _watch_all(lines: Sequence[Line], path: str, seconds: float) -> list[int]:
    """How often each of the pages asked. They were not opened all at the same moment."""
    delays = [_POLL_EVERY * place / len(lines) for place in range(len(lines))]
    with ThreadPoolExecutor(len(lines)) as pool:
        return list(pool.map(partial(_watch, path, seconds), lines, delays))


def _watch(path: str, seconds: float, line: Line, delay: float) -> int:
    until, polls = time.monotonic() + seconds, 0
    time.sleep(delay)
    with closing(line):
        while time.monotonic() < until:
            if 'data-active="yes"' not in line.get(path).text:
                raise ConnectorError(f"{path} shows no run under way", code="page")
            polls += 1
            time.sleep(_POLL_EVERY)
    return polls


def _family(pid: int) -> list[int]:
    """A process and its children: gunicorn answers in a process of its own."""
    argv = ["ps", "-A", "-o", "pid=,ppid="]
    told = subprocess.run(argv, check=True, capture_output=True, text=True).stdout  # noqa: S603
    pairs = [line.split() for line in told.splitlines()]
    return [pid, *(int(child) for child, parent in pairs if int(parent) == pid)]
