"""Every value that was written is explained: by which run or event, from which field, by which line."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from scene import Scene, Service, one, whop_served
from test_own_mappings import put

from connector.sync import explaining
from connector.sync.explaining import Origin, Story


@pytest.fixture
def backend() -> str:
    return "sqlite"  # the store's own tests take care of the other


@pytest.fixture
def whop() -> Iterator[Service]:
    with whop_served(members=4, memberships=5) as service:
        yield service


def story(scene: Scene, kind: str, id_: str) -> Story:
    assert scene.workspace is not None
    return explaining.story(scene.tools, scene.workspace.id, kind, id_)


def origin(scene: Scene, kind: str, id_: str, field: str) -> Origin:
    (found,) = (each for each in story(scene, kind, id_).origins if each.field == field)
    return found


def test_each_value_leads_to_the_sync_the_field_and_the_line_that_wrote_it(scene: Scene) -> None:
    run = scene.sync()
    person = next(row for row in scene.rows("people") if row["whopUsername"])

    told = origin(scene, "member", person["whopMemberId"], "whopUsername")

    assert (told.object, told.value, told.told) == ("person", person["whopUsername"], True)
    assert (told.run, told.run_id, told.event) == (run.number, run.id, None)
    assert told.rule is not None
    assert (told.rule.file, told.rule.source, told.rule.own) == ("member.yaml", "user.username", "always")
    assert told.rule.text.startswith("whopUsername:")
    assert "from: user.username" in told.rule.text


def test_each_field_is_told_by_the_last_sync_that_changed_it(scene: Scene) -> None:
    first = scene.sync()
    person = next(row for row in scene.rows("people") if row["whopUsername"])
    id_ = person["whopMemberId"]
    user = one(scene.records("members"), id=id_)["user"]
    scene.change("members", id_, user={**user, "username": "brand-new"})
    second = scene.sync()

    assert origin(scene, "member", id_, "whopUsername").run == second.number
    assert origin(scene, "member", id_, "whopUsername").value == "brand-new"
    assert origin(scene, "member", id_, "whopMemberId").run == first.number


def test_a_value_is_explained_by_the_file_that_it_was_written_by(scene: Scene) -> None:
    scene.sync()
    id_ = next(row for row in scene.rows("people") if row["whopUsername"])["whopMemberId"]
    before = origin(scene, "member", id_, "whopUsername").rule

    put(scene, "member.yaml", ("whopUsername:      {from: user.username,", "whopUsername: {from: id,"))

    assert origin(scene, "member", id_, "whopUsername").rule == before


def test_links_are_explained_too_and_every_value_has_its_line(scene: Scene) -> None:
    scene.sync()
    deal = next(row for row in scene.rows("opportunities") if row["pointOfContactId"])

    told = {each.field: each for each in story(scene, "membership", deal["whopMembershipId"]).origins}

    assert told["pointOfContact"].value == deal["pointOfContactId"]
    assert all(each.rule and each.rule.text for each in told.values())


def test_a_record_that_nobody_knows_has_no_story(scene: Scene) -> None:
    scene.sync()

    told = story(scene, "member", "mber_nobody")

    assert (told.known, told.origins, told.entries, told.events) == ([], [], [], [])
