"""The API below ``/api/v1``: who may read what, and the answers.

Routes are made from one table; all lists and all single reads share one road.
"""

from typing import Any, Final

import orjson
from flask import Blueprint, Response, current_app, g, request

from connector.sandbox.whop import errors, legacy, lists
from connector.sandbox.whop import people_records as people
from connector.sandbox.whop.auth import ALL_PERMISSIONS, Credential
from connector.sandbox.whop.market import joined, market
from connector.sandbox.whop.shop_records import SINGLE_ONLY
from connector.sandbox.whop.tables import Table
from connector.sandbox.whop.values import Record
from connector.sandbox.whop.world import Shelf, World

#: The permission each list needs; users are public.
PERMISSIONS: Final = {
    "accounts": "company:basic:read",
    "products": "access_pass:basic:read",
    "plans": "plan:basic:read",
    "members": "member:basic:read",
    "memberships": "member:basic:read",
    "payments": "payment:basic:read",
    "refunds": "payment:basic:read",
    "disputes": "payment:dispute:read",
}
#: Fields that are null without a permission.
HIDDEN: Final = {
    "members": {"email": "member:email:read", "phone_number": "member:phone:read"},
    "memberships": {"phone_number": "member:phone:read"},
    "payments": {
        "customer_email": "member:email:read",
        "customer_phone": "member:phone:read",
        "member_id": "member:basic:read",
        "membership_id": "member:basic:read",
    },
}
#: Fields of a payment that lists leave out.
NULL_IN_LISTS: Final = ("recovery_url", "client_secret", "settlement_time_at")


def answer(body: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(body), status, content_type="application/json")


def caller() -> Credential:
    """The credential of this request."""
    found: Credential = g.caller
    return found


def parts() -> Any:
    """The parts of this app (``app.Parts``)."""
    return current_app.extensions["whop"]


def world() -> World:
    """The world of this app."""
    found: World = parts().world
    return found


def shown(kind: str, record: Record, *, single: bool) -> Record:
    """The record as this caller gets it: without what it may not see."""
    for field, permission in HIDDEN.get(kind, {}).items():
        if permission not in caller().permissions:
            record[field] = None
    if kind == "disputes" and "member:email:read" not in caller().permissions:
        record["buyer"] = {**record["buyer"], "email": None}
    if not single:
        for field in SINGLE_ONLY.get(kind, ()):
            record.pop(field, None)
        if kind == "payments":
            record.update(dict.fromkeys(NULL_IN_LISTS))
    return record


def written(kind: str, record: Record, shelf: Shelf, *, single: bool) -> Record:
    """The record as this caller gets it, in the dialect of the request."""
    seen = shown(kind, record, single=True if g.legacy else single)
    if not g.legacy:
        return seen
    hidden = {
        name
        for name, needed in (("email", "member:email:read"), ("phone", "member:phone:read"))
        if needed not in caller().permissions
    }
    old: Record = _without(legacy.written(kind, seen, shelf, single=single), hidden)
    return old


def _without(value: Any, hidden: set[str]) -> Any:
    """Nulls what may not be seen, at any depth."""
    if isinstance(value, dict):
        return {name: None if name in hidden else _without(inner, hidden) for name, inner in value.items()}
    return value


def companies(name: str | None = None) -> Response:
    """GET /companies and /companies/{id}, which only the old dialect has."""
    if not g.legacy:
        raise errors.not_found("accounts")
    return listing("accounts") if name is None else single("accounts", name)


def listing(kind: str) -> Response:
    """GET /{kind}: one page."""
    if caller().quiet and PERMISSIONS[kind] not in caller().permissions:
        return _nothing()
    caller().need(PERMISSIONS[kind])
    query = lists.parse(kind, request.args.to_dict(flat=False), legacy=g.legacy)
    table, shelf = _accounts() if kind == "accounts" else source(kind)
    if table is None:
        return _nothing()
    selections: lists.Selections = current_app.extensions["whop"].selections
    places = selections.places(query, shelf, table)
    page = lists.page(query, table, places)
    records = [written(kind, record, _shelf_of(kind, record, shelf), single=False) for record in page.records]
    return answer({"data": records, "page_info": page.info})


def paged(rows: list[Record]) -> Response:
    """A page of these rows, whose cursors are their ids."""
    size = min(int(request.args.get("first", lists.PAGE)), lists.MOST)
    after, start = request.args.get("after"), 0
    if after is not None:
        start = next((n + 1 for n, row in enumerate(rows) if row["id"] == after), -1)
        if start < 0:
            raise errors.bad_cursor("after")
    chosen = rows[start : start + size]
    info = {
        "end_cursor": chosen[-1]["id"] if chosen else None,
        "start_cursor": chosen[0]["id"] if chosen else None,
        "has_next_page": start + size < len(rows),
        "has_previous_page": start > 0,
    }
    return answer({"data": chosen, "page_info": info})


