"""Events as Whop sends them, put into the inbox as the door does."""

from __future__ import annotations

import itertools
import json
from typing import Any

from scene import Scene

from connector.store import inbox
from connector.store.inbox import InboxEvent
from connector.sync.drain import drain

_numbers = itertools.count(1)


def a_body(scene: Scene, name: str, data: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """A delivery of today's dialect."""
    body = {
        "id": f"msg_{next(_numbers)}",
        "type": name,
        "api_version": "v1",
        "api_version_date": "2026-10-15-1",
        "timestamp": "2026-11-20T11:59:58.000Z",
        "account_id": scene.company,
        "data": data,
    }
    return {**body, **changed}


def receive(scene: Scene, *bodies: dict[str, Any]) -> None:
    """Keep deliveries that were believed."""
    assert scene.connection is not None
    with scene.parts.database.transaction() as session:
        inbox.add(session, [_event(scene, body) for body in bodies])


def _event(scene: Scene, body: dict[str, Any]) -> InboxEvent:
    assert scene.connection is not None
    now = scene.clock()
    ids = (scene.connection.workspace_id, scene.connection.id)
    type_ = body.get("type") or body["action"]
    raw = json.dumps(body).encode()
    return InboxEvent(*ids, body.get("id") or f"msg_{next(_numbers)}", type_, "v1", raw, now, now)


def take(scene: Scene, tools: Any = None, owner: str = "drain-1") -> int:
    """One job of the drain; its waits move the clock."""
    return drain(tools or scene.tools, owner=owner, pause=scene.clock.advance)


def events(scene: Scene, *states: str) -> list[InboxEvent]:
    """What is in the inbox, in the order it came."""
    from connector.store.models import event_inbox  # noqa: PLC0415

    with scene.parts.database.reading() as session:
        rows = session.execute(event_inbox.select().order_by(event_inbox.c.id))
        found = [InboxEvent(**row._mapping) for row in rows]
    return [event for event in found if not states or event.state in states]
