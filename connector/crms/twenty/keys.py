"""An API key that somebody gave: whether it is one, what it opens, and what it may not do there."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from connector.core.mapping import Mapping, ObjectSpec
from connector.crms.twenty.client import TwentyClient
from connector.errors import ReconnectError, RefusedError, SchemaError
from connector.ports import CrmAccount
from connector.ports.crm_sign_in import CrmKey

_WORKSPACE: Final = "query{currentWorkspace{id displayName metadataVersion}}"
_NOBODY: Final = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a key says of itself. Nobody has verified it: only the server can."""

    workspace_id: str
    expires_at: datetime | None


def read(key: str) -> Claims:
    """Raises RefusedError (``crm_key_kind``) for what is no API key of Twenty's."""
    parts = key.split(".")
    claims = _decoded(parts[1]) if len(parts) == 3 else {}
    if claims.get("type") != "API_KEY":
        raise RefusedError(
            "This is not an API key of Twenty.",
            code="crm_key_kind",
            remedy="Make one in Twenty under Settings, APIs & Webhooks, and paste all of it.",
        )
    ends = claims.get("exp")
    return Claims(
        str(claims.get("workspaceId") or claims.get("sub") or ""),
        datetime.fromtimestamp(ends, UTC) if isinstance(ends, int) and 0 < ends < 2**33 else None,
    )


def check(origin: str, client: TwentyClient, claims: Claims, mappings: Collection[Mapping]) -> CrmKey:
    """Ask for each right with the least request that needs it. Nothing is changed by any of them."""
    workspace = client.metadata(_WORKSPACE).get("currentWorkspace")
    if not workspace:
        raise ReconnectError("The API key opens no workspace of this Twenty.", code="crm_credential")
    version = int(workspace.get("metadataVersion") or 0)
    account = CrmAccount(workspace["id"], workspace.get("displayName") or "", version)
    objects = {one.object.name: one.object for one in mappings}.values()
    lacks = tuple(line for one in objects for line in _lacks(client, one))
    return CrmKey(origin, account, claims.expires_at, lacks, may_change_model(client))


def may_change_model(client: TwentyClient) -> bool:
    """Whether the credential may see and change objects and fields."""
    try:
        client.rest("GET", "/rest/metadata/objects?limit=1")
    except ReconnectError as error:
        if error.code != "crm_permission":
            raise
        return False
    return True


def _lacks(client: TwentyClient, spec: ObjectSpec) -> Iterator[str]:
    title, type_ = spec.plural[:1].upper() + spec.plural[1:], spec.name[:1].upper() + spec.name[1:]
    query = f"query{{{spec.plural}(first:1){{edges{{node{{id}}}}}}}}"
    if not _may(lambda: client.query(query)):
        yield f"read {spec.plural}"
    change = (
        f"mutation($f:{type_}FilterInput,$d:{type_}UpdateInput!){{update{title}(filter:$f,data:$d){{id}}}}"
    )
    nobody = {"f": {"id": {"in": [_NOBODY]}}, "d": {"position": 0}}
    if not _may(lambda: client.mutate(change, nobody)):
        yield f"write {spec.plural}"


def _may(ask: Any) -> bool:
    try:
        ask()
    except ReconnectError as error:
        if error.code != "crm_permission":
            raise
        return False
    except SchemaError:  # an object that is still to be made
        return True
    return True


def _decoded(part: str) -> dict[str, Any]:
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}
