"""A token of somebody who signed in at the CRM, that works now.

An access token lasts half an hour. It is renewed by one worker, before it ends: claimed in a short
transaction, asked for outside of any, saved at once. Whoever does not get the claim uses the present token
while it lasts. The CRM's refusal is final only while nobody has signed in again meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from connector.errors import ConnectorError, ReconnectError, TryLaterError
from connector.ports import Clock
from connector.ports.crm_sign_in import CrmSignIn
from connector.store import admins, crm_grants
from connector.store.crm_grants import CrmGrant
from connector.store.db import Database
from connector.vault import Vault

log = structlog.get_logger(__name__)

EARLY = timedelta(minutes=5)
"""A token that ends sooner is renewed, while it still serves everybody who does not get to renew it."""
_LAST = timedelta(seconds=20)
"""One that ends sooner than this is used by nobody: a request may take so long."""
_LOOK_AGAIN = 0.1
_PATIENCE = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class CrmKeeper:
    """What a live token is got with. ``lease`` outlasts the time that the CRM is waited for."""

    database: Database
    vault: Vault
    client: CrmSignIn
    clock: Clock
    pause: Callable[[float], None]
    owner: Callable[[], str]
    lease: timedelta


def binding(workspace_id: str, admin_id: str, what: str) -> str:
    """The row, and the place in it, that a sealed token belongs to."""
    return f"crm_grant:{workspace_id}:{admin_id}:{what}"


def live_token(keeper: CrmKeeper, grant: CrmGrant, *, refused: str | None = None) -> str:
    """An access token that works, as far as is known. ``refused`` is one that the CRM did not accept.

    Raises ReconnectError when only a person can help, TryLaterError when the CRM is in trouble.
    """
    deadline = keeper.clock() + _PATIENCE
    while True:
        grant = _read(keeper, grant)
        token = keeper.vault.open(grant.access_sealed, bound_to=_binding(grant, "access"))
        left = grant.expires_at - keeper.clock()
        if left > EARLY and token != refused:
            return token
        if _claim_and_renew(keeper, grant, may_wait=left > _LAST and token != refused):
            continue
        if left > _LAST and token != refused:
            return token
        if keeper.clock() >= deadline:
            raise TryLaterError("The sign-in with Twenty is being renewed just now.", code="crm_grant_busy")
        keeper.pause(_LOOK_AGAIN)


def person_left(keeper: CrmKeeper, grant: CrmGrant) -> None:
    """The CRM says that this person is not of the workspace any more: nothing of theirs opens anything."""
    now = keeper.clock()
    with keeper.database.transaction() as session:
        crm_grants.end(session, grant, now)
        admins.remove(session, grant.workspace_id, grant.admin_id, now)
    log.warning("a person is no longer of the workspace", admin=grant.admin_id)


def _read(keeper: CrmKeeper, grant: CrmGrant) -> CrmGrant:
    with keeper.database.reading() as session:
        found = crm_grants.get(session, grant.workspace_id, grant.admin_id)
    if found is None or found.ended_at is not None:
        raise _over()
    return found


def _claim_and_renew(keeper: CrmKeeper, grant: CrmGrant, *, may_wait: bool) -> bool:
    """Whether the row holds another token now. ``may_wait``: the present one serves for a while still."""
    owner, now = keeper.owner(), keeper.clock()
    with keeper.database.transaction() as session:
        if not crm_grants.claim(session, grant, owner=owner, now=now, until=now + keeper.lease):
            return False
    try:
        _renew(keeper, grant)
    except TryLaterError as error:
        _release(keeper, grant, owner)
        if not may_wait:
            raise
        log.warning("the sign-in with Twenty was not renewed yet", code=error.code)
        return False
    except ReconnectError:
        _end(keeper, grant)
    except ConnectorError:
        _release(keeper, grant, owner)
        raise
    return True


def _renew(keeper: CrmKeeper, grant: CrmGrant) -> None:
    refresh = keeper.vault.open(grant.refresh_sealed, bound_to=_binding(grant, "refresh"))
    new = keeper.client.refresh(grant.token_url, grant.client_id, refresh)
    with keeper.database.transaction() as session:
        kept = crm_grants.renew(
            session,
            grant,
            access=keeper.vault.seal(new.access, bound_to=_binding(grant, "access")),
            refresh=keeper.vault.seal(new.refresh, bound_to=_binding(grant, "refresh")),
            expires_at=keeper.clock() + timedelta(seconds=new.expires_in),
        )
    log.info("the sign-in with Twenty was renewed", admin=grant.admin_id, kept=kept)


def _end(keeper: CrmKeeper, grant: CrmGrant) -> None:
    with keeper.database.transaction() as session:
        ended = crm_grants.end(session, grant, keeper.clock())
    log.warning("the sign-in with Twenty is over", admin=grant.admin_id, ended=ended)


def _release(keeper: CrmKeeper, grant: CrmGrant, owner: str) -> None:
    with keeper.database.transaction() as session:
        crm_grants.release(session, grant, owner=owner)


def _binding(grant: CrmGrant, what: str) -> str:
    return binding(grant.workspace_id, grant.admin_id, what)


def _over() -> ReconnectError:
    return ReconnectError(
        "The sign-in with Twenty is over: it was not renewed there, or was deleted here.",
        code="crm_grant",
        remedy="Sign in with Twenty again, or give an API key.",
    )
