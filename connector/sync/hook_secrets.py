"""Signing secrets of webhooks that somebody set up by hand: entered, given an end, taken back."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from connector.errors import RefusedError
from connector.store import hooks, registrations
from connector.store.db import Session
from connector.store.hooks import HookSecret
from connector.sync.hooking import GRACE, HookDesk, sealed

_SECRET: Final = re.compile(r"[!-~]{8,200}")
_COVERED: Final = re.compile(r"(.)\1{5,}|\.{3}")


def enter(
    desk: HookDesk,
    workspace_id: str,
    connection_id: str,
    scheme: str,
    plain: str,
    *,
    keep_others: bool = False,
) -> HookSecret:
    """Keep a secret. Older ones go on for a day, so that nothing is refused while Whop changes over.

    Raises RefusedError for what cannot be one: empty, covered, with blanks in it.
    """
    plain = plain.strip()
    if not _SECRET.fullmatch(plain) or _COVERED.search(plain):
        raise RefusedError(
            "This is not a webhook secret.",
            code="webhook_secret",
            remedy="Make the secret visible on Whop, copy all of it, and enter that.",
        )
    now = desk.clock()
    new = sealed(desk.vault, workspace_id, connection_id, scheme, plain, now)
    with desk.database.transaction() as session:
        hooks.add_secret(session, new)
        if not keep_others:
            _retire_older(session, new, now + GRACE)
    return new


def _retire_older(session: Session, new: HookSecret, at: datetime) -> None:
    """That of a webhook that we registered ourselves goes on: it has nothing to do with this one."""
    ids = (new.workspace_id, new.connection_id)
    known = registrations.get(session, *ids)
    ours = known.secret_id if known else None
    for one in hooks.secrets(session, *ids):
        if one.id not in (new.id, ours):
            hooks.retire(session, *ids, one.id, at=at)


def retire(desk: HookDesk, workspace_id: str, connection_id: str, id_: str) -> bool:
    """Let one end in a day; False where there is none, or it ends sooner."""
    at = desk.clock() + GRACE
    with desk.database.transaction() as session:
        return hooks.retire(session, workspace_id, connection_id, id_, at=at) == 1


def take_back(desk: HookDesk, workspace_id: str, connection_id: str, id_: str) -> bool:
    """From now on nothing that it signs is believed; False where there is none."""
    with desk.database.transaction() as session:
        return hooks.drop_secret(session, workspace_id, connection_id, id_) == 1
