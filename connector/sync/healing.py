"""Access to the source that ended and came back: a permission is given again, a company switched on.

``keys.look_at_lost`` asks every two minutes. Where all that is mapped can be read again, the connection is
active and what was missed is caught up with.
"""

from __future__ import annotations

import structlog

from connector.ports import Reader
from connector.store import connections
from connector.store.connections import Connection
from connector.sync import returning
from connector.sync.tools import Tools

log = structlog.get_logger(__name__)

WHY = "After access came back"


def heal(tools: Tools, connection: Connection, reader: Reader) -> None:
    """Let the syncs of an expired connection go on, if a page of every mapped kind is to be had.

    Raises ReconnectError and TryLaterError where not.
    """
    if connection.status != "expired":
        return
    for kind in dict.fromkeys(mapping.kind for mapping in tools.mappings.of(connection.workspace_id)):
        next(iter(reader.pages(kind, None)))
    where, now = (connection.workspace_id, connection.id), tools.clock()
    with tools.database.transaction() as session:
        if connections.come_back(session, *where, connection.ended_at):
            log.info("the access is back", connection=connection.id)
            returning.catch_up(session, *where, now, why=WHY, missed=True)
