"""The only place that knows which class fills which port. Cheap, no I/O, callable twice in one process."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from redis import Redis

from connector import budget, config, jobqueue, logs
from connector.bootstrap import acting, alerting, crm, outside
from connector.bootstrap.crm_openers import CrmOpeners
from connector.bootstrap.files import workspace_files
from connector.budget import BRISK, Budgets, Terms
from connector.cache import Cache
from connector.config import Settings
from connector.errors import ReconnectError, SettingError
from connector.outbound import Door
from connector.ports import Budget, Lane, Reader
from connector.ports.acts import SourceActs
from connector.ports.chats import Chats
from connector.ports.crm_sign_in import CrmKey
from connector.ports.hooks import HookKeeper
from connector.sources.whop import Session, budgeted, hooking, payloads, scopes
from connector.sources.whop.acting import WhopActs
from connector.sources.whop.budgeted import BudgetedSession
from connector.sources.whop.chatting import WhopChats
from connector.sources.whop.hooking import WhopHooks
from connector.sources.whop.oauth import WhopOAuth
from connector.sources.whop.reader import WhopReader
from connector.sources.whop.remembered import Remembered
from connector.sources.whop.renewing import RenewingSession
from connector.sources.whop.vocabulary import NewWords
from connector.store.connections import Connection
from connector.store.db import Database
from connector.sync import mirror, tokens
from connector.sync.act_endings import ActDesk
from connector.sync.alerting import AlertDesk
from connector.sync.asking import AskDesk
from connector.sync.connecting import Desk
from connector.sync.conversing import TalkDesk
from connector.sync.crm_access import CrmDesk
from connector.sync.hooking import HookDesk
from connector.sync.onboarding import secret_binding
from connector.sync.pruning import Janitor, Keeping
from connector.sync.tools import Tools
from connector.vault import Vault

_SLACK = timedelta(seconds=60)
_BLOCK_RECORDS = 2_000  # what one look-up of the CRM covers: some 0.4 s there, and two seconds of work here


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything built. Doors hold it; inner functions are given only what they use."""

    settings: Settings
    database: Database
    redis: Redis
    bell: jobqueue.QuickBell
    budgets: Budgets
    vault: Vault
    door: Door
    openers: Openers
    tools: Tools
    desk: Desk
    crm_desk: CrmDesk
    hooks: HookDesk
    alerts: AlertDesk
    acts: ActDesk
    janitor: Janitor
    asks: AskDesk
    talks: TalkDesk

    def check_crm_key(self, origin: str, key: str) -> CrmKey:
        """What a key opens at the server behind this address, and what it may not do of what is needed."""
        server = self.crm_desk.client.find(origin)
        return self.crm_desk.client.key(server.origin, key, self.tools.mappings.shipped.mappings)

    def close(self) -> None:
        """Give back connections and files."""
        self.database.close()
        self.door.close()
        self.bell.close()
        self.budgets.close()
        self.redis.close()


def clock() -> datetime:
    """The present moment in UTC."""
    return datetime.now(UTC)


def from_environment(
    environ: Mapping[str, str] = os.environ, *, pause: Callable[[float], None] = time.sleep
) -> Parts:
    """Everything, from the environment and .env. Raises SettingError and MappingFileError."""
    settings = config.load(config.environment(environ, Path(".env")))
    logs.configure(settings.log_level, settings.log_format)
    return build(settings, pause=pause)


def build(
    settings: Settings,
    *,
    pause: Callable[[float], None] = time.sleep,
    tick: Callable[[], float] = time.monotonic,
) -> Parts:
    """Join ports and adapters. Raises MappingFileError for mapping files that do not load."""
    if not settings.redis_url:
        raise SettingError(["REDIS_URL: expected the address of a Redis server; `flask up` starts one."])
    door = outside.door(settings)
    database = Database(settings.database_url)
    redis = jobqueue.connect(settings.redis_url)
    vault = Vault(settings.token_encryption_keys)
    files = workspace_files(database, settings.mappings_dir, settings.mapping_recipes)
    client = WhopOAuth(outside.app(settings), door, lambda token: outside.whop(settings, door, token))
    keeper = _keeper(settings, database, vault, client, pause)
    quick = budget.client(settings.redis_url)
    budgets = Budgets(quick, pause=pause, tick=tick)
    crm_sessions = crm.sessions(settings, door, keeper)
    cache = Cache(quick, tick)
    openers = Openers(
        settings, pause, budgets, crm_sessions, door=door, vault=vault, keeper=keeper, cache=cache
    )
    tools = Tools(
        database=database,
        mappings=files,
        clock=clock,
        queue=jobqueue.RqBell(redis),
        block_pages=_BLOCK_RECORDS // settings.whop_sync_batch_size or 1,
        open_reader=openers.reader,
        open_writer=openers.writer,
        open_noter=openers.noter,
        open_schema=openers.schema,
        every=_every(settings),
        automations=acting.automations(settings.automations_dir),
        hear=payloads.heard,
    )
    desk = Desk(
        database=database,
        vault=vault,
        client=client,
        clock=clock,
        redirect_uri=settings.whop_redirect_uri,
        asked=lambda workspace_id: scopes.asked(scopes.needed(files.of(workspace_id))),
        open_reader=openers.approved_reader,
        open_keyed=openers.reader_for,
    )
    bell = jobqueue.QuickBell(settings.redis_url)
    crm_desk = crm.desk(settings, crm_sessions.keeper, partial(mirror.ring, tools))
    hooks = _hook_desk(settings, database, vault, openers)
    told = alerting.desk(settings, database, vault, door, clock)
    lower = (settings, database, redis, bell, budgets, vault, door)
    acts = acting.desk(tools, openers.acts, told, openers.requests)
    asks = acting.ask_desk(tools, vault, openers, settings.public_url)
    janitor = _janitor(settings, database)
    talks = acting.talk_desk(tools, openers.chats)
    return Parts(*lower, openers, tools, desk, crm_desk, hooks, told, acts, janitor, asks, talks)


