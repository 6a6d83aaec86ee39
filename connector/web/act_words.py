"""Automations and what they did, in the words of the pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from connector.core.automation import RENEWAL, Automation, Step
from connector.sources.whop.acting import PERMISSIONS, READ, Permission
from connector.web.present import Status

STATES: Final = {
    "waiting": Status("Waiting", "queued"),
    "done": Status("Done", "success", "ok"),
    "skipped": Status("Nothing to do", "none"),
    "failed": Status("Needs you", "failed", "bad"),
}
_EVENTS: Final = {
    "payment.succeeded": "a payment succeeded",
    RENEWAL: "a membership renews",
    "payment.failed": "a payment failed",
    "payment.created": "a payment was made",
    "payment.pending": "a payment is pending",
    "membership.activated": "a membership began or was renewed",
    "membership.deactivated": "a membership ended",
    "membership.cancel_at_period_end_changed": "somebody cancelled, or stays after all",
}
_UNITS: Final = ((604_800, "week"), (86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def sentences(one: Automation) -> list[str]:
    """What it does, step by step: "5 seconds after a payment succeeded: cancel the membership …"."""
    events = " or ".join(_EVENTS.get(name, name) for name in sorted(one.on))
    chosen = " on one of the plans that you tick" if one.chooses_plans else ""
    found, before = [], f"{events}{chosen}"
    for step in one.steps:
        found.append(f"{_when(one, step)} {before}: {_does(step)}")
        before = "that"
    return found


def _when(one: Automation, step: Step) -> str:
    if step.until_paid:
        return "When the payment comes, however long after"
    if one.before is not None and step is one.steps[0]:
        late = f", and {period(step.wait)} more," if step.wait else ""
        return f"{period(one.before).capitalize()} before{late}"
    return _after(step)


def _does(step: Step) -> str:
    if step.verb == "task":
        return f"leave a task in Twenty: “{step.how}”"
    if step.verb == "email":
        return f"send its buyer an e-mail: “{step.how}”"
    if step.verb == "message":
        return f"write to the buyer in your support chat on Whop: “{step.how}”"
    return _CHANGES[step.verb]


_CHANGES: Final = {
    "cancel": "cancel the membership on Whop, at once.",
    "pause": "pause the membership on Whop: nothing is charged until it is resumed.",
    "resume": "resume the membership on Whop.",
}


def _after(step: Step) -> str:
    return f"{period(step.wait).capitalize()} after" if step.wait else "As soon as"


def retries(one: Automation) -> str:
    """What happens when Whop does not do it."""
    calls, job = (", ".join(map(period, of)) for of in (one.calls, one.job))
    asked = f"A request that gets no answer is sent again after {calls}. " if calls else ""
    whole = f"If it fails, all of it is tried again after {job}; then" if job else "If it fails,"
    return f"{asked}{whole} the admins are told what to do by hand."


def period(one: timedelta) -> str:
    """A length in its largest whole unit."""
    seconds = int(one.total_seconds())
    size, word = next((size, word) for size, word in _UNITS if seconds % size == 0)
    number = seconds // size
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def needs(one: Automation) -> list[Permission]:
    """The permissions by which it changes something."""
    return list(dict.fromkeys(needed for step in one.steps for needed in PERMISSIONS[step.verb]))


def asked(one: Automation) -> tuple[str, ...]:
    """Every permission that it needs, by name."""
    return (*(permission.name for permission in needs(one)), *READ)
