"""Our webhook at the source, with a credential that may look after it: registered, kept right, removed.

A look is claimed by the connection's row, so that two workers never register two. A look that dies on the
way is made again: a webhook whose secret was not kept is one that we do not know, and is removed.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import structlog

from connector.core.hooking import Wanted, mend
from connector.core.outcomes import as_json
from connector.errors import ConnectorError, RefusedError, TryLaterError
from connector.ports import Clock
from connector.ports.hooks import HookKeeper, MadeHook
from connector.store import audit, connections, conversations, hooks, overview, registrations
from connector.store.audit import NewEvent
from connector.store.connections import Connection
from connector.store.db import Database, Session
from connector.store.hooks import HookSecret
from connector.store.registrations import Registration
from connector.sync import comparing, returning
from connector.vault import Vault

log = structlog.get_logger(__name__)

GRACE: Final = timedelta(days=1)
"""How long an older secret is still accepted beside a newer one."""

#: Longer than the requests of one look can take.
_LEASE: Final = timedelta(minutes=10)
_EVERY: Final = timedelta(hours=1)
_AFTER_TROUBLE: Final = timedelta(minutes=2)
_AFTER_REFUSAL: Final = timedelta(minutes=10)
_TO_GO_ON: Final = timedelta(seconds=30)
_CAUGHT_UP: Final = "After the webhook was off"


class WantedFor(Protocol):
    """What a webhook that delivers to an address should be; with what is written in ``chats``, or not."""

    def __call__(self, url: str, *, chats: bool = False) -> Wanted: ...


@dataclass(frozen=True, slots=True)
class HookDesk:
    """What webhooks are looked after with.

    ``wanted`` says what a webhook that delivers to an address should be, ``reachable`` whether the source
    can deliver to ``public_url`` at all.
    """

    database: Database
    vault: Vault
    clock: Clock
    open_keeper: Callable[[Connection], HookKeeper]
    wanted: WantedFor
    public_url: str
    reachable: bool

    def address(self, connection_id: str) -> str:
        """Where the source delivers a connection's events."""
        return f"{self.public_url}/webhooks/whop/{connection_id}"


@dataclass(frozen=True, slots=True)
class _Look:
    """One look after one webhook, under way."""

    desk: HookDesk
    connection: Connection
    keeper: HookKeeper
    owner: str

    def keep(self, registration: Registration, **values: Any) -> Registration:
        """Remember these at once. Raises TryLaterError when somebody else has taken over."""
        with self.desk.database.transaction() as session:
            return self.keep_in(session, registration, values)

    def keep_in(
        self, session: Session, registration: Registration, values: Mapping[str, Any]
    ) -> Registration:
        """The same, in a transaction of the caller's."""
        ids = (registration.workspace_id, registration.connection_id)
        if not registrations.keep(session, *ids, owner=self.owner, values=values):
            raise TryLaterError("Another worker looks after this webhook.", code="hook_busy")
        return replace(registration, **values)


def sweep(desk: HookDesk, *, owner: str) -> int:
    """Look after every webhook whose time has come; how many."""
    with desk.database.reading() as session:
        found = registrations.due(session, desk.clock())
    return sum(_look_after(desk, *ids, owner=owner) for ids in found)


def _look_after(desk: HookDesk, workspace_id: str, connection_id: str, *, owner: str) -> bool:
    try:
        with _leased(desk, workspace_id, connection_id, owner=owner, comparing_too=True):
            return True
    except ConnectorError as error:
        log.warning("a webhook could not be looked after", connection=connection_id, code=error.code)
        return False


def check(desk: HookDesk, workspace_id: str, connection_id: str, *, owner: str) -> Registration:
    """Look after one webhook now; how it stands. Raises what stands in the way, which is kept too."""
    with _leased(desk, workspace_id, connection_id, owner=owner) as (_, registration):
        return registration


def switch_on(desk: HookDesk, workspace_id: str, connection_id: str, *, owner: str) -> None:
    """Have it deliver again, as an admin wants it. What happened meanwhile is not delivered later, so a full
    sync is queued. Raises as ``check``."""
    with _leased(desk, workspace_id, connection_id, owner=owner) as (look, registration):
        if registration.hook_id is None:
            return
        hook = look.keeper.switch_on(registration.hook_id)
        with desk.database.transaction() as session:
            look.keep_in(session, registration, registrations.state_of(hook))
            returning.catch_up(session, workspace_id, connection_id, desk.clock(), why=_CAUGHT_UP)


def test(desk: HookDesk, connection: Connection, event: str) -> int | None:
    """Have the source deliver a sample now: what we answered, None where it did not reach us.

    Raises RefusedError where there is no webhook of ours.
    """
    with desk.database.reading() as session:
        known = registrations.get(session, connection.workspace_id, connection.id)
    if known is None or known.hook_id is None:
        raise RefusedError("No webhook is registered.", code="whop_hook_scope")
    return _opened(desk, connection).test(known.hook_id, event)


def remove(desk: HookDesk, connection: Connection) -> None:
    """Take our webhook away from the source before its credential is forgotten. A failure is logged and no
    more: what it still delivers is refused, and the source gives it up."""
    ids = (connection.workspace_id, connection.id)
    with desk.database.reading() as session:
        known = registrations.get(session, *ids)
    if known is None:
        return
    if known.hook_id is not None:
        try:
            desk.open_keeper(connection).remove(known.hook_id)
        except ConnectorError as error:
            log.warning("the webhook was not removed at Whop", connection=connection.id, code=error.code)
    with desk.database.transaction() as session:
        registrations.forget(session, *ids)
        if known.secret_id is not None:
            hooks.drop_secret(session, *ids, known.secret_id)


