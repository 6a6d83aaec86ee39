"""Webhooks at Whop: registered, changed, switched on, removed, tested; their log, and deliveries again."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlsplit

from connector.core.hooking import Sent, SentPage, SourceHook, Wanted
from connector.core.records import iso
from connector.errors import ReconnectError, RefusedError
from connector.ports.hooks import MadeHook

from . import client
from .answers import unlike_whop
from .client import API_VERSION
from .events import CHAT, EVENTS
from .refusals import NOT_FOUND

PERMISSION: Final = "developer:manage_webhook"
TEST_EVENT: Final = "account.updated"
"""The one that changes nothing in a CRM, whatever the mappings are."""
TOLD: Final = frozenset(EVENTS)
"""The events that a webhook of ours listens to: all of a company's sales. Those of records that are not
brought over yet, such as invoices, are kept and shown, and can be taken again once a mapping wants them."""
_PAGE: Final = 100
_MOST_PAGES: Final = 20
_HIDDEN: Final = (".localhost", ".local", ".internal", ".lan", ".home", ".test")
_FIELD: Final = {"url": "url", "events": "events", "version": "api_version_date"}


def wanted(url: str, *, chats: bool = False) -> Wanted:
    """What a webhook that delivers to this address should be: every event of what we read, of today.

    What is written in chats is told only where ``chats`` are read: there may be very much of it.
    """
    return Wanted(url, TOLD | {CHAT} if chats else TOLD, API_VERSION)


def reaches(url: str, api_url: str) -> bool:
    """Whether Whop can deliver to this address: https, and public. A Whop of one's own machine, which is the
    sandbox, reaches whatever that machine does."""
    if is_stand_in(api_url):
        return True
    parts = urlsplit(url)
    return parts.scheme == "https" and _is_public(parts.hostname or "")


def is_stand_in(api_url: str) -> bool:
    """Whether Whop is one of this machine's own, as in the demo."""
    return _is_loopback(urlsplit(api_url).hostname or "")


def _is_public(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith(_HIDDEN)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class WhopHooks:
    """The webhooks of one company, with a credential that may look after them."""

    def __init__(self, session: client.Session, company_id: str) -> None:
        self._session = session
        self._company = company_id

    def hooks(self) -> list[SourceHook]:
        """Every webhook of the company."""
        found: list[SourceHook] = []
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            body = self._ask("GET", "/webhooks", {"account_id": self._company, **_from(cursor)})
            found += [_hook(row) for row in _rows(body) if row.get("resource_id") == self._company]
            cursor = _next(body)
            if cursor is None:
                break
        return found

    def make(self, wanted: Wanted) -> MadeHook:
        """Register one. The version is named: without it the bodies would be of Whop's oldest dialect."""
        body = {
            "url": wanted.url,
            "events": sorted(wanted.events),
            "api_version_date": wanted.version,
            "resource_id": self._company,
            "enabled": True,
        }
        answer = self._ask("POST", "/webhooks", json=body)
        secret = answer.get("webhook_secret") if isinstance(answer, dict) else None
        if not isinstance(secret, str) or not secret:
            raise unlike_whop("/webhooks")
        return MadeHook(_hook(answer), secret)

    def change(self, id_: str, wanted: Wanted, names: Collection[str]) -> SourceHook:
        """Bring these parts of one in line."""
        values = {"url": wanted.url, "events": sorted(wanted.events), "version": wanted.version}
        return self._patch(id_, {_FIELD[name]: values[name] for name in names})

    def switch_on(self, id_: str) -> SourceHook:
        """Have it deliver again."""
        return self._patch(id_, {"enabled": True})

    def remove(self, id_: str) -> None:
        """Take one away."""
        try:
            self._ask("DELETE", _path(id_))
        except RefusedError as error:
            if error.code != NOT_FOUND:
                raise

    def test(self, id_: str, event: str) -> int | None:
        """Have a sample delivered now."""
        answer = self._ask("POST", f"{_path(id_)}/test", json={"event": event})
        status = answer.get("status") if isinstance(answer, dict) else None
        return int(status) if isinstance(status, int | float) else None

    def sent(self, id_: str, cursor: str | None) -> SentPage:
        """A page of the log, the newest first."""
        body = self._ask("GET", f"{_path(id_)}/deliveries", _from(cursor))
        return SentPage(tuple(map(_sent, _rows(body))), _next(body))

    def send_again(self, id_: str, delivery_id: str) -> None:
        """Have one delivered once more."""
        self._ask("POST", f"{_path(id_)}/deliveries/{quote(delivery_id, safe='')}/replay", json={})

    def send_range_again(self, id_: str, since: datetime, until: datetime, *, failed_only: bool) -> None:
        """Have all of a time delivered once more."""
        wanted = {"sent_after": iso(since), "sent_before": iso(until), "failed_only": failed_only}
        self._ask("POST", f"{_path(id_)}/replay", json=wanted)

    def _patch(self, id_: str, fields: Mapping[str, Any]) -> SourceHook:
        return _hook(self._ask("PATCH", _path(id_), json=fields))

    def _ask(self, method: str, path: str, params: client.Params | None = None, json: Any = None) -> Any:
        try:
            return client.call(self._session, method, path, params=params, json=json)
        except ReconnectError as error:
            if error.code != "whop_scope":
                raise
            raise RefusedError(
                "The Whop API key may not look after webhooks.",
                code="whop_hook_scope",
                remedy=f"Give the key the permission {PERMISSION}, or set the webhook up by hand.",
            ) from error


def _path(id_: str) -> str:
    return f"/webhooks/{quote(id_, safe='')}"


def _from(cursor: str | None) -> dict[str, str | int]:
    return {"first": _PAGE} | ({"after": cursor} if cursor else {})


def _rows(body: Any) -> list[dict[str, Any]]:
    rows = body.get("data") if isinstance(body, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise unlike_whop("/webhooks")
    return rows


def _next(body: Mapping[str, Any]) -> str | None:
    page = body.get("page_info")
    if not isinstance(page, dict) or page.get("has_next_page") is not True:
        return None
    cursor = page.get("end_cursor")
    return cursor if isinstance(cursor, str) and cursor else None


def _hook(row: Any) -> SourceHook:
    try:
        return SourceHook(
            id=str(row["id"]),
            url=str(row["url"]),
            events=frozenset(map(str, row["events"])),
            version=row.get("api_version_date"),
            enabled=row["enabled"] is True,
            failures=int(row.get("consecutive_failures") or 0),
            failing_since=_moment(row.get("failing_since")),
            disabled_at=_moment(row.get("disabled_at")),
        )
    except (KeyError, TypeError, ValueError) as err:
        raise unlike_whop("/webhooks") from err


def _sent(row: Mapping[str, Any]) -> Sent:
    body, at = row.get("request_body"), _moment(row.get("sent_at"))
    message = body.get("id") if isinstance(body, dict) else None
    if at is None or "id" not in row:
        raise unlike_whop("/webhooks")
    told = message if isinstance(message, str) else ""
    return Sent(str(row["id"]), told, str(row.get("event") or ""), at, row.get("success") is True)


def _moment(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) and text else None
