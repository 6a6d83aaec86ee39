"""E-mails, phones and links as Twenty stores them (recordings 200, 208, 800-811, 843-848, 991, 995, 1027)."""

import re
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson
import phonenumbers

from connector.sandbox.twenty.refusals import Refusal, bad_data, coded
from connector.sandbox.twenty.shape import Column
from connector.sandbox.twenty.show import check_text, show

_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")
_HOST = re.compile(r"[^\s/.]+(\.[^\s/.]+)+|localhost(:\d+)?")
_ORIGIN = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")


def clean_emails(column: Column, value: Any) -> Any:
    """The primary is always written (unsent empties it), the additional ones only when sent (995, 1027)."""
    parts: dict[str, Any] = {"primaryEmail": _email(f"{column.name}.primaryEmail", value.get("primaryEmail"))}
    if "additionalEmails" in value:
        name = f"{column.name}.additionalEmails"
        parts["additionalEmails"] = [_email(name, each) for each in as_list(value["additionalEmails"])]
    return parts


def _email(name: str, value: Any) -> str:
    if value in (None, ""):
        return ""
    if not isinstance(value, str) or not _EMAIL.fullmatch(value):
        text = f'Invalid string value {show(value)} for email field "{name}"'
        raise bad_data(text, f'Invalid value: "{show(value)}"')
    return check_text(name, value).lower()


def as_list(value: Any) -> list[Any]:
    """A list, null, or JSON text of a list; other text fails as JSON does in JavaScript (807)."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            text = f"Unexpected token '{value[:1]}', \"{value}\" is not valid JSON"
            raise Refusal(text, error="SyntaxError", gql="INTERNAL_SERVER_ERROR") from None
    return value if isinstance(value, list) else []


def clean_phones(column: Column, value: Any) -> Any:
    """All parts are written, so unsent ones are lost; a number is split into national number and codes."""
    number = check_text(f"{column.name}.primaryPhoneNumber", value.get("primaryPhoneNumber"))
    country = check_text(column.name, value.get("primaryPhoneCountryCode"))
    calling = check_text(column.name, value.get("primaryPhoneCallingCode"))
    if number:
        number, country, calling = _split(number, country, calling)
    extra = [_extra(column, phone) for phone in as_list(value.get("additionalPhones"))]
    return {
        "primaryPhoneNumber": number,
        "primaryPhoneCountryCode": country,
        "primaryPhoneCallingCode": calling,
        "additionalPhones": extra,
    }


def _extra(column: Column, phone: Any) -> dict[str, str]:
    if not isinstance(phone, dict):
        raise bad_data(f'Invalid object value {show(phone)} for field "{column.name}.additionalPhones"')
    number, country, calling = _split(
        str(phone.get("number") or ""), phone.get("countryCode") or "", phone.get("callingCode") or ""
    )
    return {"number": number, "countryCode": country, "callingCode": calling}


@lru_cache(65536)
def _split(number: str, country: str, calling: str) -> tuple[str, str, str]:
    region, code = _parse(number, country, calling)
    found = phonenumbers.region_code_for_number(region) or ""
    if country and found and country != found:
        raise coded("Provided and inferred country code are conflicting", "CONFLICTING_PHONE_COUNTRY_CODE")
    if calling and calling.lstrip("+") != code:
        raise coded("Provided and inferred calling code are conflicting", "CONFLICTING_PHONE_CALLING_CODE")
    national = phonenumbers.national_significant_number(region)
    return national, country or found, calling or f"+{code}"


def _parse(number: str, country: str, calling: str) -> tuple[phonenumbers.PhoneNumber, str]:
    """National numbers need a country or calling code; without one they are invalid (808, 809)."""
    text = number
    if not country and calling and not number.startswith("+"):
        text = f"+{calling.lstrip('+')}{number}"
    try:
        parsed = phonenumbers.parse(text, country or None)
        if phonenumbers.is_possible_number(parsed):
            return parsed, str(parsed.country_code)
    except phonenumbers.NumberParseException:
        pass
    raise coded(f"Provided phone number is invalid {number}", "INVALID_PHONE_NUMBER")


def clean_links(column: Column, value: Any) -> Any:
    """All parts are written; without a primary the first secondary is promoted, or all is empty (1027)."""
    links = [
        _link(column, each.get("url"), each.get("label")) for each in as_list(value.get("secondaryLinks"))
    ]
    links = [link for link in links if link["url"]]
    primary = _link(column, value.get("primaryLinkUrl"), value.get("primaryLinkLabel"))
    if not primary["url"]:
        primary = links.pop(0) if links else {"url": "", "label": ""}
    return {"primaryLinkLabel": primary["label"], "primaryLinkUrl": primary["url"], "secondaryLinks": links}


def _link(column: Column, url: Any, label: Any) -> dict[str, str]:
    text = check_text(column.name, url)
    if text and not _is_url(text):
        raise coded("The URL of the link is not valid", "INVALID_URL")
    return {"url": _tidy(text), "label": check_text(column.name, label)}


def _is_url(text: str) -> bool:
    rest = _ORIGIN.sub("", text, count=1)
    return " " not in text and _HOST.match(re.split(r"[/?#]", rest, maxsplit=1)[0]) is not None


def _tidy(url: str) -> str:
    """Lower-case scheme and host, drop the trailing slash; text without a scheme stays as sent (843, 844)."""
    if not _ORIGIN.match(url):
        return url
    parts = urlsplit(url)
    tail = unquote(parts.path) + (f"?{parts.query}" if parts.query else "")
    tail += f"#{parts.fragment}" if parts.fragment else ""
    return f"{parts.scheme}://{parts.netloc.lower()}{tail}".removesuffix("/")
