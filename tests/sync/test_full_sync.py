"""A full sync between both sandboxes: what is written, what is told, and what is left alone."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scene import PLURALS, Clock, Scene, built, cap_batches, environment, one, remapped, total

from connector.core.records import BadRecord, Page, SourceRecord
from connector.ports import Reader
from connector.store.runs import Run
from connector.sync.tools import Tools

KINDS = {"products": "whopProduct", "members": "person", "memberships": "opportunity"}
on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


def results(run: Run, object_: str) -> dict[str, int]:
    return run.counts.get(object_, {})


def writes(scene: Scene) -> dict[str, int]:
    """Mutations since the counters were cleared."""
    requests = scene.twenty.ask("GET", "/stats")["requests"]
    return {name: count for name, count in requests.items() if name.startswith(("create", "update", "POST"))}


def forget_requests(scene: Scene) -> None:
    scene.twenty.ask("DELETE", "/stats")


def a_member_with_email(scene: Scene) -> dict[str, Any]:
    """One whose address no other member has."""
    members = scene.records("members")
    times = Counter((member["email"] or "").lower() for member in members)
    return next(one for one in members if one["user"] and one["email"] and times[one["email"].lower()] == 1)


def a_membership(scene: Scene, **wanted: Any) -> dict[str, Any]:
    return next(
        one
        for one in scene.records("memberships")
        if one["member_id"] and all(one[name] == value for name, value in wanted.items())
    )


def memberships_of(scene: Scene, member_id: str) -> list[str]:
    return [one["id"] for one in scene.records("memberships") if one["member_id"] == member_id]


def twins(scene: Scene) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two members with one e-mail address, the older first."""
    members = [one for one in scene.records("members") if one["email"]]
    times = Counter(one["email"].lower() for one in members)
    shared = next(email for email, number in times.items() if number == 2)
    pair = sorted((one for one in members if one["email"].lower() == shared), key=lambda m: m["created_at"])
    return pair[0], pair[1]


# --- the sums


def test_the_counts_are_what_was_read_and_what_stands_in_the_crm(scene: Scene) -> None:
    run = scene.sync()

    for (kind, object_), plural in zip(KINDS.items(), PLURALS, strict=True):
        assert sum(results(run, object_).values()) == len(scene.records(kind))
        assert results(run, object_)["created"] == len(scene.rows(plural))
    assert run.status == "success"


def test_every_record_has_exactly_one_outcome(scene: Scene) -> None:
    run = scene.sync()

    told = [(entry.kind, entry.source_id) for entry in scene.log(run)]
    read = [(kind.removesuffix("s"), one["id"]) for kind in KINDS for one in scene.records(kind)]
    assert sorted(told) == sorted(read)
    assert total(run) == len(read)


def test_the_log_holds_as_many_of_each_result_as_the_counts_say(scene: Scene) -> None:
    run = scene.sync()

    told = Counter((entry.object, entry.result) for entry in scene.log(run))
    counted = {(object_, result): n for object_, of in run.counts.items() for result, n in of.items()}
    assert told == counted


def test_a_second_sync_writes_nothing(scene: Scene) -> None:
    scene.sync()
    before = {plural: scene.rows(plural) for plural in PLURALS}
    forget_requests(scene)

    run = scene.sync()

    assert writes(scene) == {}
    assert {plural: scene.rows(plural) for plural in PLURALS} == before
    assert {result for of in run.counts.values() for result in of} == {"unchanged", "skipped"}


def test_a_lost_database_doubles_nothing(scene: Scene, sqlite_template: Path, tmp_path: Path) -> None:
    scene.sync()
    before = {plural: {row["id"] for row in scene.rows(plural)} for plural in PLURALS}
    fresh = shutil.copyfile(sqlite_template, tmp_path / "fresh.db")

    with closing(built(environment(f"sqlite:///{fresh}", scene.whop.url, "unix:///nowhere"))) as parts:
        again = Scene(scene.whop, scene.twenty, parts).connect()
        forget_requests(scene)  # a key is tried with changes of nothing
        run = again.sync()

    assert {plural: {row["id"] for row in scene.rows(plural)} for plural in PLURALS} == before
    assert "created" not in {result for of in run.counts.values() for result in of}
    assert writes(scene) == {}


# --- one record's way


@on_sqlite
def test_a_changed_record_is_one_update_with_before_and_after(scene: Scene) -> None:
    scene.sync()
    membership = a_membership(scene, status="active")
    scene.change("memberships", membership["id"], status="past_due")
    forget_requests(scene)

    run = scene.sync()

    entry = scene.told(run, membership["id"])
    assert entry.result == "updated"
    assert entry.before == {"whopMembershipStatus": "ACTIVE", "stage": "CUSTOMER"}
    assert entry.after == {"whopMembershipStatus": "PAYMENT_FAILED", "stage": "PROPOSAL"}
    assert writes(scene) == {"updateOpportunities": 1}
    assert results(run, "opportunity")["updated"] == 1
    assert scene.deal_of(membership["id"])["stage"] == "PROPOSAL"


