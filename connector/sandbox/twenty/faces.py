"""How the values of a record read on a page, and what of a record is worth showing in a list."""

import json
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from connector.sandbox.twenty.shape import Column, Row, Shape

#: Columns in which text is looked for, and which a list shows.
SEARCHED = ("FULL_NAME", "TEXT", "EMAILS", "PHONES", "LINKS", "SELECT", "UUID")
LISTED = (*SEARCHED[1:], "CURRENCY", "DATE_TIME", "BOOLEAN", "NUMBER", "MULTI_SELECT")
#: What a list has no column for: the label stands first, and the times of a record last.
UNLISTED = ("id", "name", "title", "createdAt", "updatedAt", "deletedAt", "avatarUrl")
MOST_COLUMNS = 6
EVERYWHERE = ("id", "createdAt", "updatedAt", "deletedAt", "createdBy", "updatedBy")


def _phones(value: Row) -> Iterable[str]:
    yield f"{value['primaryPhoneCallingCode']} {value['primaryPhoneNumber']}".strip()
    for each in value["additionalPhones"] or ():
        yield f"{each.get('callingCode', '')} {each.get('number', '')}".strip()


def _amount(value: Row) -> Iterable[str]:
    if value["amountMicros"] is not None:
        yield f"{Decimal(value['amountMicros']) / 1_000_000:,f} {value['currencyCode'] or ''}".strip()


def _links(value: Row) -> Iterable[str]:
    for label, url in [
        (value["primaryLinkLabel"], value["primaryLinkUrl"]),
        *((each.get("label"), each.get("url")) for each in value["secondaryLinks"] or ()),
    ]:
        yield f"{label} ({url})" if label and url else label or url or ""


COMPOSITE: dict[str, Callable[[Row], Iterable[str]]] = {
    "FULL_NAME": lambda value: [" ".join(filter(None, (value["firstName"], value["lastName"])))],
    "EMAILS": lambda value: [value["primaryEmail"], *(value["additionalEmails"] or ())],
    "PHONES": _phones,
    "LINKS": _links,
    "CURRENCY": _amount,
    "ADDRESS": lambda value: [str(part) for part in value.values() if part],
    "RICH_TEXT": lambda value: [value["markdown"] or ""],
    "ACTOR": lambda value: [f"{value['name']} ({value['source']})"],
}


def face(column: Column, value: Any) -> str:
    """A value as text; empty where there is nothing."""
    if value is None:
        return ""
    if column.type in COMPOSITE:
        return ", ".join(filter(None, COMPOSITE[column.type](value)))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if column.type == "DATE_TIME":
        return f"{value[:10]} {value[11:19]} UTC"
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)


def label(row: Row) -> str:
    """What a record is called: its name or title, else its id."""
    name = row.get("name") or row.get("title")
    if isinstance(name, dict):
        name = " ".join(filter(None, (name["firstName"], name["lastName"])))
    return str(name or "").strip() or f"without a name, {row['id'][:8]}"


def shown(shape: Shape) -> list[Column]:
    """The columns of the page of one record: what it says first, then what every record has."""
    columns = [each for each in shape.columns.values() if each.type not in ("TS_VECTOR", "POSITION")]
    return sorted(columns, key=lambda column: column.name in EVERYWHERE)


def worth_showing(shape: Shape, rows: list[Row]) -> list[Column]:
    """The first few columns of a list in which any of these rows has something."""
    listed = [
        column for column in shape.columns.values() if column.type in LISTED and column.name not in UNLISTED
    ]
    filled = [column for column in listed if any(face(column, row.get(column.name)) for row in rows)]
    return filled[:MOST_COLUMNS]


def holds(shape: Shape, row: Row, wanted: str) -> bool:
    """Whether some text of the row contains what is looked for, whatever the case."""
    sought = wanted.casefold()
    return any(
        sought in face(column, row.get(column.name)).casefold()
        for column in shape.columns.values()
        if column.type in SEARCHED
    )


def spaced(name: str) -> str:
    """pointOfContact -> Point of contact"""
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)
    return words[:1].upper() + words[1:]
