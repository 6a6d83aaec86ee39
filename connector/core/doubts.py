"""A question to a person: which CRM record a source record is, and what there is to choose from."""

from __future__ import annotations

from collections.abc import Sequence

from connector.core.case import Case
from connector.core.mapping import key_text
from connector.core.plan import Candidate, Doubt, LinkState, PlannedWrite, Reason, Why
from connector.core.records import CrmRow, Ref

_ASKED = {
    Why.SEVERAL: "Its keys point to {count} records of the CRM: {ids}.",
    Why.SOMEBODY_ELSE: "The CRM record {ids} already is somebody else's.",
    Why.TAKEN: "The CRM record {ids} is also that of {holder}.",
    Why.CHOICE_GONE: "The CRM record that was chosen for it is gone.",
    Why.NOT_NEW: "It was to be made new, but the CRM record {ids} has its identity.",
}


def doubt(case: Case, why: Why, rows: Sequence[CrmRow]) -> PlannedWrite:
    """The record waits for a person's decision."""
    candidates = tuple(_candidate(case, row) for row in rows)
    holder = next((one.holder for one in candidates if one.holder), None)
    ids = ", ".join(row.id for row in rows)
    told = _ASKED[why].format(count=len(rows), ids=ids, holder=holder)
    return case.unwritten(Reason.REVIEW)._replace(
        state=LinkState.REVIEW,
        warnings=(f"{told} Decide in the review list whether they are the same.",),
        doubt=Doubt(why, candidates, any(case.is_same(row) for row in rows)),
    )


def _candidate(case: Case, row: CrmRow) -> Candidate:
    found = case.known.found.by_key
    fits = tuple(field for field, rows in found if any(one.id == row.id for one in rows))
    return Candidate(row, fits or _shared(case, row), next(iter(_whose(case, row)), None))


def _whose(case: Case, row: CrmRow) -> list[Ref]:
    """The source records that this row is the counterpart of, or is about to be."""
    holders = [one.ref for one in case.known.holders.get(row.id, ())]
    claims = (ref for ref, other in case.known.taken.values() if other.id == row.id)
    return [*holders, *(ref for ref in claims if ref != case.mapped.ref)]


def _shared(case: Case, row: CrmRow) -> tuple[str, ...]:
    """The keys of a row that is not in the CRM yet: another record of the block is about to make it."""
    return tuple(field for field, text in case.mapped.keys if key_text(row.values.get(field)) == text)
