"""POST /graphql: root fields on records (twenty-api.md section 8; recordings 400-448, 950-1034).

Always HTTP 200, errors included, except for what never reaches the executor (436, 438).
"""

from collections.abc import Callable
from typing import Any

from connector.sandbox.twenty import merging, records, removals, workflows
from connector.sandbox.twenty.accounts import FORBIDDEN_RESOURCE, ForbiddenResource
from connector.sandbox.twenty.duplicates import duplicates
from connector.sandbox.twenty.filters import compile_filter
from connector.sandbox.twenty.paging import Page, Window, cursor, page, read_order
from connector.sandbox.twenty.projection import connection, projector, wants_cursors
from connector.sandbox.twenty.queries import Operation, Pick, QuerySyntaxError, read_query
from connector.sandbox.twenty.refusals import Refusal, nobody_graphql, not_found
from connector.sandbox.twenty.session import Session
from connector.sandbox.twenty.shape import Row, Shape
from connector.sandbox.twenty.values import clean_uuid

Args = dict[str, Any]
MAX_ROOTS = 20
#: The permission that a root field needs by its verb; all others write.
_ACTS = {"find": "Read", "delete": "SoftDelete", "restore": "SoftDelete", "destroy": "Destroy"}
DEFAULT_FIRST = 200


def roots_of(body: Any) -> tuple[str, ...]:
    """The root fields a request asks for, as far as it can be read; for scripted faults and statistics."""
    try:
        return tuple(pick.name for pick in read_query(str(body["query"]), body.get("operationName")).picks)
    except (QuerySyntaxError, KeyError, TypeError, AttributeError):
        return ()


def execute(session: Session, body: Any, spend: Callable[[], None]) -> dict[str, Any]:
    """Answer one request; `spend` takes a rate token per root field, or refuses (603)."""
    try:
        operation = read_query(str(body.get("query") or ""), body.get("operationName"))
    except QuerySyntaxError as error:
        return {"errors": [error.body]}
    refused = _refuse_roots(session, operation)
    if refused:
        return refused
    variables = operation.variables(body.get("variables"))
    data: dict[str, Any] = {}
    errors = []
    for pick in operation.picks:
        try:
            data[pick.key] = _root(session, pick, pick.args(variables), spend)
        except ForbiddenResource:
            return FORBIDDEN_RESOURCE
        except Refusal as refusal:
            data[pick.key] = None
            errors.append(refusal.graphql())
    return {"data": data, "errors": errors} if errors else {"data": data}


def _refuse_roots(session: Session, operation: Operation) -> dict[str, Any] | None:
    names = [pick.name for pick in operation.picks]
    for pick in operation.picks:
        if not _known(session, pick.name):
            kind = operation.kind.capitalize()
            text = f'Cannot query field "{pick.name}" on type "{kind}".'
            return {"errors": [{"message": text, "locations": [{"line": pick.line, "column": pick.column}]}]}
    if len(names) > MAX_ROOTS:
        text = f"Query too complex - Too many root resolvers requested: {len(names)}"
        return _complex(f"{text} - Maximum allowed root resolvers: {MAX_ROOTS}")
    for name in names:
        if names.count(name) > 1:
            return _complex(f'Duplicate root resolver: "{name}"')
    return None


def _known(session: Session, name: str) -> bool:
    return (
        name in session.workspace.roots
        or name in workflows.ACTIONS
        or name in ("__schema", "__typename")
        or _listed(session, name) is not None
    )


def _listed(session: Session, name: str) -> Shape | None:
    """The object of a `personDuplicates` root."""
    return (
        session.workspace.singulars.get(name.removesuffix("Duplicates"))
        if name.endswith("Duplicates")
        else None
    )


def _complex(text: str) -> dict[str, Any]:
    return {"data": {}, "errors": [{"message": text, "extensions": {"code": "BAD_USER_INPUT"}}]}


