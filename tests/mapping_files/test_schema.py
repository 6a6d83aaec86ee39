"""The schema for editors knows what the loader knows, and never refuses what the loader takes."""

from __future__ import annotations

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from connector.core.transforms import TRANSFORMS, Example, Transform
from connector.crms.twenty.fields import CATALOGUE as CRM
from connector.errors import MappingFileError
from connector.mapping_files import load_texts
from connector.mapping_files.nodes import compose, plain
from connector.mapping_files.problems import Problems
from connector.mapping_files.schema import schema
from connector.sources.whop.catalogue import CATALOGUE as SOURCE
from tests.core import strategies
from tests.mapping_files import test_broken_files as broken
from tests.mapping_files.test_page import PRODUCT, SAMPLES

ROOT = Path(__file__).parents[2]
SCHEMA = schema(SOURCE, CRM, TRANSFORMS)
SHIPPED = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "mappings").glob("*.yaml"))}


@cache
def check() -> Any:
    return fastjsonschema.compile(SCHEMA)


def document(text: str) -> Any:
    """What an editor sees of a file."""
    problems = Problems()
    node = compose("m.yaml", text, problems)
    assert node is not None, problems.lines()
    return plain(node)


def is_right(data: Any) -> bool:
    """Whether an editor would leave it unmarked."""
    try:
        check()(data)
    except fastjsonschema.JsonSchemaValueException:
        return False
    return True


def is_loaded(text: str, *beside: str) -> bool:
    """Whether the loader takes it."""
    others = {f"{number}.yaml": one for number, one in enumerate(beside)}
    try:
        load_texts({"m.yaml": text, **others}, SOURCE, CRM, TRANSFORMS)
    except MappingFileError:
        return False
    return True


def test_the_schema_that_is_shipped_is_todays():
    shipped = json.loads((ROOT / "mappings" / "mapping.schema.json").read_text(encoding="utf-8"))

    assert shipped == json.loads(json.dumps(SCHEMA)), (
        "run flask mappings schema > mappings/mapping.schema.json"
    )


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_file_is_right_and_names_its_schema(name):
    assert is_right(document(SHIPPED[name]))
    assert SHIPPED[name].startswith("# yaml-language-server: $schema=mapping.schema.json\n")


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_of_the_page_is_right(sample):
    assert is_right(document(sample))


# Mistakes that need more than the form of one file to be seen: what the messages about them say.
BEYOND_FORM = (
    "twice, expected it",
    "of type",
    "of this file",
    "for the function",
    "which is",
    "does not have by itself",
    "which the CRM keeps",
    "the type name has in the CRM",
    "declared under objects",
    "without label:",
    "for the standard",
    "the name of a table under choices",
    "stored otherwise",
    "for choices, expected",
    '49: found "no", expected true or false',
    "expected a number",
    "under links",
    "under fields",
    "for one and for many",
    "a select field without choices",
    "a label with letters",
    "which no file maps",
    "a kind that becomes",
    "expected the id of a record",
    "in a circle",
    "for a field of",
    "the stamp",
    "in a text",
    'found "Nwe", expected New',
    "to filter by",
    "found object",
)
TEXTS = [
    *((text, problem) for text, problem in broken.FRAME),
    *((f"{broken.HEAD}fields:\n  {line}\n", problem) for line, problem in broken.FIELDS),
    *((f"{broken.HEAD}{broken.GOOD}links:\n  {line}\n", problem) for line, problem in broken.LINKS),
    *((f"{broken.HEAD}{broken.STAMPED}tests:\n- {line}\n", problem) for line, problem in broken.TESTS),
]


@pytest.mark.parametrize(("text", "problem"), TEXTS)
def test_a_mistake_of_form_is_marked_in_the_editor_too(text, problem):
    beyond = any(words in problem for words in BEYOND_FORM)

    assert is_right(document(text)) is beyond


@pytest.mark.parametrize("words", BEYOND_FORM)
def test_what_is_said_to_be_beyond_form_is_met(words):
    assert any(words in problem for _, problem in TEXTS)


