"""Which CRM record a source record is, and what follows: the decision what to write, as data.

Where two rules meet, the cautious one wins: two candidates are a person's decision, a deletion by a
person stands, and a field that a person owns stays theirs.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from collections.abc import Sequence

from connector.core.case import Case, Known
from connector.core.doubts import doubt
from connector.core.mapping import Mapping, WhenDeleted
from connector.core.ownership import Standing, changes, held, remembers
from connector.core.plan import (
    NOTHING_YET,
    VANISHED,
    Action,
    Choice,
    Decision,
    Holder,
    LinkState,
    PlannedWrite,
    Reason,
    Why,
    refused,
    value_hash,
)
from connector.core.records import CrmRow, MappedRecord, Values


def plan_write(mapped: MappedRecord, values: Values, mapping: Mapping, known: Known) -> PlannedWrite:
    """Decide what to do with a record.

    ``values`` are the mapped values with the relations resolved to CRM ids. ``known.taken`` is added to, so
    that a later record of the block is not given the same keys or the same CRM record.
    """
    case = Case(mapped, values, mapping, known)
    if known.decision is not None:
        return _plan_decided(case, known.decision)
    if known.link.crm_id is not None or known.found.by_id is not None:
        return _plan_known(case)
    return _plan_found(case)


# --- what a person decided


def _plan_decided(case: Case, decision: Decision) -> PlannedWrite:
    if decision.choice is Choice.IGNORE:
        return case.unwritten(Reason.IGNORED)._replace(state=LinkState.IGNORED)
    if decision.choice is Choice.CREATE:
        return _plan_new(case)
    row = case.known.found.by_id
    if row is not None and (not row.deleted or case.mapping.when_deleted is WhenDeleted.RESTORE):
        return _update(case, row, Reason.CHOSEN)
    return doubt(case, Why.CHOICE_GONE, case.living())


def _plan_new(case: Case) -> PlannedWrite:
    if case.known.found.by_id is not None:  # our own id: a cut-off attempt created it
        return _plan_known(case)
    same = [row for row in case.hits() if case.is_same(row)]
    if same:  # never two CRM records for one source record
        return doubt(case, Why.NOT_NEW, same)
    return _create(case, held=case.held(""))._replace(reason=Reason.CHOSEN)


# --- known by a link, or by our own id


def _plan_known(case: Case) -> PlannedWrite:
    row = case.known.found.by_id
    if row is None:
        return _plan_lost(case)
    if row.deleted and case.known.link.state is LinkState.GONE:  # we removed it ourselves, and it is back
        return _update(case, row, Reason.RESTORED)
    if row.deleted:
        return _plan_deleted(case, [row])
    plan = _update(case, row)
    if case.known.link.crm_id is None:  # our own id is there already: a cut-off attempt created it
        return plan._replace(finished=Action.CREATE)
    return plan._replace(finished=Action.UPDATE) if case.known.link.resumed else plan


def _plan_lost(case: Case) -> PlannedWrite:
    """The linked record was destroyed: merging does that, so whoever has its keys now is its survivor."""
    survivors = case.living()
    if not survivors and case.known.link.state is LinkState.GONE:  # ours, and out of the bin: its id is free
        return _plan_create(case)
    if not survivors:
        return _plan_deleted(case, [])
    if len(survivors) > 1:
        return doubt(case, Why.SEVERAL, survivors)
    return _update(case, survivors[0], Reason.MERGED)


# --- found by a key, or nowhere


def _plan_found(case: Case) -> PlannedWrite:
    living = case.living()
    if len(living) > 1:
        return doubt(case, Why.SEVERAL, living)
    if living:
        return _plan_adoption(case, living[0])
    deleted = case.hits()
    if deleted:
        others = [row for row in deleted if case.identity_of(row)[1] is False]
        return doubt(case, Why.SOMEBODY_ELSE, deleted) if others else _plan_deleted(case, deleted)
    return _plan_create(case)


def _plan_adoption(case: Case, row: CrmRow) -> PlannedWrite:
    _, same = case.identity_of(row)
    if same is False:
        return doubt(case, Why.SOMEBODY_ELSE, [row])
    claimed = case.known.taken.setdefault(("id", row.id), (case.mapped.ref, row))[0] != case.mapped.ref
    if (claimed or case.known.holders.get(row.id)) and not same:
        return doubt(case, Why.TAKEN, [row])
    return _update(case, row, Reason.ADOPTED)


def _plan_create(case: Case) -> PlannedWrite:
    if not case.mapping.create:
        return case.unwritten(Reason.FILTERED)
    mine = case.mapped.ref
    rivals = [case.known.taken[key] for key in case.mapped.keys if key in case.known.taken]
    rows = {row.id: row for ref, row in rivals if ref != mine}
    if rows:
        return doubt(case, Why.TAKEN, list(rows.values()))
    return _create(case, held={})


def _create(case: Case, *, held: MappingType[str, CrmRow]) -> PlannedWrite:
    known, mapped = case.known, case.mapped
    kept = {name: value for name, value in case.values.items() if name not in held}
    row = CrmRow(known.new_id, kept)
    for key in mapped.keys:
        known.taken.setdefault(key, (mapped.ref, row))
    return PlannedWrite(
        ref=mapped.ref,
        action=Action.CREATE,
        object=mapped.object,
        crm_id=known.new_id,
        values={name: value for name, value in kept.items() if value is not None},
        fingerprint=known.print_,
        memory=tuple(kept),
        title=mapped.title,
        updated_at=mapped.updated_at,
        warnings=tuple(_not_written(name, row) for name, row in held.items()),
    )


# --- deleted by a person


def _plan_deleted(case: Case, rows: Sequence[CrmRow]) -> PlannedWrite:
    """``rows`` are in the CRM's bin; none: it is out of it."""
    policy = case.mapping.when_deleted
    if policy is WhenDeleted.RESPECT:
        return _stays_deleted(case)
    if policy is WhenDeleted.RESTORE and len(rows) > 1:
        return doubt(case, Why.SEVERAL, rows)
    if policy is WhenDeleted.RESTORE and rows:
        return _update(case, rows[0], Reason.RESTORED)
    return _plan_anew(case, rows)


