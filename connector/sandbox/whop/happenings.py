"""What happens in a company: the records change as Whop changes them, and the webhooks tell it.

Each happening is a function from what it happens to (the id of a member, a membership, a payment, …) to the
events that it causes, in the order in which they come to pass.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from connector.sandbox.whop import bodies, edits, sales_edits
from connector.sandbox.whop.people_records import LAST_ACTIONS
from connector.sandbox.whop.values import DAY, Record, iso, millis, words
from connector.sandbox.whop.world import Shelf, World

_OF: Final = {
    "memberships": "activated deactivated updated trial_ending_soon cancel_at_period_end_changed",
    "members": "created updated",
    "payments": "created succeeded failed pending requires_action authorized canceled",
    "refunds": "created updated",
    "disputes": "created updated",
    "products": "created updated deleted published unpublished",
    "plans": "created updated deleted",
    "accounts": "updated",
}
#: Event → the kind of record that it shows.
EVENTS: Final = {f"{kind[:-1]}.{what}": kind for kind, whats in _OF.items() for what in words(whats)}
_UNSHOWN: Final = {
    "chat.message": "created",
    "dispute_alert": "created",
    "entry": "created approved denied deleted",
    "invoice": "created paid past_due voided marked_uncollectible",
}
#: Every event that a webhook may be registered for: also those of records that are not here.
NAMES: Final = {*EVENTS, *(f"{of}.{what}" for of, whats in _UNSHOWN.items() for what in words(whats))}


class Told(NamedTuple):
    """One event about one record."""

    event: str
    kind: str
    record: Record


Happening = Callable[[World, str, Record], list[Told]]


def _index(world: World, kind: str, name: str) -> int:
    index = world.home.tables[kind].find(name)
    if index is None:
        raise LookupError(f"{kind}: there is no {name}")
    return index


def _get(world: World, kind: str, name: str) -> Record:
    return world.home.tables[kind].get(_index(world, kind, name))


def _set(world: World, kind: str, name: str, **fields: Any) -> Record:
    return edits.change(world, kind, _index(world, kind, name), fields)


def _acted(world: World, member_id: str | None, action: str) -> None:
    if member_id is not None:
        _set(world, "members", member_id, most_recent_action=action, most_recent_action_at=world.stamp())


def join(world: World, name: str, fields: Record) -> list[Told]:
    """Somebody buys a plan (``plan_id``): a new member, or the one of this id; a first payment."""
    told = []
    if not name:
        member = edits.add(world, "members", fields.pop("member", {}))
        told.append(Told("member.created", "members", member))
        name = member["id"]
    bought = edits.add(world, "memberships", {"member_id": name, **fields})
    start = millis(world.stamp())
    days = bought["billing_period_days"]
    end = iso(start + int(days) * DAY) if days else None
    bought = _set(world, "memberships", bought["id"], current_period_start=iso(start), current_period_end=end)
    _set(world, "members", name, access_level="customer")
    _acted(world, name, "paid_subscriber" if days else "paid_once")
    reason = "subscription_create" if days else "one_time"
    paid = sales_edits.payment(world, bought, billing_reason=reason)
    return [
        *told,
        Told("payment.created", "payments", paid),
        Told("payment.succeeded", "payments", paid),
        Told("membership.activated", "memberships", bought),
    ]


def renew(world: World, name: str, fields: Record) -> list[Told]:
    """A period ends well: paid, and the next one begins."""
    bought = _get(world, "memberships", name)
    days = int(bought["billing_period_days"] or 30)
    start = bought["current_period_end"] or world.stamp()
    end = iso(millis(start) + days * DAY)
    fresh = {"status": "active", "current_period_start": start, "current_period_end": end}
    fresh |= {"most_recent_action": "renewing_on", "most_recent_action_at": end}
    bought = _set(world, "memberships", name, **fresh)
    _acted(world, bought["member_id"], "renewing")
    paid = sales_edits.payment(world, bought, billing_reason="subscription_cycle", **fields)
    return [
        Told("payment.created", "payments", paid),
        Told("payment.succeeded", "payments", paid),
        Told("membership.activated", "memberships", bought),
    ]


def pay(world: World, name: str, fields: Record) -> list[Told]:
    """A payment for a membership, which stays as it is."""
    bought = _get(world, "memberships", name)
    paid = sales_edits.payment(world, bought, **{"billing_reason": "manual", **fields})
    return [Told("payment.created", "payments", paid), Told("payment.succeeded", "payments", paid)]


def fail(world: World, name: str, fields: Record) -> list[Told]:
    """A renewal is not paid."""
    bought = _set(world, "memberships", name, status="past_due", most_recent_action="past_due")
    _acted(world, bought["member_id"], LAST_ACTIONS["past_due"])
    paid = sales_edits.failed(world, bought, **fields)
    return [
        Told("payment.created", "payments", paid),
        Told("payment.failed", "payments", paid),
        Told("membership.deactivated", "memberships", bought),
    ]


def cancel(world: World, name: str, fields: Record) -> list[Told]:
    """Access ends now, or with ``at_period_end`` then."""
    at_end = bool(fields.pop("at_period_end", False))
    wanted = {"cancel_at_period_end": at_end, **fields}
    bought = edits.cancel_membership(world, _index(world, "memberships", name), wanted)
    _acted(world, bought["member_id"], "canceling" if at_end else "churned")
    return cancelled(bought)


def cancelled(bought: Record) -> list[Told]:
    """What a cancellation tells."""
    event = "cancel_at_period_end_changed" if bought["cancel_at_period_end"] else "deactivated"
    return [Told(f"membership.{event}", "memberships", bought)]


def uncancel(world: World, name: str, fields: Record) -> list[Told]:
    """Somebody stays after all."""
    index = _index(world, "memberships", name)
    bought = edits.patch_membership(world, index, {"cancel_at_period_end": False})
    return [Told("membership.cancel_at_period_end_changed", "memberships", bought)]


def expire(world: World, name: str, fields: Record) -> list[Told]:
    """A fixed term, or a period without renewal, is over."""
    bought = _set(world, "memberships", name, status="expired", **fields)
    _acted(world, bought["member_id"], "churned")
    return [Told("membership.deactivated", "memberships", bought)]


def refund(world: World, name: str, fields: Record) -> list[Told]:
    """A payment goes back: the whole of it, or ``partial_amount``; ``status`` may be pending or failed."""
    made = sales_edits.refund(world, _get(world, "payments", name), **fields)
    told = [Told("refund.created", "refunds", made)]
    return told if made["status"] == "pending" else [*told, Told("refund.updated", "refunds", made)]


def dispute(world: World, name: str, fields: Record) -> list[Told]:
    """A bank disputes a payment."""
    made = sales_edits.dispute(world, _get(world, "payments", name), **fields)
    return [Told("dispute.created", "disputes", made)]


def decide(world: World, name: str, fields: Record) -> list[Told]:
    """A dispute ends: ``status`` won (by default), lost, …"""
    made = _set(world, "disputes", name, **{"status": "won", "evidence_editable": False, **fields})
    sales_edits.mark_disputed(world, made)
    return [Told("dispute.updated", "disputes", made)]


def _updated(kind: str, event: str) -> Happening:
    def update(world: World, name: str, fields: Record) -> list[Told]:
        return [Told(event, kind, _set(world, kind, name, **fields))]

    return update


HAPPENINGS: Final[dict[str, Happening]] = {
    "join": join,
    "renew": renew,
    "pay": pay,
    "fail": fail,
    "cancel": cancel,
    "uncancel": uncancel,
    "expire": expire,
    "refund": refund,
    "dispute": dispute,
    "decide": decide,
    "change_member": _updated("members", "member.updated"),
    "change_membership": _updated("memberships", "membership.updated"),
    "change_product": _updated("products", "product.updated"),
    "change_plan": _updated("plans", "plan.updated"),
}


def sample(world: World, shelf: Shelf, event: str, dialect: str, message: str) -> Record:
    """A body of this event about some record of the company."""
    kind = EVENTS[event]
    table = shelf.tables[kind]
    index = next(iter(index for index in table.generated() if table.has(index)), None)
    if index is None:
        raise LookupError(f"{kind}: there is none")
    told = bodies.body(
        event, kind, table.get(index), shelf, dialect=dialect, message=message, stamp=world.stamp()
    )
    if told is None:
        raise LookupError(f"{event}: {dialect} has no such event")
    return told
