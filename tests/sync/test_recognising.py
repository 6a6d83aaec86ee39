"""Which person in the CRM a member of the source is: further e-mails, merges, the bin, two companies."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from scene import Json, Scene, one, remapped

from connector.core.mapping import Mapping, WhenDeleted
from connector.core.records import Page, Ref, SourceRecord
from connector.crms.twenty import further
from connector.ports import Reader
from connector.store import connections, links
from connector.store.connections import Connection
from connector.sync.tools import Tools

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


def a_member(scene: Scene) -> Json:
    """One with a user and an address that nobody else has, and with memberships."""
    members = scene.records("members")
    addresses = [(one["email"] or "").lower() for one in members]
    buyers = {one["member_id"] for one in scene.records("memberships") if one["status"] != "drafted"}
    return next(
        one
        for one in members
        if one["user"] and one["id"] in buyers and one["email"] and addresses.count(one["email"].lower()) == 1
    )


def another(scene: Scene, than: Json) -> Json:
    taken = {than["id"]}
    members = [
        one for one in scene.records("members") if one["id"] not in taken and one["user"] and one["email"]
    ]
    addresses = [(one["email"] or "").lower() for one in scene.records("members")]
    return next(one for one in members if addresses.count(one["email"].lower()) == 1)


def email(first: str, *more: str) -> Json:
    return {"primaryEmail": first, "additionalEmails": list(more)}


def people_of(scene: Scene, member: Json) -> list[Json]:
    return [row for row in scene.rows("people") if row["whopUserId"] == member["user"]["id"]]


def memory_of(scene: Scene, member: Json) -> Any:
    ref = Ref("whop", "member", member["id"])
    assert scene.workspace is not None
    with scene.parts.database.reading() as session:
        link = links.find(session, scene.workspace.id, "person", [ref])[ref]
        assert link.id is not None
        return links.memories(session, scene.workspace.id, [link.id])[link.id]


def trash(scene: Scene, id_: str) -> None:
    scene.crm("mutation($id:UUID!){deletePerson(id:$id){id}}", id=id_)


def destroy(scene: Scene, id_: str) -> None:
    scene.crm("mutation($id:UUID!){destroyPerson(id:$id){id}}", id=id_)


def merge(scene: Scene, *ids: str, keep: int = 0) -> None:
    """As on the page of Twenty, which merges every field."""
    picks = "id emails{primaryEmail additionalEmails} whopUserId whopMemberId whopUsername"
    query = f"mutation($ids:[UUID!]!,$n:Int!){{mergePeople(ids:$ids,conflictPriorityIndex:$n){{{picks}}}}}"
    scene.crm(query, ids=list(ids), n=keep)


def deleting(policy: WhenDeleted) -> Any:
    """The tools with another rule for people who were deleted in the CRM."""

    def changed(one: Any) -> Any:
        return replace(one, when_deleted=policy) if one.kind == "member" else one

    return lambda tools: remapped(tools, changed)


# --- further e-mails


@pytest.mark.parametrize("few", [True, False])
def test_a_person_is_recognised_by_a_further_address(
    scene: Scene, few: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not few:
        monkeypatch.setattr(further, "FEW", 0)
    member = a_member(scene)
    typed = scene.type_person(emails=email("first@example.com", member["email"]))

    run = scene.sync()

    assert [row["id"] for row in people_of(scene, member)] == [typed]
    person = one(scene.rows("people"), id=typed)
    assert person["emails"] == email("first@example.com", member["email"].lower())
    assert scene.told(run, member["id"]).reason == "adopted"


def test_a_second_address_is_added_beside_the_first(scene: Scene) -> None:
    member = a_member(scene)
    typed = scene.type_person(
        whopUserId=member["user"]["id"], emails=email("desk@example.com", "sales@example.com")
    )

    scene.sync()
    again = scene.sync()

    person = one(scene.rows("people"), id=typed)
    assert person["emails"] == email("desk@example.com", "sales@example.com", member["email"].lower())
    assert "updated" not in again.counts["person"]


def test_an_address_that_changes_on_whop_leaves_the_old_one_beside_it(scene: Scene) -> None:
    scene.sync()
    member = a_member(scene)
    scene.change("members", member["id"], email="new@example.com")

    scene.sync()

    assert scene.person_of(member["id"])["emails"] == email("new@example.com", member["email"].lower())


def test_an_address_that_another_person_has_is_told_and_the_rest_is_written(scene: Scene) -> None:
    scene.sync()
    member = a_member(scene)
    scene.type_person(emails=email("taken@example.com"))
    user = {**member["user"], "username": "renamed"}
    scene.change("members", member["id"], email="taken@example.com", user=user)

    run = scene.sync()

    person, entry = scene.person_of(member["id"]), scene.told(run, member["id"])
    assert (run.status, entry.result, person["whopUsername"]) == ("success", "updated", "renamed")
    assert person["emails"]["primaryEmail"] == member["email"].lower()
    assert "emails is not written here" in str(entry.warnings)


# --- the bin


def test_a_person_in_the_bin_is_restored_where_the_mapping_says_so(scene: Scene) -> None:
    scene.sync()
    member = a_member(scene)
    trash(scene, scene.person_of(member["id"])["id"])
    scene.change("members", member["id"], user={**member["user"], "username": "renamed"})

    run = scene.sync(wrap=deleting(WhenDeleted.RESTORE))

    person = scene.person_of(member["id"])
    assert (person["deletedAt"], person["whopUsername"]) == (None, "renamed")
    entry = scene.told(run, member["id"])
    assert (entry.result, entry.reason) == ("updated", "restored")


def test_a_person_whom_somebody_deletes_before_the_first_sync_stays_deleted(scene: Scene) -> None:
    member = a_member(scene)
    typed = scene.type_person(emails=email(member["email"]))
    trash(scene, typed)

    run = scene.sync()

    assert people_of(scene, member) == []
    assert scene.told(run, member["id"]).reason == "deleted_in_crm"
    assert run.status == "success"


def test_a_person_is_made_anew_once_the_bin_holds_nothing_of_them(scene: Scene) -> None:
    scene.sync()
    member = a_member(scene)
    old = scene.person_of(member["id"])["id"]
    trash(scene, old)
    scene.change("members", member["id"], user={**member["user"], "username": "renamed"})

    held = scene.sync(wrap=deleting(WhenDeleted.RECREATE))
    destroy(scene, old)
    made = scene.sync(wrap=deleting(WhenDeleted.RECREATE))
    again = scene.sync(wrap=deleting(WhenDeleted.RECREATE))

    entry = scene.told(held, member["id"])
    assert (held.status, entry.result, entry.reason) == ("success", "skipped", "deleted_in_crm")
    assert "Delete it there for good" in str(entry.warnings)
    entry, person = scene.told(made, member["id"]), scene.person_of(member["id"])
    assert (entry.result, entry.reason) == ("created", "recreated")
    assert person["id"] != old
    assert set(again.counts["person"]) <= {"unchanged", "skipped"}


class DeletingBetween:
    """A writer during whose look-up somebody deletes a person who was just seen."""

    def __init__(self, writer: Any, delete: Any) -> None:
        self._writer, self._delete = writer, delete

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    def look(self, mapping: Mapping, seeks: Sequence[Any]) -> Any:
        found = self._writer.look(mapping, seeks)
        if mapping.kind == "member":
            self._delete()
        return found


@pytest.mark.parametrize("remove", [trash, destroy])
def test_a_person_deleted_between_look_and_write_is_neither_written_nor_made_again(
    scene: Scene, remove: Any
) -> None:
    scene.sync()
    member = a_member(scene)
    id_ = scene.person_of(member["id"])["id"]
    scene.change("members", member["id"], user={**member["user"], "username": "renamed"})
    gone: list[str] = []

    def delete() -> None:
        if not gone:
            gone.append(id_)
            remove(scene, id_)

    def wrapped(tools: Tools) -> Tools:
        return replace(tools, open_writer=lambda *given: DeletingBetween(tools.open_writer(*given), delete))

    scene.sync(wrap=wrapped)
    run = scene.sync()

    assert [row["deletedAt"] is None for row in people_of(scene, member)] in ([], [False])
    assert scene.told(run, member["id"]).reason == "deleted_in_crm"
    assert run.status == "success"


# --- merged people


def test_the_survivor_of_a_merge_is_followed_by_the_user_id(scene: Scene) -> None:
    scene.sync()
    member = a_member(scene)
    old, typed = scene.person_of(member["id"])["id"], scene.type_person(emails=email("typed@example.com"))
    merge(scene, typed, old)
    scene.change("members", member["id"], user={**member["user"], "username": "renamed"})

    run = scene.sync()

    (person,) = people_of(scene, member)
    assert (person["id"], person["whopUsername"]) == (typed, "renamed")
    assert scene.told(run, member["id"]).reason == "merged"


def test_of_two_members_merged_into_one_person_the_survivor_keeps_its_identity(scene: Scene) -> None:
    scene.sync()
    kept = a_member(scene)
    lost = another(scene, kept)
    survivor, loser = scene.person_of(kept["id"])["id"], scene.person_of(lost["id"])["id"]
    merge(scene, survivor, loser)
    for member in (kept, lost):
        scene.change("members", member["id"], user={**member["user"], "username": f"new-{member['id']}"})

    run = scene.sync()
    again = scene.sync()

    person = one(scene.rows("people"), id=survivor)
    assert (person["whopUserId"], person["whopUsername"]) == (kept["user"]["id"], f"new-{kept['id']}")
    assert scene.told(run, lost["id"]).reason == "merged"
    assert [row["id"] for row in scene.rows("people")].count(loser) == 0
    # What was written into the loser says nothing of the survivor, but for the address it was given.
    assert memory_of(scene, lost).keys() <= {"emails"}
    assert set(again.counts["person"]) <= {"unchanged", "skipped"}


def test_a_merge_that_left_no_key_is_followed_by_the_memberships(scene: Scene) -> None:
    scene.sync()
    member = a_member(scene)
    old, typed = scene.person_of(member["id"])["id"], scene.type_person(emails=email("typed@example.com"))
    query = "mutation($ids:[UUID!]!){mergePeople(ids:$ids,conflictPriorityIndex:0){id}}"
    scene.crm(query, ids=[typed, old])  # by the API only what is selected is merged: every key is lost
    scene.change("members", member["id"], user={**member["user"], "username": "renamed"})

    run = scene.sync()

    assert scene.told(run, member["id"]).reason == "merged"
    assert [row["id"] for row in people_of(scene, member)] == [typed]


def test_a_membership_does_not_fail_because_its_person_was_merged_away(scene: Scene) -> None:
    scene.sync()
    member = a_member(scene)
    old, typed = scene.person_of(member["id"])["id"], scene.type_person(emails=email("typed@example.com"))
    merge(scene, typed, old)
    theirs = [one for one in scene.records("memberships") if one["member_id"] == member["id"]]
    for membership in theirs:
        scene.change(
            "memberships", membership["id"], cancel_at_period_end=not membership["cancel_at_period_end"]
        )
    new = scene.whop.ask(
        "POST", "/records/memberships", {"plan_id": theirs[0]["plan_id"], "member_id": member["id"]}
    )

    run = scene.sync()

    assert run.status == "success", scene.log(run, "failed")
    assert scene.deal_of(new["id"])["pointOfContactId"] == typed
    assert [row["id"] for row in people_of(scene, member)] == [typed]


# --- two companies, one person


@dataclass
class AnotherCompany:
    """A company of which somebody else's member is a member too, under another id and with other words."""

    member: SourceRecord

    def account(self) -> Any:
        raise AssertionError("not asked")

    def pages(self, kind: str, cursor: str | None) -> Iterator[Page]:
        yield Page((self.member,) if kind == "member" else (), None, last=True)

    def fetch(self, kind: str, ids: Sequence[str]) -> Any:
        return {}