@contextmanager
def _leased(
    desk: HookDesk, workspace_id: str, connection_id: str, *, owner: str, comparing_too: bool = False
) -> Iterator[tuple[_Look, Registration]]:
    """Claim the webhook, bring it in line, do what is inside, and give it back with when to look next."""
    now, ids = desk.clock(), (workspace_id, connection_id)
    with desk.database.transaction() as session:
        found = registrations.lease(session, *ids, owner=owner, now=now, until=now + _LEASE)
        connection = connections.get(session, *ids)
    if found is None:
        raise TryLaterError("The webhook is being looked after just now.", code="hook_busy")
    error: ConnectorError | None = None
    wait = _EVERY
    try:
        look = _Look(desk, connection, _opened(desk, connection), owner)
        registration = _bring_in_line(look, found)
        yield look, registration
        if comparing_too and comparing.compare(desk.database, look.keeper, registration, look.keep, now):
            wait = _TO_GO_ON
    except ConnectorError as problem:
        error, wait = problem, _wait(problem)
        raise
    finally:
        due_at = desk.clock() + wait
        with desk.database.transaction() as session:
            registrations.release(session, *ids, owner=owner, now=now, due_at=due_at, error=as_json(error))


def _wait(error: ConnectorError) -> timedelta:
    if isinstance(error, TryLaterError):
        return timedelta(seconds=error.after) if error.after else _AFTER_TROUBLE
    return _AFTER_REFUSAL


def _opened(desk: HookDesk, connection: Connection) -> HookKeeper:
    if connection.auth != "api_key":
        raise RefusedError(
            "What was approved on Whop does not allow to look after webhooks.",
            code="whop_hook_scope",
            remedy="Set the webhook up by hand, or connect with an API key.",
        )
    if not desk.reachable:
        raise RefusedError(
            f"Whop cannot deliver to {desk.public_url}: it takes public https addresses only.",
            code="webhook_address",
            remedy="Put the connector under a public https address and name it in PUBLIC_URL.",
        )
    with desk.database.reading() as session:
        agreed = overview.ever_synced(session, connection.workspace_id, connection.id)
    if not agreed:
        raise RefusedError(
            "No sync has begun yet, so nobody has agreed to what events would make in the CRM.",
            code="hook_early",
            remedy="Start the first sync.",
        )
    return desk.open_keeper(connection)


def _bring_in_line(look: _Look, known: Registration) -> Registration:
    """One webhook of ours, and it is as it should be. One that Whop disabled stays so until a person says
    otherwise."""
    with look.desk.database.reading() as session:
        chats = conversations.any_on(session, known.workspace_id, known.connection_id)
    wanted = look.desk.wanted(look.desk.address(known.connection_id), chats=chats)
    plan = mend(look.keeper.hooks(), known.hook_id if _has_secret(look, known) else None, wanted)
    hook = plan.keep
    if plan.make:
        made = look.keeper.make(wanted)
        known, hook = _remember(look, known, made, retire_all=bool(plan.remove)), made.hook
    elif hook is not None and plan.changes:
        hook = look.keeper.change(hook.id, wanted, plan.changes)
        _record(look, "webhook_mended", changed=", ".join(plan.changes))
    for id_ in plan.remove:
        look.keeper.remove(id_)
        log.info("a webhook that is not ours was removed at Whop", hook=id_, connection=known.connection_id)
    return look.keep(known, **registrations.state_of(hook)) if hook is not None else known


def _has_secret(look: _Look, known: Registration) -> bool:
    """Whether its secret is there to stay. One that an admin ended or took back is renewed with its webhook:
    Whop tells it only when it makes one."""
    with look.desk.database.reading() as session:
        found = hooks.secrets(session, known.workspace_id, known.connection_id)
    return any(one.id == known.secret_id and one.retires_at is None for one in found)


def _remember(look: _Look, known: Registration, made: MadeHook, *, retire_all: bool) -> Registration:
    """Its secret, and which it is: in one transaction, right after Whop told it."""
    now, ids = look.desk.clock(), (known.workspace_id, known.connection_id)
    new = sealed(look.desk.vault, *ids, "standard", made.secret, now)
    with look.desk.database.transaction() as session:
        hooks.add_secret(session, new)
        if retire_all:
            hooks.retire_others(session, *ids, new.id, at=now + GRACE)
        elif known.secret_id is not None:
            hooks.retire(session, *ids, known.secret_id, at=now + GRACE)
        values = registrations.state_of(made.hook) | {
            "secret_id": new.id,
            "registered_at": now,
            "compared_until": None,
            "cursor": None,
            "newest": None,
        }
        registration = look.keep_in(session, known, values)
        audit.record(session, _event(look, "webhook_registered", now))
    log.info("a webhook was registered at Whop", hook=made.hook.id, connection=known.connection_id)
    return registration


def secret_binding(workspace_id: str, connection_id: str) -> str:
    """The row a sealed webhook secret belongs to."""
    return f"connection:{workspace_id}:{connection_id}:webhook"


def sealed(
    vault: Vault, workspace_id: str, connection_id: str, scheme: str, plain: str, now: datetime
) -> HookSecret:
    """A webhook secret as it is kept."""
    kept = vault.seal(plain, bound_to=secret_binding(workspace_id, connection_id))
    return HookSecret(str(uuid.uuid4()), workspace_id, connection_id, scheme, kept, now)


def _record(look: _Look, what: str, **about: str) -> None:
    with look.desk.database.transaction() as session:
        audit.record(session, _event(look, what, look.desk.clock(), **about))


def _event(look: _Look, what: str, now: datetime, **about: str) -> NewEvent:
    one = look.connection
    told = {"company": one.company_title or one.company_id, "connection": one.id, **about}
    return NewEvent(what, now, workspace_id=one.workspace_id, about=told)
