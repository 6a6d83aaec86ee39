"""The functions that a mapping file may name under ``using``: one value in, one value out.

A closed table of pure functions. Each is given a value that is there (empty and unknown ones pass it by)
and the fixed argument of the file, and either gives a value (None for empty) or raises ValueProblem. The
examples in the table are run by the tests and shown in docs/mapping.md.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from connector.core.catalogue import ValueType
from connector.core.mapping import ValueProblem
from connector.core.records import iso


@dataclass(frozen=True, slots=True)
class Argument:
    """The fixed argument of a function: ``read`` checks what the file says, raising ValueProblem."""

    expected: str
    read: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Example:
    """What goes in, what comes out, and the argument where the function has one."""

    given: Any
    gives: Any
    argument: Any = None


@dataclass(frozen=True, slots=True)
class Transform:
    """One function. ``gives`` is a value type, or the CRM type whose very shape it makes."""

    takes: frozenset[ValueType]
    gives: ValueType
    apply: Callable[[Any, Any], Any]
    doc: str
    examples: tuple[Example, ...]
    refuses: tuple[Example, ...] = ()
    argument: Argument | None = None


def as_text(value: Any) -> str:
    """A plain value as text: numbers without a needless ``.0``, ``true`` and ``false``, lists with commas.

    Raises ValueProblem for anything else.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, list | tuple) and not any(isinstance(item, list | tuple) for item in value):
        return ", ".join(as_text(item) for item in value if item is not None)
    raise ValueProblem("text, a number, true or false, or a list of these", value)


_BIGGEST_MICROS: Final = 2**53 - 1  # what a JSON number holds exactly in every program it passes
_EMAIL: Final = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")
_PHONE: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_PHONE_SIGNS: Final = str.maketrans("", "", " -.()[]/\u00a0\u2009\u202f")
_URL: Final = re.compile(r"https?://[^\s/?#]+\S*", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,12})?")
_CURRENCY: Final = re.compile(r"[A-Za-z]{3}")
_TRUE: Final = frozenset({"true", "yes", "on", "1"})
_FALSE: Final = frozenset({"false", "no", "off", "0"})


