"""Validation and storing of one field's value (twenty-api.md section 12; recordings 236-253, 800-848).

`clean(column, value)` gives what to store. For composites it gives the parts to overwrite: what is not
in the answer stays as it was, which is how a partial name keeps its other half and a partial link loses it.
"""

import json
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import orjson

from connector.sandbox.twenty import clock
from connector.sandbox.twenty.contacts import clean_emails, clean_links, clean_phones
from connector.sandbox.twenty.refusals import Refusal, bad_data
from connector.sandbox.twenty.shape import COMPOSITES, Column
from connector.sandbox.twenty.show import check_parts, check_text, show

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
DATE_FORMAT = "Expected format: 'YYYY-MM-DDTHH:mm:ssZ'"


def is_uuid(value: object) -> bool:
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


def clean_uuid(name: str, value: Any) -> Any:
    if value is None or is_uuid(value):
        return value
    text = f'Invalid UUID value {show(value)} for field "{name}"'
    raise bad_data(text, f'Invalid value for UUID: "{show(value)}"')


def clean(column: Column, value: Any) -> Any:
    """Store `value` in `column`, or raise the server's refusal of it."""
    if column.type in COMPOSITES:
        if value is None:
            return COMPOSITES[column.type]
        check_parts(column, value)
        return _COMPOSITE[column.type](column, value)
    if value is None:
        return "" if column.type == "TEXT" else None
    return _PLAIN.get(column.type, _any)(column, value)


def _any(_column: Column, value: Any) -> Any:
    return value


def _text(column: Column, value: Any) -> str:
    return check_text(column.name, value)


def _uuid(column: Column, value: Any) -> Any:
    return clean_uuid(column.name, value)


def _number(column: Column, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        text = f'Invalid number value {show(value)} for field "{column.name}"'
        raise bad_data(text, f'Invalid value for number: "{show(value)}"')
    return value


def _boolean(column: Column, value: Any) -> bool:
    if not isinstance(value, bool):
        text = f'Invalid boolean value {show(value)} for field "{column.name}"'
        raise bad_data(text, f'Invalid value for boolean: "{show(value)}"')
    return value


def _moment(column: Column, value: Any) -> str:
    stored = clock.canonical(value) if isinstance(value, str) else None
    if stored is None:
        text = f'Invalid value {show(value)} for date-time field "{column.name}". {DATE_FORMAT}'
        raise bad_data(text, f'Invalid value for date-time: "{show(value)}". {DATE_FORMAT}')
    return stored


def _date(column: Column, value: Any) -> str:
    return _moment(column, value)[:10]


def _select(column: Column, value: Any) -> str:
    if value not in column.options:
        known = ", ".join(column.options)
        shown = json.dumps(value, ensure_ascii=False)
        text = f'Invalid value {shown} for field "{column.name}". Valid values are: {known}'
        raise bad_data(text, f'Invalid value for field "{column.name}"')
    return str(value)


def _multi_select(column: Column, value: Any) -> list[str]:
    return [_select(column, item) for item in (value if isinstance(value, list) else [value])]


_PLAIN: dict[str, Callable[[Column, Any], Any]] = {
    "TEXT": _text,
    "UUID": _uuid,
    "NUMBER": _number,
    "BOOLEAN": _boolean,
    "DATE_TIME": _moment,
    "DATE": _date,
    "SELECT": _select,
    "RATING": _select,
    "MULTI_SELECT": _multi_select,
}


def _full_name(column: Column, value: Any) -> Any:
    return {part: check_text(f"{column.name}.{part}", text) for part, text in value.items()}


def _currency(column: Column, value: Any) -> Any:
    parts = dict(value)
    if parts.get("amountMicros") is not None:
        parts["amountMicros"] = _micros(column, parts["amountMicros"])
    return parts


def _micros(column: Column, value: Any) -> int:
    """An integer; strings pass, fractions are cut, what JavaScript cannot hold is rounded (231, 233, 831)."""
    try:
        number = float(value)
        if math.isfinite(number) and not isinstance(value, bool):
            return int(Decimal(repr(number)))
    except (TypeError, ValueError):
        pass
    raise bad_data(f'Invalid number value {show(value)} for field "{column.name}.amountMicros"')


def _address(column: Column, value: Any) -> Any:
    kept = ("addressLat", "addressLng")
    return {
        part: item if part in kept else check_text(f"{column.name}.{part}", item)
        for part, item in value.items()
    }


def _actor(_column: Column, value: Any) -> Any:
    return {**COMPOSITES["ACTOR"], "name": "", **value}


def _rich_text(column: Column, value: Any) -> Any:
    """Markdown and blocknote are made from each other (500, 506); one plain paragraph per line here."""
    markdown, blocks = value.get("markdown"), value.get("blocknote")
    if markdown:
        lines = [line for line in check_text(column.name, markdown).split("\n") if line]
        made = orjson.dumps([_paragraph(line) for line in lines]).decode()
        return {"blocknote": blocks or made, "markdown": markdown}
    if blocks:
        return {"blocknote": blocks, "markdown": _plain(blocks)}
    return {"blocknote": None, "markdown": ""}


def _paragraph(line: str) -> dict[str, Any]:
    return {"type": "paragraph", "content": [{"type": "text", "text": line, "styles": {}}], "children": []}


def _plain(blocks: str) -> str:
    try:
        read = orjson.loads(blocks)
    except orjson.JSONDecodeError as error:
        raise Refusal("Invalid blocknote value", friendly="An error occurred.") from error
    return "".join("".join(run.get("text", "") for run in block.get("content", [])) + "\n" for block in read)


_COMPOSITE: dict[str, Callable[[Column, Any], Any]] = {
    "FULL_NAME": _full_name,
    "EMAILS": clean_emails,
    "PHONES": clean_phones,
    "LINKS": clean_links,
    "CURRENCY": _currency,
    "ADDRESS": _address,
    "RICH_TEXT": _rich_text,
    "ACTOR": _actor,
}
