"""Commands about the mapping files that a workspace has of its own: shown, rehearsed, put in force."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from connector.bootstrap import Parts
from connector.cli import base
from connector.cli.workspaces import step_lines
from connector.core.outcomes import Result
from connector.core.records import Ref, SourceRecord
from connector.errors import RefusedError
from connector.mapping_files import FileMapping, texts_of_files
from connector.store import connections, mappings, workspaces
from connector.store.connections import Connection
from connector.store.workspaces import Workspace
from connector.sync import changing, sampling
from connector.sync.changing import Draft, How
from connector.sync.sampling import Looked

WHO = "Somebody on the machine"
_MOST = 200


@base.command("show")
@click.argument("workspace")
@click.argument("file", required=False)
def show(workspace: str, file: str | None, *, as_json: bool) -> None:
    """List the mapping files that count in a workspace; with FILE, print its text.

    Example: flask mappings show acme membership.yaml
    """
    with base.parts() as parts:
        one = _named(parts, workspace)
        texts = parts.tools.mappings.texts(one)
        with parts.database.reading() as session:
            changes = mappings.latest(session, one.id)
    if file is not None:
        if file not in texts:
            raise RefusedError(f"No file {file!r} counts in {one.name}.", code="no_mapping_change")
        base.show({"file": file, "text": texts[file]}, [texts[file]], as_json=as_json)
        return
    rows = []
    for name in sorted({*texts, *changes}):
        change = changes.get(name)
        state = change.state if change else "shipped"
        rows.append((name, state, change.number if change else "", change.who if change else ""))
    head = ("file", "state", "version", "by")
    document = [dict(zip(head, row, strict=True)) for row in rows]
    base.show(document, list(base.table(rows, head)), as_json=as_json)


@base.command("history")
@click.argument("workspace")
@click.argument("file")
def history(workspace: str, file: str, *, as_json: bool) -> None:
    """List the versions of a workspace's mapping file, newest first.

    Example: flask mappings history acme membership.yaml
    """
    with base.parts() as parts:
        one = _named(parts, workspace)
        with parts.database.reading() as session:
            found = mappings.history(session, one.id, file)
    names = ("number", "state", "how", "who", "created_at", "hash")
    rows = [tuple(str(getattr(each, name) or "") for name in names) for each in found]
    lines = list(base.table(rows, ("version", *names[1:]))) if rows else ["It is as shipped, and always was."]
    document = [{name: getattr(each, name) for name in names} for each in found]
    base.show(document, lines, as_json=as_json)


@base.command("apply")
@click.argument("workspace")
@click.argument("path", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Put it in force without asking.")
def apply(workspace: str, path: tuple[Path, ...], *, yes: bool, as_json: bool) -> None:
    """Give a workspace a mapping file of its own: told first what that would do, then asked.

    Several files are put in force together, which those need that only fit together. Exits 3 naming every
    mistake in them, 4 when a test in them fails.

    Example: flask mappings apply acme membership.yaml
    """
    with base.parts() as parts:
        one, texts = _named(parts, workspace), texts_of_files(path)
        draft = changing.drafted(parts.tools, one, path[0].name, texts[path[0].name], texts)
        _carry_out(parts, one, draft, "uploaded", yes=yes, as_json=as_json)


@base.command("recipes")
@click.argument("workspace", required=False)
def recipes(workspace: str | None, *, as_json: bool) -> None:
    """List the recipes: mapping files that come with the connector and count once they are switched on.

    With WORKSPACE, whether each counts there. Example: flask mappings recipes acme
    """
    with base.parts() as parts:
        files = parts.tools.mappings
        texts = files.texts(_named(parts, workspace)) if workspace else files.shipped.texts
        rows = [
            (one.name, "on" if one.is_in_force(texts) else "off", ", ".join(one.texts), one.about)
            for one in files.recipes
        ]
    head = ("name", "state", "files", "what it does")
    document = [dict(zip(head, row, strict=True)) for row in rows]
    base.show(document, list(base.table(rows, head)), as_json=as_json)


@base.command("use")
@click.argument("workspace")
@click.argument("recipe")
@click.option("--off", is_flag=True, help="Switch it off: what comes with the connector counts again.")
@click.option("--yes", is_flag=True, help="Put it in force without asking.")
def use(workspace: str, recipe: str, *, off: bool, yes: bool, as_json: bool) -> None:
    """Switch a recipe on in a workspace: told first what that would do, then asked.

    Example: flask mappings use acme plans
    """
    with base.parts() as parts:
        one = _named(parts, workspace)
        draft = changing.of_recipe(parts.tools, one, parts.tools.mappings.recipe(recipe), on=not off)
        how: How = "recipe_off" if off else "recipe_on"
        _carry_out(parts, one, draft, how, yes=yes, as_json=as_json)


@base.command("revert")
@click.argument("workspace")
@click.argument("file")
@click.argument("to")
@click.option("--yes", is_flag=True, help="Put it in force without asking.")
def revert(workspace: str, file: str, to: str, *, yes: bool, as_json: bool) -> None:
    """Go back to version TO of a file, to the `shipped` one, or do without it (`off`).

    Example: flask mappings revert acme membership.yaml shipped
    """
    with base.parts() as parts:
        one = _named(parts, workspace)
        text = changing.earlier(parts.tools, one.id, file, to)
        draft = changing.drafted(parts.tools, one, file, text)
        how: How = "shipped" if to == "shipped" else "removed" if to == "off" else "reverted"
        _carry_out(parts, one, draft, how, yes=yes, as_json=as_json)


@base.command("preview")
@click.argument("workspace")
@click.argument("kind")
@click.option("--record", "record_id", default="", help="Its id on Whop; without it, the newest.")
@click.option("--fixture", is_flag=True, help="The sample of the file's first test; nothing is asked.")
@click.option("--connection", default="", help="Where the workspace has several.")
def preview(
    workspace: str, kind: str, record_id: str, *, fixture: bool, connection: str, as_json: bool
) -> None:
    """Show one record on its way: what Whop says, what it becomes, what would change in Twenty.

    Nothing is written. Example: flask mappings preview acme membership --record mem_4QxLq2mTn8VrYe
    """
    with base.parts() as parts:
        one = _named(parts, workspace)
        mapped = parts.tools.mappings.in_force(one)
        mapping = next((each for each in mapped if each.kind == kind), None)
        if mapping is None:
            raise RefusedError(f"No mapping file is about {kind!r}.", code="not_mapped")
        if fixture:
            found: sampling.One | None = _fixture(mapping)
        else:
            found = sampling.one(
                parts.tools, _connections(parts, one, connection)[0], mapped, kind, record_id
            )
    if found is None:
        raise RefusedError(f"Whop has no such {kind}.", code="no_record")
    told = list(sampling.told(found, mapping))
    rows = [(each.field, each.becomes, each.before, each.after, each.wrong) for each in told]
    head = ("field", "becomes", "in Twenty now", "would be", "problem")
    outcome = found.outcome.result.value if found.outcome else "sample"
    lines = [f"{found.record.ref}: {outcome}", *base.table(rows, head)]
    document = {
        "record": found.record.ref.id,
        "outcome": outcome,
        "fields": [dict(zip(head, row, strict=True)) for row in rows],
    }
    base.show(document, lines, as_json=as_json)


def _fixture(mapping: FileMapping) -> sampling.One:
    given = mapping.tests[0].given if mapping.tests else {}
    ref = Ref(mapping.source, mapping.kind, str(given.get("id") or "sample"))
    return sampling.One(SourceRecord(ref, given))


def _named(parts: Parts, name: str) -> Workspace:
    with parts.database.reading() as session:
        return workspaces.named(session, name)


def _connections(parts: Parts, workspace: Workspace, wanted: str) -> list[Connection]:
    with parts.database.reading() as session:
        every = connections.of_workspace(session, workspace.id)
    found = [one for one in every if one.status == "active" and wanted in ("", one.id)]
    if not found:
        raise RefusedError("No company is connected.", code="no_connection")
    return found


def _carry_out(
    parts: Parts, workspace: Workspace, draft: Draft, how: How, *, yes: bool, as_json: bool
) -> None:
    """Tell what a change would do, ask unless told not to, and put it in force."""
    if draft.failed:
        raise RefusedError("\n".join(map(str, draft.failed)), code="mapping_tests")
    if not yes:
        for line in _effects(parts, workspace, draft):
            click.echo(line, err=True)
        click.confirm("Put it in force?", abort=True, err=True)
    number = changing.apply(parts.tools, workspace, draft, who=WHO, how=how)
    told = f"Version {number} of {draft.files} counts from now on."
    again = " Its records are read anew; `flask sync list` shows how far that is." if draft.kinds else ""
    document = {"file": draft.file, "version": number, "mapping_version": draft.after.version}
    base.show(document, [told + again], as_json=as_json)


def _effects(parts: Parts, workspace: Workspace, draft: Draft) -> Iterator[str]:
    plan = parts.tools.open_schema(workspace).plan(draft.after.mappings)
    yield from step_lines([*plan.changes, *plan.conflicts]) or ["No field is added in Twenty."]
    if plan.conflicts or not draft.kinds:
        return
    looked = sampling.look(
        parts.tools, _connections(parts, workspace, ""), draft.after, draft.kinds, most=_MOST
    )
    yield from _counted(looked)


def _counted(looked: Looked) -> Iterator[str]:
    first = "the first " if looked.more else "all "
    yield f"Looked at {first}{len(looked.outcomes)} records; {looked.known} are in step so far:"
    for object_, results in looked.counts.items():
        told: list[Any] = [f"{results[one.value]} {one.value}" for one in Result if one.value in results]
        yield f"  {object_}: {', '.join(told)}"
    for object_, name, count in looked.fields:
        yield f"  {object_}.{name} would be written in {count}"


COMMANDS = (show, preview, apply, recipes, use, history, revert)
