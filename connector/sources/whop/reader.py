"""Reads one company of Whop: its account, its pages, single records by id."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

import structlog

from connector.core.events import Told
from connector.core.records import BadRecord, Page, Ref
from connector.errors import BadRecordError, RefusedError
from connector.ports import SourceAccount

from . import client, recents, refusals, taking
from .answers import unlike_whop
from .behind import behind
from .granted import PERMISSIONS, Grants
from .normalise import SOURCE, is_id
from .paging import parts, path_of, walk
from .payloads import heard
from .remembered import Remembered
from .shapes import bad_value
from .taking import Item
from .vocabulary import NewWords

log = structlog.get_logger(__name__)

_PEOPLE: Final = "/users"
_AT_ONCE: Final = 100


class WhopReader:
    """Fills ``ports.Reader``. Made for one job: what the credential may do is asked once and kept.

    ``session`` is bound to Whop's API and carries ``client.headers``. Without ``company_id`` the company
    is the one that the API key belongs to. A token of OAuth belongs to a person instead, who may have
    several: with ``of_person`` the company is looked up by its id, which must be given.
    """

    def __init__(
        self,
        session: client.Session,
        *,
        company_id: str | None,
        page_size: int = 100,
        of_person: bool = False,
        new_words: NewWords | None = None,
        remembered: Remembered | None = None,
    ) -> None:
        self._session = session
        self._of_person = of_person
        self._company_id = company_id
        self._page_size = page_size
        self._grants = Grants(session, of_person=of_person)
        self._new_words = new_words or NewWords()
        self._remembered = remembered

    def account(self) -> SourceAccount:
        """The company behind the credential, and the permissions that it lacks.

        Raises ReconnectError for one that opens nothing, RefusedError for one of another company.
        """
        id_, title = self._of_id() if self._of_person else self._of_key()
        if self._company_id not in (None, id_):
            raise RefusedError(
                f"This Whop API key is one of {title} ({id_}), not of {self._company_id}.",
                code="whop_company",
                remedy=f"Connect with an API key of {self._company_id}, or set up {id_} as a new connection.",
            )
        granted = self._grants.ask(id_)
        return SourceAccount(id_, title, tuple(one for one in PERMISSIONS if one not in granted))

    def pages(self, kind: str, cursor: str | None) -> Iterator[Page]:
        """Every page of a kind, the oldest records first: one that is created meanwhile comes last.

        The last page has a cursor too, whose next page is empty. Raises TryLaterError, ReconnectError,
        RefusedError (code ``source_cursor`` where the cursor is not one of Whop's any more).
        """
        company = self._company()
        params: client.Params = {
            "account_id": company,
            "first": self._page_size,
            "order": "created_at",
            "direction": "asc",
        }
        listed = walk(self._session, path_of(kind), params, cursor)
        for page, withheld in self._grants.proven(kind, company, listed, goes_on=cursor is not None):
            items = taking.page(kind, page.items, company, withheld, self._new_words)
            yield Page(tuple(items), page.cursor, page.last)

    def recents(self, kind: str) -> tuple[str, ...]:
        """The ways in which Whop lists what moved lately; none: all of the kind must be read."""
        return tuple(recents.WAYS.get(kind, ()))

    def recent(self, kind: str, way: str, since: str, cursor: str | None) -> Iterator[Page]:
        """What moved after ``since``, the newest first. It proves nothing of what is not in it."""
        company = self._company()
        withheld = self._grants.withheld(kind, company)
        for items, place, last in recents.walk(
            self._session, kind, way, since, cursor, {"account_id": company, "first": self._page_size}
        ):
            yield Page(tuple(taking.page(kind, items, company, withheld, self._new_words)), place, last)

    def parents(self, kind: str, ids: Sequence[str]) -> dict[str, Item]:
        """The records of these ids as they were a while ago, where they are remembered, or else fetched."""
        known: dict[str, Item] = {}
        if self._remembered is not None:
            known |= self._remembered.find(kind, list(dict.fromkeys(ids)))
        return known | self.fetch(kind, [id_ for id_ in ids if id_ not in known])

    def forget(self, kind: str, ids: Sequence[str]) -> None:
        """Remember these no longer: an event tells that they changed."""
        if self._remembered is not None:
            self._remembered.forget(kind, ids)

    def fetch(self, kind: str, ids: Sequence[str]) -> dict[str, Item]:
        """The records of these ids, by the ids that were asked for; one that Whop answers with 404 is absent.

        A list of Whop's filters by no id but that of a user: members may be asked for by their users'
        ids, a hundred in one request; everything else is one request each. Raises TryLaterError,
        ReconnectError, RefusedError.
        """
        if not ids:
            return {}
        asked = list(dict.fromkeys(ids))
        found = self._people(asked) if kind == "user" else self._records(kind, asked)
        if self._remembered is not None:
            self._remembered.keep(kind, found)
        return found

    def _records(self, kind: str, asked: Sequence[str]) -> dict[str, Item]:
        path, company = path_of(kind), self._company()
        withheld = self._grants.withheld(kind, company)
        of_users = [id_ for id_ in asked if kind == "member" and id_.startswith("user_")]
        found = self._members_of(of_users, company, withheld)
        for id_ in asked:
            if id_ not in of_users:
                record = self._single(path, kind, id_, company, withheld)
                if record is not None:
                    found[id_] = record
        return found

    def _members_of(self, users: Sequence[str], company: str, withheld: frozenset[str]) -> dict[str, Item]:
        found: dict[str, Item] = {}
        for start in range(0, len(users), _AT_ONCE):
            asked = users[start : start + _AT_ONCE]
            params: client.Params = {"account_id": company, "first": _AT_ONCE, "user_ids": asked}
            items, _, _ = parts("/members", client.get(self._session, "/members", params))
            for item in items:  # one member for each user and company: they are all on this page
                id_ = _user_id(item)
                if id_ in asked:
                    found[id_] = taking.listed("member", item, company, withheld, self._new_words)
        return found

    def behind(self, kind: str, payment_id: str) -> list[Item]:
        """The refunds or disputes of a payment."""
        company = self._company()
        withheld = self._grants.withheld(kind, company)
        found = behind(self._session, kind, payment_id, company)
        return [taking.listed(kind, item, company, withheld, self._new_words) for item in found]

    def _people(self, ids: Sequence[str]) -> dict[str, Item]:
        """The public side of users, which belongs to no company and needs no permission."""
        found = {id_: self._single(_PEOPLE, "user", id_, "", frozenset()) for id_ in ids}
        return {id_: record for id_, record in found.items() if record is not None}

    def may_read(self, kind: str) -> bool:
        """Whether the credential opens this kind."""
        return self._grants.opens(kind, self._company())

    def told(self, raw: bytes) -> Told:
        """What the body of a webhook tells. Raises BadRecordError for what is no event of this company.

        A field that the credential may not read is unknown here too: where the body has null, somebody's
        permission may be why.
        """
        found = heard(raw, self._grants.withheld_by_kind(self._company()))
        if found.company not in (None, self._company()):
            raise bad_value("account_id", self._company(), found.company)
        return replace(found, record=self._new_words.marked(found.record)) if found.record else found

    def _single(self, path: str, kind: str, id_: str, company: str, withheld: frozenset[str]) -> Item | None:
        ref = Ref(SOURCE, kind, id_)
        if not is_id(id_) or not id_.strip("."):  # a path of dots would lead elsewhere
            return BadRecord(ref, bad_value("id", f"the id of a {kind}", id_))
        try:
            item = client.get(self._session, f"{path}/{quote(id_, safe='')}")
        except RefusedError as err:
            if err.code == refusals.NOT_FOUND:
                log.info("Whop has no such record", kind=kind, id=id_)
                return None
            raise
        try:
            record = taking.asked_for(ref, item, company, withheld)
        except BadRecordError as err:
            return BadRecord(ref, err)
        return self._new_words.marked(record)

    def _company(self) -> str:
        if self._company_id is None:
            self._company_id, _ = self._of_key()
        return self._company_id

    def _of_key(self) -> tuple[str, str]:
        return company_of("/accounts/me", client.get(self._session, "/accounts/me"))

    def _of_id(self) -> tuple[str, str]:
        path = f"/accounts/{quote(self._company(), safe='')}"
        try:
            return company_of("/accounts", client.get(self._session, path))
        except RefusedError as err:
            if err.code != refusals.NOT_FOUND:
                raise
            raise RefusedError(
                f"Whoever approved on Whop has no company {self._company_id}.",
                code="whop_company",
                remedy="Have somebody approve who manages that company on Whop.",
            ) from err


def _user_id(member: object) -> str:
    user = member.get("user") if isinstance(member, dict) else None
    return str(user.get("id")) if isinstance(user, dict) else ""


def company_of(path: str, found: Any) -> tuple[str, str]:
    """Id and name of a company as Whop sends it. Raises TryLaterError where it is none."""
    id_ = found.get("id") if isinstance(found, dict) else None
    if not is_id(id_):
        raise unlike_whop(path)
    title = found.get("title")
    return id_, title if isinstance(title, str) and title else id_
