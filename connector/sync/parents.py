"""What a record points at: resolved to CRM ids, and brought into the CRM first where it is not there yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from connector.core.mapping import LinkRule, Mapping, OnMissing, map_record
from connector.core.plan import Action, Link, LinkState, PlannedWrite, Reason, fingerprint, plan_failure
from connector.core.records import BadRecord, Page, Ref, SourceRecord
from connector.errors import ParentMissingError
from connector.ports import Seek
from connector.store import links, sharing
from connector.store.relations import Open
from connector.sync.scope import Item, Scope

_ABSENT: Final = {
    LinkState.LINKED: "is not in the CRM yet.",
    LinkState.REVIEW: "waits for a person to decide which CRM record it is.",
    LinkState.FAILED: "failed.",
    LinkState.DELETED_IN_CRM: "was deleted in the CRM by somebody.",
    LinkState.GONE: "is gone.",
    LinkState.IGNORED: "is left out, as a person decided.",
}

BringIn = Callable[[Mapping, Page], None]
"""Take the records of a page through the whole road, without moving the run's place."""


def resolve(scope: Scope, mapping: Mapping, items: Sequence[Item], bring_in: BringIn) -> None:
    """Point each item at its parents; one whose parent failed, or may not be missing, gets its plan."""
    for rule in mapping.links:
        wanted = _parents_of(items, rule)
        if wanted:
            known = _parent_links(scope, rule, wanted, bring_in)
            for item in items:
                _point(item, rule, known)


def follow(scope: Scope, mapping: Mapping, items: Sequence[Item], bring_in: BringIn) -> None:
    """Before records are written, see that what they point at is still there.

    A contact that was merged away or destroyed in the CRM would have the whole request refused, and its own
    record may not have changed since. It is taken through the road again, which finds where it went.
    """
    moving = [item for item in items if item.plan is None and item.mapped is not None]
    for rule in mapping.links if moving else ():
        ids = {item.values[rule.spec.name] for item in moving if item.values.get(rule.spec.name)}
        dead = _dead(scope, rule, ids) if ids else []
        if not dead:
            continue
        with scope.database.transaction() as session:
            sharing.distrust(session, scope.run.workspace_id, rule.spec.target or "", dead)
        lost = [item for item in moving if item.values.get(rule.spec.name) in dead]
        wanted = _parents_of(lost, rule)
        _fetch_parents(scope, rule, wanted, bring_in)
        known = _born(scope, rule, wanted)
        for item in lost:
            item.values.pop(rule.spec.name)
            _point(item, rule, known)
            item.print_ = fingerprint(item.values)


def _dead(scope: Scope, rule: LinkRule, ids: set[str]) -> list[str]:
    """Those that are not in the CRM any more, not even in its bin.

    What this run made is not asked for, and what it saw not a second time: a job lasts seconds, and a
    contact that goes meanwhile is found out by the refusal of the request.
    """
    ids = ids - scope.alive
    with scope.database.reading() as session:
        sure = sharing.written_by(
            session, scope.run.workspace_id, rule.spec.target or "", list(ids), scope.run.number
        )
    if not ids - sure:
        return []
    seeks = [Seek(Ref(rule.spec.target or "", rule.kind, id_), id_, ()) for id_ in sorted(ids - sure)]
    found = scope.writer.look(_mapping_of(scope, rule), seeks)
    dead = [ref.id for ref, one in found.items() if one.by_id is None]
    scope.alive |= ids - set(dead)
    return dead


def _mapping_of(scope: Scope, rule: LinkRule) -> Mapping:
    return next(
        one for one in scope.mappings if one.kind == rule.kind and one.object.name == rule.spec.target
    )


def _parents_of(items: Sequence[Item], rule: LinkRule) -> list[Ref]:
    refs: dict[Ref, None] = {}
    for item in items:
        if item.plan is None and item.mapped is not None:
            refs.update({ref: None for name, ref in item.mapped.parents if name == rule.spec.name and ref})
    return list(refs)


def _parent_links(scope: Scope, rule: LinkRule, wanted: list[Ref], bring_in: BringIn) -> dict[Ref, Link]:
    known = _born(scope, rule, wanted)
    missing = [ref for ref in wanted if ref not in known]
    if not missing or rule.on_missing is not OnMissing.FETCH:
        return known
    _fetch_parents(scope, rule, missing, bring_in)
    return known | _born(scope, rule, missing)


def _born(scope: Scope, rule: LinkRule, refs: list[Ref]) -> dict[Ref, Link]:
    """The parents' links, without those that a killed worker claimed for a create and never settled."""
    with scope.database.reading() as session:
        known = links.find(session, scope.run.workspace_id, rule.spec.target or "", refs)
    born = {
        ref: link
        for ref, link in known.items()
        if link.crm_id is not None or link.state is not LinkState.LINKED
    }
    return {ref: scope.pretended[ref] for ref in refs if ref in scope.pretended} | born


def _fetch_parents(scope: Scope, rule: LinkRule, missing: Sequence[Ref], bring_in: BringIn) -> None:
    """Bring absent parents into the CRM first; one that the source does not have stays absent."""
    fetched = scope.reader.parents(rule.kind, [ref.id for ref in missing])
    mapping = _mapping_of(scope, rule)
    wanted = tuple(record for record in fetched.values() if not _is_left_out(record, mapping))
    if wanted:
        bring_in(mapping, Page(wanted, None, last=False))


def _is_left_out(record: SourceRecord | BadRecord, mapping: Mapping) -> bool:
    # It has no link by which it would be known: told at each of its children, it would be counted again.
    with suppress(Exception):  # what is wrong with it is told on the road
        return isinstance(record, SourceRecord) and map_record(record, mapping) is None
    return False


def _point(item: Item, rule: LinkRule, known: dict[Ref, Link]) -> None:
    if item.plan is not None or item.mapped is None:
        return
    for name, ref in item.mapped.parents:
        if name != rule.spec.name:
            continue
        if ref is None:
            item.values[name] = None
        else:
            _point_at(item, rule, ref, known.get(ref))


def _is_there(item: Item, parent: Link) -> bool:
    """Whether it has a CRM record to point at. What is held is compared with what was written, whatever
    became of its parent since."""
    held = item.link is not None and item.link.held_run is not None
    return held or parent.state in (LinkState.LINKED, LinkState.FAILED)


def _point_at(item: Item, rule: LinkRule, ref: Ref, parent: Link | None) -> None:
    name = rule.spec.name
    if parent is not None and parent.crm_id and _is_there(item, parent):
        item.values[name] = parent.crm_id
    elif parent is not None and parent.state is LinkState.FAILED:
        error = ParentMissingError(f"{item.ref}: its {ref} failed, so {name} has nothing to point at.")
        item.plan = plan_failure(item.ref, item.mapped.object if item.mapped else "", error)
    elif parent is None and rule.on_missing is OnMissing.SKIP:
        item.plan = PlannedWrite(
            item.ref, Action.SKIP, item.mapped.object if item.mapped else "", reason=Reason.FILTERED
        )
    elif parent is None:
        item.values[name] = None
        item.warnings += (f"{name} is left empty: there is no {ref}, or its mapping leaves it out.",)
    else:  # it waits for a person, or a person deleted it: written without, linked later
        item.left_open += (Open(item.ref, ref, rule.spec.target or ""),)
        item.warnings += (f"{name} is left as it is: its {ref} {_ABSENT[parent.state]}",)
