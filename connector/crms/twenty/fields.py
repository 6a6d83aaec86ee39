"""Twenty's field types: what a value looks like canonically, in an answer, and in a request.

Canonical is what two equal values have in common however Twenty stores them: empty text is None, e-mails
are lower case, a phone is its E.164 text, a link has a lower-case host and no trailing slash. Composites
keep only the parts we may own; ``as_input`` joins them with the parts that are not ours, because Twenty
empties what is left out of e-mails, phones and links.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from connector.core.catalogue import CrmCatalogue, CrmObject, CrmType
from connector.core.mapping import ValueProblem

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

Raw = Any
"""A value as Twenty's API gives it."""


def _text(value: Any) -> str | None:
    if not isinstance(value, str):
        raise ValueProblem("text", value)
    return value.replace("\x00", "") or None


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueProblem("a number", value)
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueProblem("true or false", value)
    return value


def _time(value: Any) -> str:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueProblem("a time in UTC", value)
    return value


def _currency(value: Any) -> dict[str, Any] | None:
    micros, code = value.get("amountMicros"), value.get("currencyCode")
    return None if micros is None else {"amountMicros": int(micros), "currencyCode": code or None}


def _full_name(value: Any) -> dict[str, str] | None:
    if isinstance(value, str):
        value = {"firstName": value, "lastName": ""}
    name = {part: (value.get(part) or "").replace("\x00", "") for part in ("firstName", "lastName")}
    return name if any(name.values()) else None


def _email(value: Any) -> dict[str, str] | None:
    address = value.get("primaryEmail") if isinstance(value, Mapping) else _text(value)
    return {"primaryEmail": address.lower()} if address else None


def _phone(value: Any) -> dict[str, str] | None:
    if isinstance(value, Mapping):
        number = value.get("primaryPhoneNumber") or ""
        code = "" if number.startswith("+") else (value.get("primaryPhoneCallingCode") or "")
        value = f"{code}{number}"
    return {"primaryPhoneNumber": value} if value else None


def _link(value: Any) -> dict[str, str] | None:
    url = value.get("primaryLinkUrl") if isinstance(value, Mapping) else _text(value)
    if not url:
        return None
    parts = urlsplit(url)
    path = parts.path.rstrip("/") if not (parts.query or parts.fragment) else parts.path
    return {"primaryLinkUrl": urlunsplit(parts._replace(netloc=parts.netloc.lower(), path=path))}


@dataclass(frozen=True, slots=True)
class TwentyType:
    """One of our type words in Twenty's terms. ``parts`` are the sub-fields to select of a composite."""

    name: str
    canonical: Callable[[Any], Any]
    accepts: frozenset[str]
    parts: tuple[str, ...] = ()


def _type(name: str, canonical: Callable[[Any], Any], accepts: str, *parts: str) -> TwentyType:
    return TwentyType(name, canonical, frozenset(accepts.split()), parts)


TYPES: Mapping[str, TwentyType] = {
    "text": _type("TEXT", _text, "text id time"),
    "number": _type("NUMBER", _number, "number"),
    "boolean": _type("BOOLEAN", _boolean, "boolean"),
    "date_time": _type("DATE_TIME", _time, "time"),
    "select": _type("SELECT", _text, "text id"),
    "currency": _type("CURRENCY", _currency, "currency", "amountMicros", "currencyCode"),
    "full_name": _type("FULL_NAME", _full_name, "full_name text", "firstName", "lastName"),
    "emails": _type("EMAILS", _email, "text", "primaryEmail", "additionalEmails"),
    "phones": _type(
        "PHONES",
        _phone,
        "text",
        "primaryPhoneNumber",
        "primaryPhoneCountryCode",
        "primaryPhoneCallingCode",
        "additionalPhones",
    ),
    "links": _type("LINKS", _link, "text", "primaryLinkUrl", "primaryLinkLabel", "secondaryLinks"),
    "relation": _type("RELATION", _text, "id"),
}


