"""Functions on names, e-mail addresses, phone numbers and web addresses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import phonenumbers

from connector.core.mapping import ValueProblem
from connector.core.transforms.kit import TEXT, Argument, Example, Transform, text_of

_EMAIL: Final = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")
_LONGEST_EMAIL: Final = 254
_PHONE: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_PHONE_SIGNS: Final = str.maketrans("", "", " -.()[]/\u00a0\u2009\u202f")
_URL: Final = re.compile(r"https?://[^\s/?#]+\S*", re.IGNORECASE)
_BARE: Final = re.compile(r"[^\s/:@.?#]+(\.[^\s/:@.?#]+)+([/?#]\S*)?")

# Where anybody can have an address: the part after the @ says nothing about a company.
_FREE_MAIL: Final = """
    gmail.com googlemail.com outlook.com outlook.de outlook.fr hotmail.com hotmail.co.uk hotmail.de
    hotmail.fr hotmail.it hotmail.es live.com live.co.uk live.fr live.nl live.se msn.com yahoo.com
    yahoo.co.uk yahoo.co.jp yahoo.co.in yahoo.de yahoo.fr yahoo.es yahoo.it yahoo.ca yahoo.com.br ymail.com
    rocketmail.com aol.com icloud.com me.com mac.com proton.me protonmail.com pm.me tutanota.com tuta.io
    gmx.com gmx.de gmx.net gmx.at gmx.ch web.de t-online.de freenet.de posteo.de mailbox.org mail.com
    email.com zoho.com yandex.com yandex.ru mail.ru inbox.ru bk.ru qq.com 163.com 126.com foxmail.com
    sina.com naver.com daum.net hanmail.net orange.fr wanadoo.fr free.fr laposte.net sfr.fr libero.it
    virgilio.it tiscali.it alice.it uol.com.br bol.com.br terra.com.br rediffmail.com seznam.cz wp.pl o2.pl
    onet.pl interia.pl abv.bg telia.com bredband.net comcast.net verizon.net att.net sbcglobal.net
    bellsouth.net cox.net btinternet.com sky.com ntlworld.com fastmail.com hey.com duck.com
    privaterelay.appleid.com
"""
_ANYBODYS: Final = frozenset(_FREE_MAIL.split())


def _full_name(value: Any, _: Any) -> dict[str, str] | None:
    words = text_of(value).split()
    if not words:
        return None
    return {"firstName": words[0], "lastName": " ".join(words[1:])}


def _email(value: Any, _: Any) -> str | None:
    text = text_of(value).strip().lower()
    if not text:
        return None
    if len(text) > _LONGEST_EMAIL or not _EMAIL.fullmatch(text):
        raise ValueProblem("an e-mail address", value)
    return text


def _email_domain(value: Any, _: Any) -> str | None:
    address = _email(value, None)
    return address.partition("@")[2] if address else None


def _company_domain(value: Any, _: Any) -> str | None:
    domain = _email_domain(value, None)
    return None if domain in _ANYBODYS else domain


def _phone(value: Any, _: Any) -> str | None:
    text = text_of(value).translate(_PHONE_SIGNS)
    if not text:
        return None
    if not _PHONE.fullmatch(text):
        raise ValueProblem("a phone number with its country code, like +46701740605", value)
    return text


def _phone_in(value: Any, country: str) -> str | None:
    text = text_of(value).translate(_PHONE_SIGNS)
    if not text:
        return None
    try:
        parsed = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        raise ValueProblem(f"a phone number as it is dialled in {country}", value) from None
    made = str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
    if not phonenumbers.is_possible_number(parsed) or not _PHONE.fullmatch(made):
        raise ValueProblem(f"a phone number as it is dialled in {country}", value)
    return made


def _read_country(value: Any) -> str:
    if not isinstance(value, str) or value.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueProblem("a country of two letters", value)
    return value.upper()


def _url(value: Any, _: Any) -> str | None:
    text = text_of(value).strip()
    if not text:
        return None
    if not _URL.fullmatch(text):
        raise ValueProblem("an address that begins with https:// or http://", value)
    return text


def _web_address(value: Any, _: Any) -> str | None:
    text = text_of(value).strip()
    return _url(f"https://{text}" if _BARE.fullmatch(text) else text, None)


def _host(value: Any, _: Any) -> str | None:
    text = _web_address(value, None)
    if text is None:
        return None
    try:
        host = urlsplit(text).hostname
    except ValueError:
        host = None
    if not host:
        raise ValueProblem("a web address", value)
    return host.removeprefix("www.") or host


FUNCTIONS: Final[Mapping[str, Transform]] = {
    "full_name": Transform(
        TEXT,
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
        TEXT,
        "text",
        _email,
        "Trims, writes in small letters, and checks that it is an e-mail address.",
        (Example(" Ada@Example.com ", "ada@example.com"), Example("", None)),
        (Example("ada at example.com", None), Example("a@b, c@d", None)),
    ),
    "email_domain": Transform(
        TEXT,
        "text",
        _email_domain,
        "What stands behind the @ of an e-mail address.",
        (Example("Ada@Example.com", "example.com"),),
        (Example("ada at example.com", None),),
    ),
    "company_domain": Transform(
        TEXT,
        "text",
        _company_domain,
        "What stands behind the @ of an e-mail address; nothing for those that anybody can have.",
        (Example("buying@acme.example", "acme.example"), Example("ada@gmail.com", None)),
        (Example("ada at example.com", None),),
    ),
    "phone": Transform(
        TEXT,
        "text",
        _phone,
        "Takes away spaces, dots, dashes, slashes and brackets, and checks for a country code.",
        (Example("+46 (70) 174-06-05", "+46701740605"), Example(" ", None)),
        (Example("070-174 06 05", None),),
    ),
    "phone_in": Transform(
        TEXT,
        "text",
        _phone_in,
        "Reads a number as it is dialled in a country; one with a country code keeps its own.",
        (
            Example("070-174 06 05", "+46701740605", "SE"),
            Example("+49 30 901820", "+4930901820", "SE"),
        ),
        (Example("call me", None, "SE"), Example("12", None, "SE")),
        Argument(
            "a country of two letters, like {phone_in: SE}",
            _read_country,
            {"type": "string", "pattern": "^[A-Za-z]{2}$"},
        ),
    ),
    "url": Transform(
        TEXT,
        "text",
        _url,
        "Trims, and checks that it is a web address.",
        (Example(" https://example.com/a ", "https://example.com/a"),),
        (Example("example.com", None), Example("javascript:alert(1)", None)),
    ),
    "web_address": Transform(
        TEXT,
        "text",
        _web_address,
        "Puts https:// before a web address that lacks it, and checks that it is one.",
        (Example("example.com/a", "https://example.com/a"), Example("http://a.example", "http://a.example")),
        (Example("javascript:alert(1)", None), Example("my page", None)),
    ),
    "host": Transform(
        TEXT,
        "text",
        _host,
        "The host of a web address, without www.",
        (Example("https://www.Example.com/a?b", "example.com"), Example("example.com", "example.com")),
        (Example("my page", None),),
    ),
}
