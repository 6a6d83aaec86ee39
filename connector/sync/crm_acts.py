"""What somebody asked for in the CRM: taken up, carried out on the source as any act is, and answered.

The field is emptied before anything is done, so nothing is taken up twice, and what we write to the record
asks for nothing. Everything that can be asked for is done already when it is done: a repeat looks first.
"""

from __future__ import annotations

from typing import Final

from connector.core import requests
from connector.core.records import iso
from connector.core.requests import Asker, Change
from connector.errors import ConnectorError
from connector.ports.acts import SourceActs
from connector.ports.crm_requests import CrmRequests
from connector.store import acts, crm_requests, workspaces
from connector.sync import act_calls
from connector.sync.act_endings import CRM, Job, done, refuse, skip

KIND: Final = CRM.fact
_WITHIN: Final = f"within {int(requests.CONFIRMED_WITHIN.total_seconds() // 60)} minutes"
_ONCE_MORE: Final = f"This ends the access at once. To do it, choose “{requests.CONFIRM_NOW}” {_WITHIN}."
_FIRST: Final = f"Choose “{requests.ASK_NOW}” first, then “{requests.CONFIRM_NOW}” {_WITHIN}."


def carry_out(job: Job, source: SourceActs) -> None:
    """Do it, unless it is done or cannot be; the record in the CRM says what became of it."""
    crm, change = _taken(job)
    if change is None:
        return
    id_ = job.act.membership_id or ""
    standing = act_calls.standing(source, id_, change)
    if standing.never:
        _answer(job, crm, f"Not done: {standing.never}")
        skip(job, standing.never)
        return
    if not standing.done:
        act_calls.ask_change(job, source, id_, change, CRM.calls)
    elif job.act.begun_at is not None:
        job.note("Whop shows that it was carried out: only the answer had been lost.")
    _answer(job, crm, f"{requests.DONE[change]} {iso(job.desk.clock())[:16].replace('T', ' ')} UTC")
    done(job, CRM, requests.DONE[change], id_)


def _taken(job: Job) -> tuple[CrmRequests, Change | None]:
    """The CRM, with the field emptied; None where it has to be asked for once more, or needs no more."""
    act, desk = job.act, job.desk
    with desk.database.reading() as session:
        workspace = workspaces.get(session, act.workspace_id)
        asked_at = acts.asked_at(session, act, requests.ASK_NOW)
        terms = crm_requests.get(session, act.workspace_id)
    crm, choice = desk.open_crm(workspace), str(act.facts["asked"])
    opportunity = str(act.facts["opportunity"])
    job.tell = lambda text: _tell(job, crm, text)
    by = Asker(**act.facts.get("by", {}))
    if act.begun_at is None and terms is not None and terms.only_people and not by.is_person:
        told = f"Refused: only people may ask, and the last to change this record was {by.told}."
        crm.take(opportunity, choice, f"{told} A person can choose it again.")
        refuse(job, told)
        return crm, None
    change = requests.LABELS.get(choice)
    if choice == requests.CONFIRM_NOW and not requests.is_confirmed(asked_at, act.created_at):
        change = None
    if change is None:
        told = _FIRST if choice == requests.CONFIRM_NOW else _ONCE_MORE
        crm.take(opportunity, choice, told)
        skip(job, told)
        return crm, None
    if act.begun_at is None:
        crm.take(opportunity, choice, f"Whop is being asked to {requests.DOING[change]}.")
    return crm, change


def _answer(job: Job, crm: CrmRequests, text: str) -> None:
    crm.answer(str(job.act.facts["opportunity"]), text)


def _tell(job: Job, crm: CrmRequests, text: str) -> None:
    """As far as the CRM takes it: that it did not work is told elsewhere too."""
    try:
        _answer(job, crm, text)
    except ConnectorError as error:
        job.note(f"The answer could not be written into Twenty: {error}")
