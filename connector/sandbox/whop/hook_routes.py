"""``/webhooks`` of the API: register, change, remove, read the log, replay, test."""

import ipaddress
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from flask import Blueprint, Response, request

from connector.sandbox.whop import api, bodies, errors
from connector.sandbox.whop.happenings import EVENTS, NAMES, sample
from connector.sandbox.whop.hookbook import Delivery, Hook, HookBook, fresh_id, seconds_of
from connector.sandbox.whop.posting import Answer
from connector.sandbox.whop.values import Record, iso

NEEDED: Final = "developer:manage_webhook"
FIELDS: Final = {"url", "events", "api_version_date", "enabled", "child_resource_events", "resource_id"}


def book() -> HookBook:
    """The hooks of this app."""
    found: HookBook = api.parts().hooks
    return found


def mine() -> list[Hook]:
    """The hooks of the companies within reach, the newest first."""
    api.caller().need(NEEDED)
    reach = {shelf.company.id for shelf in api.within_reach()}
    return [hook for hook in reversed(book().hooks.values()) if hook.resource_id in reach]


def one(name: str) -> Hook:
    """The hook of this id, or a 404."""
    for hook in mine():
        if hook.id == name:
            return hook
    raise errors.not_found("webhooks")


def shown(hook: Hook, *, secret: bool = False) -> Record:
    """A Webhook as the API writes it."""
    pinned = {bodies.CURRENT: errors.VERSIONS[-1]}.get(hook.dialect)
    return {
        "api_version": "v1" if hook.scheme == "v1" else hook.dialect,
        "api_version_date": pinned,
        "child_resource_events": hook.child_resource_events,
        "consecutive_failures": hook.failures,
        "created_at": hook.created_at,
        "disabled_at": _moment(hook.disabled_at),
        "disabled_reason": "delivery_failures" if hook.disabled_at else None,
        "enabled": hook.enabled,
        "events": hook.events,
        "failing_since": _moment(hook.failing_since),
        "id": hook.id,
        "last_failure_at": _moment(hook.last_failure_at),
        "resource_id": hook.resource_id,
        "testable_events": [event for event in hook.events if event in EVENTS],
        "url": hook.url,
        "webhook_secret": hook.secret if secret else None,
    }


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else iso(round(seconds * 1000))


def logged(delivery: Delivery) -> Record:
    """A WebhookDelivery as the API writes it."""
    answer = delivery.answer
    hook = book().hooks.get(delivery.hook)
    return {
        "event": delivery.event,
        "id": delivery.id,
        "replayed_from": delivery.replayed_from,
        "request_body": orjson.loads(delivery.body),
        "resource_id": hook.resource_id if hook else None,
        "response_body": _answered(answer.body) if answer else None,
        "response_code": answer.status if answer else None,
        "sent_at": _moment(delivery.sent_at),
        "success": bool(answer and answer.accepted),
        "total_time": answer.seconds if answer else None,
    }


