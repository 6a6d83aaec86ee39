"""The traps of writing and reading records: each test is one that a connector has to survive."""

import base64
import json
from uuid import uuid4

import pytest
from twenty_helpers import BOTH, Clock, Twenty, email, error_of


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def twenty(clock: Clock) -> Twenty:
    return Twenty(now=clock).with_fields()


def test_a_write_that_changes_nothing_still_moves_updated_at(twenty: Twenty) -> None:
    made = twenty.person(jobTitle="same")

    again = twenty.rest("PATCH", f"/rest/people/{made['id']}", {"jobTitle": "same"})

    assert again["data"]["updatePerson"]["updatedAt"] > made["updatedAt"]


def test_an_upsert_brings_back_what_a_user_deleted(twenty: Twenty) -> None:
    made = twenty.person(whopUserId="u1")
    twenty.rest("DELETE", f"/rest/people/{made['id']}?soft_delete=true")

    twenty.people([{"id": made["id"], "jobTitle": "back"}], upsert=True)

    assert twenty.by_id(made["id"])["deletedAt"] is None


def test_an_upsert_by_the_id_of_a_destroyed_row_makes_a_ghost(twenty: Twenty, clock: Clock) -> None:
    made = twenty.person(whopUserId="u1")
    twenty.rest("DELETE", f"/rest/people/{made['id']}")
    clock.at += 60

    (ghost,) = twenty.people([{"id": made["id"], "jobTitle": "x"}], upsert=True)

    assert ghost["whopUserId"] == ""
    assert ghost["createdAt"] > made["createdAt"]


def test_an_upsert_keeps_who_made_the_row_and_a_create_takes_it(twenty: Twenty) -> None:
    maker = {"source": "IMPORT", "name": "Whop"}
    made = twenty.person(createdBy=maker)

    twenty.people([{"id": made["id"], "createdBy": {"source": "MANUAL", "name": "x"}}], upsert=True)

    kept = twenty.by_id(made["id"])["createdBy"]
    assert (kept["source"], kept["name"]) == ("IMPORT", "Whop")


def test_a_ghost_is_destroyed_only_while_nobody_touched_it(twenty: Twenty) -> None:
    (ghost,) = twenty.people([{"id": str(uuid4()), "jobTitle": "x"}], upsert=True)
    guard = [{"createdAt": {"eq": ghost["createdAt"]}}, {"updatedAt": {"eq": ghost["updatedAt"]}}]
    destroy = "mutation($f:PersonFilterInput){destroyPeople(filter:$f){id}}"
    asked = {"and": [{"id": {"in": [ghost["id"]]}}, *guard]}

    twenty.rest("PATCH", f"/rest/people/{ghost['id']}", {"jobTitle": "touched"})
    lost = twenty.gql(destroy, f=asked)

    assert lost["data"]["destroyPeople"] == []
    assert twenty.by_id(ghost["id"]) is not None


def test_updates_before_the_failing_one_stay_written(twenty: Twenty) -> None:
    first, second, third = twenty.people([{"jobTitle": "old"} for _ in range(3)])
    rows = [{"id": each["id"], "jobTitle": "new"} for each in (first, second, third)]
    rows[1]["companyId"] = str(uuid4())

    answer = twenty.create("People", "id", rows, upsert=True)

    assert "violates foreign key" in error_of(answer)[0]
    titles = [twenty.by_id(each["id"])["jobTitle"] for each in (first, second, third)]
    assert titles == ["new", "old", "old"]


def test_a_refused_create_writes_none_of_its_rows(twenty: Twenty) -> None:
    taken = twenty.person(emails=email("a@x.test"))
    before = len(twenty.stored())

    answer = twenty.create(
        "People", "id", [{"jobTitle": "1"}, {"emails": email("A@x.test")}, {"jobTitle": "3"}]
    )

    assert error_of(answer)[1]["conflictingRecordId"] == taken["id"]
    assert len(twenty.stored()) == before


