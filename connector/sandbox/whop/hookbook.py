"""Webhooks and their deliveries: registered, posted, logged, replayed, and switched off after failures.

Whop switches a hook off after 72 hours of failure with 10 failed deliveries or more; ``disable_after`` makes
it so many failures in a row instead. What happens while a hook is off is not sent later. The log is kept in
memory; hooks survive a restart where there is a directory.
"""

import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from connector.sandbox.whop import bodies, posting
from connector.sandbox.whop.auth import write_secret
from connector.sandbox.whop.ids import SPACE, word
from connector.sandbox.whop.values import Record, iso, millis
from connector.sandbox.whop.world import Shelf

LASTS: Final = 72 * 3600
ENOUGH: Final = 10


@dataclass(slots=True)
class Hook:
    """One webhook. ``secret`` is shown once, when it is made."""

    id: str
    url: str
    resource_id: str
    events: list[str]
    secret: str
    created_at: str
    dialect: str = bodies.CURRENT
    enabled: bool = True
    child_resource_events: bool = False
    failures: int = 0
    failing_since: float | None = None
    last_failure_at: float | None = None
    disabled_at: float | None = None

    @property
    def scheme(self) -> str:
        """How its deliveries are signed."""
        return "v1" if self.dialect in (bodies.CURRENT, bodies.LEGACY) else "old"


@dataclass(slots=True)
class Delivery:
    """One message on its way to one hook: a try, as the log shows it."""

    id: str
    hook: str
    event: str
    message: str
    body: bytes
    replayed_from: str | None = None
    sent_at: float = 0.0
    answer: posting.Answer | None = None


@dataclass(slots=True)
class Terms:
    """What tests turn: the schedule of retries, when a hook is switched off, which addresses are taken."""

    retries: tuple[float, ...] = posting.RETRIES
    disable_after: int | None = None
    public_only: bool = False


