"""Look-ups in bulk: thousands of ids and keys in one request, deleted rows included.

Over GraphQL, because a REST look-up without a key is cut at 16 kB of request line. Twenty gives 200 rows
where nobody says how many and never tells that it cut, so every look-up says more than it expects, and an
answer that comes full is asked for again in smaller pieces.

Further e-mails of a person (``additionalEmails``) are not looked at: Twenty offers no list of values for
them. A person whose address stands only there is not found by it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from connector.core.mapping import key_text
from connector.core.plan import Found
from connector.core.records import CrmRow, Ref
from connector.crms.twenty import fields
from connector.crms.twenty.client import TwentyClient
from connector.crms.twenty.columns import Columns, look_query
from connector.crms.twenty.refusals import Kind, Refusal
from connector.errors import SchemaError, TryLaterError
from connector.ports import Seek

_BLOCK = 2_000  # ids per look-up: 0.2 MB and about 0.2 s on a real server
_ANY = {"or": [{"deletedAt": {"is": "NULL"}}, {"deletedAt": {"is": "NOT_NULL"}}]}

Json = Mapping[str, Any]


def look(client: TwentyClient, columns: Columns, seeks: Sequence[Seek]) -> dict[Ref, Found]:
    """What Twenty holds for each seek."""
    found: dict[Ref, Found] = {}
    for start in range(0, len(seeks), _BLOCK):
        block = seeks[start : start + _BLOCK]
        if not any(seek.id or seek.keys for seek in block):  # a filter of nothing asks for everything
            found.update((seek.ref, Found()) for seek in block)
            continue
        rows = {node["id"]: columns.row(node) for node in _nodes(client, columns, block)}
        found.update(_matched(block, list(rows.values())))
    return found


def _nodes(client: TwentyClient, columns: Columns, seeks: Sequence[Seek], more: int = 1) -> Iterator[Json]:
    first = more * (2 * sum(1 + len(seek.keys) for seek in seeks) + 100)
    half = len(seeks) // 2
    try:
        nodes = _asked(client, columns.plural, columns.look, _filter(columns, seeks), first)
    except Refusal as refusal:
        if refusal.kind is not Kind.TOO_LARGE or not half:
            raise SchemaError(f"Twenty refused to look for {columns.plural}: {refusal}") from refusal
    else:
        if len(nodes) < first:
            yield from nodes
            return
    if half:
        yield from _nodes(client, columns, seeks[:half], more)
        yield from _nodes(client, columns, seeks[half:], more)
    else:  # one key that very many rows hold
        yield from _nodes(client, columns, seeks, more * 10)


def living_or_deleted(client: TwentyClient, object_: str, plural: str, ids: Collection[str]) -> set[str]:
    """Which of these ids there are, in the bin or out of it."""
    query = look_query(object_, plural, ["id"])
    filter_ = {"and": [{"id": {"in": list(ids)}}, _ANY]}
    return {node["id"] for node in _asked(client, plural, query, filter_, 2 * len(ids) + 100)}


def _asked(client: TwentyClient, plural: str, query: str, filter_: Json, first: int) -> list[Json]:
    data = client.query(query, {"f": filter_, "n": first})
    try:
        return [edge["node"] for edge in data[plural]["edges"]]
    except (KeyError, TypeError):
        raise TryLaterError(
            f"Twenty's answer holds no list of {plural}.", code="crm_answer_incomplete"
        ) from None


def _filter(columns: Columns, seeks: Sequence[Seek]) -> Json:
    by_field: defaultdict[str, list[str]] = defaultdict(list)
    for seek in seeks:
        for field, value in seek.keys:
            by_field[field].append(value)
    ids = [seek.id for seek in seeks if seek.id]
    conditions: list[Json] = [{"id": {"in": ids}}] if ids else []
    for field, texts in by_field.items():
        type_ = fields.TYPES[columns.specs[field].type]
        within: Json = {"in": [type_.key(text) for text in texts]}
        conditions.append({columns.names[field]: {type_.parts[0]: within} if type_.parts else within})
    return {"and": [{"or": conditions}, _ANY]}


def _matched(seeks: Sequence[Seek], rows: Sequence[CrmRow]) -> Iterator[tuple[Ref, Found]]:
    """Rows to seeks, comparing exactly: Twenty's look-up only narrows down."""
    by_id = {row.id: row for row in rows}
    by_field = {field: _by_key(field, rows) for field in {key[0] for seek in seeks for key in seek.keys}}
    for seek in seeks:
        hits = tuple(
            (field, tuple(found)) for field, text in seek.keys if (found := by_field[field].get(text))
        )
        yield seek.ref, Found(by_id.get(seek.id), hits)


def _by_key(field: str, rows: Sequence[CrmRow]) -> dict[str, list[CrmRow]]:
    found: dict[str, list[CrmRow]] = {}
    for row in rows:
        if (value := row.values.get(field)) is not None:
            found.setdefault(key_text(value), []).append(row)
    return found
