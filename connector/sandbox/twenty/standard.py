"""The standard objects of a fresh workspace, as data (recordings 101, 102 and the rows of 070, 218, 500-516).

Each object: names, labels, icon, then its own fields. Objects that the recorded schema only points at
carry base fields alone.
"""

from typing import NamedTuple


class Own(NamedTuple):
    """One field of a standard object; `more` overrides parts of its metadata."""

    type: str
    name: str
    label: str
    description: str
    icon: str
    more: dict[str, object]


class Standard(NamedTuple):
    singular: str
    plural: str
    label: str
    labels: str
    icon: str
    system: bool
    fields: tuple[Own, ...]


def _own(type_: str, name: str, label: str, description: str = "", icon: str = "", **more: object) -> Own:
    return Own(type_, name, label, description or label, icon or "IconTag", more)


def _options(*values: tuple[str, str, str]) -> list[dict[str, object]]:
    return [
        {"color": color, "label": label, "value": value, "position": at}
        for at, (value, label, color) in enumerate(values)
    ]


STAGES = _options(
    ("NEW", "New", "red"),
    ("SCREENING", "Screening", "purple"),
    ("MEETING", "Meeting", "sky"),
    ("PROPOSAL", "Proposal", "turquoise"),
    ("CUSTOMER", "Customer", "yellow"),
)
STATUSES = _options(
    ("TODO", "To do", "sky"), ("IN_PROGRESS", "In progress", "purple"), ("DONE", "Done", "green")
)
ONE_VALUE = {"maxNumberOfValues": 1}