def canonical(type_: str, raw: Raw) -> Any:
    """A value of an answer in canonical form; what a person typed in an odd way is never an error."""
    if raw is None or raw == "":
        return None
    try:
        return TYPES[type_].canonical(raw)
    except ValueProblem:
        return raw


def selection(type_: str, name: str) -> str:
    """How a query asks for this field."""
    if type_ == "relation":
        return f"{name}Id"
    parts = TYPES[type_].parts
    return f"{name}{{{' '.join(parts)}}}" if parts else name


def answer_key(type_: str, name: str) -> str:
    """The name under which a row of an answer carries this field."""
    return f"{name}Id" if type_ == "relation" else name


def as_input(type_: str, name: str, value: Any, raw: Mapping[str, Any]) -> tuple[str, Any]:
    """Name and value for a create or an update; ``raw`` is the row as it is, empty for a create."""
    make = _WHOLE.get(type_)
    if make is not None:
        return name, make(value or {}, raw.get(name) or {})
    return answer_key(type_, name), value


def _whole_emails(value: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "primaryEmail": value.get("primaryEmail", ""),
        "additionalEmails": now.get("additionalEmails") or [],
    }


def _whole_phones(value: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    # The number alone, in E.164: the server derives country and calling code from it, and refuses a
    # pair that does not fit.
    return {
        "primaryPhoneNumber": value.get("primaryPhoneNumber", ""),
        "additionalPhones": now.get("additionalPhones") or [],
    }


def _whole_links(value: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "primaryLinkUrl": value.get("primaryLinkUrl", ""),
        "primaryLinkLabel": now.get("primaryLinkLabel") or "",
        "secondaryLinks": now.get("secondaryLinks") or [],
    }


def _whole_name(value: Mapping[str, Any], _now: Mapping[str, Any]) -> dict[str, Any]:
    return {"firstName": value.get("firstName", ""), "lastName": value.get("lastName", "")}


def _whole_currency(value: Mapping[str, Any], _now: Mapping[str, Any]) -> dict[str, Any]:
    return {"amountMicros": value.get("amountMicros"), "currencyCode": value.get("currencyCode")}


_WHOLE: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any]]] = {
    "emails": _whole_emails,
    "phones": _whole_phones,
    "links": _whole_links,
    "full_name": _whole_name,
    "currency": _whole_currency,
}


def select_value(label: str) -> str:
    """The stored value of an option: UPPER_SNAKE of its label."""
    return re.sub(r"[^A-Z0-9]+", "_", label.upper()).strip("_")


_PERSON = {
    "name": "full_name",
    "emails": "emails",
    "phones": "phones",
    "linkedinLink": "links",
    "jobTitle": "text",
    "company": "relation",
}
_OPPORTUNITY = {
    "name": "text",
    "amount": "currency",
    "closeDate": "date_time",
    "stage": "select",
    "company": "relation",
    "pointOfContact": "relation",
    "owner": "relation",
}
_COMPANY = {"name": "text", "domainName": "links"}

# packages/twenty-shared/src/metadata/constants of version 2.19: the names a custom field may not have.
_RESERVED = (
    "id createdAt updatedAt deletedAt createdBy updatedBy position searchVector field fields type object "
    "objects event events plan plans user users role roles link links currency address search job jobs "
    "workspace workspaces"
)

CATALOGUE = CrmCatalogue(
    types={name: CrmType(type_.canonical, type_.accepts) for name, type_ in TYPES.items()},
    objects={
        "person": CrmObject("people", _PERSON, {"company": "company"}),
        "company": CrmObject("companies", _COMPANY),
        "opportunity": CrmObject(
            "opportunities",
            _OPPORTUNITY,
            {"company": "company", "pointOfContact": "person", "owner": "workspaceMember"},
        ),
    },
    reserved=frozenset(_RESERVED.split()),
    select_value=select_value,
)
