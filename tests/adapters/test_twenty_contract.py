"""What the connector counts on in a Twenty, as behaviours of writer and schema keeper.

Runs against the sandbox, or against a real server: TWENTY_TEST_URL and TWENTY_TEST_API_KEY (a key of the
Admin role, of a workspace made for tests: objects, fields and records are made in it, and stay).
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator

import pytest
from twenty_builders import (
    MAPPINGS,
    OPPORTUNITY,
    PERSON,
    PRODUCT,
    Twenty,
    a_create,
    a_door,
    a_person,
    a_sandbox,
    an_id,
    an_opportunity,
    an_update,
    codes,
    email,
    left_out,
)

from connector.crms.twenty.writer import TwentyWriter
from connector.errors import ReconnectError


class Real(Twenty):
    """A real server. Its request limit is waited out."""

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)


@pytest.fixture(scope="module")
def twenty() -> Iterator[Twenty]:
    url, key = os.environ.get("TWENTY_TEST_URL"), os.environ.get("TWENTY_TEST_API_KEY")
    if url and key:
        door = a_door()
        yield Real(url, key, door)
        door.close()
    else:
        with a_sandbox() as sandbox:
            yield sandbox


@pytest.fixture(scope="module", autouse=True)
def provisioned(twenty: Twenty) -> None:
    twenty.schema.apply(list(MAPPINGS))


def new() -> str:
    """A name that no earlier run gave."""
    return uuid.uuid4().hex[:12]


def test_everything_the_mappings_need_is_there_after_one_apply(twenty: Twenty):
    assert {step.do for step in twenty.schema.plan(list(MAPPINGS)).steps} == {"right"}


def test_the_schema_version_moves_only_with_the_schema(twenty: Twenty):
    before = twenty.writer.account()

    twenty.schema.apply(list(MAPPINGS))
    twenty.apply(PERSON, a_person(new()))

    assert twenty.writer.account() == before


def test_a_key_that_is_none_has_to_be_replaced(twenty: Twenty):
    with pytest.raises(ReconnectError) as caught:
        type(twenty)(twenty.url, "nonsense", twenty.door).writer.account()

    assert caught.value.code == "crm_credential"


def test_a_created_record_reads_back_as_it_was_written(twenty: Twenty):
    name = new()
    values = {
        "name": {"firstName": "Ada", "lastName": "Bergström"},
        "emails": email(f"{name}@example.com"),
        "phones": {"primaryPhoneNumber": "+46701740605"},
        "whopCreatedAt": "2025-11-03T09:14:22.105Z",
    }
    write = a_person(name, **values)

    [result] = twenty.apply(PERSON, write)

    found = twenty.values(PERSON, write.crm_id)
    assert result.crm_id == write.crm_id
    assert {field: found[field] for field in values} == values
    assert found["whopUsername"] is None


def test_results_come_in_the_order_of_the_writes(twenty: Twenty):
    old = [a_person(new()) for _ in range(3)]
    made = twenty.apply(PERSON, *old)
    changes = [an_update(*pair, whopUsername=new()) for pair in zip(old, made, strict=True)]
    fresh = [a_person(new()) for _ in range(3)]
    mixed = [changes[2], fresh[1], changes[0], fresh[0], fresh[2], changes[1]]

    results = twenty.apply(PERSON, *mixed)

    assert [(result.ref, result.crm_id) for result in results] == [(w.ref, w.crm_id) for w in mixed]


def test_a_create_that_is_sent_again_is_done(twenty: Twenty):
    writes = [a_person(new()) for _ in range(5)]
    first = twenty.apply(PERSON, *writes)

    assert twenty.apply(PERSON, *writes, a_person(new()))[:5] == first


def test_one_bad_value_fails_its_record_only(twenty: Twenty):
    writes = [a_person(new()) for _ in range(20)]
    bad = a_person(new(), emails={"primaryEmail": "no address"})

    results = twenty.apply(PERSON, *writes[:7], bad, *writes[7:])

    assert codes(results) == [None] * 7 + ["crm_bad_value"] + [None] * 13
    assert results[7].error.field == "emails"


def test_a_key_of_another_record_fails_the_record_and_names_the_holder(twenty: Twenty):
    holder, other = a_person(new()), a_person(new())
    twenty.apply(PERSON, holder)
    clash = a_person(new(), whopUserId=holder.values["whopUserId"])

    results = twenty.apply(PERSON, clash, other)

    assert codes(results) == ["crm_duplicate", None]
    assert results[0].error.field == "whopUserId"
    assert holder.crm_id in str(results[0].error)


def test_a_key_of_a_deleted_record_is_still_taken(twenty: Twenty):
    gone = a_person(new(), emails=email(f"{new()}@example.com"))
    twenty.apply(PERSON, gone)
    twenty.trash("people", gone.crm_id)

    results = twenty.apply(PERSON, a_person(new(), emails=gone.values["emails"]), a_person(new()))

    assert codes(results) == ["crm_duplicate", None]
    assert "deleted" in str(results[0].error)


def test_a_create_whose_record_was_deleted_restores_nothing(twenty: Twenty):
    gone = a_person(new())
    twenty.apply(PERSON, gone)
    twenty.trash("people", gone.crm_id)

    results = twenty.apply(PERSON, gone, a_person(new()))

    assert codes(results) == ["crm_record_gone", None]
    assert twenty.look(PERSON, gone.crm_id)[0].by_id.deleted


def test_an_update_to_a_key_of_another_record_fails_that_record_only(twenty: Twenty):
    writes = [a_person(new()) for _ in range(4)]
    made = twenty.apply(PERSON, *writes)
    changes = [an_update(*pair, whopUsername="new") for pair in zip(writes, made, strict=True)]
    changes[1] = an_update(writes[1], made[1], whopUserId=writes[3].values["whopUserId"])

    results = twenty.apply(PERSON, *changes[:3])

    assert codes(results) == [None, "crm_duplicate", None]
    assert [twenty.values(PERSON, w.crm_id)["whopUsername"] for w in writes[:3]] == ["new", None, "new"]


def test_updates_that_a_refused_batch_kept_are_settled_with_the_rest(twenty: Twenty):
    writes = [an_opportunity(new(), name="before") for _ in range(3)]
    made = twenty.apply(OPPORTUNITY, *writes)
    changes = [an_update(*pair, name="after") for pair in zip(writes, made, strict=True)]
    changes[1] = an_update(writes[1], made[1], name="after", pointOfContact=an_id())

    results = twenty.apply(OPPORTUNITY, *changes)

    assert codes(results) == [None] * 3
    assert left_out(results) == [(), ("pointOfContact",), ()]
    rows = [found.by_id for found in twenty.look(OPPORTUNITY, *(write.crm_id for write in writes))]
    assert [row.values["name"] for row in rows] == ["after"] * 3
    assert [row.values["pointOfContact"] for row in rows] == [None] * 3
    assert [results[n].updated_at for n in (0, 2)] == [rows[n].updated_at for n in (0, 2)]


def test_an_opportunity_of_a_destroyed_contact_is_written_without_it(twenty: Twenty):
    alive, gone = a_person(new()), a_person(new())
    twenty.apply(PERSON, alive, gone)
    twenty.destroy("people", gone.crm_id)
    writes = [an_opportunity(new(), pointOfContact=person.crm_id) for person in (alive, gone, alive)]

    results = twenty.apply(OPPORTUNITY, *writes)

    assert codes(results) == [None] * 3
    assert left_out(results) == [(), ("pointOfContact",), ()]
    contacts = [twenty.values(OPPORTUNITY, write.crm_id)["pointOfContact"] for write in writes]
    assert contacts == [alive.crm_id, None, alive.crm_id]


def test_what_points_at_nothing_twice_is_written_without_both(twenty: Twenty):
    writes = [an_opportunity(new(), pointOfContact=an_id(), whopProduct=an_id()), an_opportunity(new())]

    results = twenty.apply(OPPORTUNITY, *writes)

    assert codes(results) == [None] * 2
    assert [sorted(names) for names in left_out(results)] == [["pointOfContact", "whopProduct"], []]


def test_a_contact_in_the_bin_is_no_obstacle(twenty: Twenty):
    contact = a_person(new())
    twenty.apply(PERSON, contact)
    twenty.trash("people", contact.crm_id)
    write = an_opportunity(new(), pointOfContact=contact.crm_id)

    assert codes(twenty.apply(OPPORTUNITY, write)) == [None]
    assert twenty.values(OPPORTUNITY, write.crm_id)["pointOfContact"] == contact.crm_id


def test_an_opportunity_of_a_destroyed_product_is_written_without_it(twenty: Twenty):
    product, gone = (a_create("whopProduct", new(), name="P", whopId=new()) for _ in range(2))
    twenty.apply(PRODUCT, product, gone)
    twenty.destroy("whopProducts", gone.crm_id)
    writes = [an_opportunity(new(), whopProduct=one.crm_id) for one in (gone, product)]

    results = twenty.apply(OPPORTUNITY, *writes)

    assert codes(results) == [None] * 2
    assert left_out(results) == [("whopProduct",), ()]


def test_an_update_of_a_destroyed_record_leaves_no_ghost(twenty: Twenty):
    gone, kept = a_person(new()), a_person(new())
    made = twenty.apply(PERSON, gone, kept)
    twenty.destroy("people", gone.crm_id)

    results = twenty.apply(
        PERSON,
        an_update(gone, made[0], whopUsername="ghost"),
        an_update(kept, made[1], whopUsername="kept"),
    )

    assert codes(results) == ["crm_record_gone", None]
    assert twenty.look(PERSON, gone.crm_id)[0].by_id is None


def test_deleted_records_are_found_by_id_and_by_key(twenty: Twenty):
    name = new()
    write = a_person(name, emails=email(f"{name}@example.com"))
    twenty.apply(PERSON, write)
    twenty.trash("people", write.crm_id)

    by_id, by_key = twenty.look(PERSON, write.crm_id, emails=f"{name}@example.com", whopUserId=f"user_{name}")

    assert by_id.by_id.deleted
    assert [(field, [row.id for row in rows]) for field, rows in by_key.by_key] == [
        ("emails", [write.crm_id]),
        ("whopUserId", [write.crm_id]),
    ]


def test_keys_match_exactly(twenty: Twenty):
    name = new()
    twenty.apply(PERSON, a_person(name, whopMemberId=f"Mber_{name}"))

    [found] = twenty.look(PERSON, whopMemberId=f"mber_{name}", whopUserId=f"user_{name[:-1]}")

    assert found.by_key == ()


def test_parts_that_are_not_ours_survive_an_update(twenty: Twenty):
    name = new()
    extra = {"number": "2025550198", "countryCode": "US", "callingCode": "+1"}
    write = a_person(name, emails=email(f"{name}@example.com"))
    [made] = twenty.apply(PERSON, write)
    twenty.rest(
        "PATCH",
        f"people/{write.crm_id}",
        {
            "emails": {
                "primaryEmail": f"{name}@example.com",
                "additionalEmails": [f"more.{name}@example.com"],
            },
            "phones": {"primaryPhoneNumber": "+46701740605", "additionalPhones": [extra]},
        },
    )
    raw = twenty.look(PERSON, write.crm_id)[0].by_id.raw

    twenty.apply(
        PERSON,
        an_update(
            write,
            made,
            raw,
            emails=email(f"new.{name}@example.com"),
            phones={"primaryPhoneNumber": "+46701740606"},
        ),
    )

    row = twenty.look(PERSON, write.crm_id)[0].by_id
    assert row.values["emails"] == email(f"new.{name}@example.com")
    assert row.values["phones"] == {"primaryPhoneNumber": "+46701740606"}
    assert row.raw["emails"]["additionalEmails"] == [f"more.{name}@example.com"]
    assert row.raw["phones"]["additionalPhones"] == [extra]


def test_an_emptied_field_reads_back_empty(twenty: Twenty):
    name = new()
    full = {
        "name": {"firstName": "A", "lastName": "B"},
        "emails": email(f"{name}@example.com"),
        "phones": {"primaryPhoneNumber": "+46701740605"},
        "whopUsername": "a",
        "whopCreatedAt": "2025-11-03T09:14:22.105Z",
    }
    write = a_person(name, **full)
    [made] = twenty.apply(PERSON, write)
    raw = twenty.look(PERSON, write.crm_id)[0].by_id.raw

    twenty.apply(PERSON, an_update(write, made, raw, **dict.fromkeys(full)))

    found = twenty.values(PERSON, write.crm_id)
    assert [found[field] for field in full] == [None] * len(full)


def test_a_look_up_gives_more_than_the_default_two_hundred(twenty: Twenty):
    writes = [a_person(new()) for _ in range(250)]
    twenty.apply(PERSON, *writes)

    found = twenty.look(PERSON, *(write.crm_id for write in writes))

    assert all(one.by_id is not None for one in found)


def test_the_batch_cap_is_what_the_server_says(twenty: Twenty):
    writer = TwentyWriter(twenty.client, batch=1_000)

    results = writer.apply(PERSON, [a_person(new()) for _ in range(260)])

    assert codes(results) == [None] * 260
    assert writer.batch_size() <= 200
