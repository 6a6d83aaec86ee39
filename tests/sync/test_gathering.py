"""Writes are gathered over pages and blocks into full requests, and nothing is told twice for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from breaking import AFTER_CRM, Fate, Killed, breakable, with_changes
from hypothesis import given
from hypothesis import strategies as st
from scene import NOWHERE, PLURALS, Clock, Scene, Service, built, cap_batches, environment, total

from connector.core.plan import Action, PlannedWrite
from connector.core.records import Page, Ref, SourceRecord
from connector.store.runs import Run
from connector.sync import mirror, steering
from connector.sync.gathering import Batch, Gathering
from connector.sync.scope import Item, Pace
from connector.sync.tools import Tools

RECORDS = 5 + 40 + 60
PAGE = 7


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def scene(database_url: str, whop: Service, twenty: Service) -> Iterator[Scene]:
    """Small pages, and a CRM that takes 20 records a request."""
    env = environment(database_url, whop.url, NOWHERE, WHOP_SYNC_BATCH_SIZE=str(PAGE))
    with closing(built(env)) as parts:
        scene = Scene(whop, twenty, parts).connect()
        cap_batches(scene, 20)
        yield scene


def small_blocks(tools: Tools, **pace: int) -> Tools:
    """Two pages for each look-up."""
    return replace(tools, block_pages=2, pace=Pace(**pace))


def sent(scene: Scene) -> Counter[str]:
    """Requests that wrote, by the mutation of a create: an update may go by another."""
    asked: Counter[str] = Counter()
    for name, count in scene.twenty.ask("GET", "/stats")["requests"].items():
        if name.startswith(("create", "update")):
            asked[name.replace("update", "create")] += count
    return asked


def is_whole(scene: Scene, run: Run) -> None:
    assert run.status == "success"
    assert total(run) == RECORDS
    assert [len(scene.rows(plural)) for plural in PLURALS] == [5, 38, 59]
    told = [(entry.kind, entry.source_id) for entry in scene.log(run)]
    assert len(told) == len(set(told)) == RECORDS


# --- over real HTTP


def test_creates_of_many_blocks_go_in_full_requests(scene: Scene) -> None:
    scene.twenty.ask("DELETE", "/stats")

    run = scene.sync(wrap=small_blocks)

    is_whole(scene, run)
    assert sent(scene) == {"createWhopProducts": 1, "createPeople": 2, "createOpportunities": 3}


def test_the_end_of_a_jobs_time_costs_no_request(scene: Scene) -> None:
    cap_batches(scene, 10)
    scene.clock = Clock(step=1.4)
    scene.twenty.ask("DELETE", "/stats")
    run_id = scene.start()
    jobs = 0
    while scene.run(run_id).active:
        scene.advance(run_id, owner=f"worker-{jobs}", tools=small_blocks(scene.tools, read_again=30))
        scene.clock.advance(300)
        jobs += 1

    is_whole(scene, scene.run(run_id))
    assert jobs > 4
    assert sent(scene) == {"createWhopProducts": 1, "createPeople": 4, "createOpportunities": 6}


def test_a_job_whose_time_is_up_moves_the_run_on_though_no_request_is_full(scene: Scene) -> None:
    cap_batches(scene, 200)
    scene.clock = Clock(step=6)
    run_id = scene.start()

    for number in range(30):
        before = scene.run(run_id)
        if not before.active:
            break
        scene.advance(run_id, owner=f"worker-{number}", tools=small_blocks(scene.tools))
        assert scene.run(run_id).checkpoint != before.checkpoint or not scene.run(run_id).active
        scene.clock.advance(300)

    is_whole(scene, scene.run(run_id))


def test_few_changes_wait_for_company_and_are_not_forgotten(scene: Scene) -> None:
    scene.sync(wrap=small_blocks)
    changed = [one for one in scene.records("memberships") if one["status"] == "active"][::4]
    for one in changed:
        scene.change("memberships", one["id"], status="past_due")
    scene.twenty.ask("DELETE", "/stats")

    run = scene.sync(wrap=small_blocks)

    assert run.counts["opportunity"]["updated"] == len(changed) > 3
    assert sent(scene) == {"createOpportunities": 1}


def test_changes_and_new_records_are_gathered_side_by_side(scene: Scene) -> None:
    scene.sync(wrap=small_blocks)
    plan = scene.records("memberships")[0]["plan_id"]
    made = [scene.whop.ask("POST", "/records/memberships", {"plan_id": plan}) for _ in range(20)]
    scene.twenty.ask("DELETE", "/stats")

    run = scene.sync(wrap=lambda tools: with_changes(small_blocks(tools)))

    updated = run.counts["opportunity"]["updated"]
    assert run.counts["opportunity"]["created"] == len(made) == 20
    assert sent(scene)["createOpportunities"] == 1 + -(-updated // 20)


@pytest.mark.parametrize(("held", "requests"), [(4_000, 1), (2 * PAGE, 2)])
def test_a_write_waits_for_company_only_so_long(scene: Scene, held: int, requests: int) -> None:
    scene.sync(wrap=small_blocks)
    active = [one for one in scene.records("memberships") if one["status"] == "active"]
    active.sort(key=lambda one: one["created_at"])
    for one in (active[0], active[-1]):
        scene.change("memberships", one["id"], status="past_due")
    scene.twenty.ask("DELETE", "/stats")

    run = scene.sync(wrap=lambda tools: small_blocks(tools, most_held=held))

    assert run.counts["opportunity"]["updated"] == 2
    assert sent(scene) == {"createOpportunities": requests}


def test_pausing_is_heeded_between_two_requests(scene: Scene) -> None:
    assert scene.connection is not None
    cap_batches(scene, 5)
    where = scene.connection.workspace_id, scene.connection.id
    at_people = Fate(AFTER_CRM, 7, act=lambda: steering.pause(scene.tools, *where))
    run_id = scene.start()

    paused = scene.advance(run_id, tools=replace(breakable(scene, at_people), pace=Pace(rows=5, ahead=0)))

    assert at_people.struck
    assert paused.status == "paused"
    assert 0 < paused.counts["person"]["created"] < 30
    assert len(scene.rows("people")) == paused.counts["person"]["created"]
    steering.resume(scene.tools, *where)
    is_whole(scene, scene.go_on(run_id))


@pytest.mark.parametrize("place", range(2, 14))
def test_a_kill_in_the_middle_of_gathered_pages_tells_nothing_twice(scene: Scene, place: int) -> None:
    fate = Fate(AFTER_CRM, place)
    run_id = scene.start()
    with pytest.raises(Killed):
        mirror.advance(small_blocks(breakable(scene, fate)), run_id, owner="dead")
    scene.clock.advance(mirror.LEASE.total_seconds() + 121)

    run = scene.go_on(run_id, tools=small_blocks(scene.tools))

    is_whole(scene, run)
    assert [run.counts[name]["created"] for name in ("whopProduct", "person", "opportunity")] == [5, 38, 59]


def test_what_was_written_beside_a_request_in_trouble_is_kept(scene: Scene) -> None:
    """Of two requests under way one is cut off: the other's records are told before the run waits."""
    scene.twenty.dial("createOpportunities", {"cut": "before"}, skip=2, times=1)
    run_id = scene.start()

    waiting = scene.advance(run_id, tools=small_blocks(scene.tools))

    assert waiting.error is not None
    assert waiting.counts["opportunity"]["created"] == 40
    is_whole(scene, scene.go_on(run_id, tools=small_blocks(scene.tools)))


