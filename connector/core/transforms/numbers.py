"""Functions on numbers, on true and false, and on money. Arithmetic is exact: no float is ever multiplied."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any, Final, TypeGuard

from connector.core.currencies import places
from connector.core.mapping import ValueProblem
from connector.core.transforms.kit import (
    TEXT,
    Argument,
    Example,
    Transform,
    as_text,
    exact,
    is_finite,
    plain_number,
    whole,
)

_BIGGEST_MICROS: Final = 2**53 - 1  # what a JSON number holds exactly in every program it passes
_USUAL: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")
_TRUE: Final = frozenset({"true", "yes", "on", "1"})
_FALSE: Final = frozenset({"false", "no", "off", "0"})
_CODE: Final = 3
_WIDE: Final = Context(prec=60)  # the longest two numbers that are taken, multiplied, without rounding
_A_NUMBER: Final = "a number, like 12 or 12.5"
_AN_AMOUNT: Final = "an amount like 49.00"


def _number(value: Any, _: Any) -> int | float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not is_finite(value):
            raise ValueProblem("a number", value)
        return value
    found = exact(value, _A_NUMBER)
    return None if found is None else float(found) if "." in str(value) else int(found)


def _integer(value: Any, _: Any) -> int | None:
    number = _number(value, None)
    if number is None:
        return None
    if number != int(number):
        raise ValueProblem("a whole number", value)
    return int(number)


def _round(value: Any, digits: int) -> int | float | None:
    found = exact(value, _A_NUMBER)
    if found is None:
        return None
    return plain_number(found.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP))


def _times(value: Any, factor: Decimal) -> int | float | None:
    found = exact(value, _A_NUMBER)
    return None if found is None else plain_number(_WIDE.multiply(found, factor))


def _boolean(value: Any, _: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    text = as_text(value).strip().lower() if isinstance(value, str | int | float) else "?"
    if not text:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise ValueProblem("true or false, yes or no, 1 or 0", value)


def _not(value: Any, _: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueProblem("true or false", value)
    return not value


def _money(value: Any, _: Any) -> dict[str, Any] | None:
    if not isinstance(value, Mapping):
        raise ValueProblem("an amount of money with its currency", value)
    amount, currency = value.get("amount"), value.get("currency")
    if amount is None:
        if "amount" not in value:  # something else than money: taken for none, it would empty the field
            raise ValueProblem("an amount of money with its currency", dict(value))
        return None
    if not _is_code(currency):
        raise ValueProblem("a currency of three letters, like usd", currency)
    if isinstance(amount, str) and _USUAL.fullmatch(amount):  # as the source sends it: a third of the time
        coins, _, cents = amount.partition(".")
        return {"amountMicros": int(coins + cents.ljust(6, "0")), "currencyCode": currency.upper()}
    exactly = exact(amount, _AN_AMOUNT)
    if exactly is None:
        raise ValueProblem(_AN_AMOUNT, amount)
    return _currency(exactly, currency, amount)


def _money_in(value: Any, currency: str) -> dict[str, Any] | None:
    exactly = exact(value, _AN_AMOUNT)
    return None if exactly is None else _currency(exactly, currency, value)


def _cents(value: Any, currency: str) -> dict[str, Any] | None:
    exactly = exact(value, "a whole number of cents, like 4900")
    if exactly is None:
        return None
    if exactly != exactly.to_integral_value():
        raise ValueProblem("a whole number of cents, like 4900", value)
    return _currency(exactly.scaleb(-places(currency)), currency, value)


def _currency(amount: Decimal, currency: str, found: Any) -> dict[str, Any]:
    micros = amount.scaleb(6)
    if micros != micros.to_integral_value():
        raise ValueProblem("an amount with at most six decimals", found)
    if abs(micros) > _BIGGEST_MICROS:
        raise ValueProblem("an amount below nine thousand million", found)
    return {"amountMicros": int(micros), "currencyCode": currency.upper()}


def _is_code(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and len(value) == _CODE and value.isascii() and value.isalpha()


def _read_code(value: Any) -> str:
    if not _is_code(value):
        raise ValueProblem("a currency of three letters, like usd", value)
    return value


def _read_factor(value: Any) -> Decimal:
    factor = exact(value, "a number to multiply by")
    if factor is None:
        raise ValueProblem("a number to multiply by", value)
    return factor


_CURRENCY: Final = {"type": "string", "pattern": "^[A-Za-z]{3}$"}
_USD: Final = {"amountMicros": 49_000_000, "currencyCode": "USD"}
_NUMERIC: Final = TEXT | {"number"}

FUNCTIONS: Final[Mapping[str, Transform]] = {
    "number": Transform(
        _NUMERIC,
        "number",
        _number,
        "Makes a number of text.",
        (Example("12.5", 12.5), Example(" 12 ", 12), Example(3, 3)),
        (Example("1,200", None), Example("many", None)),
    ),
    "integer": Transform(
        _NUMERIC,
        "number",
        _integer,
        "Makes a whole number of a number or of text.",
        (Example("12", 12), Example(12.0, 12)),
        (Example(12.5, None),),
    ),
    "round": Transform(
        _NUMERIC,
        "number",
        _round,
        "Rounds to so many decimals, a half away from zero.",
        (Example(2.345, 2.35, 2), Example("2.5", 3, 0), Example(-2.5, -3, 0)),
        (Example("many", None, 2),),
        whole(0, 9, "a number of decimals from 0 to 9, like {round: 2}"),
    ),
    "times": Transform(
        _NUMERIC,
        "number",
        _times,
        "Multiplies, exactly.",
        (Example(0.07, 7, 100), Example("4999", 49.99, 0.01)),
        (Example("many", None, 100),),
        Argument(
            "a number to multiply by, like {times: 100}",
            _read_factor,
            {"type": ["number", "string"], "pattern": r"^\s*[+-]?[0-9]{1,15}(\.[0-9]{1,12})?\s*$"},
        ),
    ),
    "boolean": Transform(
        TEXT | {"number", "boolean"},
        "boolean",
        _boolean,
        "Makes true or false of text or of 1 and 0.",
        (Example("Yes", True), Example("off", False), Example(1, True), Example(False, False)),
        (Example("perhaps", None), Example(2, None)),
    ),
    "not": Transform(
        frozenset({"boolean"}),
        "boolean",
        _not,
        "Turns true into false and false into true.",
        (Example(True, False), Example(False, True)),
        (Example("yes", None),),
    ),
    "money": Transform(
        frozenset({"money"}),
        "currency",
        _money,
        "Makes an amount of the CRM, exact to the last decimal in every currency.",
        (
            Example({"amount": "49.00", "currency": "usd"}, _USD),
            Example(
                {"amount": "4400", "currency": "jpy"}, {"amountMicros": 4_400_000_000, "currencyCode": "JPY"}
            ),
            Example(
                {"amount": "25.125", "currency": "kwd"}, {"amountMicros": 25_125_000, "currencyCode": "KWD"}
            ),
            Example(
                {"amount": 49.99, "currency": "eur"}, {"amountMicros": 49_990_000, "currencyCode": "EUR"}
            ),
        ),
        (
            Example({"amount": "49.00"}, None),
            Example({"total": "49.00"}, None),
            Example({"amount": "0.0000001", "currency": "usd"}, None),
            Example({"amount": "forty", "currency": "usd"}, None),
        ),
    ),
    "money_in": Transform(
        _NUMERIC,
        "currency",
        _money_in,
        "Makes an amount of the CRM of a number, in the currency that the argument names.",
        (Example("49.00", _USD, "usd"), Example(49, _USD, "usd")),
        (Example("forty", None, "usd"),),
        Argument("a currency of three letters, like {money_in: usd}", _read_code, _CURRENCY),
    ),
    "cents": Transform(
        _NUMERIC,
        "currency",
        _cents,
        "Makes an amount of the CRM of a whole number of the currency's smallest coins.",
        (
            Example(4900, _USD, "usd"),
            Example("4400", {"amountMicros": 4_400_000_000, "currencyCode": "JPY"}, "jpy"),
            Example(25125, {"amountMicros": 25_125_000, "currencyCode": "KWD"}, "kwd"),
        ),
        (Example(49.5, None, "usd"),),
        Argument("a currency of three letters, like {cents: usd}", _read_code, _CURRENCY),
    ),
}
