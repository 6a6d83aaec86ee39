"""What Whop may do to a sync that reads it: each ends in a clear outcome, and nothing is missing silently.

Every test is a whole run over both services. Pages are small, so that there are many.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from flask import Response, request
from scene import NOWHERE, PLURALS, Scene, Service, Waits, built, environment

from connector.core.outcomes import Result, sum_of
from connector.store import connections
from connector.sync import waiting

PAGE = 10
Body = dict[str, Any]


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def scene(database_url: str, whop: Service, twenty: Service) -> Iterator[Scene]:
    env = environment(database_url, whop.url, NOWHERE, WHOP_SYNC_BATCH_SIZE=str(PAGE))
    with closing(built(env)) as parts:
        yield Scene(whop, twenty, parts).connect()


def meanwhile(scene: Scene, kind: str, act: Callable[[int, Body], None]) -> None:
    """Do this with each page of a kind before it is sent: the number of the page, and its body."""
    count = iter(range(1, 10_000))

    def sent(answer: Response) -> Response:
        if request.path == f"/api/v1/{kind}" and answer.status_code == 200:
            body = answer.get_json()
            act(next(count), body)
            answer.set_data(json.dumps(body))
        return answer

    scene.whop.app.after_request_funcs.setdefault(None, []).append(sent)


def as_before(scene: Scene) -> None:
    scene.whop.app.after_request_funcs[None].pop()


def code(run: Any) -> str:
    return str((run.error or {}).get("code"))


def is_whole(scene: Scene) -> bool:
    return [len(scene.rows(plural)) for plural in PLURALS] == [5, 38, 59]


# --- pages that lead nowhere


@pytest.mark.parametrize(
    ("kind", "at", "back_to"),
    [("members", 2, 1), ("members", 2, 2), ("payments", 7, 6)],
    ids=["the page before", "two pages before", "pages that are kept in between"],
)
def test_a_cursor_that_comes_back_ends_the_run_in_the_end(
    scene: Scene, kind: str, at: int, back_to: int
) -> None:
    """Each job may settle a round of pages before it is where it was: that is no progress."""
    ends: list[str] = []

    def turned(_: int, body: Body) -> None:
        end = body["page_info"]["end_cursor"]
        if end not in ends:
            ends.append(end)
        if ends.index(end) == at:
            body["page_info"]["end_cursor"] = ends[at - back_to]

    meanwhile(scene, kind, turned)
    run = scene.go_on(scene.start(), jobs=60)

    assert len(ends) == at + 1
    assert (run.status, code(run)) == ("failed", "source_stuck")
    as_before(scene)
    assert scene.sync().status == "success"
    assert is_whole(scene)


@pytest.mark.parametrize("fault", [{"truncate": 40}, {"status": 200, "body": {"data": {}}}])
def test_an_answer_that_stays_unreadable_ends_the_run_in_the_end(scene: Scene, fault: Body) -> None:
    scene.whop.dial("GET /memberships$", fault, skip=2, times=None)

    run = scene.go_on(scene.start(), jobs=80)

    assert (run.status, code(run)) == ("failed", "source_stuck")
    scene.whop.undial()
    assert scene.sync().status == "success"
    assert is_whole(scene)


@pytest.mark.parametrize("fault", [{"truncate": 40}, {"status": 200, "body": {"data": {}}}])
def test_an_answer_that_is_unreadable_for_a_while_is_waited_out(scene: Scene, fault: Body) -> None:
    scene.whop.dial("GET /memberships$", fault, skip=2, times=5)
    run_id = scene.start()

    assert waiting.side_in_trouble(scene.advance(run_id)) == "source"
    assert scene.go_on(run_id).status == "success"
    assert is_whole(scene)


# --- records that are not what they should be


def test_a_value_of_the_wrong_type_fails_its_record_alone(scene: Scene) -> None:
    def spoil(page: int, body: Body) -> None:
        if page == 2:
            body["data"][0]["email"] = {"not": "text"}
            body["data"][1] = ["no object"]

    meanwhile(scene, "members", spoil)
    run = scene.sync()

    assert run.status == "partial"
    failed = [entry for entry in scene.log(run, "failed") if entry.kind == "member"]
    assert len(failed) == 2
    assert "email" in {(entry.error or {}).get("field") for entry in failed}
    as_before(scene)
    assert scene.sync().status == "success"
    assert is_whole(scene)


def test_a_record_on_several_pages_is_told_once_and_the_rest_as_duplicates(scene: Scene) -> None:
    first: list[Body] = []

    def repeat(page: int, body: Body) -> None:
        if page == 1:
            first.append(body["data"][0])
        else:
            body["data"].insert(0, first[0])

    meanwhile(scene, "memberships", repeat)
    run = scene.sync()

    of_first = [entry for entry in scene.log(run) if entry.source_id == first[0]["id"]]
    assert [entry.reason for entry in of_first].count("duplicate") == len(of_first) - 1 >= 4
    assert is_whole(scene)


# --- a list that changes while it is read


def test_what_changes_while_it_is_read_is_brought_over_or_told(scene: Scene) -> None:
    """Gone from what was read and from what was not, changed ahead, and one more at the end."""
    ids = [one["id"] for one in sorted(scene.records("memberships"), key=lambda one: one["created_at"])]

    def act(page: int, _: Body) -> None:
        if page == 1:
            scene.whop.ask("DELETE", f"/records/memberships/{ids[0]}")
            scene.whop.ask("DELETE", f"/records/memberships/{ids[25]}")
            scene.change("memberships", ids[35], status="past_due")
            scene.whop.ask("POST", "/records/memberships", {})

    meanwhile(scene, "memberships", act)
    run = scene.sync()
    as_before(scene)

    assert run.status in ("success", "partial")
    assert len(scene.records("memberships")) == 59, "two are gone, one is new"
    there = {row["whopMembershipId"] for row in scene.rows("opportunities")}
    told = {entry.source_id for entry in scene.log(run)}
    for one in scene.records("memberships"):
        assert one["id"] in there | told
    assert ids[25] not in there
    assert scene.deal_of(ids[35])["whopMembershipStatus"] == "PAYMENT_FAILED"


# --- permissions and the company, withdrawn under way


@pytest.mark.parametrize(
    ("left", "told"),
    [(["access_pass:basic:read", "company:basic:read"], "whop_scope"), ([], "whop_unseen")],
    ids=["a permission", "the company"],
)
@pytest.mark.parametrize("quiet", [False, True], ids=["refused", "silently"])
def test_what_is_withdrawn_while_it_is_read_pauses_the_sync(
    scene: Scene, left: list[str], told: str, quiet: bool
) -> None:
    def act(page: int, _: Body) -> None:
        if page == 2:
            scene.whop.ask("POST", "/keys", {"do": "restrict", "permissions": left, "quiet": quiet})

    meanwhile(scene, "memberships", act)
    run = scene.sync()

    assert run.status == "paused"
    assert code(run) in (told, "whop_scope")
    assert scene.connection is not None
    with scene.parts.database.reading() as session:
        now = connections.get(session, run.workspace_id, scene.connection.id)
    assert now.status == "expired"
    assert not any(row["deletedAt"] for row in scene.rows("people")), "nobody is taken for gone"


# --- clocks


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_off_by_an_hour_changes_nothing(scene: Scene, hours: int) -> None:
    scene.clock.advance(3600 * hours)

    assert scene.sync().status == "success"

    assert is_whole(scene)
    scene.clock.advance(-3600 * hours)
    member = next(one["id"] for one in scene.records("members") if one["user"])
    scene.change("members", member, phone_number="+4712345678")
    again = scene.sync()
    assert again.status == "success"
    assert sum_of(again.counts, Result.UPDATED) == 1


# --- how many requests it may be asked


@pytest.mark.parametrize(
    ("setting", "seconds"), [("", 0), ("20", 24)], ids=["as Whop allows", "twenty a minute"]
)
def test_pages_are_asked_for_as_often_as_the_setting_says(
    database_url: str, whop: Service, twenty: Service, setting: str, seconds: int
) -> None:
    """Without Redis a process takes half: of 18 pages of payments, the first ten at once, then one in six."""
    waits = Waits()
    env = environment(
        database_url, whop.url, NOWHERE, WHOP_SYNC_BATCH_SIZE="5", WHOP_REQUESTS_PER_MINUTE=setting
    )
    with closing(built(env, waits)) as parts:
        scene = Scene(whop, twenty, parts).connect()
        pages = list(parts.tools.open_reader(scene.connection, "full").pages("payment", None))

    assert (len(pages) > 10, waits.now >= seconds, bool(waits.now)) == (True, True, bool(seconds))