@on_sqlite
def test_a_draft_is_filtered_and_told(scene: Scene) -> None:
    draft = next(one for one in scene.records("memberships") if one["status"] == "drafted")

    run = scene.sync()

    entry = scene.told(run, draft["id"])
    assert (entry.result, entry.reason, entry.crm_id) == ("skipped", "filtered", None)


@on_sqlite
def test_an_unclaimed_membership_stands_without_a_person(scene: Scene) -> None:
    plan = scene.records("memberships")[0]["plan_id"]
    made = scene.whop.ask("POST", "/records/memberships", {"plan_id": plan})
    assert made["member_id"] is None

    run = scene.sync()

    assert scene.told(run, made["id"]).result == "created"
    assert scene.deal_of(made["id"])["pointOfContactId"] is None


@on_sqlite
def test_a_business_becomes_a_person_with_its_name_alone(scene: Scene) -> None:
    business = next(one for one in scene.records("members") if one["user"] is None)

    scene.sync()

    person = scene.person_of(business["id"])
    assert not person["whopUserId"]
    assert person["emails"]["primaryEmail"] == ""
    assert " ".join(person["name"].values()) == business["display_name"]


@on_sqlite
def test_an_unknown_status_changes_nothing_and_is_counted(scene: Scene) -> None:
    scene.sync()
    membership = a_membership(scene, status="active")
    scene.change("memberships", membership["id"], status="frozen")

    run = scene.sync()

    assert run.unknown_choices == {"whopMembershipStatus": {"frozen": 1}}
    assert scene.deal_of(membership["id"])["whopMembershipStatus"] == "ACTIVE"


@on_sqlite
def test_a_word_that_whop_was_not_known_to_use_is_counted_by_its_field(scene: Scene) -> None:
    first, second = scene.records("memberships")[:2]
    for each in (first, second):
        scene.change("memberships", each["id"], collection_method="send_pigeon")

    run = scene.sync()

    assert run.unknown_choices == {"membership.collection_method": {"send_pigeon": 2}}
    assert run.status == "success"


@on_sqlite
def test_new_words_of_what_is_only_added_up_are_counted_too(scene: Scene) -> None:
    payment, refund = scene.records("payments")[0], scene.records("refunds")[0]
    scene.change("payments", payment["id"], substatus="under_a_spell")
    scene.change("refunds", refund["id"], reason="second_thoughts")

    run = scene.sync()

    assert run.unknown_choices == {
        "payment.substatus": {"under_a_spell": 1},
        "refund.reason": {"second_thoughts": 1},
    }
    assert run.status == "success"


@on_sqlite
def test_no_run_lists_words_without_end(scene: Scene) -> None:
    for number, each in enumerate(scene.records("memberships")):
        scene.change("memberships", each["id"], collection_method=f"by pigeon {number}")

    told = scene.sync().unknown_choices["membership.collection_method"]

    assert len(told) == 51
    assert sum(told.values()) == len(scene.rows("opportunities"))


# --- people who are there already


@on_sqlite
@pytest.mark.parametrize("spelled", [str.lower, str.upper, str.title])
def test_a_person_with_the_same_email_is_adopted(scene: Scene, spelled: Any) -> None:
    member = a_member_with_email(scene)
    address = member["email"]
    typed = scene.type_person(
        name={"firstName": "Typed", "lastName": "By hand"},
        emails={"primaryEmail": spelled(address)},
        jobTitle="Baker",
    )

    run = scene.sync()

    person = scene.person_of(member["id"])
    assert person["id"] == typed
    assert person["whopUserId"] == member["user"]["id"]
    assert (person["name"]["firstName"], person["jobTitle"]) == ("Typed", "Baker")
    entry = scene.told(run, member["id"])
    assert (entry.result, entry.reason) == ("updated", "adopted")
    assert len(scene.rows("people")) == results(run, "person")["created"] + 1


@on_sqlite
def test_an_email_of_the_source_in_capitals_adopts_too(scene: Scene) -> None:
    member = a_member_with_email(scene)
    typed = scene.type_person(emails={"primaryEmail": member["email"]})
    scene.change("members", member["id"], email=member["email"].upper())

    scene.sync()

    assert scene.person_of(member["id"])["id"] == typed


