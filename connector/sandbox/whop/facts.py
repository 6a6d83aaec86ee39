"""What happened to one membership: the few numbers all its records are told from.

The membership, its member's spending and last action, its payments and refunds
all come from the same facts, so that they agree with each other. Awkward
memberships sit at these places (number modulo 200; up to the number of members,
membership and member have the same number):

====  ======================================================================
  1   trialing (once older than 7 days: active)   3   lifetime, USD
  5   business buyer, business plan               9   JPY
 29   90-day pass in KWD: completed, later expired
 32   free plan                                  35   archived product
 40   expired          41   past due             42   cancelled, 10,000-letter reason
 43   cancelled, NUL in the reason               44   cancelled, script in the reason
 45   unresolved       46   drafted              47   canceling (at period end)
 48   paused (active, ``most_recent_action`` paused_at)      49   product with script
====  ======================================================================

The last hundredth of the memberships is unclaimed: no member and no user.
"""

from typing import Final, NamedTuple

from connector.sandbox.whop.catalogue import LONG_TEXT, PLANS, Catalogue, PlanSpec
from connector.sandbox.whop.ids import mix
from connector.sandbox.whop.values import DAY

MONTHLY, ANNUAL, BUSINESS, FREE, LIFETIME, PASS, JAPAN, OLD, FRIENDS = PLANS

PERIOD: Final = 200
PLACES: Final[dict[int, tuple[PlanSpec, str]]] = {
    1: (ANNUAL, "trialing"),
    3: (LIFETIME, "active"),
    5: (BUSINESS, "active"),
    9: (JAPAN, "active"),
    29: (PASS, "active"),
    32: (FREE, "active"),
    35: (OLD, "active"),
    40: (MONTHLY, "expired"),
    41: (MONTHLY, "past_due"),
    42: (MONTHLY, "canceled"),
    43: (MONTHLY, "canceled"),
    44: (MONTHLY, "canceled"),
    45: (MONTHLY, "unresolved"),
    46: (MONTHLY, "drafted"),
    47: (MONTHLY, "canceling"),
    48: (MONTHLY, "paused"),
    49: (FRIENDS, "active"),
}
REASONS: Final = {
    42: LONG_TEXT[:10_000],
    43: "NUL\x00 in the reason",
    44: "Zu teuer <script>alert(1)</script> & zu wenig Zeit 😕",
}
#: The fate of an ordinary membership, by chance.
FATES: Final = ["active"] * 14 + ["canceled"] * 3 + ["expired", "past_due", "canceling"]
#: Statuses that open the door (section 3 of the API notes).
ACCESS: Final = frozenset({"active", "trialing", "past_due", "completed", "canceling"})


class Facts(NamedTuple):
    """Times in milliseconds; ``owner`` is the member's index, None when unclaimed."""

    number: int
    owner: int | None
    plan: PlanSpec
    status: str
    created: int
    start: int | None = None
    end: int | None = None
    canceled: int | None = None
    touched: int = 0
    paused: bool = False


def facts(
    start: int, number: int, owner: int | None, created: int, now: int, catalogue: Catalogue, *, gone: bool
) -> Facts:
    """The facts of a membership; ``gone`` says its owner has left, so it has ended."""
    bits = mix(start, number)
    plan, fate = _choice(bits, number, owner, catalogue)
    begun = Facts(number, owner, plan, "completed", created, touched=created + 4000)
    if gone:
        fate = "canceled"
    if fate == "drafted":
        return begun._replace(status="drafted")
    if plan.renews:
        return _renewing(begun, fate, bits, now)
    return _once(begun, fate, bits, now)


def _choice(bits: int, number: int, owner: int | None, catalogue: Catalogue) -> tuple[PlanSpec, str]:
    place = number % PERIOD
    if owner is not None and place in PLACES:
        plan, fate = PLACES[place]
        return catalogue.plans[catalogue.place(plan)], fate
    plan = catalogue.plans[catalogue.popular[bits % len(catalogue.popular)]]
    if owner is None:
        return catalogue.plans[catalogue.place(LIFETIME)], "active"
    return plan, FATES[(bits >> 20) % len(FATES)]


def _once(begun: Facts, fate: str, bits: int, now: int) -> Facts:
    """One payment: for ever, or until a pass runs out. Of the fates only cancelling applies."""
    if begun.plan.expires is not None:
        end = begun.created + begun.plan.expires * DAY
        begun = begun._replace(start=begun.created, end=end, status="expired" if end <= now else "completed")
    if fate == "canceled":
        moment = _between(begun.created, min(now, begun.end or now), bits)
        return begun._replace(status="canceled", canceled=moment, touched=moment)
    return begun