def _text_of(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueProblem("text", value)
    return value


def _trim(value: Any, _: Any) -> str:
    return _text_of(value).strip()


def _lower(value: Any, _: Any) -> str:
    return _text_of(value).lower()


def _upper(value: Any, _: Any) -> str:
    return _text_of(value).upper()


def _text(value: Any, _: Any) -> str:
    return as_text(value)


def _cut(value: Any, length: int) -> str:
    return _text_of(value)[:length]


def _lookup(value: Any, table: Mapping[str, str]) -> str:
    text = as_text(value)
    return table.get(text, text)


def _full_name(value: Any, _: Any) -> dict[str, str] | None:
    words = _text_of(value).split()
    if not words:
        return None
    return {"firstName": words[0], "lastName": " ".join(words[1:])}


def _email(value: Any, _: Any) -> str | None:
    text = _text_of(value).strip().lower()
    if not text:
        return None
    if len(text) > 254 or not _EMAIL.fullmatch(text):
        raise ValueProblem("an e-mail address", value)
    return text


def _phone(value: Any, _: Any) -> str | None:
    text = _text_of(value).translate(_PHONE_SIGNS)
    if not text:
        return None
    if not _PHONE.fullmatch(text):
        raise ValueProblem("a phone number with its country code, like +46701740605", value)
    return text


def _url(value: Any, _: Any) -> str | None:
    text = _text_of(value).strip()
    if not text:
        return None
    if not _URL.fullmatch(text):
        raise ValueProblem("an address that begins with https:// or http://", value)
    return text


def _number(value: Any, _: Any) -> int | float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise ValueProblem("a number", value)
        return value
    text = value.strip() if isinstance(value, str) else None
    if text == "":
        return None
    if text is None or not _NUMBER.fullmatch(text):
        raise ValueProblem("a number, like 12 or 12.5", value)
    return float(text) if "." in text else int(text)


def _integer(value: Any, _: Any) -> int | None:
    number = _number(value, None)
    if number is None:
        return None
    if number != int(number):
        raise ValueProblem("a whole number", value)
    return int(number)


def _boolean(value: Any, _: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    text = as_text(value).strip().lower() if isinstance(value, str | int | float) else "?"
    if not text:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise ValueProblem("true or false, yes or no, 1 or 0", value)


def _date_time(value: Any, _: Any) -> str | None:
    text = _text_of(value).strip()
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueProblem("a date and time like 2026-11-20T09:00:00Z", value) from None
    return iso(moment)


def _money(value: Any, _: Any) -> dict[str, Any] | None:
    if not isinstance(value, Mapping):
        raise ValueProblem("an amount of money with its currency", value)
    amount, currency = value.get("amount"), value.get("currency")
    if amount is None:
        return None
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
        raise ValueProblem("a currency of three letters, like usd", currency)
    return {"amountMicros": _micros(amount), "currencyCode": currency.upper()}


def _micros(amount: Any) -> int:
    # The text of a float is the shortest that means it: 49.99 gives "49.99", without arithmetic on floats.
    if isinstance(amount, bool) or not isinstance(amount, str | int | float | Decimal):
        raise ValueProblem("an amount like 49.00", amount)
    text = str(amount).strip()
    if not _NUMBER.fullmatch(text):
        raise ValueProblem("an amount like 49.00", amount)
    micros = Decimal(text).scaleb(6)
    if micros != int(micros):
        raise ValueProblem("an amount with at most six decimals", amount)
    if abs(micros) > _BIGGEST_MICROS:
        raise ValueProblem("an amount below nine thousand million", amount)
    return int(micros)


def _read_length(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 100_000:
        raise ValueProblem("a length from 1 to 100000", value)
    return value


def _read_table(value: Any) -> Mapping[str, str]:
    if not isinstance(value, dict) or not value:
        raise ValueProblem("a table of texts, like {US: United States}", value)
    return MappingProxyType({as_text(key): as_text(item) for key, item in value.items()})


_TEXT: Final = frozenset({"text", "id"})
_ANY_PLAIN: Final = frozenset({"text", "id", "time", "number", "boolean"})

TRANSFORMS: Final[Mapping[str, Transform]] = MappingProxyType(
    {
        "trim": Transform(
            _TEXT,
            "text",
            _trim,
            "Takes away white space at both ends.",
            (Example("  Gold Circle ", "Gold Circle"),),
            (Example(12, None),),
        ),
        "lower": Transform(_TEXT, "text", _lower, "Writes in small letters.", (Example("ADA", "ada"),)),
        "upper": Transform(_TEXT, "text", _upper, "Writes in capital letters.", (Example("ada", "ADA"),)),
        "text": Transform(
            _ANY_PLAIN | {"list"},
            "text",
            _text,
            "Makes text of a number, of true or false, or of a list.",
            (
                Example(12, "12"),
                Example(12.5, "12.5"),
                Example(True, "true"),
                Example(["vip", "beta"], "vip, beta"),
            ),
            (Example({"a": 1}, None),),
        ),
        "cut": Transform(
            _TEXT | {"time"},
            "text",
            _cut,
            "Keeps the first characters, as many as the argument says.",
            (Example("Northwind Signals", "Northwind", 9),),
            (Example(12, None, 9),),
            Argument("a length from 1 to 100000, like {cut: 200}", _read_length),
        ),
        "lookup": Transform(
            _ANY_PLAIN - {"time"},
            "text",
            _lookup,
            "Replaces a value by what the table says; one that the table does not list stays.",
            (Example("usd", "US dollar", {"usd": "US dollar"}), Example("sek", "sek", {"usd": "US dollar"})),
            (Example({"a": 1}, None, {"usd": "US dollar"}),),
            Argument("a table of texts, like {lookup: {usd: US dollar}}", _read_table),
        ),
        "full_name": Transform(
            _TEXT,
            "full_name",
            _full_name,
            "Splits a name at its first space; a single word is the first name.",
            (
                Example(" Ada  Bergström Lind", {"firstName": "Ada", "lastName": "Bergström Lind"}),
                Example("Ada", {"firstName": "Ada", "lastName": ""}),
                Example("  ", None),
            ),
            (Example(12, None),),
        ),
        "email": Transform(
            _TEXT,
            "text",
            _email,
            "Trims, writes in small letters, and checks that it is an e-mail address.",
            (Example(" Ada@Example.com ", "ada@example.com"), Example("", None)),
            (Example("ada at example.com", None), Example("a@b, c@d", None)),
        ),
        "phone": Transform(
            _TEXT,
            "text",
            _phone,
            "Takes away spaces, dots, dashes, slashes and brackets, and checks for a country code.",
            (Example("+46 (70) 174-06-05", "+46701740605"), Example(" ", None)),
            (Example("070-174 06 05", None),),
        ),
        "url": Transform(
            _TEXT,
            "text",
            _url,
            "Trims, and checks that it is a web address.",
            (Example(" https://example.com/a ", "https://example.com/a"),),
            (Example("example.com", None), Example("javascript:alert(1)", None)),
        ),
        "number": Transform(
            _TEXT | {"number"},
            "number",
            _number,
            "Makes a number of text.",
            (Example("12.5", 12.5), Example(" 12 ", 12), Example(3, 3)),
            (Example("1,200", None), Example("many", None)),
        ),
        "integer": Transform(
            _TEXT | {"number"},
            "number",
            _integer,
            "Makes a whole number of a number or of text.",
            (Example("12", 12), Example(12.0, 12)),
            (Example(12.5, None),),
        ),
        "boolean": Transform(
            _TEXT | {"number", "boolean"},
            "boolean",
            _boolean,
            "Makes true or false of text or of 1 and 0.",
            (Example("Yes", True), Example("off", False), Example(1, True), Example(False, False)),
            (Example("perhaps", None), Example(2, None)),
        ),
        "date_time": Transform(
            _TEXT | {"time"},
            "time",
            _date_time,
            "Reads a date, or a date and time; without a zone it is UTC.",
            (
                Example("2026-11-20T10:00:00+01:00", "2026-11-20T09:00:00.000Z"),
                Example("2026-11-20", "2026-11-20T00:00:00.000Z"),
            ),
            (Example("20/11/2026", None),),
        ),
        "money": Transform(
            frozenset({"money"}),
            "currency",
            _money,
            "Makes an amount of the CRM, exact to the last decimal in every currency.",
            (
                Example(
                    {"amount": "49.00", "currency": "usd"},
                    {"amountMicros": 49_000_000, "currencyCode": "USD"},
                ),
                Example(
                    {"amount": "4400", "currency": "jpy"},
                    {"amountMicros": 4_400_000_000, "currencyCode": "JPY"},
                ),
                Example(
                    {"amount": "25.125", "currency": "kwd"},
                    {"amountMicros": 25_125_000, "currencyCode": "KWD"},
                ),
                Example(
                    {"amount": 49.99, "currency": "eur"}, {"amountMicros": 49_990_000, "currencyCode": "EUR"}
                ),
            ),
            (
                Example({"amount": "49.00"}, None),
                Example({"amount": "0.0000001", "currency": "usd"}, None),
                Example({"amount": "forty", "currency": "usd"}, None),
            ),
        ),
    }
)
"""Name → function: every word that ``using`` understands."""
