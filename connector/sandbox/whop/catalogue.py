"""What the company sells: products and their plans, with awkward ones among them.

====  ==========================================================================
  0   four plans: monthly, annual with a trial (EUR), hidden business, free
  1   ``<2026>`` in the title; lifetime, and a 90-day pass in KWD (three decimals)
  2   Japanese title, JPY (no decimals), hidden
  3   archived, plan archived
  4   script tag, quotes and right-to-left text in the title, 10,000-character
      description, a plan without title
 5…   workshops, one-time, USD
====  ==========================================================================
"""

from typing import Final, NamedTuple

LONG_TEXT: Final = "Ein sehr langer Text 📈 & mehr. " * 400


class ProductSpec(NamedTuple):
    """The part of a product that differs from its neighbours."""

    title: str
    route: str
    headline: str | None = None
    description: str | None = None
    visibility: str = "visible"
    labels: tuple[str, ...] = ()
    sku: str | None = None


class PlanSpec(NamedTuple):
    """A plan; prices in minor units, periods in days."""

    product: int
    title: str | None
    price: str
    currency: str = "usd"
    initial: int = 0
    renewal: int = 0
    period: int | None = None
    trial: int | None = None
    expires: int | None = None
    visibility: str = "visible"
    notes: str | None = None

    @property
    def renews(self) -> bool:
        """Whether buyers pay again each period (``plan_type`` renewal)."""
        return self.period is not None

    @property
    def first_price(self) -> int:
        """What a buyer without a trial pays at once."""
        return 0 if self.trial else self.initial + self.renewal


PRODUCTS: Final = [
    ProductSpec(
        "Northwind Signals",
        "northwind-signals",
        "Daily trade ideas & community 📈",
        "Daily ideas, weekly calls.",
        labels=("trading",),
    ),
    ProductSpec(
        "Options Masterclass <2026>", "options-masterclass", "Self-paced course", sku="sku-course-01"
    ),
    ProductSpec("日本語コミュニティ", "nihongo", "日本語サポート", visibility="hidden"),
    ProductSpec("Legacy Chat Room", "legacy-chat", visibility="archived"),
    ProductSpec(
        "<script>alert('title')</script> \"Friends\" & مجموعة",
        "friends",
        "<img src=x onerror=alert(1)>",
        LONG_TEXT[:10_000],
    ),
]

PLANS: Final = [
    PlanSpec(0, "Monthly", "$49 / month", renewal=4900, period=30),
    PlanSpec(0, "Annual (7-day trial)", "€399 / year", "eur", renewal=39900, period=365, trial=7),
    PlanSpec(
        0,
        "Business seat pack",
        "$490 / month",
        renewal=49000,
        period=30,
        visibility="hidden",
        notes="B2B only — invoice on request",
    ),
    PlanSpec(0, "Free preview", "Free", visibility="quick_link"),
    PlanSpec(1, "Lifetime access", "$299", initial=29900),
    PlanSpec(1, "90-day pass", "KWD 25.000", "kwd", initial=25000, expires=90),
    PlanSpec(2, "月額", "¥4,400 / month", "jpy", renewal=4400, period=30),
    PlanSpec(3, "Old chat", "$9 / month", renewal=900, period=30, visibility="archived"),
    PlanSpec(4, None, "€19.90 / month", "eur", renewal=1990, period=30),
]

#: Which plans ordinary buyers choose: an index into this list, by chance.
POPULAR: Final = [0, 0, 0, 0, 0, 1, 1, 3, 4, 4, 4, 6, 6, 8]


class Catalogue:
    """The first ``count`` products of the table above and the plans that belong to them."""

    def __init__(self, count: int, brand: str) -> None:
        self.products = [_branded(product_spec(index), brand) for index in range(count)]
        known = [plan for plan in PLANS if plan.product < count]
        self.plans = known + [workshop(index) for index in range(len(PRODUCTS), count)]
        self._places = {plan: place for place, plan in enumerate(self.plans)}
        listed = [self.place(PLANS[number]) for number in POPULAR] if count else []
        self.popular = listed + [self._places[plan] for plan in self.plans if plan.product >= len(PRODUCTS)]

    def place(self, plan: PlanSpec) -> int:
        """Where this plan stands; a plan of a product that is not sold gives the first."""
        return self._places.get(plan, 0)

    def plans_of(self, product: int) -> list[int]:
        """The places of one product's plans."""
        return [place for place, plan in enumerate(self.plans) if plan.product == product]


def product_spec(index: int) -> ProductSpec:
    """The product at this index, from the table or invented."""
    if index < len(PRODUCTS):
        return PRODUCTS[index]
    return ProductSpec(f"Workshop {index - 4}", f"workshop-{index - 4}", labels=("workshop",))


def _branded(spec: ProductSpec, brand: str) -> ProductSpec:
    """The product under another company's name, so that nobody takes it for the first one's."""
    return spec._replace(
        title=spec.title.replace("Northwind", brand), route=spec.route.replace("northwind", brand.lower())
    )


def workshop(product: int) -> PlanSpec:
    """The one plan of an invented product."""
    return PlanSpec(product, "Ticket", "$99", initial=9900)
