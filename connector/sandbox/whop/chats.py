"""Support channels and their messages: one channel for each user, made once."""

from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Response, request

from connector.sandbox.whop import api, control, errors
from connector.sandbox.whop.hookbook import fresh_id
from connector.sandbox.whop.shop_records import owner_user
from connector.sandbox.whop.values import Record


@dataclass(slots=True)
class Chats:
    """Channels by id, and the messages of each, the oldest first."""

    channels: dict[str, Record] = field(default_factory=dict)
    messages: dict[str, list[Record]] = field(default_factory=dict)


def _chats() -> Chats:
    found: Chats = api.parts().chats
    return found


def _wanted(*needed: str) -> Record:
    wanted = request.get_json(silent=True) or {}
    for name in needed:
        if not isinstance(wanted.get(name), str) or not wanted[name]:
            raise errors.bad_param(name, f"{name} is required.")
    return dict(wanted)


def open_channel() -> Response:
    """POST /support_channels: the user's channel, made now or long ago."""
    api.caller().need("support_chat:create")
    wanted = _wanted("account_id", "user_id")
    shelf = next((one for one in api.within_reach() if one.company.id == wanted["account_id"]), None)
    index = shelf.company.ids["users"].index(wanted["user_id"]) if shelf else None
    members = shelf.tables["members"] if shelf else None
    if shelf is None or members is None or index is None or not members.has(index):
        raise errors.not_found("users")
    for channel in _chats().channels.values():
        if (channel["account_id"], channel["customer_user"]["id"]) == (shelf.company.id, wanted["user_id"]):
            return api.answer(channel)
    user = members.get(index)["user"]
    channel = {
        "account_id": shelf.company.id,
        "company_id": shelf.company.id,
        "custom_name": wanted.get("custom_name"),
        "customer_user": {name: user[name] for name in ("id", "name", "username")},
        "id": fresh_id("feed"),
        "last_message": None,
        "last_message_at": None,
        "needs_reply": False,
        "participated": True,
        "resolved_at": None,
        "unread": False,
    }
    _chats().channels[channel["id"]] = channel
    return api.answer(channel)


def channels() -> Response:
    """GET /support_channels."""
    api.caller().need("support_chat:read")
    return api.paged(list(_chats().channels.values()))


def channel(name: str) -> Response:
    """GET /support_channels/{id}."""
    api.caller().need("support_chat:read")
    return api.answer(_channel(name))


def _channel(name: str) -> Record:
    if name not in _chats().channels:
        raise errors.not_found("support_channels")
    return _chats().channels[name]


def messages() -> Response:
    """GET /messages?channel_id=…"""
    api.caller().need("support_chat:read")
    found = _channel(request.args.get("channel_id", ""))
    direction = request.args.get("direction", "asc")
    if direction not in ("asc", "desc"):
        raise errors.bad_param("direction", "direction must be asc or desc.")
    rows = _chats().messages.get(found["id"], [])
    return api.paged(rows if direction == "asc" else rows[::-1])


def write() -> Response:
    """POST /messages."""
    api.caller().need("support_chat:message:create")
    wanted = _wanted("channel_id", "content")
    found = _channel(wanted["channel_id"])
    more = {"replying_to_message_id": wanted.get("replying_to_message_id")}
    return api.answer(_said(found, wanted["content"], owner_user(api.world().home.company), **more))


def _said(channel: Record, content: str | None, user: Record, **more: Any) -> Record:
    """A message of this user in a channel."""
    at = api.world().stamp()
    message = {
        "content": content,
        "created_at": at,
        "id": fresh_id("post"),
        "is_edited": False,
        "is_pinned": False,
        "mentions": [],
        "mentions_everyone": False,
        "message_type": "regular",
        "poll": None,
        "poll_votes": [],
        "reaction_counts": [],
        "replying_to_message_id": None,
        "updated_at": at,
        "user": user,
        "view_count": None,
        **more,
    }
    _chats().messages.setdefault(channel["id"], []).append(message)
    channel["last_message_at"] = at
    return message


def answer_back() -> Response:
    """POST /sandbox/chats: the customer of ``channel_id`` writes ``content``; ``silent`` tells nobody.

    Further fields are the message's as it is read, ``created_at`` for one.
    """
    wanted = dict(control.body())
    channel = _chats().channels[wanted.pop("channel_id")]
    content, silent = wanted.pop("content", None), wanted.pop("silent", False)
    user = wanted.pop("user", channel["customer_user"])
    with api.world().lock:
        message = _said(channel, content, user, **wanted)
    if not silent:
        home = api.world().home
        api.parts().hooks.tell("chat.message.created", "messages", message, home, message["created_at"])
    return api.answer(message)


def create_control() -> Blueprint:
    """What tests turn."""
    routes = Blueprint("chat_control", __name__, url_prefix="/sandbox")
    routes.add_url_rule("/chats", "answer_back", answer_back, methods=["POST"])
    control.explain_errors(routes)
    return routes


def create_blueprint() -> Blueprint:
    """All routes of chats."""
    routes = Blueprint("chats", __name__, url_prefix="/api/v1")
    routes.add_url_rule("/support_channels", "channels", channels)
    routes.add_url_rule("/support_channels", "open_channel", open_channel, methods=["POST"])
    routes.add_url_rule("/support_channels/<name>", "channel", channel)
    routes.add_url_rule("/messages", "messages", messages)
    routes.add_url_rule("/messages", "write", write, methods=["POST"])
    return routes
