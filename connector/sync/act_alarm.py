"""Telling the admins of an act that a person has to carry out: what it was about, why, and what to do.

The messages are written in the transaction that ends the act, so there is one of them on each way, and are
sent as alerts are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from connector.core.automation import Automation
from connector.errors import ConnectorError
from connector.store import alerts
from connector.store.acts import Act
from connector.store.alerts import NewMessage
from connector.store.connections import Connection
from connector.store.db import Session
from connector.sync import alerting
from connector.sync.alerting import AlertDesk

_BY_VERB: Final = {"message": "write to the buyer of", "task": "look after"}
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
    about = act.membership_id or f"the membership of {act.source_id}"
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
    yield f"{act.kind.capitalize()}: {act.source_id}"
    yield f"Membership: {act.membership_id or act.facts.get('membership_id') or 'not known'}"
    yield f"Reason: {error}"
    if error.remedy:
        yield f"What helps: {error.remedy}"
    yield ""
    yield "By hand:"
    yield f"1. Open the Whop dashboard and look for {act.membership_id or act.source_id}."
    if asked := act.facts.get("asked"):
        yield f"2. See that this is still wanted: {asked}."
        yield "3. Do it there."
    elif verb == "task":
        yield "2. Look whether something is to be done about it."
        yield "3. Make the task in Twenty yourself."
    elif verb == "message":
        yield "2. Look into the support chat with its buyer: the message may be there."
        yield "3. Write it there if it is not."
    else:
        yield "2. See that it was bought once, and is not paid again and again."
        yield "3. Cancel the membership there, at once."
    yield "4. Say so here, or have it tried again:"
    yield f"{desk.public_url}/automations/acts/{act.id}"
