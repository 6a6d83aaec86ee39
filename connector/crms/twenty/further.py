"""Further e-mails of people: an address that stands beside somebody's first one tells who they are, too.

Twenty offers ``is`` and ``like`` for them and no list of values, and each question costs a token of its
limit. So they are asked for within the look-up itself: a few by ``like``, a search through the table, 67 ms
for a hundred among 9,600 people; for more, every row that has any comes with the answer. Where those are
more than an answer holds they are read once, page by page, and remembered for the life of the writer, which
is one job of a run: a few seconds.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from connector.crms.twenty import fields
from connector.crms.twenty.client import TwentyClient
from connector.crms.twenty.columns import Columns
from connector.errors import TryLaterError

FEW = 100  # 1,000 in one filter take a real server 2.2 s, 500 of them 0.13 s
_PAGE = 5_000
ANY: Mapping[str, Any] = {"or": [{"deletedAt": {"is": "NULL"}}, {"deletedAt": {"is": "NOT_NULL"}}]}

Json = Mapping[str, Any]


class Further:
    """What one writer knows of the further values of its fields."""

    def __init__(self, client: TwentyClient) -> None:
        self._client = client
        self._known: dict[tuple[str, str], dict[str, set[str]]] = {}
        self._open: set[tuple[str, str]] = set()

    def conditions(self, columns: Columns, field: str, texts: Collection[str]) -> Iterator[Json]:
        """Conditions, to be joined by ``or``, for rows that hold one of these beside their first."""
        part = fields.TYPES[columns.specs[field].type].further
        if part is None or not texts:
            return
        if len(texts) <= FEW:
            called = columns.names[field]
            yield from ({called: {part: {"like": _pattern(text)}}} for text in texts)
            return
        known = self._known.get((columns.object, field))
        if known is None:
            self._open.add((columns.object, field))
            yield _having(columns, field, part)
            return
        ids = {id_ for text in texts for id_ in known.get(text, ())}
        if ids:
            yield {"id": {"in": sorted(ids)}}

    def narrowed(self, columns: Columns) -> bool:
        """Read and remember what would have come with an answer that was too short for it; False: nothing."""
        wide = [(object_, field) for object_, field in self._open if object_ == columns.object]
        for object_, field in wide:
            part = fields.TYPES[columns.specs[field].type].further or ""
            known: dict[str, set[str]] = {}
            for node in self._nodes(columns, field, part):
                for text in fields.further(node.get(columns.names[field]), part):
                    known.setdefault(text, set()).add(node["id"])
            self._known[object_, field] = known
            self._open.discard((object_, field))
        return bool(wide)

    def _nodes(self, columns: Columns, field: str, part: str) -> Iterator[Json]:
        called = columns.names[field]
        having = {"and": [_having(columns, field, part), ANY]}
        cursor: str | None = None
        while True:
            asked = {"f": having, "n": _PAGE, "c": cursor}
            data = self._client.query(columns.walk(f"{called}{{{part}}}"), asked)
            try:
                listed = data[columns.plural]
                yield from (edge["node"] for edge in listed["edges"])
                more, cursor = listed["pageInfo"]["hasNextPage"], listed["pageInfo"]["endCursor"]
            except (KeyError, TypeError):
                raise TryLaterError(
                    f"Twenty's answer holds no list of {columns.plural}.", code="crm_answer_incomplete"
                ) from None
            if not more or not cursor:
                return


def _having(columns: Columns, field: str, part: str) -> Json:
    return {columns.names[field]: {part: {"is": "NOT_NULL"}}}


def _pattern(text: str) -> str:
    r"""The address as it stands in the stored list.

    ``_`` and ``%`` stay wildcards: what they find besides is told apart when the rows are there, while an
    escape that a server does not know would hide somebody. ``"`` and ``\`` are stored escaped themselves.
    """
    quoted = json.dumps(text, ensure_ascii=False)[1:-1]
    return '%"' + quoted.replace("\\", "%") + '"%'
