"""What a value looks like canonically, and how a stored one is read back.

Canonical is what two equal values have in common however Twenty stores them: empty text is None, e-mails
are trimmed and lower case, a phone is its E.164 text, a link has a lower-case host, a readable path and no
slash at its end. What is no such value raises ValueProblem, so that one odd value never spoils a request.

A stored value may be whatever people and other programs put there: reading it never raises, and what
cannot be understood is given as it is, so that it equals nothing of ours.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

import phonenumbers

from connector.core.mapping import ValueProblem
from connector.core.records import iso
from connector.core.transforms.kit import is_finite

EXACT = 2**53
"""Beyond this a JSON number loses digits on its way through Twenty."""

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")
_PHONE = re.compile(r"\+[1-9][0-9]{5,16}")
_PHONE_SIGNS = str.maketrans("", "", " -.()[]/\u00a0\u2009\u202f")
_BARE_LINK = re.compile(r"[^\s/:@.]+(\.[^\s/:@.]+)+([/?#]\S*)?")
_TIDY_LINK = re.compile(r"https?://[a-z0-9-]+(\.[a-z0-9-]+)*(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")
_QUERY_SIGNS = "%/:@!$&'()*+,;=~-._?"


# --- canonical: a value of the source, or of a mapping file


def text(value: Any) -> str | None:
    if not isinstance(value, str):
        raise ValueProblem("text", value)
    return _storable(value) or None


def _storable(value: str) -> str:
    """Without what Postgres cannot store: NUL, and halves of surrogate pairs."""
    if "\x00" in value:
        value = value.replace("\x00", "")
    return value if value.isascii() else value.encode(errors="ignore").decode()


def number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not is_finite(value):
        raise ValueProblem("a number", value)
    if abs(value) > EXACT:
        raise ValueProblem(f"a number up to {EXACT}", value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueProblem("true or false", value)
    return value


def time(value: Any) -> str:
    """The text as it is: it has Twenty's own form, milliseconds in UTC."""
    if not isinstance(value, str) or not _TIME.fullmatch(value) or _moment(value) is None:
        raise ValueProblem("a time in UTC, like 2026-11-20T09:00:00.000Z", value)
    return value


