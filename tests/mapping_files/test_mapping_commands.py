"""`flask mappings`: what an admin asks of the files at the command line."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from connector.cli.mappings import mappings_group
from connector.core.transforms import TRANSFORMS


def run(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(mappings_group, list(arguments), env={"MAPPINGS_DIR": "", **environ})


def test_the_functions_are_listed():
    told = json.loads(run("functions", "--json").output)["functions"]

    assert [one["name"] for one in told] == sorted(TRANSFORMS)
    assert "trim " in run("functions").output


def test_a_function_shows_what_goes_in_and_what_comes_out():
    told = run("functions", "trim").output.splitlines()

    assert told[-2:] == ['  "  Gold Circle " → "Gold Circle"', "  12 is refused"]


@pytest.mark.parametrize("name", ["trmi", ""])
def test_a_function_that_is_none_is_told(name):
    told = run("functions", name)

    assert told.exit_code == 2
    assert f'no function is called "{name}"' in told.output
