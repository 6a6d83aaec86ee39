"""The account, its products and its plans as the current dialect writes them.

The list items of products and plans lack some fields of the single objects
(``SINGLE_ONLY``), as in the reference.
"""

from typing import Final

from connector.sandbox.whop.company import Company
from connector.sandbox.whop.values import DAY, Record, iso, money, number, words

SINGLE_ONLY: Final = {
    "products": words(
        "custom_cta custom_cta_url custom_statement_descriptor global_affiliate_percentage "
        "global_affiliate_status marketplace_status member_affiliate_percentage member_affiliate_status "
        "owner_user product_tax_code variants"
    ),
    "plans": ["collect_tax", "deletable", "effective_payment_method_configuration", "tax_type"],
}
ACCOUNT_NULLS: Final = words(
    "ads_spend_usd banner_image_url business_address cancellation_policy capabilities cards "
    "direct_reports_count eula financing level opengraph_image_url opengraph_image_variant "
    "other_business_description other_industry_description parent_account partner payment_controls "
    "privacy_policy product_tax_code recommended_actions required_actions return_policy "
    "shipping_policy status_reason target_audience terms_of_service three_ds_level total_earned_usd "
    "total_usd trading volume_l30d_usd volume_usd wallet whop_partner_enabled_at"
)
ACCOUNT_LISTS: Final = words(
    "balances home_preferences platform_credits rewards social_links tax_collection_enabled_states "
    "tax_identifiers"
)
ACCOUNT_FALSE: Final = words(
    "can_transfer_pending_balance_to_children collect_vat_id dispute_fighter_enabled "
    "economic_intelligence orchestration_enabled require_2fa show_user_directory"
)
ACCOUNT_TRUE: Final = words(
    "send_customer_emails show_joined_whops show_reviews_dtc use_logo_as_opengraph_image_fallback"
)


def account(company: Company) -> Record:
    """The Account of ``/accounts/me``."""
    username = company.identity.owner[1]
    return {
        **dict.fromkeys(ACCOUNT_NULLS),
        **{field: [] for field in ACCOUNT_LISTS},
        **dict.fromkeys(ACCOUNT_FALSE, False),
        **dict.fromkeys(ACCOUNT_TRUE, True),
        "business_name": f"{company.identity.title} AB",
        "business_type": "education",
        "company_formation": {},
        "country": "SE",
        "created_at": iso(company.opened()),
        "description": "Trading education & community.",
        "email": f"{username}@{company.identity.route}.example",
        "id": company.id,
        "industry_type": "trading",
        "invoice_prefix": "NW",
        "logo_url": f"https://assets.example.com/logos/{company.identity.route}.png",
        "metadata": {},
        "onboarding_type": "seller",
        "owner": {**owner_user(company), "profile_picture": {"url": owner_picture(company)}},
        "route": company.identity.route,
        "status": "active",
        "store_page_config": {"whop_affiliate_link": True},
        "tax_remitted_by": "whop",
        "tax_type": "exclusive",
        "title": company.identity.title,
        "verification": {"individual": {"status": "approved"}, "business": None},
        "website": f"https://{company.identity.route}.example",
    }


def owner_picture(company: Company) -> str:
    """Where the picture of the owner is."""
    return f"https://assets.example.com/avatars/{company.identity.owner[1]}.png"


def owner_user(company: Company) -> Record:
    """Who runs the company; no member of it."""
    name, username = company.identity.owner
    return {"id": company.owner_id, "name": name, "username": username}


def product(company: Company, index: int, buyers: int) -> Record:
    """One Product; ``buyers`` is its member_count."""
    spec = company.catalogue.products[index]
    made = company.opened(index)
    plans = company.catalogue.plans_of(index)
    shown = spec.visibility != "archived" and plans
    return {
        "id": company.ids["products"].of(index),
        "account": {
            "id": company.id,
            "title": company.identity.title,
            "route": company.identity.route,
        },
        "average_review_rating": 4.8 if index % 2 == 0 else 0.0,
        "created_at": iso(made),
        "default_plan": _public_plan(company, plans[0]) if shown else None,
        "description": spec.description,
        "external_identifier": spec.sku,
        "gallery_images": [],
        "headline": spec.headline,
        "labels": list(spec.labels),
        "member_count": buyers,
        "metadata": {"crm_segment": "core"} if index == 0 else {},
        "published_reviews_count": 31 if index == 0 else 0,
        "route": spec.route,
        "title": spec.title,
        "updated_at": iso(made + 10 * DAY),
        "variant_attributes": None,
        "verified": False,
        "visibility": spec.visibility,
        "custom_cta": "join",
        "custom_cta_url": None,
        "custom_statement_descriptor": None,
        "global_affiliate_percentage": 30.0 if index == 0 else None,
        "global_affiliate_status": "enabled" if index == 0 else "disabled",
        "marketplace_status": "live_marketplace" if spec.visibility == "visible" else "not_available",
        "member_affiliate_percentage": None,
        "member_affiliate_status": "disabled",
        "owner_user": owner_user(company),
        "product_tax_code": {
            "id": "ptc_SaaSGeneral01",
            "name": "Digital services",
            "product_type": "digital",
        },
        "variants": None,
    }


def _public_plan(company: Company, place: int) -> Record:
    plan = company.catalogue.plans[place]
    return {
        "billing_period": plan.period,
        "expiration_days": plan.expires,
        "id": company.ids["plans"].of(place),
        "initial_price": money(plan.initial, plan.currency),
        "plan_type": "renewal" if plan.renews else "one_time",
        "renewal_price": money(plan.renewal, plan.currency),
        "title": plan.title,
        "unlimited_stock": plan.price != "Free",
        "visibility": plan.visibility,
    }


PLAN_NULLS: Final = words(
    "attributes cancel_discount_intervals cancel_discount_percentage checkout_styling description "
    "image invoice payment_method_configuration sku split_pay_required_payments "
    "strike_through_initial_price strike_through_renewal_price three_ds_level "
    "effective_payment_method_configuration"
)


def plan(company: Company, place: int, buyers: int) -> Record:
    """One Plan. Its prices are JSON numbers even in the current dialect."""
    spec = company.catalogue.plans[place]
    name = company.ids["plans"].of(place)
    made = company.opened(spec.product) + 300_000 + place * 1000
    return {
        **dict.fromkeys(PLAN_NULLS),
        "account": {"id": company.id, "title": company.identity.title},
        "adaptive_pricing_enabled": False,
        "billing_period": spec.period,
        "created_at": iso(made),
        "currency": spec.currency,
        "custom_fields": [],
        "expiration_days": spec.expires,
        "formatted_price": spec.price,
        "id": name,
        "initial_price": number(spec.initial, spec.currency),
        "initial_price_due": money(spec.first_price, spec.currency),
        "internal_notes": spec.notes,
        "member_count": buyers,
        "metadata": {},
        "offer_cancel_discount": False,
        "plan_type": "renewal" if spec.renews else "one_time",
        "product": {
            "id": company.ids["products"].of(spec.product),
            "title": company.catalogue.products[spec.product].title,
        },
        "purchase_url": f"https://whop.com/checkout/{name}",
        "release_method": "buy_now",
        "renewal_price": number(spec.renewal, spec.currency),
        "stock": 0 if spec.price == "Free" else None,
        "title": spec.title,
        "trial_period_days": spec.trial,
        "unlimited_stock": spec.price != "Free",
        "updated_at": iso(made + 5 * DAY),
        "visibility": spec.visibility,
        "collect_tax": True,
        "deletable": False,
        "tax_type": "exclusive",
    }
