"""The filters of the lists, from section 3's table of the API notes.

A filter tests a record against the values asked for. Some also ``seek``: they
name the generated records that can match, so that fetching 50 members by their
user ids does not read 100,000.
"""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from connector.sandbox.whop.company import CHARGES
from connector.sandbox.whop.facts import ACCESS
from connector.sandbox.whop.values import Record
from connector.sandbox.whop.world import Shelf

Test = Callable[[Record, set[str], Shelf], bool]
Seek = Callable[[Iterable[str], Shelf], list[int]]


class Filter(NamedTuple):
    """``many``: the key may be repeated. ``allowed``: other values are a 400."""

    test: Test
    many: bool = False
    allowed: tuple[str, ...] | None = None
    seek: Seek | None = None


def same(field: str) -> Test:
    """The field is one of the values."""
    return lambda record, values, shelf: record.get(field) in values


def within(outer: str, inner: str) -> Test:
    """The field of an embedded object is one of the values."""
    return lambda record, values, shelf: (record.get(outer) or {}).get(inner) in values


def anything(record: Record, values: set[str], shelf: Shelf) -> bool:
    """A filter that the data of the sandbox never rules out."""
    return True


def nothing(record: Record, values: set[str], shelf: Shelf) -> bool:
    """A filter by something the sandbox has none of, such as promo codes."""
    return False


def text_in(*fields: str) -> Test:
    """One of the fields contains the text, whatever the case."""

    def test(record: Record, values: set[str], shelf: Shelf) -> bool:
        (wanted,) = values
        return any(wanted.lower() in str(record.get(field) or "").lower() for field in fields)

    return test


def member_query(record: Record, values: set[str], shelf: Shelf) -> bool:
    """Part of the name or username, or the whole e-mail."""
    (wanted,) = (value.lower() for value in values)
    user = record["user"] or {}
    names = (record["display_name"], user.get("name"), user.get("username"))
    return (record["email"] or "").lower() == wanted or any(wanted in (name or "").lower() for name in names)


def labelled(record: Record, values: set[str], shelf: Shelf) -> bool:
    """One of the labels is asked for."""
    return not values.isdisjoint(record["labels"])


def memberships_of(record: Record, shelf: Shelf) -> list[Record]:
    """The memberships of a Member, as they are today."""
    table = shelf.tables["memberships"]
    index = shelf.company.ids["members"].index(record["id"])
    generated = shelf.company.owned(index) if index is not None else []
    every = {number for number in generated if table.has(number)} | table.changed.keys()
    return [found for found in map(table.get, every) if found["member_id"] == record["id"]]


def holds(field: str) -> Test:
    """Some membership of the member has the value."""
    return lambda record, values, shelf: any(held[field] in values for held in memberships_of(record, shelf))


def holds_access(record: Record, values: set[str], shelf: Shelf) -> bool:
    """``active``: some membership opens the door; ``inactive``: none does."""
    opened = any(held["status"] in ACCESS for held in memberships_of(record, shelf))
    return ("active" if opened else "inactive") in values


def buckets(record: Record) -> set[str]:
    """The list filters' names for a membership's state: not the same as its status."""
    leaving = record["cancel_at_period_end"]
    found = {"canceling"} if leaving else {record["status"]}
    if record["most_recent_action"] == "paused_at":
        found.add("paused")
    if record["most_recent_action"] == "ending_on":
        found.add("expiring")
    if record["billing_period_days"] is None:
        found.add("one_time")
    if record["member_id"] is None:
        found.add("unclaimed")
    return found


def in_bucket(record: Record, values: set[str], shelf: Shelf) -> bool:
    """The membership is in one of the buckets."""
    return not values.isdisjoint(buckets(record))


def seek_members(names: Iterable[str], shelf: Shelf, kind: str) -> list[int]:
    """The members with these ids (of kind ``members`` or ``users``)."""
    indexes = (shelf.company.ids[kind].index(name) for name in names)
    return [index for index in indexes if index is not None and index < shelf.company.members]


def seek_owned(kind: str) -> Seek:
    """The memberships of the members or users with these ids."""

    def seek(names: Iterable[str], shelf: Shelf) -> list[int]:
        members = seek_members(names, shelf, kind)
        return [number for member in members for number in shelf.company.owned(member)]

    return seek


def seek_paid(kind: str) -> Seek:
    """The payments of the members or users with these ids."""
    owned = seek_owned(kind)
    return lambda names, shelf: [paid for number in owned(names, shelf) for paid in shelf.payments_of(number)]


def seek_membership_payments(names: Iterable[str], shelf: Shelf) -> list[int]:
    """The payments of the memberships with these ids."""
    indexes = (shelf.company.ids["memberships"].index(name) for name in names)
    return [paid for index in indexes if index is not None for paid in shelf.payments_of(index)]


def seek_refunds(names: Iterable[str], shelf: Shelf) -> list[int]:
    """The refunds of the payments with these ids: they share their index."""
    indexes = (shelf.company.ids["payments"].index(name) for name in names)
    most = shelf.company.memberships * CHARGES
    return [index for index in indexes if index is not None and index < most]


