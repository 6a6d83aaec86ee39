"""The Twenty writer by itself: the CPU of a full batch, and what one bad record costs among many."""

from __future__ import annotations

import math
import statistics
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from connector.bootstrap import Parts
from connector.bootstrap.files import SHIPPED_MAPPINGS
from connector.cli import stage
from connector.cli.bench.report import Report
from connector.cli.stage import Stage
from connector.core.mapping import Mapping, map_record
from connector.core.outcomes import WriteResult
from connector.core.plan import Action, PlannedWrite
from connector.core.records import Ref, SourceRecord
from connector.crms.twenty.fields import CATALOGUE as CRM
from connector.mapping_files import load_texts
from connector.ports import Writer
from connector.sources.whop.catalogue import CATALOGUE as WHOP
from connector.store.workspaces import Workspace

_BATCH = 200
_WARM_UP = 2  # batches that compile, connect and import what the others find done

#: A link field that the shipped files lack: Twenty refuses its value without a word on whose it is.
_FILE = """version: 1
source: {kind: membership}
target: {object: opportunity}
fields:
  name: {from: id}
  benchLink: {from: status, using: trim, type: links, label: Bench link}
links:
  pointOfContact: {kind: member, id: member_id}
"""


# --- the CPU of a batch


def report_cpu(report: Report, parts: Parts, set_up: Stage) -> None:
    """Thread time of the writer for 200 records: input, request, answer, results."""
    workspace, connection = stage.connect(parts, set_up, "bench")
    writer, reader = parts.openers.writer(workspace, "full"), parts.openers.reader(connection)
    for kind, object_ in (("member", "people"), ("membership", "opportunities")):
        mapping = next(one for one in parts.tools.mappings.shipped if one.kind == kind)
        records = (record for page in reader.pages(kind, None) for record in page.items)
        creates = list(_creates(mapping, records))
        cpu = partial(_cpu_of, writer, mapping)
        results, seconds = cpu(creates)
        report.add(f"200 {object_} created: CPU of the writer", seconds * 1000, "ms", ("<=", 20))
        changes = [_changed(*pair) for pair in zip(creates, results, strict=True)]
        _, seconds = cpu(changes)
        report.add(f"200 {object_} updated: CPU of the writer", seconds * 1000, "ms", ("<=", 20))


def _creates(mapping: Mapping, records: Iterator[Any]) -> Iterator[PlannedWrite]:
    """A create for each record whose keys no other has."""
    seen: set[tuple[str, str]] = set()
    for record in records:
        mapped = map_record(record, mapping) if isinstance(record, SourceRecord) else None
        if mapped is not None and seen.isdisjoint(mapped.keys):
            seen.update(mapped.keys)
            values = {name: value for name, value in mapped.values.items() if value is not None}
            yield PlannedWrite(mapped.ref, Action.CREATE, mapped.object, str(uuid.uuid4()), values)


def _changed(write: PlannedWrite, made: WriteResult) -> PlannedWrite:
    """The same values again, but for the unique ones: as much as an update can hold."""
    kept = {name: value for name, value in write.values.items() if name not in ("emails", "phones")}
    kept = {name: value for name, value in kept.items() if name not in ("whopUserId", "whopMembershipId")}
    return write._replace(action=Action.UPDATE, values=kept, created_at=made.created_at)


def _cpu_of(
    writer: Writer, mapping: Mapping, writes: Sequence[PlannedWrite]
) -> tuple[list[WriteResult], float]:
    """All results, and the middle of the seconds that 200 records took."""
    results: list[WriteResult] = []
    times = []
    for batch in _batches(writes):
        started = time.thread_time()
        results += writer.apply(mapping, batch)
        times.append((time.thread_time() - started) * _BATCH / len(batch))
    bad = [one.error for one in results if one.error]
    if bad:
        raise bad[0]
    return results, statistics.median(times[_WARM_UP:] or times)


def _batches(writes: Sequence[PlannedWrite]) -> Iterator[Sequence[PlannedWrite]]:
    return (writes[start : start + _BATCH] for start in range(0, len(writes), _BATCH))


# --- one bad record


@dataclass(frozen=True, slots=True)
class Trouble:
    """One bad record among good ones: what is wrong with it, and how to make it so."""

    name: str
    object: str
    spoil: Callable[[PlannedWrite], PlannedWrite]


def report_bad(report: Report, count: int, parts: Parts, set_up: Stage) -> None:
    """Requests beyond the full batches, and records written, for each way to be bad."""
    workspace, _ = stage.connect(parts, set_up, "bench")
    mappings = {one.object.name: one for one in parts.tools.mappings.shipped}
    member = (SHIPPED_MAPPINGS / "member.yaml").read_text(encoding="utf-8")
    texts = {"member.yaml": member, "membership.yaml": _FILE}
    mappings["opportunity"] = load_texts(texts, WHOP, CRM)["membership"]
    parts.openers.schema(workspace).apply([mappings["opportunity"]])
    for trouble in _troubles(parts, workspace, mappings["person"], _gone(parts, set_up)):
        writer, mapping = parts.openers.writer(workspace, "full"), mappings[trouble.object]
        writes = [_good(trouble.object) for _ in range(count)]
        writes[count * 2 // 3] = trouble.spoil(writes[count * 2 // 3])
        before = _requests(parts, set_up)
        results = [result for batch in _batches(writes) for result in writer.apply(mapping, batch)]
        extra = _requests(parts, set_up) - before - math.ceil(count / _BATCH)
        report.add(f"one record with {trouble.name}: extra requests", extra, "requests", ("<=", 20))
        written = sum(result.error is None and not result.left_out for result in results)
        report.add(f"one record with {trouble.name}: written whole", written, "records", ("==", count - 1))


def _troubles(parts: Parts, workspace: Workspace, person: Mapping, gone: str) -> Iterator[Trouble]:
    holder = _good("person")
    parts.openers.writer(workspace, "full").apply(person, [holder])
    taken = {"whopUserId": holder.values["whopUserId"]}
    yield Trouble("a value that is named", "person", partial(_with, emails={"primaryEmail": "nobody"}))
    yield Trouble("a key that is taken", "person", partial(_with, **taken))
    yield Trouble("a contact that is gone", "opportunity", partial(_with, pointOfContact=gone))
    yield Trouble(
        "a value that nothing names",
        "opportunity",
        partial(_with, benchLink={"primaryLinkUrl": "nowhere"}),
    )


def _gone(parts: Parts, set_up: Stage) -> str:
    """The id of a person who was destroyed."""
    id_ = str(uuid.uuid4())
    session = stage.crm_session(parts, set_up)
    session.request("POST", "/rest/people", json={"id": id_})
    session.request("DELETE", f"/rest/people/{id_}")
    return id_


def _good(object_: str) -> PlannedWrite:
    mark = uuid.uuid4().hex
    values: dict[str, Any] = {"name": mark}
    if object_ == "person":
        values = {"whopUserId": f"user_{mark}", "emails": {"primaryEmail": f"{mark}@example.com"}}
    return PlannedWrite(Ref("whop", "bench", mark), Action.CREATE, object_, str(uuid.uuid4()), values)


def _with(write: PlannedWrite, **values: Any) -> PlannedWrite:
    return write._replace(values={**write.values, **values})


def _requests(parts: Parts, set_up: Stage) -> int:
    """What the CRM was asked so far, without the asking for this."""
    asked = stage.crm_session(parts, set_up).request("GET", "/sandbox/stats").json()["requests"]
    return int(asked["total"])
