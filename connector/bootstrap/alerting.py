"""What alerts are sent with."""

from __future__ import annotations

from urllib.parse import urlsplit

from connector.config import Settings
from connector.outbound import Door
from connector.outbound.mail import Mailer
from connector.ports import Clock
from connector.store.db import Database, in_transaction
from connector.sync.alerting import AlertDesk
from connector.vault import Vault


def desk(settings: Settings, database: Database, vault: Vault, door: Door, clock: Clock) -> AlertDesk:
    """E-mail where a server is named; webhooks through the one door, which refuses private addresses."""

    def post(address: str, message: dict[str, str]) -> int:
        return door.session(address).request("POST", address, json=message).status

    return AlertDesk(database, vault, clock, _mailer(settings), post, settings.public_url)


def _mailer(settings: Settings) -> Mailer | None:
    if not settings.smtp_host:
        return None
    return Mailer(
        settings.smtp_host,
        settings.smtp_port,
        settings.smtp_security,
        settings.smtp_from or f"connector@{urlsplit(settings.public_url).hostname}",
        settings.smtp_username,
        settings.smtp_password,
        ca_file=settings.tls_ca_file or None,
        in_transaction=in_transaction,
    )