def _moment(value: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def currency(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, Mapping):
        raise ValueProblem("an amount with its currency", value)
    micros, code = value.get("amountMicros"), value.get("currencyCode")
    if micros is None:
        if value and "amountMicros" not in value:
            raise ValueProblem("an amount with its currency", dict(value))
        return None
    if isinstance(micros, bool) or not isinstance(micros, int) or abs(micros) > EXACT:
        raise ValueProblem(f"amountMicros, a whole number up to {EXACT}", micros)
    return {"amountMicros": micros, "currencyCode": None if code is None else text(code)}


def full_name(value: Any) -> dict[str, str] | None:
    if isinstance(value, str):
        value = {"firstName": value}
    if not isinstance(value, Mapping):
        raise ValueProblem("a name", value)
    name = {part: _part(value.get(part)) for part in ("firstName", "lastName")}
    return name if any(name.values()) else None


def _part(value: Any) -> str:
    return "" if value is None else text(value) or ""


def _main_part(value: Any, part: str) -> str:
    """The text of a composite's main part, trimmed; "" for none."""
    found = value.get(part) if isinstance(value, Mapping) else value
    return _part(found).strip()


def emails(value: Any) -> dict[str, str] | None:
    address = _main_part(value, "primaryEmail").lower()
    if address and not _EMAIL.fullmatch(address):
        raise ValueProblem("an e-mail address", value)
    return {"primaryEmail": address} if address else None


def phones(value: Any) -> dict[str, str] | None:
    given = _main_part(value, "primaryPhoneNumber").translate(_PHONE_SIGNS)
    if not given:
        return None
    while (parsed := _parsed_phone(given)) is not None:
        e164 = f"+{parsed.country_code}{national_number(parsed)}"
        if e164 == given:
            return {"primaryPhoneNumber": e164}
        given = e164  # what was left out may uncover more that Twenty would leave out
    raise ValueProblem("a phone number with its country code, like +46701740605", value)


def _parsed_phone(e164: str) -> phonenumbers.PhoneNumber | None:
    """Read by the rules that Twenty reads by: a 0 after the country code is no part of the number."""
    if not _PHONE.fullmatch(e164):
        return None
    try:
        parsed = phonenumbers.parse(e164, None)
    except phonenumbers.NumberParseException:
        return None
    return parsed if phonenumbers.is_possible_number(parsed) else None


def national_number(parsed: phonenumbers.PhoneNumber) -> str:
    return str(phonenumbers.national_significant_number(parsed))


def links(value: Any) -> dict[str, str] | None:
    url = _main_part(value, "primaryLinkUrl")
    return {"primaryLinkUrl": _tidy(url, value)} if url else None


def _tidy(url: str, value: Any) -> str:
    """As Twenty stores it: an address without a scheme stays as it is, the others are tidied."""
    # Most are tidy, and taking one apart costs twenty times as much.
    return url if _TIDY_LINK.fullmatch(url) else _taken_apart(url, value)


def _taken_apart(url: str, value: Any) -> str:
    if "://" not in url.partition("?")[0]:
        if _BARE_LINK.fullmatch(url):
            return url
        raise ValueProblem("a web address", value)
    parts = _split(url)
    if parts is None or any(sign.isspace() for sign in url):
        raise ValueProblem("a web address", value)
    # A path that holds an encoded ? or # reads differently once decoded, so what is decoded is read again.
    decoded = _split(urlunsplit(parts._replace(path=_decoded(parts.path), query="", fragment=""))) or parts
    query = "?".join(part for part in (decoded.query, parts.query) if part)
    fragment = "#".join(part for part in (decoded.fragment, parts.fragment) if part)
    tail = {"query": quote(query, safe=_QUERY_SIGNS), "fragment": quote(fragment, safe=_QUERY_SIGNS)}
    tidy = urlunsplit(decoded._replace(**tail))
    while (shorter := urlunsplit(urlsplit(tidy.rstrip("/")))) != tidy:  # an empty query goes too
        tidy = shorter
    return tidy


def _split(url: str) -> SplitResult | None:
    """The parts, scheme and host in small letters; None for what is no web address."""
    try:
        parts = urlsplit(url)
        default = {"http": 80, "https": 443}.get(parts.scheme)
        host = (parts.hostname or "").lower()
        port = "" if parts.port in (None, default) else f":{parts.port}"
    except ValueError:
        return None
    if default is None or not host:
        return None
    return parts._replace(netloc=f"[{host}]{port}" if ":" in host else f"{host}{port}")


def _decoded(path: str) -> str:
    try:
        plain = _storable(unquote(path, errors="strict"))
    except UnicodeDecodeError:
        return path
    return plain if plain.isprintable() else path


def sent_link(url: str) -> str:
    """What to send so that Twenty, which decodes the path once, stores this very link."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    path, tail = re.fullmatch(r"([^?#]*)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]
    host, slash, path = path.partition("/")
    return f"{scheme}://{host}{slash}{quote(path, safe='/:@!$&()*+,;=~-._')}{tail}"


# --- read back: what is stored


def _odd(value: Any) -> Any:
    """Something of another type than the field has: as it is, unless it is empty."""
    return None if value == [] else value


def stored_number(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT else value


def stored_time(value: Any) -> Any:
    if not isinstance(value, str) or _TIME.fullmatch(value):
        return value
    moment = _moment(value)
    return iso(moment) if moment else value


def stored_currency(value: Any) -> Any:
    if not isinstance(value, dict):
        return _odd(value)
    micros, code = value.get("amountMicros"), value.get("currencyCode")
    if isinstance(micros, str) and micros.lstrip("-").isdecimal():
        micros = int(micros) if len(micros) < 20 else float(micros)
    micros = stored_number(micros)
    return None if micros is None else {"amountMicros": micros, "currencyCode": code or None}


def stored_name(value: Any) -> Any:
    if not isinstance(value, dict):
        return _odd(value)
    name = {"firstName": value.get("firstName") or "", "lastName": value.get("lastName") or ""}
    return name if any(name.values()) else None


def stored_emails(value: Any) -> Any:
    if not isinstance(value, dict):
        return _odd(value)
    address = value.get("primaryEmail")
    return {"primaryEmail": str(address).lower()} if address else None


def stored_phones(value: Any) -> Any:
    if not isinstance(value, dict):
        return _odd(value)
    number_ = str(value.get("primaryPhoneNumber") or "")
    code = "" if number_.startswith("+") else str(value.get("primaryPhoneCallingCode") or "")
    return {"primaryPhoneNumber": f"{code}{number_}"} if number_ else None


def stored_links(value: Any) -> Any:
    if not isinstance(value, dict):
        return _odd(value)
    url = value.get("primaryLinkUrl")
    return {"primaryLinkUrl": str(url)} if url else None


# --- keys and options


def same(value: str) -> str:
    return value


def key_of_phone(e164: str) -> str:
    """Twenty stores the national number by itself; the country is compared when the rows are there."""
    parsed = _parsed_phone(e164)
    return national_number(parsed) if parsed else e164


def select_value(label: str) -> str:
    """The stored value of an option: UPPER_SNAKE of its label, in the letters that Twenty allows.

    Empty for a label without letters or digits. One in another script gets a value of its own.
    """
    latin = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode()
    value = re.sub(r"[^A-Z0-9]+", "_", latin.upper()).strip("_")
    if not value:
        if not any(sign.isalnum() for sign in label):
            return ""
        return f"OPTION_{blake2b(label.encode(errors='replace'), digest_size=4).hexdigest().upper()}"
    return f"OPTION_{value}" if value[0].isdigit() else value
