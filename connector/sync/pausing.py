"""A membership whose payment failed is paused on the source, and resumed when it is paid.

Whether it is paid is looked at when an event tells of a payment, and every few hours in case none does.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from connector.core import requests
from connector.core.automation import Automation, Step
from connector.core.purchases import ENDED, is_paid
from connector.core.requests import Change
from connector.ports.acts import SourceActs
from connector.sync import act_calls
from connector.sync.act_endings import Job, done, skip, wait_on
from connector.sync.purchases import Matched

_EVERY: Final = timedelta(hours=6)
_CHANGES: Final[dict[str, Change]] = {"pause": "pause", "resume": "resume"}
_SO_ALREADY: Final = {
    "pause": "It was paused already, by somebody else: so it is left to them to resume it.",
    "resume": "It is not paused any more.",
}


def is_unpaid(job: Job, source: SourceActs, found: Matched) -> bool:
    """Whether the act waits on, or has nothing to wait for any more: then it is settled here."""
    payment = found.payment
    if payment is not None and payment.fields.get("status") == "paid":
        return False
    membership = source.record("membership", found.membership_id)
    if membership is None or membership.fields["status"] in ENDED:
        skip(job, "The membership has ended: there is nothing to resume.", membership_id=found.membership_id)
        return True
    payments = [one.fields for one in source.payments_of(found.membership_id)]
    if is_paid(payments, job.act.source_id, job.act.fact_at):
        return False
    wait_on(job, "It waits until the payment comes.", _EVERY)
    return True


def carry_out(job: Job, source: SourceActs, automation: Automation, step: Step, id_: str) -> None:
    """Pause or resume it, unless that is so already or cannot be."""
    change = _CHANGES[step.verb]
    standing = act_calls.standing(source, id_, change)
    if standing.never:
        skip(job, standing.never, membership_id=id_)
        return
    if standing.done and job.act.begun_at is None:
        skip(job, _SO_ALREADY[change], membership_id=id_)
        return
    if standing.done:
        job.note("Whop shows that it was carried out: only the answer had been lost.")
    else:
        act_calls.ask_change(job, source, id_, change, automation.calls)
    done(job, automation, requests.DONE[change], id_)
