"""Every mistake is told by file, line and column, with what was found, expected, and the nearest name."""

# ruff: noqa: E501 - a message stands here as the operator reads it, on one line

from __future__ import annotations

import pytest

from connector.crms.twenty.fields import CATALOGUE as CRM
from connector.errors import MappingFileError
from connector.mapping_files import load_texts
from connector.sources.whop.catalogue import CATALOGUE as SOURCE

HEAD = "version: 1\nsource: {kind: membership}\ntarget: {object: opportunity}\n"
STAMPED = "fields: {name: {from: product_id}, closeDate: {stamp: written_at}}\n"
GOOD = "fields: {name: {from: product_id}}\n"


def told(**texts: str) -> list[str]:
    """The problems of files given as ``stem=text``."""
    with pytest.raises(MappingFileError) as caught:
        load_texts({f"{stem}.yaml": text for stem, text in texts.items()}, SOURCE, CRM)
    return list(caught.value.problems)


def of_field(line: str) -> list[str]:
    return told(m=f"{HEAD}fields:\n  {line}\n")


NOT_YAML = [
    ("", "1:1: found an empty file, expected a mapping"),
    ("- a\n", "1:1: found a list, expected a mapping: a table of keys"),
    ("a: 1\n\tb: 2\n", "2:1: found a tab, expected spaces"),
    (
        "a: 'x\n",
        "2:1: found text that is not YAML: while scanning a quoted scalar found unexpected end of stream",
    ),
    ("a: \x00\n", "1:1: found a character that is no text, expected UTF-8 text"),
    ("a: \ud800\n", "1:1: found a character that is no text, expected UTF-8 text"),
    ("[" * 50_000, "1:13: found more than 12 levels inside each other, expected a flatter file"),
    ("a: b\n---\nc: d\n", '2:1: found a second document ("---"), expected one mapping per file'),
    ("a: &x 1\n", '1:4: found the anchor "&x", expected a value without one'),
    ("a: *x\n", '1:4: found the alias "*x", expected it written out in full'),
    (
        "a: !!python/name:os.system x\n",
        '1:4: found the tag "tag:yaml.org,2002:python/name:os.system", expected a value without one',
    ),
    ("[a]: 1\n", "1:1: found a list, expected a name as the key"),
    ("x" * 300_000, "1:1: found 292 KB, expected at most 256 KB"),
    (HEAD + GOOD + "version: 1\n", '5:1: found "version" twice, expected it once (first on line 1)'),
]


@pytest.mark.parametrize(("text", "problem"), NOT_YAML)
def test_text_that_is_no_mapping_is_told(text, problem):
    assert f"m.yaml:{problem}" in told(m=text)


