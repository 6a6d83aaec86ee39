"""The data model: made from nothing, resumed, left alone, and every conflict explained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from twenty_builders import MAPPINGS, OPPORTUNITY, PERSON, PRODUCT, Sandbox, a_sandbox

from connector.core.mapping import Mapping
from connector.core.naming import Names
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
    [step] = sandbox.schema.plan(list(mappings)).conflicts
    assert f"{step.why} {step.todo}" == str(caught.value)
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
        steps = sandbox.schema.apply(ALL).steps

        there = sandbox.objects()
        assert {step.object for step in steps if step.do == "create"} == {
            "whopProduct",
            "person",
            "opportunity",
        }
        assert there["person"]["fields"]["whopUserId"]["isUnique"]
        assert there["opportunity"]["fields"]["whopProduct"]["settings"]["joinColumnName"] == "whopProductId"
        sandbox.fresh()
        again = sandbox.schema.apply(ALL).steps
        assert {step.do for step in again} == {"right"}
        assert made(sandbox) == 0


def test_the_model_is_read_three_times_however_much_is_made(sandbox: Sandbox):
    sandbox.schema.apply(ALL)

    # Before, with the ids of new objects, and once more to learn what everything is called.
    assert sandbox.requests()["GET /rest/metadata/objects"] == 3


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


@pytest.mark.parametrize("cut", ["before", "after"])
def test_cut_off_after_any_request_it_goes_on_where_it_stopped(sandbox: Sandbox, cut: str):
    cuts = 0
    while cuts < 60:
        sandbox.fresh()
        sandbox.fault("POST /rest/metadata/", {"cut": cut}, skip=1, times=1)
        try:
            sandbox.schema.apply(ALL)
        except TryLaterError:
            cuts += 1
        else:
            break

    sandbox.fresh()
    assert {step.do for step in sandbox.schema.plan(ALL).steps} == {"right"}
    assert cuts > 8  # the second request of each attempt is cut, so that the place moves on


def test_options_are_added_and_those_that_are_there_keep_their_ids(sandbox: Sandbox):
    theirs = [{"label": "Mine", "value": "MINE", "color": "red", "position": 0}]
    theirs.append({"label": "Active", "value": "ACTIVE", "color": "pink", "position": 5})
    a_field(sandbox, "opportunity", type="SELECT", name="whopMembershipStatus", label="S", options=theirs)
    before = sandbox.objects()["opportunity"]["fields"]["whopMembershipStatus"]["options"]

    steps = sandbox.schema.apply(ALL).steps

    after = sandbox.objects()["opportunity"]["fields"]["whopMembershipStatus"]["options"]
    assert [step.field for step in steps if step.do == "options"] == ["whopMembershipStatus"]
    assert after[:2] == before
    assert {option["value"] for option in after[2:]} == {"CANCELLED", "EXPIRED", "PAYMENT_FAILED"}
    assert [option["position"] for option in after[2:]] == [6, 7, 8]


def test_a_field_of_another_type_is_a_conflict(sandbox: Sandbox):
    a_field(sandbox, "person", type="NUMBER", name="whopUsername", label="U")

    why = conflict(sandbox, *ALL)

    assert "“U” of “Person” is of the type Number in Twenty; the mapping needs Text." in why


def test_a_deactivated_field_is_a_conflict(sandbox: Sandbox):
    sandbox.schema.apply(ALL)
    change(sandbox, "person", "whopUserId", isActive=False)

    assert "“Whop user” of “Person” is deactivated" in conflict(sandbox, *ALL)


def test_a_deactivated_object_is_a_conflict(sandbox: Sandbox):
    sandbox.schema.apply(ALL)
    change(sandbox, "whopProduct", None, isActive=False)

    assert "The object “Whop product” is deactivated" in conflict(sandbox, *ALL)


def test_a_key_field_without_duplicates_is_made_unique(sandbox: Sandbox):
    a_field(sandbox, "person", type="TEXT", name="whopUserId", label="U")
    for value in ("user_1", "user_2", None):
        sandbox.rest("POST", "people", {"whopUserId": value})

    steps = sandbox.schema.apply(ALL).steps

    assert [step.field for step in steps if step.do == "unique"] == ["whopUserId"]
    assert sandbox.objects()["person"]["fields"]["whopUserId"]["isUnique"]


def test_duplicates_under_a_key_field_are_counted_and_shown(sandbox: Sandbox):
    a_field(sandbox, "person", type="TEXT", name="whopUserId", label="U")
    ids = [sandbox.rest("POST", "people", {"whopUserId": value}) for value in ("user_1", "user_1", "user_2")]
    sandbox.trash("people", ids[0]["data"]["createPerson"]["id"])  # it still holds its value

    why = conflict(sandbox, *ALL)

    assert why == (
        "person.whopUserId must be unique, and 1 value stands in several records: “user_1” in 2 records."
    )
    assert not sandbox.objects()["person"]["fields"]["whopUserId"]["isUnique"]


def test_of_very_many_duplicates_some_are_shown(sandbox: Sandbox):
    a_field(sandbox, "person", type="TEXT", name="whopUserId", label="U")
    rows = [{"whopUserId": f"user_{number % 5}"} for number in range(10)]
    sandbox.rest("POST", "batch/people", rows)

    assert "5 values stand in several records: “user_" in (why := conflict(sandbox, *ALL))
    assert why.endswith(" and 2 more.")


def test_a_standard_field_that_is_missing_is_a_conflict(sandbox: Sandbox):
    change(sandbox, "person", "phones", name="phonesOld")

    assert "no field “phones” of “Person”" in conflict(sandbox, *ALL)


def test_a_standard_object_that_is_missing_is_a_conflict(sandbox: Sandbox):
    mapping = replace(PERSON, object=replace(PERSON.object, name="human", plural="humans"))

    assert conflict(sandbox, mapping) == "Twenty has no object “human”."


def test_a_standard_select_without_an_option_is_a_conflict(sandbox: Sandbox):
    stage = sandbox.objects()["opportunity"]["fields"]["stage"]
    options = [option for option in stage["options"] if option["value"] != "MEETING"]
    change(sandbox, "opportunity", "stage", options=options)

    assert "“Stage” of “Opportunity” lacks the options Meeting" in conflict(sandbox, *ALL)


def renamed(mapping: Mapping, field: str, name: str) -> Mapping:
    rules = [
        replace(rule, spec=replace(rule.spec, name=name)) if rule.spec.name == field else rule
        for rule in mapping.fields
    ]
    return replace(mapping, fields=tuple(rules))


def test_a_reserved_name_of_a_field_is_a_conflict(sandbox: Sandbox):
    why = conflict(sandbox, renamed(PERSON, "whopUsername", "currency"))

    assert (
        "“Whop user name” of “Person” cannot be made: currency is a name that Twenty keeps for itself" in why
    )


def test_a_reserved_name_of_an_object_is_a_conflict(sandbox: Sandbox):
    mapping = replace(PRODUCT, object=replace(PRODUCT.object, name="plan", plural="plans"))

    assert "plan is a name that Twenty keeps" in conflict(sandbox, mapping)


def test_a_plural_that_another_object_has_is_a_conflict(sandbox: Sandbox):
    mapping = replace(PRODUCT, object=replace(PRODUCT.object, plural="people"))

    assert "people is the plural of the object “Person”" in conflict(sandbox, mapping)


def test_a_plural_that_another_object_has_as_its_name_is_a_conflict(sandbox: Sandbox):
    mapping = replace(PRODUCT, object=replace(PRODUCT.object, plural="person"))

    assert "person is what “Person” is called" in conflict(sandbox, mapping)


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
    a_field(sandbox, "person", type="NUMBER", name="whopMemberId", label="U")

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


def test_a_relation_that_points_elsewhere_is_a_conflict(sandbox: Sandbox):
    company = sandbox.objects()["company"]["id"]
    payload = {"type": "MANY_TO_ONE", "targetObjectMetadataId": company, "targetFieldLabel": "Deals"}
    wrong = {"type": "RELATION", "name": "whopProduct", "label": "P", "relationCreationPayload": payload}
    a_field(sandbox, "opportunity", **wrong)
    sandbox.schema.apply([PRODUCT])

    why = conflict(sandbox, *ALL)

    assert why == (
        "“P” of “Opportunity” points to “Company” in Twenty; the mapping needs it to point to “Whop product”."
    )


# --- who may


def reader(sandbox: Sandbox, names: Names | None = None) -> TwentySchema:
    key = sandbox.control("POST", "keys", {"do": "new", "role": "reader"})["key"]
    return TwentySchema(sandbox.client_with(key), names=names or Names())


def test_a_read_only_key_gets_a_plan_and_is_told_what_it_lacks(sandbox: Sandbox):
    plan = reader(sandbox).plan(ALL)

    assert plan.lacks == "Data model"
    assert [step.do for step in plan.steps] == [step.do for step in sandbox.schema.plan(ALL).steps]


def test_a_read_only_key_creates_nothing_and_says_why(sandbox: Sandbox):
    with pytest.raises(ReconnectError) as caught:
        reader(sandbox).apply(ALL)

    assert caught.value.code == "crm_permission"
    assert "its role lacks “Data model”" in str(caught.value)
    assert made(sandbox) == 0


def test_what_a_read_only_key_cannot_see_is_not_known(sandbox: Sandbox):
    sandbox.schema.apply(ALL)

    plan = reader(sandbox).plan(ALL)

    assert plan.lacks == ""
    assert {step.do for step in plan.steps} == {"right"}
    unsure = {step.field for step in plan.steps if "not known" in step.why}
    assert unsure == {"whopUserId", "whopMembershipId", "whopId"}


# --- what a person changed


def drifted(sandbox: Sandbox, names: Names | None = None) -> dict[str, str]:
    schema = TwentySchema(sandbox.client, names=names) if names else sandbox.schema
    sandbox.fresh()
    plan = schema.apply(ALL)
    assert made(sandbox) == 0
    return {f"{step.object}.{step.field or ''}": step.why for step in plan.steps if step.do != "right"}


def test_what_a_person_called_otherwise_is_told_and_left(sandbox: Sandbox):
    sandbox.schema.apply(ALL)
    change(sandbox, "person", "whopUserId", label="Customer", description="Ours", icon="IconHeart")
    change(sandbox, "whopProduct", None, labelSingular="Good", labelPlural="Goods", icon="IconBox")

    told = drifted(sandbox)

    assert told == {
        "person.whopUserId": "Its name is “Customer” in Twenty and “Whop user” in the mapping.",
        "whopProduct.": (
            "Its name is “Good” in Twenty and “Whop product” in the mapping; its plural is “Goods” in Twenty "
            "and “Whop products” in the mapping; its icon is “IconBox” in Twenty and “IconPackage” in the "
            "mapping."
        ),
    }


def test_options_that_a_person_changed_are_told_and_left(sandbox: Sandbox):
    sandbox.schema.apply(ALL)
    options = sandbox.objects()["opportunity"]["fields"]["whopMembershipStatus"]["options"]
    options[0] = {**options[0], "label": "Paying"}
    options.append({"label": "Mine", "value": "MINE", "color": "red", "position": 9})
    change(sandbox, "opportunity", "whopMembershipStatus", options=options)

    told = drifted(sandbox)

    assert told["opportunity.whopMembershipStatus"] == (
        "Its option Active is “Paying” in Twenty and “Active” in the mapping; "
        "it has a further option, “Mine”."
    )


def test_what_was_renamed_is_known_by_its_id(sandbox: Sandbox):
    names = sandbox.schema.apply(ALL).names
    change(sandbox, "person", "whopUserId", name="customerId")
    change(sandbox, "person", "phones", name="phonesOld")  # Twenty's own field, and one of ours
    change(sandbox, "whopProduct", None, nameSingular="good", namePlural="goods")

    told = drifted(sandbox, names)

    assert told == {
        "person.whopUserId": "It is customerId in Twenty's API now, and is written there.",
        "person.phones": "It is phonesOld in Twenty's API now, and is written there.",
        "whopProduct.": (
            "It is good in Twenty's API now, and is written there; its plural is goods in Twenty's API now, "
            "and is written there."
        ),
    }
    plan = TwentySchema(sandbox.client, names=names).plan(ALL)
    assert plan.names.field("person", "whopUserId") == "customerId"
    assert plan.names.plural("whopProduct", "whopProducts") == "goods"


def test_without_its_id_a_renamed_field_is_made_again(sandbox: Sandbox):
    sandbox.schema.apply(ALL)
    change(sandbox, "person", "whopUserId", name="customerId")

    assert [step.field for step in sandbox.schema.plan(ALL).changes] == ["whopUserId"]


def test_a_field_that_was_deleted_is_planned_anew_and_said_so(sandbox: Sandbox):
    names = sandbox.schema.apply(ALL).names
    field = sandbox.objects()["person"]["fields"]["whopUserId"]["id"]
    sandbox.rest("DELETE", f"metadata/fields/{field}")
    schema = TwentySchema(sandbox.client, names=names)

    [step] = schema.plan(ALL).changes
    again = schema.apply(ALL)

    assert (step.field, step.do) == ("whopUserId", "create")
    assert "made again, empty" in step.why
    assert (known := again.names.known("person", "whopUserId")) is not None
    assert known.id not in (field, "")


def test_a_field_named_as_another_of_ours_is_a_conflict(sandbox: Sandbox):
    names = sandbox.schema.apply([renamed(PERSON, "whopUsername", "whopNick"), PRODUCT, OPPORTUNITY]).names
    change(sandbox, "person", "whopUserId", name="whopUsername")
    schema = TwentySchema(sandbox.client, names=names)

    [step] = schema.plan(ALL).conflicts

    assert step.why == (
        "“Whop user name” of “Person” cannot be made: "
        "another of our fields is called whopUsername in Twenty now."
    )
    assert step.at == "/settings/objects/people"


def test_the_version_is_that_before_the_model_was_read(sandbox: Sandbox):
    done = sandbox.schema.apply(ALL)

    assert done.version == sandbox.writer.account().schema_version


@pytest.mark.parametrize("page", ["objects", "fields"])
def test_a_long_list_is_read_to_its_end_by_graphql_too(sandbox: Sandbox, page: str):
    sandbox.schema.apply(ALL)
    schema = reader(sandbox)
    whole = schema.plan(ALL)
    mistaken = {"data": {page: {"edges": [], "pageInfo": {"hasNextPage": True, "endCursor": "gone"}}}}
    sandbox.fault(page, {"status": 200, "body": mistaken}, times=1)

    assert schema.plan(ALL).steps == whole.steps


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

    assert {step.do for step in sandbox.schema.plan(ALL).steps} == {"create", "right"}
