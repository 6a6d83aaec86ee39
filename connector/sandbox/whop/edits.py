"""How records change: by the API's own writes, and by tests."""

from typing import Any, Final

from connector.sandbox.whop import errors
from connector.sandbox.whop import people_records as people
from connector.sandbox.whop.tables import index_of
from connector.sandbox.whop.values import Record, money
from connector.sandbox.whop.world import World

CANCELABLE: Final = ("active", "trialing", "past_due", "canceling")
#: What was bought once and is held for good: there is no period at whose end it could be cancelled, but the
#: access can be ended (a ``canceled`` one of these is what ``…/reactivate`` is for).
BOUGHT_ONCE: Final = "completed"
PATCHABLE: Final = {"metadata", "cancel_at_period_end", "payment_method_id", "billing_period_days"}
CANCEL_FIELDS: Final = {"cancel_at_period_end", "reason", "feedback_option_id"}


def change(world: World, kind: str, index: int, fields: Record) -> Record:
    """Change fields of a record as a test asks; ValueError for a field it has not.

    ``updated_at`` moves where there is one. A member's ``user`` is merged, and
    ``display_name`` follows ``user.name`` unless it is given.
    """
    record = world.home.tables[kind].get(index)
    unknown = [field for field in fields if field not in record or field == "id"]
    if unknown:
        raise ValueError(f"{kind}: expected fields of the record, found {', '.join(unknown)}")
    fresh: Record = {"updated_at": world.stamp()} if "updated_at" in record else {}
    fresh.update(fields)
    if kind == "members" and isinstance(fields.get("user"), dict):
        fresh["user"] = {**(record["user"] or {}), **fields["user"]}
        fresh.setdefault("display_name", fresh["user"]["name"] or fresh["user"]["username"])
    world.change(kind, index, fresh)
    return world.home.tables[kind].get(index)


def remove(world: World, kind: str, index: int) -> None:
    """Take a record away: lists skip it, reading it is a 404."""
    world.change(kind, index, None)


def add(world: World, kind: str, fields: Record) -> Record:
    """Add a record: a plain new one with these fields over it; ValueError for unknown ones."""
    with world.lock:
        table = world.home.tables[kind]
        index = table.next_index()
        record = _template(world, kind, index, fields)
        unknown = [field for field in fields if field not in record or field == "id"]
        if unknown:
            raise ValueError(f"{kind}: expected fields of the record, found {', '.join(unknown)}")
        world.change(kind, index, {**record, **fields})
        return table.get(index)


def _template(world: World, kind: str, index: int, fields: Record) -> Record:
    name = world.home.tables[kind].ids.of(index)
    times = {"created_at": world.stamp(), "updated_at": world.stamp()}
    if kind == "members":
        return _new_member(world, index)
    if kind == "memberships":
        return {**_new_membership(world, fields), **times, "id": name}
    order = world.home.tables[kind].order("created_at")
    if not order:
        raise ValueError(f"{kind}: there is none to copy")
    copied = world.home.tables[kind].get(index_of(order[-1]))
    for live in ("user", "customer_email", "customer_phone", "buyer"):
        copied.pop(live, None) if live not in fields else None
    return {**copied, **times, "id": name}


def _new_member(world: World, index: int) -> Record:
    company, at = world.home.company, world.stamp()
    number = len(world.home.tables["members"].changed) + 1
    name, username = f"New Member {number}", f"newmember{number}"
    user = {
        "id": company.ids["users"].of(index),
        "name": name,
        "username": username,
        "profile_picture": {"url": f"{people.PICTURES}/{username}.png"},
    }
    return {
        "id": company.ids["members"].of(index),
        "account_id": company.id,
        "access_level": "no_access",
        "created_at": at,
        "display_name": name,
        "email": f"new.member{number}@example.com",
        "joined_at": at,
        "last_accessed_at": None,
        "most_recent_action": "joined",
        "most_recent_action_at": at,
        "phone_number": None,
        "status": "joined",
        "token_balance": 0.0,
        "usd_total_spent": money(0, "usd"),
        "user": user,
    }


