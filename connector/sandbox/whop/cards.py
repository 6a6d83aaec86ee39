"""How a payment was made: cards, the way the current dialect shows them."""

from typing import Final

from connector.sandbox.whop.values import Record


def last4(bits: int) -> str:
    """The last four digits of a card, by chance."""
    return f"{bits % 10_000:04}"


def instrument(digits: str) -> Record:
    """The card of a payment."""
    return {
        "card": {
            "brand": "visa",
            "exp_month": 4,
            "exp_year": 2029,
            "issuer_identification_number": "424242",
            "last4": digits,
        },
        "display_name": f"Visa •••• {digits}",
        "icons": ICONS,
        "installment_count": None,
        "payment_method_type": "card",
    }


def _icons(shape: str) -> Record:
    base = f"https://assets.example.com/pm/visa-{shape}"
    return {
        shade: {
            "png_1x": f"{base}-{shade}.png",
            "png_2x": f"{base}-{shade}@2x.png",
            "png_4x": f"{base}-{shade}@4x.png",
            "svg": f"{base}-{shade}.svg",
        }
        for shade in ("dark", "light")
    }


ICONS: Final = {shape: _icons(shape) for shape in ("card", "square")}
