"""Acts that no event sets off: so long before a membership is renewed, by the end that it told last.

The moment is the fact: one that had passed when the automation was switched on counts for nothing. Each end
of a period sets off one act, because the end is part of what the act is about.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from connector.core.automation import Automation
from connector.core.ending import KIND
from connector.core.records import iso
from connector.store import acts, automations, endings
from connector.store.acts import NewAct
from connector.store.automations import Switch
from connector.sync.tools import Tools

log = structlog.get_logger(__name__)

_AT_ONCE = 200


def sweep(tools: Tools) -> int:
    """Keep what is due; how many acts are new."""
    count = 0
    for one in tools.automations:
        if one.before is not None:
            with tools.database.reading() as session:
                switches = automations.on(session, one.name)
            count += sum(_remind(tools, one, one.before, switch) for switch in switches)
    return count


def _remind(tools: Tools, automation: Automation, lead: timedelta, switch: Switch) -> int:
    now, ids = tools.clock(), (switch.workspace_id, switch.connection_id)
    after = max(now, (switch.since or now) + lead)
    with tools.database.reading() as session:
        found = endings.coming(
            session, *ids, KIND, automation.name, after=after, until=now + lead, limit=_AT_ONCE
        )
    if not found:
        return 0
    new = [_act(ids, automation, lead, one, now) for one in found]
    with tools.database.transaction() as session:
        count = acts.add(session, new, now)
    log.info("automations are set off by the clock", acts=count, automation=automation.name)
    return count


def _act(
    ids: tuple[str, str], automation: Automation, lead: timedelta, one: tuple[str, str], now: datetime
) -> NewAct:
    id_, ends_at = one
    told = f"Set off by the clock: the period of {id_} ends at {ends_at[:16].replace('T', ' ')} UTC."
    return NewAct(
        *ids,
        automation.name,
        0,
        KIND,
        f"{id_}@{ends_at}",
        None,
        iso(datetime.fromisoformat(ends_at) - lead),
        {},
        now + automation.steps[0].wait,
        [(iso(now), told)],
        id_,
    )
