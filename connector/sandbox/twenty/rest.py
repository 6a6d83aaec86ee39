"""/rest/…: records over REST (twenty-api.md section 6; recordings 200-366, 500-519)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from connector.sandbox.twenty import merging, records, removals
from connector.sandbox.twenty.duplicates import duplicates
from connector.sandbox.twenty.filters import compile_filter
from connector.sandbox.twenty.paging import Window, page, read_order
from connector.sandbox.twenty.projection import whole
from connector.sandbox.twenty.refusals import Refusal, nobody, not_found
from connector.sandbox.twenty.rest_filter import parse_filter, parse_order
from connector.sandbox.twenty.session import Session
from connector.sandbox.twenty.shape import Row, Shape
from connector.sandbox.twenty.values import is_uuid

DEFAULT_LIMIT, MAX_LIMIT = 60, 200
Answer = tuple[int, dict[str, Any]]


@dataclass(slots=True)
class Call:
    """One REST request, its path already taken apart."""

    session: Session
    method: str
    shape: Shape
    row_id: str | None
    query: dict[str, str]
    body: Any

    @property
    def many(self) -> str:
        return self.shape.plural[:1].upper() + self.shape.plural[1:]

    @property
    def one(self) -> str:
        return self.shape.singular[:1].upper() + self.shape.singular[1:]

    def filter(self) -> Any:
        return parse_filter(self.shape, self.query.get("filter", ""))

    def depth(self) -> int:
        depth = self.query.get("depth", "0")
        if depth not in ("0", "1"):
            raise Refusal(f"'depth={depth}' parameter invalid. Allowed values are 0, 1")
        return int(depth)

    def show(self, row: Row) -> Row:
        return self.session.seen(self.shape, whole(self.session.workspace, self.shape, row, self.depth()))


def answer(session: Session, method: str, path: str, query: dict[str, str], body: Any) -> Answer:
    """Answer `method /rest/{path}`; raises Refusal."""
    parts = [part for part in path.split("/") if part]
    kind = parts.pop(0) if parts[0] in ("batch", "restore") else ""
    if kind == "restore" and len(parts) > 1:
        raise _bad_path(path)
    tail = parts[1] if len(parts) > 1 else None
    if tail in ("duplicates", "merge"):
        kind, tail = str(tail), None
    call = Call(session, method, _shape(session, parts[0]), tail, query, body)
    if session.caller.role is None:
        raise nobody()
    session.may(_act(call, kind), call.shape)
    return _handler(call, kind)(call)


def _act(call: Call, kind: str) -> str:
    """The permission that a request needs."""
    if call.method == "GET" or kind == "duplicates":
        return "Read"
    if call.method == "DELETE":
        return "SoftDelete" if call.query.get("soft_delete") == "true" else "Destroy"
    return "SoftDelete" if kind == "restore" else "Update"


def _bad_path(path: str) -> Refusal:
    examples = "/rest/companies/id or /rest/companies or /rest/batch/companies"
    return Refusal(f"Query path '/rest/{path}' invalid. Valid examples: {examples}")


def _shape(session: Session, plural: str) -> Shape:
    shape = session.workspace.plurals.get(plural)
    if shape is None:
        near = session.workspace.singulars.get(plural)
        hint = f"Did you mean '{near.plural}'?" if near else "eg: companies"
        raise Refusal(f"object '{plural}' not found. {hint}")
    return shape


def _handler(call: Call, kind: str) -> Callable[[Call], Answer]:
    if kind in ("duplicates", "merge"):
        return _duplicates if kind == "duplicates" else _merge
    if kind == "restore" and call.method == "PATCH":
        return _restore_many
    if kind == "batch" and call.method == "POST":
        return _create_batch
    # POST to a record path ignores the id and creates (863).
    if call.method == "POST":
        return _create
    if call.method not in _WITH_ID:
        raise _bad_path(call.shape.plural)
    return (_WITH_ID if call.row_id else _WITHOUT_ID)[call.method]


def _id(call: Call) -> str:
    if not is_uuid(call.row_id):
        raise Refusal(f"'{call.row_id}' is not a valid UUID")
    return str(call.row_id)


def fields_of(body: Any) -> dict[str, Any]:
    """A list is an object with the keys "0", "1", …, as in JavaScript (249, 864)."""
    if isinstance(body, list):
        return {str(at): each for at, each in enumerate(body)}
    return body if isinstance(body, dict) else {}


def _get(call: Call) -> Answer:
    row = call.session.workspace.table(call.shape).rows.get(_id(call))
    if row is None or row["deletedAt"] is not None:
        raise not_found()
    return 200, {"data": {call.shape.singular: call.show(row)}}


def _list(call: Call) -> Answer:
    terms = read_order(call.shape, parse_order(call.query.get("order_by")))
    rows = compile_filter(call.shape, call.filter()).rows(call.session.workspace.table(call.shape))
    found = page(rows, terms, _window(call))
    call.session.count("read", call.shape, len(found.rows))
    data = {call.shape.plural: [call.show(row) for row in found.rows]}
    return 200, {"data": data, "totalCount": found.total, "pageInfo": found.info()}


def _window(call: Call) -> Window:
    text = call.query.get("limit", str(DEFAULT_LIMIT))
    if not re.fullmatch(r"\d+", text):
        raise Refusal(f"limit '{text}' is invalid. Should be an integer")
    before = call.query.get("ending_before")
    after = call.query.get("starting_after")
    return Window(min(int(text), MAX_LIMIT), after, before, backwards=before is not None)


def _upsert(call: Call) -> bool:
    return call.query.get("upsert") == "true"


def _create(call: Call) -> Answer:
    data = [fields_of(call.body)]
    rows = records.create_many(call.session, call.shape, data, upsert=_upsert(call))
    return 201, {"data": {f"create{call.one}": call.show(rows[0])}}


def _create_batch(call: Call) -> Answer:
    rows = records.create_many(call.session, call.shape, call.body, upsert=_upsert(call))
    return 201, {"data": {f"create{call.many}": [call.show(row) for row in rows]}}


def _update(call: Call) -> Answer:
    row = records.update_one(call.session, call.shape, _id(call), fields_of(call.body))
    return 200, {"data": {f"update{call.one}": call.show(row)}}


def _update_many(call: Call) -> Answer:
    """Without a filter every row is meant; only the cap stops it (362)."""
    rows = records.update_many(call.session, call.shape, call.filter(), fields_of(call.body))
    return 200, {"data": {f"update{call.many}": [call.show(row) for row in rows]}}


def _delete(call: Call) -> Answer:
    """A hard delete unless soft_delete=true; it answers the id alone (340, 352)."""
    name = f"delete{call.one}"
    if call.query.get("soft_delete") == "true":
        return 200, {"data": {name: call.show(removals.delete_one(call.session, call.shape, _id(call)))}}
    return 200, {"data": {name: {"id": removals.destroy_one(call.session, call.shape, _id(call))["id"]}}}


def _delete_many(call: Call) -> Answer:
    name = f"delete{call.many}"
    if call.query.get("soft_delete") == "true":
        rows = removals.delete_many(call.session, call.shape, call.filter())
        return 200, {"data": {name: [call.show(row) for row in rows]}}
    rows = removals.destroy_many(call.session, call.shape, call.filter())
    return 200, {"data": {name: [{"id": row["id"]} for row in rows]}}


def _restore_many(call: Call) -> Answer:
    rows = removals.restore_many(call.session, call.shape, call.filter())
    return 200, {"data": {f"restore{call.many}": [call.show(row) for row in rows]}}


def _duplicates(call: Call) -> Answer:
    none = {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None}
    found = duplicates(call.session.workspace, call.shape, fields_of(call.body))
    name = f"{call.shape.singular}Duplicates"
    data = [{name: rows, "totalCount": len(rows), "pageInfo": none | _ends(rows)} for rows in found]
    return 200, {"data": data}


def _ends(rows: list[Row]) -> dict[str, Any]:
    if not rows:
        return {}
    terms = read_order(Shape("", "", "", ""), None)
    return {
        "startCursor": page(rows, terms, Window(1)).start,
        "endCursor": page(rows[-1:], terms, Window(1)).end,
    }


def _merge(call: Call) -> Answer:
    body = fields_of(call.body)
    winner = body.get("conflictPriorityIndex") or 0
    ids, dry_run = list(body.get("ids") or ()), bool(body.get("dryRun"))
    row = merging.merge(call.session, call.shape, ids, winner, dry_run=dry_run)
    return 200, {"data": {f"merge{call.one}": call.show(row)}}


_WITH_ID = {"GET": _get, "PATCH": _update, "PUT": _update, "DELETE": _delete}
_WITHOUT_ID = {"GET": _list, "PATCH": _update_many, "PUT": _update_many, "DELETE": _delete_many}
