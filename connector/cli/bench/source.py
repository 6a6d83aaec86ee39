"""``flask bench source``: what reading Whop costs the connector, beside parsing the same pages alone.

The goal is measured by a minimal loop that fetches and parses the same pages as anybody would, with requests
and its JSON. For orientation the same is done with the connector's own door and parser, which are quicker.
The sandbox answers from a process of its own, so that none of its work is counted.
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
from connector.core.records import SourceRecord
from connector.outbound import AllowList, Door, OutboundSession
from connector.sources.whop import WhopReader, headers

_KINDS = ("member", "membership", "payment")
_ROUNDS = 3
_MOST = 1.5
_PAGE = 100


def bench(members: int, memberships: int) -> Report:
    """Measure every kind; each is read ``_ROUNDS`` times in turn with the parsing, and the best counts."""
    report = Report("source")
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
    plain = [_cpu(lambda: sum(1 for _ in minimal.records(http, spec, f"{kind}s"))) for _ in range(_ROUNDS)]
    parsed = [_cpu(lambda: _parsed(session, kind, spec["company"])) for _ in range(_ROUNDS)]
    read = [_cpu(lambda: _read(reader, kind)) for _ in range(_ROUNDS)]
    (alone, records), (quick, requests), (whole, normalised) = min(plain), min(parsed), min(read)
    report.add(f"{kind}: records", records, "records")
    report.add(f"{kind}: records lost", records - normalised, "records", ("<=", 0))
    report.add(f"{kind}: list requests", requests, "requests", ("<=", records // _PAGE + 1))
    report.add(f"{kind}: parsed alone, CPU per record", alone / records * 1e6, "us")
    report.add(f"{kind}: read and normalised, CPU per record", whole / records * 1e6, "us")
    report.add(f"{kind}: times parsing alone", whole / alone, "x", ("<=", _MOST))
    report.add(f"{kind}: times parsing with our own door and parser", whole / quick, "x")


def _cpu(work: Callable[[], int]) -> tuple[float, int]:
    gc.collect()
    started = time.process_time()
    done = work()
    return time.process_time() - started, done


def _parsed(session: OutboundSession, kind: str, company: str) -> int:
    """Every page, fetched and parsed and thrown away; how many requests that took."""
    params: dict[str, str | int] = {
        "account_id": company,
        "first": _PAGE,
        "order": "created_at",
        "direction": "asc",
    }
    requests, more = 0, True
    while more:
        page = orjson.loads(session.request("GET", f"/{kind}s", params=params).body)
        params["after"], more = page["page_info"]["end_cursor"], page["page_info"]["has_next_page"]
        requests += 1
    return requests


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
