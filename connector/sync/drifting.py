"""What people changed in the CRM, seen by every pass over the records although nothing changed at the source.

A record that is in step by its link is not read. Its time in the CRM is, thousands in one request, and only
one that moved since it was last compared goes the whole way: there each field's owner decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from connector.core.mapping import Mapping
from connector.core.plan import Action, is_as_left
from connector.sync.scope import Item, Scope

DOUBT: Final = "doubt"
"""In a run's checkpoint: every record is looked at, whatever its link says."""

_PASSES: Final = ("full", "incremental", "repair", "preview")
"""An event says that the source changed; of what people do in the CRM it knows nothing."""


def reconsider(scope: Scope, mapping: Mapping, items: Sequence[Item]) -> None:
    """Have those decided anew that are in step by their link, and not as they were left in the CRM.

    Whoever takes single records again doubts them, so a repair looks at each. So does what runs by other
    rules than those by which the records were written.
    """
    sure = [item for item in items if item.quick and item.plan and item.plan.action is Action.NOTHING]
    if not sure or scope.run.type not in _PASSES:
        return
    doubts = scope.run.type == "repair" or scope.run.checkpoint.get(DOUBT)
    moved = sure if doubts else _moved(scope, mapping, sure)
    for item in moved:
        item.plan, item.quick = None, False


def _moved(scope: Scope, mapping: Mapping, items: Sequence[Item]) -> list[Item]:
    known = {item.link.crm_id: item for item in items if item.link and item.link.crm_id}
    stamps = scope.writer.stamps(mapping, list(known))
    return [
        item
        for item in items
        if item.link
        and item.link.crm_id
        and not is_as_left(item.link, item.values, stamps.get(item.link.crm_id))
    ]