class Only:
    """A reader of these members alone."""

    def __init__(self, reader: Reader, ids: Collection[str]) -> None:
        self._reader, self._ids = reader, ids

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def pages(self, kind: str, cursor: str | None) -> Iterator[Page]:
        for page in self._reader.pages(kind, cursor):
            yield replace(page, items=tuple(item for item in page.items if item.ref.id in self._ids))


@dataclass
class Two:
    """One person, member of two companies of one workspace."""

    scene: Scene
    first: Connection
    second: Connection
    member: Json

    def sync(self, which: Connection, *, username: str) -> Any:
        self.scene.connection = which

        def reading(tools: Tools) -> Tools:
            return replace(tools, open_reader=lambda one, _lane: self._reader(tools, one, username))

        return self.scene.sync(wrap=reading)

    def _reader(self, tools: Tools, which: Connection, username: str) -> Any:
        user = {**self.member["user"], "username": username}
        if which.id == self.first.id:
            self.scene.change("members", self.member["id"], user=user)
            return Only(tools.open_reader(which), {self.member["id"]})
        said = {**self.member, "id": "mber_theirs", "user": user}
        return AnotherCompany(SourceRecord(Ref("whop", "member", "mber_theirs"), said, None))


@pytest.fixture
def two(scene: Scene) -> Two:
    assert scene.workspace is not None
    assert scene.connection is not None
    second = replace(scene.connection, id="second", company_id="biz_second", company_title="Second")
    scene.clock.advance(1)
    with scene.parts.database.transaction() as session:
        connections.add_or_revive(session, replace(second, created_at=scene.clock()))
    return Two(scene, scene.connection, second, a_member(scene))


