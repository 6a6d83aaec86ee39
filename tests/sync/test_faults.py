"""Either side in trouble, and workers that get in each other's way: the run waits, fails or goes on."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from breaking import AFTER_COMMIT, AFTER_CRM, Fate, breakable
from scene import Clock, Scene, cap_batches, picture, total

from connector import jobqueue
from connector.core.mapping import Mapping
from connector.core.plan import Found
from connector.core.records import Ref
from connector.errors import TryLaterError, VaultError
from connector.ports import Seek
from connector.store import connections, links, runs, workspaces
from connector.store.db import Session, in_transaction
from connector.store.links import Claimed
from connector.store.runs import Run
from connector.store.workspaces import Workspace
from connector.sync import crm_keys, mirror, steering
from connector.sync.mirror import LEASE
from connector.sync.tools import Tools

on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
HTML = "<html><body>502 Bad Gateway</body></html>"
RECORDS = 5 + 40 + 60


def ended_well(scene: Scene, run: Run) -> None:
    """The run is as one that met no trouble: every record once, and nothing twice in the CRM."""
    assert run.status == "success"
    assert run.error is None
    assert total(run) == RECORDS
    crm = picture(scene)
    for plural, key in (("whopProducts", "whopId"), ("opportunities", "whopMembershipId")):
        assert len({row[key] for row in crm[plural]}) == len(crm[plural])
    assert [run.counts[name]["created"] for name in ("whopProduct", "person", "opportunity")] == [5, 38, 59]
    assert [len(rows) for rows in crm.values()] == [5, 38, 59]


# --- the CRM in trouble


CRM_TROUBLE: dict[str, dict[str, Any]] = {
    "cut before": {"cut": "before"},
    "cut after": {"cut": "after"},
    "500": {"status": 500, "body": {"statusCode": 500, "messages": ["Internal server error"]}},
    "HTML 502": {"status": 502, "body": HTML},
    "HTML 200": {"status": 200, "body": HTML},
    "GraphQL trouble": {"graphql_error": {"message": "Connection terminated unexpectedly"}},
    "GraphQL trouble after": {"graphql_error": {"message": "Query read timeout"}, "when": "after"},
    "cut short": {"truncate": 40},
}


@on_sqlite
@pytest.mark.parametrize("trouble", CRM_TROUBLE)
def test_a_crm_in_trouble_makes_the_run_wait_and_go_on(scene: Scene, trouble: str) -> None:
    cap_batches(scene, 20)
    scene.twenty.dial("createPeople", CRM_TROUBLE[trouble], skip=1, times=2)
    run_id = scene.start()

    waiting = scene.advance(run_id)

    assert waiting.status == "running"
    assert waiting.error is not None
    assert waiting.due_at > scene.clock.now
    ended_well(scene, scene.go_on(run_id))


@on_sqlite
def test_a_waiting_run_is_left_alone_until_it_is_due(scene: Scene) -> None:
    scene.twenty.dial("people", {"status": 500, "body": HTML}, times=None)
    run_id = scene.start()
    waiting = scene.advance(run_id)
    scene.twenty.undial()

    scene.advance(run_id)
    assert mirror.sweep(scene.tools) == 0

    assert scene.run(run_id) == waiting
    scene.clock.now = waiting.due_at
    assert mirror.sweep(scene.tools) == 1


@on_sqlite
def test_a_crm_that_is_down_at_the_start_is_still_checked_later(scene: Scene) -> None:
    scene.twenty.dial("currentWorkspace", {"status": 500, "body": HTML}, times=1)
    delete_field(scene, "person", "whopUsername")

    run = scene.sync()

    assert run.status == "failed"
    assert run.error is not None
    assert "person.whopUsername is missing" in run.error["message"]


@on_sqlite
def test_a_run_that_waited_at_the_start_names_its_mappings(scene: Scene) -> None:
    scene.twenty.dial("currentWorkspace", {"status": 500, "body": HTML}, times=4)

    run = scene.sync()

    ended_well(scene, run)
    assert run.mapping_version == scene.tools.mappings.shipped.version


def delete_field(scene: Scene, object_: str, field: str) -> None:
    bearer = {"Authorization": f"Bearer {scene.crm_key}"}
    session = scene.parts.door.session(scene.twenty.url, headers=bearer)
    objects = session.request("GET", "/rest/metadata/objects").json()["data"]
    of = next(one for one in objects if one["nameSingular"] == object_)
    id_ = next(one["id"] for one in of["fields"] if one["name"] == field)
    off = session.request("PATCH", f"/rest/metadata/fields/{id_}", json={"isActive": False})
    assert off.status < 400, off.body
    gone = session.request("DELETE", f"/rest/metadata/fields/{id_}")
    assert gone.status < 400, gone.body


@on_sqlite
def test_a_deleted_field_of_the_crm_fails_the_run_by_name(scene: Scene) -> None:
    delete_field(scene, "person", "whopUsername")

    run = scene.sync()

    assert run.status == "failed"
    assert run.error is not None
    assert run.error["code"] == "crm_schema"
    assert "person.whopUsername" in run.error["message"]
    assert "provision" in run.error["remedy"]


@on_sqlite
def test_a_run_after_a_failed_one_goes_through(scene: Scene) -> None:
    run = scene.go_on(scene.start(), tools=with_defect(scene, 1_000))
    assert run.status == "failed"

    run = scene.sync()

    assert run.status == "success"
    assert [len(rows) for rows in picture(scene).values()] == [5, 38, 59]


@on_sqlite
@pytest.mark.parametrize("at", ["currentWorkspace", "people", "createOpportunities"])
def test_a_revoked_crm_key_holds_the_run_and_says_so(scene: Scene, at: str) -> None:
    error = {"message": "This API Key is revoked", "extensions": {"code": "UNAUTHENTICATED"}}
    scene.twenty.dial(at, {"graphql_error": error}, times=None)

    run = scene.sync()

    assert run.status == "paused"
    assert run.error is not None
    assert run.error["code"] == "crm_credential"
    assert "API Key is revoked" in run.error["message"]
    assert connection_status(scene) == "active"  # it is the CRM's key that is gone, not Whop's
    assert workspace_of(scene).crm_refusal == run.error


@on_sqlite
def test_a_held_run_goes_on_where_it_stopped_when_a_new_key_is_given(scene: Scene) -> None:
    error = {"message": "This API Key is revoked", "extensions": {"code": "UNAUTHENTICATED"}}
    scene.twenty.dial("createOpportunities", {"graphql_error": error}, times=None)
    held = scene.sync()
    scene.twenty.undial()
    new = scene.twenty.ask("POST", "/keys", {"do": "new"})["key"]
    parts = scene.parts

    crm_keys.give_key(scene.tools, parts.vault, parts.crm_desk.client, workspace_of(scene), new)

    assert workspace_of(scene).crm_refusal is None
    assert scene.bell.rings[-1] == ("advance_run", "full", {"run_id": held.id})
    ended_well(scene, scene.go_on(held.id))


@on_sqlite
def test_a_paused_connection_stays_paused_when_the_crm_lets_us_in_again(scene: Scene) -> None:
    scene.twenty.ask("POST", "/keys", {"do": "revoke"})
    held = scene.sync()
    scene.twenty.ask("POST", "/keys", {"do": "renew"})
    assert scene.connection is not None
    steering.pause(scene.tools, scene.connection.workspace_id, scene.connection.id)

    crm_keys.check(scene.tools, workspace_of(scene))

    assert workspace_of(scene).crm_refusal is None
    assert scene.run(held.id).status == "paused"


# --- Whop in trouble


@on_sqlite
def test_a_wait_that_whop_names_in_words_is_kept(scene: Scene) -> None:
    said = {"error": {"type": "rate_limit_exceeded", "message": "Try again in 37 seconds."}}
    scene.whop.dial("GET /members", {"status": 429, "body": said})
    run_id = scene.start()

    waiting = scene.advance(run_id)

    assert (waiting.due_at - scene.clock.now).total_seconds() == 37
    ended_well(scene, scene.go_on(run_id))


WHOP_TROUBLE: dict[str, dict[str, Any]] = {
    "500": {"status": 500},
    "503 HTML": {"status": 503, "body": HTML},
    "cut": {"cut": True},
    "cut short": {"truncate": 200},
    "HTML 200": {"status": 200, "body": HTML},
    "404 of a proxy": {"status": 404, "body": HTML},
}


@on_sqlite
@pytest.mark.parametrize("trouble", WHOP_TROUBLE)
def test_whop_in_trouble_makes_the_run_wait_and_go_on(scene: Scene, trouble: str) -> None:
    # The door itself sends a GET three times where that may help.
    scene.whop.dial("GET /memberships", WHOP_TROUBLE[trouble], times=4)
    run_id = scene.start()

    waiting = scene.advance(run_id)

    assert waiting.active
    assert waiting.error is not None
    ended_well(scene, scene.go_on(run_id))


@on_sqlite
def test_a_whop_key_revoked_midway_pauses_the_run_and_expires_the_connection(scene: Scene) -> None:
    scene.clock = Clock(step=3)
    run_id = scene.start()
    while "whopProduct" not in scene.run(run_id).counts:
        scene.advance(run_id)
    scene.whop.ask("POST", "/keys", {"do": "revoke"})

    run = scene.go_on(run_id)

    assert run.status == "paused"  # it gives way to one that reads everything, once there is access
    assert run.error is not None
    assert run.error["code"] == "whop_key"
    assert connection_status(scene) == "expired"


def workspace_of(scene: Scene) -> Workspace:
    assert scene.workspace is not None
    with scene.parts.database.reading() as session:
        return workspaces.get(session, scene.workspace.id)


def connection_status(scene: Scene) -> str:
    assert scene.connection is not None
    with scene.parts.database.reading() as session:
        return connections.get(session, scene.connection.workspace_id, scene.connection.id).status


# --- workers in each other's way


def test_two_workers_at_one_run_share_it_without_harm(scene: Scene) -> None:
    run_id = scene.start()
    workers = [
        threading.Thread(target=lambda name=str(n): scene.advance(run_id, owner=name)) for n in range(4)
    ]

    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    ended_well(scene, scene.go_on(run_id) if scene.run(run_id).active else scene.run(run_id))


@pytest.mark.parametrize("place", range(3, 9))
@on_sqlite
def test_a_worker_that_wakes_after_the_takeover_saves_nothing(scene: Scene, place: int) -> None:
    cap_batches(scene, 20)
    run_id = scene.start()

    def sleep_on() -> None:
        """The lease ends while this worker sleeps; another does everything meanwhile."""
        scene.clock.advance(LEASE.total_seconds() + 1)
        scene.go_on(run_id)

    fate = Fate(AFTER_CRM, place, act=sleep_on)
    mirror.advance(breakable(scene, fate), run_id, owner="sleeper")

    assert fate.struck
    ended_well(scene, scene.run(run_id))


@on_sqlite
def test_a_sleeper_saves_nothing_once_another_has_the_lease(scene: Scene) -> None:
    run_id = scene.start()

    def sleep_on() -> None:
        """Another has just taken the run, and saved nothing yet."""
        scene.clock.advance(LEASE.total_seconds() + 1)
        now = scene.clock()
        with scene.parts.database.transaction() as session:
            assert runs.lease(session, run_id, owner="other", now=now, until=now + LEASE)

    mirror.advance(breakable(scene, Fate(AFTER_CRM, 3, act=sleep_on)), run_id, owner="sleeper")

    assert scene.run(run_id).lease_owner == "other"
    assert scene.run(run_id).counts == {}
    scene.clock.advance(LEASE.total_seconds() + 1)
    ended_well(scene, scene.go_on(run_id))


@on_sqlite
def test_a_sleeper_that_only_lost_a_slice_gives_way(scene: Scene) -> None:
    run_id = scene.start()

    def sleep_on() -> None:
        scene.clock.advance(LEASE.total_seconds() + 1)
        scene.clock.step = Clock(step=3).step
        scene.advance(run_id, owner="other")
        scene.clock.step = Clock().step

    fate = Fate(AFTER_CRM, 4, act=sleep_on)
    mirror.advance(breakable(scene, fate), run_id, owner="sleeper")

    assert scene.run(run_id).active
    ended_well(scene, scene.go_on(run_id))


def a_claim(scene: Scene, kind: str, object_: str, source_id: str, *, owner: str) -> Any:
    """Another job writes this record just now."""
    assert scene.connection is not None
    scope = Claimed(scene.connection.workspace_id, scene.connection.id, "whop", kind, object_)
    now = scene.clock()
    with scene.parts.database.transaction() as session:
        refs = [Ref("whop", kind, source_id)]
        return links.claim(session, scope, refs, owner=owner, now=now, until=now + 2 * LEASE)


def test_a_record_that_another_job_writes_is_waited_for(scene: Scene) -> None:
    a_claim(scene, "member", "person", scene.records("members")[0]["id"], owner="another")
    run_id = scene.start()

    waiting = scene.advance(run_id)

    assert waiting.active
    assert waiting.error is not None
    assert waiting.error["code"] == "claimed"
    scene.clock.advance(2 * LEASE.total_seconds())
    ended_well(scene, scene.go_on(run_id))


# --- Redis, the database, and defects


def test_a_silent_bell_only_delays_and_the_sweeper_goes_on(scene: Scene) -> None:
    scene.bell.broken = True
    run_id = scene.start()
    assert scene.bell.rings == []

    scene.bell.broken = False
    assert mirror.sweep(scene.tools) == 1

    assert scene.bell.rings == [("advance_run", "full", {"run_id": run_id})]
    ended_well(scene, scene.go_on(run_id))


@on_sqlite
def test_a_redis_that_is_not_there_is_a_silent_bell(scene: Scene) -> None:
    bell = jobqueue.RqBell(jobqueue.connect("unix:///nowhere/redis.sock"))

    with pytest.raises(TryLaterError, match="job queue does not answer"):
        bell.ring("sweep", "webhooks")

    mirror.ring(replace(scene.tools, queue=bell), scene.run(scene.start()))


@on_sqlite
def test_the_sweeper_rings_for_the_run_of_a_dead_worker(scene: Scene) -> None:
    run_id = scene.start()
    fate = Fate(AFTER_COMMIT, 1)
    with pytest.raises(BaseException, match="committed"):
        mirror.advance(breakable(scene, fate), run_id, owner="dead")
    assert mirror.sweep(scene.tools) == 0

    scene.clock.advance(LEASE.total_seconds() + 1)

    assert mirror.sweep(scene.tools) == 1
    ended_well(scene, scene.go_on(run_id))


class Defective:
    """A writer with a defect in it."""

    def __init__(self, writer: Any, times: int) -> None:
        self._writer = writer
        self.left = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    def look(self, mapping: Mapping, seeks: Sequence[Seek]) -> dict[Ref, Found]:
        if mapping.kind == "member" and self.left:
            self.left -= 1
            raise ZeroDivisionError
        return dict(self._writer.look(mapping, seeks))


def with_defect(scene: Scene, times: int) -> Tools:
    assert scene.workspace is not None
    writer = Defective(scene.parts.openers.writer(scene.workspace, "full"), times)
    return replace(scene.tools, open_writer=lambda _workspace, _lane: writer)


@on_sqlite
def test_a_passing_defect_does_not_end_a_run(scene: Scene) -> None:
    run_id = scene.start()

    ended_well(scene, scene.go_on(run_id, tools=with_defect(scene, 2)))


@on_sqlite
def test_a_lasting_defect_ends_the_run_and_is_told(scene: Scene) -> None:
    run_id = scene.start()

    run = scene.go_on(run_id, tools=with_defect(scene, 1_000))

    assert run.status == "failed"
    assert run.error is not None
    assert run.error["code"] == "internal"
    assert "ZeroDivisionError" in run.error["message"]
    assert run.counts["whopProduct"] == {"created": 5}


@on_sqlite
def test_a_secret_that_does_not_open_fails_the_run_at_once(scene: Scene) -> None:
    def locked(_connection: object, _lane: str) -> Any:
        raise VaultError("The key of this secret is missing.")

    run = scene.sync(wrap=lambda tools: replace(tools, open_reader=locked))

    assert run.status == "failed"
    assert run.error is not None
    assert run.error["code"] == "vault"


# --- the guard


@on_sqlite
def test_http_inside_a_transaction_is_an_error(scene: Scene) -> None:
    reader = scene.parts.openers.reader_for(scene.whop_key, None)
    with scene.parts.database.transaction(), pytest.raises(RuntimeError, match="transaction is open"):
        reader.account()
    assert not in_transaction()


@on_sqlite
def test_every_transaction_of_a_sync_is_watched_by_the_door(scene: Scene) -> None:
    """The same guard, met by the conductor itself: a lease that is held open breaks the first request."""

    class HeldOpen:
        reading = scene.parts.database.reading

        @contextmanager
        def transaction(self) -> Iterator[Session]:
            with scene.parts.database.transaction() as session:
                yield session
                scene.parts.openers.reader_for(scene.whop_key, None).account()

    tools = replace(scene.tools, database=HeldOpen())  # type: ignore[arg-type]
    run_id = scene.start()
    with pytest.raises(RuntimeError, match="no HTTP inside it"):
        mirror.advance(tools, run_id, owner="careless")
