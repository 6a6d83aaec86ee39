"""What an editor says of each key while its cursor is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

FILE: Final[Mapping[str, str]] = {
    "version": "The version of the language: 1.",
    "source": "Which records of Whop this file is about.",
    "target": "Which object of Twenty they become.",
    "objects": "Objects that the connector is to create in Twenty.",
    "match": "Fields of this file by which a record that is in Twenty already is recognised, in this order.",
    "fields": "What is written: each field of Twenty, and where its value comes from.",
    "links": "Relations to the records that other files map.",
    "choices": "Tables of choices that fields name: words of Whop and what each becomes.",
    "when_deleted_in_crm": "What happens to a record that a person deleted in Twenty.",
    "when_gone": "What is written in Twenty where a record is gone from Whop.",
    "limits": "How much one sync may do before an admin is asked.",
    "title": "What the sync log calls a record: a field, a list of them, or a text with braces.",
    "tests": "What is given, and what is expected of it. `flask mappings test` runs them.",
    "notes": "Notes that events leave in Twenty.",
    "tasks": "Tasks that events leave in Twenty.",
}

SOURCE: Final[Mapping[str, str]] = {
    "kind": "The kind of Whop record; one file for each kind.",
    "only": "Which records: `status: [a, b]` these, `status_not: [a]` all but these, `null` an empty value.",
}

TARGET: Final[Mapping[str, str]] = {
    "object": "A standard object of Twenty, or one of `objects`.",
    "create": "false: only records that are there are written.",
    "update": "false: only new records are written.",
}

OBJECT: Final[Mapping[str, str]] = {
    "name": "Its name in the API, like whopProduct.",
    "plural": "The name of many, like whopProducts.",
    "label": "Its name in Twenty's pages.",
    "label_plural": "The name of many in Twenty's pages.",
    "icon": "One of Twenty's icons, like IconPackage.",
    "description": "A sentence about it.",
}

FIELD: Final[Mapping[str, str]] = {
    "from": "A field of the Whop record, or a list of them: the first that is not empty.",
    "value": "Always this.",
    "text": 'Text with fields in braces: "{product.title} ({plan_id})".',
    "stamp": "written_at: when the connector last changed the record.",
    "using": "Functions that the value goes through, in order.",
    "choices": "What each word of Whop becomes: the name of a table under `choices`, or a table.",
    "options": "The labels of a select field.",
    "type": "The type of a field that is not Twenty's own.",
    "unique": "true: no two records share a value.",
    "label": "Its name in Twenty's pages.",
    "description": "A sentence about it.",
    "own": "Who decides what it holds: Whop (always), whoever fills it (fill), nobody after creation (once).",
    "on_null": "What an empty value of Whop does: clear the field, keep it, or skip the record.",
}

LINK: Final[Mapping[str, str]] = {
    "kind": "The kind of the other record; there must be a file for it.",
    "id": "The field that holds its id.",
    "on_missing": "If it is not in Twenty yet: fetch it first, skip this record, or leave the link empty.",
    "own": "Who decides what it points at.",
    "label": "Its name in Twenty's pages, for a relation that is not Twenty's own.",
    "description": "A sentence about it.",
}

NOTE: Final[Mapping[str, str]] = {
    "name": "Tells this entry from the others. A new name is a new note.",
    "on": "The event, or a list of events about one kind of record.",
    "only": "Which records, as in `source`.",
    "once_per": "One for each of these, however often Whop tells of it.",
    "to": "The file's object, links of this file, or a list of them.",
    "title": "Text with fields in braces.",
    "text": "Text with fields in braces; markdown.",
    "due": "A period after the event (3 days), a field that holds a time, or a list: the first known.",
    "assignee": "none, owner, or the e-mail address of a member of the workspace in Twenty.",
    "done_on": "What closes the task: states of the record, or a list of events.",
}

TEST: Final[Mapping[str, str]] = {
    "name": "What the test shows.",
    "given": "Fields of a Whop record.",
    "expect": "Fields of Twenty and what they are to hold, or `filtered`.",
    "unwritten": "Fields that are to be left alone.",
    "fails": "The field that fails the record.",
}

GONE: Final[Mapping[str, str]] = {
    "do": "keep, mark, clear or delete.",
    "field": "The field that is marked or cleared.",
    "value": "What it is marked with.",
}

LIMITS: Final[Mapping[str, str]] = {
    "most_removed": "Above this share of the records, what is gone waits until somebody agreed.",
    "most_changed": "A sync that would change more than this share is paused before it does.",
}
