"""The last steps: claim and apply a request; settle, and keep what is settled in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from connector.core import ending
from connector.core import outcomes as core_outcomes
from connector.core.mapping import Mapping
from connector.core.matching import plan_vanished
from connector.core.outcomes import Outcome, settle
from connector.core.plan import Action, Link, LinkState, Reason, value_hash
from connector.core.records import iso
from connector.errors import TryLaterError
from connector.store import endings, intents, links, runs
from connector.store.db import Session
from connector.sync import isolating, questioning
from connector.sync.scope import Item, Scope
from connector.sync.watching import Watch

_MOST_WORDS = 50  # of one field and run: more tell a person nothing
_OTHERS = "…"
_CLAIM = timedelta(seconds=120)  # longer than the slowest write with its repeats


def write(scope: Scope, mapping: Mapping, batch: Sequence[Item], watch: Watch) -> None:
    """Claim and send the writes of one request; each item has its result then, unless its record is gone.

    The CRM's limit is waited for first: a claim keeps everybody else from these records. May run beside
    others.
    """
    with scope.writer.reserved():
        items = watch.living(batch)
        if not items:
            return
        now = scope.clock()
        with scope.database.transaction() as session:
            _claim(scope, mapping, session, items, now)
            _note_ahead(scope, mapping, session, items)
        _apply(scope, mapping, items, now)


def _claim(scope: Scope, mapping: Mapping, session: Session, items: Sequence[Item], now: datetime) -> None:
    claimed = links.claim(
        session,
        scope.claims(mapping),
        [item.ref for item in items],
        owner=scope.run.id,
        now=now,
        until=now + _CLAIM,
    )
    for item in items:
        _check_unmoved(item, claimed[item.ref])
        item.link = item.link or claimed[item.ref]


def _note_ahead(scope: Scope, mapping: Mapping, session: Session, items: Sequence[Item]) -> None:
    """What the updates are about to write over: if this worker dies, whoever finds them done tells it."""
    plans = [item.plan for item in items if item.plan and item.plan.action is Action.UPDATE]
    if plans:
        writes = {
            plan.ref.id: [plan.before, plan.values, plan.reason, plan.drift] for plan in plans if plan.values
        }
        noted = intents.note(session, scope.run, mapping.kind, mapping.object.name, writes)
        for item in items:
            item.noted = noted


def _moves_link(item: Item) -> bool:
    plan = item.plan
    return plan is not None and not item.quick and plan.reason not in (Reason.FILTERED, Reason.DUPLICATE)


def _check_unmoved(item: Item, now: Link) -> None:
    before = (item.link.crm_id, item.link.fingerprint, item.link.held_run) if item.link else (None,) * 3
    if before != (now.crm_id, now.fingerprint, now.held_run):
        raise TryLaterError(f"{item.ref} was written by another job meanwhile.", after=0.5, code="claimed")


def _apply(scope: Scope, mapping: Mapping, batch: Sequence[Item], now: datetime) -> None:
    stamps = {spec.name: iso(now) for spec in mapping.stamps}
    writes = [
        item.plan._replace(values={**item.plan.values, **stamps}) for item in batch if item.plan is not None
    ]
    results = isolating.apply(scope, mapping, writes)
    if [result.ref for result in results] != [item.ref for item in batch]:
        raise AssertionError("the writer's results do not match its writes")
    for item, result in zip(batch, results, strict=True):
        gone = result.error is not None and result.error.code == "crm_record_gone"
        if gone and item.plan is not None:
            item.plan = plan_vanished(item.plan, mapping)
        else:
            item.result = result


def keep(scope: Scope, mapping: Mapping, window: Sequence[Item], checkpoint: dict[str, Any]) -> None:
    """Save what became of these records, and the run's place, in one transaction.

    Where others wait to write meanwhile (``Pace.kept``), in several short ones, the place with the last.
    """
    size = scope.pace.kept
    *ahead, last = [window[start : start + size] for start in range(0, len(window), size)] or [window]
    for part in ahead:
        _keep(scope, mapping, part, scope.run.checkpoint)
    _keep(scope, mapping, last, checkpoint, {item.noted for item in window if item.noted})


def _keep(
    scope: Scope,
    mapping: Mapping,
    window: Sequence[Item],
    checkpoint: dict[str, Any],
    told: Collection[int] = (),
) -> None:
    settled = [_settle(item) for item in window]
    now = scope.clock()
    progress = _progress(scope, window, settled, checkpoint, now)
    moved = [item for item in window if _moves_link(item)]
    rows = [_link_row(item, scope.run.number) for item in moved if item.result]  # ahead: nobody waits yet
    with scope.database.transaction() as session:
        late = [item for item in moved if not item.result]
        _claim(scope, mapping, session, late, now)
        rows += [_link_row(item, scope.run.number) for item in late]
        links.keep(session, scope.claims(mapping), scope.run.id, rows)
        _keep_seen(scope, session, window)
        questioning.keep(scope, mapping, session, window, now)
        _keep_endings(scope, mapping, session, window)
        runs.log(session, scope.run, settled, now)
        intents.forget(session, scope.run.workspace_id, told)
        runs.save(session, scope.run, owner=scope.owner, **progress)
    progress["checkpoint_version"] = scope.run.checkpoint_version + 1
    scope.run = replace(scope.run, **progress)
    if scope.outcomes is not None:
        scope.outcomes.update((one.ref, one) for one in settled)


def _progress(
    scope: Scope,
    window: Sequence[Item],
    settled: Sequence[Outcome],
    checkpoint: dict[str, Any],
    now: datetime,
) -> dict[str, Any]:
    words = [pair for item in window if item.mapped for pair in item.mapped.unknown_choices]
    return {
        "counts": core_outcomes.add(scope.run.counts, core_outcomes.tally(settled)),
        "drift": scope.run.drift + core_outcomes.drifted(settled),
        "unknown_choices": add_words(scope.run.unknown_choices, words),
        "checkpoint": checkpoint,
        "lease_until": now + scope.lease,
    }


def _settle(item: Item) -> Outcome:
    if item.plan is None:
        raise AssertionError(f"{item.ref} left the road without a plan")
    plan = item.plan
    if item.warnings:
        plan = plan._replace(warnings=plan.warnings + item.warnings)
    if plan.crm_id is None and item.link is not None:  # so that the log leads to it all the same
        plan = plan._replace(crm_id=item.link.crm_id)
    return settle(plan, item.result)


def _keep_seen(scope: Scope, session: Session, window: Sequence[Item]) -> None:
    seen = [item.link.id for item in window if item.quick and item.link and item.link.id is not None]
    links.see(session, scope.run.workspace_id, seen, scope.run.number)
    links.move_on(session, scope.run.workspace_id, dict(filter(None, map(_moved_on, window))))


def _keep_endings(scope: Scope, mapping: Mapping, session: Session, window: Sequence[Item]) -> None:
    """When each ends that can end without an event. What could not be read tells nothing."""
    if mapping.kind == ending.KIND:
        found = {item.ref.id: item.ends_at for item in window if item.mapped is not None}
        if found:
            endings.keep(session, scope.claims(mapping), found)


def _moved_on(item: Item) -> tuple[int, str] | None:
    """The link and new time of a record that has changed, in nothing that is written."""
    plan, link = item.plan, item.link
    if not item.quick or plan is None or plan.action is not Action.NOTHING or plan.updated_at is None:
        return None
    if link is None or link.id is None or plan.updated_at <= (link.source_updated_at or ""):
        return None
    return link.id, plan.updated_at


def _link_row(item: Item, run: int) -> dict[str, Any]:
    plan, link, result = item.plan, item.link, item.result
    if plan is None or link is None:
        raise AssertionError(f"{item.ref} is kept without a claim")
    failed = plan.action is Action.FAIL or (result is not None and result.error is not None)
    written = plan.action in (Action.CREATE, Action.UPDATE, Action.NOTHING) and not failed
    whole = written and not (result and result.left_out)  # else the next sync takes it again
    held = link.held_run is not None and not written  # what it said when it was undone is what it is held by
    ours = failed and link.state is LinkState.GONE  # in the bin by our hand: we may still take it out
    return {
        "of_id": item.ref.id,
        "crm_id": plan.crm_id if written else link.crm_id,
        "state": (LinkState.GONE if ours else LinkState.FAILED if failed else plan.state).value,
        "fingerprint": plan.fingerprint if whole else link.fingerprint if held else None,
        "source_updated_at": plan.updated_at if written else link.source_updated_at,
        "memory": _memory(item, run) if written else dict(link.memory),
        "crm_created_at": (result.created_at if result else plan.created_at) or link.crm_created_at,
        "crm_updated_at": result.updated_at if result else None,
        "crm_seen_at": result.updated_at if result else plan.seen_at,
        "seen_run": run,
        "held_run": None if written else link.held_run,
        "generation": plan.generation if plan.generation is not None and written else link.generation,
    }


def _memory(item: Item, run: int) -> dict[str, Any]:
    if item.plan is None or item.link is None:
        return {}
    left_out = item.result.left_out if item.result else ()
    ours = {name: (value_hash(item.values[name]), run) for name in item.plan.memory if name not in left_out}
    known = item.link.memory if item.link.crm_id == item.plan.crm_id else None  # it is of the row, not of us
    return {**known, **ours} if known else ours


def add_words(
    known: dict[str, dict[str, int]], found: Sequence[tuple[str, str]]
) -> dict[str, dict[str, int]]:
    """How often each word that is new here came, by field: with these beside those that are known of."""
    if not found:
        return known
    total = {name: dict(values) for name, values in known.items()}
    for name, value in found:
        values = total.setdefault(name, {})
        listed = value if value in values or len(values) < _MOST_WORDS else _OTHERS
        values[listed] = values.get(listed, 0) + 1
    return total
