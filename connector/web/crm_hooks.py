"""Where the CRM tells that a record changed: by its signature over the raw body, and no more than that.

Nothing of a delivery is believed beyond that it came from the CRM: what is asked for is read there. A refusal
says nothing but its status.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import orjson
import structlog
from flask import Blueprint, current_app, request
from flask.typing import ResponseReturnValue

from connector.bootstrap import Parts
from connector.crms.twenty.requests import asks, is_signed
from connector.store.db import Unavailable
from connector.sync import asking
from connector.web import limits

log = structlog.get_logger(__name__)

blueprint = Blueprint("crm_hooks", __name__)

_BELIEVED: Final = 5.0
_MOST_KNOWN: Final = 1_000
_TAKEN: ResponseReturnValue = ({"received": True}, 200)


@blueprint.post("/webhooks/twenty/<workspace_id>")
def of_workspace(workspace_id: str) -> ResponseReturnValue:
    """A delivery of a workspace's CRM. What we write ourselves holds no choice, and is passed over."""
    parts: Parts = current_app.extensions["parts"]
    raw = request.get_data(cache=False)
    secret = _secret(parts, workspace_id)
    if secret is None or not is_signed(raw, request.headers, secret, parts.asks.clock()):
        log.warning("refused a webhook of the CRM", known=secret is not None, address=limits.address())
        return "", 401
    try:
        told = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return "", 400
    if asks(told):
        asking.heard(parts.asks, workspace_id)
        parts.bell.ring_soon("ask", "webhooks")
    return _TAKEN


class _Known(NamedTuple):
    """A secret as it was read, and until when that is believed."""

    secret: str | None
    until: float


def _secret(parts: Parts, workspace_id: str) -> str | None:
    """A full sync is told record by record: what signs it is not read and opened anew for each."""
    known: dict[str, _Known] = current_app.extensions.setdefault("crm_secrets", {})
    now = parts.asks.clock().timestamp()
    found = known.get(workspace_id)
    if found is None or found.until <= now:
        if len(known) >= _MOST_KNOWN:  # whoever asks for made-up workspaces fills no memory
            known.clear()
        found = _Known(asking.secret_of(parts.asks, workspace_id), now + _BELIEVED)
        known[workspace_id] = found
    return found.secret


@blueprint.errorhandler(Unavailable)
def no_store(error: Exception) -> ResponseReturnValue:
    """The CRM tells nothing twice: what was asked is found within the hour."""
    log.error("what the CRM told could not be noted", error=type(error).__name__)
    return {"error": "try again"}, 503
