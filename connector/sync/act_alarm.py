"""Telling the admins of an act that a person has to carry out: what it was about, why, and what to do.

The messages are written in the transaction that ends the act, so there is one of them on each way, and are
sent as alerts are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from connector.core.automation import Automation, record_of
from connector.errors import ConnectorError
from connector.store import alerts
from connector.store.acts import Act
from connector.store.alerts import NewMessage
from connector.store.connections import Connection
from connector.store.db import Session
from connector.sync import alerting
from connector.sync.alerting import AlertDesk

_BY_VERB: Final = {
    "message": "write to the buyer of",
    "email": "send an e-mail to the buyer of",
    "task": "look after",
    "pause": "pause",
    "resume": "resume",
}
_STEPS: Final = {
    "cancel": (
        "See that it was bought once, and is not paid again and again.",
        "Cancel the membership there, at once.",
    ),
    "pause": ("See that its payment is still open.", "Pause the membership there."),
    "resume": ("See that it is paid.", "Resume the membership there."),
    "message": (
        "Look into the support chat with its buyer: the message may be there.",
        "Write it there if it is not.",
    ),
    "email": ("Ask its buyer whether the e-mail arrived.", "Send it yourself if it did not."),
    "task": ("Look whether something is to be done about it.", "Make the task in Twenty yourself."),
}
_DO: Final = {"Pause": "pause", "Resume": "resume", "Keep after all": "keep"}


def tell(
    session: Session,
    desk: AlertDesk,
    act: Act,
    automation: Automation | None,
    company: Connection,
    error: ConnectorError,
) -> list[str]:
    """Have it told on every way that leads to somebody; which these are."""
    ways = alerting.channels(desk, session, alerts.settings(session, act.workspace_id))
    about = act.membership_id or f"the membership of {record_of(act.source_id)}"
    step = automation.step(act.step) if automation else None
    verb = step.verb if step else ""
    do = _BY_VERB.get(verb) or _DO.get(act.facts.get("asked", ""), "cancel")
    title = f"By hand: {do} {about}"
    text = "\n".join(_lines(desk, act, automation, company, error, verb=verb))
    told = [NewMessage(None, "act", way, title, text) for way in ways]
    alerts.add(session, act.workspace_id, told, desk.clock())
    return ways


def told(ways: Sequence[str]) -> str:
    """What the journal says of it."""
    if not ways:
        return "Given up. Nobody could be told: the page Alerts names no webhook and no recipient by e-mail."
    return f"Given up. The admins are told by {' and '.join(ways)}, with what there is to do by hand."


def _lines(
    desk: AlertDesk,
    act: Act,
    automation: Automation | None,
    company: Connection,
    error: ConnectorError,
    *,
    verb: str,
) -> Iterator[str]:
    named = automation.title if automation else act.automation
    yield f"The automation “{named}” of {company.company_title or company.company_id} did not get through."
    yield ""
    yield f"{act.kind.capitalize()}: {record_of(act.source_id)}"
    yield f"Membership: {act.membership_id or act.facts.get('membership_id') or 'not known'}"
    yield f"Reason: {error}"
    if error.remedy:
        yield f"What helps: {error.remedy}"
    yield ""
    yield "By hand:"
    for number, each in enumerate([*by_hand(act, verb), "Say so here, or have it tried again:"], start=1):
        yield f"{number}. {each}"
    yield f"{desk.public_url}/automations/acts/{act.id}"


def by_hand(act: Act, verb: str) -> list[str]:
    """What a person does in place of an act."""
    first = f"Open the Whop dashboard and look for {act.membership_id or record_of(act.source_id)}."
    if asked := act.facts.get("asked"):
        return [first, f"See that this is still wanted: {asked}.", "Do it there."]
    return [first, *_STEPS.get(verb, _STEPS["cancel"])]
