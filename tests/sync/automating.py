"""Automations on the stage: switched on, set off by what happens on Whop, and carried out when it is time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from events import receive, take
from happening import bodies, happen
from scene import Json, Scene, one

from connector.outbound.mail import Mailer
from connector.store import acts
from connector.store.acts import Act, ActFilter
from connector.sync import acting, switching
from connector.sync.act_endings import ActDesk

NAME = "one_time_purchases"
NEEDS = ("membership:cancel",)


def desk_of(scene: Scene, mail_port: int | None = None) -> ActDesk:
    """As an installation has it, with the scene's clock, and a mail server where one is named."""
    alerts = replace(scene.parts.alerts, clock=scene.clock)
    if mail_port is not None:
        mail = Mailer("127.0.0.1", mail_port, "none", "us@example.com", timeout=5.0)
        alerts = replace(alerts, mail=mail)
    return replace(scene.parts.acts, clock=scene.clock, alerts=alerts)


def plan_of(scene: Scene, plan_type: str = "one_time") -> str:
    """A plan of this type that costs something."""
    return next(
        plan["id"]
        for plan in scene.records("plans")
        if plan["plan_type"] == plan_type and plan["initial_price"] + plan["renewal_price"] > 0
    )


def switch_on(scene: Scene, *plans: str, desk: ActDesk | None = None) -> None:
    assert scene.connection is not None
    chosen = dict.fromkeys(plans or (plan_of(scene),), "A plan")
    switching.switch_on(desk or desk_of(scene), scene.connection, NAME, chosen, NEEDS)


@dataclass(frozen=True, slots=True)
class Bought:
    """Somebody bought something: what there is of it on Whop, and the events that tell of it."""

    membership: str
    payment: str
    events: list[Json]

    @property
    def paid(self) -> Json:
        """The event that the payment succeeded."""
        return next(body for body in self.events if body["type"] == "payment.succeeded")


def buys(scene: Scene, **fields: Any) -> Bought:
    told = happen(scene, "join", **{"plan_id": plan_of(scene), **fields})
    records = {one_["kind"]: one_["record"] for one_ in told}
    found = bodies(scene, told)
    return Bought(records["memberships"]["id"], records["payments"]["id"], found)


def hear(scene: Scene, *events: Json, times: int = 1) -> None:
    """The events come in, so many times each, and are taken."""
    for number in range(times):
        receive(scene, *({**body, "id": f"{body['id']}-{number}"} for body in events))
        take(scene, owner=f"drain-{number}")


def act(scene: Scene, seconds: float = 6, *, desk: ActDesk | None = None, owner: str = "worker") -> int:
    """What is due after so many seconds is carried out; waits in between move the clock."""
    scene.clock.advance(seconds)
    return acting.take_due(desk or desk_of(scene), owner=owner, pause=scene.clock.advance)


def every(scene: Scene) -> list[Act]:
    """All acts, the oldest first."""
    assert scene.workspace is not None
    with scene.parts.database.reading() as session:
        return acts.page(session, scene.workspace.id, ActFilter()).items[::-1]


def the_act(scene: Scene) -> Act:
    (only,) = every(scene)
    return only


def status_of(scene: Scene, membership: str) -> str:
    return str(one(scene.records("memberships"), id=membership)["status"])


def cancels(scene: Scene) -> int:
    """How often Whop was asked to cancel something."""
    asked: Json = scene.whop.ask("GET", "/stats")["requests"]
    return sum(count for name, count in asked.items() if name.startswith("POST") and name.endswith("/cancel"))