@on_sqlite
def test_an_adopted_person_keeps_what_was_typed_at_later_syncs(scene: Scene) -> None:
    member = a_member_with_email(scene)
    scene.type_person(name={"firstName": "Typed"}, emails={"primaryEmail": member["email"]})
    scene.sync()
    scene.change("members", member["id"], user={"name": "Quite Another", "username": "other"})

    scene.sync()

    person = scene.person_of(member["id"])
    assert (person["name"]["firstName"], person["whopUsername"]) == ("Typed", "other")


@on_sqlite
def test_a_second_member_with_the_same_email_waits_for_a_person(scene: Scene) -> None:
    first, second = twins(scene)

    run = scene.sync()

    entry = scene.told(run, second["id"])
    assert (entry.result, entry.reason) == ("skipped", "review")
    assert first["id"] in str(entry.warnings)
    assert not [row for row in scene.rows("people") if row["whopMemberId"] == second["id"]]
    assert scene.told(run, first["id"]).result == "created"


@on_sqlite
def test_memberships_of_a_member_in_review_stand_without_a_person(scene: Scene) -> None:
    _, second = twins(scene)
    theirs = memberships_of(scene, second["id"])
    assert theirs

    run = scene.sync()

    for id_ in theirs:
        assert scene.deal_of(id_)["pointOfContactId"] is None
        assert "waits for a person to decide" in str(scene.told(run, id_).warnings)


@on_sqlite
def test_a_person_deleted_in_the_crm_stays_deleted_and_is_told(scene: Scene) -> None:
    scene.sync()
    member = a_member_with_email(scene)
    person = scene.person_of(member["id"])
    scene.crm("mutation($id:UUID!){deletePerson(id:$id){id}}", id=person["id"])
    scene.change("members", member["id"], user={"name": "Quite Another", "username": "other"})

    run = scene.sync()

    entry = scene.told(run, member["id"])
    assert (entry.result, entry.reason) == ("skipped", "deleted_in_crm")
    row = scene.person_of(member["id"])
    assert row["deletedAt"]
    assert row["whopUsername"] == member["user"]["username"]


# --- failures of one record

#: In the words of a real server; an unknown text would be taken for passing trouble.
REFUSAL = {
    "message": "Invalid string value 'nobody' for email field \"emails.primaryEmail\"",
    "extensions": {"code": "BAD_USER_INPUT"},
}


@on_sqlite
def test_a_refused_record_fails_alone_in_the_words_of_the_crm(scene: Scene) -> None:
    cap_batches(scene, 1)
    scene.twenty.dial("createPeople", {"graphql_error": REFUSAL}, skip=5, times=1)

    run = scene.sync()

    (entry,) = (one for one in scene.log(run, "failed") if one.kind == "member")
    assert run.status == "partial"
    assert entry.error is not None
    assert REFUSAL["message"] in entry.error["message"]
    assert results(run, "person")["created"] == len(scene.rows("people"))


@on_sqlite
def test_a_failure_leads_to_the_record_in_the_crm_where_there_is_one(scene: Scene) -> None:
    cap_batches(scene, 1)
    scene.twenty.dial("createPeople", {"graphql_error": REFUSAL}, skip=5, times=1)
    (unmade,) = (one for one in scene.log(scene.sync(), "failed") if one.kind == "member")
    scene.sync()
    member = a_member_with_email(scene)
    there = scene.person_of(member["id"])["id"]

    scene.change("members", member["id"], email="call me")
    unfit = scene.told(scene.sync(), member["id"])
    scene.change("members", member["id"], email=member["email"], user={**member["user"], "username": "new"})
    scene.twenty.dial("updatePeople", {"graphql_error": REFUSAL}, times=1)
    refused = scene.told(scene.sync(), member["id"])

    assert unmade.crm_id is None
    assert [(one.result, one.crm_id) for one in (unfit, refused)] == [("failed", there)] * 2


@on_sqlite
def test_the_next_sync_heals_a_refused_record(scene: Scene) -> None:
    cap_batches(scene, 1)
    scene.twenty.dial("createPeople", {"graphql_error": REFUSAL}, skip=5, times=1)
    (failed,) = (one for one in scene.log(scene.sync(), "failed") if one.kind == "member")

    run = scene.sync()

    assert run.status == "success"
    assert scene.told(run, failed.source_id).result == "created"
    person = scene.person_of(failed.source_id)["id"]
    theirs = memberships_of(scene, failed.source_id)
    assert {scene.deal_of(id_)["pointOfContactId"] for id_ in theirs} <= {person}


