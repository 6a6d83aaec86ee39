"""What is written in Whop's support chats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from connector.core.conversations import Post
from connector.errors import ReconnectError, RefusedError

from . import client
from .acting import LOOK
from .answers import unlike_whop
from .normalise import is_id
from .paging import walk
from .times import canonical_time

_PATH: Final = "/messages"
_PAGE: Final = 100


class WhopChats:
    """Fills ``ports.chats.Chats``."""

    def __init__(self, session: client.Session) -> None:
        self._session = session

    def posts(self, channel: str) -> Iterator[list[Post]]:
        """GET /messages. What the system says by itself is nobody's message."""
        params: client.Params = {"channel_id": channel, "first": _PAGE, "direction": "desc"}
        try:
            for page in walk(self._session, _PATH, params, None):
                yield [_post(one) for one in page.items if _is_somebodys(one)]
        except ReconnectError as error:
            if error.code != "whop_scope":
                raise
            raise RefusedError(
                f"Whop does not let this connection read chats: it lacks the permission {LOOK.name}.",
                code="act_scope",
                remedy=f"Give the key the permission {LOOK.name} in the Whop dashboard.",
            ) from error


def _is_somebodys(row: Any) -> bool:
    return not isinstance(row, dict) or row.get("message_type") != "system"


def _post(row: Any) -> Post:
    user = row.get("user") if isinstance(row, dict) else None
    if not isinstance(row, dict) or not is_id(row.get("id")) or not isinstance(user, dict):
        raise unlike_whop(_PATH)
    at = row.get("created_at")
    try:
        if not isinstance(at, str) or not is_id(user.get("id")):
            raise ValueError
        return Post(row["id"], user["id"], _name(user), _text(row.get("content")), canonical_time(at))
    except ValueError:
        raise unlike_whop(_PATH) from None


def _name(user: Mapping[str, Any]) -> str:
    return _text(user.get("name")) or _text(user.get("username")) or str(user["id"])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
