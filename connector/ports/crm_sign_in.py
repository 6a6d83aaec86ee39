"""Signing in with a CRM, and the keys that people give: what is asked of its server."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from connector.core.mapping import Mapping
from connector.ports import CrmAccount, Tokens


@dataclass(frozen=True, slots=True)
class CrmServer:
    """A CRM as it describes itself. ``origin`` is where its API lives and part of every identity.

    The addresses are empty where it takes API keys only. ``authorize_url`` may stand on another host.
    """

    origin: str
    authorize_url: str = ""
    token_url: str = ""
    register_url: str = ""


@dataclass(frozen=True, slots=True)
class CrmPerson:
    """Whom a token speaks for, in the workspace that it opens. ``name`` may be empty.

    ``may_change_model`` is what makes an admin. ``host`` is that of the workspace's own pages, on a server
    of many workspaces; else empty.
    """

    id: str
    name: str
    email: str
    workspace: CrmAccount
    may_change_model: bool
    may_make_webhooks: bool
    host: str = ""


@dataclass(frozen=True, slots=True)
class CrmKey:
    """What an API key opens. ``lacks`` names what it may not do with records, in words.

    ``may_change_model`` is wanted, not needed: an admin's own sign-in does as well. ``origin`` is where it
    was asked about.
    """

    origin: str
    workspace: CrmAccount
    expires_at: datetime | None
    lacks: tuple[str, ...]
    may_change_model: bool


class CrmSignIn(Protocol):
    """Speaks OAuth with CRM servers. Each method raises TryLaterError where the server is in trouble."""

    def find(self, origin: str) -> CrmServer:
        """The server behind an address. Raises RefusedError where there is none of the kind, AddressError."""
        ...

    def is_known(self, server: CrmServer, client_id: str) -> bool:
        """Whether the server still has this registration of ours: it forgets unused ones."""
        ...

    def register(self, server: CrmServer) -> str:
        """Make ourselves known; the client id. Raises RefusedError saying why not."""
        ...

    def authorize_url(self, server: CrmServer, client_id: str, *, state: str, verifier: str) -> str:
        """Where to send the browser. Opens nothing."""
        ...

    def exchange(self, token_url: str, client_id: str, code: str, *, verifier: str) -> Tokens:
        """The tokens for a code. Raises RefusedError saying why not."""
        ...

    def refresh(self, token_url: str, client_id: str, refresh_token: str) -> Tokens:
        """New tokens. The old ones keep working. Raises ReconnectError when the grant is over."""
        ...

    def person(self, origin: str, access_token: str) -> CrmPerson:
        """Whom a token speaks for. Raises ReconnectError."""
        ...

    def key(self, origin: str, key: str, mappings: Collection[Mapping]) -> CrmKey:
        """What an API key opens, and whether it may do what the mappings need.

        Raises RefusedError for what is no API key, ReconnectError for one that opens nothing.
        """
        ...
