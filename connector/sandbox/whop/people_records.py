"""Members, users and memberships as the current dialect (2026-10-15-1) writes them."""

from typing import Final

from connector.sandbox.whop.company import Company
from connector.sandbox.whop.facts import ACCESS, PERIOD, REASONS, Facts, paid_total
from connector.sandbox.whop.ids import mix
from connector.sandbox.whop.people import Person
from connector.sandbox.whop.values import DAY, Record, in_cents, iso, iso_or_none, money, taxed, words

PICTURES: Final = "https://assets.example.com/avatars"
CANCEL_OPTIONS: Final = [
    "too_expensive",
    "switching",
    "missing_features",
    "unused",
    "other",
    "bad_experience",
]
#: What a member's newest membership says about the member.
LAST_ACTIONS: Final = {
    "trialing": "trialing",
    "past_due": "past_due",
    "canceled": "churned",
    "expired": "churned",
    "unresolved": "past_due",
    "drafted": "joined",
    "canceling": "canceling",
}


def user_summary(company: Company, member: int) -> Record | None:
    """The user inside a member or a payment; None for a business or a deleted user."""
    who = company.person(member)
    if who.username is None:
        return None
    return {
        "id": company.ids["users"].of(member),
        "name": who.name,
        "username": who.username,
        "profile_picture": {"url": f"{PICTURES}/{who.username}.png"},
    }


def member(company: Company, index: int) -> Record:
    """One Member. Its last action and its spending follow from its memberships."""
    who = company.person(index)
    owned = [company.facts(number) for number in company.owned(index)]
    joined = company.joined(index)
    joined_at = iso(joined)
    action, at = last_action(who, joined, owned, company.now)
    return {
        "id": company.ids["members"].of(index),
        "account_id": company.id,
        "access_level": _access(who, owned),
        "created_at": joined_at,
        "display_name": who.display_name,
        "email": who.email,
        "joined_at": joined_at,
        "last_accessed_at": iso_or_none(last_seen(company, index)),
        "most_recent_action": action,
        "most_recent_action_at": iso(at),
        "phone_number": who.phone,
        "status": "left" if who.left else "joined",
        "token_balance": 0.0,
        "usd_total_spent": money(_spent(owned), "usd"),
        "user": user_summary(company, index),
    }


def _access(who: Person, owned: list[Facts]) -> str:
    if who.admin:
        return "admin"
    return "customer" if any(told.status in ACCESS for told in owned) else "no_access"


def last_action(who: Person, joined: int, owned: list[Facts], now: int) -> tuple[str, int]:
    """The member's last action and when; unlike a membership's it is never in the future."""
    newest = max(owned, key=lambda told: told.touched, default=None)
    touched = max(joined, newest.touched if newest else joined)
    if who.left:
        return "left", min(now, touched + DAY)
    if newest is None:
        return "joined", joined
    return _told(newest), min(now, touched)


def _told(newest: Facts) -> str:
    if newest.paused:
        return "paused"
    if newest.status == "completed":
        return "expiring" if newest.end is not None else "paid_once"
    if newest.status == "active":
        return "renewing" if newest.number % 2 else "paid_subscriber"
    return LAST_ACTIONS[newest.status]


def last_seen(company: Company, index: int) -> int | None:
    """When the member last opened the company, None for those never seen."""
    if not company.person(index).seen:
        return None
    joined = company.joined(index)
    return joined + (company.now - joined) * (company.payment_bits(index) % 1000) // 1000


def spent(company: Company, index: int) -> int:
    """All the member paid, in US cents; refunds are not taken off."""
    return _spent([company.facts(number) for number in company.owned(index)])


def _spent(owned: list[Facts]) -> int:
    return sum(_worth(paid_total(told), told.plan.currency) for told in owned)


def _worth(minor: int, currency: str) -> int:
    return in_cents(taxed(minor, currency)[2], currency)


PROFILE_NULLS: Final = words(
    "balance balance_history banner bio cards earnings_usd email level total_usd trading "
    "whop_partner_enabled_at whop_partner_onboarded_accounts_count whop_partner_verified_at"
)


