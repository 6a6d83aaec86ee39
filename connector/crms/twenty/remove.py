"""Taking records back in Twenty: soft deletes, and one value for many; never a row that moved meanwhile."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from typing import Any

from connector.core.records import CrmRow
from connector.crms.twenty import fields
from connector.crms.twenty.client import TwentyClient
from connector.crms.twenty.columns import Columns
from connector.errors import TryLaterError

_ALIVE = {"deletedAt": {"is": "NULL"}}
MOST = 200
"""Of one request; both mutations are capped there."""

Json = MappingType[str, Any]


def delete(client: TwentyClient, columns: Columns, rows: Sequence[CrmRow]) -> set[str]:
    """Put rows into the bin, for as long as they are as they were looked at; the ids of those that went.

    The guard names all their times at once: a row that somebody changes meanwhile gets a later one, which
    none of the others has.
    """
    same = [{"id": {"in": [row.id for row in rows]}}, {"updatedAt": {"in": _times(rows)}}, _ALIVE]
    return set(_mutated(client, columns, columns.remove, {"f": {"and": same}}, columns.removed))


def put(client: TwentyClient, columns: Columns, ids: Sequence[str], name: str, value: Any) -> dict[str, str]:
    """Give living rows one value in one field; id → the CRM's time of that, for those that took it."""
    type_, key = columns.sent[name]
    data = {key: fields.as_change(type_, value, None) if type_ else value}
    living = {"and": [{"id": {"in": list(ids)}}, _ALIVE]}
    return _mutated(client, columns, columns.put, {"f": living, "data": data}, columns.was_put)


def _times(rows: Sequence[CrmRow]) -> list[str]:
    return sorted({row.updated_at for row in rows if row.updated_at is not None})


def _mutated(
    client: TwentyClient, columns: Columns, query: str, variables: Json, answered: str
) -> dict[str, str]:
    rows = client.mutate(query, variables).get(answered)
    if not isinstance(rows, list):
        raise TryLaterError(f"Twenty's answer names no {columns.plural}.", code="crm_answer_incomplete")
    return {row["id"]: row["updatedAt"] for row in rows}
