"""The body of a webhook → what it tells: which event, of which company, and the record as far as it goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from connector.core.events import Told
from connector.core.records import Ref, SourceRecord
from connector.errors import BadRecordError

from .catalogue import CATALOGUE
from .deliveries import companies, dialect_of_body
from .dialects import CURRENT, dialect_of
from .events import CHAT, EVENTS, today
from .normalise import NEVER_NULL, SOURCE, is_id, normalise, owner
from .shapes import bad_value
from .times import canonical_time

#: Whop's ids say what they are of, and that is surer than the name of an old event.
_KINDS: Final[Mapping[str, str]] = {
    "prod": "product",
    "pass": "product",
    "plan": "plan",
    "mber": "member",
    "mem": "membership",
    "user": "user",
    "pay": "payment",
    "rf": "refund",
    "dspt": "dispute",
    "biz": "account",
}


def heard(raw: bytes, withheld: Mapping[str, frozenset[str]] | None = None) -> Told:
    """What the bytes of a delivery tell. Raises as ``told``."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise bad_value("body", "JSON", "something else") from None
    return told(body, withheld)


def told(body: object, withheld: Mapping[str, frozenset[str]] | None = None) -> Told:
    """What a webhook's body tells. ``withheld`` names by kind the fields whose null tells nothing.

    Raises BadRecordError for what is no event at all, or one of two companies.
    """
    if not isinstance(body, dict):
        raise bad_value("body", "an event", body)
    sent_as, data = body.get("type", body.get("action")), body.get("data")
    if not isinstance(sent_as, str) or not sent_as:
        raise bad_value("type", "the name of an event", sent_as)
    if not isinstance(data, dict):
        raise bad_value("data", "what the event is about", data)
    name = today(sent_as, data)
    ref = record_of(name, data)
    record, problem = _record(ref, data, withheld or {})
    return Told(
        name,
        sent_as,
        dialect=dialect_of_body(body),
        event_id=_id_or_none(body.get("id")),
        company=_company(body, record),
        occurred_at=_time_or_none(body.get("timestamp")),
        ref=ref,
        record=record,
        problem=problem,
        complete=record is not None and _is_complete(record, data),
        is_deleted=name.endswith(".deleted") or data.get("deleted") is True,
        sought=_user_of(record) if record is not None and record.ref.kind == "member" else None,
        **(_chat(data) if name == CHAT else {}),
    )


def _chat(data: Mapping[str, Any]) -> dict[str, str | None]:
    """Where a message was written, and by whom, as far as its event says: no source tells its exact form."""
    user, channel = data.get("user"), data.get("channel")
    places = (
        data.get("channel_id"),
        data.get("feed_id"),
        channel.get("id") if isinstance(channel, Mapping) else None,
    )
    writers = (user.get("id") if isinstance(user, Mapping) else None, data.get("user_id"))
    return {
        "chat": next((one for one in places if is_id(one)), None),
        "writer": next((one for one in writers if is_id(one)), None),
    }


def record_of(name: str, data: Mapping[str, Any]) -> Ref | None:
    """The record that an event of this name (today's, or an old one with an id that says it) is about."""
    id_ = data.get("id")
    if not is_id(id_):
        return None
    kind = _KINDS.get(id_.partition("_")[0]) or EVENTS.get(name)
    return Ref(SOURCE, kind, id_) if kind else None


def _record(
    ref: Ref | None, data: dict[str, Any], withheld: Mapping[str, frozenset[str]]
) -> tuple[SourceRecord | None, BadRecordError | None]:
    if ref is None or ref.kind not in CATALOGUE.kinds:
        return None, None
    try:
        return normalise(ref.kind, data, withheld.get(ref.kind, frozenset())), None
    except BadRecordError as error:
        return None, error


def _is_complete(record: SourceRecord, data: Mapping[str, Any]) -> bool:
    kind = record.ref.kind
    whole = record.updated_at is not None and all(name in record.fields for name in NEVER_NULL[kind].split())
    return whole and dialect_of(kind, data) == CURRENT


def _company(body: Mapping[str, Any], record: SourceRecord | None) -> str | None:
    """The company of the event. An event of two is nobody's."""
    of_record = owner(record.ref.kind, record.fields) if record else None
    first, *others = [*companies(body), of_record]
    odd = next((one for one in others if one not in (None, first)), None)
    if odd is not None:
        raise bad_value("account_id", f"{first}, the company of the event", odd)
    return _id_or_none(first)


def _user_of(member: SourceRecord) -> str | None:
    """Members are read a hundred at a time by the ids of their users."""
    user = member.fields.get("user")
    id_ = user.get("id") if isinstance(user, Mapping) else None
    return id_ if is_id(id_) and id_.startswith("user_") else None


def _id_or_none(value: object) -> str | None:
    return value if is_id(value) else None


def _time_or_none(value: object) -> str | None:
    try:
        return canonical_time(value) if isinstance(value, str) else None
    except ValueError:
        return None