def _renewing(begun: Facts, fate: str, bits: int, now: int) -> Facts:
    """A subscription: which period it is in, or in which it ended."""
    length = (begun.plan.period or 30) * DAY
    billed = begun.created + (begun.plan.trial or 0) * DAY
    if now < billed:
        return _on_trial(begun, fate, billed, bits, now)
    past = (now - billed) // length
    if fate in ("canceled", "expired"):
        return _ended(begun, fate, billed, length, past, bits, now)
    if fate == "past_due" and past:
        start = billed + (past - 1) * length
        touched = min(now, start + length + 3 * DAY)
        return begun._replace(status="past_due", start=start, end=start + length, touched=touched)
    start = billed + past * length
    running = begun._replace(
        status="active", start=start, end=start + length, touched=min(now, start + 39_000)
    )
    return _running(running, fate, bits, now)


def _running(running: Facts, fate: str, bits: int, now: int) -> Facts:
    moment = _between(running.start or 0, now, bits)
    if fate == "canceling":
        return running._replace(status="canceling", canceled=moment, touched=moment)
    if fate == "unresolved":
        return running._replace(status="unresolved", touched=moment)
    if fate == "paused":
        return running._replace(paused=True, touched=moment)
    return running


def _on_trial(begun: Facts, fate: str, end: int, bits: int, now: int) -> Facts:
    trial = begun._replace(status="trialing", start=begun.created, end=end)
    if fate in ("canceled", "expired"):
        moment = _between(begun.created, now, bits)
        return trial._replace(status="canceled", canceled=moment, touched=moment)
    return trial


def _ended(begun: Facts, fate: str, billed: int, length: int, past: int, bits: int, now: int) -> Facts:
    """Ended with one of its past periods; a young one was cancelled on the spot."""
    period = (bits >> 30) % past if past else 0
    start = billed + period * length
    end = start + length
    moment = _between(start, min(now, end), bits)
    if fate == "expired" and past:
        return begun._replace(status="expired", start=start, end=end, touched=end)
    touched = end if end <= now else moment
    return begun._replace(status="canceled", start=start, end=end, canceled=moment, touched=touched)


def _between(low: int, high: int, bits: int) -> int:
    """A moment inside the stretch, on a whole second unless the stretch is shorter."""
    moment = low + (high - low) * ((bits >> 8) % 800 + 100) // 1000
    return max(low, moment // 1000 * 1000)


def paid_cycles(told: Facts) -> int:
    """How often a subscription's price was due and paid or tried, up to its current period."""
    if not told.plan.renews or told.start is None:
        return 0
    first = told.created + (told.plan.trial or 0) * DAY
    if told.start < first:
        return 0
    return (told.start - first) // ((told.plan.period or 30) * DAY) + 1


def paid_total(told: Facts) -> int:
    """All that was paid, in minor units: the sum of the paid ``charges``, without listing them."""
    if told.status == "drafted":
        return 0
    cycles = paid_cycles(told) - (told.status == "unresolved")
    return told.plan.renewal * cycles + (0 if told.plan.renews else told.plan.initial)


class Charge(NamedTuple):
    """One thing to pay: the n-th of its membership, in minor units."""

    nth: int
    at: int
    minor: int
    state: str


def charges(told: Facts) -> list[Charge]:
    """Everything this membership was charged up to now, oldest first (never over 16)."""
    if told.status == "drafted":
        return []
    if not told.plan.renews:
        return [Charge(0, told.created, told.plan.initial, "paid")]
    trial = [Charge(0, told.created, 0, "paid")] if told.plan.trial else []
    return trial + _cycles(told, len(trial))


def _cycles(told: Facts, skip: int) -> list[Charge]:
    length = (told.plan.period or 30) * DAY
    first = told.created + (told.plan.trial or 0) * DAY
    count = paid_cycles(told)
    paid = [Charge(nth + skip, first + nth * length, told.plan.renewal, "paid") for nth in range(count)]
    if told.status == "past_due" and told.end is not None:
        paid.append(Charge(count + skip, told.end, told.plan.renewal, "open"))
    if told.status == "unresolved" and paid:
        paid[-1] = paid[-1]._replace(state="unresolved")
    return paid
