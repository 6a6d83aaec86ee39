"""Twenty's field types: how each is asked for, compared and sent, and the objects that every Twenty has.

Twenty empties what is left out of e-mails, phones and links, so ``as_change`` sends them whole, with the
parts that are not ours as they are. One thing it does cannot be helped: where a person keeps further links
beside the one we empty, Twenty moves the first of them up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from connector.core.catalogue import CrmCatalogue, CrmObject, CrmType
from connector.crms.twenty import values
from connector.crms.twenty.values import select_value

Raw = Any
"""A value as Twenty's API gives it."""


@dataclass(frozen=True, slots=True)
class TwentyType:
    """One of our type words in Twenty's terms.

    ``read`` takes a stored value, ``send`` a canonical one and the stored one beside it ({} for a new
    record); without them the value is as it is. ``key`` is what a look-up by this field asks for.
    ``parts`` are a composite's sub-fields, ``further`` the one that holds more keys than the first.
    """

    name: str
    accepts: frozenset[str]
    canonical: Callable[[Any], Any]
    read: Callable[[Raw], Any] | None = None
    send: Callable[[Any, Mapping[str, Any]], Raw] | None = None
    key: Callable[[str], str] = values.same
    parts: tuple[str, ...] = ()
    further: str | None = None


def _listed(now: Mapping[str, Any], part: str) -> list[Any]:
    """A part of a stored value; what is no list is nothing that could be kept."""
    found = now.get(part)
    return found if isinstance(found, list) else []


def _send_emails(value: Any, now: Mapping[str, Any]) -> Raw:
    further = (value or {}).get("additionalEmails", _listed(now, "additionalEmails"))
    first = value["primaryEmail"] if value else ""
    return {"primaryEmail": first, "additionalEmails": [one for one in further if one != first]}


def _send_phones(value: Any, now: Mapping[str, Any]) -> Raw:
    # The number alone, in E.164: the server derives country and calling code from it, and refuses a
    # pair that does not fit.
    return {
        "primaryPhoneNumber": value["primaryPhoneNumber"] if value else "",
        "additionalPhones": _listed(now, "additionalPhones"),
    }


def _send_links(value: Any, now: Mapping[str, Any]) -> Raw:
    return {
        "primaryLinkUrl": values.sent_link(value["primaryLinkUrl"]) if value else "",
        "primaryLinkLabel": (now.get("primaryLinkLabel") or "") if value else "",
        "secondaryLinks": _listed(now, "secondaryLinks"),
    }


def _send_name(value: Any, _now: Mapping[str, Any]) -> Raw:
    return value or {"firstName": "", "lastName": ""}


def _send_currency(value: Any, _now: Mapping[str, Any]) -> Raw:
    return value or {"amountMicros": None, "currencyCode": None}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TYPES: Mapping[str, TwentyType] = {
    "text": TwentyType("TEXT", _words("text id time"), values.text),
    "number": TwentyType("NUMBER", _words("number"), values.number, values.stored_number),
    "boolean": TwentyType("BOOLEAN", _words("boolean"), values.boolean),
    "date_time": TwentyType("DATE_TIME", _words("time"), values.time, values.stored_time),
    "select": TwentyType("SELECT", _words("text id"), values.text),
    "currency": TwentyType(
        "CURRENCY",
        _words("currency"),
        values.currency,
        values.stored_currency,
        _send_currency,
        parts=("amountMicros", "currencyCode"),
    ),
    "full_name": TwentyType(
        "FULL_NAME",
        _words("full_name text"),
        values.full_name,
        values.stored_name,
        _send_name,
        parts=("firstName", "lastName"),
    ),
    "emails": TwentyType(
        "EMAILS",
        _words("text"),
        values.emails,
        values.stored_emails,
        _send_emails,
        parts=("primaryEmail", "additionalEmails"),
        further="additionalEmails",
    ),
    "phones": TwentyType(
        "PHONES",
        _words("text"),
        values.phones,
        values.stored_phones,
        _send_phones,
        key=values.key_of_phone,
        parts=(
            "primaryPhoneNumber",
            "primaryPhoneCountryCode",
            "primaryPhoneCallingCode",
            "additionalPhones",
        ),
    ),
    "links": TwentyType(
        "LINKS",
        _words("text"),
        values.links,
        values.stored_links,
        _send_links,
        parts=("primaryLinkUrl", "primaryLinkLabel", "secondaryLinks"),
    ),
    "relation": TwentyType("RELATION", _words("id"), values.text),
}


def read_back(type_: str, raw: Raw) -> Any:
    """A stored value in canonical form; never raises, whatever is stored."""
    if not raw and not is_said(raw):
        return None
    read = TYPES[type_].read
    return read(raw) if read else raw


def is_said(raw: Raw) -> bool:
    """Whether a value that Python takes for false says something: 0 and false do, nothing and "" do not."""
    return isinstance(raw, (int, float))


def further(raw: Raw, part: str) -> tuple[str, ...]:
    """The further keys of a stored value, as they are looked up; what is no text is none."""
    listed = raw.get(part) if isinstance(raw, dict) else None
    if not isinstance(listed, list):
        return ()
    return tuple(one.strip().lower() for one in listed if isinstance(one, str) and one.strip())


def selection(type_: str, name: str) -> str:
    """How a query asks for this field."""
    parts = TYPES[type_].parts
    return f"{name}{{{' '.join(parts)}}}" if parts else answer_key(type_, name)


def answer_key(type_: str, name: str) -> str:
    """The name under which a row of an answer carries this field, and a request sends it."""
    return f"{name}Id" if type_ == "relation" else name


def as_change(type_: str, value: Any, now: Raw) -> Raw:
    """What to send for a canonical value; ``now`` is what the row holds, None for a new record."""
    send = TYPES[type_].send
    if send is None:
        return value
    return send(value, now if isinstance(now, dict) else {})


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

# packages/twenty-shared/src/metadata/constants of version 2.19: the names that an object or a custom
# field may not have, and those that every object has already.
_RESERVED = (
    "id createdAt updatedAt deletedAt createdBy updatedBy position searchVector timelineActivities "
    "attachments noteTargets taskTargets currency currencies fullName fullNames address addresses search "
    "connect disconnect aggregate indices"
)
_RESERVED_PAIRS = (
    "approvedAccessDomain appToken billingCustomer billingEntitlement billingMeter billingPrice "
    "billingProduct billingSubscription billingSubscriptionItem featureFlag keyValuePair postgresCredential "
    "twoFactorMethod user userWorkspace workspace role roleTarget view viewField viewFilter viewGroup "
    "viewSort plan event field link type object relation application job file actor index"
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
    reserved=_words(_RESERVED) | {f"{name}{end}" for name in _RESERVED_PAIRS.split() for end in ("", "s")},
    select_value=select_value,
)
