"""A signed-in person's token: renewed by one worker, kept newest, and over only when the CRM says so."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from scene import Clock

from connector.errors import ConnectorError, ReconnectError, TryLaterError
from connector.ports import Tokens
from connector.store import admins, crm_grants, workspaces
from connector.store.crm_grants import CrmGrant
from connector.store.db import Database, in_transaction
from connector.store.workspaces import Workspace
from connector.sync import crm_tokens
from connector.sync.crm_tokens import CrmKeeper, live_token
from connector.vault import Vault
from tests.store.racing import race

MINUTE = 60.0


@dataclass
class Server:
    """Gives new tokens, or what it is told to raise; ``meanwhile`` happens while it is asked."""

    asked: list[str] = field(default_factory=list)
    error: ConnectorError | None = None
    meanwhile: Callable[[], Any] = lambda: None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def refresh(self, token_url: str, client_id: str, refresh_token: str) -> Tokens:
        assert not in_transaction()
        assert (token_url, client_id) == ("https://crm.example.com/oauth/token", "client-1")
        with self.lock:
            self.asked.append(refresh_token)
            number = len(self.asked)
        self.meanwhile()
        if self.error is not None:
            raise self.error
        return Tokens(f"access-{number}", f"refresh-{number}", 1800)


@dataclass
class Stand:
    """A workspace with one grant, and what keeps it."""

    keeper: CrmKeeper
    server: Server
    clock: Clock
    workspace: Workspace

    @property
    def grant(self) -> CrmGrant:
        with self.keeper.database.reading() as session:
            (found,) = crm_grants.of_workspace(session, self.workspace.id)
        return found

    def opened(self, what: str) -> str:
        sealed = self.grant.access_sealed if what == "access" else self.grant.refresh_sealed
        binding = crm_tokens.binding(self.workspace.id, self.grant.admin_id, what)
        return self.keeper.vault.open(sealed, bound_to=binding)

    def sign_in(self, name: str = "0") -> None:
        """The person signs in (again)."""
        database, vault, now = self.keeper.database, self.keeper.vault, self.clock()
        with database.transaction() as session:
            one = admins.vouched(session, self.workspace.id, "user-1", name="Marta", email="", now=now)
            ids = (self.workspace.id, one.id)
            access = vault.seal(f"access-{name}", bound_to=crm_tokens.binding(*ids, "access"))
            refresh = vault.seal(f"refresh-{name}", bound_to=crm_tokens.binding(*ids, "refresh"))
            at = ("https://crm.example.com/oauth/token", "client-1")
            later = now + timedelta(minutes=30)
            crm_grants.keep(session, CrmGrant(one.id, self.workspace.id, *at, access, refresh, later, now))


@pytest.fixture
def stand(database: Database) -> Stand:
    clock, server = Clock(), Server()
    vault = Vault([("k1", b"k" * 32)])
    workspace = Workspace("w", "Acme", "https://crm.example.com", "crm-1", "Acme", None, None, None, clock())
    with database.transaction() as session:
        workspaces.add(session, workspace)
    names = iter(range(1000))
    keeper = CrmKeeper(
        database=database,
        vault=vault,
        client=server,  # type: ignore[arg-type]
        clock=clock,
        pause=clock.advance,
        owner=lambda: f"owner-{next(names)}",
        lease=timedelta(minutes=2),
    )
    stand = Stand(keeper, server, clock, workspace)
    stand.sign_in()
    return stand


def test_a_token_that_lasts_is_used_as_it_is(stand: Stand) -> None:
    stand.clock.advance(24 * MINUTE)

    assert live_token(stand.keeper, stand.grant) == "access-0"
    assert stand.server.asked == []


def test_a_token_that_ends_soon_is_renewed_and_the_newest_kept(stand: Stand) -> None:
    stand.clock.advance(26 * MINUTE)

    assert live_token(stand.keeper, stand.grant) == "access-1"
    assert stand.opened("refresh") == "refresh-1"
    assert stand.grant.expires_at == stand.clock.now + timedelta(minutes=30)
    assert stand.grant.claimed_by is None


def test_a_token_that_was_refused_is_renewed_however_long_it_lasts(stand: Stand) -> None:
    assert live_token(stand.keeper, stand.grant, refused="access-0") == "access-1"


def test_what_was_refused_before_somebody_renewed_it_is_not_renewed_again(stand: Stand) -> None:
    live_token(stand.keeper, stand.grant, refused="access-0")

    assert live_token(stand.keeper, stand.grant, refused="access-0") == "access-1"
    assert stand.server.asked == ["refresh-0"]


def test_of_several_workers_one_renews_and_the_others_use_what_is_there(stand: Stand) -> None:
    stand.clock.advance(26 * MINUTE)
    grant = stand.grant

    found = race(*[lambda: live_token(stand.keeper, grant) for _ in range(4)])

    assert stand.server.asked == ["refresh-0"]
    assert set(found) <= {"access-0", "access-1"}
    assert stand.opened("access") == "access-1"


def test_a_claim_ends_with_the_death_of_its_holder(stand: Stand) -> None:
    stand.clock.advance(31 * MINUTE)
    with stand.keeper.database.transaction() as session:
        until = stand.clock.now + timedelta(seconds=5)
        assert crm_grants.claim(session, stand.grant, owner="dead", now=stand.clock.now, until=until)

    assert live_token(stand.keeper, stand.grant) == "access-1"


def test_a_claim_that_lasts_too_long_puts_the_work_off(stand: Stand) -> None:
    stand.clock.advance(31 * MINUTE)
    with stand.keeper.database.transaction() as session:
        until = stand.clock.now + timedelta(minutes=2)
        assert crm_grants.claim(session, stand.grant, owner="slow", now=stand.clock.now, until=until)

    with pytest.raises(TryLaterError) as caught:
        live_token(stand.keeper, stand.grant)
    assert caught.value.code == "crm_grant_busy"


def test_a_crm_in_trouble_is_borne_while_the_token_lasts(stand: Stand) -> None:
    stand.server.error = TryLaterError("down", code="crm_unavailable")
    stand.clock.advance(26 * MINUTE)
    meanwhile = live_token(stand.keeper, stand.grant)
    stand.clock.advance(5 * MINUTE)

    with pytest.raises(TryLaterError):
        live_token(stand.keeper, stand.grant)

    assert meanwhile == "access-0"
    assert stand.grant.ended_at is None
    assert stand.grant.claimed_by is None


def test_a_refused_renewal_ends_the_grant(stand: Stand) -> None:
    stand.server.error = ReconnectError("gone", code="crm_grant")
    stand.clock.advance(31 * MINUTE)

    with pytest.raises(ReconnectError):
        live_token(stand.keeper, stand.grant)

    assert stand.grant.ended_at == stand.clock.now
    with stand.keeper.database.reading() as session:
        assert crm_grants.newest(session, stand.workspace.id) is None


def test_a_refusal_does_not_end_what_somebody_granted_meanwhile(stand: Stand) -> None:
    stand.server.error = ReconnectError("gone", code="crm_grant")
    stand.server.meanwhile = lambda: stand.sign_in("new")
    stand.clock.advance(31 * MINUTE)

    assert live_token(stand.keeper, stand.grant) == "access-new"
    assert stand.grant.ended_at is None


def test_a_renewal_does_not_overwrite_what_somebody_granted_meanwhile(stand: Stand) -> None:
    stand.server.meanwhile = lambda: stand.sign_in("new")
    stand.clock.advance(31 * MINUTE)

    assert live_token(stand.keeper, stand.grant) == "access-new"
    assert stand.opened("refresh") == "refresh-new"


def test_what_was_deleted_opens_nothing(stand: Stand) -> None:
    grant = stand.grant
    with stand.keeper.database.transaction() as session:
        crm_grants.remove(session, stand.workspace.id, grant.admin_id)

    with pytest.raises(ReconnectError):
        live_token(stand.keeper, grant)
    assert stand.server.asked == []


def test_of_a_person_who_left_nothing_is_kept_alive(stand: Stand) -> None:
    crm_tokens.person_left(stand.keeper, stand.grant)

    assert stand.grant.ended_at is not None
    with stand.keeper.database.reading() as session:
        (one,) = admins.of_workspace(session, stand.workspace.id)
    assert one.removed_at == stand.clock.now


def test_a_token_sealed_for_one_person_does_not_open_for_another(stand: Stand) -> None:
    stolen = replace(stand.grant, admin_id="somebody-else")

    with pytest.raises(ConnectorError):
        stand.keeper.vault.open(
            stolen.access_sealed, bound_to=crm_tokens.binding(stand.workspace.id, "somebody-else", "access")
        )
