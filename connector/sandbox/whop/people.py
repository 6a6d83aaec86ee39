"""Invented people: an index in, a person out, always the same one.

Most are ordinary. Every 200 indexes the awkward ones of the real world come
round, at these places (index modulo 200), so a company of 40 has them all:

====  =====================================================================
  2   an emoji in the name
  3   no e-mail
  4   no name: ``user.name`` null, ``display_name`` is the username
  5   a business: ``user``, e-mail and phone null
  6   HTML, quotes and an ampersand in the name
  7   Arabic name                      8   Hebrew name
  9   Japanese name                   10   Korean name
 11   Chinese name                    12   e-mail in mixed case
 14   the same e-mail as the member before (13)
 15   neither name nor e-mail
 16   a deleted user: ``user`` null, "Deleted User", has left
 17   a member who left
 18   a name of 300 letters           19   spaces before and after the name
 20   a name of only spaces           21   a NUL character in the name
 22   a script tag in the name        23   a line break and a tab in the name
 24   e-mail with a plus and letters outside ASCII
 25   a phone number and no e-mail    26   a right-to-left override in the name
 27   one word for a name             28   titles, particles and a hyphen
 30   SQL in the name                 31   the e-mail of 30 in capitals
 33   an admin of the company         34   never seen since joining
====  =====================================================================
"""

from typing import Final, NamedTuple

from connector.sandbox.whop.ids import mix
from connector.sandbox.whop.names import CULTURES, Culture

PERIOD: Final = 200
#: Cultures with a script of their own, tied to their places in the table above.
SCRIPTS: Final = {7: "ar", 8: "he", 9: "ja", 10: "ko", 11: "zh"}

EVERYDAY: Final = [code for code in CULTURES if code not in SCRIPTS.values()] * 3 + list(SCRIPTS.values())


class Person(NamedTuple):
    """Who stands behind a member; ``username`` is None when there is no user."""

    name: str | None
    username: str | None
    email: str | None
    phone: str | None
    left: bool = False
    admin: bool = False
    seen: bool = True

    @property
    def display_name(self) -> str:
        """User name, else username: the rule of the reference for members."""
        return self.name if self.name is not None else self.username or "Deleted User"


#: What each awkward place changes about an otherwise ordinary person.
AWKWARD: Final[dict[int, dict[str, object]]] = {
    2: {"name": "Zoë 🚀 Rocket 👩‍👩‍👧"},
    3: {"email": None},
    4: {"name": None},
    5: {"username": None, "email": None, "phone": None},
    6: {"name": '<b>Max</b> "O\'Neil" & Söhne'},
    15: {"name": None, "email": None, "phone": None},
    16: {"name": "Deleted User", "username": None, "email": None, "phone": None, "left": True, "seen": False},
    17: {"left": True},
    18: {"name": "Wolfeschlegelsteinhausen" * 12 + " Hubert Sr."},
    19: {"name": "  Padded Name   "},
    20: {"name": "   "},
    21: {"name": "Nul\x00 Byte"},
    22: {"name": "<script>alert('name')</script>"},
    23: {"name": "Line\nBreak\tTab"},
    26: {"name": "Evil \u202egpj.exe\u202c"},
    27: {"name": "Cher"},
    28: {"name": "Dr. María José de la Cruz y Núñez-Ávila, PhD"},
    30: {"name": "Robert'); DROP TABLE members;--"},
    33: {"admin": True},
    34: {"seen": False},
}


def person(start: int, index: int) -> Person:
    """The person at this index of the crowd that ``start`` stands for."""
    place = index % PERIOD
    plain = _ordinary(start, index)
    if place == 5:
        plain = plain._replace(name=f"{_family(start, index)} Maschinenbau GmbH & Co. KG")
        return plain._replace(username=None, email=None, phone=None)
    if place in AWKWARD:
        return plain._replace(**AWKWARD[place])  # type: ignore[arg-type]
    return _awkward_contact(plain, start, index, place)


def _awkward_contact(plain: Person, start: int, index: int, place: int) -> Person:
    if place == 12 and plain.email:
        return plain._replace(email=plain.email.title())
    if place == 14:
        return plain._replace(email=_ordinary(start, index - 1).email)
    if place == 24:
        return plain._replace(email=f"zoë+whop{index}@exämple.example")
    if place == 25:
        return plain._replace(email=None, phone=_phone(CULTURES["sv"], mix(start, index)))
    if place == 31:
        return plain._replace(email=str(_ordinary(start, index - 1).email).upper())
    return plain


def _ordinary(start: int, index: int) -> Person:
    bits = mix(start, index)
    culture = _culture(bits, index)
    given, given_latin = culture.given[(bits >> 12) % len(culture.given)]
    family, family_latin = culture.family[(bits >> 24) % len(culture.family)]
    name = f"{family} {given}" if culture.family_first else f"{given} {family}"
    return Person(
        name=name,
        username=f"{given_latin}{family_latin[:4]}{index}",
        email=f"{given_latin}.{family_latin}{index}@{culture.domain}",
        phone=_phone(culture, bits) if (bits >> 36) % 3 == 0 else None,
        seen=(bits >> 40) % 9 != 0,
    )


def _culture(bits: int, index: int) -> Culture:
    own = SCRIPTS.get(index % PERIOD)
    return CULTURES[own or EVERYDAY[bits % len(EVERYDAY)]]


def _family(start: int, index: int) -> str:
    latin = CULTURES["de"].family
    return latin[mix(start, index) % len(latin)][0]


def _phone(culture: Culture, bits: int) -> str:
    low, high = culture.phone_range
    return f"{culture.phone}{low + (bits >> 44) % (high - low):0{len(str(high - 1))}}"
