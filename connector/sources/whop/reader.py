"""Reads one company of Whop: its account, its pages, single records by id."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import quote

from connector.core.records import BadRecord, Page, Ref, SourceRecord
from connector.errors import BadRecordError, ReconnectError, RefusedError, TryLaterError
from connector.ports import SourceAccount

from . import client, refusals
from .catalogue import CATALOGUE
from .normalise import SOURCE, is_id, normalise, owner
from .scopes import BY_FIELD, BY_KIND
from .shapes import bad_value

_PATHS: Final = {kind: f"/{kind}s" for kind in CATALOGUE.order}

PERMISSIONS: Final = tuple(
    dict.fromkeys([*BY_KIND.values(), *(one for of in BY_FIELD.values() for one in of.values())])
)
"""What a credential needs for all kinds to be read whole."""

Item = SourceRecord | BadRecord
_MAY_NAME_NONE: Final = frozenset({"product", "plan", "payment", "refund", "dispute"})


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
    ) -> None:
        self._session = session
        self._of_person = of_person
        self._company_id = company_id
        self._page_size = page_size
        self._granted: frozenset[str] | None = None

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
        self._granted = granted = self._ask_granted(id_)
        return SourceAccount(id_, title, tuple(one for one in PERMISSIONS if one not in granted))

    def pages(self, kind: str, cursor: str | None) -> Iterator[Page]:
        """Every page of a kind, the oldest records first: one that is created meanwhile comes last.

        The last page has a cursor too, whose next page is empty. Raises TryLaterError, ReconnectError,
        RefusedError (code ``source_cursor`` where the cursor is not one of Whop's any more).
        """
        path, company = _path(kind), self._company()
        withheld = self._withheld(kind, company)
        params: client.Params = {
            "account_id": company,
            "first": self._page_size,
            "order": "created_at",
            "direction": "asc",
        }
        seen = {cursor}
        last = False
        while not last:
            body = client.get(self._session, path, params if cursor is None else {**params, "after": cursor})
            items, cursor, last = _parts(path, body)
            if not last and (cursor is None or cursor in seen):
                raise _astray(path)
            seen.add(cursor)
            records = (_listed(kind, item, company, withheld) for item in items)
            yield Page(tuple(records), cursor, last)

    def fetch(self, kind: str, ids: Sequence[str]) -> dict[str, Item]:
        """The records of these ids, one request each: no list of Whop's filters by id.

        An id that Whop answers with 404 is absent. Raises TryLaterError, ReconnectError, RefusedError.
        """
        if not ids:
            return {}
        path, company = _path(kind), self._company()
        withheld = self._withheld(kind, company)
        found = {}
        for id_ in dict.fromkeys(ids):
            record = self._single(path, kind, id_, company, withheld)
            if record is not None:
                found[id_] = record
        return found

    def _single(self, path: str, kind: str, id_: str, company: str, withheld: frozenset[str]) -> Item | None:
        ref = Ref(SOURCE, kind, id_)
        if not is_id(id_) or not id_.strip("."):  # a path of dots would lead elsewhere
            return BadRecord(ref, bad_value("id", f"the id of a {kind}", id_))
        try:
            item = client.get(self._session, f"{path}/{quote(id_, safe='')}")
        except RefusedError as err:
            if err.code == refusals.NOT_FOUND:
                return None
            raise
        try:
            return _asked_for(ref, item, company, withheld)
        except BadRecordError as err:
            return BadRecord(ref, err)

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

    def _withheld(self, kind: str, company: str) -> frozenset[str]:
        """The fields that may not be read; raises ReconnectError where the kind may not."""
        granted = self._granted = self._granted or self._ask_granted(company)
        if BY_KIND[kind] not in granted:
            raise _unapproved(BY_KIND[kind]) if self._of_person else refusals.lacking(BY_KIND[kind])
        return frozenset(field for field, needed in BY_FIELD.get(kind, {}).items() if needed not in granted)

    def _ask_granted(self, company: str) -> frozenset[str]:
        params = {"resource_id": company, "actions": ",".join(PERMISSIONS)}
        body = client.get(self._session, "/permissions", params)
        rows = body.get("data") if isinstance(body, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise _unlike_whop("/permissions")
        return frozenset(str(row.get("action")) for row in rows if row.get("granted") is True)


def company_of(path: str, found: Any) -> tuple[str, str]:
    """Id and name of a company as Whop sends it. Raises TryLaterError where it is none."""
    id_ = found.get("id") if isinstance(found, dict) else None
    if not is_id(id_):
        raise _unlike_whop(path)
    title = found.get("title")
    return id_, title if isinstance(title, str) and title else id_


def _path(kind: str) -> str:
    if kind not in _PATHS:
        raise RefusedError(f"Whop has no records of the kind {kind}.", code="unknown_kind")
    return _PATHS[kind]


def _parts(path: str, body: Any) -> tuple[list[Any], str | None, bool]:
    """Items, cursor and whether this is the last page; ``end_cursor`` stays filled on the last one."""
    items, info = (body.get("data"), body.get("page_info")) if isinstance(body, dict) else (None, None)
    if not isinstance(items, list) or not isinstance(info, dict):
        raise _unlike_whop(path)
    more, cursor = info.get("has_next_page"), info.get("end_cursor")
    if not isinstance(more, bool) or not (cursor is None or isinstance(cursor, str)):
        raise _unlike_whop(path)
    return items, cursor or None, not more


def _listed(kind: str, item: object, company: str, withheld: frozenset[str]) -> Item:
    """An item of a list that was asked for one company's records.

    One that names no company, where Whop allows null, is taken for what was asked for.
    """
    try:
        record = normalise(kind, item, withheld)
        named = owner(kind, record.fields)
        if named != company and not (named is None and kind in _MAY_NAME_NONE):
            raise _foreign(record.ref, named, company)
    except BadRecordError as err:
        return BadRecord(_ref_of(kind, item), err)
    return record


def _asked_for(ref: Ref, item: object, company: str, withheld: frozenset[str]) -> SourceRecord:
    """An item read by its id: nothing but the item itself says whose it is, so it must say so."""
    record = normalise(ref.kind, item, withheld)
    if record.ref != ref:  # a membership is also found by its licence key
        raise bad_value("id", ref.id, record.ref.id)
    named = owner(ref.kind, record.fields)
    if named != company:
        raise _foreign(ref, named, company)
    return record


def _ref_of(kind: str, item: object) -> Ref:
    """The ref of an unreadable item; without a usable id it gets one made from what it holds."""
    id_ = item.get("id") if isinstance(item, dict) else None
    if is_id(id_):
        return Ref(SOURCE, kind, id_)
    digest = hashlib.sha256(repr(item).encode("utf-8", "backslashreplace")).hexdigest()
    return Ref(SOURCE, kind, f"unreadable-{digest[:16]}")


def _foreign(ref: Ref, named: str | None, company: str) -> BadRecordError:
    found = named or "no company"
    return BadRecordError(
        f"Whop sent {ref} as a record of {found}, not of {company}: it is not brought over.",
        field="account.id" if ref.kind in ("product", "plan", "membership") else "account_id",
        expected=company,
        found=found,
        code="foreign_record",
        remedy="If it happens again, report it to Whop: the key shows another company's records.",
    )


def _unapproved(permission: str) -> ReconnectError:
    return ReconnectError(
        f"What was approved on Whop lacks the permission {permission}.",
        code="whop_scope",
        remedy="Connect the company again and approve everything that is asked for.",
    )


def _astray(path: str) -> TryLaterError:
    return TryLaterError(f"The pages of {path} do not go on: a cursor came back again.", code="source_paging")


def _unlike_whop(path: str) -> TryLaterError:
    return TryLaterError(f"{path} answered, but not in the form that Whop documents.", code="source_answer")
