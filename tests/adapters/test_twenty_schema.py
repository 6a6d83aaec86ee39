"""The data model: made from nothing, resumed, left alone, and every conflict explained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from twenty_builders import MAPPINGS, OPPORTUNITY, PERSON, PRODUCT, Sandbox, a_sandbox

from connector.core.mapping import Mapping
from connector.crms.twenty.schema import TwentySchema
from connector.errors import ReconnectError, SchemaError, TryLaterError

ALL = list(MAPPINGS)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """An empty workspace."""
    with a_sandbox() as running:
        yield running


def made(sandbox: Sandbox) -> int:
    """How many requests changed the data model."""
    counts = sandbox.requests()
    return sum(
        number for name, number in counts.items() if name.startswith(("POST /rest/m", "PATCH /rest/m"))
    )


def conflict(sandbox: Sandbox, *mappings: Mapping) -> str:
    """The only one there is; nothing may have been made."""
    sandbox.fresh()
    with pytest.raises(SchemaError) as caught:
        sandbox.schema.apply(list(mappings))
    assert caught.value.code == "crm_schema_conflict"
    assert made(sandbox) == 0
    [step] = [step for step in sandbox.schema.plan(list(mappings)) if step.do == "conflict"]
    assert step.why == str(caught.value)
    return step.why


def change(sandbox: Sandbox, object_: str, field: str | None, **changes: object) -> None:
    there = sandbox.objects()[object_]
    path = f"fields/{there['fields'][field]['id']}" if field else f"objects/{there['id']}"
    sandbox.rest("PATCH", f"metadata/{path}", changes)


def a_field(sandbox: Sandbox, object_: str, **body: object) -> None:
    body["objectMetadataId"] = sandbox.objects()[object_]["id"]
    sandbox.rest("POST", "metadata/fields", body)


@pytest.mark.parametrize("new_format", [True, False])
def test_everything_is_made_from_nothing_and_a_second_time_nothing(new_format: bool):
    with a_sandbox(new_metadata_format=new_format) as sandbox:
        steps = sandbox.schema.apply(ALL)

        there = sandbox.objects()
        assert {step.object for step in steps if step.do == "create"} == {
            "whopProduct",
            "person",
            "opportunity",
        }
        assert there["person"]["fields"]["whopUserId"]["isUnique"]
        assert there["opportunity"]["fields"]["whopProduct"]["settings"]["joinColumnName"] == "whopProductId"
        sandbox.fresh()
        again = sandbox.schema.apply(ALL)
        assert {step.do for step in again} == {"right"}
        assert made(sandbox) == 0


def test_the_model_is_read_twice_however_much_is_made(sandbox: Sandbox):
    sandbox.schema.apply(ALL)

    assert sandbox.requests()["GET /rest/metadata/objects"] == 2


def test_the_other_side_of_a_relation_is_called_by_its_plural(sandbox: Sandbox):
    sandbox.schema.apply(ALL)

    assert sandbox.objects()["whopProduct"]["fields"]["opportunities"]["label"] == "Opportunities"


def test_a_second_relation_between_two_objects_gets_another_name(sandbox: Sandbox):
    sandbox.schema.apply(ALL)
    link = OPPORTUNITY.links[-1]
    upsell = replace(link, spec=replace(link.spec, name="upsell", label="Upsell"))
    mapping = replace(OPPORTUNITY, links=(*OPPORTUNITY.links, upsell))

    sandbox.schema.apply([*ALL, mapping])

    assert "opportunitiesUpsell" in sandbox.objects()["whopProduct"]["fields"]


@pytest.mark.parametrize("skip", [0, 1, 3, 8, 14])
@pytest.mark.parametrize("cut", ["before", "after"])
def test_cut_off_anywhere_it_goes_on_where_it_stopped(sandbox: Sandbox, skip: int, cut: str):
    sandbox.fault("POST /rest/metadata/", {"cut": cut}, skip=skip, times=1)

    with pytest.raises(TryLaterError):
        sandbox.schema.apply(ALL)
    sandbox.schema.apply(ALL)

    assert {step.do for step in sandbox.schema.plan(ALL)} == {"right"}


def test_options_are_added_and_those_that_are_there_keep_their_ids(sandbox: Sandbox):
    theirs = [{"label": "Mine", "value": "MINE", "color": "red", "position": 0}]
    theirs.append({"label": "Active", "value": "ACTIVE", "color": "pink", "position": 5})
    a_field(sandbox, "opportunity", type="SELECT", name="whopMembershipStatus", label="S", options=theirs)
    before = sandbox.objects()["opportunity"]["fields"]["whopMembershipStatus"]["options"]

    steps = sandbox.schema.apply(ALL)

    after = sandbox.objects()["opportunity"]["fields"]["whopMembershipStatus"]["options"]
    assert [step.field for step in steps if step.do == "options"] == ["whopMembershipStatus"]
    assert after[:2] == before
    assert {option["value"] for option in after[2:]} == {"CANCELLED", "EXPIRED", "PAYMENT_FAILED"}
    assert [option["position"] for option in after[2:]] == [6, 7, 8]


def test_a_field_of_another_type_is_a_conflict(sandbox: Sandbox):
    a_field(sandbox, "person", type="NUMBER", name="whopUsername", label="U")

    why = conflict(sandbox, *ALL)

    assert "person.whopUsername is of type NUMBER" in why
    assert "TEXT" in why


def test_a_deactivated_field_is_a_conflict(sandbox: Sandbox):
    sandbox.schema.apply(ALL)
    change(sandbox, "person", "whopUserId", isActive=False)

    assert "person.whopUserId is deactivated" in conflict(sandbox, *ALL)


def test_a_deactivated_object_is_a_conflict(sandbox: Sandbox):
    sandbox.schema.apply(ALL)
    change(sandbox, "whopProduct", None, isActive=False)

    assert "whopProduct is deactivated" in conflict(sandbox, *ALL)


def test_a_key_field_that_is_not_unique_is_a_conflict(sandbox: Sandbox):
    a_field(sandbox, "person", type="TEXT", name="whopUserId", label="U")

    assert "person.whopUserId is not unique" in conflict(sandbox, *ALL)


def test_a_standard_field_that_is_missing_is_a_conflict(sandbox: Sandbox):
    change(sandbox, "person", "phones", name="phonesOld")

    assert "no field person.phones" in conflict(sandbox, *ALL)


def test_a_standard_object_that_is_missing_is_a_conflict(sandbox: Sandbox):
    mapping = replace(PERSON, object=replace(PERSON.object, name="human", plural="humans"))

    assert conflict(sandbox, mapping) == "Twenty has no object human."


def test_a_standard_select_without_an_option_is_a_conflict(sandbox: Sandbox):
    stage = sandbox.objects()["opportunity"]["fields"]["stage"]
    options = [option for option in stage["options"] if option["value"] != "MEETING"]
    change(sandbox, "opportunity", "stage", options=options)

    assert "opportunity.stage lacks the options Meeting" in conflict(sandbox, *ALL)


def renamed(mapping: Mapping, field: str, name: str) -> Mapping:
    rules = [
        replace(rule, spec=replace(rule.spec, name=name)) if rule.spec.name == field else rule
        for rule in mapping.fields
    ]
    return replace(mapping, fields=tuple(rules))


def test_a_reserved_name_of_a_field_is_a_conflict(sandbox: Sandbox):
    why = conflict(sandbox, renamed(PERSON, "whopUsername", "currency"))

    assert "person.currency has a name that Twenty keeps for itself" in why


def test_a_reserved_name_of_an_object_is_a_conflict(sandbox: Sandbox):
    mapping = replace(PRODUCT, object=replace(PRODUCT.object, name="plan", plural="plans"))

    assert "plan is a name that Twenty keeps" in conflict(sandbox, mapping)


def test_a_plural_that_another_object_has_is_a_conflict(sandbox: Sandbox):
    mapping = replace(PRODUCT, object=replace(PRODUCT.object, plural="people"))

    assert "people is the plural of the object person" in conflict(sandbox, mapping)


def test_an_object_with_another_plural_is_a_conflict(sandbox: Sandbox):
    sandbox.schema.apply(ALL)
    mapping = replace(PRODUCT, object=replace(PRODUCT.object, plural="whopGoods"))

    assert "whopProducts in Twenty, whopGoods in the mapping" in conflict(sandbox, mapping)


def test_a_relation_that_points_the_other_way_is_a_conflict(sandbox: Sandbox):
    mapping = replace(
        OPPORTUNITY,
        object=PERSON.object,
        fields=(),
        stamps=(),
        links=tuple(
            replace(
                rule, spec=replace(rule.spec, name="pointOfContactForOpportunities", target="opportunity")
            )
            for rule in OPPORTUNITY.links[:1]
        ),
    )

    assert "points to many records" in conflict(sandbox, mapping)


def test_every_conflict_is_told_at_once(sandbox: Sandbox):
    a_field(sandbox, "person", type="NUMBER", name="whopUsername", label="U")
    a_field(sandbox, "person", type="TEXT", name="whopUserId", label="U")

    with pytest.raises(SchemaError) as caught:
        sandbox.schema.apply(ALL)

    assert len(str(caught.value).splitlines()) == 2


def test_what_twenty_refuses_to_make_is_told_with_its_reason(sandbox: Sandbox):
    mapping = renamed(PERSON, "whopUsername", "Bad name")

    with pytest.raises(SchemaError) as caught:
        sandbox.schema.apply([mapping])

    assert caught.value.code == "crm_schema_refused"
    assert "person.Bad name" in str(caught.value)
    assert "must start with lowercase letter" in str(caught.value)


def test_a_read_only_key_is_told_to_lack_the_right(sandbox: Sandbox):
    key = sandbox.control("POST", "keys", {"do": "new", "role": "read_only"})["key"]

    with pytest.raises(ReconnectError) as caught:
        TwentySchema(sandbox.client_with(key)).plan(ALL)

    assert caught.value.code == "crm_permission"


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": {"things": []}}, [], "<html></html>"])
def test_a_list_that_cannot_be_read_is_passing_trouble(sandbox: Sandbox, body: object):
    sandbox.fault("GET /rest/metadata/objects", {"status": 200, "body": body})

    with pytest.raises(TryLaterError):
        sandbox.schema.plan(ALL)


def test_the_list_of_objects_is_read_to_its_end(sandbox: Sandbox):
    there = list(sandbox.objects().values())
    plain = [{**each, "fields": list(each["fields"].values())} for each in there]
    first = {"data": plain[:5], "pageInfo": {"hasNextPage": True}}
    rest = {"data": plain[5:], "pageInfo": {"hasNextPage": False}}
    sandbox.fault(f"GET .*starting_after={plain[4]['id']}", {"status": 200, "body": rest})
    sandbox.fault("GET /rest/metadata/objects", {"status": 200, "body": first})

    assert {step.do for step in sandbox.schema.plan(ALL)} == {"create", "right"}
