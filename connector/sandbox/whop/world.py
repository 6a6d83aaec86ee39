"""The whole sandbox: companies as tables, and the changes made to the first.

The owner has one company or several; an API key belongs to the first. One more
company is a neighbour's: it shows on the public marketplace and is otherwise out
of reach, so that a connector that mixes tenants is caught.
"""

import datetime
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Final

from connector.sandbox.whop import people_records as people
from connector.sandbox.whop import sales_records as sales
from connector.sandbox.whop import shop_records as shop
from connector.sandbox.whop.company import CHARGES, FURTHER, HARBOR, NORTHWIND, PREFIXES, Company
from connector.sandbox.whop.facts import ACCESS
from connector.sandbox.whop.journal import Change, Journal
from connector.sandbox.whop.tables import ADDED, Key, Table
from connector.sandbox.whop.values import Record, iso, noon

MOST_MEMBERS: Final = 100_000


class OneName:
    """The ids of a table with one record."""

    def __init__(self, name: str) -> None:
        self._name = name

    def of(self, index: int) -> str:
        """Always the one id."""
        return self._name

    def index(self, text: str) -> int | None:
        """0 for the one id."""
        return 0 if text == self._name else None


class Shelf:
    """The tables of one company, by kind: ``shelf.tables["members"]``."""

    def __init__(self, company: Company) -> None:
        self.company = company
        self._titles: dict[str, Record] = {}
        self.tables = {
            "accounts": self._accounts(),
            "products": self._shop("products", len(company.catalogue.products), shop.product),
            "plans": self._shop("plans", len(company.catalogue.plans), shop.plan),
            "members": self._members(),
            "memberships": self._memberships(),
            "payments": self._sales("payments", sales.payment, self._with_customer),
            "refunds": self._sales("refunds", sales.refund, None),
            "disputes": self._sales("disputes", sales.dispute, self._with_buyer),
        }

    def _accounts(self) -> Table:
        company = self.company
        return Table(
            OneName(company.id), lambda: [0], lambda index: index == 0, lambda index: shop.account(company)
        )

    def _shop(self, kind: str, count: int, build: Callable[[Company, int, int], Record]) -> Table:
        company = self.company

        def record(index: int) -> Record:
            return build(company, index, self.buyers[kind, index])

        return Table(company.ids[kind], lambda: range(count), lambda index: index < count, record)

    @cached_property
    def buyers(self) -> Counter[tuple[str, int]]:
        """How many memberships with access each product and each plan has."""
        company, counted = self.company, Counter[tuple[str, int]]()
        for number in range(company.memberships):
            told = company.facts(number)
            if told.status in ACCESS:
                counted["products", told.plan.product] += 1
                counted["plans", company.catalogue.place(told.plan)] += 1
        return counted

    def _members(self) -> Table:
        company = self.company
        keys: dict[str, Key] = {
            "created_at": company.joined,
            "joined_at": company.joined,
            "last_accessed_at": lambda index: people.last_seen(company, index) or 0,
            "most_recent_action_at": self._acted,
            "usd_total_spent": lambda index: people.spent(company, index) * 10,
        }
        return Table(
            company.ids["members"],
            lambda: range(company.members),
            lambda index: index < company.members,
            lambda index: people.member(company, index),
            keys,
        )

    def _acted(self, index: int) -> int:
        company = self.company
        owned = [company.facts(number) for number in company.owned(index)]
        return people.last_action(company.person(index), company.joined(index), owned, company.now)[1]

    def _memberships(self) -> Table:
        company = self.company
        return Table(
            company.ids["memberships"],
            lambda: range(company.memberships),
            lambda index: index < company.memberships,
            lambda index: people.membership(company, index),
            {"created_at": company.began},
            self._with_product,
        )

    def _sales(
        self,
        kind: str,
        build: Callable[[Company, int], Record],
        finish: Callable[[Record, Record], Record] | None,
    ) -> Table:
        company = self.company
        wanted = {"refunds": (0, 1, 2, 3), "disputes": (4,)}.get(kind)

        def exists(index: int) -> bool:
            charge = company.charge(index)
            return charge is not None and (wanted is None or sales.fate(company, index, charge) in wanted)

        def indexes() -> Iterator[int]:
            return filter(exists, company.payments())

        keys: dict[str, Key] = {"created_at": self._charged_at} if kind == "payments" else {}
        return Table(company.ids[kind], indexes, exists, lambda index: build(company, index), keys, finish)

    def _charged_at(self, index: int) -> int:
        charge = self.company.charge(index)
        return charge.at if charge else 0

    def product_stub(self, name: str) -> Record:
        """The product inside a membership, with today's title."""
        if name not in self._titles:
            index = self.tables["products"].ids.index(name)
            self._titles[name] = {"id": name, "logo_url": None, "title": self._title(index)}
        return self._titles[name]

    def _title(self, index: int | None) -> str:
        changed = self.tables["products"].changed.get(index, {}) if index is not None else {}
        specs = self.company.catalogue.products
        plain = specs[index].title if index is not None and index < len(specs) else ""
        return str(changed.get("title", plain))

    def forget(self) -> None:
        """After a change: titles inside memberships may be old."""
        self._titles = {}

    def _with_product(self, record: Record, changed: Record) -> Record:
        if "product" not in changed:
            record["product"] = self.product_stub(record["product_id"])
        return record

    def _customer(self, member: int) -> Record:
        """What a payment shows of its member, as the member is today."""
        table = self.tables["members"]
        if member in table.changed:
            today = table.get(member)
            fields = {"user": "user", "customer_email": "email", "customer_phone": "phone_number"}
            return {field: today[theirs] for field, theirs in fields.items()}
        if member >= self.company.members:
            return {}
        who = self.company.person(member)
        user = people.user_summary(self.company, member)
        return {"user": user, "customer_email": who.email, "customer_phone": who.phone}

    def _with_customer(self, record: Record, changed: Record) -> Record:
        member = self.company.ids["members"].index(record["member_id"] or "")
        if member is not None:
            fresh = self._customer(member)
            record.update({field: value for field, value in fresh.items() if field not in changed})
        return record

    def _with_buyer(self, record: Record, changed: Record) -> Record:
        if "buyer" in changed:
            return record
        payments = self.tables["payments"]
        index = payments.ids.index(record["payment"]["id"])
        payment = payments.get(index) if index is not None and payments.has(index) else {}
        user = payment.get("user") or {}
        record["buyer"] = {
            "email": payment.get("customer_email"),
            "member_id": payment.get("member_id"),
            "name": user.get("name"),
            "user_id": user.get("id"),
            "username": user.get("username"),
        }
        return record

    def payments_of(self, number: int) -> list[int]:
        """The indexes of the payments of one generated membership."""
        if number >= self.company.memberships:
            return []
        return [number * CHARGES + charge.nth for charge in self.company.charged(number)]


