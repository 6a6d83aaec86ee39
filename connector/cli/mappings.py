"""Commands about mapping files."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from connector import config
from connector.bootstrap import files
from connector.cli import base
from connector.cli.own_mappings import COMMANDS as OWN
from connector.crms.twenty.fields import CATALOGUE as CRM
from connector.mapping_files import MappingSet, TestResult, all_functions, run_tests
from connector.mapping_files.page import examples
from connector.mapping_files.schema import schema
from connector.sources.whop.catalogue import CATALOGUE as WHOP


@click.group("mappings")
def mappings_group() -> None:
    """The files that say what becomes what."""


def _loaded(tried: Sequence[Path] = ()) -> MappingSet:
    """The files that MAPPINGS_DIR names, else the shipped ones; with those that are ``tried``."""
    environ = config.environment(os.environ, Path(".env"))
    recipes = [one.strip() for one in environ.get("MAPPING_RECIPES", "").split(",") if one.strip()]
    return files.mappings(environ.get("MAPPINGS_DIR", ""), recipes, tried)


@base.command("check")
@click.argument("path", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(path: tuple[Path, ...], *, as_json: bool) -> None:
    """Check every mapping file (of MAPPINGS_DIR, else the shipped ones) and run the tests in them.

    PATH is a file of yours that is checked with the others, in the place of one of the same name.

    Exits 3 naming file, line and nearest name of every mistake, 1 when a test in a file fails. ADVICE is
    about what is allowed and may not have been meant; it changes nothing.

    Example: flask mappings check
    """
    loaded = _loaded(path)
    results = [result for one in loaded for result in run_tests(one)]
    rows = [(one.file, one.kind, one.object.name, len(one.fields) + len(one.links)) for one in loaded]
    document = {
        "mappings": [dict(zip(("file", "kind", "object", "fields"), row, strict=True)) for row in rows],
        "version": loaded.version,
        "advice": list(loaded.advice),
        "failed_tests": [str(result) for result in results if not result.passed],
    }
    lines = [
        *base.table(rows, ("file", "kind", "object", "fields")),
        *(f"ADVICE {one}" for one in loaded.advice),
        *(f"FAILED {result}" for result in results if not result.passed),
        _passed(results),
    ]
    base.show(document, lines, as_json=as_json)
    if document["failed_tests"]:
        sys.exit(base.FAILED)


def _passed(results: Sequence[TestResult]) -> str:
    return f"{sum(result.passed for result in results)} of {len(results)} tests in the files passed."


@base.command("test")
@click.argument("file", nargs=-1)
def test_command(file: tuple[str, ...], *, as_json: bool) -> None:
    """Run the tests that the mapping files carry, all of them or those of FILE; what differs is shown.

    FILE is the name of one of them, or the path of one of yours.

    Exits 1 when a test fails, 3 when the files cannot be loaded.

    Example: flask mappings test membership.yaml
    """
    tried = [path for one in file if (path := Path(one)).is_file()]
    loaded = _loaded(tried)
    known, own = {mapping.file for mapping in loaded}, {str(path): path.name for path in tried}
    names = [own.get(one) or (one if one in known else f"{one}.yaml") for one in file]
    for one in names:
        if one not in known:
            raise click.UsageError(f"no mapping file is called {one}; there are {', '.join(sorted(known))}.")
    results = [it for one in loaded if not names or one.file in names for it in run_tests(one)]
    base.show({"tests": [_told(one) for one in results]}, _lines(results), as_json=as_json)
    if not all(one.passed for one in results):
        sys.exit(base.FAILED)


def _lines(results: Sequence[TestResult]) -> Iterator[str]:
    for one in results:
        yield f"{'ok    ' if one.passed else 'FAILED'} {one.file}:{one.line}: {one.name}"
        yield from (f"       {line}" for difference in one.differences for line in difference.lines())
    yield _passed(results)


def _told(result: TestResult) -> dict[str, Any]:
    return {
        "file": result.file,
        "line": result.line,
        "name": result.name,
        "passed": result.passed,
        "differences": [asdict(one) for one in result.differences],
    }


@base.command("schema")
def schema_command(*, as_json: bool) -> None:
    """Print the JSON Schema of mapping files, for completion and hints in an editor.

    It knows the functions of your own packages too. Save it beside your files as mapping.schema.json.

    Example: flask mappings schema > mapping.schema.json
    """
    document = schema(WHOP, CRM, all_functions())
    base.show(document, [json.dumps(document, indent=1, ensure_ascii=False)], as_json=as_json)


@base.command("functions")
@click.argument("name", required=False)
def functions_command(name: str | None, *, as_json: bool) -> None:
    """List the functions that `using:` may name, those of your own packages too; with NAME, its examples.

    Example: flask mappings functions lookup
    """
    known = all_functions()
    if name is not None and name not in known:
        raise click.UsageError(f'no function is called "{name}"; `flask mappings functions` lists them.')
    found = {one: known[one] for one in sorted(known) if name in (None, one)}
    rows = [(one, ", ".join(sorted(it.takes)), it.gives, it.doc) for one, it in found.items()]
    document = {"functions": [dict(zip(("name", "takes", "gives", "doc"), row, strict=True)) for row in rows]}
    lines = [*base.table(rows, ("name", "takes", "gives", "what it does"))]
    if name is not None:
        lines.extend(f"  {line}" for line in examples(found[name]))
    base.show(document, lines, as_json=as_json)


for _command in (check, test_command, schema_command, functions_command, *OWN):
    mappings_group.add_command(_command)
COMMANDS = (mappings_group,)