def test_two_members_with_one_email_in_different_blocks_wait_for_a_person(scene: Scene) -> None:
    members = sorted(scene.records("members"), key=lambda one: one["created_at"])
    first, last = members[0], members[-1]
    scene.change("members", first["id"], email="both@example.com")
    scene.change("members", last["id"], email="both@example.com")
    cap_batches(scene, 200)

    run = scene.sync(wrap=small_blocks)

    assert scene.told(run, first["id"]).result == "created"
    assert (scene.told(run, last["id"]).result, scene.told(run, last["id"]).reason) == ("skipped", "review")


# --- how many records a request takes


def takes(scene: Scene, size: int) -> None:
    """The CRM is a server, from now on, that takes so many records a request."""
    world = scene.twenty.app.extensions["twenty"]
    world.settings = replace(world.settings, batch_cap=size)


@pytest.fixture
def older(database_url: str, whop: Service, twenty: Service) -> Iterator[Scene]:
    """Nothing is known of the CRM yet, which takes 20 records a request."""
    with closing(built(environment(database_url, whop.url, NOWHERE))) as parts:
        scene = Scene(whop, twenty, parts).connect()
        takes(scene, 20)
        yield scene


def test_the_limit_of_a_server_costs_one_refused_request_and_is_remembered(older: Scene) -> None:
    older.twenty.ask("DELETE", "/stats")

    is_whole(older, older.sync())

    assert sent(older) == {"createWhopProducts": 1, "createPeople": 1 + 2, "createOpportunities": 3}
    older.twenty.ask("DELETE", "/stats")
    run = older.sync(wrap=with_changes)
    people, deals = run.counts["person"]["updated"], run.counts["opportunity"]["updated"]
    told = {"createWhopProducts": 1, "createPeople": -(-people // 20), "createOpportunities": -(-deals // 20)}
    assert sent(older) == told


@pytest.mark.parametrize(("hours", "requests"), [(1, 3), (25, 1)])
def test_a_server_that_was_upgraded_is_found_out_within_a_day(
    older: Scene, hours: int, requests: int
) -> None:
    older.sync()
    takes(older, 200)
    older.clock.advance(hours * 3600)
    older.twenty.ask("DELETE", "/stats")

    run = older.sync(wrap=with_changes)

    assert 40 < run.counts["opportunity"]["updated"] <= 60
    assert sent(older)["createOpportunities"] == requests


def test_the_first_full_request_goes_out_alone_where_the_limit_is_only_supposed(older: Scene) -> None:
    """Four requests of a wrong size under way would be four refusals."""
    older.twenty.ask("DELETE", "/stats")

    is_whole(older, older.sync(wrap=lambda tools: supposing(tools, 25)))

    assert sent(older)["createOpportunities"] == 3


def supposing(tools: Tools, size: int) -> Tools:
    """The tools of a connector that takes another size for granted."""

    def writer(workspace: Any, lane: Any) -> Any:
        return tools.open_writer(replace(workspace, batch_cap=workspace.batch_cap or size), lane)

    return replace(tools, open_writer=writer)


# --- the gathering by itself


def an_item(number: int, action: Action, page: int) -> Item:
    ref = Ref("whop", "member", f"m{number}")
    return Item(ref, page, plan=PlannedWrite(ref, action, "person"))


def some_pages(sizes: Sequence[int]) -> list[Page]:
    numbers = iter(range(1_000))
    return [
        Page(
            tuple(SourceRecord(Ref("whop", "member", f"m{next(numbers)}"), {}) for _ in range(size)),
            f"c{n}",
            False,
        )
        for n, size in enumerate(sizes)
    ]


@given(
    st.lists(st.lists(st.sampled_from(list(Action)), max_size=6), min_size=1, max_size=8),
    st.integers(1, 5),
    st.randoms(use_true_random=False),
)
def test_every_record_is_let_go_once_and_pages_in_their_order(
    actions: list[list[Action]], size: int, chance: Any
) -> None:
    gathering = Gathering()
    pages = some_pages([len(page) for page in actions])
    numbers = iter(range(1_000))
    items = [an_item(next(numbers), action, n) for n, page in enumerate(actions) for action in page]
    gathering.add(pages, items)
    under_way: list[Batch] = []
    while batch := gathering.full(size):
        assert len(batch.items) == size
        under_way.append(batch)
    under_way += gathering.held(size, -1)
    gone: list[Item] = []
    cursors: list[str | None] = []

    def pass_() -> None:
        others, page = gathering.pass_settled()
        gone.extend(others)
        if page is not None:
            cursors.append(page.cursor)
            settled = set(map(id, gone))
            upto = pages.index(page)
            assert all(id(item) in settled for item in items if item.page <= upto)

    pass_()
    chance.shuffle(under_way)
    for batch in under_way:
        assert len({item.plan.action for item in batch.items if item.plan}) == 1
        gathering.settle(batch)
        gone.extend(batch.items)
        pass_()

    assert sorted(map(id, gone)) == sorted(map(id, items))
    assert cursors == sorted(cursors, key=lambda name: int((name or "c")[1:]))
    assert cursors[-1] == pages[-1].cursor
