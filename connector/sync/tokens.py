"""A credential of a connection that works now. An API key is one for ever; an access token for an hour.

Whop gives a new refresh token with each refresh and the old one ends, so two workers who refresh at once
would lock each other out. Hence: claim and note the intent in a short transaction, ask Whop outside of any,
save at once in another. The claim ends by itself when its holder dies, and the next finds the note:

    dies before the note      nothing happened; the next renews
    dies before the request   the next tries the old token, which works
    dies before the save      the next tries the old token, is refused, and ends the connection as
                              ``whop_refresh_lost``: only a person can approve again
    dies after the save       the next uses the new token
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from connector.errors import ConnectorError, ReconnectError, TryLaterError
from connector.ports import Clock, TokenClient, Tokens
from connector.store import connections, grants, leases
from connector.store.connections import Connection
from connector.store.db import Database, Unavailable
from connector.store.grants import Grant, Renewed, Turn
from connector.sync.onboarding import secret_binding
from connector.vault import Vault

log = structlog.get_logger(__name__)

MARGIN = timedelta(seconds=60)
"""A token that ends sooner is renewed before it is used."""

_LOOK_AGAIN = 0.1
_PATIENCE = timedelta(seconds=20)
_SAVES = 5


@dataclass(frozen=True, slots=True)
class Keeper:
    """What a live token is got with. ``pause`` waits some seconds; ``owner`` makes a name for a claim.

    ``lease`` is how long a claim lasts: longer than Whop is waited for, so that nobody else uses the same
    refresh token while its holder still waits.
    """

    database: Database
    vault: Vault
    client: TokenClient
    clock: Clock
    pause: Callable[[float], None]
    owner: Callable[[], str]
    lease: timedelta


def refresh_binding(workspace_id: str, connection_id: str) -> str:
    """The row a sealed refresh token belongs to."""
    return f"connection:{workspace_id}:{connection_id}:refresh"


def live_token(keeper: Keeper, connection: Connection, *, refused: str | None = None) -> str:
    """The API key, or an access token that lasts for another minute at least, renewed where need be.

    ``refused`` is a token that Whop did not accept, however long it should last. Raises ReconnectError when
    only a person can help (the connection is then marked expired), TryLaterError when Whop, or whoever is
    renewing it at this moment, does not get on with it.
    """
    deadline = keeper.clock() + _PATIENCE
    while True:
        connection = _read(keeper, connection)
        if (token := _good(keeper, connection, refused)) is not None:
            return token
        if _claim_and_renew(keeper, connection):
            continue
        if keeper.clock() >= deadline:
            raise TryLaterError("The access to Whop is being renewed just now.", code="whop_refresh_busy")
        keeper.pause(_LOOK_AGAIN)


def _read(keeper: Keeper, connection: Connection) -> Connection:
    with keeper.database.reading() as session:
        return connections.get(session, connection.workspace_id, connection.id)


def _good(keeper: Keeper, connection: Connection, refused: str | None) -> str | None:
    """The credential as it is kept, if it may be used."""
    if connection.secret_sealed is None:
        raise ReconnectError("This connection was disconnected.", code="whop_disconnected")
    binding = secret_binding(connection.workspace_id, connection.id)
    token = keeper.vault.open(connection.secret_sealed, bound_to=binding)
    if connection.auth != "oauth":
        return token
    may = connection.status == "active" or connection.ended_code in connections.MAY_COME_BACK
    if not may or connection.refresh_sealed is None:
        raise _gone(connection.ended_code)
    lasts = connection.expires_at is not None and connection.expires_at - keeper.clock() > MARGIN
    return token if lasts and token != refused else None


def _claim_and_renew(keeper: Keeper, connection: Connection) -> bool:
    """Whether it was our turn; the row then holds a token that was not there before."""
    if connection.refresh_sealed is None:
        raise _gone(connection.ended_code)
    grant = Grant(connection.workspace_id, connection.id, connection.refresh_sealed)
    owner, now = keeper.owner(), keeper.clock()
    if not leases.is_over(connection.refresh_claimed_until, now):
        return False  # seen without writing: fifty who wait ask the database ten times a second each
    with keeper.database.transaction() as session:
        turn = grants.claim(session, grant, owner=owner, now=now, until=now + keeper.lease)
    if turn is None:
        return False
    _renew(keeper, connection, grant, owner, turn)
    return True


def _renew(keeper: Keeper, connection: Connection, grant: Grant, owner: str, turn: Turn) -> None:
    """Ask Whop, once. Where an earlier answer was lost, the old token is tried all the same: it still works
    if that request never arrived, and if it did, nothing is made worse."""
    binding = refresh_binding(grant.workspace_id, grant.connection_id)
    if turn.asked_at is not None:
        log.warning("a renewal was begun and its end is not known", connection=connection.id)
    try:
        refresh = keeper.vault.open(grant.refresh_sealed, bound_to=binding)
        tokens = keeper.client.refresh(refresh, company_id=connection.asked_company_id)
    except ReconnectError as error:
        if error.code in connections.MAY_COME_BACK:  # the refresh token was not looked at
            _end(keeper, grant, error.code, asked_at=turn.asked_at)
        else:
            _end(keeper, grant, "whop_grant" if turn.asked_at is None else "whop_refresh_lost")
        return
    except ConnectorError as error:
        log.warning("the access to Whop was not renewed", connection=connection.id, code=error.code)
        with keeper.database.transaction() as session:
            unused = None if error.code == "whop_refresh_unanswered" else turn
            grants.release(session, grant, owner=owner, turn=unused)
        raise
    # From here on the old refresh token is of no use: the new one is saved before anything else.
    new = sealed(keeper.vault, connection, tokens, keeper.clock())
    kept = _save(keeper, grant, new)
    log.info("the access to Whop was renewed", connection=connection.id, kept=kept)
    if not kept:  # disconnected or connected again meanwhile: nobody will ever use these
        revoke(keeper.client, tokens.refresh)


def _save(keeper: Keeper, grant: Grant, new: Renewed) -> bool:
    """A database that blinks at this very moment would cost the admin a new approval: it gets some tries."""
    for _ in range(_SAVES - 1):
        try:
            with keeper.database.transaction() as session:
                return grants.renew(session, grant, new)
        except Unavailable as error:
            log.warning("the renewed access could not be saved", error=type(error).__name__)
            keeper.pause(_LOOK_AGAIN)
    with keeper.database.transaction() as session:
        return grants.renew(session, grant, new)


def sealed(vault: Vault, connection: Connection, tokens: Tokens, now: datetime) -> Renewed:
    """Tokens as they are kept: each bound to its row and its place in it."""
    ids = (connection.workspace_id, connection.id)
    return Renewed(
        secret_sealed=vault.seal(tokens.access, bound_to=secret_binding(*ids)),
        refresh_sealed=vault.seal(tokens.refresh, bound_to=refresh_binding(*ids)),
        expires_at=now + timedelta(seconds=tokens.expires_in),
    )


def _end(keeper: Keeper, grant: Grant, code: str, *, asked_at: datetime | None = None) -> None:
    """The grant is of no use, unless others put a new one in its place while Whop was asked."""
    with keeper.database.transaction() as session:
        ended = grants.expire(session, grant, code=code, now=keeper.clock(), asked_at=asked_at)
    if ended:
        log.warning("the access to Whop ended", connection=grant.connection_id, code=code)
        raise _gone(code)


def shut_out(keeper: Keeper, connection: Connection, token: str) -> None:
    """Whop refuses a token that was renewed just now: the connection is expired, if the token is still its
    own."""
    connection = _read(keeper, connection)
    if connection.secret_sealed is None or connection.refresh_sealed is None:
        return
    binding = secret_binding(connection.workspace_id, connection.id)
    if keeper.vault.open(connection.secret_sealed, bound_to=binding) == token:
        grant = Grant(connection.workspace_id, connection.id, connection.refresh_sealed)
        _end(keeper, grant, "whop_shut_out")


def withdraw(keeper: Keeper, connection: Connection) -> None:
    """Tell the source that the grant is over, before the row forgets it. A failure is logged and no more."""
    if connection.refresh_sealed is None:
        return
    binding = refresh_binding(connection.workspace_id, connection.id)
    try:
        refresh = keeper.vault.open(connection.refresh_sealed, bound_to=binding)
    except ConnectorError as error:
        log.warning("the approval was not withdrawn on Whop", connection=connection.id, code=error.code)
    else:
        revoke(keeper.client, refresh)


def revoke(client: TokenClient, refresh_token: str) -> None:
    """End a grant that nobody is to use any more. A failure is logged and no more."""
    try:
        client.revoke(refresh_token)
    except ConnectorError as error:
        log.warning("an approval was not withdrawn on Whop", code=error.code)


_ENDS: Mapping[str, str] = {
    "whop_grant": "Whop no longer accepts what was approved: it was withdrawn there.",
    "whop_refresh_lost": "The answer to a renewal of the access was lost on its way, and Whop gives it once.",
    "whop_shut_out": "Whop no longer lets us in with what was approved.",
    "whop_app": "Whop does not let this connector's app in: it was suspended or removed there.",
}


def _gone(code: str | None) -> ReconnectError:
    why = code if code is not None and code in _ENDS else "whop_grant"
    return ReconnectError(
        _ENDS[why], code=why, remedy="Connect the company again; everything that was synced stays."
    )
