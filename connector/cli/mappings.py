"""Commands about mapping files."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from connector import config
from connector.bootstrap import files
from connector.cli import base
from connector.mapping_files import all_functions, run_tests
from connector.mapping_files.page import examples


@click.group("mappings")
def mappings_group() -> None:
    """The files that say what becomes what."""


@base.command("check")
def check(*, as_json: bool) -> None:
    """Check every mapping file (of MAPPINGS_DIR, else the shipped ones) and run the tests in them.

    Exits 3 naming file, line and nearest name of every mistake, 1 when a test in a file fails.
    Example: flask mappings check
    """
    environ = config.environment(os.environ, Path(".env"))
    loaded = files.mappings(environ.get("MAPPINGS_DIR", ""))
    results = [result for one in loaded for result in run_tests(one)]
    rows = [(one.file, one.kind, one.object.name, len(one.fields) + len(one.links)) for one in loaded]
    document = {
        "mappings": [dict(zip(("file", "kind", "object", "fields"), row, strict=True)) for row in rows],
        "version": loaded.version,
        "failed_tests": [str(result) for result in results if not result.passed],
    }
    lines = [
        *base.table(rows, ("file", "kind", "object", "fields")),
        *(f"FAILED {result}" for result in results if not result.passed),
        f"{sum(result.passed for result in results)} of {len(results)} tests in the files passed.",
    ]
    base.show(document, lines, as_json=as_json)
    if document["failed_tests"]:
        sys.exit(base.FAILED)


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


mappings_group.add_command(check)
mappings_group.add_command(functions_command)
COMMANDS = (mappings_group,)