def _janitor(settings: Settings, database: Database) -> Janitor:
    kept = (
        settings.retention_undo_days,
        settings.retention_log_days,
        settings.retention_event_days,
        settings.retention_audit_days,
        settings.retention_mapping_days,
    )
    return Janitor(database, clock, Keeping(*(timedelta(days=days) for days in kept)))


def _every(settings: Settings) -> timedelta | None:
    """The time between two syncs by the clock, as long as the operator lets there be any."""
    minutes = timedelta(minutes=settings.whop_sync_interval_minutes)
    return minutes if settings.whop_sync_enabled else None


def _keeper(
    settings: Settings,
    database: Database,
    vault: Vault,
    client: WhopOAuth,
    pause: Callable[[float], None],
) -> tokens.Keeper:
    lease = timedelta(seconds=settings.http_connect_timeout_seconds + settings.http_read_timeout_seconds)
    return tokens.Keeper(
        database=database,
        vault=vault,
        client=client,
        clock=clock,
        pause=pause,
        owner=lambda: uuid.uuid4().hex,
        lease=lease + _SLACK,  # longer than anybody is waited for
    )


def _hook_desk(settings: Settings, database: Database, vault: Vault, openers: Openers) -> HookDesk:
    return HookDesk(
        database=database,
        vault=vault,
        clock=clock,
        open_keeper=openers.hooks,
        wanted=hooking.wanted,
        public_url=settings.public_url,
        reachable=hooking.reaches(settings.public_url, settings.whop_api_url),
    )


@dataclass(frozen=True, slots=True)
class Openers(CrmOpeners):
    """Adapters out of rows: the sealed credential is opened here, used, and kept nowhere else."""

    door: Door
    vault: Vault
    keeper: tokens.Keeper
    cache: Cache
    new_words: NewWords = field(default_factory=NewWords)

    def reader(self, connection: Connection, lane: Lane = "full") -> Reader:
        """The source side of a connection. Raises ReconnectError when it was disconnected."""
        return self._connected_reader(self._session(connection), connection, lane)

    def acts(self, connection: Connection) -> SourceActs:
        """What changes something on Whop. Raises as ``reader``."""
        session = self._budgeted(self._session(connection), connection, "webhook")
        of_person = connection.auth == "oauth"
        reader = WhopReader(session, company_id=connection.company_id, of_person=of_person)
        return WhopActs(session, reader, connection.company_id)

    def chats(self, connection: Connection) -> Chats:
        """What is written in the chats of a company on Whop. Raises as ``reader``."""
        return WhopChats(self._budgeted(self._session(connection), connection, "incremental"))

    def hooks(self, connection: Connection) -> HookKeeper:
        """What looks after the webhooks of a connection by API key. Raises as ``reader``."""
        return WhopHooks(
            self._budgeted(self._keyed(connection), connection, "incremental"), connection.company_id
        )

    def _keyed(self, connection: Connection) -> Session:
        if connection.secret_sealed is None:
            raise ReconnectError("This connection was disconnected.", code="whop_disconnected")
        binding = secret_binding(connection.workspace_id, connection.id)
        return self._whop(self.vault.open(connection.secret_sealed, bound_to=binding))

    def reader_for(self, key: str, company_id: str | None) -> Reader:
        """The source side for a credential that is not kept yet."""
        return self._whop_reader(self._whop(key), company_id)

    def approved_reader(self, token: str, company_id: str) -> Reader:
        """The source side for an access token that is not kept yet."""
        return self._whop_reader(self._whop(token), company_id, of_person=True)

    def _session(self, connection: Connection) -> Session:
        """Its access token is renewed when it is about to end, or when Whop refuses it under way."""
        if connection.auth != "oauth":
            return self._keyed(connection)
        return RenewingSession(
            tokens.live_token(self.keeper, connection),
            open_session=self._whop,
            renew=lambda refused: tokens.live_token(self.keeper, connection, refused=refused),
            shut_out=lambda token: tokens.shut_out(self.keeper, connection, token),
        )

    def _whop(self, credential: str) -> Session:
        return outside.whop(self.settings, self.door, credential)

    def _budgeted(self, session: Session, connection: Connection, lane: Lane) -> Session:
        """Whop counts by credential and operation; a connection has one credential at a time."""

        requests = self.settings.whop_requests_per_minute
        terms = Terms("Whop", code="source_rate", limits=budgeted.limits(requests), lanes=BRISK)

        def budget_of(operation: str) -> Budget:  # another limit begins anew: what is kept knows the old one
            return self.budgets.tokens(f"whop:{requests}:{connection.id}:{operation}", terms, lane)

        return BudgetedSession(session, budget_of)

    def _connected_reader(self, session: Session, connection: Connection, lane: Lane) -> Reader:
        return WhopReader(
            self._budgeted(session, connection, lane),
            company_id=connection.company_id,
            page_size=self.settings.whop_sync_batch_size,
            of_person=connection.auth == "oauth",
            new_words=self.new_words,
            remembered=Remembered(self.cache, connection.id),
        )

    def _whop_reader(self, session: Session, company_id: str | None, *, of_person: bool = False) -> Reader:
        size = self.settings.whop_sync_batch_size
        return WhopReader(session, company_id=company_id, page_size=size, of_person=of_person)