@dataclass(slots=True)
class HookBook:
    """All hooks. ``now`` is the clock of signatures and of the log."""

    file: Path | None
    now: Callable[[], float]
    hooks: dict[str, Hook] = field(default_factory=dict)
    log: list[Delivery] = field(default_factory=list)
    terms: Terms = field(default_factory=Terms)
    postman: posting.Postman = field(default_factory=posting.Postman)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        if self.file is not None and self.file.exists():
            for one in orjson.loads(self.file.read_bytes()):
                self.hooks[one["id"]] = Hook(**one)

    def add(self, *, url: str, resource_id: str, events: list[str], **more: Any) -> Hook:
        """Register a hook; its secret is in it."""
        made = Hook(
            id=fresh_id("hook"),
            url=url,
            resource_id=resource_id,
            events=events,
            secret=f"ws_{secrets.token_hex(32)}",
            created_at=iso(round(self.now() * 1000)),
            **more,
        )
        self.hooks[made.id] = made
        self._keep()
        return made

    def change(self, hook: Hook, fields: Record) -> None:
        """Change a hook; switching it on forgets its failures."""
        for name, value in fields.items():
            setattr(hook, name, value)
        if fields.get("enabled"):
            hook.failures, hook.failing_since, hook.disabled_at = 0, None, None
        self._keep()

    def remove(self, hook: Hook) -> None:
        """Take a hook away; what is on its way to it is dropped."""
        self.hooks.pop(hook.id, None)
        self._keep()

    def tell(self, event: str, kind: str, record: Record, shelf: Shelf, stamp: str) -> None:
        """Something happened: every hook that listens hears of it in its own dialect."""
        message = fresh_id("msg")
        for hook in list(self.hooks.values()):
            if hook.enabled and event in hook.events and hook.resource_id == shelf.company.id:
                told = bodies.body(
                    event, kind, record, shelf, dialect=hook.dialect, message=message, stamp=stamp
                )
                if told is not None:
                    self.deliver(hook, event, told, message)

    def deliver(self, hook: Hook, event: str, told: Any, message: str | None = None) -> None:
        """Post this body to the hook, again and again until it is accepted."""
        raw = told if isinstance(told, bytes) else orjson.dumps(told)
        self._post(hook, Delivery(fresh_id("whdel"), hook.id, event, message or fresh_id("msg"), raw))

    def replay(self, hook: Hook, old: Delivery, *, new_id: bool) -> None:
        """The same body once more, by default under the same id."""
        message = fresh_id("msg") if new_id else old.message
        self._post(hook, Delivery(fresh_id("whdel"), hook.id, old.event, message, old.body, old.id))

    def replay_now(self, hook: Hook, old: Delivery, *, new_id: bool) -> posting.Answer:
        """The same, while somebody waits for the answer; it is not tried again."""
        message = fresh_id("msg") if new_id else old.message
        again = Delivery(fresh_id("whdel"), hook.id, old.event, message, old.body, old.id)
        self._try(hook, again, len(self.terms.retries))
        return again.answer or posting.Answer(None, "", 0.0)

    def test(self, hook: Hook, event: str, told: Any) -> posting.Answer:
        """Post a sample and wait for the answer; it is in no log."""
        raw, message, moment = orjson.dumps(told), fresh_id("msg"), round(self.now())
        return posting.post(hook.url, posting.signed(hook.scheme, hook.secret, message, moment, raw), raw)

    def deliveries(self, hook: Hook) -> list[Delivery]:
        """The log of a hook, the newest first."""
        with self._lock:
            return [one for one in reversed(self.log) if one.hook == hook.id]

    def unheard(self) -> Iterable[Delivery]:
        """Messages that no delivery of theirs was accepted for, each once."""
        with self._lock:
            heard = {(one.hook, one.message) for one in self.log if one.answer and one.answer.accepted}
            last = {(one.hook, one.message): one for one in self.log}
        return [one for key, one in last.items() if key not in heard]

    def _post(self, hook: Hook, delivery: Delivery, tried: int = 0) -> None:
        self.postman.send(lambda: self._try(hook, delivery, tried))

    def _try(self, hook: Hook, delivery: Delivery, tried: int) -> None:
        if hook.id not in self.hooks or not hook.enabled:
            return
        delivery.sent_at = self.now()
        headers = posting.signed(
            hook.scheme, hook.secret, delivery.message, int(delivery.sent_at), delivery.body
        )
        delivery.answer = posting.post(hook.url, headers, delivery.body)
        with self._lock:
            self.log.append(delivery)
            self._count_outcome(hook, delivery)
        if not delivery.answer.accepted and tried < len(self.terms.retries):
            again = Delivery(
                fresh_id("whdel"),
                hook.id,
                delivery.event,
                delivery.message,
                delivery.body,
                delivery.replayed_from,
            )
            self.postman.send(lambda: self._try(hook, again, tried + 1), self.terms.retries[tried])

    def _count_outcome(self, hook: Hook, delivery: Delivery) -> None:
        if delivery.answer is None or delivery.answer.accepted:
            hook.failures, hook.failing_since = 0, None
            return
        hook.failures += 1
        hook.failing_since = hook.failing_since or delivery.sent_at
        hook.last_failure_at = delivery.sent_at
        after = self.terms.disable_after
        lasted = delivery.sent_at - hook.failing_since >= LASTS and hook.failures >= ENOUGH
        if lasted if after is None else hook.failures >= after:
            hook.enabled, hook.disabled_at = False, delivery.sent_at
            self._keep()

    def _keep(self) -> None:
        if self.file is not None:
            write_secret(self.file, orjson.dumps([asdict(one) for one in self.hooks.values()]).decode())


def fresh_id(prefix: str) -> str:
    """An id that nothing else has."""
    return f"{prefix}_{word(secrets.randbelow(SPACE))}"


def seconds_of(text: str) -> float:
    """ISO 8601 as seconds; raises ValueError."""
    return millis(text) / 1000