def test_two_companies_share_one_person_and_do_not_fight(two: Two) -> None:
    two.sync(two.first, username="of-first")
    two.sync(two.second, username="of-second")
    (person,) = people_of(two.scene, two.member)
    before = dict(person)

    runs = [
        two.sync(which, username=name) for which, name in ((two.first, "of-first"), (two.second, "of-second"))
    ]

    assert people_of(two.scene, two.member) == [before]
    assert (before["whopUsername"], before["whopMemberId"]) == ("of-first", two.member["id"])
    assert [run.counts["person"] for run in runs] == [{"unchanged": 1}, {"unchanged": 1}]


def test_the_first_connection_decides_even_where_it_comes_later(two: Two) -> None:
    two.sync(two.second, username="of-second")
    two.sync(two.first, username="of-first")
    two.sync(two.second, username="newer-of-second")

    (person,) = people_of(two.scene, two.member)
    assert (person["whopUsername"], person["whopMemberId"]) == ("of-first", two.member["id"])


def test_when_the_first_goes_the_next_takes_over(two: Two) -> None:
    two.sync(two.first, username="of-first")
    two.sync(two.second, username="of-second")
    with two.scene.parts.database.transaction() as session:
        connections.disconnect(session, two.first.workspace_id, two.first.id)

    two.sync(two.second, username="of-second")

    (person,) = people_of(two.scene, two.member)
    assert (person["whopUsername"], person["whopMemberId"]) == ("of-second", "mber_theirs")