OBJECTS: tuple[Standard, ...] = (
    Standard("blocklist", "blocklists", "Blocklist", "Blocklists", "IconForbid2", True, ()),
    Standard(
        "person",
        "people",
        "Person",
        "People",
        "IconUser",
        False,
        (
            _own("FULL_NAME", "name", "Name", "Contact's name", "IconUser"),
            _own(
                "EMAILS",
                "emails",
                "Emails",
                "Contact's Emails",
                "IconMail",
                isUnique=True,
                settings=ONE_VALUE,
            ),
            _own("LINKS", "linkedinLink", "Linkedin", "Contact's Linkedin account", "IconBrandLinkedin"),
            _own("TEXT", "jobTitle", "Job Title", "Contact's job title", "IconBriefcase"),
            _own("PHONES", "phones", "Phones", "Contact's phone numbers", "IconPhone", settings=ONE_VALUE),
            _own("TEXT", "avatarUrl", "Avatar", "Contact's avatar", "IconFileUpload", isSystem=True),
            _own(
                "FILES",
                "avatarFile",
                "Avatar File",
                "Contact's avatar file",
                "IconFileUpload",
                isSystem=True,
                settings=ONE_VALUE,
            ),
        ),
    ),
    Standard(
        "company",
        "companies",
        "Company",
        "Companies",
        "IconBuildingSkyscraper",
        False,
        (
            _own("TEXT", "name", "Name", "The company name", "IconBuildingSkyscraper"),
            _own("LINKS", "domainName", "Domain Name", "The company website URL", "IconLink", isUnique=True),
            _own("ADDRESS", "address", "Address", "Address of the company", "IconMap"),
            _own("LINKS", "linkedinLink", "Linkedin", "The company Linkedin account", "IconBrandLinkedin"),
            _own("CURRENCY", "annualRevenue", "ARR", "Annual Recurring Revenue", "IconMoneybag"),
        ),
    ),
    Standard(
        "opportunity",
        "opportunities",
        "Opportunity",
        "Opportunities",
        "IconTargetArrow",
        False,
        (
            _own("TEXT", "name", "Name", "The opportunity name", "IconTargetArrow"),
            _own("CURRENCY", "amount", "Amount", "Opportunity amount", "IconCurrencyDollar"),
            _own("DATE_TIME", "closeDate", "Close date", "Opportunity close date", "IconCalendarEvent"),
            _own(
                "SELECT",
                "stage",
                "Stage",
                "Opportunity stage",
                "IconProgressCheck",
                isNullable=False,
                defaultValue="'NEW'",
                options=STAGES,
            ),
        ),
    ),
    Standard(
        "note",
        "notes",
        "Note",
        "Notes",
        "IconNotes",
        False,
        (
            _own("TEXT", "title", "Title", "Note title", "IconNotes"),
            _own("RICH_TEXT", "bodyV2", "Body", "Note body", "IconFilePencil"),
        ),
    ),
    Standard(
        "task",
        "tasks",
        "Task",
        "Tasks",
        "IconCheckbox",
        False,
        (
            _own("TEXT", "title", "Title", "Task title", "IconNotes"),
            _own("RICH_TEXT", "bodyV2", "Body", "Task body", "IconFilePencil"),
            _own("DATE_TIME", "dueAt", "Due Date", "Task due date", "IconCalendarEvent"),
            _own(
                "SELECT",
                "status",
                "Status",
                "Task status",
                "IconCheck",
                defaultValue="'TODO'",
                options=STATUSES,
            ),
        ),
    ),
    Standard("noteTarget", "noteTargets", "Note Target", "Note Targets", "IconCheckbox", True, ()),
    Standard("taskTarget", "taskTargets", "Task Target", "Task Targets", "IconCheckbox", True, ()),
    Standard(
        "attachment",
        "attachments",
        "Attachment",
        "Attachments",
        "IconFileImport",
        True,
        (_own("TEXT", "name", "Name", "Attachment name", "IconFileUpload"),),
    ),
    Standard(
        "timelineActivity",
        "timelineActivities",
        "Timeline Activity",
        "Timeline Activities",
        "IconTimelineEvent",
        True,
        (
            _own("DATE_TIME", "happensAt", "Creation date", isNullable=False, defaultValue="now"),
            _own("TEXT", "name", "Event name"),
            _own("RAW_JSON", "properties", "Event details"),
            _own("TEXT", "linkedRecordCachedName", "Linked Record cached name"),
            _own("UUID", "linkedRecordId", "Linked Record id"),
            _own("UUID", "linkedObjectMetadataId", "Linked Object Metadata Id"),
        ),
    ),
    Standard(
        "workspaceMember",
        "workspaceMembers",
        "Workspace Member",
        "Workspace Members",
        "IconUserCircle",
        True,
        (
            _own("FULL_NAME", "name", "Name", "Workspace member name", "IconCircleUser"),
            _own("TEXT", "avatarUrl", "Avatar Url"),
            _own("TEXT", "userEmail", "User Email"),
            _own("TEXT", "colorScheme", "Color Scheme", defaultValue="'System'"),
            _own("TEXT", "locale", "Language", defaultValue="'en'"),
            _own("TEXT", "jobTitle", "Job Title"),
            _own("NUMBER", "calendarStartDay", "Start Day", defaultValue=7),
            _own("UUID", "userId", "User Id"),
            _own("TEXT", "timeZone", "Time zone", defaultValue="'system'"),
            _own("TEXT", "dateFormat", "Date format", defaultValue="'SYSTEM'"),
            _own("TEXT", "timeFormat", "Time format", defaultValue="'SYSTEM'"),
            _own("TEXT", "numberFormat", "Number format", defaultValue="'SYSTEM'"),
        ),
    ),
    Standard(
        "calendarEventParticipant",
        "calendarEventParticipants",
        "Calendar event participant",
        "Calendar event participants",
        "IconCalendar",
        True,
        (),
    ),
    Standard(
        "messageParticipant",
        "messageParticipants",
        "Message Participant",
        "Message Participants",
        "IconUserCircle",
        True,
        (),
    ),
    Standard(
        "messageListMember",
        "messageListMembers",
        "Message List Member",
        "Message List Members",
        "IconUsersGroup",
        True,
        (),
    ),
)

WORKFLOW_STATUSES = _options(
    ("DRAFT", "Draft", "yellow"), ("ACTIVE", "Active", "green"), ("DEACTIVATED", "Deactivated", "gray")
)
OBJECTS += (
    Standard(
        "workflow",
        "workflows",
        "Workflow",
        "Workflows",
        "IconSettingsAutomation",
        True,
        (
            _own("TEXT", "name", "Name", "The workflow name", "IconSettingsAutomation"),
            _own("TEXT", "lastPublishedVersionId", "Last published Version Id", isNullable=True),
            _own("MULTI_SELECT", "statuses", "Statuses", options=WORKFLOW_STATUSES),
        ),
    ),
    Standard(
        "workflowVersion",
        "workflowVersions",
        "Workflow Version",
        "Workflow Versions",
        "IconVersions",
        True,
        (
            _own("TEXT", "name", "Name", "The workflow version name", "IconSettingsAutomation"),
            _own("RAW_JSON", "trigger", "Version trigger"),
            _own("RAW_JSON", "steps", "Version steps"),
            _own("SELECT", "status", "Version status", defaultValue="'DRAFT'", options=WORKFLOW_STATUSES),
        ),
    ),
)
OBJECTS += tuple(
    Standard(name, f"{name}s", label, f"{label}s", "IconSettings", True, ())
    for name, label in (
        ("dashboard", "Dashboard"),
        ("messageCampaign", "Message Campaign"),
        ("messageList", "Message List"),
        ("workflowRun", "Workflow Run"),
    )
)
