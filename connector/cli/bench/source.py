"""``flask bench source``: what reading Whop costs the connector, beside parsing the same pages alone.

Two baselines fetch the same pages and throw them away. The goal is held to the stricter one, which uses the
connector's own door and its parser, orjson, and sends just what the reader sends, its one question after the
last page included: what is beyond it is the cost of making records. The other is a loop as anybody would
write it, with requests and its JSON, and stands beside for orientation. All three run with the garbage
collector set as in a worker; the sandbox answers from a process of its own, so that its work is not counted.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import orjson

from connector.cli import fleet, processes
from connector.cli.bench import minimal
from connector.cli.bench.report import Report
from connector.cli.worker import collect_seldom
from connector.core.records import SourceRecord
from connector.outbound import AllowList, Door, OutboundSession
from connector.sources.whop import WhopReader, headers
from connector.sources.whop.granted import PERMISSIONS

_KINDS = ("product", "plan", "member", "membership", "payment", "refund", "dispute")
_ROUNDS = 5
_LEAST = 20  # requests of a round: a list of one page is read over and over
_MOST = 1.5
_PAGE = 100


def bench(members: int, memberships: int) -> Report:
    """Measure every kind; each is read ``_ROUNDS`` times in turn with the parsing, and the best counts."""
    report = Report("source")
    collect_seldom()
    with _whop(members, memberships) as (session, spec):
        reader = WhopReader(session, company_id=None, page_size=_PAGE)
        spec["company"] = reader.account().company_id
        for kind in _KINDS:
            _measure(report, kind, session, spec, reader)
    return report


def _measure(
    report: Report, kind: str, session: OutboundSession, spec: dict[str, str], reader: WhopReader
) -> None:
    http = minimal.session()
    requests, records = _parsed(session, kind, spec["company"])
    times = -(-_LEAST // requests)
    found = [
        [
            _cpu(times, lambda: sum(1 for _ in minimal.records(http, spec, f"{kind}s"))),
            _cpu(times, lambda: _parsed(session, kind, spec["company"])[1]),
            _cpu(times, lambda: _read(reader, kind)),
        ]
        for _ in range(_ROUNDS)
    ]
    (plain, _), (parsed, _), (whole, normalised) = (min(of) for of in zip(*found, strict=True))
    report.add(f"{kind}: records", records, "records")
    report.add(f"{kind}: records lost", records - normalised, "records", ("<=", 0))
    report.add(f"{kind}: list requests", requests, "requests", ("<=", records // _PAGE + 1))
    report.add(f"{kind}: requests and its JSON, CPU per record", plain / records * 1e6, "us")
    report.add(f"{kind}: our door and parser, CPU per record", parsed / records * 1e6, "us")
    report.add(f"{kind}: read and normalised, CPU per record", whole / records * 1e6, "us")
    report.add(f"{kind}: times our door and parser", whole / parsed, "x", ("<=", _MOST))
    report.add(f"{kind}: times requests and its JSON", whole / plain, "x")


def _cpu(times: int, work: Callable[[], int]) -> tuple[float, int]:
    """CPU seconds of the work, which is done so many times, and what it counted."""
    gc.collect()
    started = time.process_time()
    done = [work() for _ in range(times)]
    return (time.process_time() - started) / times, min(done)


def _parsed(session: OutboundSession, kind: str, company: str) -> tuple[int, int]:
    """Every page, fetched and parsed and thrown away: how many requests and how many records."""
    params: dict[str, str | int] = {
        "account_id": company,
        "first": _PAGE,
        "order": "created_at",
        "direction": "asc",
    }
    requests, records, more = 0, 0, True
    while more:
        page = orjson.loads(session.request("GET", f"/{kind}s", params=params).body)
        params["after"], more = page["page_info"]["end_cursor"], page["page_info"]["has_next_page"]
        requests, records = requests + 1, records + len(page["data"])
    question = {"resource_id": company, "actions": ",".join(PERMISSIONS)}
    orjson.loads(session.request("GET", "/permissions", params=question).body)
    return requests, records


def _read(reader: WhopReader, kind: str) -> int:
    """Every record, made and thrown away; how many there were."""
    items = (item for page in reader.pages(kind, None) for item in page.items)
    return sum(isinstance(item, SourceRecord) for item in items)


@contextmanager
def _whop(members: int, memberships: int) -> Iterator[tuple[OutboundSession, dict[str, str]]]:
    """A session of a sandbox in another process, and what the minimal loop needs to know of it."""
    with ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        lock = stack.enter_context(processes.DataLock(data))
        supervisor = stack.enter_context(processes.Supervisor(data / "logs", lock=lock))
        listening = stack.enter_context(processes.bound_socket(0))
        sizes = ("--members", str(members), "--memberships", str(memberships), "--no-limits")
        if not supervisor.start_all([fleet.sandbox("whop", listening, data, {}, *sizes)]):
            raise SystemExit(1)
        door = Door(
            connect_timeout=5,
            read_timeout=60,
            allowed_private=AllowList.of(["127.0.0.1"]),
            user_agent="bench",
        )
        stack.callback(door.close)
        key = (data / "api-key").read_text(encoding="utf-8").strip()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        spec = {"whop": url, "whop_key": key}
        yield door.session(f"{url}/api/v1", headers=headers(key)), spec