def _stays_deleted(case: Case, *warnings: str) -> PlannedWrite:
    plan = case.unwritten(Reason.DELETED_IN_CRM)
    return plan._replace(state=LinkState.DELETED_IN_CRM, warnings=warnings)


def plan_vanished(plan: PlannedWrite, mapping: Mapping) -> PlannedWrite:
    """Its CRM record was deleted after it was looked at. That stands, or the next sync acts on it."""
    if mapping.when_deleted is WhenDeleted.RESPECT:
        return plan._replace(
            action=Action.SKIP,
            reason=Reason.DELETED_IN_CRM,
            state=LinkState.DELETED_IN_CRM,
            values=NOTHING_YET,
            before=None,
            memory=(),
            finished=None,
            drift=(),
        )
    error = refused(plan, VANISHED, code="crm_record_gone")
    return plan._replace(action=Action.FAIL, state=LinkState.FAILED, error=error, finished=None)


def _plan_anew(case: Case, rows: Sequence[CrmRow]) -> PlannedWrite:
    """A new record. What lies in the bin still holds its unique values: that is said, not forced."""
    if not case.mapping.create:
        return case.unwritten(Reason.FILTERED)
    unique = {key.field for key in case.mapping.match if key.exclusive}
    unique |= {spec.name for spec in case.mapping.specs if spec.unique}
    held = [name for name in case.values if name in unique and any(_has(case, row, name) for row in rows)]
    if held:
        told = f"The deleted record {rows[0].id} still holds its {' and '.join(held)} in the CRM's bin."
        return _stays_deleted(case, f"{told} Delete it there for good and it is made anew, or restore it.")
    again = case._replace(known=case.known._replace(new_id=case.known.next_id))
    plan = _plan_create(again)
    if plan.action is not Action.CREATE:
        return plan
    return plan._replace(reason=Reason.RECREATED, generation=case.known.link.generation + 1)


def _has(case: Case, row: CrmRow, name: str) -> bool:
    value = case.values[name]
    return value is not None and row.values.get(name) == value


# --- the update


def _update(case: Case, row: CrmRow, reason: Reason | None = None) -> PlannedWrite:
    mapped, mapping = case.mapped, case.mapping
    what = changes(case.values, mapping, row, _standing(case, row), case.held(row.id))
    if what.values and not mapping.update:
        return case.unwritten(Reason.FILTERED)
    return PlannedWrite(
        ref=mapped.ref,
        action=Action.UPDATE if what.values or row.deleted else Action.NOTHING,
        object=mapped.object,
        crm_id=row.id,
        values=what.values,
        fingerprint=case.known.print_,
        reason=reason or (Reason.PUT_BACK if what.drift else None),
        before=held(row, what.values),
        raw=row.raw,
        memory=what.ours,
        title=mapped.title,
        updated_at=mapped.updated_at,
        created_at=row.created_at,
        warnings=tuple(_not_written(name, holder) for name, holder in what.left_out),
        restores=row.deleted,
        drift=what.drift,
        seen_at=row.updated_at,
    )


def _standing(case: Case, row: CrmRow) -> Standing:
    link = case.known.link
    fresh = row.id != link.crm_id
    holders = [one for one in case.known.holders.get(row.id, ()) if one.active]
    first = _firsts(case, row, holders, fresh=fresh)
    memory = NOTHING_YET if fresh else link.memory
    return Standing(memory, first is not None, [one.memory for one in first or ()])


def _firsts(case: Case, row: CrmRow, holders: list[Holder], *, fresh: bool) -> list[Holder] | None:
    """Those who own the row before us; None where we do.

    Whoever's identity stands in the row is before the others: after a merge that is the survivor's.
    """
    field, same = case.identity_of(row)
    if field is None:
        return [one for one in holders if one.before] or None
    theirs = value_hash(row.values[field])
    named = [one for one in holders if remembers(one.memory, field, theirs)]
    if same is False:
        return named if named or fresh else None
    return [one for one in named if one.before] or None


def _not_written(name: str, holder: CrmRow) -> str:
    where = "the deleted CRM record" if holder.deleted else "the CRM record"
    return f"{name} is not written here: {where} {holder.id} has it."
