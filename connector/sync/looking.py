"""What the CRM holds for the records of a block, and who else has a part in it."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from typing import NamedTuple

from connector.core.case import Holders
from connector.core.mapping import Mapping, WhenDeleted
from connector.core.plan import NOTHING_YET, Choice, Found, Holder, LinkState, own_id
from connector.core.records import Ref
from connector.ports import Seek
from connector.store import connections, links, reviews, sharing
from connector.store.sharing import Share
from connector.sync import surviving
from connector.sync.scope import Item, Scope


class Sight(NamedTuple):
    """What was found for each record, and the other source records behind each CRM record."""

    found: dict[Ref, Found]
    holders: dict[Ref, Holders]

    def holders_of(self, item: Item) -> Holders:
        """CRM id → the others who hold it."""
        return self.holders.get(item.ref, NOTHING_YET)


def look(scope: Scope, mapping: Mapping, items: Sequence[Item]) -> Sight:
    """Look up every record that is not decided yet: its id, its keys, deleted rows too, and its survivors."""
    undecided = [item for item in items if item.plan is None and item.mapped is not None]
    _recall_decisions(scope, mapping, undecided)
    sought = [item for item in undecided if not _is_ignored(item)]
    for item in sought:
        _name(scope, mapping, item)
    seeks = [_seek(mapping, item) for item in sought]
    found = scope.writer.look(mapping, seeks) if seeks else {}
    lost = [item for item in sought if _is_lost(item, found)]
    if lost:
        found |= surviving.look(scope, mapping, lost)
    return Sight(found, _holders(scope, mapping, sought, found))


def _recall_decisions(scope: Scope, mapping: Mapping, items: Sequence[Item]) -> None:
    """What a person was asked, or decided: of the records that have no healthy link."""
    loose = [
        one for one in items if not (one.link and one.link.crm_id and one.link.state is LinkState.LINKED)
    ]
    if not loose:
        return
    with scope.database.reading() as session:
        asked = reviews.find(
            session, scope.run.workspace_id, mapping.object.name, [item.ref for item in loose]
        )
    for item in loose:
        item.asked = asked.get(item.ref)


def _choice(item: Item) -> Choice | None:
    decision = item.asked.decision if item.asked else None
    return decision.choice if decision else None


def _is_ignored(item: Item) -> bool:
    return _choice(item) is Choice.IGNORE


def _name(scope: Scope, mapping: Mapping, item: Item) -> None:
    """Our own ids for it: of this generation, and of the next where the mapping may need it."""
    generation, name = item.link.generation if item.link else 0, mapping.object.name
    item.new_id = own_id(scope.run.workspace_id, item.ref, name, generation)
    if mapping.when_deleted is not WhenDeleted.RESPECT:
        item.next_id = own_id(scope.run.workspace_id, item.ref, name, generation + 1)


def _seek(mapping: Mapping, item: Item) -> Seek:
    """A linked record is sought by its id; its keys tell whether another row would refuse them."""
    keys = item.mapped.keys if item.mapped else ()
    known, decision = (item.link.crm_id if item.link else None), item.asked.decision if item.asked else None
    if decision is not None:
        return Seek(item.ref, decision.crm_id or item.new_id, keys)
    if known is None:
        return Seek(item.ref, item.new_id, keys)
    exclusive = {key.field for key in mapping.match if key.exclusive}
    return Seek(item.ref, known, tuple(key for key in keys if key[0] in exclusive), further=False)


def _is_lost(item: Item, found: MappingType[Ref, Found]) -> bool:
    known = item.link is not None and item.link.crm_id is not None
    return known and _choice(item) is None and found[item.ref].by_id is None


def _holders(
    scope: Scope, mapping: Mapping, items: Sequence[Item], found: MappingType[Ref, Found]
) -> dict[Ref, Holders]:
    rows = {item.ref: _ids_of(found[item.ref]) for item in items}
    ids = list({id_ for of_item in rows.values() for id_ in of_item})
    workspace = scope.run.workspace_id
    with scope.database.reading() as session:
        every = sharing.shares(session, workspace, mapping.object.name, ids)
        others: dict[str, list[Share]] = {}
        for share in every:
            others.setdefault(share.crm_id, []).append(share)
        wanted = {
            item.ref: {
                id_: found_ for id_ in rows[item.ref] if (found_ := _besides(item, others.get(id_, ())))
            }
            for item in items
        }
        wanted = {ref: shares for ref, shares in wanted.items() if shares}
        if not wanted:
            return {}
        link_ids = {share.link_id for of_item in wanted.values() for one in of_item.values() for share in one}
        memories = links.memories(session, workspace, sorted(link_ids))
        own = connections.get(session, workspace, scope.run.connection_id)
    links_of = {item.ref: item.link.id if item.link else None for item in items}

    def holder(ref: Ref, share: Share) -> Holder:
        mine = (own.created_at, links_of[ref] or float("inf"))
        before = share.active and (share.connected_at, share.link_id) < mine
        return Holder(share.ref, memories.get(share.link_id, NOTHING_YET), before, share.active)

    return {
        ref: {id_: tuple(holder(ref, share) for share in one) for id_, one in of_item.items()}
        for ref, of_item in wanted.items()
    }


def _ids_of(found: Found) -> set[str]:
    ids = {row.id for _, rows in found.by_key for row in rows}
    return ids | {found.by_id.id} if found.by_id is not None else ids


def _besides(item: Item, shares: Sequence[Share]) -> list[Share]:
    return [share for share in shares if share.ref != item.ref]
