"""The CRM's side of what is built: sessions by the right credential, and the desk at which people sign in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from connector.config import Settings
from connector.crms.twenty.client import Session, TwentyClient
from connector.crms.twenty.oauth import Client, TwentyOAuth
from connector.crms.twenty.renewing import DeputySession, RenewingSession
from connector.errors import ReconnectError
from connector.outbound import Door
from connector.store import crm_grants
from connector.store.crm_grants import CrmGrant
from connector.store.runs import Run
from connector.store.workspaces import Workspace
from connector.sync import crm_tokens
from connector.sync.crm_access import CrmDesk, SignUp
from connector.sync.crm_tokens import CrmKeeper
from connector.sync.onboarding import crm_key_binding
from connector.sync.tokens import Keeper


@dataclass(frozen=True, slots=True)
class CrmSessions:
    """Sessions of a CRM's API. The sealed credential is opened here, used, and kept nowhere else."""

    door: Door
    keeper: CrmKeeper

    def session(self, origin: str, credential: str) -> Session:
        """By a credential that is at hand."""
        return _session(self.door, origin, credential)

    def writing(self, workspace: Workspace) -> Session:
        """By the credential that writes (``credential_kind``): the API key if there is one, else a sign-in.

        Raises ReconnectError where there is neither, or none that works.
        """
        if workspace.crm_key_sealed is not None:
            binding = crm_key_binding(workspace.id)
            key = self.keeper.vault.open(workspace.crm_key_sealed, bound_to=binding)
            return self.session(workspace.crm_url, key)
        if (session := self.of_person(workspace)) is not None:
            return session
        raise ReconnectError(
            f"Nobody is signed in to the CRM of {workspace.name!r}, and there is no API key.",
            code="crm_credential",
            remedy="Sign in with Twenty, or give an API key.",
        )

    def changing(self, workspace: Workspace, admin_id: str | None) -> Session:
        """For the data model and workflows: what the key may not do, a person does who may."""
        session = self.writing(workspace)
        if workspace.crm_key_sealed is None:
            return session
        return DeputySession(session, lambda: self.of_person(workspace, admin_id))

    def of_person(self, workspace: Workspace, admin_id: str | None = None) -> Session | None:
        """By a sign-in that works: this admin's if there is one, else the latest; None without any."""
        while True:
            with self.keeper.database.reading() as session:
                grant = crm_grants.newest(session, workspace.id, prefer=admin_id)
            if grant is None:
                return None
            try:
                return self._of_grant(workspace, grant)
            except ReconnectError:  # it is over, and marked so: the next one, if there is one
                continue

    def _of_grant(self, workspace: Workspace, grant: CrmGrant) -> Session:
        return RenewingSession(
            crm_tokens.live_token(self.keeper, grant),
            open_session=partial(self.session, workspace.crm_url),
            renew=lambda refused: crm_tokens.live_token(self.keeper, grant, refused=refused),
            left=partial(crm_tokens.person_left, self.keeper, grant),
        )


def credential_kind(workspace: Workspace) -> str:
    """By what this workspace's CRM is written: ``api_key``, whose requests it counts, or ``oauth``."""
    return "oauth" if workspace.crm_key_sealed is None else "api_key"


def sessions(settings: Settings, door: Door, like: Keeper) -> CrmSessions:
    """With the same database, vault, clock and patience as Whop's tokens are kept with."""

    def open_client(origin: str, credential: str) -> TwentyClient:
        return TwentyClient(_session(door, origin, credential), pause=like.pause)

    introduced = Client("Whop to Twenty", _redirect_uri(settings))
    keeper = CrmKeeper(
        database=like.database,
        vault=like.vault,
        client=TwentyOAuth(introduced, door, open_client),
        clock=like.clock,
        pause=like.pause,
        owner=like.owner,
        lease=like.lease,
    )
    return CrmSessions(door, keeper)


def desk(settings: Settings, keeper: CrmKeeper, ring: Callable[[Run], None]) -> CrmDesk:
    """Where people sign in."""
    return CrmDesk(
        database=keeper.database,
        vault=keeper.vault,
        client=keeper.client,
        clock=keeper.clock,
        redirect_uri=_redirect_uri(settings),
        sign_up=SignUp(settings.sign_up, settings.sign_up_hosts),
        ring=ring,
    )


def _redirect_uri(settings: Settings) -> str:
    return f"{settings.public_url}/oauth/twenty/callback"


def _session(door: Door, origin: str, credential: str) -> Session:
    return door.session(origin, headers={"Authorization": f"Bearer {credential}"})
