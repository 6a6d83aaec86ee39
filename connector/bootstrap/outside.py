"""The one door out, and Whop behind it."""

from __future__ import annotations

from connector import __version__, logs
from connector.config import Settings
from connector.outbound import AllowList, Door
from connector.sources.whop import Session, headers
from connector.sources.whop.oauth import App
from connector.store.db import in_transaction


def door(settings: Settings) -> Door:
    """Everything that is sent goes out by this one."""
    return Door(
        connect_timeout=settings.http_connect_timeout_seconds,
        read_timeout=settings.http_read_timeout_seconds,
        allowed_private=AllowList.of(settings.allowed_private_hosts),
        ca_file=settings.tls_ca_file or None,
        user_agent=f"whop-twenty-connector/{__version__}",
        correlation_id=logs.current_correlation_id,
        in_transaction=in_transaction,
    )


def app(settings: Settings) -> App:
    """The app of Whop's that people approve."""
    return App(
        client_id=settings.whop_client_id,
        redirect_uri=settings.whop_redirect_uri,
        authorize_url=settings.whop_auth_url,
        oauth_url=settings.whop_oauth_url,
        secret=settings.whop_client_secret,
    )


def whop(settings: Settings, door: Door, credential: str) -> Session:
    """Whop's API with a credential."""
    return door.session(settings.whop_api_url, headers=headers(credential))
