"""Where a workspace's pages are, which need not be where its API is.

A server with one workspace has them at the address that its discovery names for signing in; one with many
gives each workspace a host of its own below the front end's domain (recordings 021, 026, 904). The address
is only ever shown as a link.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from connector.crms.twenty.client import TwentyClient
from connector.crms.twenty.refusals import Refusal
from connector.errors import ConnectorError

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_HOST = re.compile(r"[a-z0-9.-]+|\[[0-9a-f:.]+\]")

Json = Mapping[str, Any]


def find(client: TwentyClient) -> str:
    """The origin of the workspace's pages; empty where the server does not tell."""
    config = _told(client, "/client-config")
    sign_in = _told(client, "/.well-known/oauth-authorization-server").get("authorization_endpoint")
    if not config.get("isMultiWorkspaceEnabled"):
        return origin(str(sign_in or ""))
    workspace = client.metadata("query{currentWorkspace{id subdomain}}").get("currentWorkspace") or {}
    return of_workspace(config, str(sign_in or ""), str(workspace.get("subdomain") or ""))


def of_workspace(config: Json, sign_in: str, subdomain: str) -> str:
    """On a server of many workspaces: the workspace's host beside the one where people sign in."""
    found = urlsplit(origin(sign_in))
    domain = str(config.get("frontDomain") or "")
    if not domain:
        domain = (found.hostname or "").removeprefix(f"{config.get('defaultSubdomain') or 'app'}.")
    if not found.hostname or not _LABEL.fullmatch(subdomain) or not _HOST.fullmatch(domain):
        return ""
    if found.hostname != domain and not found.hostname.endswith(f".{domain}"):
        return ""  # two hosts that have nothing to do with each other: no guess
    port = f":{found.port}" if found.port else ""
    return f"{found.scheme}://{subdomain}.{domain}{port}"


def origin(url: str) -> str:
    """Scheme and host of an address of the web; empty for anything else."""
    try:
        found = urlsplit(url)
        port = found.port
    except ValueError:
        return ""
    host = found.hostname or ""
    host = f"[{host}]" if ":" in host else host
    if found.scheme not in ("http", "https") or not _HOST.fullmatch(host) or found.username is not None:
        return ""
    return f"{found.scheme}://{host}{f':{port}' if port else ''}"


def _told(client: TwentyClient, path: str) -> Json:
    """What a public page of the server says; nothing where it has none."""
    try:
        found = client.rest("GET", path)
    except (ConnectorError, Refusal):
        return {}
    return found if isinstance(found, Mapping) else {}
