"""A change of a workspace's mapping files: checked, rehearsed on real records, then put in force.

What the CRM lacks for it is made first, which changes no record. Then one transaction puts the change in
force and queues the passes that bring the records in line: both are there, or neither. Whatever dies in
between is mended by doing the same again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Literal, NamedTuple

from connector.errors import RefusedError
from connector.mapping_files import FileMapping, Recipe, TestResult, run_tests
from connector.ports.crm_model import SchemaPlan
from connector.store import connections, mapping_passes, mappings, overview, workspaces
from connector.store.db import Session
from connector.store.mappings import NewChange, State
from connector.store.workspaces import Workspace
from connector.sync import modelling, passing
from connector.sync.mappings import Mapped, overlaid
from connector.sync.tools import Tools

How = Literal["edited", "uploaded", "reverted", "shipped", "removed", "recipe_on", "recipe_off"]
Texts = MappingType[str, str | None]
"""File → its new text; None: it does not count any more."""


class Changed(NamedTuple):
    """What a file becomes; ``text`` is kept where it is the workspace's own."""

    file: str
    state: State
    text: str | None


@dataclass(frozen=True, slots=True)
class Draft:
    """A change that loads, of one file or of several that go together.

    ``before`` is what the workspace maps by now, None where that does not load; ``base`` its latest change,
    ``tests`` how the tests in the changed files went.
    """

    changed: tuple[Changed, ...]
    base: int | None
    before: Mapped | None
    after: Mapped
    tests: tuple[TestResult, ...]

    @property
    def file(self) -> str:
        """The first file that changes, by which the change is called."""
        return self.changed[0].file

    @property
    def files(self) -> str:
        """All of them, for a sentence."""
        return " and ".join(one.file for one in self.changed)

    @property
    def failed(self) -> tuple[TestResult, ...]:
        """The tests that do not pass."""
        return tuple(one for one in self.tests if not one.passed)

    @property
    def mapping(self) -> FileMapping | None:
        """What the file becomes; None where it does not count any more."""
        return next((one for one in self.after if one.file == self.file), None)

    @property
    def former(self) -> FileMapping | None:
        """What it was."""
        return next((one for one in self.before or () if one.file == self.file), None)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds whose records may change, parents before children."""
        files = {one.file for one in self.changed}
        return tuple(one.kind for one in self.after if one.file in files)


def drafted(
    tools: Tools, workspace: Workspace, file: str, text: str | None, beside: Texts = MappingProxyType({})
) -> Draft:
    """Check a file's new text together with the files that count; None: it does not count any more.

    ``beside`` change with it: files that only fit together, which one by one would be refused. Raises
    MappingFileError naming every mistake, RefusedError where no file would be left.
    """
    files, new = tools.mappings, {file: text, **beside}
    texts = overlaid(files.texts(workspace), new)
    if not texts:
        raise RefusedError("No mapping file would be left.", code="no_mapping_left")
    after = files.checked(texts)
    tests = tuple(result for one in after if one.file in new for result in run_tests(one))
    changed = tuple(_changed(name, one, files.shipped.texts.get(name)) for name, one in new.items())
    return Draft(changed, workspace.mapping_change, files.if_it_loads(workspace), after, tests)


def _changed(file: str, text: str | None, shipped: str | None) -> Changed:
    if text is None:
        return Changed(file, "off", None)
    return Changed(file, "shipped", None) if text == shipped else Changed(file, "own", text)


def of_recipe(tools: Tools, workspace: Workspace, recipe: Recipe, *, on: bool) -> Draft:
    """Switch a recipe on; or off, which brings back what comes with the connector in the place of its files.

    Raises as ``drafted``.
    """
    shipped = tools.mappings.shipped.texts
    texts: Texts = recipe.texts if on else {name: shipped.get(name) for name in recipe.texts}
    return drafted(tools, workspace, recipe.file, texts[recipe.file], texts)


def earlier(tools: Tools, workspace_id: str, file: str, to: str) -> str | None:
    """The text to go back to: of a version by its number, or the one that is ``shipped``; None for ``off``.

    Raises RefusedError where there is none.
    """
    if to == "off":
        return None
    if to != "shipped":
        number = int(to) if to.isascii() and to.isdigit() and len(to) < 10 else 0
        with tools.database.reading() as session:
            found = mappings.get(session, workspace_id, number)
        if found.file != file:
            raise RefusedError(f"Version {number} is not one of {file}.", code="no_mapping_change")
        if found.state != "shipped":
            return found.text
    if file not in tools.mappings.shipped.texts:
        raise RefusedError(f"No {file} comes with the connector.", code="no_mapping_change")
    return tools.mappings.shipped.texts[file]


def known(
    tools: Tools,
    workspace: Workspace,
    file: str,
    version: str,
    *,
    base: int | None,
    beside: Collection[str] = (),
) -> Draft:
    """A change that was checked before, by the hash of all files as they would be.

    Raises RefusedError where nothing of this hash was checked, or there is a change since ``base``, which is
    the one that its author saw.
    """
    if base != workspace.mapping_change:
        raise mappings.moved()
    with tools.database.reading() as session:
        texts = mappings.kept_set(session, workspace.id, version)
    if texts is None:
        raise RefusedError("This change was not checked here.", code="no_mapping_change")
    draft = drafted(tools, workspace, file, texts.get(file), {name: texts.get(name) for name in beside})
    if draft.after.version != version:
        raise mappings.moved()
    return draft


def apply(
    tools: Tools,
    workspace: Workspace,
    draft: Draft,
    *,
    who: str,
    how: How,
    admin_id: str | None = None,
    tell: Callable[[Session, int], None] = lambda _session, _number: None,
) -> int:
    """Put a change in force and start the passes of what it changes; its number.

    Raises RefusedError where a test in the file fails or somebody changed the files since the draft was
    made; SchemaError where only a person can make room in the CRM. Then nothing is changed.
    """
    if draft.failed:
        raise RefusedError("A test in the file fails.", code="mapping_tests")
    _check_seen(tools, workspace, draft)
    done = _prepare(tools, workspace, draft, admin_id)
    now, ids = tools.clock(), workspace.id
    with tools.database.transaction() as session:
        number = _add(session, ids, draft, who, how, now)
        mappings.keep_set(session, ids, draft.after.version, draft.after.files.texts, now)
        if done is not None:
            modelling.remember(session, ids, done)
        for one in connections.of_workspace(session, ids) if draft.kinds else ():
            if one.status != "revoked" and overview.ever_synced(session, ids, one.id):
                what = " and ".join(draft.kinds).replace("_", " ")
                why = f"{who} changed how each {what} is brought over ({draft.files})"
                mapping_passes.add(session, ids, one.id, draft.kinds, number, why)
        tell(session, number)
    passing.sweep(tools)
    return number


def _add(session: Session, workspace_id: str, draft: Draft, who: str, how: How, now: datetime) -> int:
    """One change of each file, all or none; the number of the last."""
    number = draft.base
    for one in draft.changed:
        new = NewChange(one.file, one.state, one.text, draft.after.version, who, how, number)
        number = mappings.add(session, workspace_id, new, now)
    return number or 0


def _check_seen(tools: Tools, workspace: Workspace, draft: Draft) -> None:
    """Before anything is made in the CRM; ``mappings.add`` looks once more."""
    with tools.database.reading() as session:
        if workspaces.get(session, workspace.id).mapping_change != draft.base:
            raise mappings.moved()


def _prepare(tools: Tools, workspace: Workspace, draft: Draft, admin_id: str | None) -> SchemaPlan | None:
    """Make in the CRM what the change needs; nothing where the workspace was never prepared."""
    if workspace.crm_names is None:
        return None
    return tools.open_schema(workspace, admin_id).apply(draft.after.mappings)
