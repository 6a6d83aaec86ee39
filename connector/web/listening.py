"""How a connection hears of what happens on Whop: how that stands, in words, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from connector.store import drains, eventbook, hooks, misses, overview, registrations, silence
from connector.store.connections import Connection
from connector.store.db import Session
from connector.store.eventbook import Flow
from connector.store.hooks import HookSecret, RefusalCount
from connector.store.misses import Missed
from connector.store.registrations import Registration
from connector.store.silence import Untold
from connector.web import error_registry
from connector.web.present import Status, plural

DAY: Final = timedelta(days=1)
_TOO_LONG: Final = timedelta(minutes=5)
#: So many changes that no event told are more than a chance.
_SILENT_FROM: Final = 3

REFUSALS: Final[Mapping[str, str]] = {
    "wrong": "Signed with another secret, or changed on the way",
    "missing": "Without a signature: not from Whop",
    "malformed": "With a signature that cannot be read",
    "stale": "Signed more than five minutes before or after",
    "too_large": "Larger than anything Whop sends",
    "unreadable": "Signed, but not readable as an event",
    "foreign": "Of another company",
    "disconnected": "While the company was disconnected",
}


class Trouble(NamedTuple):
    """What is wrong, what that means, and how it is mended: ``act`` is switch_on, replay, secret or none."""

    tone: str
    title: str
    text: str
    act: str = ""


@dataclass(frozen=True, slots=True)
class Listening:
    """What is known of one connection's webhooks. ``registration`` is None where nobody looks after one,
    ``agreed`` false before the first sync: until then nothing may be written to the CRM.
    """

    now: datetime
    connected: bool
    registration: Registration | None
    secrets: Sequence[HookSecret]
    flow: Flow
    refused: Sequence[tuple[str, int, RefusalCount]]
    stopped: Mapping[str, Any] | None
    missed: Missed
    agreed: bool
    untold: Untold = field(default=Untold())

    @property
    def hook_id(self) -> str | None:
        """The webhook that we registered, if there is one."""
        return self.registration.hook_id if self.registration else None

    @property
    def error(self) -> error_registry.Entry | None:
        """Why we cannot look after the webhook; None where we can, or have not tried."""
        known = self.registration.error if self.registration else None
        return error_registry.entry(known.get("code")) if known else None

    @property
    def accepts(self) -> bool:
        """Whether there is a secret by which an event can be believed."""
        return any(one.retires_at is None or one.retires_at > self.now for one in self.secrets)

    @property
    def scheme(self) -> str:
        """How the newest secret signs that is still believed."""
        alive = (one.scheme for one in self.secrets if one.retires_at is None or one.retires_at > self.now)
        return next(alive, "standard")

    @property
    def switched_off(self) -> bool:
        """Whether Whop has our webhook and does not deliver to it."""
        return bool(self.registration and self.registration.hook_id and not self.registration.enabled)

    @property
    def refused_count(self) -> int:
        """How many deliveries were refused in the last 24 hours."""
        return sum(count for _, count, _ in self.refused)

    @property
    def status(self) -> Status:
        """How it stands, in a word."""
        if not self.connected:
            return Status("Not connected", "cancelled")
        if self.switched_off:
            return Status("Switched off at Whop", "failed", "bad")
        if not self.accepts:
            return Status("Not set up", "none")
        if any(one.tone == "bad" for one in self.troubles):
            return Status("In trouble", "failed", "bad")
        if self.flow.last_at is None:
            return Status("Waiting for the first event", "queued")
        return Status("Listening", "success", "ok")

    @property
    def troubles(self) -> list[Trouble]:
        """What is wrong, the gravest first."""
        return list(_troubles(self)) if self.connected else []


def of(session: Session, one: Connection, now: datetime) -> Listening:
    """How a connection hears."""
    ids = (one.workspace_id, one.id)
    drained = drains.get(session, *ids)
    known = registrations.get(session, *ids)
    secrets = hooks.secrets(session, *ids)
    last = overview.last_complete(session, *ids)
    since = min((secret.created_at for secret in secrets), default=None)
    return Listening(
        now=now,
        connected=one.status == "active",
        registration=known,
        secrets=secrets,
        flow=eventbook.flow(session, *ids),
        refused=_summed(hooks.refusals(session, *ids, now - DAY)),
        stopped=drained.error if drained else None,
        missed=misses.count(session, *ids, healed=last.started_at if last else None),
        agreed=overview.ever_synced(session, *ids),
        untold=silence.untold(session, *ids, since) if since else Untold(),
    )


def _summed(counts: Sequence[RefusalCount]) -> list[tuple[str, int, RefusalCount]]:
    """Reason in words, how often, and the last of them; the newest first."""
    last: dict[str, RefusalCount] = {}
    totals: dict[str, int] = {}
    for one in counts:
        last.setdefault(one.reason, one)
        totals[one.reason] = totals.get(one.reason, 0) + one.count
    return [(REFUSALS.get(name, name), totals[name], one) for name, one in last.items()]


def _troubles(one: Listening) -> Iterator[Trouble]:
    if one.switched_off:
        since = "after days of failures" if one.registration and one.registration.disabled_at else "there"
        text = (
            f"Whop switched it off {since} and sends nothing to it. What happens meanwhile is not sent "
            "later: switching it on again starts a full sync, which brings everything that was missed."
        )
        yield Trouble("bad", "The webhook is switched off at Whop", text, "switch_on")
    if one.stopped and one.flow.oldest_waiting and one.now - one.flow.oldest_waiting > _TOO_LONG:
        known = error_registry.entry(one.stopped.get("code"))
        text = f"{known.title}. {known.todo} Nothing is lost: they are taken when it is mended."
        yield Trouble("bad", f"{plural(one.flow.waiting, 'event')} cannot be carried out", text)
    if _is_mistrusted(one):
        text = (
            "What arrives is signed with a secret that is not known here. Copy the webhook's secret on Whop "
            "and enter it. Whop goes on trying for three days, so nothing is lost yet."
        )
        yield Trouble("bad", "Deliveries are refused: the secret does not fit", text, "secret")
    if one.missed.lost and one.registration and one.registration.enabled:
        text = "Whop was asked for them again, in vain. A full sync brings what they would have told."
        yield Trouble("warn", f"{plural(one.missed.lost, 'delivery', 'deliveries')} never arrived", text)
    if _is_silent(one):
        changes = plural(one.untold.count, "change")
        text = (
            f"The latest syncs brought {changes} that no event told. Look on Whop whether the webhook is "
            "there, switched on, and listens to the events below."
        )
        yield Trouble("warn", "Whop is silent although things change", text)
    if one.flow.parked:
        text = (
            "Trying again did not help. Nothing is lost: look what stands in the way, then take them again."
        )
        yield Trouble("warn", f"{plural(one.flow.parked, 'event')} parked", text, "replay")


def _is_mistrusted(one: Listening) -> bool:
    """Whether the last that came was refused for its signature: what was accepted since outdoes it."""
    wrong = [count for _, _, count in one.refused if count.reason == "wrong"]
    return any(one.flow.last_at is None or count.last_at > one.flow.last_at for count in wrong)


def _is_silent(one: Listening) -> bool:
    last, untold = one.flow.last_at, one.untold
    if not one.accepts or untold.last_at is None or untold.count < _SILENT_FROM:
        return False
    return last is None or last < untold.last_at
