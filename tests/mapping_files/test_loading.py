"""What a good file becomes, and how the tests in it are run."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from connector.core.mapping import OnMissing, OnNull, Own, UnknownChoice, ValueProblem, map_record
from connector.core.records import UNKNOWN, Ref, SourceRecord
from connector.crms.twenty.fields import CATALOGUE as CRM
from connector.errors import MappingError, MappingFileError
from connector.mapping_files import load_all, load_file, load_texts, run_tests
from connector.mapping_files.world import type_at
from connector.sources.whop.catalogue import CATALOGUE as SOURCE

SHIPPED = Path(__file__).parents[2] / "mappings"
HEAD = "version: 1\nsource: {kind: membership}\ntarget: {object: opportunity}\n"


def loaded(rest: str):
    return load_texts({"m.yaml": HEAD + rest}, SOURCE, CRM)["membership"]


def mapped(rest: str, **fields):
    return map_record(SourceRecord(Ref("whop", "membership", "mem_1"), fields), loaded(rest))


def field(line: str, **fields):
    """The value that one field gets; UNKNOWN where nothing is written."""
    return mapped(f"fields:\n  f: {{label: F, {line}}}\n", **fields).values.get("f", UNKNOWN)


def test_the_shipped_files_load_in_the_order_parents_first():
    mappings = load_all(SHIPPED, SOURCE, CRM)

    assert mappings.kinds == ("product", "member", "membership")
    assert [mapping.object.name for mapping in mappings] == ["whopProduct", "person", "opportunity"]


@pytest.mark.parametrize("mapping", load_all(SHIPPED, SOURCE, CRM), ids=lambda mapping: mapping.name)
def test_the_shipped_files_pass_their_own_tests(mapping):
    results = run_tests(mapping)

    assert len(results) >= 2
    assert [str(result) for result in results if not result.passed] == []


def test_the_shipped_fields_are_those_that_were_promised():
    objects = load_all(SHIPPED, SOURCE, CRM).objects

    assert {name: {spec.name: spec.type for spec in specs} for name, (_, specs) in objects.items()} == {
        "whopProduct": {
            "name": "text",
            "whopId": "text",
            "description": "text",
            "visibility": "select",
            "whopCreatedAt": "date_time",
            "syncedAt": "date_time",
        },
        "person": {
            "name": "full_name",
            "emails": "emails",
            "phones": "phones",
            "whopUserId": "text",
            "whopMemberId": "text",
            "whopUsername": "text",
            "whopProfilePicUrl": "text",
            "whopCreatedAt": "date_time",
            "whopSyncedAt": "date_time",
        },
        "opportunity": {
            "name": "text",
            "amount": "currency",
            "stage": "select",
            "whopMembershipId": "text",
            "whopMembershipStatus": "select",
            "whopPlanId": "text",
            "whopRenewalDate": "date_time",
            "whopLastPaymentDate": "date_time",
            "whopTotalPaid": "currency",
            "whopRefunded": "currency",
            "whopFailedPayments": "number",
            "whopCancelAtPeriodEnd": "boolean",
            "pointOfContact": "relation",
            "whopProduct": "relation",
        },
    }


@pytest.mark.parametrize(
    ("status", "label"),
    [
        ("trialing", "ACTIVE"),
        ("active", "ACTIVE"),
        ("completed", "ACTIVE"),
        ("canceling", "ACTIVE"),
        ("past_due", "PAYMENT_FAILED"),
        ("unresolved", "PAYMENT_FAILED"),
        ("canceled", "CANCELLED"),
        ("expired", "EXPIRED"),
    ],
)
def test_every_status_of_whop_has_its_label(status, label):
    membership = load_all(SHIPPED, SOURCE, CRM)["membership"]
    record = SourceRecord(Ref("whop", "membership", "mem_1"), {"id": "mem_1", "status": status})

    assert map_record(record, membership).values["whopMembershipStatus"] == label


def test_a_status_that_is_new_is_kept_and_counted():
    membership = load_all(SHIPPED, SOURCE, CRM)["membership"]
    record = SourceRecord(Ref("whop", "membership", "mem_1"), {"id": "mem_1", "status": "frozen"})

    made = map_record(record, membership)

    assert "whopMembershipStatus" not in made.values
    assert made.unknown_choices == (("whopMembershipStatus", "frozen"),)


def test_a_title_of_white_space_is_empty():
    assert mapped("fields: {name: {from: product.title, using: trim}}\n", product={"title": " "}).values == {
        "name": None
    }


def test_only_whops_identity_keeps_a_person_apart():
    member = load_all(SHIPPED, SOURCE, CRM)["member"]

    assert [(key.field, key.identity) for key in member.match] == [
        ("whopUserId", True),
        ("emails", False),
        ("whopMemberId", False),
    ]


@pytest.mark.parametrize(
    ("line", "fields", "expected"),
    [
        ("type: text, from: plan_id", {"plan_id": "p"}, "p"),
        ("type: text, from: plan_id", {"plan_id": ""}, None),
        ("type: text, from: [plan_id, product_id]", {"plan_id": None, "product_id": "q"}, "q"),
        ("type: text, from: [plan_id, product_id]", {"product_id": "q"}, UNKNOWN),
        (
            'type: text, text: "{plan_id} ({billing_period_days})"',
            {"plan_id": "p", "billing_period_days": 30},
            "p (30)",
        ),
        ("type: text, value: Whop", {}, "Whop"),
        ("type: select, value: Paid twice", {}, "PAID_TWICE"),
        ("type: boolean, value: true", {}, True),
        ("type: date_time, value: 2026-01-01", {}, "2026-01-01T00:00:00.000Z"),
        ("type: text, from: plan_id, using: [trim, {cut: 2}]", {"plan_id": " abc"}, "ab"),
        ("type: text, from: plan_id, using: {lookup: {a: b}}", {"plan_id": "a"}, "b"),
        ("type: select, options: [Active, Past due], from: status", {"status": "past_due"}, "PAST_DUE"),
        ("type: select, options: [Active], from: status", {"status": "other"}, UNKNOWN),
        ("type: select, choices: {active: null, otherwise: Rest}, from: status", {"status": "active"}, None),
        ("type: select, choices: {active: null, otherwise: Rest}, from: status", {"status": "x"}, "REST"),
        ("type: select, choices: {a: A, otherwise: empty}, from: status", {"status": "x"}, None),
        (
            "type: select, choices: {true: Yes, otherwise: keep}, from: cancel_at_period_end",
            {"cancel_at_period_end": True},
            "YES",
        ),
        (
            "type: select, choices: {30: Month, otherwise: keep}, from: billing_period_days",
            {"billing_period_days": 30},
            "MONTH",
        ),
        (
            "type: select, choices: {30: Month, otherwise: keep}, from: metadata.days",
            {"metadata": {"days": "30"}},
            "MONTH",
        ),
        ("type: number, choices: {active: 1, otherwise: 0}, from: status", {"status": "x"}, 0),
        ("type: text, from: metadata.note.text", {"metadata": {"note": {"text": "n"}}}, "n"),
        ("type: text, from: renewal_price.currency", {"renewal_price": {"currency": "usd"}}, "usd"),
        ("type: text, own: never", {}, UNKNOWN),
    ],
)
def test_a_field_is_read_as_its_line_says(line, fields, expected):
    assert field(line, **fields) == expected


@pytest.mark.parametrize("type_", ["currency", "full_name", "emails", "links", "number"])
def test_a_value_from_the_undescribed_fails_the_record_at_worst(type_):
    with pytest.raises(MappingError):
        field(f"type: {type_}, from: metadata.x", metadata={"x": [1]})


def test_choices_may_fail_the_record():
    with pytest.raises(MappingError, match="expected one of a, found 'x'"):
        field("type: select, choices: {a: A, otherwise: fail}, from: status", status="x")


@pytest.mark.parametrize(
    ("own", "on_null"), [("always", OnNull.CLEAR), ("fill", OnNull.KEEP), ("once", OnNull.KEEP)]
)
def test_what_an_empty_value_does_depends_on_the_owner(own, on_null):
    rule = loaded(f"fields: {{name: {{from: plan_id, own: {own}}}}}\n").fields[0]

    assert (rule.own, rule.on_null) == (Own(own), on_null)


def test_the_words_of_yaml_1_1_stay_text():
    made = loaded("fields: {f: {type: select, label: F, from: status, choices: {no: On, otherwise: Off}}}\n")

    assert made.fields[0].spec.options == ("On", "Off")


def test_options_of_two_files_are_joined():
    line = "fields: {f: {type: select, label: F, from: %s, choices: {a: %s, otherwise: keep}}}\n"
    plan = HEAD.replace("kind: membership", "kind: plan")
    both = load_texts(
        {"a.yaml": HEAD + line % ("status", "A"), "b.yaml": plan + line % ("visibility", "B")}, SOURCE, CRM
    )

    assert [mapping.fields[0].spec.options for mapping in both] == [("B", "A"), ("B", "A")]


def test_links_have_their_target_from_the_mapping_of_the_kind():
    links = {rule.spec.name: rule for rule in load_all(SHIPPED, SOURCE, CRM)["membership"].links}

    assert [(rule.spec.target, rule.spec.declared) for rule in links.values()] == [
        ("person", False),
        ("whopProduct", True),
    ]
    assert links["pointOfContact"].on_missing is OnMissing.FETCH


def test_parents_come_before_children_whatever_the_source_says():
    backwards = dataclasses.replace(SOURCE, order=tuple(reversed(SOURCE.order)))

    assert load_all(SHIPPED, backwards, CRM).kinds == ("member", "product", "membership")


def test_the_version_moves_with_any_file(tmp_path):
    before = load_all(SHIPPED, SOURCE, CRM)
    for path in SHIPPED.glob("*.yaml"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert load_all(tmp_path, SOURCE, CRM).version == before.version

    with (tmp_path / "member.yaml").open("a") as file:
        file.write("# one more word\n")
    after = load_all(tmp_path, SOURCE, CRM)

    assert after.version != before.version
    assert after["member"].version != before["member"].version
    assert after["product"].version == before["product"].version


def test_one_file_is_checked_with_those_beside_it():
    assert load_file(SHIPPED / "membership.yaml", SOURCE, CRM).kind == "membership"
    with pytest.raises(MappingFileError, match="found no such file"):
        load_file(SHIPPED / "payment.yaml", SOURCE, CRM)


@pytest.mark.parametrize(
    ("path", "flow"),
    [
        ("user", {"object"}),
        ("user.id", {"id"}),
        ("user.nmae", None),  # what lies inside is described, so this is a slip
        ("metadata.any.thing", set()),
        ("metadata..thing", None),
        ("price.amount", {"text"}),
        ("price.cents", None),
        ("account.id", {"id"}),
        ("account", {"object"}),
        ("nothing", None),
    ],
)
def test_a_path_has_the_type_that_the_catalogue_gives(path, flow):
    paths = {"user": "object", "user.id": "id", "metadata": "object", "price": "money", "account.id": "id"}

    assert type_at(path, paths) == flow


def test_a_directory_without_files_is_told(tmp_path):
    with pytest.raises(MappingFileError, match="found no mapping files"):
        load_all(tmp_path, SOURCE, CRM)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"a: 1\nb: \xff\n", "x.yaml:2:1: found a character that is no text, expected UTF-8 text"),
        (b"x" * 300_000, "x.yaml:1:1: found 292 KB, expected at most 256 KB"),
    ],
)
def test_a_file_that_is_no_text_is_told(tmp_path, raw, problem):
    (tmp_path / "x.yaml").write_bytes(raw)

    with pytest.raises(MappingFileError) as caught:
        load_all(tmp_path, SOURCE, CRM)

    assert caught.value.problems == (problem,)


@pytest.mark.parametrize(
    ("title", "expected"), [("product.title", "Gold"), ('"{product.title} {status}"', "Gold active")]
)
def test_a_record_is_called_by_its_title(title, expected):
    fields = {"product": {"title": "Gold"}, "status": "active"}

    assert mapped(f"fields: {{name: {{from: id}}}}\ntitle: {title}\n", **fields).title == expected


def test_a_filter_may_look_for_nothing():
    head = HEAD.replace("kind: membership", "kind: membership, only: {user_id_not: null}")
    mapping = load_texts({"m.yaml": head + "fields: {name: {from: id}}\n"}, SOURCE, CRM)["membership"]
    record = SourceRecord(Ref("whop", "membership", "mem_1"), {"id": "mem_1", "user_id": None})

    assert map_record(record, mapping) is None


def test_an_option_of_the_undescribed_must_be_text():
    made = loaded("fields: {f: {type: select, label: F, from: metadata.x, options: [A]}}\n")

    with pytest.raises(ValueProblem):
        made.fields[0].read({"metadata": {"x": 1}})


def test_a_set_knows_its_kinds():
    mappings = load_all(SHIPPED, SOURCE, CRM)

    assert (len(mappings), "member" in mappings, "payment" in mappings) == (3, True, False)
    with pytest.raises(KeyError):
        mappings["payment"]


# --- the tests of a file

FIELDS = (
    "fields:\n"
    "  name: {from: product_id}\n"
    "  stage: {from: status, choices: {active: Customer, new: New, otherwise: fail}}\n"
)


@pytest.mark.parametrize(
    ("test", "differences"),
    [
        ("given: {product_id: p}, expect: {name: p}", ()),
        ("given: {product_id: p}, expect: {name: q}", ("name: expected 'q', found 'p'",)),
        ("given: {product_id: p}, expect: {name: null}", ("name: expected it empty, found 'p'",)),
        ("given: {}, expect: {name: q}", ("name: expected 'q', found nothing written",)),
        ("given: {status: active}, expect: {stage: New}", ("stage: expected 'New', found 'Customer'",)),
        (
            "given: {status: active}, unwritten: [stage]",
            ("stage: expected nothing written, found 'Customer'",),
        ),
        (
            "given: {status: active}, expect: filtered",
            ("expected that it is filtered out, found that it passes",),
        ),
        ("given: {status: drafted}, expect: filtered", ()),
        ("given: {status: drafted}, unwritten: name", ("expected that it passes, found it filtered out",)),
        ("given: {status: bad}, fails: stage", ()),
        ("given: {status: active}, fails: stage", ("expected stage to fail, found no failure",)),
        (
            "given: {id: m, status: bad}, expect: {}",
            (
                "expected no failure, found a failure: membership m: stage (from status) "
                "expected one of active, new, found 'bad'",
            ),
        ),
        (
            "given: {id: m, status: bad}, fails: name",
            (
                "expected name to fail, found a failure: membership m: stage (from status) "
                "expected one of active, new, found 'bad'",
            ),
        ),
    ],
)
def test_a_test_of_a_file_tells_what_differs(test, differences):
    head = HEAD.replace("kind: membership", "kind: membership, only: {status_not: drafted}")
    text = f"{head}{FIELDS}tests:\n- {{name: a test, {test}}}\n"

    (result,) = run_tests(load_texts({"m.yaml": text}, SOURCE, CRM)["membership"])

    assert tuple(map(str, result.differences)) == differences
    assert str(result).splitlines() == ["m.yaml:8: a test", *(f"    {line}" for line in differences)]


def test_an_unknown_choice_of_options_is_counted():
    made = loaded("fields: {f: {type: select, label: F, from: status, options: [Active]}}\n")

    assert made.fields[0].read({"status": "odd"}) == UnknownChoice("odd", UNKNOWN)