FRAME = [
    (
        HEAD + GOOD + "match: [{field: name}]\n",
        "5:9: found a table of keys, expected the name of a field",
    ),
    (HEAD + GOOD + "match: [name, name]\n", '5:15: found "name" twice, expected it once'),
    (
        HEAD + GOOD + "tests: x\n",
        '5:8: found "x", expected a list of tests, each with name, given and expect',
    ),
    (
        HEAD + GOOD + "objects: {}\n",
        "5:10: found a table of keys, expected a list of objects, each with name, plural and label",
    ),
    (
        HEAD + GOOD + "objects: [{name: a-b, plural: as, label: A, label_plural: B}]\n",
        '5:18: found "a-b", expected a name like whopProduct, of letters and digits',
    ),
    (HEAD + GOOD + "choices: {a: b}\n", '5:14: found "b", expected the choices a: a table of keys'),
    (
        HEAD.replace("kind: membership", "kind: membership, only: {status: [[a]]}") + GOOD,
        "2:44: found a list, expected a value, or a list of values",
    ),
    (
        "source: {kind: membership}\ntarget: {object: opportunity}\n" + GOOD,
        "1:1: found a mapping without version:, expected version:",
    ),
    (HEAD.replace("1", "2") + GOOD, "1:10: found version 2, expected version 1"),
    (
        "version: 1\ntarget: {object: opportunity}\n" + GOOD,
        "1:1: found a mapping without source:, expected source:",
    ),
    (
        HEAD.replace("membership", "membrship") + GOOD,
        '2:16: found "membrship", expected a kind of whop, did you mean "membership"?',
    ),
    (
        HEAD.replace("opportunity", "oportunity") + GOOD,
        '3:18: found "oportunity", expected one of company, opportunity, person, or one declared under objects:, did you mean "opportunity"?',
    ),
    (HEAD, "1:1: found a mapping without fields:, expected fields:"),
    (
        HEAD + "feilds: {}\n" + GOOD,
        '4:1: found "feilds", expected one of choices, fields, limits, links, match, notes, objects, source, target, tasks, tests, title, version, when_deleted_in_crm, when_gone in a mapping, did you mean "fields"?',
    ),
    (
        HEAD + GOOD + "limits: {most_removed: 10}\n",
        "5:24: found 10, expected a share of the records from 0% to 100%, such as 10%",
    ),
    (
        HEAD + GOOD + "when_deleted_in_crm: restored\n",
        '5:22: found "restored", expected one of respect, restore, recreate, did you mean "restore"?',
    ),
    (
        HEAD + GOOD + "when_gone: keeep\n",
        '5:12: found "keeep", expected one of keep, mark, clear, delete, did you mean "keep"?',
    ),
    (HEAD + GOOD + "when_gone: mark\n", '5:12: found "mark" alone, expected {do: mark, field: …}'),
    (HEAD + GOOD + "when_gone: {field: x}\n", "5:12: found when_gone without do:, expected do:"),
    (
        HEAD + GOOD + "when_gone: {do: keep, field: x}\n",
        "5:23: found field: beside do: keep, expected it left out",
    ),
    (
        HEAD.replace("object: opportunity", "object: opportunity, create: no") + GOOD,
        '3:39: found "no", expected true or false',
    ),
    (
        HEAD.replace("object: opportunity", "object: opportunity, create: false, update: false") + GOOD,
        "3:9: found create: false and update: false, expected at least one of them true",
    ),
    (
        HEAD.replace("kind: membership", "kind: membership, only: {statuss: [a]}") + GOOD,
        '2:35: found "statuss", expected a field of the whop membership, did you mean "status"?',
    ),
    (
        HEAD.replace("kind: membership", "kind: membership, only: {created_at: [a]}") + GOOD,
        "2:35: found created_at, which is time, expected one of boolean, id, number, text to filter by",
    ),
    (
        HEAD + GOOD + "match: [nmae]\n",
        '5:9: found "nmae", expected a field of this file, did you mean "name"?',
    ),
    (
        HEAD + "fields: {amount: {from: renewal_price, using: money}}\nmatch: amount\n",
        "5:8: found amount, a field of type currency, expected a field of type text, emails, phones, links to match by",
    ),
    (
        HEAD + GOOD + "title: produkt_id\n",
        '5:8: found "produkt_id", expected a field of the whop membership, did you mean "product_id"?',
    ),
    (
        HEAD + GOOD + "objects: [{name: thing, plural: thing, label: A, label_plural: B}]\n",
        '5:33: found "thing" for one and for many, expected two names',
    ),
    (
        HEAD + GOOD + "objects: [{name: person, plural: persons, label: A, label_plural: B}]\n",
        '5:18: found "person", which the CRM has itself, expected another name',
    ),
    (
        HEAD + GOOD + "objects: [{name: thing, plural: things, label: A}]\n",
        "5:11: found an object without label_plural:, expected label_plural:",
    ),
]


@pytest.mark.parametrize(("text", "problem"), FRAME)
def test_a_mistake_in_the_frame_is_told(text, problem):
    assert told(m=text) == [f"m.yaml:{problem}"]


