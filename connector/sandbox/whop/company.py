"""One selling company: how many of each, who owns what, and when it was made.

Nothing here is stored: every answer is computed from the seed and an index.
The company grows, so most members are young: member 0 joined a moment ago, the
last one 420 days ago.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from connector.sandbox.whop.catalogue import Catalogue
from connector.sandbox.whop.facts import Charge, Facts, charges, facts
from connector.sandbox.whop.ids import Ids, mix, salt
from connector.sandbox.whop.people import Person, person
from connector.sandbox.whop.values import DAY

SPAN: Final = 420 * DAY
#: A payment's index is its membership's number times this, plus its place: 14
#: months are at most 15 charges.
CHARGES: Final = 16


class Identity(NamedTuple):
    """How the company presents itself; ``brand`` is the name inside its product titles."""

    title: str
    route: str
    owner: tuple[str, str]
    brand: str = "Northwind"


PRIYA: Final = ("Priya Raman", "priyaraman")
NORTHWIND: Final = Identity("Northwind Trading Circle", "northwind-trading", PRIYA)
#: What the same owner may own besides: small companies, so that choosing one matters.
FURTHER: Final = (
    Identity("Southwind Fitness 💪", "southwind-fitness", PRIYA, "Southwind"),
    Identity("Eastwind <Language> School", "eastwind-school", PRIYA, "Eastwind"),
    Identity("Westwind Kitchen & Friends", "westwind-kitchen", PRIYA, "Westwind"),
)
HARBOR: Final = Identity("Harbor Fitness Club", "harbor-fitness", ("Jonas Weber", "jonasweber"))
#: An owner of several companies is the same user in all of them, numbered by the first.
HOMES: Final = {PRIYA: NORTHWIND.route}


class Company:
    """The arithmetic of one company; ``now`` is in milliseconds."""

    def __init__(
        self, identity: Identity, seed: int, members: int, memberships: int, products: int, now: int
    ) -> None:
        self.identity = identity
        self.now = now
        self.members = members
        self.memberships = memberships
        self.catalogue = Catalogue(products, identity.brand)
        self.unclaimed = memberships // 100
        self._salts = {name: salt(seed, identity.route, name) for name in ("people", "fate", "extra", "pay")}
        self.id = Ids("biz", seed, identity.route).of(0)
        self.ids = {kind: Ids(prefix, seed, identity.route) for kind, prefix in PREFIXES.items()}
        self.owner_id = Ids("user", seed, HOMES.get(identity.owner, identity.route)).of(1 << 40)
        self.facts = lru_cache(16_384)(self._facts)
        self.person = lru_cache(16_384)(self._person)
        self.charged = lru_cache(4096)(self._charged)

    @property
    def claimed(self) -> int:
        """Memberships below this number have a member, the ones above are unclaimed."""
        return self.memberships - self.unclaimed

    def opened(self, product: int = 0) -> int:
        """When the company, or its product, was made: before the first member came."""
        return self.now - SPAN - (60 + product) * DAY

    def joined(self, member: int) -> int:
        """When this member joined: the square makes the recent ones the most."""
        return self.now - 60_000 - SPAN * (member + 1) ** 2 // max(self.members, 1) ** 2

    def owner(self, number: int) -> int | None:
        """The member of a membership: first one each, then the extra ones spread evenly."""
        if number >= self.claimed:
            return None
        if number < self.members:
            return number
        extra, extras = number - self.members, self.claimed - self.members
        return extra * self.members // extras if extras <= self.members else extra % self.members

    def owned(self, member: int) -> list[int]:
        """The memberships of a member, the inverse of ``owner``."""
        first = [member] if member < min(self.claimed, self.members) else []
        extras = self.claimed - self.members
        if extras <= 0 or member >= self.members:
            return first
        if extras > self.members:
            return first + [self.members + extra for extra in range(member, extras, self.members)]
        extra = -(-member * extras // self.members)
        matches = extra < extras and extra * self.members // extras == member
        return [*first, self.members + extra] if matches else first

    def began(self, number: int) -> int:
        """When a membership was made: with its member, later, or (unclaimed) lately."""
        owner = self.owner(number)
        part = mix(self._salts["extra"], number) % 900 + 50
        if owner is None:
            return (self.now - 200 * DAY * part // 1000) // 1000 * 1000
        joined = self.joined(owner)
        if number >= self.members:
            joined += (self.now - joined) * part // 1000
        return joined // 1000 * 1000

    def _person(self, member: int) -> Person:
        return person(self._salts["people"], member)

    def _facts(self, number: int) -> Facts:
        owner = self.owner(number)
        gone = owner is not None and self.person(owner).left
        return facts(
            self._salts["fate"], number, owner, self.began(number), self.now, self.catalogue, gone=gone
        )

    def _charged(self, number: int) -> list[Charge]:
        return charges(self.facts(number))

    def payment_bits(self, index: int) -> int:
        """The chance that decides over a payment: refunds, disputes, the card."""
        return mix(self._salts["pay"], index)

    def charge(self, index: int) -> Charge | None:
        """The charge behind a payment's index; None when there was none."""
        number, nth = divmod(index, CHARGES)
        if number >= self.memberships:
            return None
        charged = self.charged(number)
        return charged[nth] if nth < len(charged) else None

    def payments(self) -> Iterator[int]:
        """The indexes of all payments."""
        for number in range(self.memberships):
            for charge in self.charged(number):
                yield number * CHARGES + charge.nth


PREFIXES: Final = {
    "products": "prod",
    "plans": "plan",
    "members": "mber",
    "users": "user",
    "memberships": "mem",
    "payments": "pay",
    "refunds": "rf",
    "disputes": "dspt",
}
