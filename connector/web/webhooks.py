"""Where Whop delivers its events: signature, company, commit, 2xx. What they mean is found out later.

A refusal says nothing but its status. It is counted, and logged as a security event. Whop keeps an event
that is answered with 503 and delivers it again.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from flask import Blueprint, current_app, request
from flask.typing import ResponseReturnValue
from limits import parse
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from connector.bootstrap import Parts
from connector.jobqueue import QueueUnavailable
from connector.sources.whop import envelope, gate
from connector.sources.whop.envelope import Envelope, Unreadable
from connector.sources.whop.gate import Forged, Scheme, Secret, Signed
from connector.store.db import Unavailable
from connector.store.hooks import Hook, Refused
from connector.store.inbox import InboxEvent
from connector.web import limits, traces
from connector.web.intake import Intake

log = structlog.get_logger(__name__)

blueprint = Blueprint("webhooks", __name__)

_REFUSALS = parse("60 per minute")
_TAKEN: ResponseReturnValue = ({"received": True}, 200)


@blueprint.post("/webhooks/whop/<connection_id>")
def of_connection(connection_id: str) -> ResponseReturnValue:
    """A delivery to a connection's own address."""
    raw = request.get_data(cache=False)
    known = _intake().known(connection_id)
    if known is None:
        return _refused(Refused(None, "", "missing"))
    hook = known.hook
    mine = (hook.workspace_id, hook.connection_id)
    if hook.status == "revoked":
        return _refused(Refused(*mine, "disconnected"))
    try:
        signed, found = _read(raw, known.secrets)
    except (Forged, Unreadable) as error:
        return _refused(Refused(*mine, error.reason), 401 if isinstance(error, Forged) else 400)
    if found.company_id not in (None, hook.company_id):
        return _refused(Refused(*mine, "foreign"))
    return _keep(raw, signed, found, [hook])


@blueprint.post("/api/whop/webhooks")
def of_app() -> ResponseReturnValue:
    """A delivery to the app as a whole: for every company that installed it."""
    raw = request.get_data(cache=False)
    try:
        signed, found = _read(raw, _app_secrets())
    except (Forged, Unreadable) as error:
        return _refused(Refused(None, "", error.reason), 401 if isinstance(error, Forged) else 400)
    taking = _intake().of_company(found.company_id) if found.company_id else []
    if not taking:  # a company that is not connected (any more): nothing of it is kept
        _count(Refused(None, "", "unconnected"))
        return _TAKEN
    return _keep(raw, signed, found, taking)


@blueprint.errorhandler(RequestEntityTooLarge)
def too_large(error: HTTPException) -> ResponseReturnValue:
    """A body over the limit is not read at all."""
    id_ = (request.view_args or {}).get("connection_id", "")
    try:
        known = _intake().known(id_) if id_ else None
    except Unavailable:
        known = None
    if known is None:
        return _refused(Refused(None, "", "too_large"), error.code or 413)
    hook = known.hook
    return _refused(Refused(hook.workspace_id, hook.connection_id, "too_large"), error.code or 413)


@blueprint.errorhandler(Unavailable)
def no_store(error: Exception) -> ResponseReturnValue:
    """Not kept, so not taken: Whop delivers it again."""
    log.error("an event could not be kept", error=type(error).__name__)
    return {"error": "try again"}, 503, {"Retry-After": "30"}


def _read(raw: bytes, secrets: Sequence[Secret]) -> tuple[Signed, Envelope]:
    signed = gate.check(raw, request.headers, secrets, _parts().tools.clock())
    return signed, envelope.read(raw, signed.id)


def _keep(raw: bytes, signed: Signed, found: Envelope, taking: Sequence[Hook]) -> ResponseReturnValue:
    now = _parts().tools.clock()
    leads = _intake().keep(
        [
            InboxEvent(
                workspace_id=hook.workspace_id,
                connection_id=hook.connection_id,
                event_id=found.id,
                type=found.type,
                dialect=found.dialect.value,
                body=raw,
                received_at=now,
                due_at=now,
                scheme=signed.scheme.value,
                kind=found.kind,
                source_id=found.record_id,
                occurred_at=found.occurred_at,
            )
            for hook in taking
        ]
    )
    if leads:  # one ring for a commit; it is heard for all
        _parts().bell.ring_soon("drain", "webhooks")
    return _TAKEN


def _app_secrets() -> list[Secret]:
    """Several of them, with blanks between, while a new one takes the place of an old one."""
    return [
        Secret(scheme, one.encode())
        for one in _parts().settings.whop_webhook_secret.split()
        for scheme in Scheme
    ]


def _refused(refused: Refused, status: int = 401) -> ResponseReturnValue:
    if not _count(refused):
        return "", 429, {"Retry-After": "60"}
    return "", status


def _count(refused: Refused) -> bool:
    """Count it; False for a source that has had its share of refusals, which then cost no commit."""
    within = _is_within_limit()
    log.warning("refused a webhook", **refused._asdict(), address=limits.address())
    try:
        _intake().refuse(refused, address=traces.network(limits.address()), save=within)
    except Unavailable:
        log.warning("the refusal could not be counted")
    return within


def _is_within_limit() -> bool:
    try:
        return limits.limiter.limiter.hit(_REFUSALS, "webhooks", limits.address())
    except QueueUnavailable:
        return True


def _parts() -> Parts:
    parts: Parts = current_app.extensions["parts"]
    return parts


def _intake() -> Intake:
    found: Intake = current_app.extensions["intake"]
    return found