FIELDS = [
    (
        "name: {from: prodct_id}",
        '16: found "prodct_id", expected a field of the whop membership, did you mean "product_id"?',
    ),
    (
        "name: {from: product.titel}",
        '16: found "product.titel", expected a field of the whop membership, did you mean "product.title"?',
    ),
    (
        "name: {from: renewal_price.amuont}",
        '16: found "renewal_price.amuont", expected a field of the whop membership, did you mean "renewal_price"?',
    ),
    (
        'name: {from: "a | b"}',
        '16: found "a | b", expected a field name like user.email (there are no expressions)',
    ),
    (
        "name: {form: product_id}",
        '10: found "form", expected one of choices, description, from, label, on_null, options, own, stamp, text, type, unique, using, value in the field name, did you mean "from"?',
    ),
    ("name: {from: product_id, using: trmi}", '35: found "trmi", expected a function, did you mean "trim"?'),
    (
        "name: {from: product_id, using: {cut: lots}}",
        '41: found "lots" for cut, expected a length from 1 to 100000, like {cut: 200}',
    ),
    (
        "name: {from: product_id, using: cut}",
        "35: found cut without an argument, expected a length from 1 to 100000, like {cut: 200}",
    ),
    ("name: {from: product_id, using: {trim: 3}}", "42: found an argument for trim, expected none"),
    (
        "name: {from: cancel_at_period_end, using: trim}",
        "45: found boolean for the function trim, expected one of id, text for it",
    ),
    (
        "name: {from: cancel_at_period_end}",
        "16: found boolean, expected one of id, text, time for a field of type text (using: text makes text of it)",
    ),
    (
        "amount: {from: renewal_price}",
        "18: found money, expected currency for a field of type currency (using: money makes currency of it)",
    ),
    (
        "name: {from: product_id, own: allways}",
        '33: found "allways", expected one of always, fill, once, never, did you mean "always"?',
    ),
    ("name: {from: product_id, on_null: no}", '37: found "no", expected one of clear, keep, skip'),
    (
        "name: {from: product_id, label: Name}",
        "28: found label: for the standard field name, expected it only for fields of your own",
    ),
    (
        "name: {from: product_id, type: number}",
        '34: found "number", expected text, the type name has in the CRM',
    ),
    (
        "nmae: {from: product_id}",
        '3: found "nmae", which opportunity does not have by itself, expected a type: and a label: for it, or a standard field, did you mean "name"?',
    ),
    ("whopPlan: {from: plan_id, type: text}", "13: found the field whopPlan without label:, expected label:"),
    (
        "whopPlan: {from: plan_id, type: txt, label: Plan}",
        '35: found "txt", expected one of text, number, boolean, date_time, select, currency, full_name, emails, phones, links, did you mean "text"?',
    ),
    (
        "plan: {from: plan_id, type: text, label: Plan}",
        '3: found "plan", which the CRM keeps for itself, expected another name',
    ),
    (
        "whop_plan: {from: plan_id, type: text, label: Plan}",
        '3: found "whop_plan", expected a name like whopPlanId, of letters and digits',
    ),
    (
        "whopEnds: {from: cancel_at_period_end, type: boolean, unique: true, label: Ends}",
        "57: found unique: for a field of type boolean, expected it for a field of type text",
    ),
    ("stage: {from: status}", "10: found a select field without choices:, expected choices: or options:"),
    (
        "stage: {from: status, choices: stages}",
        '34: found "stages", expected the name of a table under choices:',
    ),
    (
        "stage: {from: status, choices: {active: Customer}}",
        "34: found choices without otherwise:, expected otherwise: keep, empty, fail, or a value",
    ),
    (
        "stage: {from: status, options: [New], choices: {active: Nwe, otherwise: keep}}",
        '59: found "Nwe", expected New, did you mean "New"?',
    ),
    (
        "stage: {from: status, choices: {active: New, expired: new, otherwise: keep}}",
        '57: found "new", expected a label that is stored otherwise than "New" (NEW)',
    ),
    (
        "stage: {from: created_at, choices: {active: New, otherwise: keep}}",
        "38: found time for choices, expected one of boolean, id, number, text",
    ),
    (
        "stage: {from: cancel_at_period_end, choices: {no: New, otherwise: keep}}",
        '49: found "no", expected true or false',
    ),
    ("name: {own: fill}", "3: found nothing that name comes from, expected one of from, value, text, stamp"),
    ("name: {from: product_id, value: x}", "28: found from and value for name, expected one of them"),
    ("name: {value: 12}", "17: found 12, expected text, for a field of type text"),
    ("name: {value: x, using: trim}", "20: found using: beside value:, expected it beside from: or text:"),
    (
        'name: {text: "{product.title"}',
        '16: found "{product.title", expected text with field names in braces, like "{a} ({b})"',
    ),
    (
        'name: {text: "{renewal_price}"}',
        "16: found renewal_price, which is money, expected one of boolean, id, number, text, time in a text",
    ),
    (
        "closeDate: {stamp: writen_at}",
        '15: found "writen_at", expected written_at, did you mean "written_at"?',
    ),
    (
        "name: {stamp: written_at}",
        "3: found a stamp in a field of type text, expected a field of type date_time",
    ),
    (
        "closeDate: {stamp: written_at, own: fill}",
        "34: found own: beside stamp:, expected it beside from:, text: or value:",
    ),
    (
        "pointOfContact: {from: member_id}",
        "3: found the relation pointOfContact under fields, expected it under links",
    ),
    ("name: {from: []}", "16: found an empty list, expected a field name, or a list of them"),
    ("name: {from: {a: b}}", "16: found a table of keys, expected a field name, or a list of them"),
    ("name: {from: product_id, own: []}", "33: found a list, expected one of always, fill, once, never"),
    (
        "name: {from: product_id, using: [[trim]]}",
        "36: found a list, expected a function name, or one with its argument like {cut: 200}",
    ),
    ("name: {text: 12}", "16: found 12, expected text"),
    (
        'name: {text: "{product.titel}"}',
        '16: found "product.titel", expected a field of the whop membership, did you mean "product.title"?',
    ),
    ("name: {value: }", "17: found nothing, expected a value"),
    (
        "name: {from: product_id, options: [A]}",
        "28: found options: for a field of type text, expected type: select",
    ),
    ("name: {from: metadata}", "16: found object, expected one of id, text, time for a field of type text"),
    ("stage: {from: status, options: A}", '34: found "A", expected a list of labels'),
    ("stage: {from: status, options: ['!']}", '35: found "!", expected a label with letters or digits'),
    ("stage: {from: status, choices: [a]}", "34: found a list, expected choices: a table of keys"),
    (
        "stage: {from: status, choices: {a: New, otherwise: }}",
        "54: found nothing, expected keep, empty, fail, or a value",
    ),
    (
        "stage: {from: billing_period_days, choices: {x: New, otherwise: keep}}",
        '48: found "x", expected a number',
    ),
    ("whopSeen: {stamp: written_at}", "13: found the field whopSeen without label:, expected label:"),
    (
        "whopSeen: {stamp: written_at, type: time, label: Seen}",
        '39: found "time", expected one of text, number, boolean, date_time, select, currency, full_name, emails, phones, links, did you mean "date_time"?',
    ),
    ("name: product_id", '9: found "product_id", expected the field name: a table of keys'),
]


