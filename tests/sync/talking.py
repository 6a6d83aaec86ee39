"""Conversations on the stage: somebody is welcomed, writes back, and it is looked at."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from automating import Bought, act, buys, desk_of, hear
from events import a_body, receive, take
from scene import Json, Scene, one

from connector.core.records import iso
from connector.store import conversations
from connector.store.conversations import Conversation, ConversationFilter, Reply
from connector.sync import conversing, switching
from connector.sync.conversing import TalkDesk

NAME = "welcome_message"
NEEDS = ("support_chat:create", "support_chat:message:create", "support_chat:read")


def welcoming(scene: Scene) -> Scene:
    """The welcome is switched on."""
    assert scene.connection is not None
    switching.switch_on(desk_of(scene), scene.connection, NAME, {}, NEEDS)
    scene.clock.advance(1)
    return scene


def welcome(scene: Scene) -> Bought:
    """Somebody joins and is written to, and the chat is looked at once."""
    bought = buys(scene)
    hear(scene, *bought.events)
    act(scene, 0)
    look(scene, 0)
    return bought


def talk_desk(scene: Scene, **changed: Any) -> TalkDesk:
    return replace(scene.parts.talks, clock=scene.clock, **changed)


def look(scene: Scene, seconds: float = 3_601, *, desk: TalkDesk | None = None, owner: str = "talker") -> int:
    """What is due after so many seconds is looked at."""
    scene.clock.advance(seconds)
    return conversing.look(desk or talk_desk(scene), owner=owner)


def every(scene: Scene) -> list[Conversation]:
    """All conversations, the oldest first."""
    assert scene.workspace is not None
    with scene.parts.database.reading() as session:
        return conversations.page(session, scene.workspace.id, ConversationFilter()).items[::-1]


def the_talk(scene: Scene, bought: Bought | None = None) -> Conversation:
    (only,) = [each for each in every(scene) if bought is None or each.membership_id == bought.membership]
    return only


def replies(scene: Scene, of: Conversation) -> list[Reply]:
    with scene.parts.database.reading() as session:
        return conversations.replies(session, of.workspace_id, [of.id]).get(of.id, [])


def says(scene: Scene, of: Conversation, text: str | None, at: datetime | None = None, **more: Any) -> Json:
    """The buyer writes into the chat, after the welcome; the sandbox's hooks are not told.

    The sandbox dates what the company writes by its own clock, which is some seconds ahead of the scene's.
    """
    after = datetime.fromisoformat(of.since) + timedelta(seconds=1) if of.since else scene.clock()
    moment = iso(at or max(scene.clock(), after))
    body = {"channel_id": of.channel, "content": text, "created_at": moment, "silent": True, **more}
    return dict(scene.whop.ask("POST", "/chats", body))


def told(scene: Scene, message: Json, *, times: int = 1, **changed: Any) -> None:
    """The event about a message comes in, so many times, and is taken."""
    for number in range(times):
        receive(scene, a_body(scene, "chat.message.created", {**message, **changed}))
        take(scene, owner=f"drain-{number}")


def ends(scene: Scene, bought: Bought, status: str = "canceled") -> Json:
    scene.change("memberships", bought.membership, status=status)
    record = one(scene.records("memberships"), id=bought.membership)
    at = iso(scene.clock() + timedelta(seconds=1))
    return a_body(scene, "membership.deactivated", {**record, "updated_at": at}, timestamp=at)
