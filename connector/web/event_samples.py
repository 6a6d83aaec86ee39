"""Sample events of every kind in every dialect: people and amounts are invented."""

from __future__ import annotations

import uuid
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

from connector.errors import RefusedError
from connector.sources.whop.events import ALIASES, is_known
from connector.sources.whop.gate import Scheme

DIALECTS: Final = ("v1", "v1-legacy", "v5", "v2")
_SAMPLES: Final = Path(__file__).parent / "samples"
_OLD: Final = ("v5", "v2")
_COMPANY: Final = "biz_4QxLq2mTn8VrYe"  # that of the samples


@cache
def known(dialect: str) -> dict[str, Any]:
    """The samples of a dialect by the name of their event."""
    found: dict[str, Any] = orjson.loads((_SAMPLES / f"{dialect}.json").read_bytes())
    return found


def scheme_of(dialect: str) -> Scheme:
    """How events of this dialect are signed."""
    return Scheme.LEGACY if dialect in _OLD else Scheme.STANDARD


def names(dialect: str) -> list[str]:
    """The events that a dialect has samples of, and the old names of the same."""
    samples = known(dialect)
    return sorted({*samples, *(old for old, today in ALIASES.items() if today in samples)})


def sample(dialect: str, event: str, company: str, record_id: str = "") -> dict[str, Any]:
    """The body of an event of this company, about this record where one is named. Raises RefusedError.

    Of an event that Whop has, or had, and that there is no sample of, only the envelope is known.
    """
    samples = known(dialect)
    found = samples.get(event) or samples.get(ALIASES.get(event, ""))
    if found is None and is_known(event):
        found = {**samples["membership.activated"], "data": {}}
    if found is None:
        raise RefusedError(
            f"Whop knows no event {event}.",
            code="no_sample",
            remedy=f"There are {', '.join(names(dialect))}.",
        )
    text = orjson.dumps(found).decode().replace(_COMPANY, company)
    body: dict[str, Any] = orjson.loads(text)
    if event not in samples:
        body["action" if dialect in _OLD else "type"] = event
    if "id" in body:
        body["id"] = f"msg_{uuid.uuid4().hex}"
    if record_id:
        body["data"]["id"] = record_id
    return body
