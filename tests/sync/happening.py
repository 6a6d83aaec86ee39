"""Things happen on Whop, and the events that tell of them come in."""

from __future__ import annotations

from typing import Any

from events import a_body, receive, take
from scene import Json, Scene, one

LATER = "2026-11-20T12:00:10.000Z"
"""After the company was connected."""


def happen(scene: Scene, what: str, id_: str = "", **fields: Any) -> list[Json]:
    """Have something happen; what is told of it, in order."""
    return list(scene.whop.ask("POST", "/happen", {"what": what, "id": id_, **fields})["told"])


def bodies(scene: Scene, told: list[Json], **changed: Any) -> list[Json]:
    """The events as they are posted. The sandbox lives in its own time; here they are of today."""
    return [
        a_body(scene, one_["event"], dated(one_["record"], one_["kind"]), **{"timestamp": LATER, **changed})
        for one_ in told
    ]


def dated(record: Json, kind: str) -> Json:
    """A record whose last change is after the company was connected."""
    moved = {"updated_at": LATER}
    if kind == "payments":
        moved |= {"created_at": LATER, "paid_at": record["paid_at"] and LATER}
    elif kind in ("refunds", "disputes"):
        moved |= {"created_at": LATER}
    return {**record, **moved}


def take_in(scene: Scene, told: list[Json], **changed: Any) -> list[Json]:
    """The events come in and are taken."""
    found = bodies(scene, told, **changed)
    receive(scene, *found)
    take(scene)
    return found


def notes(scene: Scene, kind: str = "notes") -> list[Json]:
    """The living notes of the CRM with what they stand beside."""
    single = kind.removesuffix("s")
    ties = scene.rows(f"{single}Targets")
    return [
        {
            **row,
            "beside": {
                of: tie[f"target{of}Id"]
                for tie in ties
                if tie[f"{single}Id"] == row["id"]
                for of in ("Person", "Opportunity")
                if tie[f"target{of}Id"]
            },
        }
        for row in scene.rows(kind)
        if not row["deletedAt"]
    ]


def note(scene: Scene, kind: str = "notes", **wanted: Any) -> Json:
    return one(notes(scene, kind), **wanted)