@pytest.mark.parametrize("held_by", ["its own id", "a soft-deleted row", "another row of the batch"])
def test_a_conflict_names_only_a_living_holder_of_a_unique_field(twenty: Twenty, held_by: str) -> None:
    made = twenty.person(whopUserId="u1")
    row = {"id": made["id"]} if held_by == "its own id" else {"whopUserId": "u1"}
    if held_by == "a soft-deleted row":
        twenty.rest("DELETE", f"/rest/people/{made['id']}?soft_delete=true")
    rows = [{"whopUserId": "u2"}, {"whopUserId": "u2"}] if held_by.startswith("another") else [row]

    message, extensions = error_of(twenty.create("People", "id", rows))

    assert message == "A duplicate entry was detected"
    assert "conflictingRecordId" not in extensions


def test_by_rest_a_conflict_names_nobody(twenty: Twenty) -> None:
    twenty.person(whopUserId="u1")

    answer = twenty.rest("POST", "/rest/people", {"whopUserId": "u1"})

    assert answer == {
        "statusCode": 400,
        "error": "BadRequestException",
        "messages": ["A duplicate entry was detected"],
    }


def test_an_upsert_answers_updates_before_inserts(twenty: Twenty) -> None:
    twenty.person(whopUserId="old")

    answer = twenty.people([{"whopUserId": "new"}, {"whopUserId": "old"}], upsert=True)

    assert [row["whopUserId"] for row in answer] == ["old", "new"]


def test_a_record_whose_keys_are_two_rows_is_refused(twenty: Twenty) -> None:
    twenty.person(whopUserId="u1")
    twenty.person(emails=email("b@x.test"))

    answer = twenty.create("People", "id", [{"whopUserId": "u1", "emails": email("b@x.test")}], upsert=True)

    message, extensions = error_of(answer)
    assert "emails.primaryEmail: b@x.test, whopUserId: u1" in message
    assert extensions["subCode"] == "UPSERT_MULTIPLE_MATCHING_RECORDS_CONFLICT"


def test_update_people_writes_soft_deleted_rows_unless_told_otherwise(twenty: Twenty) -> None:
    dead, alive = twenty.people([{}, {}])
    twenty.rest("DELETE", f"/rest/people/{dead['id']}?soft_delete=true")
    update = "mutation($f:X,$d:X!){updatePeople(filter:$f,data:$d){id}}"
    ids = {"id": {"in": [dead["id"], alive["id"]]}}

    both = twenty.gql(update, f=ids, d={"jobTitle": "1"})["data"]["updatePeople"]
    living = twenty.gql(update, f={"and": [ids, {"deletedAt": {"is": "NULL"}}]}, d={"jobTitle": "2"})

    assert {row["id"] for row in both} == {dead["id"], alive["id"]}
    assert [row["id"] for row in living["data"]["updatePeople"]] == [alive["id"]]
    assert twenty.by_id(dead["id"])["deletedAt"] is not None


def test_lists_hide_deleted_rows_unless_the_filter_speaks_of_them(twenty: Twenty) -> None:
    made = twenty.person(whopUserId="u1")
    twenty.rest("DELETE", f"/rest/people/{made['id']}?soft_delete=true")
    ask = "query($f:X){people(filter:$f){edges{node{id}}}}"

    hidden = twenty.gql(ask, f={"whopUserId": {"eq": "u1"}})["data"]["people"]["edges"]
    shown = twenty.gql(ask, f={"and": [{"whopUserId": {"in": ["u1"]}}, BOTH]})["data"]["people"]["edges"]

    assert hidden == []
    assert shown == [{"node": {"id": made["id"]}}]


def test_a_list_without_first_is_cut_at_200_without_a_word(twenty: Twenty) -> None:
    twenty.people([{} for _ in range(200)])
    twenty.people([{} for _ in range(50)])

    cut = twenty.gql("{people{totalCount edges{node{id}}}}")["data"]["people"]
    asked = twenty.gql("{people(first:1000){edges{node{id}}}}")["data"]["people"]

    assert (cut["totalCount"], len(cut["edges"]), len(asked["edges"])) == (250, 200, 250)