def _answered(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return {"error": "Response body is not JSON", "raw_body": text}


def listing() -> Response:
    """GET /webhooks."""
    hooks = mine()
    asked = request.args.get("account_id")
    if asked is not None:
        hooks = [hook for hook in hooks if hook.resource_id == asked]
    if request.args.get("has_failures") == "true":
        hooks = [hook for hook in hooks if hook.failures]
    listed = [shown(hook) for hook in hooks]
    for row in listed:
        del row["testable_events"]
    return api.paged(listed)


def create() -> Response:
    """POST /webhooks: the one answer that carries the secret."""
    api.caller().need(NEEDED)
    wanted = _wanted()
    if "url" not in wanted:
        raise errors.bad_param("url", "url is required.")
    reach = [shelf.company.id for shelf in api.within_reach()]
    resource = wanted.pop("resource_id", reach[0] if reach else None)
    if resource not in reach:
        raise errors.not_found("accounts")
    events = wanted.pop("events", list(EVENTS))
    return api.answer(shown(book().add(resource_id=resource, events=events, **wanted), secret=True))


def change(name: str) -> Response:
    """PATCH /webhooks/{id}."""
    hook = one(name)
    wanted = _wanted()
    wanted.pop("resource_id", None)
    book().change(hook, wanted)
    return api.answer(shown(hook))


def _wanted() -> Record:
    """The fields of a request, checked; the version becomes a dialect."""
    wanted = request.get_json(silent=True) or {}
    for name in wanted:
        if name not in FIELDS:
            raise errors.unknown_param(name)
    if "url" in wanted:
        _check_url(wanted["url"])
    for event in wanted.get("events") or ():
        if event not in NAMES:
            raise errors.bad_param("events", f"{event} is not a known event.")
    if "api_version_date" in wanted:
        pinned = wanted.pop("api_version_date")
        if pinned not in (None, *errors.VERSIONS):
            raise errors.unknown_version(str(pinned))
        wanted["dialect"] = bodies.CURRENT if pinned == errors.VERSIONS[-1] else bodies.LEGACY
    elif request.method == "POST":
        wanted["dialect"] = bodies.LEGACY  # an unpinned hook speaks the oldest version
    return dict(wanted)


def _check_url(url: Any) -> None:
    parts = urlsplit(url if isinstance(url, str) else "")
    public = parts.scheme == "https" and not _is_private(parts.hostname or "localhost")
    local = not book().terms.public_only and parts.scheme in ("http", "https") and parts.hostname
    if not (public or local):
        raise errors.bad_param("url", "url must be a public https address.")


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal"))


def read(name: str) -> Response:
    """GET /webhooks/{id}."""
    return api.answer(shown(one(name)))


def remove(name: str) -> Response:
    """DELETE /webhooks/{id}."""
    book().remove(one(name))
    return api.answer({"id": name, "deleted": True})


def deliveries(name: str) -> Response:
    """GET /webhooks/{id}/deliveries, the newest first."""
    return api.paged([logged(found) for found in book().deliveries(one(name))])


def replay_one(name: str, delivery: str) -> Response:
    """POST /webhooks/{id}/deliveries/{delivery}/replay."""
    hook = _replayable(name)
    new_id = bool((request.get_json(silent=True) or {}).get("regenerate_id"))
    for found in book().deliveries(hook):
        if found.id == delivery:
            return _waited(book().replay_now(hook, found, new_id=new_id))
    raise errors.not_found("deliveries")


def replay_range(name: str) -> Response:
    """POST /webhooks/{id}/replay: every message of a time, once."""
    hook, wanted = _replayable(name), request.get_json(silent=True) or {}
    if "sent_after" not in wanted:
        raise errors.bad_param("sent_after", "sent_after is required.")
    try:
        since = seconds_of(wanted["sent_after"])
        until = seconds_of(wanted["sent_before"]) if wanted.get("sent_before") else float("inf")
    except (ValueError, TypeError):
        raise errors.bad_param("sent_after", "sent_after must be an ISO 8601 timestamp.") from None
    events, missed = wanted.get("events"), {found.message for found in book().unheard()}
    chosen = {
        found.message: found
        for found in book().deliveries(hook)
        if since <= found.sent_at <= until
        and (not events or found.event in events)
        and (not wanted.get("failed_only") or found.message in missed)
    }
    for found in chosen.values():
        book().replay(hook, found, new_id=bool(wanted.get("regenerate_ids")))
    return api.answer({"queued": True})


def _replayable(name: str) -> Hook:
    hook = one(name)
    if hook.scheme != "v1" or not hook.enabled:
        raise errors.unprocessable("Only enabled v1 webhooks can be replayed.")
    return hook


def test(name: str) -> Response:
    """POST /webhooks/{id}/test: a sample, posted while the caller waits."""
    hook = one(name)
    event = (request.get_json(silent=True) or {}).get("event")
    if event not in EVENTS or not hook.enabled:
        raise errors.bad_param("event", "event must be one of the webhook's testable events.")
    shelf = next(shelf for shelf in api.within_reach() if shelf.company.id == hook.resource_id)
    told = sample(api.world(), shelf, event, hook.dialect, fresh_id("msg"))
    return _waited(book().test(hook, event, told))


def _waited(answer: Answer) -> Response:
    return api.answer({"body": answer.body, "status": answer.status, "success": answer.accepted})


def create_blueprint() -> Blueprint:
    """All routes of webhooks."""
    routes = Blueprint("webhooks", __name__, url_prefix="/api/v1/webhooks")
    for method, path, view in (
        ("GET", "", listing),
        ("POST", "", create),
        ("GET", "/<name>", read),
        ("PATCH", "/<name>", change),
        ("DELETE", "/<name>", remove),
        ("GET", "/<name>/deliveries", deliveries),
        ("POST", "/<name>/deliveries/<delivery>/replay", replay_one),
        ("POST", "/<name>/replay", replay_range),
        ("POST", "/<name>/test", test),
    ):
        routes.add_url_rule(path, view.__name__, view, methods=[method])
    return routes