def _root(session: Session, pick: Pick, args: Args, spend: Callable[[], None]) -> Any:
    if pick.name == "__schema":
        return {"queryType": {"name": "Query"}}
    spend()
    if session.caller.role is None:
        raise nobody_graphql()
    if pick.name in workflows.ACTIONS:
        return workflows.turn(session, pick.name, args)
    listed = _listed(session, pick.name)
    if listed:
        session.may("Read", listed)
        found = duplicates(session.workspace, listed, args)
        return [_list(session, listed, pick, _whole_page(rows)) for rows in found]
    verb, shape = session.workspace.roots[pick.name]
    session.may(_ACTS.get(verb.partition("_")[0], "Update"), shape)
    if verb in _READS:
        return _READS[verb](session, shape, pick, args)
    if verb == "merge":
        return _merge(session, shape, pick, args)
    project = projector(session.workspace, shape, pick.picks)
    result = _WRITES[verb](session, shape, args)
    return [project(row) for row in result] if isinstance(result, list) else project(result)


def _find_many(session: Session, shape: Shape, pick: Pick, args: Args) -> Any:
    terms = read_order(shape, args.get("orderBy"))
    rows = compile_filter(shape, args.get("filter")).rows(session.workspace.table(shape))
    found = page(rows, terms, _window(args))
    session.count("read", shape, len(found.rows))
    return _list(session, shape, pick, found)


def _window(args: Args) -> Window:
    first, last = args.get("first"), args.get("last")
    backwards = last is not None or args.get("before") is not None
    limit = first if first is not None else last if last is not None else DEFAULT_FIRST
    return Window(int(limit), args.get("after"), args.get("before"), backwards)


def _list(session: Session, shape: Shape, pick: Pick, found: Page) -> Any:
    list_rows = connection(session.workspace, shape, pick.picks)
    cursors = [cursor(found.terms, row) for row in found.rows] if wants_cursors(pick.picks) else None
    return list_rows(found.rows, {"totalCount": found.total, "pageInfo": found.info()}, cursors)


def _whole_page(rows: list[Row]) -> Page:
    return Page(rows, len(rows), None, None, False, False, [(("id",), False, True)])


def _find_one(session: Session, shape: Shape, pick: Pick, args: Args) -> Any:
    rows = compile_filter(shape, args.get("filter")).rows(session.workspace.table(shape))
    if not rows:
        raise not_found()
    return projector(session.workspace, shape, pick.picks)(rows[0])


def _merge(session: Session, shape: Shape, pick: Pick, args: Args) -> Any:
    selected = {part.name for part in pick.picks}
    winner, dry_run = args.get("conflictPriorityIndex") or 0, bool(args.get("dryRun"))
    row = merging.merge(session, shape, args["ids"], winner, selected=selected, dry_run=dry_run)
    return projector(session.workspace, shape, pick.picks)(row)


def _create(session: Session, shape: Shape, args: Args, *, many: bool) -> Any:
    data = args.get("data") if many else [args.get("data") or {}]
    rows = records.create_many(session, shape, data, upsert=bool(args.get("upsert")))
    return rows if many else rows[0]


def _id(args: Args) -> str:
    return str(clean_uuid("id", args.get("id")))


_READS: dict[str, Callable[[Session, Shape, Pick, Args], Any]] = {
    "find_many": _find_many,
    "find_one": _find_one,
}
_WRITES: dict[str, Callable[[Session, Shape, Args], Any]] = {
    "create_one": lambda session, shape, args: _create(session, shape, args, many=False),
    "create_many": lambda session, shape, args: _create(session, shape, args, many=True),
    "update_one": lambda session, shape, args: records.update_one(session, shape, _id(args), args["data"]),
    "update_many": lambda session, shape, args: records.update_many(
        session, shape, args.get("filter"), args["data"]
    ),
    "delete_one": lambda session, shape, args: removals.delete_one(session, shape, _id(args)),
    "delete_many": lambda session, shape, args: removals.delete_many(session, shape, args.get("filter")),
    "restore_one": lambda session, shape, args: removals.restore_one(session, shape, _id(args)),
    "restore_many": lambda session, shape, args: removals.restore_many(session, shape, args.get("filter")),
    "destroy_one": lambda session, shape, args: removals.destroy_one(session, shape, _id(args)),
    "destroy_many": lambda session, shape, args: removals.destroy_many(session, shape, args.get("filter")),
}