def test_a_walk_by_cursor_meets_every_row_once(twenty: Twenty, clock: Clock) -> None:
    for at in range(30):
        clock.at += at % 3
        twenty.person(jobTitle=str(at % 4))
    ask = (
        "query($a:String){people(first:7,after:$a,orderBy:[{jobTitle:DescNullsLast},{updatedAt:AscNullsFirst}])"
        "{pageInfo{hasNextPage endCursor} edges{cursor node{id jobTitle}}}}"
    )
    seen, cursor, more = [], None, True

    while more:
        page = twenty.gql(ask, a=cursor)["data"]["people"]
        seen += [edge["node"] for edge in page["edges"]]
        cursor, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]

    assert len({row["id"] for row in seen}) == len(seen) == 30
    assert [row["jobTitle"] for row in seen] == sorted((row["jobTitle"] for row in seen), reverse=True)


def test_a_cursor_is_the_json_of_the_order_and_the_id(twenty: Twenty) -> None:
    made = twenty.person()

    page = twenty.rest("GET", "/rest/people?order_by=createdAt[AscNullsFirst]")["pageInfo"]

    assert json.loads(base64.b64decode(page["endCursor"])) == {
        "createdAt": made["createdAt"],
        "id": made["id"],
    }


def test_a_deleted_contact_reads_null_when_it_is_nested(twenty: Twenty) -> None:
    contact = twenty.person()
    twenty.rest("POST", "/rest/opportunities", {"name": "o", "pointOfContactId": contact["id"]})
    twenty.rest("DELETE", f"/rest/people/{contact['id']}?soft_delete=true")
    alone = "{opportunities{edges{node{pointOfContactId}}}}"
    nested = "{opportunities{edges{node{pointOfContactId pointOfContact{id}}}}}"

    first = twenty.gql(alone)["data"]["opportunities"]["edges"][0]["node"]
    second = twenty.gql(nested)["data"]["opportunities"]["edges"][0]["node"]

    assert first == {"pointOfContactId": contact["id"]}
    assert second == {"pointOfContactId": None, "pointOfContact": None}


def test_destroying_a_contact_clears_it_without_moving_updated_at(twenty: Twenty, clock: Clock) -> None:
    contact = twenty.person()
    body = {"name": "o", "pointOfContactId": contact["id"]}
    made = twenty.rest("POST", "/rest/opportunities", body)["data"]["createOpportunity"]
    clock.at += 60

    twenty.rest("DELETE", f"/rest/people/{contact['id']}")

    left = twenty.by_id(made["id"], "opportunities")
    assert (left["pointOfContactId"], left["updatedAt"]) == (None, made["updatedAt"])


def test_a_note_takes_its_links_along_when_it_is_deleted(twenty: Twenty) -> None:
    note = twenty.rest("POST", "/rest/notes", {"title": "n", "bodyV2": {"markdown": "**a**"}})["data"][
        "createNote"
    ]
    person = twenty.person()
    twenty.rest("POST", "/rest/noteTargets", {"noteId": note["id"], "targetPersonId": person["id"]})

    twenty.rest("DELETE", f"/rest/notes/{note['id']}?soft_delete=true")

    assert twenty.rest("GET", "/rest/noteTargets")["totalCount"] == 0


def test_a_merge_destroys_the_loser_and_moves_its_opportunities(twenty: Twenty) -> None:
    kept = twenty.person(emails=email("a@x.test"))
    lost = twenty.person(emails=email("b@x.test"), whopUserId="u2")
    twenty.rest("POST", "/rest/opportunities", {"name": "o", "pointOfContactId": lost["id"]})

    twenty.rest("PATCH", "/rest/people/merge", {"ids": [kept["id"], lost["id"]], "conflictPriorityIndex": 0})

    survivor = twenty.by_id(kept["id"])
    assert twenty.by_id(lost["id"]) is None
    assert survivor["emails"] == {"primaryEmail": "a@x.test", "additionalEmails": ["b@x.test"]}
    assert survivor["whopUserId"] == "u2"
    assert twenty.stored("opportunities")[0]["pointOfContactId"] == kept["id"]


def test_a_graphql_merge_loses_what_it_did_not_select(twenty: Twenty) -> None:
    kept, lost = twenty.person(), twenty.person(whopUserId="u2")

    twenty.gql("mutation($i:[UUID!]!){mergePeople(ids:$i){id}}", i=[kept["id"], lost["id"]])

    assert twenty.by_id(kept["id"])["whopUserId"] == ""


