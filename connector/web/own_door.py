"""Events of our own making, signed and posted to this connector as Whop would."""

from __future__ import annotations

import base64
import hmac
import uuid
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import orjson

from connector.bootstrap import Parts
from connector.errors import RefusedError
from connector.outbound import AllowList, Door
from connector.sources.whop import API_VERSION
from connector.sources.whop.gate import Scheme
from connector.store import hooks
from connector.store.connections import Connection
from connector.sync.hooking import secret_binding

#: Of those that tell nothing of what is brought over: taken in, shown, ignored.
_HARMLESS = "export.completed"


def harmless(of: Connection, scheme: Scheme, now: str) -> dict[str, Any]:
    """An event that changes nothing, whatever the mappings are."""
    if scheme is Scheme.LEGACY:
        return {"action": _HARMLESS, "api_version": "v5", "data": {"test": uuid.uuid4().hex}}
    return {
        "id": f"msg_{uuid.uuid4().hex}",
        "type": _HARMLESS,
        "api_version": "v1",
        "api_version_date": API_VERSION,
        "timestamp": now,
        "account_id": of.company_id,
        "data": {},
    }


def post(parts: Parts, of: Connection, body: dict[str, Any], scheme: Scheme) -> int:
    """The status that our own address answers with. Raises RefusedError without a secret of this scheme."""
    headers = _signed(body, _secret(parts, of, scheme), scheme, int(parts.tools.clock().timestamp()))
    with closing(_door(parts)) as door:
        session = door.session(parts.settings.public_url)
        return session.request("POST", f"/webhooks/whop/{of.id}", json=body, headers=headers).status


def _secret(parts: Parts, of: Connection, scheme: Scheme) -> bytes:
    with parts.database.reading() as session:
        found = hooks.secrets(session, of.workspace_id, of.id)
    now = parts.tools.clock()
    alive = (one for one in found if one.retires_at is None or one.retires_at > now)
    sealed = next((one.secret_sealed for one in alive if one.scheme == scheme), None)
    if sealed is None:
        raise RefusedError(
            f"The connection has no {scheme.value} webhook secret.",
            code="no_webhook_secret",
            remedy="Enter one first: `flask webhook secret add`.",
        )
    return parts.vault.open(sealed, bound_to=secret_binding(of.workspace_id, of.id)).encode()


def _signed(body: dict[str, Any], secret: bytes, scheme: Scheme, now: int) -> dict[str, str]:
    raw = orjson.dumps(body)
    if scheme is Scheme.LEGACY:
        mac = hmac.digest(secret, b"%d.%s" % (now, raw), "sha256")
        return {"X-Whop-Signature": f"t={now},v1={mac.hex()}"}
    id_ = str(body["id"])
    mac = hmac.digest(secret, b"%s.%d.%s" % (id_.encode(), now, raw), "sha256")
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(now),
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }


def _door(parts: Parts) -> Door:
    """To our own address, which may well be a private one."""
    host = urlsplit(parts.settings.public_url).hostname or ""
    return Door(
        connect_timeout=5,
        read_timeout=30,
        allowed_private=AllowList.of((host,)),
        user_agent="whop-twenty-connector sample",
    )
