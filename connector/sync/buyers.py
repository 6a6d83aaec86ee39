"""The buyer of a membership, and what the words of an act may speak of."""

from __future__ import annotations

from typing import Any

from connector.core.records import SourceRecord
from connector.ports.acts import SourceActs


def member_of(source: SourceActs, membership: SourceRecord) -> SourceRecord | None:
    """Its member as the source has them now; None where it names none, or has them no more."""
    member_id = membership.fields.get("member_id")
    return source.record("member", member_id) if member_id else None


def told_of(membership: SourceRecord, member: SourceRecord | None) -> dict[str, Any]:
    """The membership's fields, with those of its member under ``member``."""
    return {**membership.fields, "member": dict(member.fields) if member else None}
