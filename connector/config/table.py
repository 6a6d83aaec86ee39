"""The one table of settings. A line here is a setting, its documentation and its check."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Final, TypeVar, cast

from . import kinds
from .kinds import Kind, NamedKeys

T = TypeVar("T")

#: A setting with this default has to be given.
REQUIRED: Final = None


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of the table. ``default`` is text as it would stand in the environment, or REQUIRED."""

    name: str
    group: str
    kind: Kind[Any]
    default: str | None
    help: str
    secret: bool
    example: str

    @property
    def attribute(self) -> str:
        return self.name.lower()

    @property
    def hidden(self) -> bool:
        """Whether the value may be, or may hold, a secret; such a setting also has a _FILE form."""
        return self.secret or self.kind.carries_password

    @property
    def default_value(self) -> Any:
        return self.kind.read(self.default) if self.default else self.kind.empty


def _setting(
    group: str,
    kind: Kind[T],
    help: str,
    *,
    default: str | None = "",
    secret: bool = False,
    example: str = "",
) -> T:
    line = {"group": group, "kind": kind, "default": default, "help": help}
    line |= {"secret": secret, "example": example}
    return cast("T", field(repr=not (secret or kind.carries_password), metadata=line))


BASICS = "Basics"
ACCESS = "Who may sign in"
WHOP = "Whop"
SYNC = "Syncing"
NETWORK = "Calls to other services"
ALERTS = "Alerts by e-mail"
KEEPING = "How long what is kept"
RUNNING = "Running"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one process, typed. Secrets are left out of its ``repr``."""

    secret_key: str = _setting(
        BASICS,
        kinds.text(32),
        "Signs the cookies of the web pages. `flask keys new` makes one.",
        default=REQUIRED,
        secret=True,
    )
    token_encryption_keys: NamedKeys = _setting(  # noqa: RUF009 - it makes a field()
        BASICS,
        kinds.KEYS,
        "Seal the stored tokens and API keys. The first one seals, all of them open: to rotate, put a new "
        "one in front and keep the old ones until everything is sealed again. `flask keys new` makes one.",
        default=REQUIRED,
        secret=True,
    )
    public_url: str = _setting(
        BASICS,
        kinds.ORIGIN,
        "The address under which browsers and Whop reach this connector.",
        default=REQUIRED,
        example="https://connector.example.com",
    )
    database_url: str = _setting(
        BASICS,
        kinds.DATABASE,
        "Where everything is kept. SQLite serves one machine; more machines need PostgreSQL.",
        default="sqlite:///data/connector.db",
        example="postgresql://connector:password@db.example.com/connector",
    )
    redis_url: str = _setting(
        BASICS,
        kinds.REDIS,
        "The Redis (or Valkey) server of the job queue. Left empty, `flask up` starts one of its own.",
        example="redis://localhost:6379/0",
    )
    sign_up: str = _setting(
        ACCESS,
        kinds.one_of("operator", "allowed-hosts", "open"),
        "Who may open a workspace: only the operator, anybody whose CRM stands on one of the SIGN_UP_HOSTS, "
        "or anybody.",
        default="operator",
    )
    sign_up_hosts: tuple[str, ...] = _setting(
        ACCESS,
        kinds.HOSTS,
        "The CRM hosts whose people may open a workspace. Needed with SIGN_UP=allowed-hosts.",
        example="acme.twenty.com, crm.example.com",
    )
    whop_client_id: str = _setting(
        WHOP,
        kinds.text(),
        "The id of your Whop app, for connecting with a click. Without it an API key connects.",
        example="app_xxxxxxxxxxxxxx",
    )
    whop_client_secret: str = _setting(
        WHOP,
        kinds.text(),
        "The secret of your Whop app. A public app has none: leave it out.",
        secret=True,
    )
    whop_redirect_uri: str = _setting(
        WHOP,
        kinds.WEB_ADDRESS,
        "The address Whop sends the browser back to; it must be listed in your Whop app. Left empty, it is "
        "PUBLIC_URL followed by /oauth/whop/callback.",
    )
    whop_webhook_secret: str = _setting(
        WHOP,
        kinds.text(),
        "The signing secret of a webhook of your Whop app, which serves every company that installed it. "
        "The secret of one connection's own webhook is entered on its page.",
        secret=True,
    )
    whop_api_url: str = _setting(
        WHOP, kinds.WEB_ADDRESS, "The address of Whop's API.", default="https://api.whop.com/api/v1"
    )
    whop_oauth_url: str = _setting(
        WHOP, kinds.WEB_ADDRESS, "The address of Whop's OAuth server.", default="https://api.whop.com/oauth"
    )
    whop_auth_url: str = _setting(
        WHOP,
        kinds.WEB_ADDRESS,
        "The page of Whop on which a person grants access.",
        default="https://api.whop.com/oauth/authorize",
    )
    whop_api_key: str = _setting(
        WHOP,
        kinds.text(),
        "The API key `flask connection add` uses when none is typed in.",
        secret=True,
    )
    whop_sync_enabled: bool = _setting(
        SYNC,
        kinds.SWITCH,
        "Whether connections are synced by the clock. Webhooks and the buttons work either way.",
        default="true",
    )
    whop_sync_interval_minutes: int = _setting(
        SYNC, kinds.whole(5, 1440), "Minutes between two incremental syncs.", default="60"
    )
    whop_sync_batch_size: int = _setting(
        SYNC, kinds.whole(1, 100), "Records asked of Whop per page.", default="100"
    )
    whop_requests_per_minute: int = _setting(
        SYNC,
        kinds.whole(10, 1_000_000),
        "Requests of one kind that a connection sends to Whop in a minute. Whop allows 600; take fewer where "
        "other programs use the same API key, more where Whop granted more.",
        default="600",
    )
    mappings_dir: str = _setting(
        SYNC,
        kinds.text(),
        "A folder of mapping files to use in place of the shipped ones.",
        example="/etc/connector/mappings",
    )
    mapping_recipes: tuple[str, ...] = _setting(
        SYNC,
        kinds.NAMES,
        "Recipes that hold for every workspace; `flask mappings recipes` lists them.",
        example="plans,payments",
    )
    automations_dir: str = _setting(
        SYNC,
        kinds.text(),
        "A folder of automation files to use in place of the shipped ones.",
        example="/etc/connector/automations",
    )
    allowed_private_hosts: tuple[str, ...] = _setting(
        NETWORK,
        kinds.PRIVATE_HOSTS,
        "Private hosts this connector may call, such as a Twenty in your own network. Every other private "
        "address is refused, whatever name leads to it. Plain http is allowed to these hosts only.",
        example="twenty.internal, localhost:3000, 10.20.0.0/16",
    )
    tls_ca_file: str = _setting(
        NETWORK,
        kinds.text(),
        "A file of certificates (PEM) to trust besides the public ones, for a CRM with a certificate of "
        "your own.",
        example="/etc/ssl/our-ca.pem",
    )
    http_connect_timeout_seconds: float = _setting(
        NETWORK, kinds.seconds(60), "How long opening a connection may take.", default="5"
    )
    http_read_timeout_seconds: float = _setting(
        NETWORK,
        kinds.seconds(300),
        "How long a service may be silent before its answer is given up.",
        default="30",
    )
    smtp_host: str = _setting(
        ALERTS,
        kinds.text(),
        "The mail server that alerts are sent by. Without it they go by webhook only.",
        example="smtp.example.com",
    )
    smtp_port: int = _setting(ALERTS, kinds.whole(1, 65535), "Its port.", default="587")
    smtp_security: str = _setting(
        ALERTS,
        kinds.one_of("starttls", "tls", "none"),
        "How the connection to it is encrypted: from its second word on (587), from the start (465), or not "
        "at all, for a server on this machine.",
        default="starttls",
    )
    smtp_username: str = _setting(ALERTS, kinds.text(), "The name to sign in to it with, if it asks for one.")
    smtp_password: str = _setting(ALERTS, kinds.text(), "The password to it.", secret=True)
    smtp_from: str = _setting(
        ALERTS,
        kinds.text(),
        "The address that alerts come from. Left empty, it is connector@ and the host of PUBLIC_URL.",
        example="connector@example.com",
    )
    retention_undo_days: int = _setting(
        KEEPING,
        kinds.whole(1, 3650),
        "How many days after its end a sync can be undone: for so long it is kept what Twenty held before.",
        default="30",
    )
    retention_log_days: int = _setting(
        KEEPING,
        kinds.whole(1, 3650),
        "How many days the sync log, reports of comparisons and what was sent in alerts are kept. The log of "
        "a sync that can still be undone is kept however old it is.",
        default="90",
    )
    retention_event_days: int = _setting(
        KEEPING,
        kinds.whole(7, 3650),
        "How many days events are kept once they are through. One that waits, was parked, or has a note to "
        "leave is kept however old it is.",
        default="30",
    )
    retention_audit_days: int = _setting(
        KEEPING, kinds.whole(1, 3650), "How many days the audit log is kept.", default="365"
    )
    retention_mapping_days: int = _setting(
        KEEPING,
        kinds.whole(1, 3650),
        "How many days a version of a mapping file is kept that does not count any more, so that one can go "
        "back to it. The one that counts, and the one before it, are kept however old they are.",
        default="365",
    )
    web_port: int = _setting(
        RUNNING, kinds.whole(1, 65535), "The port the web pages are served on.", default="8080"
    )
    web_threads: int = _setting(RUNNING, kinds.whole(1, 64), "Threads of the web server.", default="8")
    workers: int = _setting(
        RUNNING,
        kinds.whole(1, 32),
        "Worker processes `flask up` starts. The first serves webhooks only; one more is for automations.",
        default="2",
    )
    log_level: str = _setting(
        RUNNING,
        kinds.one_of("debug", "info", "warning", "error"),
        "The least serious line that is logged.",
        default="info",
    )
    log_format: str = _setting(
        RUNNING,
        kinds.one_of("auto", "human", "json"),
        "How log lines look. `auto` is human on a terminal and json everywhere else.",
        default="auto",
    )


TABLE: tuple[Setting, ...] = tuple(
    Setting(name=line.name.upper(), **dict(line.metadata)) for line in fields(Settings)
)
