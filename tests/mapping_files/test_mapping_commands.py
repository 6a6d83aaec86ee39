"""`flask mappings`: what an admin asks of the files at the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

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


FILE = """\
version: 1
source: {kind: membership}
target: {object: opportunity}
fields:
  name: {from: product.title}
  stage: {from: status, choices: {active: Customer, trialing: New, otherwise: keep}}
tests:
  - {name: a name, given: {product: {title: Gold}}, expect: {name: Gold}}
  - name: a stage
    given: {status: active}
    expect: {name: Silver, stage: New}
  - {name: a draft, given: {status: drafted}, expect: filtered}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "m.yaml").write_text(FILE, encoding="utf-8")
    return str(tmp_path)


def test_the_tests_of_the_shipped_files_pass():
    told = run("test")

    assert told.exit_code == 0
    assert "ok     membership.yaml:109: a paying membership" in told.output.splitlines()
    assert "11 of 11 tests in the files passed." in told.output


def test_the_tests_of_one_file_are_run_by_its_name():
    told = run("test", "product", "member.yaml")

    assert {line.split(":")[0] for line in told.output.splitlines()[:-1]} == {
        "ok     product.yaml",
        "ok     member.yaml",
    }
    assert run("test", "produkt").exit_code == 2


def test_what_differs_is_shown_below_the_test_with_the_line_of_the_rule(folder):
    told = run("test", MAPPINGS_DIR=folder)

    assert told.exit_code == 1
    assert told.output.splitlines() == [
        "ok     m.yaml:8: a name",
        "FAILED m.yaml:9: a stage",
        "       name  (line 5, from product.title)",
        "         - expected 'Silver'",
        "         + found    nothing written",
        "       stage  (line 6, from status)",
        "         - expected 'New'",
        "         + found    'Customer'",
        "FAILED m.yaml:12: a draft",
        "       the record",
        "         - expected that it is filtered out",
        "         + found    that it passes",
        "1 of 3 tests in the files passed.",
    ]


def test_the_same_can_be_had_as_data(folder):
    told = json.loads(run("test", "--json", MAPPINGS_DIR=folder).output)["tests"]

    assert [one["passed"] for one in told] == [True, False, False]
    assert told[1]["differences"][1] == {
        "field": "stage",
        "expected": "'New'",
        "found": "'Customer'",
        "line": 6,
        "rule": "status",
    }


def test_advice_is_shown_and_fails_nothing(tmp_path):
    (tmp_path / "m.yaml").write_text(FILE.partition("tests:")[0], encoding="utf-8")

    told = run("check", MAPPINGS_DIR=str(tmp_path))

    assert told.exit_code == 0
    assert "ADVICE m.yaml:6:34: found choices without past_due, " in told.output


def test_a_file_of_ones_own_is_checked_and_tested_with_the_others(tmp_path):
    mine = tmp_path / "membership.yaml"
    mine.write_text(FILE, encoding="utf-8")

    checked, tested = run("check", str(mine)), run("test", str(mine))

    assert "FAILED membership.yaml:9: a stage" in checked.output
    assert any(line.split()[:1] == ["member.yaml"] for line in checked.output.splitlines())
    assert tested.output.splitlines()[-1] == "1 of 3 tests in the files passed."
    mine.write_text(FILE.replace("product.title", "product.titel"), encoding="utf-8")
    wrong = run("check", str(mine))
    assert wrong.exit_code == 3
    assert "membership.yaml:5:16: found " in wrong.output


def test_what_the_page_shows_of_checking_and_testing_is_what_is_shown(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "mapping.md").read_text(encoding="utf-8")
    mistake, differs = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    shipped = (Path(__file__).parents[2] / "mappings" / "membership.yaml").read_text(encoding="utf-8")
    (sample,) = (one for one in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "drafts are left" in one)
    mine = tmp_path / "membership.yaml"

    mine.write_text(shipped.replace("product_id], using: trim", "prodct_id], using: trim"), encoding="utf-8")
    assert mistake in run("check", str(mine)).output

    mine.write_text(sample.replace("stage: Customer}", "stage: Meeting}"), encoding="utf-8")
    assert run("test", MAPPINGS_DIR=str(tmp_path)).output == differs


def test_every_command_that_the_page_names_is_one():
    page = (Path(__file__).parents[2] / "docs" / "mapping.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`flask mappings\s([a-z]+)", page))

    assert named >= {"check", "test", "preview", "apply", "use", "recipes", "revert", "show", "schema"}
    assert named <= set(mappings_group.commands)


def test_recipes_of_the_operator_hold_beside_the_files():
    told = run("check", MAPPING_RECIPES="plans, payments")

    assert told.exit_code == 0
    assert {line.split()[0] for line in told.output.splitlines()[1:-1]} == {
        *("product.yaml", "plan.yaml", "member.yaml", "membership.yaml", "payment.yaml")
    }


def test_a_recipe_takes_the_place_of_a_shipped_file():
    told = run("check", MAPPING_RECIPES="business-buyers")

    assert told.exit_code == 0
    assert any(line.split()[:3] == ["member.yaml", "member", "company"] for line in told.output.splitlines())


def test_a_recipe_that_is_none_is_told(folder):
    told = run("check", MAPPING_RECIPES="plan,payments")

    assert told.exit_code == 3
    assert (
        'found "plan", expected one of business-buyers, payments, plans, did you mean "plans"?' in told.output
    )


def test_a_recipe_never_takes_the_place_of_an_operators_own_file(tmp_path):
    (tmp_path / "plan.yaml").write_text("anything", encoding="utf-8")

    told = run("check", MAPPINGS_DIR=str(tmp_path), MAPPING_RECIPES="plans")

    assert told.exit_code == 3
    assert (
        "MAPPING_RECIPES: found plan.yaml in plans and in MAPPINGS_DIR, expected it in one of them"
        in told.output
    )


def test_the_schema_is_printed_as_it_is_shipped():
    shipped = (Path(__file__).parents[2] / "mappings" / "mapping.schema.json").read_text(encoding="utf-8")

    assert json.loads(run("schema").output) == json.loads(shipped)
