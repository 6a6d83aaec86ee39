"""What a change of mapping files would do: fields, records, permissions, fields left alone, lines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import structlog
from flask import g

from connector.errors import ConnectorError
from connector.mapping_files import FileMapping
from connector.ports.crm_model import SchemaPlan
from connector.sources.whop import scopes
from connector.store.connections import Connection
from connector.sync import sampling
from connector.sync.changing import Draft
from connector.sync.sampling import Looked
from connector.web import mapping_words, shell

log = structlog.get_logger(__name__)

MOST: Final = 200
"""Records that are looked at while somebody waits for the page."""


class Seen(NamedTuple):
    """What a change would do, as far as it can be seen; ``why`` says why not further."""

    plan: SchemaPlan | None
    looked: Looked | None
    why: str = ""


def look(draft: Draft, companies: list[Connection]) -> Seen:
    """The data model, and the first records, as they are now."""
    tools = shell.parts().tools
    plan = None
    try:
        plan = tools.open_schema(g.workspace, g.person.admin_id).plan(draft.after.mappings)
        if not companies or not draft.kinds or plan.conflicts:
            why = "No company is connected, so there is no record to look at." if not companies else ""
            return Seen(plan, None, why)
        return Seen(plan, sampling.look(tools, companies, draft.after, draft.kinds, most=MOST))
    except ConnectorError as error:
        log.info("what a change would do cannot be seen", code=error.code)
        return Seen(plan, None, str(error))


def asked(draft: Draft) -> list[scopes.Scope]:
    """What the change needs of Whop that was not needed before."""
    before = {one.name for one in scopes.needed(draft.before or ())}
    return [one for one in scopes.needed(draft.after) if one.name not in before]


def stays(draft: Draft) -> list[str]:
    """The fields that nothing is written to any more: what is in them stays."""
    words, now = shell.vocabulary(), _written(draft, draft.after)
    return [words.field(*one) for one in _written(draft, draft.before or ()) if one not in now]


def _written(draft: Draft, files: Iterable[FileMapping]) -> list[tuple[str, str]]:
    """Object and field of everything that the files that change write."""
    changed = {one.file for one in draft.changed}
    return [(one.object.name, spec.name) for one in files if one.file in changed for spec in one.specs]


def diffs(draft: Draft) -> list[tuple[str, list[tuple[str, str]]]]:
    """Each file that changes, with the lines that differ."""
    before, after = shell.parts().tools.mappings.texts(g.workspace), draft.after.files.texts
    return [
        (one.file, mapping_words.diff(before.get(one.file, ""), after.get(one.file, "")))
        for one in draft.changed
    ]