@pytest.mark.parametrize(("line", "problem"), FIELDS)
def test_a_mistake_in_a_field_is_told(line, problem):
    assert f"m.yaml:5:{problem}" in of_field(line)


LINKS = [
    (
        "pointOfContact: {kind: member, id: member_id}",
        '26: found "member", which no file maps, expected a kind that is mapped (membership)',
    ),
    (
        "pointOfContact: {kind: membr, id: member_id}",
        '26: found "membr", expected a kind of whop, did you mean "member"?',
    ),
    ("pointOfContact: {id: member_id}", "19: found the link pointOfContact without kind:, expected kind:"),
    ("pointOfContact: {kind: membership}", "19: found the link pointOfContact without id:, expected id:"),
    ("pointOfContact: {kind: membership, id: created_at}", "42: found time, expected the id of a record"),
    (
        "pointOfContact: {kind: membership, id: member_id}",
        "20: found a kind that becomes opportunity, expected one that becomes person",
    ),
    (
        "pointOfContact: {kind: membership, id: member_id}",
        "3: found links in a circle (membership → membership), expected one of them left out",
    ),
    (
        "pointOfContact: {kind: membership, id: id, on_missing: fecth}",
        '58: found "fecth", expected one of fetch, skip, empty, did you mean "fetch"?',
    ),
    (
        "pointOfContact: {kind: membership, id: id, own: never}",
        '51: found "never", expected one of always, fill, once for a link',
    ),
    ("pointOfContact: member_id", '19: found "member_id", expected the link pointOfContact: a table of keys'),
    (
        "pointOfContact: {kind: membership, id: id, label: X}",
        "46: found label: for the standard relation pointOfContact, expected it only for your own",
    ),
    ("whopOther: {kind: membership, id: id}", "3: found the link whopOther without label:, expected label:"),
    (
        "name: {kind: membership, id: id}",
        '3: found "name" under links and under fields, expected it in one of them',
    ),
    (
        "stage: {kind: membership, id: id}",
        "3: found stage, which is a field of type select, expected a relation",
    ),
]


@pytest.mark.parametrize(("line", "problem"), LINKS)
def test_a_mistake_in_a_link_is_told(line, problem):
    assert f"m.yaml:6:{problem}" in told(m=f"{HEAD}{GOOD}links:\n  {line}\n")


