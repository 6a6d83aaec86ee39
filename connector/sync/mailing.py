"""An e-mail to the buyer of a membership, by the operator's mail server: sent once, as far as can be known.

No mail server tells later what it took. So before one is asked, that is kept; where its answer is lost, the
e-mail is sent once more, which the journal says, and after a second loss a person decides.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from connector.core.automation import Automation, Step
from connector.errors import RefusedError, TryLaterError
from connector.ports.acts import SourceActs
from connector.sync import act_calls, buyers
from connector.sync.act_endings import Job, done, skip
from connector.sync.messaging import VALID

UNANSWERED: Final = "smtp_unanswered"
_OPEN: Final = "unanswered"
_MOST: Final = 2


def carry_out(job: Job, source: SourceActs, automation: Automation, step: Step, id_: str) -> None:
    """Write to whoever holds the membership, as long as it is valid and Whop tells an address."""
    membership = source.record("membership", id_)
    if membership is None or membership.fields["status"] not in VALID:
        skip(job, "The membership is not valid any more.", membership_id=id_)
        return
    member = buyers.member_of(source, membership)
    address = member.fields.get("email") if member else None
    if not isinstance(address, str) or not address:
        skip(job, "Whop tells no e-mail address of its buyer.", membership_id=id_)
        return
    fields = buyers.told_of(membership, member)
    doubts = _begin(job, id_)
    _hand_over(job, address, step.says(fields), step.body(fields), doubts)
    twice = " An earlier answer of the mail server was lost, so it may have arrived twice." if doubts else ""
    done(job, automation, f"The e-mail was sent.{twice}", id_)


def _begin(job: Job, id_: str) -> int:
    """Keep that the mail server is about to be asked; how many earlier tries were never answered."""
    doubts = int(job.act.facts.get(_OPEN, 0)) if job.act.begun_at is not None else 0
    if doubts >= _MOST:
        raise TryLaterError(
            "The mail server's answer was lost twice: nobody knows whether the e-mail arrived.",
            code="act_mail_unanswered",
        )
    job.act = replace(job.act, facts={**job.act.facts, _OPEN: doubts + 1})
    again = ", once more: an earlier answer was lost" if doubts else ""
    act_calls.begin(job, id_, f"Handing the e-mail to the mail server{again}.")
    return doubts


def _hand_over(job: Job, address: str, subject: str, text: str, doubts: int) -> None:
    mail = job.desk.alerts.mail
    try:
        if mail is None:
            raise no_server()
        mail.send([address], subject, text)
    except (TryLaterError, RefusedError) as error:
        if error.code != UNANSWERED:  # it was not taken, for certain
            job.act = replace(job.act, facts={**job.act.facts, _OPEN: doubts})
            with job.desk.database.transaction() as session:
                job.keep(session, facts=job.act.facts)
        raise


def no_server() -> RefusedError:
    """There is nothing to send by."""
    return RefusedError(
        "There is no mail server to send e-mails by.",
        code="act_no_mail",
        remedy="Ask the operator of this installation to name one (SMTP_HOST).",
    )
