"""Records that are gone from Whop: dealt with as the mapping says, never by mistake or too many at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from breaking import with_late
from scene import Scene, remapped

from connector.core.gone import Gone, WhenGone
from connector.core.limits import Limits, is_too_much
from connector.errors import RefusedError
from connector.store import questions
from connector.store.runs import Run
from connector.sync import answering, onboarding, removing, steering
from connector.sync.tools import Tools


@pytest.fixture
def synced(scene: Scene) -> Scene:
    assert scene.sync().status == "success"
    scene.clock.advance(3600)
    return scene


def with_gone(tools: Tools, do: Gone) -> Tools:
    """As if the mapping of memberships said so."""

    def changed(mapping: Any) -> Any:
        field, value = ("whopMembershipStatus", "EXPIRED") if do is Gone.MARK else ("whopPlanId", None)
        field = None if do in (Gone.KEEP, Gone.DELETE) else field
        return (
            replace(mapping, when_gone=WhenGone(do, field, value if field else None))
            if mapping.kind == "membership"
            else mapping
        )

    return remapped(tools, changed)


def linked(scene: Scene) -> list[str]:
    return [row["whopMembershipId"] for row in scene.rows("opportunities") if not row["deletedAt"]]


def vanish(scene: Scene, *ids: str) -> None:
    for id_ in ids:
        scene.whop.ask("DELETE", f"/records/memberships/{id_}")


def sync(scene: Scene, tools: Tools, type_: str = "full") -> Run:
    assert scene.connection is not None
    run_id = onboarding.start_sync(
        scene.tools, scene.connection, type_, why="The test", correlation_id="corr-test"
    )
    run = scene.go_on(run_id, tools=tools)
    scene.clock.advance(3600)
    return run


@pytest.mark.parametrize("type_", ["full", "incremental"])
def test_what_is_gone_is_marked_once(synced: Scene, type_: str) -> None:
    gone = next(id_ for id_ in linked(synced) if synced.deal_of(id_)["whopMembershipStatus"] != "EXPIRED")
    vanish(synced, gone)
    tools = with_gone(synced.tools, Gone.MARK)

    run = sync(synced, tools, type_)

    assert synced.deal_of(gone)["whopMembershipStatus"] == "EXPIRED"
    assert synced.told(run, gone).result == "updated"
    again = sync(synced, tools, type_)
    assert not [one for one in synced.log(again) if one.source_id == gone]


def test_what_is_gone_is_cleared(synced: Scene) -> None:
    gone = linked(synced)[0]
    vanish(synced, gone)

    sync(synced, with_gone(synced.tools, Gone.CLEAR))

    assert synced.deal_of(gone)["whopPlanId"] in (None, "")


def test_what_is_gone_is_deleted_where_only_we_made_it(synced: Scene) -> None:
    gone = linked(synced)[0]
    vanish(synced, gone)

    sync(synced, with_gone(synced.tools, Gone.DELETE))

    assert gone not in linked(synced)


def test_what_is_gone_is_kept(synced: Scene) -> None:
    gone = linked(synced)[0]
    before = synced.deal_of(gone)
    vanish(synced, gone)

    sync(synced, with_gone(synced.tools, Gone.KEEP))

    assert synced.deal_of(gone) == before


def test_what_a_list_leaves_out_and_whop_still_has_is_not_gone(synced: Scene) -> None:
    hidden = linked(synced)[0]
    before = synced.deal_of(hidden)

    sync(synced, with_late(with_gone(synced.tools, Gone.DELETE), [hidden]))

    assert synced.deal_of(hidden) == before


@pytest.fixture
def emptied(synced: Scene, monkeypatch: pytest.MonkeyPatch) -> tuple[Scene, Run, list[str]]:
    """More is gone than may be removed without asking."""
    monkeypatch.setattr("connector.core.limits._MANY", 5)
    gone = linked(synced)[:12]
    vanish(synced, *gone)
    return synced, sync(synced, with_gone(synced.tools, Gone.DELETE)), gone


def test_too_many_are_asked_about_and_nothing_is_done(emptied: tuple[Scene, Run, list[str]]) -> None:
    scene, run, gone = emptied

    assert (run.status, removing.asks(run)["membership"]["count"]) == ("waiting", len(gone))
    assert set(gone) <= set(linked(scene))
    again = sync(scene, with_gone(scene.tools, Gone.DELETE))  # syncs go on, and ask nothing twice
    assert again.status == "success"
    assert set(gone) <= set(linked(scene))


def test_a_mapping_may_let_more_be_removed(synced: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.core.limits._MANY", 5)
    gone = linked(synced)[:12]
    vanish(synced, *gone)
    tools = with_gone(synced.tools, Gone.DELETE)
    loose = remapped(tools, lambda one: replace(one, limits=Limits(most_removed=90)))

    assert sync(synced, loose).status == "success"
    assert not set(gone) & set(linked(synced))


def test_what_was_approved_is_looked_for_once_more_and_removed(emptied: tuple[Scene, Run, list[str]]) -> None:
    scene, run, gone = emptied
    tools = with_gone(scene.tools, Gone.DELETE)

    new = answering.approve(tools, run.workspace_id, run.id, who="Ada", correlation_id="c")

    assert scene.go_on(new, tools=tools).status == "success"
    assert not set(gone) & set(linked(scene))
    assert scene.run(run.id).status == "success"
    with pytest.raises(RefusedError) as told:
        answering.refuse(tools, run.workspace_id, run.id, who="Bob")
    assert told.value.code == "no_question"


def test_what_was_refused_stays_and_is_not_asked_about_again(emptied: tuple[Scene, Run, list[str]]) -> None:
    scene, run, gone = emptied
    tools = with_gone(scene.tools, Gone.DELETE)

    assert answering.refuse(tools, run.workspace_id, run.id, who="Ada") == len(gone)

    again = sync(scene, tools)
    assert again.status == "success"
    assert set(gone) <= set(linked(scene))


def test_a_withdrawn_permission_removes_nothing(synced: Scene) -> None:
    before = linked(synced)
    synced.whop.ask("POST", "/keys", {"do": "restrict", "without": ["member:basic:read"]})

    run_id = synced.start()
    for number in range(6):
        run = synced.advance(run_id, owner=f"w{number}", tools=with_gone(synced.tools, Gone.DELETE))
        synced.clock.advance(60)

    assert run.status != "success"
    assert linked(synced) == before


def test_a_cancelled_sync_ends_and_frees_its_connection(synced: Scene) -> None:
    run_id = synced.start()

    steering.cancel(synced.tools, synced.run(run_id).workspace_id, run_id, who="Ada")

    ended = synced.run(run_id)
    assert (ended.status, (ended.error or {})["code"]) == ("cancelled", "cancelled")
    assert synced.advance(run_id).status == "cancelled"
    assert synced.sync().status == "success"
    with pytest.raises(RefusedError):
        steering.cancel(synced.tools, ended.workspace_id, run_id, who="Ada")


@pytest.mark.parametrize(
    ("count", "of", "percent", "much"),
    [
        (50, 60, 10, False),
        (51, 60, 10, True),
        (100, 1000, 10, False),
        (101, 1000, 10, True),
        (101, 1000, 20, False),
    ],
)
def test_more_than_a_tenth_and_than_fifty_is_too_much(count: int, of: int, percent: int, much: bool) -> None:
    assert is_too_much(count, of, percent) is much


def test_a_run_that_waits_for_an_answer_leaves_room_for_the_next(
    emptied: tuple[Scene, Run, list[str]],
) -> None:
    scene, run, _ = emptied

    with scene.parts.database.reading() as session:
        assert [one.id for one in questions.waiting(session, run.workspace_id, run.connection_id)] == [run.id]
    assert run.active_key is None
