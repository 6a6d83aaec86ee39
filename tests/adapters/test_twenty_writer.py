"""The writer when things go wrong, over real HTTP: cut connections, limits, caps, misleading answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twenty_builders import (
    MAPPINGS,
    OPPORTUNITY,
    PERSON,
    PRODUCT,
    Sandbox,
    a_create,
    a_file,
    a_person,
    a_sandbox,
    an_id,
    an_opportunity,
    an_update,
    codes,
    email,
    left_out,
)

from connector.core.naming import CrmName, Names
from connector.crms.twenty.writer import TwentyWriter
from connector.errors import ReconnectError, SchemaError, TryLaterError
from connector.ports import Seek


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with a_sandbox() as sandbox:
        sandbox.schema.apply(list(MAPPINGS))
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    running.fresh()
    running.writer = TwentyWriter(running.client)
    yield running
    running.fresh()


def people(count: int, **values):
    return [a_person(an_id(), **values) for _ in range(count)]


def sent(sandbox: Sandbox, operation: str = "createPeople") -> int:
    return sandbox.requests().get(operation, 0)


def test_a_create_that_was_cut_off_after_the_commit_is_found_done(sandbox: Sandbox):
    writes = people(30)
    sandbox.fault("createPeople", {"cut": "after"}, times=1)

    with pytest.raises(TryLaterError):
        sandbox.apply(PERSON, *writes)
    results = sandbox.apply(PERSON, *writes)

    assert codes(results) == [None] * 30
    assert [result.crm_id for result in results] == [write.crm_id for write in writes]
    assert all(result.created_at and result.updated_at for result in results)


@pytest.mark.parametrize(
    "fault",
    [
        {"cut": "before"},
        {"truncate": 40},
        {"status": 200, "body": "<html>Please wait</html>"},
        {"status": 400, "body": {"statusCode": 400, "error": "Error", "messages": ["connect ECONNREFUSED"]}},
        {"status": 502, "body": "<html>Bad gateway</html>"},
        {"status": 200, "body": {"data": None}},
        {"status": 200, "body": {"data": {"createPeople": None}}},
        {"graphql_error": {"message": "connect ECONNREFUSED", "extensions": {"code": "INTERNAL_ERROR"}}},
        {"graphql_error": {"message": "Query read timeout"}, "when": "after"},
    ],
)  # fmt: skip
def test_trouble_of_the_server_is_waited_out_and_then_repeated_safely(sandbox: Sandbox, fault: dict):
    writes = people(3)
    sandbox.fault("createPeople", fault, times=1)

    with pytest.raises(TryLaterError):
        sandbox.apply(PERSON, *writes)

    assert codes(sandbox.apply(PERSON, *writes)) == [None] * 3
    assert {write.crm_id for write in writes} <= sandbox.stored().keys()


def test_a_look_up_that_is_cut_off_is_asked_again(sandbox: Sandbox):
    [write] = people(1)
    sandbox.apply(PERSON, write)
    sandbox.fault("people", {"cut": "before"}, times=1)

    assert sandbox.look(PERSON, write.crm_id)[0].by_id


def test_an_answer_without_its_list_is_passing_trouble(sandbox: Sandbox):
    sandbox.fault("people", {"status": 200, "body": {"data": {"people": None}}})

    with pytest.raises(TryLaterError):
        sandbox.look(PERSON, an_id())


def test_a_withdrawn_key_asks_for_a_new_one(sandbox: Sandbox):
    [write] = people(1)
    for act, code in (("revoke", "crm_credential"), ("expire", "crm_credential"), ("renew", None)):
        sandbox.control("POST", "keys", {"do": act})
        if code:
            with pytest.raises(ReconnectError) as caught:
                sandbox.apply(PERSON, write)
            assert caught.value.code == code

    assert codes(sandbox.apply(PERSON, write)) == [None]


def test_a_role_without_the_right_is_told_as_such(sandbox: Sandbox):
    key = sandbox.control("POST", "keys", {"do": "new", "role": "read_only"})["key"]

    with pytest.raises(ReconnectError) as caught:
        TwentyWriter(sandbox.client_with(key)).apply(PERSON, people(2))

    assert caught.value.code == "crm_permission"


def test_a_field_that_is_gone_stops_the_run(sandbox: Sandbox):
    mapping = a_file("  name: {from: id}\n  unheardOf: {from: id, type: text, label: U}\n")
    write = a_create("opportunity", an_id(), unheardOf="x")

    with pytest.raises(SchemaError):
        sandbox.apply(mapping, write)


# --- refused batches, in few requests


@pytest.mark.parametrize("place", [0, 120, 199])
def test_one_bad_value_that_the_server_names_costs_one_request_more(sandbox: Sandbox, place: int):
    writes = people(200)
    writes[place] = a_person(an_id(), emails={"primaryEmail": "nobody"})

    results = sandbox.apply(PERSON, *writes)

    assert [n for n, code in enumerate(codes(results)) if code] == [place]
    assert results[place].error.field == "emails"
    assert sandbox.requests()["total"] == 2


@pytest.mark.parametrize("place", [0, 77, 199])
def test_one_bad_record_that_nothing_names_costs_ten_requests_more(sandbox: Sandbox, place: int):
    mapping = a_file("  name: {from: id}\n  shopLink: {from: status, using: trim, type: links, label: L}\n")
    sandbox.schema.apply([mapping])
    writes = [a_create("opportunity", an_id(), name="n") for _ in range(200)]
    writes[place] = a_create("opportunity", an_id(), shopLink={"primaryLinkUrl": "nowhere"})
    sandbox.fresh()

    results = sandbox.apply(mapping, *writes)

    assert [n for n, code in enumerate(codes(results)) if code] == [place]
    assert results[place].error.field == "shopLink"
    assert sent(sandbox, "createOpportunities") <= 11


def test_very_many_bad_records_cost_two_requests_each_at_most(sandbox: Sandbox):
    mapping = a_file("  name: {from: id}\n  shopLink: {from: status, using: trim, type: links, label: L}\n")
    sandbox.schema.apply([mapping])
    bad = {"primaryLinkUrl": "nowhere"}
    writes = [a_create("opportunity", an_id(), shopLink=bad) for _ in range(50)]
    sandbox.fresh()

    results = sandbox.apply(mapping, *writes)

    assert codes(results) == ["crm_bad_value"] * 50
    assert sent(sandbox, "createOpportunities") <= 110


def test_a_value_no_record_may_have_fails_all_that_have_it_at_once(sandbox: Sandbox):
    writes = [an_opportunity(an_id(), stage="WON" if n % 2 else "NEW") for n in range(100)]

    results = sandbox.apply(OPPORTUNITY, *writes)

    assert codes(results) == [None, "crm_bad_value"] * 50
    assert results[1].error.field == "stage"
    assert sent(sandbox, "createOpportunities") == 2


def test_a_field_that_must_not_be_empty_is_named(sandbox: Sandbox):
    writes = [an_opportunity(an_id()) for _ in range(4)]
    made = sandbox.apply(OPPORTUNITY, *writes)
    changes = [an_update(*pair, stage="CUSTOMER") for pair in zip(writes, made, strict=True)]
    changes[2] = an_update(writes[2], made[2], stage=None)

    results = sandbox.apply(OPPORTUNITY, *changes)

    assert codes(results) == [None, None, "crm_bad_value", None]
    assert results[2].error.field == "stage"


def test_a_bad_phone_number_is_named_though_the_server_tells_no_field(sandbox: Sandbox):
    writes = people(3)
    writes[1] = a_person(an_id(), phones={"primaryPhoneNumber": "+1"})

    results = sandbox.apply(PERSON, *writes)

    assert codes(results) == [None, "crm_bad_value", None]
    assert results[1].error.field == "phones"
    assert sent(sandbox) == 2


def test_records_that_are_there_already_are_done_with_one_look_up(sandbox: Sandbox):
    writes = people(100)
    sandbox.apply(PERSON, *writes[::2])
    sandbox.fresh()

    results = sandbox.apply(PERSON, *writes)

    assert codes(results) == [None] * 100
    assert (sent(sandbox), sent(sandbox, "people")) == (2, 1)


def test_taken_keys_are_told_with_one_look_up(sandbox: Sandbox):
    holders = people(5, emails=None)
    sandbox.apply(PERSON, *holders)
    clashes = [a_person(an_id(), whopUserId=holder.values["whopUserId"]) for holder in holders]
    sandbox.fresh()

    results = sandbox.apply(PERSON, *people(50), *clashes)

    assert codes(results) == [None] * 50 + ["crm_duplicate"] * 5
    assert (sent(sandbox), sent(sandbox, "people")) == (2, 1)


def test_of_two_records_with_one_key_the_first_is_written(sandbox: Sandbox):
    twins = people(2, emails=email(f"{an_id()}@example.com"))

    results = sandbox.apply(PERSON, *people(3), *twins, *people(3))

    assert codes(results) == [None] * 4 + ["crm_duplicate"] + [None] * 3


def test_a_contact_that_is_gone_is_told_with_one_look_up(sandbox: Sandbox):
    contacts = people(3)
    sandbox.apply(PERSON, *contacts)
    sandbox.destroy("people", contacts[1].crm_id)
    writes = [an_opportunity(an_id(), pointOfContact=contacts[n % 3].crm_id) for n in range(60)]
    sandbox.fresh()

    results = sandbox.apply(OPPORTUNITY, *writes)

    assert codes(results) == [None] * 60
    assert left_out(results) == [(), ("pointOfContact",), ()] * 20
    assert (sent(sandbox, "createOpportunities"), sent(sandbox, "people")) == (2, 1)


def test_an_update_to_a_taken_key_is_named_by_the_server(sandbox: Sandbox):
    writes = people(50)
    made = sandbox.apply(PERSON, *writes)
    changes = [an_update(*pair, whopUsername="u") for pair in zip(writes, made, strict=True)]
    changes[30] = an_update(writes[30], made[30], whopUserId=writes[0].values["whopUserId"])
    sandbox.fresh()

    results = sandbox.apply(PERSON, *changes)

    assert [n for n, code in enumerate(codes(results)) if code] == [30]
    assert results[30].error.field == "whopUserId"
    assert sandbox.requests()["total"] == 2


# --- sizes and limits


def test_the_cap_of_an_older_server_is_learned_and_remembered():
    with a_sandbox(batch_cap=60) as older:
        older.schema.apply(list(MAPPINGS))
        older.fresh()

        assert codes(older.apply(PERSON, *people(150))) == [None] * 150
        assert older.writer.batch_size() == 60
        assert sent(older) == 4
        older.apply(PERSON, *people(60))
        assert sent(older) == 5


def test_a_request_that_is_too_large_goes_in_smaller_ones(sandbox: Sandbox):
    writes = people(8, whopUsername="x" * 2_000_000)

    assert codes(sandbox.apply(PERSON, *writes)) == [None] * 8
    assert sandbox.writer.batch_size() == 200


def test_a_record_that_is_too_large_by_itself_fails(sandbox: Sandbox):
    huge = a_person(an_id(), whopUsername="x" * 11_000_000)

    assert codes(sandbox.apply(PERSON, huge, *people(2))) == ["crm_bad_value", None, None]


def test_a_look_up_that_is_too_large_goes_in_halves(sandbox: Sandbox):
    writes = people(4)
    sandbox.apply(PERSON, *writes)
    sandbox.fault("people", {"status": 500, "body": "request entity too large"}, times=1)

    found = sandbox.look(PERSON, *(write.crm_id for write in writes))

    assert all(one.by_id for one in found)


def test_the_request_limit_is_waited_out(sandbox: Sandbox):
    limit = {"message": "Limit reached (100 tokens per 60000 ms)"}
    limit["extensions"] = {"code": "BAD_USER_INPUT", "subCode": "LIMIT_REACHED"}
    sandbox.fault("createPeople", {"graphql_error": limit}, times=3)

    assert codes(sandbox.apply(PERSON, *people(2))) == [None, None]
    assert sandbox.pauses == pytest.approx([0.6] * 3)


def test_a_limit_that_lasts_is_left_to_the_run(sandbox: Sandbox):
    sandbox.fault("createPeople", {"status": 429, "body": "slow down"})

    with pytest.raises(TryLaterError) as caught:
        sandbox.apply(PERSON, *people(2))

    assert caught.value.code == "crm_rate_limit"
    assert len(sandbox.pauses) == 20


def test_rows_that_a_key_hits_very_often_are_all_found(sandbox: Sandbox):
    writes = people(150, whopMemberId="mber_shared")
    sandbox.apply(PERSON, *writes)

    [found] = sandbox.look(PERSON, whopMemberId="mber_shared")

    assert len(found.by_key[0][1]) == 150


def test_phones_and_links_can_be_keys(sandbox: Sandbox):
    head = "version: 1\nsource: {kind: membership}\ntarget: {object: person}\nmatch: [phones, linkedinLink]\n"
    mapping = a_file(
        "  phones: {from: status, using: phone}\n  linkedinLink: {from: status, using: url}\n", head
    )
    link = {"primaryLinkUrl": f"https://a.com/{an_id()}"}
    same_national = people(1, phones={"primaryPhoneNumber": "+4912025550198"})
    [write] = people(1, phones={"primaryPhoneNumber": "+12025550198"})
    sandbox.apply(PERSON, write, *same_national)
    sandbox.rest("PATCH", f"people/{write.crm_id}", {"linkedinLink": link})

    [found] = sandbox.look(mapping, phones="+12025550198", linkedinLink=link["primaryLinkUrl"])

    assert [[row.id for row in rows] for _, rows in found.by_key] == [[write.crm_id]] * 2


def test_a_look_up_for_nothing_asks_nothing(sandbox: Sandbox):
    seek = Seek(people(1)[0].ref, "", ())

    assert sandbox.writer.look(PERSON, [seek])[seek.ref].by_id is None
    assert sandbox.writer.look(PERSON, []) == {}
    assert sandbox.requests()["total"] == 0


def test_nothing_to_write_sends_nothing(sandbox: Sandbox):
    [write] = people(1)
    [made] = sandbox.apply(PERSON, write)
    sandbox.fresh()

    [result] = sandbox.apply(PERSON, an_update(write, made))

    assert (result.crm_id, result.created_at, result.error) == (write.crm_id, made.created_at, None)
    assert sandbox.apply(PERSON) == []
    assert sandbox.requests()["total"] == 0


def test_the_account_is_the_workspace_of_the_key(sandbox: Sandbox):
    account = sandbox.writer.account()

    assert account.workspace_id
    assert account.schema_version > 0


def test_a_key_to_no_workspace_is_refused(sandbox: Sandbox):
    sandbox.fault("currentWorkspace", {"status": 200, "body": {"data": {"currentWorkspace": None}}})

    with pytest.raises(ReconnectError):
        sandbox.writer.account()


def test_renamed_fields_and_objects_are_written_and_found_under_their_new_names():
    with a_sandbox() as sandbox:
        sandbox.schema.apply(list(MAPPINGS))
        there = sandbox.objects()
        field, person = there["person"]["fields"]["whopUserId"], there["person"]
        sandbox.rest("PATCH", f"metadata/fields/{field['id']}", {"name": "customerId"})
        product = there["whopProduct"]["id"]
        sandbox.rest("PATCH", f"metadata/objects/{product}", {"nameSingular": "good", "namePlural": "goods"})
        fields = {"whopUserId": CrmName(field["id"], "customerId")}
        names = Names(
            {
                "person": CrmName(person["id"], "person", "people", fields),
                "whopProduct": CrmName(product, "good", "goods"),
            }
        )
        sandbox.writer = TwentyWriter(sandbox.client, names=names)
        goods = a_create("whopProduct", "prod_1", whopId="prod_1", name="Signals")

        made = [*sandbox.apply(PERSON, a_person("a")), *sandbox.apply(PRODUCT, goods)]
        [_, found] = sandbox.look(PERSON, made[0].crm_id or "", whopUserId="user_a")
        twice = sandbox.apply(PERSON, a_person("a"))

        assert codes(made) == [None, None]
        assert found.by_key[0][1][0].values["whopUserId"] == "user_a"
        assert twice[0].error is not None
        assert twice[0].error.field == "whopUserId"
        assert sandbox.rest("GET", f"goods/{made[1].crm_id}")["data"]["good"]["whopId"] == "prod_1"


# --- rows that are not as they were looked at


def changed(writes, made, **values):
    return [an_update(*pair, **values) for pair in zip(writes, made, strict=True)]


def differing(writes, made):
    """A change of its own for each: these have to go by an upsert."""
    pairs = zip(writes, made, strict=True)
    return [an_update(*pair, whopUsername=f"new {n}") for n, pair in enumerate(pairs)]


def test_one_change_for_many_rows_is_one_request_that_names_it_once(sandbox: Sandbox):
    writes = people(50)
    made = sandbox.apply(PERSON, *writes)
    sandbox.fresh()

    results = sandbox.apply(PERSON, *changed(writes, made, whopUsername="same"))

    assert codes(results) == [None] * 50
    assert [result.crm_id for result in results] == [write.crm_id for write in writes]
    rows = sandbox.stored()
    assert {rows[write.crm_id]["whopUsername"] for write in writes} == {"same"}
    assert [result.updated_at for result in results] == [rows[write.crm_id]["updatedAt"] for write in writes]
    assert (sent(sandbox), sent(sandbox, "updatePeople")) == (0, 1)


@pytest.mark.parametrize("others", [0, 5])
def test_one_change_leaves_alone_what_was_deleted_between_look_and_write(sandbox: Sandbox, others: int):
    writes = people(2 + others)
    made = sandbox.apply(PERSON, *writes)
    sandbox.trash("people", writes[0].crm_id)
    sandbox.destroy("people", writes[1].crm_id)

    results = sandbox.apply(PERSON, *changed(writes, made, whopUsername="back"))

    assert codes(results) == ["crm_record_gone"] * 2 + [None] * others
    rows = sandbox.stored()
    assert rows[writes[0].crm_id]["deletedAt"]
    assert rows[writes[0].crm_id]["whopUsername"] != "back"
    assert writes[1].crm_id not in rows


def test_many_changes_restore_what_was_deleted_between_look_and_write(sandbox: Sandbox):
    """The documented limit: an upsert by id restores it, and nothing in the answer tells."""
    writes = people(2)
    made = sandbox.apply(PERSON, *writes)
    sandbox.trash("people", writes[0].crm_id)

    results = sandbox.apply(PERSON, *differing(writes, made))

    assert codes(results) == [None, None]
    assert sandbox.stored()[writes[0].crm_id]["deletedAt"] is None


def test_a_ghost_is_destroyed_again(sandbox: Sandbox):
    writes = people(3)
    made = sandbox.apply(PERSON, *writes)
    sandbox.destroy("people", writes[1].crm_id)

    results = sandbox.apply(PERSON, *differing(writes, made))

    assert codes(results) == [None, "crm_record_gone", None]
    assert writes[1].crm_id not in sandbox.stored()


def opportunities_with_a_dead_contact(sandbox: Sandbox, bad: int):
    """Created, and a change for each of which one points at nobody."""
    writes = [an_opportunity(an_id(), name="before") for _ in range(6)]
    made = sandbox.apply(OPPORTUNITY, *writes)
    changes = [an_update(*pair, name=f"after {n}") for n, pair in enumerate(zip(writes, made, strict=True))]
    changes[bad] = an_update(writes[bad], made[bad], name=f"after {bad}", pointOfContact=an_id())
    sandbox.fresh()
    return writes, changes


def test_updates_that_stayed_of_a_refused_batch_are_read_back_and_not_sent_again(sandbox: Sandbox):
    writes, changes = opportunities_with_a_dead_contact(sandbox, 4)

    results = sandbox.apply(OPPORTUNITY, *changes)

    assert codes(results) == [None] * 6
    assert left_out(results)[4] == ("pointOfContact",)
    rows = sandbox.stored("opportunities")
    assert [rows[write.crm_id]["name"] for write in writes] == [
        "after 0", "after 1", "after 2", "after 3", "after 4", "after 5",
    ]  # fmt: skip
    assert [result.updated_at for result in results[:4]] == [rows[w.crm_id]["updatedAt"] for w in writes[:4]]
    asked = sandbox.control("GET", "stats")
    assert asked["rows"]["updated"]["opportunity"] == 6
    assert (sent(sandbox, "people"), sent(sandbox, "opportunities")) == (1, 1)


@pytest.mark.parametrize("destroyed", [False, True])
def test_what_was_deleted_before_a_refused_batch_is_not_sent_again(sandbox: Sandbox, destroyed: bool):
    writes, changes = opportunities_with_a_dead_contact(sandbox, 0)
    (sandbox.destroy if destroyed else sandbox.trash)("opportunities", writes[5].crm_id)

    results = sandbox.apply(OPPORTUNITY, *changes)

    assert codes(results) == [None] * 5 + ["crm_record_gone"]
    row = sandbox.stored("opportunities").get(writes[5].crm_id)
    assert row is None if destroyed else row["deletedAt"]


def test_a_row_that_is_to_be_restored_is_so_though_its_batch_was_refused(sandbox: Sandbox):
    writes, changes = opportunities_with_a_dead_contact(sandbox, 0)
    sandbox.trash("opportunities", writes[5].crm_id)
    changes[5] = changes[5]._replace(restores=True)

    results = sandbox.apply(OPPORTUNITY, *changes)

    assert codes(results) == [None] * 6
    assert sandbox.stored("opportunities")[writes[5].crm_id]["deletedAt"] is None


def test_two_changes_of_one_row_go_one_after_the_other(sandbox: Sandbox):
    """Two members whom somebody merged in the CRM are one row there."""
    writes = people(3)
    made = sandbox.apply(PERSON, *writes)
    first, last = (
        an_update(writes[0], made[0], whopUsername="first"),
        an_update(writes[0], made[0], whopMemberId="m"),
    )
    last = last._replace(ref=last.ref._replace(id="another"))

    results = sandbox.apply(PERSON, *differing(writes[1:], made[1:]), first, last)

    assert codes(results) == [None] * 4
    row = sandbox.stored()[writes[0].crm_id]
    assert (row["whopUsername"], row["whopMemberId"]) == ("first", "m")


# --- answers


def rows_of(writes):
    times = {"createdAt": "2026-11-20T12:00:00.000Z", "updatedAt": "2026-11-20T12:00:00.000Z"}
    return [{"id": write.crm_id, **times} for write in writes]


def test_an_answer_in_another_order_is_matched_by_id(sandbox: Sandbox):
    writes = people(5)
    body = {"data": {"createPeople": rows_of(reversed(writes))}}
    sandbox.fault("createPeople", {"status": 200, "body": body, "when": "after"}, times=1)

    results = sandbox.apply(PERSON, *writes)

    assert [(result.ref, result.crm_id) for result in results] == [(w.ref, w.crm_id) for w in writes]


def test_an_answer_that_leaves_records_out_is_no_answer_and_repeated(sandbox: Sandbox):
    writes = people(5)
    body = {"data": {"createPeople": rows_of(writes[:3])}}
    sandbox.fault("createPeople", {"status": 200, "body": body, "when": "after"}, times=1)

    with pytest.raises(TryLaterError) as caught:
        sandbox.apply(PERSON, *writes)

    assert caught.value.code == "crm_answer_incomplete"
    assert codes(sandbox.apply(PERSON, *writes)) == [None] * 5


def test_absence_after_a_time_out_proves_nothing(sandbox: Sandbox):
    """The create arrives after the look-up that did not see it."""
    [write] = people(1)
    sandbox.fault("createPeople", {"cut": "before"}, times=1)
    with pytest.raises(TryLaterError):
        sandbox.apply(PERSON, write)
    assert sandbox.look(PERSON, write.crm_id)[0].by_id is None

    late = {"id": write.crm_id, "whopUserId": write.values["whopUserId"]}
    sandbox.rest("POST", "people", late)
    [result] = sandbox.apply(PERSON, write)

    assert (result.error, result.crm_id) == (None, write.crm_id)
    assert [row["id"] for row in sandbox.stored().values() if row["whopUserId"] == late["whopUserId"]] == [
        write.crm_id
    ]
