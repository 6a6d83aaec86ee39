"""Webhooks of a workspace: registering them, and what happened to records (recordings 650-690).

`Happening`s are gathered while a request works; the postman sends them when it has been answered.
"""

import fnmatch
import secrets
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from connector.sandbox.twenty.refusals import Refusal, not_found
from connector.sandbox.twenty.session import Happening, Session
from connector.sandbox.twenty.workspace import new_id

Args = dict[str, Any]
Wire = dict[str, Any]
FLAG = "API_KEYS_AND_WEBHOOKS"
SETTABLE = ("targetUrl", "operations", "description", "secret")


def answer(session: Session, method: str, identity: str, body: Args) -> tuple[int, Any]:
    """Answer `method /rest/metadata/webhooks/{identity}`."""
    session.need(FLAG)
    kept = session.workspace.webhooks
    if method == "POST" and not identity:
        return 201, create(session, body)
    if method == "GET" and not identity:
        return 200, list(kept.values())
    wire = _found(session, identity)
    if method in ("PATCH", "PUT"):
        return 200, update(session, wire, body)
    if method == "DELETE":
        return 200, delete(session, wire)
    return 200, wire


def create(session: Session, given: Args) -> Wire:
    """A new webhook; without a secret the server makes one (651)."""
    _check(given.get("targetUrl"))
    now = session.now()
    wire: Wire = {
        "id": new_id(),
        "targetUrl": given["targetUrl"],
        "operations": given["operations"],
        "description": given.get("description"),
        "secret": given.get("secret") or secrets.token_hex(32),
        "workspaceId": session.workspace.id,
        "applicationId": session.workspace.fixed_id("application", "custom"),
        "createdAt": now,
        "updatedAt": now,
        "deletedAt": None,
    }
    session.workspace.webhooks[wire["id"]] = wire
    session.workspace.changed = True
    return wire


def update(session: Session, wire: Wire, given: Args) -> Wire:
    _check(given.get("targetUrl", wire["targetUrl"]))
    wire |= {name: given[name] for name in SETTABLE if name in given}
    wire["updatedAt"], session.workspace.changed = session.now(), True
    return wire


def delete(session: Session, wire: Wire) -> Wire:
    session.workspace.changed = True
    del session.workspace.webhooks[wire["id"]]
    return {**wire, "deletedAt": session.now()}


def _check(address: Any) -> None:
    if urlsplit(str(address)).scheme not in ("http", "https"):
        text = "Multiple validation errors occurred while creating webhook"
        raise Refusal(text, error="WorkspaceMigrationBuilderException", gql="INTERNAL_SERVER_ERROR")


def _found(session: Session, identity: Any) -> Wire:
    wire: Wire | None = session.workspace.webhooks.get(str(identity))
    if wire is None:
        raise not_found("Webhook not found")
    return wire


class Letter(NamedTuple):
    """One delivery to come: where to, signed with which secret, and what it says."""

    url: str
    secret: str
    body: Wire


def letters(session: Session) -> list[Letter]:
    """What is sent out for what the request did: one letter a record and webhook."""
    found = []
    for happening in session.happened:
        name = f"{happening.shape.singular}.{happening.action}"
        for hook in session.workspace.webhooks.values():
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in hook["operations"]):
                found.append(Letter(hook["targetUrl"], hook["secret"], _body(session, hook, name, happening)))
    return found


def _body(session: Session, hook: Wire, name: str, happening: Happening) -> Wire:
    """Who did it is told of people only; a key shows in the record's updatedBy."""
    user, shape = session.caller.user, happening.shape
    who = {"userId": user["id"], "workspaceMemberId": user["member"]} if user else {}
    changed = {"updatedFields": list(happening.fields)} if happening.fields else {}
    return {
        "targetUrl": hook["targetUrl"],
        "eventName": name,
        "objectMetadata": {"id": shape.object_id, "nameSingular": shape.singular},
        "workspaceId": session.workspace.id,
        "webhookId": hook["id"],
        "eventDate": session.now(),
        **who,
        "record": happening.row,
        **changed,
    }


def _by_graphql(act: Any) -> Any:
    def resolve(session: Session, args: Args) -> Any:
        session.need(FLAG)
        return act(session, args.get("input") or args)

    return resolve


ROOTS = {
    "webhooks": _by_graphql(lambda session, _args: list(session.workspace.webhooks.values())),
    "webhook": _by_graphql(lambda session, args: _found(session, args["id"])),
    "createWebhook": _by_graphql(create),
    "updateWebhook": _by_graphql(
        lambda session, args: update(session, _found(session, args["id"]), args.get("update") or args)
    ),
    "deleteWebhook": _by_graphql(lambda session, args: delete(session, _found(session, args["id"]))),
}
