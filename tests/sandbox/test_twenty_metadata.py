"""The schema over REST and GraphQL: what a change does to rows, to the version and to the other side."""

import pytest
from twenty_helpers import Twenty, error_of


@pytest.fixture
def twenty() -> Twenty:
    return Twenty()


def test_objects_are_listed_page_by_page(twenty: Twenty) -> None:
    every = twenty.rest("GET", "/rest/metadata/objects?limit=200")
    names, path = [], "/rest/metadata/objects?limit=5"

    while path:
        page = twenty.rest("GET", path)
        names += [each["nameSingular"] for each in page["data"]]
        after = page["pageInfo"]["endCursor"]
        more = page["pageInfo"]["hasNextPage"]
        path = f"/rest/metadata/objects?limit=5&starting_after={after}" if more else ""

    assert names == [each["nameSingular"] for each in every["data"]]
    assert len(names) == every["totalCount"]


def test_older_workspaces_wrap_their_answers() -> None:
    old = Twenty(new_metadata_format=False)
    objects = old.rest("GET", "/rest/metadata/objects?limit=200")["data"]["objects"]
    person = next(each["id"] for each in objects if each["nameSingular"] == "person")

    made = old.rest(
        "POST",
        "/rest/metadata/fields",
        {"objectMetadataId": person, "type": "TEXT", "name": "x", "label": "X"},
    )

    assert made["data"]["createOneField"]["name"] == "x"
    assert old.rest("GET", f"/rest/metadata/objects/{person}")["data"]["object"]["id"] == person


def test_every_schema_change_moves_the_version_and_no_record_does(twenty: Twenty) -> None:
    def version() -> int:
        return twenty.meta("{currentWorkspace{metadataVersion}}")["data"]["currentWorkspace"][
            "metadataVersion"
        ]

    start = version()
    field = twenty.field("person", type="TEXT", name="x", label="X")
    twenty.rest("POST", "/rest/people", {"x": "1"})
    twenty.rest("PATCH", f"/rest/metadata/fields/{field['id']}", {"label": "Y"})

    assert version() == start + 2


def test_a_new_field_reaches_the_rows_that_exist(twenty: Twenty) -> None:
    twenty.person()

    option = {"label": "A", "value": "A", "color": "green", "position": 0}
    twenty.field("person", type="SELECT", name="kind", label="Kind", options=[option], defaultValue="'A'")
    twenty.field("person", type="TEXT", name="key", label="Key", isUnique=True)

    row = twenty.rest("GET", "/rest/people")["data"]["people"][0]
    assert (row["kind"], row["key"]) == ("A", "")


def test_a_field_cannot_become_unique_over_duplicates(twenty: Twenty) -> None:
    field = twenty.field("person", type="TEXT", name="key", label="Key")
    for _ in range(2):
        twenty.rest("POST", "/rest/people", {"key": "same"})

    answer = twenty.send("PATCH", f"/rest/metadata/fields/{field['id']}", {"isUnique": True})

    assert answer.status_code == 500
    assert answer.get_json().startswith("Migration action 'create' for 'index'")
    assert twenty.rest("GET", f"/rest/metadata/fields/{field['id']}")["isUnique"] is False


def test_options_sent_without_id_get_new_ids_and_rows_keep_their_values(twenty: Twenty) -> None:
    options = [{"label": "A", "value": "A", "color": "green", "position": 0}]
    field = twenty.field("person", type="SELECT", name="kind", label="Kind", options=options)
    twenty.rest("POST", "/rest/people", {"kind": "A"})

    options.append({"label": "B", "value": "B", "color": "red", "position": 1})
    after = twenty.rest("PATCH", f"/rest/metadata/fields/{field['id']}", {"options": options})

    assert after["options"][0]["id"] != field["options"][0]["id"]
    assert twenty.stored()[0]["kind"] == "A"
    assert twenty.send("POST", "/rest/people", {"kind": "B"}).status_code == 201


def test_a_renamed_field_takes_its_values_along(twenty: Twenty) -> None:
    field = twenty.field("person", type="TEXT", name="key", label="Key", isUnique=True)
    twenty.rest("POST", "/rest/people", {"key": "1"})

    twenty.rest("PATCH", f"/rest/metadata/fields/{field['id']}", {"name": "other"})

    assert twenty.stored()[0]["other"] == "1"
    refused = twenty.rest("POST", "/rest/people", {"key": "2"})
    assert refused["messages"] == ['Object person doesn\'t have any "key" field.']
    assert twenty.send("POST", "/rest/people", {"other": "1"}).status_code == 400