def refund_user(record: Record, values: set[str], shelf: Shelf) -> bool:
    """The payment of the refund is by one of these users."""
    payments = shelf.tables["payments"]
    index = payments.find(record["payment_id"])
    return index is not None and within("user", "id")(payments.get(index), values, shelf)


STATUSES: Final = (
    "active",
    "trialing",
    "past_due",
    "completed",
    "canceled",
    "expired",
    "canceling",
    "paused",
    "expiring",
    "one_time",
    "unclaimed",
    "banned",
)
PAYMENT_STATUSES: Final = ("open", "authorized", "paid", "pending", "uncollectible", "unresolved", "void")
REASONS: Final = (
    "subscription_create",
    "subscription_cycle",
    "subscription_update",
    "one_time",
    "manual",
    "subscription",
)

FILTERS: Final[dict[str, dict[str, Filter]]] = {
    "accounts": {
        "status": Filter(same("status"), allowed=("active", "suspended")),
        "query": Filter(text_in("title", "route")),
        "parent_account_id": Filter(nothing),
        "owner_id": Filter(within("owner", "id")),
        "volume_min": Filter(anything),
        "volume_max": Filter(anything),
    },
    "products": {
        "query": Filter(text_in("title", "headline", "route")),
        "visibilities": Filter(same("visibility"), many=True),
        "labels": Filter(labelled, many=True),
        "plan_types": Filter(within("default_plan", "plan_type"), many=True),
        "access_pass_types": Filter(anything, many=True),
        "marketplace_category_route": Filter(anything),
        "price_minimum": Filter(anything),
        "price_maximum": Filter(anything),
    },
    "plans": {
        "visibilities": Filter(same("visibility"), many=True),
        "plan_types": Filter(same("plan_type"), many=True),
        "product_ids": Filter(within("product", "id"), many=True),
        "release_methods": Filter(same("release_method"), many=True),
    },
    "members": {
        "status": Filter(same("status"), allowed=("joined", "left")),
        "access_level": Filter(same("access_level"), allowed=("no_access", "admin", "customer")),
        "user_ids": Filter(
            within("user", "id"), many=True, seek=lambda names, shelf: seek_members(names, shelf, "users")
        ),
        "most_recent_actions": Filter(same("most_recent_action"), many=True),
        "membership_status": Filter(holds_access, allowed=("active", "inactive")),
        "product_ids": Filter(holds("product_id"), many=True),
        "plan_ids": Filter(holds("plan_id"), many=True),
        "promo_code_ids": Filter(nothing, many=True),
        "query": Filter(member_query),
    },
    "memberships": {
        "user_id": Filter(same("user_id"), seek=seek_owned("users")),
        "member_id": Filter(same("member_id"), seek=seek_owned("members")),
        "status": Filter(in_bucket, allowed=STATUSES),
        "statuses": Filter(in_bucket, many=True, allowed=STATUSES),
        "product_id": Filter(same("product_id")),
        "product_ids": Filter(same("product_id"), many=True),
        "plan_id": Filter(same("plan_id")),
        "plan_ids": Filter(same("plan_id"), many=True),
        "promo_code_ids": Filter(nothing, many=True),
    },
    "payments": {
        "mode": Filter(anything, allowed=("account_sales", "user_sales")),
        "status": Filter(same("status"), allowed=PAYMENT_STATUSES),
        "billing_reason": Filter(same("billing_reason"), allowed=REASONS),
        "currency": Filter(same("currency")),
        "user_id": Filter(within("user", "id"), seek=seek_paid("users")),
        "member_id": Filter(same("member_id"), seek=seek_paid("members")),
        "membership_id": Filter(same("membership_id"), seek=seek_membership_payments),
        "product_id": Filter(same("product_id")),
        "plan_id": Filter(same("plan_id")),
        "query": Filter(text_in("id", "customer_email")),
    },
    "refunds": {
        "payment_id": Filter(same("payment_id"), seek=seek_refunds),
        "user_id": Filter(refund_user, seek=seek_paid("users")),
    },
    "disputes": {
        "status": Filter(same("status"), many=True),
        "currency": Filter(same("currency")),
    },
}
ORDERS: Final[dict[str, tuple[str, ...]]] = {
    "accounts": ("created_at", "volume"),
    "products": ("created_at",),
    "plans": ("created_at", "id", "active_members_count", "internal_notes", "expiration_days"),
    "members": ("created_at", "joined_at", "last_accessed_at", "most_recent_action_at", "usd_total_spent"),
    "memberships": ("created_at",),
    "payments": ("created_at", "paid_at"),
    "refunds": ("created_at",),
    "disputes": ("created_at", "amount", "evidence_due_at"),
}
#: Orders whose name is not that of the field they sort by.
ORDER_FIELDS: Final = {"active_members_count": "member_count", "volume": "volume_usd"}
