"""Relations that were left open because the record they point at waits for a person; closed later."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import and_, delete, select

from connector.core.records import Ref
from connector.store.db import Session, insert_new, many, one_of
from connector.store.links import Claimed
from connector.store.models import link, open_relation, review


class Open(NamedTuple):
    """A record written without what it is to point at."""

    ref: Ref
    parent: Ref
    parent_object: str


def keep(session: Session, scope: Claimed, settled: Sequence[Ref], left_open: Iterable[Open]) -> None:
    """Remember what these settled records leave open now; what they left open before is forgotten."""
    forget(session, scope.workspace_id, settled)
    rows = [
        {
            "workspace_id": scope.workspace_id,
            "connection_id": scope.connection_id,
            "source": scope.source,
            "kind": scope.kind,
            "source_id": one.ref.id,
            "parent_kind": one.parent.kind,
            "parent_id": one.parent.id,
            "parent_object": one.parent_object,
        }
        for one in left_open
    ]
    many(session, insert_new(session, open_relation), rows)


def any_of(session: Session, workspace_id: str) -> bool:
    """Whether anything is left open at all: mostly not."""
    query = select(open_relation.c.id).where(open_relation.c.workspace_id == workspace_id).limit(1)
    return session.execute(query).first() is not None


def forget(session: Session, workspace_id: str, refs: Sequence[Ref]) -> None:
    """These records (all of one kind) are pointed again, or handed to a sync that does it."""
    if refs:
        session.execute(
            delete(open_relation).where(
                one_of(session, open_relation.c.source_id, [ref.id for ref in refs]),
                open_relation.c.kind == refs[0].kind,
                open_relation.c.source == refs[0].source,
                open_relation.c.workspace_id == workspace_id,
            )
        )


def children(session: Session, workspace_id: str, parents: Sequence[Ref]) -> list[Ref]:
    """The records that wait to point at these."""
    if not parents:
        return []
    query = select(open_relation.c.source, open_relation.c.kind, open_relation.c.source_id).where(
        one_of(session, open_relation.c.parent_id, [ref.id for ref in parents]),
        open_relation.c.workspace_id == workspace_id,
    )
    return [Ref(*row) for row in session.execute(query)]


def ripe(session: Session, workspace_id: str, connection_id: str) -> list[Ref]:
    """Records of a connection that wait for a parent which is in the CRM by now."""
    parent = and_(
        link.c.source_id == open_relation.c.parent_id,
        link.c.kind == open_relation.c.parent_kind,
        link.c.object == open_relation.c.parent_object,
        link.c.source == open_relation.c.source,
        link.c.workspace_id == open_relation.c.workspace_id,
    )
    query = (
        select(open_relation.c.source, open_relation.c.kind, open_relation.c.source_id)
        .join(link, parent)
        .where(
            open_relation.c.workspace_id == workspace_id,
            open_relation.c.connection_id == connection_id,
            link.c.state == "linked",
            link.c.crm_id.is_not(None),
        )
        .distinct()
    )
    return [Ref(*row) for row in session.execute(query)]


def expectant(session: Session) -> list[tuple[str, str]]:
    """Workspace and connection of whatever may wait for a sync: for the sweeper, over all workspaces."""
    relations = select(open_relation.c.workspace_id, open_relation.c.connection_id).distinct()
    decided = select(review.c.workspace_id, review.c.connection_id).where(
        review.c.state == "decided", review.c.started_at.is_(None)
    )
    rows = session.execute(relations.union(decided))
    return [(workspace_id, connection_id) for workspace_id, connection_id in rows]