class World:
    """All companies, the clock and the journal. Changes go through ``change`` alone, and to ``home``."""

    def __init__(
        self,
        *,
        members: int,
        memberships: int | None,
        products: int,
        seed: int,
        today: datetime.date,
        data_dir: Path | None,
        companies: int = 1,
        clock: Callable[[], float] | None = None,
    ) -> None:
        many = round(members * 1.24) if memberships is None else memberships
        _check(members, many, products, companies)
        self.now = noon(today)
        self._wall, self._stamped = clock, 0
        self.seed = seed
        self.home = Shelf(Company(NORTHWIND, seed, members, many, products, self.now))
        further = (Shelf(Company(identity, seed, 12, 15, 2, self.now)) for identity in FURTHER)
        self.owned = (self.home, *islice(further, companies - 1))
        self.neighbour = Shelf(Company(HARBOR, seed, 7, 9, 2, self.now))
        self.shelves = (*self.owned, self.neighbour)
        self.lock = threading.RLock()
        name = f"changes-{seed}-{members}-{many}-{products}-{today.isoformat()}.jsonl"
        self._journal = Journal(data_dir / name if data_dir else None)
        for change in self._journal.replay():
            self._apply(change)
        self._warm()

    def _warm(self) -> None:
        """Do the long sums at the start, not in somebody's first page."""
        for kind in ("members", "memberships"):
            self.home.tables[kind].order("created_at")
        _ = self.home.buyers

    @property
    def clock(self) -> int:
        """Now, in milliseconds: noon of the day, and a second more with each change."""
        return self.now + 1000 * self._journal.length

    def change(self, kind: str, index: int, fields: dict[str, Any] | None) -> None:
        """Change, add or remove a record of the first company, and keep that."""
        with self.lock:
            change = Change(kind, index, fields)
            self._journal.append(change)
            self._apply(change)

    def _apply(self, change: Change) -> None:
        self.home.tables[change.kind].apply(change.place, change.fields)
        if change.kind == "products":
            self.home.forget()

    def stamp(self) -> str:
        """The time the next change happens at. By the clock that was given each is later than the one
        before, and later than the day that the invented records were made on.
        """
        if self._wall is None:
            return iso(self.clock + 1000)
        with self.lock:
            self._stamped = max(self._stamped + 1, round(self._wall() * 1000), self.clock + 1000)
            return iso(self._stamped)


def _check(members: int, memberships: int, products: int, companies: int) -> None:
    if not 1 <= companies <= 1 + len(FURTHER):
        raise ValueError(f"companies: expected 1 to {1 + len(FURTHER)}, found {companies}")
    if not 0 <= members <= MOST_MEMBERS:
        raise ValueError(f"members: expected 0 to {MOST_MEMBERS}, found {members}")
    if memberships * CHARGES > ADDED or memberships < 0:
        raise ValueError(f"memberships: expected 0 to {ADDED // CHARGES}, found {memberships}")
    if products < 1:
        raise ValueError(f"products: expected 1 or more, found {products}")
    if memberships - memberships // 100 > 0 and members == 0:
        raise ValueError("memberships need at least one member")


KINDS: Final = ("accounts", *(kind for kind in PREFIXES if kind != "users"))
