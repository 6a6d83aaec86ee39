"""What automations do on Whop: look at a membership with what belongs to it, and change it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from connector.core.automation import Verb
from connector.core.records import BadRecord, Ref, SourceRecord, iso
from connector.core.requests import Change
from connector.errors import ReconnectError, RefusedError, TryLaterError

from . import client, taking
from .answers import unlike_whop
from .normalise import SOURCE, is_id
from .paging import parts
from .reader import WhopReader
from .refusals import CONFLICT
from .shapes import bad_value
from .vocabulary import NewWords

_PAGE: Final = 100
_LONGEST_KEY: Final = 255


class Permission(NamedTuple):
    """A permission that changes something, in plain words."""

    name: str
    title: str


CANCEL: Final = Permission("membership:cancel", "Cancel memberships")
MANAGE: Final = Permission("member:manage", "Pause, resume and keep memberships")
CHAT: Final = Permission("support_chat:create", "Open support chats")
WRITE: Final = Permission("support_chat:message:create", "Write in support chats")
LOOK: Final = Permission("support_chat:read", "Read support chats, so that nothing is written twice")
ADDRESS: Final = Permission("member:email:read", "Read e-mail addresses")
PERMISSIONS: Final[Mapping[Verb, tuple[Permission, ...]]] = {
    "cancel": (CANCEL,),
    "pause": (MANAGE,),
    "resume": (MANAGE,),
    "message": (CHAT, WRITE, LOOK),
    "email": (ADDRESS,),
    "task": (),
}
"""What each step of an automation needs, beside what is read anyway."""

READ: Final = ("member:basic:read", "payment:basic:read", "plan:basic:read")
"""What has to be looked at before anything is changed."""


class _Call(NamedTuple):
    """How Whop is asked; what is to be is always said, because an empty body may end the access."""

    method: str
    path: str
    permission: Permission
    body: Mapping[str, Any] = {}


_CALLS: Final[Mapping[Change, _Call]] = {
    "cancel_now": _Call("POST", "/cancel", CANCEL, {"cancel_at_period_end": False}),
    "cancel_at_end": _Call("POST", "/cancel", CANCEL, {"cancel_at_period_end": True}),
    "uncancel": _Call("PATCH", "", MANAGE, {"cancel_at_period_end": False}),
    "pause": _Call("POST", "/pause", MANAGE),
    "resume": _Call("POST", "/resume", MANAGE),
}


class WhopActs:
    """Fills ``ports.acts.SourceActs``. ``reader`` is one of the same session and company."""

    def __init__(self, session: client.Session, reader: WhopReader, company_id: str) -> None:
        self._session = session
        self._reader = reader
        self._company = company_id
        self._new_words = NewWords()

    def record(self, kind: str, id_: str) -> SourceRecord | None:
        """A record as it is now."""
        found = self._reader.fetch(kind, [id_]).get(id_)
        if isinstance(found, BadRecord):
            raise found.error
        return found

    def payments_of(self, membership_id: str) -> Sequence[SourceRecord]:
        """The payments of a membership, the newest first."""
        return self._payments({"membership_id": membership_id})

    def payments_by(self, user_id: str, plan_id: str, since: datetime) -> Sequence[SourceRecord]:
        """The newest hundred of a user's for a plan: they are sought within minutes."""
        return self._payments({"user_id": user_id, "plan_id": plan_id, "created_after": iso(since)})

    def latest_payments(self, since: datetime, most: int) -> Sequence[SourceRecord]:
        """The newest payments of the company, as many as a page has at most."""
        return list(islice(self._payments({"created_after": iso(since)}), most))

    def plans_sold_once(self) -> Sequence[SourceRecord]:
        """As many as a page has: whoever sells more plans names them on the command line."""
        return self._listed("/plans", "plan", {"plan_types": ["one_time"]})

    def cancel(self, membership_id: str, *, at_period_end: bool, key: str) -> SourceRecord:
        """POST …/cancel. How is always said: an empty body ends the access at once."""
        return self.change(membership_id, "cancel_at_end" if at_period_end else "cancel_now", key=key)

    def change(self, membership_id: str, change: Change, *, key: str) -> SourceRecord:
        """One request. Under one key Whop carries it out once, so a repeat changes nothing."""
        ref, call = Ref(SOURCE, "membership", membership_id), _CALLS[change]
        if not is_id(membership_id) or not membership_id.strip("."):
            raise bad_value("id", "the id of a membership", membership_id)
        path = f"/memberships/{quote(membership_id, safe='')}{call.path}"
        try:
            answer = client.call(
                self._session, call.method, path, json=dict(call.body), key=key[:_LONGEST_KEY]
            )
        except ReconnectError as error:
            raise _not_allowed(error, call.permission) from error
        except RefusedError as error:
            if error.code == CONFLICT:
                # Of the first request under this key Whop does not know yet, or any more, how it ended.
                raise TryLaterError(
                    "Whop does not say yet what became of it.", code="act_unanswered"
                ) from error
            raise
        return taking.asked_for(ref, answer, self._company, frozenset())

    def channel(self, user_id: str) -> str:
        """POST /support_channels gives the one that is there."""
        body = {"account_id": self._company, "user_id": user_id}
        made = self._post("/support_channels", body, CHAT)
        if not is_id(made.get("id")):
            raise unlike_whop("/support_channels")
        return str(made["id"])

    def messages(self, channel: str) -> Sequence[str]:
        """The newest hundred."""
        params: client.Params = {"channel_id": channel, "first": _PAGE, "direction": "desc"}
        items, _, _ = parts("/messages", client.get(self._session, "/messages", params))
        return [str(one.get("content")) for one in items if isinstance(one, dict)]

    def write(self, channel: str, text: str, *, key: str) -> Mapping[str, Any]:
        """POST /messages; the text is markdown."""
        return self._post("/messages", {"channel_id": channel, "content": text}, WRITE, key)

    def latest_memberships(self, since: datetime, most: int) -> Sequence[SourceRecord]:
        """The newest first."""
        wanted: client.Params = {"order": "created_at", "direction": "desc", "created_after": iso(since)}
        return self._listed("/memberships", "membership", wanted)[:most]

    def _post(
        self, path: str, body: Mapping[str, Any], needed: Permission, key: str = ""
    ) -> Mapping[str, Any]:
        try:
            made = client.call(self._session, "POST", path, json=dict(body), key=key[:_LONGEST_KEY])
        except ReconnectError as error:
            raise _not_allowed(error, needed) from error
        if not isinstance(made, dict):
            raise unlike_whop(path)
        return made

    def lacks(self, permissions: Sequence[str]) -> tuple[str, ...]:
        """Asked by name."""
        params: client.Params = {"resource_id": self._company, "actions": ",".join(permissions)}
        body = client.get(self._session, "/permissions", params)
        rows = body.get("data") if isinstance(body, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise unlike_whop("/permissions")
        granted = {row.get("action") for row in rows if row.get("granted") is True}
        return tuple(one for one in permissions if one not in granted)

    def _payments(self, wanted: client.Params) -> list[SourceRecord]:
        return self._listed("/payments", "payment", {"order": "created_at", "direction": "desc", **wanted})

    def _listed(self, path: str, kind: str, wanted: client.Params) -> list[SourceRecord]:
        params: client.Params = {"account_id": self._company, "first": _PAGE, **wanted}
        items, _, _ = parts(path, client.get(self._session, path, params))
        found = (taking.listed(kind, item, self._company, frozenset(), self._new_words) for item in items)
        return [one for one in found if isinstance(one, SourceRecord)]


def _not_allowed(error: ReconnectError, needed: Permission) -> ReconnectError | RefusedError:
    """A permission to change something may be missing where everything else goes well."""
    if error.code != "whop_scope":
        return error
    return RefusedError(
        f"Whop does not let this connection do that: it lacks the permission {needed.name}.",
        code="act_scope",
        remedy=f"Give the key the permission {needed.name} in the Whop dashboard, or, where the company was "
        "connected by approval, connect it again from the page of the automation; then try it again.",
    )
