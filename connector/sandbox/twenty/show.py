"""How values stand in the server's messages (Node's `inspect`), and the checks that every text shares."""

import json
from typing import Any

from connector.sandbox.twenty.refusals import Refusal, bad_data
from connector.sandbox.twenty.shape import COMPOSITES, Column


def show(value: object) -> str:
    """'text' in single quotes, everything else as JSON."""
    return f"'{value}'" if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def check_text(name: str, value: Any) -> str:
    """A text or null; Postgres cannot store NUL, which only shows after validation (819)."""
    if value is None:
        return ""
    if not isinstance(value, str):
        text = f'Invalid string value {show(value)} for text field "{name}"'
        raise bad_data(text, f'Invalid value: "{show(value)}"')
    if "\0" in value:
        raise unstorable()
    return value


def unstorable() -> Refusal:
    text = "Data validation error."
    return Refusal(text, 500, "InternalServerErrorException", gql="INTERNAL_SERVER_ERROR", friendly=text)


def check_parts(column: Column, value: Any) -> None:
    """A composite must be an object with known parts (237, 239)."""
    if not isinstance(value, dict):
        text = f'Invalid object value {show(value)} for field "{column.name}"'
        raise bad_data(text, f'Invalid value: "{show(value)}"')
    known = COMPOSITES[column.type]
    for part in value:
        if part not in known:
            kind = column.type.lower().replace("_", " ")
            raise bad_data(f'Invalid subfield {part} for {kind} field "{column.name}"')
