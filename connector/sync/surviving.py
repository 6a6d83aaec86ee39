"""Where a record went that is no longer under its id: merging in the CRM destroys the loser at once.

Its survivor has the loser's identity or e-mail, as its own or as a further one; or, where neither tells, the
children that pointed at the loser point at the survivor now.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connector.core.mapping import Mapping
from connector.core.plan import Found, LinkState, value_hash
from connector.core.records import CrmRow, Ref
from connector.ports import Seek
from connector.store import sharing
from connector.store.sharing import Pointer
from connector.sync.scope import Item, Scope

_CHILDREN = 5  # of one parent: they all say the same


def look(scope: Scope, mapping: Mapping, lost: Sequence[Item]) -> dict[Ref, Found]:
    """The rows that each may have become, under the keys and relations that say so."""
    seeks = [Seek(item.ref, "", item.mapped.keys) for item in lost if item.mapped is not None]
    found = scope.writer.look(mapping, seeks)
    # Once told, it is not asked of the children again: what was in the bin cannot have been merged.
    silent = [item for item in lost if _is_silent(found[item.ref]) and _was_linked(item)]
    for ref, field, row in _by_children(scope, mapping, silent):
        found[ref] = found[ref]._replace(by_key=(*found[ref].by_key, (field, (row,))))
    return found


def _is_silent(found: Found) -> bool:
    return all(row.deleted for _, rows in found.by_key for row in rows)


def _was_linked(item: Item) -> bool:
    return item.link is not None and item.link.state is LinkState.LINKED


def _by_children(scope: Scope, mapping: Mapping, lost: Sequence[Item]) -> Iterator[tuple[Ref, str, CrmRow]]:
    by_hash = {value_hash(item.link.crm_id): item for item in lost if item.link is not None}
    if not by_hash:
        return
    for child in scope.mappings:
        for rule in child.links:
            if rule.kind == mapping.kind and rule.spec.target == mapping.object.name:
                yield from _now_at(scope, mapping, child, rule.spec.name, by_hash)


def _now_at(
    scope: Scope, mapping: Mapping, child: Mapping, field: str, by_hash: dict[int, Item]
) -> Iterator[tuple[Ref, str, CrmRow]]:
    pointers = _few(scope, child, field, by_hash)
    seeks = [Seek(pointer.ref, pointer.crm_id, ()) for pointer in pointers]
    rows = scope.writer.look(child, seeks) if seeks else {}
    moved: dict[Ref, str] = {}
    for pointer in pointers:
        row, item = rows[pointer.ref].by_id, by_hash[pointer.hash]
        parent = row.values.get(field) if row is not None else None
        if parent is not None and item.link is not None and parent != item.link.crm_id:
            moved[item.ref] = parent
    parents = scope.writer.look(mapping, [Seek(ref, id_, ()) for ref, id_ in moved.items()]) if moved else {}
    for ref, found in parents.items():
        if found.by_id is not None:
            yield ref, field, found.by_id


def _few(scope: Scope, child: Mapping, field: str, by_hash: dict[int, Item]) -> list[Pointer]:
    seen: dict[int, int] = {}
    kept: list[Pointer] = []
    with scope.database.reading() as session:
        for pointer in sharing.pointing(
            session, scope.run.workspace_id, child.object.name, field, by_hash.keys()
        ):
            seen[pointer.hash] = seen.get(pointer.hash, 0) + 1
            if seen[pointer.hash] <= _CHILDREN:
                kept.append(pointer)
    return kept