RICH = """\
version: 1
source: {kind: membership, only: {status_not: [drafted], metadata.test: null}}
target: {object: opportunity, create: true, update: true}
match: [whopMembershipId]
title: "{product.title} ({id})"
fields:
  name: {from: [product.title, product_id], using: [trim, {cut: 9}], own: fill}
  whopMembershipId: {from: id, type: text, unique: true, label: Id, description: Its id}
  whopStatus: {from: status, type: select, label: Status, choices: status, on_null: keep}
  whopNote: {text: "{id} {plan_id}", type: text, label: Note, using: {lookup: {a: b, otherwise: empty}}}
  whopKind: {value: Whop, type: select, options: [Whop, Other], label: Kind}
  whopSeen: {stamp: written_at, label: Seen}
  amount: {from: renewal_price, using: money, own: once}
  whopLocked: {type: text, label: Locked, own: never}
links:
  whopProduct: {kind: product, id: product_id, on_missing: skip, own: fill, label: Product}
choices:
  status: {active: Active, drafted: keep, expired: null, otherwise: keep}
when_gone: {do: mark, field: whopStatus, value: Active}
when_deleted_in_crm: restore
limits: {most_removed: 10%, most_changed: 60 %}
notes:
  - {name: failed, on: [payment.failed], only: {status: [open]}, once_per: payment, to: opportunity, text: x}
tasks:
  - on: payment.failed
    once_per: payment
    text: Call
    title: "{amount}"
    due: [3 days]
    assignee: owner
    done_on: {status: [paid]}
tests:
  - name: it works
    given: {id: mem_1, product: {title: T}, renewal_price: {amount: "1", currency: usd}, metadata: {test: x}}
    expect: {name: T, whopStatus: Active}
    unwritten: [whopNote]
  - {name: it is left out, given: {status: drafted}, expect: filtered}
  - {name: it fails, given: {}, fails: name}
"""


def test_the_rich_file_is_right():
    assert is_right(document(RICH))
    assert is_loaded(RICH, PRODUCT)


def places(data: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to everything in a document."""
    found = [way]
    if isinstance(data, dict):
        found += [place for key, value in data.items() for place in places(value, (*way, key))]
    if isinstance(data, list):
        found += [place for key, value in enumerate(data) for place in places(value, (*way, key))]
    return found


WORDS = st.sampled_from(
    [
        *("keep", "mark", "clear", "delete", "always", "never", "fill", "written_at", "filtered", "trim"),
        *("cut", "text", "select", "payment", "none", "membership", "id", "status", "money", "otherwise"),
    ]
)
VALUES = strategies.json | WORDS | WORDS.map(lambda word: [word]) | WORDS.map(lambda word: {word: word})


@given(st.sampled_from([place for place in places(document(RICH)) if place]), st.data())
def test_what_the_loader_takes_the_schema_takes_too(place, data):
    """One thing of a good file is left out, renamed or replaced: no editor may mark what works."""
    changed = copy.deepcopy(document(RICH))
    at = changed
    for key in place[:-1]:
        at = at[key]
    last = place[-1]
    do = data.draw(st.sampled_from(["leave out", "rename", "replace"]))
    if do == "replace" or (do == "rename" and isinstance(last, int)):
        at[last] = data.draw(VALUES)
    elif do == "rename":
        at[data.draw(WORDS | strategies.texts)] = at.pop(last)
    else:
        del at[last]

    text = yaml.safe_dump(changed, allow_unicode=True, sort_keys=False)
    if is_loaded(text, PRODUCT):
        assert is_right(document(text))


def test_functions_of_an_operators_own_are_known_to_the_schema_that_is_printed():
    shout = Transform(frozenset({"text"}), "text", lambda v, _: v, "Shouts.", (Example("a", "a"),))
    made = fastjsonschema.compile(schema(SOURCE, CRM, {**TRANSFORMS, "shout": shout}))
    text = RICH.replace("[trim, {cut: 9}]", "shout")

    made(document(text))
    assert not is_right(document(text))
