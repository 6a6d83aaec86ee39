"""The only place that knows which class fills which port. Cheap, no I/O, callable twice in one process."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from redis import Redis

from connector import __version__, config, jobqueue, logs
from connector.config import Settings
from connector.crms.twenty.client import TwentyClient
from connector.crms.twenty.fields import CATALOGUE as CRM
from connector.crms.twenty.schema import TwentySchema
from connector.crms.twenty.writer import TwentyWriter
from connector.errors import ReconnectError, SettingError
from connector.mapping_files import MappingSet, load_all
from connector.outbound import AllowList, Door, OutboundSession
from connector.ports import Reader, SchemaKeeper, Writer
from connector.sources.whop import headers
from connector.sources.whop.catalogue import CATALOGUE as WHOP
from connector.sources.whop.reader import WhopReader
from connector.store.connections import Connection
from connector.store.db import Database, in_transaction
from connector.store.workspaces import Workspace
from connector.sync.mirror import Tools
from connector.sync.onboarding import crm_key_binding, secret_binding
from connector.vault import Vault

SHIPPED_MAPPINGS = Path(__file__).parent.parent / "mappings"


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything built. Doors hold it; inner functions are given only what they use."""

    settings: Settings
    database: Database
    redis: Redis
    vault: Vault
    door: Door
    mappings: MappingSet
    openers: Openers
    tools: Tools

    def close(self) -> None:
        """Give back connections and files."""
        self.database.close()
        self.door.close()
        self.redis.close()


def clock() -> datetime:
    """The present moment in UTC."""
    return datetime.now(UTC)


def mappings(directory: str) -> MappingSet:
    """The mapping files of a folder, or the shipped ones. Raises MappingFileError naming every mistake."""
    return load_all(Path(directory or SHIPPED_MAPPINGS), WHOP, CRM)


def from_environment(environ: Mapping[str, str] = os.environ) -> Parts:
    """Everything, from the environment and .env. Raises SettingError and MappingFileError."""
    settings = config.load(config.environment(environ, Path(".env")))
    logs.configure(settings.log_level, settings.log_format)
    return build(settings)


def build(settings: Settings, *, pause: Callable[[float], None] = time.sleep) -> Parts:
    """Join ports and adapters. Raises MappingFileError for mapping files that do not load."""
    if not settings.redis_url:
        raise SettingError(["REDIS_URL: expected the address of a Redis server; `flask up` starts one."])
    door = Door(
        connect_timeout=settings.http_connect_timeout_seconds,
        read_timeout=settings.http_read_timeout_seconds,
        allowed_private=AllowList.of(settings.allowed_private_hosts),
        ca_file=settings.tls_ca_file or None,
        user_agent=f"whop-twenty-connector/{__version__}",
        correlation_id=logs.current_correlation_id,
        in_transaction=in_transaction,
    )
    database = Database(settings.database_url)
    redis = jobqueue.connect(settings.redis_url)
    vault = Vault(settings.token_encryption_keys)
    loaded = mappings(settings.mappings_dir)
    openers = Openers(settings, door, vault, pause)
    tools = Tools(
        database=database,
        mappings=tuple(loaded),
        mapping_version=loaded.version,
        clock=clock,
        queue=jobqueue.RqBell(redis),
        page_size=settings.whop_sync_batch_size,
        open_reader=openers.reader,
        open_writer=openers.writer,
        open_schema=openers.schema,
    )
    return Parts(settings, database, redis, vault, door, loaded, openers, tools)


@dataclass(frozen=True, slots=True)
class Openers:
    """Adapters out of rows: the sealed credential is opened here, used, and kept nowhere else."""

    settings: Settings
    door: Door
    vault: Vault
    pause: Callable[[float], None]

    def reader(self, connection: Connection) -> Reader:
        """The source side of a connection. Raises ReconnectError when it was disconnected."""
        if connection.secret_sealed is None:
            raise ReconnectError("This connection was disconnected.", code="whop_disconnected")
        binding = secret_binding(connection.workspace_id, connection.id)
        key = self.vault.open(connection.secret_sealed, bound_to=binding)
        return self.reader_for(key, connection.company_id)

    def reader_for(self, key: str, company_id: str | None) -> Reader:
        """The source side for a credential that is not kept yet."""
        session = self.door.session(self.settings.whop_api_url, headers=headers(key))
        return WhopReader(session, company_id=company_id, page_size=self.settings.whop_sync_batch_size)

    def writer(self, workspace: Workspace) -> Writer:
        """The CRM side of a workspace. Raises ReconnectError when it has no key."""
        client = self._client(workspace)
        return (
            TwentyWriter(client, batch=workspace.batch_cap) if workspace.batch_cap else TwentyWriter(client)
        )

    def writer_for(self, crm_url: str, key: str) -> Writer:
        """The CRM side for a credential that is not kept yet."""
        return TwentyWriter(TwentyClient(self._session(crm_url, key), pause=self.pause))

    def schema_for(self, crm_url: str, key: str) -> SchemaKeeper:
        """The data model of a CRM that is not kept as a workspace."""
        return TwentySchema(TwentyClient(self._session(crm_url, key), pause=self.pause))

    def schema(self, workspace: Workspace) -> SchemaKeeper:
        """The CRM's data model."""
        return TwentySchema(self._client(workspace))

    def _client(self, workspace: Workspace) -> TwentyClient:
        if workspace.crm_key_sealed is None:
            raise ReconnectError(f"The workspace {workspace.name!r} has no API key.", code="crm_credential")
        key = self.vault.open(workspace.crm_key_sealed, bound_to=crm_key_binding(workspace.id))
        return TwentyClient(self._session(workspace.crm_url, key), pause=self.pause)

    def _session(self, crm_url: str, key: str) -> OutboundSession:
        return self.door.session(crm_url, headers={"Authorization": f"Bearer {key}"})
