"""What single standard objects and fields have beside their kind (recordings 101, 102)."""

EXTRAS: dict[str, dict[str, object]] = {
    "person": {
        "shortcut": "P",
        "duplicateCriteria": [
            ["nameFirstName", "nameLastName"],
            ["linkedinLinkPrimaryLinkUrl"],
            ["emailsPrimaryEmail"],
        ],
    },
    "opportunity": {"shortcut": "O"},
}
#: The field of the other side through which a list is reached; that side is not imitated.
_LIST = "01250016-5c25-4272-9bde-ec5b802f4e56"
_READ_ONLY: dict[str, object] = {"isUIEditable": False, "isUIReadOnly": True}
FIELD_EXTRAS: dict[tuple[str, str], dict[str, object]] = {
    **{
        (name, f"{what}Targets"): _READ_ONLY
        for name in ("person", "opportunity")
        for what in ("note", "task")
    },
    ("person", "timelineActivities"): {"label": "Events"},
    ("person", "listMemberships"): {"settings": {"junctionTargetFieldId": _LIST}},
}
