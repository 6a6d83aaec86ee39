"""Sample events of every kind in every dialect: people and amounts are invented."""

from __future__ import annotations

import uuid
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

from connector.errors import RefusedError
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


def sample(dialect: str, event: str, company: str, record_id: str = "") -> dict[str, Any]:
    """The body of an event of this company, about this record where one is named. Raises RefusedError."""
    samples = known(dialect)
    if event not in samples:
        raise RefusedError(
            f"There is no sample of {event} in {dialect}.",
            code="no_sample",
            remedy=f"There are {', '.join(sorted(samples))}.",
        )
    text = orjson.dumps(samples[event]).decode().replace(_COMPANY, company)
    body: dict[str, Any] = orjson.loads(text)
    if "id" in body:
        body["id"] = f"msg_{uuid.uuid4().hex}"
    if record_id:
        body["data"]["id"] = record_id
    return body
