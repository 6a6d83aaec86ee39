"""Log entries as a file, streamed page by page, so that a long log needs no more memory than a short one."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import orjson
from flask import Response

from connector.core.outcomes import Result
from connector.store import logbook
from connector.store.db import Database
from connector.store.logbook import EntryFilter
from connector.store.paging import Place
from connector.store.runs import LogEntry

_PAGE = 1000
_COLUMNS = (
    *("time", "sync", "result", "reason", "object", "kind", "source_id", "crm_id", "title"),
    *("error_code", "error", "warnings", "before", "after", "put_back"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def entries(database: Database, workspace_id: str, wanted: EntryFilter) -> Iterator[LogEntry]:
    """Every entry that fits, newest first. No transaction is open while the reader is waited for."""
    place: Place | None = Place()
    while place is not None:
        with database.reading() as session:
            leaf = logbook.entry_page(session, workspace_id, wanted, place, _PAGE)
        yield from leaf.items
        place = None if leaf.older is None else Place(before=leaf.older)


def as_csv(found: Iterator[LogEntry], name: str) -> Response:
    """A table; UTF-8 with the mark by which Excel knows it."""
    return _file(_csv(found), "text/csv; charset=utf-8", f"{name}.csv")


def table(columns: Sequence[str], rows: Iterator[Sequence[Any]], name: str) -> Response:
    """Any table as such a file."""
    body = (_line(_cell(value) for value in row) for row in rows)
    head = (line for line in (b"\xef\xbb\xbf" + _line(columns),))
    return _file(chain(head, body), "text/csv; charset=utf-8", f"{name}.csv")


def as_json(found: Iterator[LogEntry], name: str) -> Response:
    """One JSON array."""
    return _file(_json(found), "application/json", f"{name}.json")


def _file(body: Iterator[bytes], mimetype: str, name: str) -> Response:
    return Response(
        body, content_type=mimetype, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def _csv(found: Iterator[LogEntry]) -> Iterator[bytes]:
    yield b"\xef\xbb\xbf" + _line(_COLUMNS)
    for entry in found:
        yield _line(_cell(value) for value in _document(entry).values())


def _line(cells: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue().encode()


def _cell(value: Any) -> str:
    """One cell. A name that a spreadsheet would take for a formula is made text."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return f"'{text}" if text.startswith(_FORMULA) else text


def _json(found: Iterator[LogEntry]) -> Iterator[bytes]:
    yield b"["
    for at, entry in enumerate(found):
        yield (b",\n" if at else b"\n") + orjson.dumps(_document(entry))
    yield b"\n]\n"


def _document(entry: LogEntry) -> dict[str, Any]:
    values = (
        *(entry.created_at.isoformat(), entry.run, Result(entry.result).value, entry.reason, entry.object),
        *(entry.kind, entry.source_id, entry.crm_id, entry.title, entry.error_code),
        *((entry.error or {}).get("message"), entry.warnings, entry.before, entry.after),
        entry.drift,
    )
    return dict(zip(_COLUMNS, values, strict=True))
