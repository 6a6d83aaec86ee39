"""What a change of mapping files brings with it besides records: permissions, fields left alone, lines."""

from __future__ import annotations

from collections.abc import Iterable

from flask import g

from connector.mapping_files import FileMapping
from connector.sources.whop import scopes
from connector.sync.changing import Draft
from connector.web import mapping_words, shell


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
