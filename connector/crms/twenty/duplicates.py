"""Values that several records hold in a field that is to be made unique.

Twenty answers such a change with a text that names neither the field nor a value (recording 160), so we look
before. Deleted records count: they hold their values.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from connector.crms.twenty.client import TwentyClient
from connector.crms.twenty.columns import type_name
from connector.crms.twenty.model import Field, Object
from connector.errors import TryLaterError

_PAGE = 5_000
_SHOWN = 3


def find(client: TwentyClient, object_: Object, field: Field) -> str:
    """How many values stand in several records, and which, in words; empty for none."""
    count: defaultdict[str, int] = defaultdict(int)
    for value in _values(client, object_, field):
        count[value] += 1
    twice = {value: times for value, times in count.items() if times > 1}
    if not twice:
        return ""
    examples = ", ".join(f"“{value[:40]}” in {times}" for value, times in list(twice.items())[:_SHOWN])
    many = len(twice) - _SHOWN
    more = f" and {many:,} more" if many > 0 else ""
    values = "1 value stands" if len(twice) == 1 else f"{len(twice):,} values stand"
    return f"{values} in several records: {examples} records{more}"


def _values(client: TwentyClient, object_: Object, field: Field) -> Iterator[str]:
    filter_: dict[str, Any] = {
        "and": [
            {field.name: {"is": "NOT_NULL"}},
            {"or": [{"deletedAt": {"is": "NULL"}}, {"deletedAt": {"is": "NOT_NULL"}}]},
        ]
    }
    query = (
        f"query($f:{type_name(object_.name)}FilterInput,$n:Int,$a:String){{{object_.plural}(filter:$f,first:$n,after:$a)"
        f"{{edges{{node{{id {field.name}}}}} pageInfo{{hasNextPage endCursor}}}}}}"
    )
    after: str | None = None
    while True:
        found = client.query(query, {"f": filter_, "n": _PAGE, "a": after}).get(object_.plural)
        if not found:
            raise TryLaterError(
                f"Twenty's answer holds no list of {object_.plural}.", code="crm_answer_incomplete"
            )
        yield from (str(edge["node"][field.name]) for edge in found["edges"] if edge["node"][field.name])
        if not found["pageInfo"]["hasNextPage"]:
            return
        after = found["pageInfo"]["endCursor"]