@on_sqlite
def test_a_value_that_does_not_fit_names_field_and_found_value(scene: Scene) -> None:
    member = a_member_with_email(scene)
    scene.change("members", member["id"], email="call me")

    run = scene.sync()

    entry = scene.told(run, member["id"])
    assert (entry.result, entry.error_code) == ("failed", "mapping")
    assert entry.error is not None
    assert (entry.error["field"], entry.error["found"]) == ("emails", "'call me'")


@on_sqlite
def test_a_child_of_a_failed_parent_fails_and_follows_later(scene: Scene) -> None:
    membership = a_membership(scene, status="active")
    member = one(scene.records("members"), id=membership["member_id"])
    scene.change("members", member["id"], email="call me")

    entry = scene.told(scene.sync(), membership["id"])
    scene.change("members", member["id"], email="fine@example.com")
    healed = scene.sync()

    assert (entry.result, entry.error_code) == ("failed", "parent_missing")
    assert scene.told(healed, membership["id"]).result == "created"
    assert scene.deal_of(membership["id"])["pointOfContactId"] == scene.person_of(member["id"])["id"]


@on_sqlite
def test_a_parent_that_is_gone_is_an_empty_link_and_a_warning(scene: Scene) -> None:
    membership = a_membership(scene, status="active")
    scene.whop.ask("DELETE", f"/records/members/{membership['member_id']}")

    run = scene.sync()

    entry = scene.told(run, membership["id"])
    assert entry.result == "created"
    assert membership["member_id"] in str(entry.warnings)
    assert scene.deal_of(membership["id"])["pointOfContactId"] is None


@on_sqlite
def test_a_parent_that_appears_late_is_fetched_first(scene: Scene) -> None:
    scene.clock = Clock(step=3)  # a job ends after each kind
    run_id = scene.start()
    while "member:person" not in scene.run(run_id).checkpoint.get("done", ()):
        scene.advance(run_id)
    plan = scene.records("memberships")[0]["plan_id"]
    late = scene.whop.ask("POST", "/records/members", {})
    made = scene.whop.ask("POST", "/records/memberships", {"plan_id": plan, "member_id": late["id"]})

    run = scene.go_on(run_id)

    assert scene.told(run, late["id"]).result == "created"
    assert scene.deal_of(made["id"])["pointOfContactId"] == scene.person_of(late["id"])["id"]
    assert total(run) == sum(len(scene.records(kind)) for kind in KINDS)


@on_sqlite
def test_a_parent_that_is_filtered_is_told_once(scene: Scene) -> None:
    def none_of(tools: Tools) -> Tools:
        """As if the members' file said ``only`` what nobody is."""
        membership = next(one for one in tools.mappings.shipped if one.kind == "membership")
        nobody = (_never(membership.only[0]),)
        return remapped(tools, lambda one: replace(one, only=nobody) if one.kind == "member" else one)

    def _never(line: Any) -> Any:
        return replace(line, read=lambda _fields: "x", values=frozenset(["y"]), negated=False)

    run = scene.sync(wrap=none_of)

    assert results(run, "person") == {"skipped": len(scene.records("members"))}
    assert total(run) == sum(len(scene.records(kind)) for kind in KINDS)


# --- pages


class Repeating:
    """A reader whose list moved while it was read: each page starts with the one before."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def account(self) -> Any:
        return self._reader.account()

    def pages(self, kind: str, cursor: str | None) -> Iterator[Page]:
        before: tuple[SourceRecord | BadRecord, ...] = ()
        for page in self._reader.pages(kind, cursor):
            yield replace(page, items=before + page.items)
            before = page.items

    def fetch(self, kind: str, ids: Sequence[str]) -> Any:
        return self._reader.fetch(kind, ids)

    def may_read(self, kind: str) -> bool:
        return self._reader.may_read(kind)

    def recents(self, kind: str) -> tuple[str, ...]:
        return self._reader.recents(kind)

    def parents(self, kind: str, ids: Sequence[str]) -> Any:
        return self._reader.parents(kind, ids)


@on_sqlite
def test_a_record_on_two_pages_is_written_once_and_told_as_duplicate(scene: Scene) -> None:
    def repeated(tools: Tools) -> Tools:
        return replace(tools, block_pages=50, open_reader=lambda one, _lane: Repeating(paged(one)))

    def paged(connection: Any) -> Reader:
        reader = scene.parts.openers.reader(connection)
        reader._page_size = 20  # type: ignore[attr-defined]
        return reader

    run = scene.sync(wrap=repeated)

    again = [entry for entry in scene.log(run, "skipped") if entry.reason == "duplicate"]
    assert len(again) == 20 + 40
    assert results(run, "opportunity")["created"] == len(scene.rows("opportunities")) == 59
    assert total(run) == sum(len(scene.records(kind)) for kind in KINDS) + 60