def _nothing() -> Response:
    """A page with nothing on it."""
    info: Record = {"end_cursor": None, "start_cursor": None}
    return answer({"data": [], "page_info": {**info, "has_next_page": False, "has_previous_page": False}})


def _shelf_of(kind: str, record: Record, shelf: Shelf) -> Shelf:
    """Whose an account is: a list of them has several companies in it."""
    if kind != "accounts":
        return shelf
    return next(one for one in world().owned if one.company.id == record["id"])


def within_reach() -> list[Shelf]:
    """The companies that the caller acts for; none where its company is not there any more."""
    accounts = caller().accounts or {world().home.company.id}
    return [shelf for shelf in world().owned if shelf.company.id in accounts]


def _accounts() -> tuple[Table, Shelf]:
    """The companies within reach, as one list."""
    shelves = within_reach()
    if len(shelves) == 1:
        return shelves[0].tables["accounts"], shelves[0]
    return joined(shelves, "accounts"), world().home


def source(kind: str) -> tuple[Table | None, Shelf]:
    """Which table the caller means; None when it is somebody else's, which is no error."""
    asked = request.args.get("company_id" if g.legacy else "account_id")
    if asked is None:
        return _unnamed(kind)
    shelf = next((known for known in world().shelves if known.company.id == asked), None)
    if shelf in within_reach():
        return shelf.tables[kind], shelf
    if shelf is not None and kind in ("products", "plans"):
        return market([shelf], kind), shelf
    return None, world().home


def _unnamed(kind: str) -> tuple[Table, Shelf]:
    """What a list without ``account_id`` shows: products to a user are those of the whole marketplace."""
    if kind == "products" and caller().kind == "user":
        return market(list(world().shelves), kind), world().home
    shelves = within_reach()
    if len(shelves) != 1:
        raise errors.bad_param("account_id", "account_id is required: this credential has several accounts.")
    return shelves[0].tables[kind], shelves[0]


def single(kind: str, name: str) -> Response:
    """GET /{kind}/{id}: one record, 404 for foreign ids too."""
    caller().need(PERMISSIONS[kind])
    for shelf in within_reach():
        table = shelf.tables[kind]
        index = table.find(name)
        if index is not None:
            return answer(written(kind, table.get(index), shelf, single=True))
    raise errors.not_found(kind)


def own_account() -> Response:
    """GET /accounts/me: for keys that belong to one account."""
    caller().need("company:basic:read")
    if caller().kind != "account":
        raise errors.foreign_account()
    return answer(world().home.tables["accounts"].get(0))


def one_user(name: str) -> Response:
    """GET /users/{id or username}: the public profile of a member's user."""
    for shelf in within_reach():
        table = shelf.tables["members"]
        index = shelf.company.ids["users"].index(name)
        if index is None:
            index = _by_username(table, name)
        found = people.profile(table.get(index)) if index is not None and table.has(index) else None
        if found is not None:
            return answer(found)
    raise errors.not_found("users")


def _by_username(table: Table, name: str) -> int | None:
    """Generated usernames end in the index of their member."""
    letters = name.rstrip("0123456789")
    guess = int(name[len(letters) :] or -1) if name.isascii() else -1
    for index in (guess, *table.changed):
        if index >= 0 and table.has(index):
            user = table.get(index)["user"]
            if user is not None and user["username"] == name:
                return index
    return None


def permissions() -> Response:
    """GET /permissions: what the credential may do to a resource it may not even see."""
    asked = request.args.get("actions")
    actions = asked.split(",") if asked else list(ALL_PERMISSIONS)
    own = request.args.get("resource_id") in {shelf.company.id for shelf in within_reach()}
    granted = caller().permissions if own else frozenset()
    return answer({"data": [{"action": action, "granted": action in granted} for action in actions]})


def create_blueprint() -> Blueprint:
    """All routes of the API."""
    routes = Blueprint("api", __name__, url_prefix="/api/v1")
    routes.add_url_rule("/accounts/me", "own_account", own_account)
    routes.add_url_rule("/users/<name>", "one_user", one_user)
    routes.add_url_rule("/permissions", "permissions", permissions)
    routes.add_url_rule("/companies", "companies", companies)
    routes.add_url_rule("/companies/<name>", "company", companies)
    for kind in PERMISSIONS:
        routes.add_url_rule(f"/{kind}", f"{kind}_list", listing, defaults={"kind": kind})
        routes.add_url_rule(f"/{kind}/<name>", f"{kind}_one", single, defaults={"kind": kind})
    return routes