TESTS = [
    ("x", '3: found "x", expected a test: a table of keys'),
    (
        "{name: x, given: {}, expect: {closeDate: x}}",
        "33: found the stamp closeDate, expected a field whose value the record decides",
    ),
    ("{given: {id: x}, expect: {}}", "3: found a test without name:, expected name:"),
    (
        "{name: x, given: {id: x}}",
        "3: found a test that expects nothing, expected expect:, unwritten: or fails:",
    ),
    (
        "{name: x, given: {product: {titel: x}}, expect: {}}",
        '31: found "product.titel", expected a field of the whop membership, did you mean "product.title"?',
    ),
    (
        "{name: x, given: {}, expect: {nmae: x}}",
        '33: found "nmae", expected a field of this file, did you mean "name"?',
    ),
    (
        "{name: x, given: {}, unwritten: [nmae]}",
        '36: found "nmae", expected a field of this file, did you mean "name"?',
    ),
    ("{name: x, given: {}, expect: {name: 12}}", "39: found 12, expected text, for a field of type text"),
]


@pytest.mark.parametrize(("line", "problem"), TESTS)
def test_a_mistake_in_a_test_is_told(line, problem):
    assert told(m=f"{HEAD}{STAMPED}tests:\n- {line}\n") == [f"m.yaml:6:{problem}"]


def test_a_label_that_a_test_spells_otherwise_is_told_with_the_nearest():
    stage = "fields: {stage: {from: status, choices: {active: Customer, otherwise: New}}}\n"
    test = "tests: [{name: x, given: {}, expect: {stage: customer}}]\n"

    assert told(m=HEAD + stage + test) == [
        'm.yaml:5:46: found "customer", expected one of Customer, New, did you mean "Customer"?'
    ]


def test_choices_that_no_field_names_are_told_as_advice():
    loaded = load_texts({"m.yaml": HEAD + GOOD + "choices: {old: {a: B, otherwise: keep}}\n"}, SOURCE, CRM)

    assert loaded.advice == (
        'm.yaml:5:16: found the choices "old", which no field names, expected a field with choices: old',
    )


def test_all_mistakes_of_all_files_are_told_at_once():
    problems = told(
        b=f"{HEAD}fields:\n  name: {{from: a}}\n  stage: {{from: b}}\n",
        a="version: 1\nsource: {kind: plann}\n",
    )

    assert [line.split(": ")[0] for line in problems] == [
        "a.yaml:1:1",
        "a.yaml:2:16",
        "b.yaml:5:16",
        "b.yaml:6:10",
        "b.yaml:6:17",
    ]


def test_a_key_that_is_misspelt_is_also_missed():
    assert told(m=HEAD.replace("object:", "objekt:") + GOOD) == [
        "m.yaml:3:9: found target without object:, expected object:",
        'm.yaml:3:10: found "objekt", expected one of create, object, update in target, did you mean "object"?',
    ]


def test_a_kind_is_mapped_by_one_file():
    assert told(a=HEAD + GOOD, b=HEAD + GOOD) == [
        'b.yaml:2:16: found "membership", which a.yaml maps already, expected one file per kind'
    ]


def test_a_link_to_a_file_that_cannot_be_read_is_not_a_mistake_of_its_own():
    links = "links: {pointOfContact: {kind: member, id: member_id}}\n"

    assert told(a=HEAD + GOOD + links, b="") == ["b.yaml:1:1: found an empty file, expected a mapping"]


def test_files_must_agree_about_a_field():
    plan = HEAD.replace("kind: membership", "kind: plan")
    problems = told(
        a=HEAD + "fields: {x: {from: plan_id, type: text, label: X, unique: true}}\n",
        b=plan + "fields: {x: {from: id, type: text, label: X}}\n",
    )

    assert problems == [
        'a.yaml:4:10: found opportunity.x declared in another way than in another file, expected text "X", as there'
    ]


def test_files_must_agree_about_an_object():
    declared = "objects: [{name: thing, plural: things, label: %s, label_plural: B}]\n"
    plan = HEAD.replace("kind: membership", "kind: plan")

    assert told(a=HEAD + GOOD + declared % "A", b=plan + "fields: {name: {from: id}}\n" + declared % "C") == [
        'b.yaml:5:11: found the object "thing" declared in another way, expected it declared alike, or once'
    ]
