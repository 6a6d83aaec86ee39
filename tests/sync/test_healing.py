"""Access that ends while a sync reads: the sync waits, says why, and what was missed is caught up with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime

import pytest
from scene import Scene, Service, built, whop_served, with_app

from connector.sources.whop.granted import PERMISSIONS
from connector.store import connections
from connector.store.runs import Run
from connector.sync import healing, keys, mirror
from tests.sync.test_tokens import connected, home, kept
from tests.whop_consent import turn


@pytest.fixture
def whop() -> Iterator[Service]:
    with whop_served(members=5, memberships=5, companies=2) as service:
        yield service


@pytest.fixture
def scene(database_url: str, whop: Service, twenty: Service) -> Iterator[Scene]:
    with closing(built(with_app(database_url, whop.url))) as parts:
        one = Scene(whop, twenty, parts)
        one.workspace = one.add_workspace()
        one.prepare()
        yield one


@pytest.fixture(params=["oauth", "api_key"])
def synced(scene: Scene, request: pytest.FixtureRequest) -> Scene:
    """Connected, by approval or by key, and a first sync has run."""
    assert scene.workspace is not None
    by_key = request.param == "api_key"
    scene.connection = scene.add_connection(scene.workspace) if by_key else connected(scene)
    assert scene.sync().status == "success"
    return scene


def leave(scene: Scene, *, without: tuple[str, ...]) -> None:
    """Whop says that all of this may be read no more."""
    rows = [{"action": one, "granted": one not in without} for one in PERMISSIONS]
    scene.whop.dial("GET /permissions", {"status": 200, "body": {"data": rows}}, times=None)


def suspend_the_app(scene: Scene) -> None:
    scene.whop.dial("POST /oauth/token", {"status": 401, "body": {"error": "invalid_client"}}, times=None)
    error = {"error": {"type": "authentication_error", "message": "This app is suspended."}}
    scene.whop.dial("GET /", {"status": 401, "body": error}, times=None)


def latest(scene: Scene) -> Run:
    with scene.parts.database.reading() as session:
        return mirror.runs.of_workspace(session, home(scene), limit=1)[0]


def state(scene: Scene) -> tuple[str, str | None, datetime | None]:
    assert scene.connection is not None
    now = kept(scene, scene.connection)
    return now.status, now.ended_code, now.ended_at


@pytest.mark.parametrize(
    ("without", "code"),
    [(("access_pass:basic:read",), "whop_scope"), (PERMISSIONS, "whop_unseen")],
    ids=["a permission is withdrawn", "the company is switched off"],
)
def test_a_sync_waits_for_what_may_not_be_read_and_catches_up(
    synced: Scene, without: tuple[str, ...], code: str
) -> None:
    run_id = synced.start()
    leave(synced, without=without)

    paused = synced.go_on(run_id)
    since = state(synced)
    synced.clock.advance(120)
    keys.look_at_lost(synced.tools, synced.parts.desk.asked)

    assert (paused.status, (paused.error or {})["code"]) == ("paused", code)
    assert state(synced) == since == ("expired", code, since[2])
    assert synced.run(run_id).status == "paused"
    assert synced.connection is not None
    assert not set(without) & set(kept(synced, synced.connection).scopes or ())

    synced.whop.undial()
    keys.look_at_lost(synced.tools, synced.parts.desk.asked)

    assert state(synced) == ("active", None, None)
    assert (synced.run(run_id).status, (synced.run(run_id).error or {})["code"]) == ("cancelled", "replaced")
    again = latest(synced)
    assert (again.why, again.type) == (healing.WHY, "full")
    assert synced.go_on(again.id).status == "success"


def test_access_that_is_back_is_found_out_once(synced: Scene) -> None:
    run_id = synced.start()
    leave(synced, without=PERMISSIONS)
    synced.go_on(run_id)
    synced.whop.undial()
    assert synced.connection is not None
    ended = kept(synced, synced.connection)

    keys.look_at_lost(synced.tools, synced.parts.desk.asked)
    begun = latest(synced).id
    healing.heal(synced.tools, ended, synced.tools.open_reader(ended))

    assert latest(synced).id == begun


def test_permissions_alone_are_not_believed(synced: Scene) -> None:
    """A key that is refused although it says that it may read would go back and forth."""
    run_id = synced.start()
    told = "member:basic:read"
    body = {"error": {"type": "forbidden", "message": f"This key lacks {told}"}}
    synced.whop.dial("GET /members$", {"status": 403, "body": body}, times=None)

    assert synced.go_on(run_id).status == "paused"
    keys.look_at_lost(synced.tools, synced.parts.desk.asked)

    assert state(synced)[:2] == ("expired", "whop_scope")


@pytest.mark.parametrize("synced", ["oauth"], indirect=True)
def test_a_suspended_app_pauses_the_sync_and_costs_no_approval(synced: Scene) -> None:
    run_id = synced.start()
    suspend_the_app(synced)

    paused = synced.go_on(run_id)
    since = state(synced)
    synced.clock.advance(120)
    keys.look_at_lost(synced.tools, synced.parts.desk.asked)

    assert (paused.status, (paused.error or {})["code"]) == ("paused", "whop_app")
    assert state(synced) == since == ("expired", "whop_app", since[2])

    synced.whop.undial()
    keys.look_at_lost(synced.tools, synced.parts.desk.asked)

    assert state(synced) == ("active", None, None)
    assert synced.go_on(latest(synced).id).status == "success"


@pytest.mark.parametrize("synced", ["oauth"], indirect=True)
def test_a_renewal_whose_end_is_not_known_stays_noted_while_the_app_is_suspended(synced: Scene) -> None:
    assert synced.connection is not None
    synced.whop.dial("POST /oauth/token", {"cut": True})
    turn(synced.whop.app, do="expire_access")
    run_id = synced.start()
    synced.advance(run_id)
    noted = kept(synced, synced.connection).refresh_asked_at
    suspend_the_app(synced)

    synced.go_on(run_id)

    assert state(synced)[1] == "whop_app"
    assert noted is not None
    assert kept(synced, synced.connection).refresh_asked_at == noted


def test_a_revoked_key_is_not_tried_again(synced: Scene) -> None:
    with synced.parts.database.transaction() as session:
        assert synced.connection is not None
        where = (home(synced), synced.connection.id)
        connections.mark(session, *where, "expired", code="whop_key", now=synced.clock())

    keys.look_at_lost(synced.tools, synced.parts.desk.asked)

    assert state(synced)[:2] == ("expired", "whop_key")