def profile(of_member: Record) -> Record | None:
    """The User behind ``/users/{id}`` of a Member; the e-mail is never shown there."""
    if of_member["user"] is None:
        return None
    return {
        **dict.fromkeys(PROFILE_NULLS),
        **of_member["user"],
        "balances": [],
        "created_at": of_member["created_at"],
        "social_links": [],
        "verification": {"individual": None, "business": None},
    }


def membership(company: Company, number: int) -> Record:
    """One Membership; ``product`` is filled in by the shop, which knows today's title."""
    told = company.facts(number)
    who = company.person(told.owner) if told.owner is not None else None
    name = company.ids["memberships"].of(number)
    action, at = membership_action(told, company.now)
    ended = told.status in ("canceled", "expired")
    return {
        "account": storefront(company),
        "affiliate": None,
        "billing_period_days": told.plan.period,
        "cancel_at_period_end": told.status == "canceling",
        "cancel_option": _option(told),
        "canceled_at": iso_or_none(told.canceled),
        "cancellation_reason": REASONS.get(number % PERIOD) if told.canceled else None,
        "collection_method": "charge_automatically" if told.plan.renews else None,
        "created_at": iso(told.created),
        "current_period_end": iso_or_none(told.end),
        "current_period_start": iso_or_none(told.start),
        "expires_at": iso_or_none(told.end if told.plan.expires else None),
        "feedback_option": None,
        "id": name,
        "initial_price": money(told.plan.initial, told.plan.currency),
        "license_key": _license(told),
        "manage_url": f"https://whop.com/billing/manage/{name}" if who else None,
        "member": None,
        "member_id": company.ids["members"].of(told.owner) if told.owner is not None else None,
        "metadata": {"crm_owner": "julia"} if number % 25 == 0 else {},
        "most_recent_action": action,
        "most_recent_action_at": iso_or_none(at),
        "phone_number": who.phone if who else None,
        "plan_id": company.ids["plans"].of(company.catalogue.place(told.plan)),
        "product": None,
        "product_id": company.ids["products"].of(told.plan.product),
        "promo_code_id": None,
        "renewal_price": _renewal(told, ended=ended),
        "split_pay_current_payments": None,
        "split_pay_required_payments": None,
        "status": told.status,
        "updated_at": iso(told.touched),
        "user_id": _user_id(company, told, who),
    }


def storefront(company: Company) -> Record:
    """The account inside a membership."""
    return {
        "id": company.id,
        "title": company.identity.title,
        "route": company.identity.route,
        "logo_url": f"https://assets.example.com/logos/{company.identity.route}.png",
    }


def _user_id(company: Company, told: Facts, who: Person | None) -> str | None:
    if told.owner is None or who is None or who.username is None:
        return None
    return company.ids["users"].of(told.owner)


def _renewal(told: Facts, *, ended: bool) -> Record | None:
    if ended or not told.plan.renews:
        return None
    return money(told.plan.renewal, told.plan.currency)


def _option(told: Facts) -> str | None:
    if told.canceled is None:
        return None
    return CANCEL_OPTIONS[told.number % len(CANCEL_OPTIONS)]


def _license(told: Facts) -> str | None:
    if told.number % 10:
        return None
    letters = f"{mix(7, told.number):016X}"
    return f"NWTC-{letters[:4]}-{letters[4:8]}-{letters[8:12]}"


def membership_action(told: Facts, now: int) -> tuple[str | None, int | None]:
    """The last action of a membership, whose time often lies in the future."""
    if told.paused:
        return "paused_at", told.touched
    if told.status in ("drafted", "completed"):
        return ("ending_on", told.end) if told.end is not None else (None, None)
    if told.status in ("canceled", "expired"):
        return "canceled_on", told.touched if told.status == "canceled" else told.end
    if told.status == "past_due":
        return "next_payment_attempt", now + 3 * DAY
    if told.status == "unresolved":
        return "unresolved_at", told.touched
    actions = {"trialing": "trial_ends_at", "canceling": "canceling_on"}
    return actions.get(told.status, "renewing_on"), told.end
