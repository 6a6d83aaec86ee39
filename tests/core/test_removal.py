"""What may be taken back, and what stays: a table of cases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connector.core import removal
from connector.core.mapping import Own
from connector.core.plan import value_hash
from connector.core.records import CrmRow, Ref
from connector.core.removal import Known, Verdict, may_delete, may_mark

BORN, LATER = "2026-11-20T12:00:00.000Z", "2026-11-21T12:00:00.000Z"
KNOWN = Known(Ref("whop", "member", "mber_1"), "ours", "ours", BORN, BORN)
ROW = CrmRow("ours", {"status": "ACTIVE"}, created_at=BORN, updated_at=BORN)


@pytest.mark.parametrize(
    ("known", "row", "verdict"),
    [
        ({}, ROW, removal.REMOVE),
        ({"crm_id": "theirs"}, ROW, removal.THEIRS),
        ({}, None, removal.GONE),
        ({}, replace(ROW, deleted=True), removal.GONE),
        ({"resumed": True}, replace(ROW, deleted=True), removal.REMOVED),
        ({"shared": True}, ROW, removal.SHARED),
        ({}, replace(ROW, updated_at=LATER), removal.TOUCHED),
        ({}, replace(ROW, created_at=LATER), removal.TOUCHED),
        ({"updated_at": None}, ROW, removal.UNSURE),
    ],
)
def test_only_what_we_made_and_nobody_touched_is_deleted(
    known: dict[str, Any], row: CrmRow | None, verdict: Verdict
) -> None:
    assert may_delete(KNOWN._replace(**known), row) is verdict


@pytest.mark.parametrize(
    ("known", "row", "own", "verdict"),
    [
        ({}, ROW, Own.ALWAYS, removal.REMOVE),
        ({"crm_id": "theirs"}, ROW, Own.ALWAYS, removal.REMOVE),
        ({}, None, Own.ALWAYS, removal.GONE),
        ({}, replace(ROW, deleted=True), Own.ALWAYS, removal.GONE),
        ({"shared": True}, ROW, Own.ALWAYS, removal.SHARED),
        ({}, replace(ROW, values={"status": "EXPIRED"}), Own.ALWAYS, removal.SAME),
        ({"resumed": True}, replace(ROW, values={"status": "EXPIRED"}), Own.ALWAYS, removal.REMOVED),
        ({}, ROW, Own.FILL, removal.TOUCHED),
        ({"memory": {"status": [value_hash("OTHER"), 1]}}, ROW, Own.FILL, removal.TOUCHED),
        ({"memory": {"status": [value_hash("ACTIVE"), 1]}}, ROW, Own.FILL, removal.REMOVE),
        ({}, replace(ROW, values={}), Own.FILL, removal.REMOVE),
    ],
)
def test_a_mark_goes_where_the_field_is_ours_to_write(
    known: dict[str, Any], row: CrmRow | None, own: Own, verdict: Verdict
) -> None:
    assert may_mark(KNOWN._replace(**known), row, own, "status", "EXPIRED") is verdict
