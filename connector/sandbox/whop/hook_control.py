"""``/sandbox/happen`` and ``/sandbox/webhooks``: make things happen, and turn how they are told."""

from dataclasses import replace
from typing import Any, Final

from flask import Blueprint, Response

from connector.sandbox.whop import bodies, control
from connector.sandbox.whop.api import answer, parts, world
from connector.sandbox.whop.happenings import EVENTS, HAPPENINGS, Told, sample
from connector.sandbox.whop.hook_routes import shown
from connector.sandbox.whop.hookbook import Hook, fresh_id
from connector.sandbox.whop.membership_writes import tell
from connector.sandbox.whop.values import Record

PATIENCE: Final = 30.0


def happen() -> Response:
    """POST /sandbox/happen: ``{"what", "id", "silent", …fields}``, or a list of them, one after the other.

    ``silent`` changes the records and tells nobody, as while a hook is switched off. The answer names what
    was told, with the records.
    """
    wanted = control.body()
    told: list[Told] = []
    for one in wanted if isinstance(wanted, list) else [wanted]:
        told += _one(dict(one))
    return answer({"told": [one._asdict() for one in told]})


def _one(wanted: Record) -> list[Told]:
    what, name, silent = (wanted.pop(key, "") for key in ("what", "id", "silent"))
    if what not in HAPPENINGS:
        raise ValueError(f"what: expected one of {', '.join(HAPPENINGS)}, found {what!r}")
    with world().lock:
        told = HAPPENINGS[what](world(), name, wanted)
    if not silent:
        tell(told)
    return told


def emit() -> Response:
    """POST /sandbox/webhooks/emit: an event about a record as it is (``event``, ``id``), or any ``body``.

    ``copies`` sends it so many times under one id, as a delivery that was repeated. Every hook that is on
    gets it, whatever it listens to.
    """
    wanted = control.body()
    message = wanted.get("message") or fresh_id("msg")
    for hook in _hooks():
        told = wanted["body"] if "body" in wanted else _told(hook, wanted, message)
        if told is not None:
            for _ in range(int(wanted.get("copies", 1))):
                parts().hooks.deliver(hook, wanted.get("event", "?"), told, message)
    return answer({"message": message})


def _told(hook: Hook, wanted: Record, message: str) -> Any:
    event, home = wanted.get("event"), world().home
    if event not in EVENTS:
        raise ValueError(f"event: expected one of today's, found {event!r}")
    if "id" not in wanted:
        return sample(world(), home, event, hook.dialect, message)
    kind = EVENTS[event]
    index = home.tables[kind].find(wanted["id"])
    if index is None:
        raise LookupError(f"{kind}: there is no {wanted['id']}")
    record = home.tables[kind].get(index)
    return bodies.body(
        event, kind, record, home, dialect=hook.dialect, message=message, stamp=world().stamp()
    )


def _hooks() -> list[Hook]:
    return [hook for hook in parts().hooks.hooks.values() if hook.enabled]


def hooks() -> Response:
    """GET /sandbox/webhooks: all hooks with their secrets."""
    return answer([shown(hook, secret=True) for hook in parts().hooks.hooks.values()])


def old_hook() -> Response:
    """POST /sandbox/webhooks: a hook of any dialect, as only old apps have them: ``url``, ``dialect``."""
    wanted = control.body()
    dialect = wanted.get("dialect", bodies.CURRENT)
    if dialect not in bodies.DIALECTS:
        raise ValueError(f"dialect: expected one of {', '.join(bodies.DIALECTS)}, found {dialect!r}")
    company = wanted.get("resource_id", world().home.company.id)
    made = parts().hooks.add(
        url=wanted["url"], resource_id=company, events=wanted.get("events", list(EVENTS)), dialect=dialect
    )
    return answer(shown(made, secret=True), 201)


def terms() -> Response:
    """PATCH /sandbox/webhooks: ``retries`` (seconds), ``disable_after``, ``public_only``."""
    wanted = control.body()
    if "retries" in wanted:
        wanted["retries"] = tuple(wanted["retries"])
    parts().hooks.terms = replace(parts().hooks.terms, **wanted)
    return answer(control.body())


def retry() -> Response:
    """POST /sandbox/webhooks/retry: what waits for a later try is tried now."""
    return answer({"tried": parts().hooks.postman.hurry()})


def quiet() -> Response:
    """POST /sandbox/webhooks/quiet: answers when nothing is on its way any more."""
    return answer({"quiet": parts().hooks.postman.quiet(PATIENCE)})


def clear() -> Response:
    """DELETE /sandbox/webhooks: no hooks, no log, nothing on its way."""
    book = parts().hooks
    for hook in list(book.hooks.values()):
        book.remove(hook)
    book.postman.forget()
    book.log.clear()
    return answer({})


def create_blueprint() -> Blueprint:
    """All routes."""
    routes = Blueprint("hook_control", __name__, url_prefix="/sandbox")
    for method, path, view in (
        ("POST", "/happen", happen),
        ("GET", "/webhooks", hooks),
        ("POST", "/webhooks", old_hook),
        ("PATCH", "/webhooks", terms),
        ("DELETE", "/webhooks", clear),
        ("POST", "/webhooks/emit", emit),
        ("POST", "/webhooks/retry", retry),
        ("POST", "/webhooks/quiet", quiet),
    ):
        routes.add_url_rule(path, view.__name__, view, methods=[method])
    control.explain_errors(routes)
    return routes