def test_a_relation_stands_on_both_objects(twenty: Twenty) -> None:
    names = {"nameSingular": "plan1", "namePlural": "plan1s", "labelSingular": "P", "labelPlural": "Ps"}
    made = twenty.rest("POST", "/rest/metadata/objects", names)
    payload = {
        "type": "MANY_TO_ONE",
        "targetObjectMetadataId": made["id"],
        "targetFieldLabel": "Opportunities",
        "targetFieldIcon": "IconX",
    }
    twenty.field("opportunity", type="RELATION", name="plan1", label="Plan", relationCreationPayload=payload)
    plan = twenty.rest("POST", "/rest/plan1s", {"name": "p"})["data"]["createPlan1"]
    twenty.rest("POST", "/rest/opportunities", {"name": "o", "plan1Id": plan["id"]})

    deep = twenty.rest("GET", f"/rest/plan1s/{plan['id']}?depth=1")["data"]["plan1"]

    assert [each["name"] for each in deep["opportunities"]] == ["o"]
    note = twenty.rest("POST", "/rest/notes", {"title": "n"})["data"]["createNote"]
    target = {"noteId": note["id"], "targetPlan1Id": plan["id"]}
    assert twenty.send("POST", "/rest/noteTargets", target).status_code == 201


def test_a_deleted_object_takes_the_relations_to_it_along(twenty: Twenty) -> None:
    names = {"nameSingular": "thing", "namePlural": "things", "labelSingular": "T", "labelPlural": "Ts"}
    made = twenty.rest("POST", "/rest/metadata/objects", names)

    twenty.rest("DELETE", f"/rest/metadata/objects/{made['id']}")

    fields = twenty.rest("GET", f"/rest/metadata/objects/{twenty.object_id('noteTarget')}")["fields"]
    assert "targetThing" not in {field["name"] for field in fields}


def test_graphql_lists_fields_with_their_relations_and_without_uniqueness(twenty: Twenty) -> None:
    ask = (
        "query($o:UUID!){fields(paging:{first:200},filter:{objectMetadataId:{eq:$o}}){edges{node{name"
        " isUnique relation{type targetObjectMetadata{nameSingular} targetFieldMetadata{name}}}}}}"
    )

    edges = twenty.meta(ask, o=twenty.object_id("opportunity"))["data"]["fields"]["edges"]

    nodes = {edge["node"]["name"]: edge["node"] for edge in edges}
    assert nodes["name"] == {"name": "name", "isUnique": None, "relation": None}
    assert nodes["pointOfContact"]["relation"] == {
        "type": "MANY_TO_ONE",
        "targetObjectMetadata": {"nameSingular": "person"},
        "targetFieldMetadata": {"name": "pointOfContactForOpportunities"},
    }
    assert nodes["taskTargets"]["relation"]["targetFieldMetadata"] == {"name": "target"}


def test_graphql_lists_objects_with_their_fields(twenty: Twenty) -> None:
    ask = "{objects(paging:{first:100}){edges{node{nameSingular fieldsList{name type options}}}}}"

    edges = twenty.meta(ask)["data"]["objects"]["edges"]

    fields = {edge["node"]["nameSingular"]: edge["node"]["fieldsList"] for edge in edges}
    stage = next(field for field in fields["opportunity"] if field["name"] == "stage")
    assert [option["value"] for option in stage["options"]][:2] == ["NEW", "SCREENING"]


def test_a_read_only_key_sees_the_schema_by_graphql_alone(twenty: Twenty) -> None:
    twenty.client.post("/sandbox/keys", json={"do": "read_only"})

    assert twenty.send("GET", "/rest/metadata/objects").status_code == 403
    assert "errors" not in twenty.meta("{objects{edges{node{id}}}}")
    change = 'mutation{createOneField(input:{field:{objectMetadataId:"x",type:"TEXT",name:"a"}}){id}}'
    assert error_of(twenty.meta(change))[1]["code"] == "FORBIDDEN"
