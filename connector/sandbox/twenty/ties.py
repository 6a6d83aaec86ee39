"""The relations of a fresh workspace, as data; each makes a field on both sides (101, 102, 501-516)."""

from typing import NamedTuple


class Tie(NamedTuple):
    """A relation: `many.field` points at `one`, which lists its rows as `reverse`."""

    many: str
    field: str
    label: str
    one: str
    reverse: str
    reverse_label: str
    on_delete: str = "SET_NULL"


MEMBER = "workspaceMember"

TIES: tuple[Tie, ...] = (
    Tie("person", "company", "Company", "company", "people", "People"),
    Tie("opportunity", "company", "Company", "company", "opportunities", "Opportunities"),
    Tie(
        "opportunity",
        "pointOfContact",
        "Point of Contact",
        "person",
        "pointOfContactForOpportunities",
        "Opportunities",
    ),
    Tie("opportunity", "owner", "Owner", "workspaceMember", "ownedOpportunities", "Owned opportunities"),
    Tie(
        "company",
        "accountOwner",
        "Account Owner",
        "workspaceMember",
        "accountOwnerForCompanies",
        "Account Owner For Companies",
    ),
    Tie("task", "assignee", "Assignee", "workspaceMember", "assignedTasks", "Assigned tasks"),
    Tie("timelineActivity", "workspaceMember", "Member", MEMBER, "timelineActivities", "Events"),
    Tie("noteTarget", "note", "Note", "note", "noteTargets", "Relations", "CASCADE"),
    Tie("taskTarget", "task", "Task", "task", "taskTargets", "Relations", "CASCADE"),
    Tie(
        "calendarEventParticipant",
        "person",
        "Person",
        "person",
        "calendarEventParticipants",
        "Calendar Event Participants",
    ),
    Tie("messageParticipant", "person", "Person", "person", "messageParticipants", "Message Participants"),
    Tie("workflowVersion", "workflow", "Workflow", "workflow", "versions", "Versions", "CASCADE"),
    Tie("messageListMember", "person", "Person", "person", "listMemberships", "Lists"),
)

#: Objects whose rows point at "anything"; each object with a timeline gets one column on each of them.
MORPHS: tuple[tuple[str, str, str, str], ...] = (
    ("timelineActivity", "timelineActivities", "Timeline Activities", "IconTimelineEvent"),
    ("attachment", "attachments", "Attachments", "IconFileImport"),
    ("noteTarget", "noteTargets", "Notes", "IconNotes"),
    ("taskTarget", "taskTargets", "Tasks", "IconCheckbox"),
)
MORPH_TARGETS = ("company", "person", "opportunity")
#: Further objects that files may hang on (507).
ATTACHED = ("note", "task")
#: Further objects that a timeline activity may point at (516).
TIMELINE_TARGETS = (
    "note", "task", "dashboard", "messageCampaign", "messageList", "workflow", "workflowVersion",
    "workflowRun",
)  # fmt: skip