def _new_membership(world: World, fields: Record) -> Record:
    """A membership on the plan asked for (else the first), of the member asked for (else nobody)."""
    company = world.home.company
    place = company.ids["plans"].index(fields.get("plan_id", "")) or 0
    spec = company.catalogue.plans[place if place < len(company.catalogue.plans) else 0]
    table = world.home.tables["members"]
    index = table.find(fields.get("member_id") or "")
    member = table.get(index) if index is not None else {}
    blank: Record = dict.fromkeys(people.membership(company, 0))
    blank.pop("product")
    return {
        **blank,
        "account": people.storefront(company),
        "billing_period_days": spec.period,
        "cancel_at_period_end": False,
        "collection_method": "charge_automatically" if spec.renews else None,
        "initial_price": money(spec.initial, spec.currency),
        "member_id": member.get("id"),
        "metadata": {},
        "phone_number": member.get("phone_number"),
        "plan_id": company.ids["plans"].of(company.catalogue.place(spec)),
        "product_id": company.ids["products"].of(spec.product),
        "renewal_price": money(spec.renewal, spec.currency) if spec.renews else None,
        "status": "active" if spec.renews else "completed",
        "user_id": (member.get("user") or {}).get("id"),
    }


def patch_membership(world: World, index: int, body: Any) -> Record:
    """PATCH /memberships/{id}: metadata is merged (``{}`` clears), the flag cancels or uncancels."""
    wanted = _body(body, PATCHABLE)
    if "billing_period_days" in wanted and len(wanted) > 1:
        raise errors.bad_param("billing_period_days", "billing_period_days must be sent alone.")
    record = world.home.tables["memberships"].get(index)
    fresh: Record = {}
    if "metadata" in wanted:
        if not isinstance(wanted["metadata"], dict):
            raise errors.bad_param("metadata", "metadata must be an object.")
        fresh["metadata"] = {**record["metadata"], **wanted["metadata"]} if wanted["metadata"] else {}
    if "billing_period_days" in wanted:
        fresh["billing_period_days"] = wanted["billing_period_days"]
    if "cancel_at_period_end" in wanted:
        fresh.update(_leaving(record, world.stamp()) if wanted["cancel_at_period_end"] else _staying(record))
    return change(world, "memberships", index, fresh)


def cancel_membership(world: World, index: int, body: Any) -> Record:
    """POST /memberships/{id}/cancel. An empty body ends the access at once."""
    wanted = _body(body, CANCEL_FIELDS)
    record = world.home.tables["memberships"].get(index)
    at_end = wanted.get("cancel_at_period_end", False)
    if record["status"] not in CANCELABLE and (at_end or record["status"] != BOUGHT_ONCE):
        raise errors.unprocessable("Only active, trialing or past-due memberships can be canceled.")
    fresh = _leaving(record, world.stamp()) if at_end else _ended(record, world.stamp())
    fresh["cancellation_reason"] = wanted.get("reason", record["cancellation_reason"])
    return change(world, "memberships", index, fresh)


def _body(body: Any, known: set[str]) -> Record:
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise errors.bad_param("body", "The request body must be a JSON object.")
    for name in body:
        if name not in known:
            raise errors.unknown_param(name)
    if not isinstance(body.get("cancel_at_period_end", False), bool):
        raise errors.bad_param("cancel_at_period_end", "cancel_at_period_end must be a boolean.")
    return body


def _leaving(record: Record, stamp: str) -> Record:
    trial = record["status"] == "trialing"
    return {
        "status": "canceling",
        "cancel_at_period_end": True,
        "canceled_at": record["canceled_at"] or stamp,
        "most_recent_action": "trial_canceling_on" if trial else "canceling_on",
        "most_recent_action_at": record["current_period_end"],
    }


def _staying(record: Record) -> Record:
    if not record["cancel_at_period_end"]:
        return {}
    return {
        "status": "active",
        "cancel_at_period_end": False,
        "cancel_option": None,
        "canceled_at": None,
        "most_recent_action": "renewing_on",
        "most_recent_action_at": record["current_period_end"],
    }


def _ended(record: Record, stamp: str) -> Record:
    return {
        "status": "canceled",
        "cancel_at_period_end": False,
        "canceled_at": record["canceled_at"] or stamp,
        "renewal_price": None,
        "most_recent_action": "canceled_on",
        "most_recent_action_at": stamp,
    }
