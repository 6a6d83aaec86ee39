"""The filters and orders of the lists in the dialect of 2025-01-01 (section 4 of the API notes)."""

from typing import Final

from connector.sandbox.whop.filters import FILTERS, ORDERS, Filter, nothing, same, seek_owned, within
from connector.sandbox.whop.values import Record, millis
from connector.sandbox.whop.world import Shelf

#: Lists that must name their company.
NEED_COMPANY: Final = ("products", "plans", "disputes")


def _paid_for(record: Record, values: set[str], shelf: Shelf) -> bool:
    """``include_free``: payments of nothing are shown too."""
    return "true" in values or float(record["total"]["amount"]) > 0


def _updated_after(record: Record, values: set[str], shelf: Shelf) -> bool:
    return millis(record["updated_at"]) > max(map(millis, values))


def _updated_before(record: Record, values: set[str], shelf: Shelf) -> bool:
    return millis(record["updated_at"]) < min(map(millis, values))


FILTERS_THEN: Final[dict[str, dict[str, Filter]]] = {
    **FILTERS,
    "members": {name: known for name, known in FILTERS["members"].items() if name != "status"}
    | {"statuses": Filter(same("status"), many=True, allowed=("joined", "left", "drafted"))},
    "memberships": {
        "statuses": Filter(same("status"), many=True),
        "product_ids": Filter(same("product_id"), many=True),
        "plan_ids": Filter(same("plan_id"), many=True),
        "user_ids": Filter(same("user_id"), many=True, seek=seek_owned("users")),
        "promo_code_ids": Filter(nothing, many=True),
        "cancel_options": Filter(same("cancel_option"), many=True),
    },
    "payments": {
        "statuses": Filter(same("status"), many=True),
        "substatuses": Filter(same("substatus"), many=True),
        "billing_reasons": Filter(same("billing_reason"), many=True),
        "currencies": Filter(same("currency"), many=True),
        "product_ids": Filter(same("product_id"), many=True),
        "plan_ids": Filter(same("plan_id"), many=True),
        "user_ids": Filter(within("user", "id"), many=True),
        "include_free": Filter(_paid_for, allowed=("true", "false")),
        "updated_after": Filter(_updated_after),
        "updated_before": Filter(_updated_before),
    },
}
ORDERS_THEN: Final[dict[str, tuple[str, ...]]] = {
    **ORDERS,
    "members": ("created_at", "joined_at", "id", "usd_total_spent", "most_recent_action"),
    "memberships": ("created_at", "id", "status", "canceled_at"),
    "payments": ("created_at", "paid_at", "total"),
}
