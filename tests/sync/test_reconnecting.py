"""A connection that gets its access back: by approval or by key, with what it missed, and nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from scene import Scene, Service, built, whop_served, with_app

from connector.errors import ReconnectError, RefusedError, TryLaterError
from connector.ports import Reader
from connector.store import connections
from connector.store.connections import Connection
from connector.store.runs import Run
from connector.sync import connecting, keys, mirror, steering
from connector.sync.connecting import Connected
from connector.sync.onboarding import NewConnection
from tests.sync.test_tokens import approve, companies, complete, connected, desk, home, kept, rows
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


@pytest.fixture
def synced(scene: Scene) -> Scene:
    """Connected by approval, and a first sync has run."""
    scene.connection = connected(scene)
    assert scene.sync().status == "success"
    return scene


def latest(scene: Scene) -> Run:
    with scene.parts.database.reading() as session:
        return mirror.runs.of_workspace(session, home(scene), limit=1)[0]


def back_of(scene: Scene) -> Connection:
    assert scene.connection is not None
    done = complete(scene, approve(scene, again=scene.connection.id))
    assert isinstance(done, Connected)
    return done.connection


def withdraw_on_whop(scene: Scene) -> Run:
    """The approval is withdrawn, and a sync meets that."""
    assert scene.connection is not None
    run_id = scene.start()
    turn(scene.whop.app, do="revoke_all")
    turn(scene.whop.app, do="expire_access")
    scene.clock.advance(3600)
    run = scene.go_on(run_id)
    assert kept(scene, scene.connection).status == "expired"
    return run


def test_a_withdrawn_approval_pauses_the_sync_and_says_why(synced: Scene) -> None:
    run = withdraw_on_whop(synced)

    assert (run.status, (run.error or {})["code"]) == ("paused", "whop_grant")
    assert run.lease_owner is None
    assert run.ended_at is None
    with pytest.raises(RefusedError, match="is expired"):
        synced.start()


def test_the_paused_sync_gives_way_to_one_from_the_beginning(synced: Scene) -> None:
    paused = withdraw_on_whop(synced)

    back_of(synced)

    ended = synced.run(paused.id)
    assert (ended.status, (ended.error or {})["code"]) == ("cancelled", "replaced")
    assert latest(synced).id != paused.id


def test_resuming_without_access_only_pauses_again(synced: Scene) -> None:
    run = withdraw_on_whop(synced)
    assert synced.connection is not None

    steering.resume(synced.tools, home(synced), synced.connection.id)

    assert synced.go_on(run.id).status == "paused"


def test_access_that_came_back_while_the_old_was_refused_lets_the_sync_go_on(synced: Scene) -> None:
    run_id = synced.start()
    refusals = [ReconnectError("The old approval is refused.", code="whop_grant")]

    def once_refused(*args: Any) -> Reader:
        if refusals:
            raise refusals.pop()
        return synced.tools.open_reader(*args)

    run = synced.go_on(run_id, tools=replace(synced.tools, open_reader=once_refused))

    assert not refusals
    assert run.status == "success"


def test_after_reconnecting_a_sync_catches_up_by_itself(synced: Scene) -> None:
    withdraw_on_whop(synced)
    membership = next(one["id"] for one in synced.records("memberships") if one["status"] == "active")
    synced.change("memberships", membership, status="past_due")

    back_of(synced)

    run = latest(synced)
    assert (run.status, run.type, run.why) == ("queued", "full", "After reconnect")
    assert mirror.sweep(synced.tools) == 1
    ended = synced.go_on(run.id)
    assert ended.status == "success"
    assert synced.deal_of(membership)["whopMembershipStatus"] == "PAYMENT_FAILED"
    assert len(synced.rows("people")) == 5, "nobody is there twice"


def test_a_paused_connection_catches_up_once_it_is_resumed(synced: Scene) -> None:
    withdraw_on_whop(synced)
    assert synced.connection is not None
    with synced.parts.database.transaction() as session:
        connections.set_paused(session, home(synced), synced.connection.id, paused=True)

    back_of(synced)

    assert latest(synced).status == "paused"
    assert latest(synced).why == "After reconnect"


def test_nothing_starts_before_anybody_has_agreed_to_a_first_sync(scene: Scene) -> None:
    scene.connection = connected(scene)

    back_of(scene)

    assert "sync_run" not in rows(scene)


def test_a_sync_under_way_goes_on_when_access_is_renewed(synced: Scene) -> None:
    run_id = synced.start()

    back_of(synced)

    assert latest(synced).id == run_id


def test_a_disconnected_company_comes_back_with_its_links_and_a_sync(synced: Scene) -> None:
    assert synced.connection is not None
    before = len(rows(synced)["link"])
    with synced.parts.database.transaction() as session:
        connections.disconnect(session, home(synced), synced.connection.id)

    back = connected(synced)

    assert back.id == synced.connection.id
    assert latest(synced).why == "After reconnect"
    ended = synced.go_on(latest(synced).id)
    assert ended.counts["person"] == {"unchanged": 5}
    assert len(rows(synced)["link"]) == before


# --- a grant that is refused


def test_a_grant_for_a_company_that_is_connected_is_withdrawn_again(scene: Scene) -> None:
    made = connected(scene)

    with pytest.raises(RefusedError):
        complete(scene, approve(scene, company=made.company_id))

    assert turn(scene.whop.app)["live"] == 1
    assert kept(scene, made).status == "active"


def test_a_grant_that_could_not_be_checked_is_withdrawn_again(scene: Scene) -> None:
    brought = approve(scene, company=companies(scene)[0])
    scene.whop.dial("GET /permissions", {"status": 503}, times=None)

    with pytest.raises(TryLaterError):
        complete(scene, brought)

    assert turn(scene.whop.app)["live"] == 0


# --- an API key


def by_key(scene: Scene, company: str = "", *, key: str = "", again: bool = False) -> Connected:
    assert scene.workspace is not None
    new = NewConnection(company, key or scene.whop_key)
    return keys.connect(desk(scene), scene.workspace, new, again=again)


def test_a_pasted_key_is_checked_and_kept_with_what_it_may(scene: Scene) -> None:
    done = by_key(scene)

    assert (done.connection.auth, done.connection.company_id) == ("api_key", scene.company)
    assert done.missing == ()
    assert "member:email:read" in (done.connection.scopes or [])
    assert scene.whop_key not in str(rows(scene))


def test_a_wrong_key_leaves_nothing_behind(scene: Scene) -> None:
    with pytest.raises(ReconnectError):
        by_key(scene, key="apik_wrong")

    assert "connection" not in rows(scene)


def test_a_company_that_is_connected_takes_no_second_key(scene: Scene) -> None:
    by_key(scene)

    with pytest.raises(RefusedError, match="connected to this workspace already"):
        by_key(scene)


def test_a_connection_is_given_another_key_and_catches_up(scene: Scene) -> None:
    first = by_key(scene).connection
    scene.connection = first
    scene.sync()
    with scene.parts.database.transaction() as session:
        now = scene.clock()
        connections.mark(session, home(scene), first.id, "expired", code="whop_key", now=now)

    done = by_key(scene, first.company_id, again=True)

    assert (done.connection.id, done.connection.status, done.connection.ended_code) == (
        first.id,
        "active",
        None,
    )
    assert latest(scene).why == "After reconnect"


def test_what_a_connection_may_is_looked_at_again_on_demand(scene: Scene) -> None:
    made = connected(scene)
    scene.whop.dial("GET /permissions", {"status": 200, "body": granted(scene, but="member:phone:read")})

    now = keys.look_again(scene.tools, desk(scene).asked, made)

    assert connecting.missing(desk(scene), now) == ("member:phone:read",)
    assert connecting.missing(desk(scene), keys.look_again(scene.tools, desk(scene).asked, now)) == ()


def granted(scene: Scene, *, but: str) -> dict[str, object]:
    actions = [one for one in desk(scene).asked(home(scene)) if ":" in one] + [
        "payment:basic:read",
        "plan:basic:read",
    ]
    return {"data": [{"action": one, "granted": one != but} for one in actions]}


def test_a_key_that_opens_nothing_any_more_is_told_when_looked_at(scene: Scene) -> None:
    made = by_key(scene).connection
    scene.whop.dial("GET /accounts/me", {"status": 401}, times=None)

    with pytest.raises(ReconnectError):
        keys.look_again(scene.tools, desk(scene).asked, made)

    assert (kept(scene, made).status, kept(scene, made).ended_code) == ("expired", "whop_key")
