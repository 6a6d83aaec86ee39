"""The recipes load beside the shipped files, pass their tests, and map what was recorded of a real Whop."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path

import fastjsonschema
import pytest

from connector.core.mapping import map_record
from connector.core.transforms import TRANSFORMS
from connector.crms.twenty.fields import CATALOGUE as CRM
from connector.mapping_files import MappingSet, load_texts, run_tests
from connector.mapping_files.nodes import compose, plain
from connector.mapping_files.problems import Problems
from connector.mapping_files.schema import schema
from connector.sources.whop.catalogue import CATALOGUE as SOURCE
from connector.sources.whop.normalise import normalise

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "mappings"
WHOP = ROOT / "tests" / "fixtures" / "whop" / "current"
PAGE = (ROOT / "docs" / "mapping.md").read_text(encoding="utf-8")
SHIPPED = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.yaml")}
RECIPES = sorted(path for path in (FOLDER / "recipes").iterdir() if path.is_dir())
ADDITIONS = [
    (file, key, textwrap.indent(textwrap.dedent(lines), "  "))
    for file, key, lines in re.findall(
        r"^ *```yaml\n *# into (\S+), under (\w+):\n(.*?)^ *```$", PAGE, re.DOTALL | re.MULTILINE
    )
]


def of(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.yaml")}


def loaded(folder: Path) -> MappingSet:
    return load_texts({**SHIPPED, **of(folder)}, SOURCE, CRM)


def with_lines(text: str, key: str, lines: str) -> str:
    """A file with these lines as the first under a key."""
    return re.sub(rf"^{key}:\n", f"{key}:\n{lines}", text, count=1, flags=re.MULTILINE)


def failed(mappings: MappingSet) -> list[str]:
    return [str(result) for one in mappings for result in run_tests(one) if not result.passed]


@pytest.mark.parametrize("folder", RECIPES, ids=lambda one: one.name)
def test_a_recipe_loads_beside_the_shipped_files_and_passes(folder):
    mappings = loaded(folder)

    assert mappings.advice == ()
    assert failed(mappings) == []
    assert all(len(mappings[Path(name).stem].tests) >= 2 for name in of(folder))
    assert f"| `{folder.name}` |" in PAGE


@pytest.mark.parametrize("folder", RECIPES, ids=lambda one: one.name)
def test_a_recipe_maps_what_was_recorded(folder):
    mappings, mapped = loaded(folder), 0
    for name in of(folder):
        kind = Path(name).stem
        for path in sorted((WHOP / f"{kind}s").glob("[!_]*.json")):
            made = map_record(normalise(kind, json.loads(path.read_text(encoding="utf-8"))), mappings[kind])
            mapped += made is not None
            assert made is None or made.unknown_choices == ()

    assert mapped


@pytest.mark.parametrize("folder", RECIPES, ids=lambda one: one.name)
def test_a_recipe_is_right_for_an_editor(folder):
    check = fastjsonschema.compile(schema(SOURCE, CRM, TRANSFORMS))
    for text in of(folder).values():
        check(plain(compose("m.yaml", text, Problems())))
        assert text.startswith("# yaml-language-server: $schema=../../mapping.schema.json\n")


def test_recipes_are_not_in_force_by_themselves():
    assert set(SHIPPED) == {"product.yaml", "member.yaml", "membership.yaml"}
    assert [folder.name for folder in RECIPES] == ["business-buyers", "payments", "plans"]


def test_all_recipes_that_add_a_file_go_together():
    mappings = load_texts(
        {**SHIPPED, **of(FOLDER / "recipes" / "plans"), **of(FOLDER / "recipes" / "payments")}, SOURCE, CRM
    )

    assert mappings.kinds == ("product", "plan", "member", "membership", "payment")


@pytest.mark.parametrize(("file", "key", "lines"), ADDITIONS, ids=lambda one: one[:30])
def test_lines_that_the_page_adds_to_a_shipped_file_work(file, key, lines):
    added = with_lines(SHIPPED[file], key, lines)
    assert added != SHIPPED[file]
    texts = {**SHIPPED, **of(FOLDER / "recipes" / "plans"), file: added}
    for other, other_key, others in ADDITIONS:  # a field and the table that it names
        names = "choices" in (key, other_key) and "choices: tier" in lines + others
        if other == file and other_key != key and names:
            texts[file] = re.sub(
                rf"^{other_key}:\n", f"{other_key}:\n{others}", texts[file], count=1, flags=re.M
            )

    mappings = load_texts(texts, SOURCE, CRM)

    assert mappings.advice == ()
    assert failed(mappings) == []


def test_there_are_lines_to_add():
    assert len(ADDITIONS) == PAGE.count("# into ") >= 7


def test_a_membership_that_a_person_bought_leaves_no_opportunity_of_a_company():
    mappings = loaded(FOLDER / "recipes" / "business-buyers")
    made = [
        map_record(normalise("member", json.loads(path.read_text(encoding="utf-8"))), mappings["member"])
        for path in sorted((WHOP / "members").glob("*.json"))
    ]

    assert [one.object for one in made if one] == ["company"] * sum(one is not None for one in made)
    assert None in made
