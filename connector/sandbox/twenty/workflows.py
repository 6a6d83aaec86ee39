"""The workflows of a fresh workspace, and what an active one does (recordings 750-753).

"Create company when adding a new person" runs for each person who is created. Where code steps are off, as
they are by default, the runs fail and nothing comes of them; a dial turns them on.
"""

from typing import Any

from connector.sandbox.twenty import records
from connector.sandbox.twenty.accounts import ForbiddenResource
from connector.sandbox.twenty.refusals import not_found
from connector.sandbox.twenty.session import Session
from connector.sandbox.twenty.workspace import Workspace

BORN = "2026-01-01T00:00:00.000Z"
SYSTEM: dict[str, Any] = {"source": "SYSTEM", "workspaceMemberId": None, "name": "System", "context": {}}
COMPANY = "Create company when adding a new person"
_MAKE_COMPANY = {
    "type": "CREATE_RECORD",
    "name": "Create company",
    "settings": {"input": {"objectName": "company"}},
}
#: Name, position, trigger and steps (source); what they do is not imitated but for the company.
PREFILLED: tuple[tuple[str, int, dict[str, Any], list[dict[str, Any]]], ...] = (
    (
        "Quick Lead",
        1,
        {"type": "MANUAL", "name": "Launch manually", "settings": {"availability": None}},
        [_MAKE_COMPANY],
    ),
    (COMPANY, 2, {"type": "DATABASE_EVENT", "settings": {"eventName": "person.created"}}, [_MAKE_COMPANY]),
)
#: Who is created by these starts no run (source).
EXEMPT = ("EMAIL", "CALENDAR")
ACTIONS = {"deactivateWorkflowVersion": "DEACTIVATED", "activateWorkflowVersion": "ACTIVE"}


def furnish(session: Session) -> None:
    """Put the prefilled workflows into a fresh workspace."""
    workspace = session.workspace
    for name, position, trigger, steps in PREFILLED:
        ids = {kind: workspace.fixed_id(kind, name) for kind in ("workflow", "workflowVersion")}
        head = {"createdAt": BORN, "createdBy": SYSTEM}
        row = {"id": ids["workflow"], "name": name, "position": position, "statuses": ["ACTIVE"], **head}
        row["lastPublishedVersionId"] = ids["workflowVersion"]
        _add(session, "workflow", row)
        version = {"id": ids["workflowVersion"], "name": "v1", "status": "ACTIVE", "trigger": trigger, **head}
        _add(session, "workflowVersion", {**version, "workflowId": ids["workflow"], "steps": steps})


def _add(session: Session, singular: str, row: dict[str, Any]) -> None:
    shape = session.workspace.singulars[singular]
    made = records.create_many(session, shape, [row])[0]
    _put(session.workspace, singular, made, {"updatedBy": {**SYSTEM, "context": None}, "updatedAt": BORN})


def _put(workspace: Workspace, singular: str, row: dict[str, Any], change: dict[str, Any]) -> None:
    workspace.table(workspace.singulars[singular]).put({**row, **change})


def turn(session: Session, name: str, args: dict[str, Any]) -> bool:
    """Switch a version on or off: people may whose role has WORKFLOWS, API keys may not (751, 752)."""
    if session.caller.user is None:
        raise ForbiddenResource
    session.need("WORKFLOWS")
    workspace, status, moment = session.workspace, ACTIONS[name], {"updatedAt": session.now()}
    rows = {kind: workspace.table(workspace.singulars[kind]).rows for kind in ("workflow", "workflowVersion")}
    version = rows["workflowVersion"].get(str(args.get("workflowVersionId")))
    if version is None:
        raise not_found()
    _put(workspace, "workflowVersion", version, {"status": status, **moment})
    _put(workspace, "workflow", rows["workflow"][version["workflowId"]], {"statuses": [status], **moment})
    return True


def run(session: Session) -> None:
    """What the active workflow does about the people that a request created: a company for each domain."""
    if not _active(session.workspace):
        return
    people = [
        each.row for each in session.happened if (each.shape.singular, each.action) == ("person", "created")
    ]
    for row in people:
        domain = row["emails"]["primaryEmail"].rpartition("@")[2]
        if domain and row["createdBy"]["source"] not in EXEMPT:
            link = {"primaryLinkUrl": f"https://{domain}"}
            company = session.workspace.singulars["company"]
            data = {"name": domain.partition(".")[0].capitalize(), "domainName": link}
            made = records.create_many(session.as_system(), company, [data], upsert=True)
            person = session.workspace.singulars["person"]
            records.update_one(session.as_system(), person, row["id"], {"companyId": made[0]["id"]})


def _active(workspace: Workspace) -> bool:
    table = workspace.table(workspace.singulars["workflow"])
    row = table.rows.get(workspace.fixed_id("workflow", COMPANY))
    return row is not None and row["deletedAt"] is None and row["statuses"] == ["ACTIVE"]