def test_relations_come_nested_from_both_sides(twenty: Twenty) -> None:
    contact = twenty.person(name={"firstName": "Ada"})
    twenty.rest("POST", "/rest/opportunities", {"name": "o", "pointOfContactId": contact["id"]})
    inside = "totalCount edges{node{name pointOfContact{name{firstName}}}}"
    ask = f"{{people{{edges{{node{{pointOfContactForOpportunities{{{inside}}}}}}}}}}}"

    node = twenty.gql(ask)["data"]["people"]["edges"][0]["node"]["pointOfContactForOpportunities"]

    inner = {"name": "o", "pointOfContact": {"name": {"firstName": "Ada"}}}
    assert node == {"totalCount": 1, "edges": [{"node": inner}]}


def test_depth_1_brings_the_related_rows(twenty: Twenty) -> None:
    contact = twenty.person()
    twenty.rest("POST", "/rest/opportunities", {"name": "o", "pointOfContactId": contact["id"]})

    flat = twenty.rest("GET", "/rest/opportunities")["data"]["opportunities"][0]
    deep = twenty.rest("GET", "/rest/opportunities?depth=1")["data"]["opportunities"][0]

    assert "pointOfContact" not in flat
    assert deep["pointOfContact"]["id"] == contact["id"]
    assert deep["noteTargets"] == []


def test_the_batch_cap_is_a_setting() -> None:
    old = Twenty(batch_cap=60)

    answer = old.rest("POST", "/rest/batch/people", [{} for _ in range(61)])

    assert answer["messages"] == ["Maximum number of records to upsert is 60."]


def test_a_phone_is_split_whatever_form_it_has(twenty: Twenty) -> None:
    national = {"primaryPhoneNumber": "030 1234567", "primaryPhoneCountryCode": "DE"}
    twenty.person(phones=national)

    stored = twenty.stored()[0]["phones"]

    assert (stored["primaryPhoneNumber"], stored["primaryPhoneCallingCode"]) == ("301234567", "+49")


def test_literals_fragments_and_aliases_are_read(twenty: Twenty) -> None:
    made = twenty.person(whopUserId="u1", emails=email("a@x.test", "b@x.test"))
    ask = (
        'query{found:people(filter:{whopUserId:{in:["u1"]}},first:5){edges{node{...Keys}}}}'
        "fragment Keys on Person{key:whopUserId emails{primaryEmail all:additionalEmails} id}"
    )

    node = twenty.gql(ask)["data"]["found"]["edges"][0]["node"]

    emails = {"primaryEmail": "a@x.test", "all": ["b@x.test"]}
    assert node == {"key": "u1", "emails": emails, "id": made["id"]}


def test_two_root_fields_answer_apart(twenty: Twenty) -> None:
    answer = twenty.gql('mutation{createPerson(data:{jobTitle:1}){id} createCompany(data:{name:"c"}){name}}')

    assert answer["data"] == {"createPerson": None, "createCompany": {"name": "c"}}
    assert answer["errors"][0]["extensions"]["subCode"] == "INVALID_ARGS_DATA"


def test_an_index_follows_updates_and_deletions(twenty: Twenty) -> None:
    made = twenty.person(jobTitle="a")
    ask = "query($t:[String]){people(filter:{jobTitle:{in:$t}}){totalCount}}"
    counts = [twenty.gql(ask, t=["a"])["data"]["people"]["totalCount"]]

    twenty.rest("PATCH", f"/rest/people/{made['id']}", {"jobTitle": "b"})
    counts += [twenty.gql(ask, t=[each])["data"]["people"]["totalCount"] for each in "ab"]
    twenty.rest("DELETE", f"/rest/people/{made['id']}")
    counts.append(twenty.gql(ask, t=["b"])["data"]["people"]["totalCount"])

    assert counts == [1, 0, 1, 0]


def test_a_unique_value_that_was_given_up_is_free_again(twenty: Twenty) -> None:
    made = twenty.person(whopUserId="u1")
    twenty.rest("PATCH", f"/rest/people/{made['id']}", {"whopUserId": None})

    other = twenty.person(whopUserId="u1")

    assert other["id"] != made["id"]
