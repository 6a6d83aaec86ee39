"""Look-ups in bulk: thousands of ids and keys in one request, deleted rows included.

Over GraphQL, because a REST look-up without a key is cut at 16 kB of request line. Twenty gives 200 rows
where nobody says how many and never tells that it cut, so every look-up says more than it expects, and an
answer that comes full is asked for again in smaller pieces.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from connector.core.mapping import key_text
from connector.core.plan import Found, Stamp
from connector.core.records import CrmRow, Ref
from connector.crms.twenty import fields
from connector.crms.twenty.client import TwentyClient
from connector.crms.twenty.columns import Columns, look_query
from connector.crms.twenty.further import ANY, Further
from connector.crms.twenty.refusals import Kind, Refusal
from connector.errors import SchemaError, TryLaterError
from connector.ports import Seek

_IDS = 5_000  # the same, where only ids are answered
SPARE = 100  # rows beyond twice what is expected
_BLOCK = 2_000  # ids per look-up: 0.2 MB and about 0.2 s on a real server

Json = Mapping[str, Any]


def look(
    client: TwentyClient, columns: Columns, seeks: Sequence[Seek], further: Further | None = None
) -> dict[Ref, Found]:
    """What Twenty holds for each seek; further values are looked at where ``further`` knows of them."""
    further = further or Further(client)
    found: dict[Ref, Found] = {}
    for start in range(0, len(seeks), _BLOCK):
        block = seeks[start : start + _BLOCK]
        if not any(seek.id or seek.keys for seek in block):  # a filter of nothing asks for everything
            found.update((seek.ref, Found()) for seek in block)
            continue
        look_ = _Look(client, columns, further)
        rows = {node["id"]: columns.row(node) for node in look_.nodes(block)}
        found.update(_matched(block, list(rows.values())))
    return found


class _Look(NamedTuple):
    client: TwentyClient
    columns: Columns
    further: Further

    def nodes(self, seeks: Sequence[Seek], more: int = 1) -> Iterator[Json]:
        first = more * (2 * sum(1 + 2 * len(seek.keys) for seek in seeks) + SPARE)
        half = len(seeks) // 2
        plural = self.columns.plural
        try:
            nodes = _asked(self.client, plural, self.columns.look, self._filter(seeks), first)
        except Refusal as refusal:
            if refusal.kind is not Kind.TOO_LARGE or not half:
                raise SchemaError(f"Twenty refused to look for {plural}: {refusal}") from refusal
        else:
            if len(nodes) < first:
                yield from nodes
                return
            if self.further.narrowed(self.columns):
                yield from self.nodes(seeks, more)
                return
        if half:
            yield from self.nodes(seeks[:half], more)
            yield from self.nodes(seeks[half:], more)
        else:  # one key that very many rows hold
            yield from self.nodes(seeks, more * 10)

    def _filter(self, seeks: Sequence[Seek]) -> Json:
        by_field: defaultdict[str, dict[str, bool]] = defaultdict(dict)
        for seek in seeks:
            for field, value in seek.keys:
                by_field[field][value] = seek.further or by_field[field].get(value, False)
        ids = [seek.id for seek in seeks if seek.id]
        conditions: list[Json] = [{"id": {"in": ids}}] if ids else []
        for field, texts in by_field.items():
            type_ = fields.TYPES[self.columns.specs[field].type]
            within: Json = {"in": [type_.key(text) for text in texts]}
            called = self.columns.names[field]
            conditions.append({called: {type_.parts[0]: within} if type_.parts else within})
            also = [text for text, further in texts.items() if further]
            conditions.extend(self.further.conditions(self.columns, field, also))
        return {"and": [{"or": conditions}, ANY]}


def living(client: TwentyClient, columns: Columns, ids: Sequence[str]) -> set[str]:
    """Which of these rows there are, out of the bin."""
    query, found = look_query(columns.object, columns.plural, ["id"]), set[str]()
    for start in range(0, len(ids), _IDS):
        block = list(ids[start : start + _IDS])
        nodes = _asked(client, columns.plural, query, {"id": {"in": block}}, 2 * len(block) + 100)
        found.update(node["id"] for node in nodes)
    return found


def stamps(client: TwentyClient, columns: Columns, ids: Sequence[str]) -> dict[str, Stamp]:
    """When each of these rows changed last, out of the bin."""
    found: dict[str, Stamp] = {}
    for start in range(0, len(ids), _BLOCK):
        block = list(ids[start : start + _BLOCK])
        nodes = _asked(client, columns.plural, columns.stamp, {"id": {"in": block}}, 2 * len(block) + 100)
        found.update((node["id"], columns.stamp_of(node)) for node in nodes)
    return found


def living_or_deleted(client: TwentyClient, object_: str, plural: str, ids: Collection[str]) -> set[str]:
    """Which of these ids there are, in the bin or out of it."""
    query = look_query(object_, plural, ["id"])
    filter_ = {"and": [{"id": {"in": list(ids)}}, ANY]}
    return {node["id"] for node in _asked(client, plural, query, filter_, 2 * len(ids) + 100)}


def _asked(client: TwentyClient, plural: str, query: str, filter_: Json, first: int) -> list[Json]:
    data = client.query(query, {"f": filter_, "n": first})
    try:
        return [edge["node"] for edge in data[plural]["edges"]]
    except (KeyError, TypeError):
        raise TryLaterError(
            f"Twenty's answer holds no list of {plural}.", code="crm_answer_incomplete"
        ) from None


def _matched(seeks: Sequence[Seek], rows: Sequence[CrmRow]) -> Iterator[tuple[Ref, Found]]:
    """Rows to seeks, comparing exactly: Twenty's look-up only narrows down."""
    by_id = {row.id: row for row in rows}
    sought = {key[0] for seek in seeks for key in seek.keys}
    first = {field: _by_key(field, rows) for field in sought}
    further = {field: _by_further(field, rows) for field in sought}
    for seek in seeks:
        hits = []
        for field, text in seek.keys:
            found = first[field].get(text, {})
            if seek.further:
                found = found | further[field].get(text, {})
            if found:
                hits.append((field, tuple(found.values())))
        yield seek.ref, Found(by_id.get(seek.id), tuple(hits))


Rows = dict[str, dict[str, CrmRow]]


def _by_key(field: str, rows: Sequence[CrmRow]) -> Rows:
    found: Rows = {}
    for row in rows:
        if (value := row.values.get(field)) is not None:
            found.setdefault(key_text(value), {})[row.id] = row
    return found


def _by_further(field: str, rows: Sequence[CrmRow]) -> Rows:
    found: Rows = {}
    for row in rows:
        for text in row.further.get(field, ()):
            found.setdefault(text, {})[row.id] = row
    return found
