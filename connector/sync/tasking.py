"""A task in the CRM, beside the records of a membership: left once, because its id follows from its act."""

from __future__ import annotations

from typing import Final
from uuid import NAMESPACE_URL, uuid5

from connector.core.automation import Automation, Step
from connector.core.plan import LinkState
from connector.core.records import Ref, SourceRecord, iso
from connector.ports.acts import SourceActs
from connector.ports.crm_notes import NewNote
from connector.store import links, workspaces
from connector.sync import buyers
from connector.sync.act_endings import Job, done, skip

_ACCESS: Final = "customer"
"""The access level of a member who holds something valid."""


def carry_out(job: Job, source: SourceActs, automation: Automation, step: Step, id_: str) -> None:
    """Leave it beside the opportunity and the person, as far as the CRM has them."""
    membership = source.record("membership", id_)
    if membership is None:
        skip(job, "Whop has this membership no more.", membership_id=id_)
        return
    member = buyers.member_of(source, membership)
    if automation.unless_access and member is not None and member.fields.get("access_level") == _ACCESS:
        skip(job, "Its buyer has access again.", membership_id=id_)
        return
    beside = _beside(job, membership, member)
    if not beside:
        skip(job, "Twenty has no record that the task could stand beside.", membership_id=id_)
        return
    act, now = job.act, job.desk.clock()
    with job.desk.database.reading() as session:
        workspace = workspaces.get(session, act.workspace_id)
    fields = buyers.told_of(membership, member)
    key = f"act/{act.connection_id}/{act.automation}/{act.step}/{act.source_id}"
    title, text = step.says(fields)[:200], step.body(fields)
    note = NewNote(str(uuid5(NAMESPACE_URL, key)), "task", title, text, beside, iso(now))
    for error in job.desk.open_noter(workspace).leave([note]).values():
        raise error
    done(job, automation, f"A task was left in Twenty: {title}", id_)


def _beside(job: Job, membership: SourceRecord, member: SourceRecord | None) -> tuple[tuple[str, str], ...]:
    wanted: list[tuple[str, Ref]] = [("opportunity", membership.ref)]
    if member is not None:
        wanted.append(("person", member.ref))
    found: list[tuple[str, str]] = []
    with job.desk.database.reading() as session:
        for object_, ref in wanted:
            link = links.find(session, job.act.workspace_id, object_, [ref]).get(ref)
            if link is not None and link.crm_id and link.state is LinkState.LINKED:
                found.append((object_, link.crm_id))
    return tuple(found)
