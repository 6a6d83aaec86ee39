"""What of an event's body is shown: its shape and its ids, not what could harm if somebody looks over."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

_SECRET: Final = re.compile(r"secret|token|password|license_key|client_secret|card_last_?4|ip_address", re.I)
_PERSONAL: Final = re.compile(r"email|phone|address|recovery_url|manage_url", re.I)
_LONGEST: Final = 60_000
_COVER: Final = "•••"


def covered(raw: bytes) -> str:
    """The body as indented text with secrets covered, and addresses of people as their first letter."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return f"{len(raw)} bytes that are not JSON."
    text = orjson.dumps(_covered(body), option=orjson.OPT_INDENT_2).decode()
    return (
        text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\n… and {len(text) - _LONGEST} characters more"
    )


def _covered(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _covered(one, key) for key, one in value.items()}
    if isinstance(value, list):
        return [_covered(one, name) for one in value]
    if value in (None, "") or isinstance(value, bool):
        return value
    if _SECRET.search(name):
        return _COVER
    if _PERSONAL.search(name) and isinstance(value, str):
        return f"{value[:1]}{_COVER}"
    return value
