"""Connecting by approval, and tokens that live: with the sandbox over HTTP, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from scene import Scene, Service, built, whop_served, with_app
from sqlalchemy.exc import OperationalError

from connector.core.records import Ref
from connector.errors import ReconnectError, RefusedError, TryLaterError
from connector.ports import Tokens
from connector.store import connections, grants, links, pending
from connector.store.connections import Connection
from connector.store.db import Database
from connector.store.grants import Grant
from connector.store.links import Claimed
from connector.store.pending import Visitor
from connector.sync import connecting, tokens
from connector.sync.connecting import Choice, Connected, Desk
from connector.sync.tokens import Keeper, live_token
from tests.store.racing import race
from tests.sync.test_onboarding import dump
from tests.whop_consent import decide, query, turn

BACK = "http://127.0.0.1:8080/oauth/whop/callback"
MARTA = Visitor("operator-marta", pending.digest("her browser"))
OTHERS = (
    Visitor("operator-marta", pending.digest("another browser")),
    Visitor("operator-marta", pending.digest("")),
    Visitor("operator-otto", MARTA.browser_hash),
)


@pytest.fixture
def whop() -> Iterator[Service]:
    with whop_served(members=5, memberships=5, companies=2) as service:
        yield service


@pytest.fixture
def unconnected(database_url: str, whop: Service, twenty: Service) -> Iterator[Scene]:
    with closing(built(with_app(database_url, whop.url))) as parts:
        yield Scene(whop, twenty, parts)


@pytest.fixture
def scene(unconnected: Scene) -> Scene:
    """A workspace, and no connection yet."""
    unconnected.workspace = unconnected.add_workspace()
    return unconnected


def desk(scene: Scene) -> Desk:
    return replace(scene.parts.desk, clock=scene.clock)


def home(scene: Scene) -> str:
    assert scene.workspace is not None
    return scene.workspace.id


def companies(scene: Scene) -> list[str]:
    return [shelf.company.id for shelf in scene.whop.app.extensions["whop"].world.owned]


def approve(scene: Scene, *, company: str = "", again: str | None = None) -> dict[str, str]:
    """To Whop and back: the parameters that the browser brings."""
    url = connecting.begin(desk(scene), home(scene), MARTA, connection_id=again)
    return query(decide(scene.whop.app, url, company=company))


def complete(scene: Scene, brought: dict[str, str], visitor: Visitor = MARTA) -> Connected | Choice:
    return connecting.complete(
        desk(scene), home(scene), visitor, state=brought["state"], code=brought["code"]
    )


def connected(scene: Scene, **how: Any) -> Connection:
    done = complete(scene, approve(scene, **{"company": companies(scene)[0]} | how))
    assert isinstance(done, Connected)
    return done.connection


def chosen_from(scene: Scene) -> Choice:
    done = complete(scene, approve(scene))
    assert isinstance(done, Choice)
    return done


def kept(scene: Scene, one: Connection) -> Connection:
    with scene.parts.database.reading() as session:
        return connections.get(session, one.workspace_id, one.id)


def rows(scene: Scene) -> dict[str, list[str]]:
    return dump(scene.parts.database)


# --- connecting


def test_an_approval_becomes_a_connection(scene: Scene) -> None:
    made = connected(scene)

    assert made.company_id == companies(scene)[0]
    assert made.auth == "oauth"
    assert made.status == "active"
    assert made.expires_at == scene.clock() + timedelta(hours=1)
    assert made.source_user_id is not None
    assert made.source_user_id.startswith("user_")
    assert made.scopes is not None
    assert {"openid", "company:basic:read", "member:email:read"} <= set(made.scopes)
    assert "plan:basic:read" not in made.scopes
    assert scene.parts.openers.reader(made).account().company_id == made.company_id


def test_tokens_are_sealed_and_bound_to_their_place(scene: Scene) -> None:
    made, vault = connected(scene), scene.parts.vault
    assert made.secret_sealed is not None
    assert made.refresh_sealed is not None

    refresh = vault.open(made.refresh_sealed, bound_to=tokens.refresh_binding(home(scene), made.id))

    text = str(rows(scene))
    assert refresh.startswith("whop_rt_")
    assert "whop_rt_" not in text
    assert "whop_at_" not in text
    for elsewhere in (
        tokens.refresh_binding(home(scene), "other"),
        f"connection:{home(scene)}:{made.id}:secret",
    ):
        with pytest.raises(Exception, match="belongs to another row"):
            vault.open(made.refresh_sealed, bound_to=elsewhere)


def test_only_the_hash_of_the_state_is_kept(scene: Scene) -> None:
    url = connecting.begin(desk(scene), home(scene), MARTA)

    text = str(rows(scene)["pending_authorization"])
    assert query(url)["state"] not in text
    assert pending.digest(query(url)["state"]) in text


def test_several_companies_are_offered_and_one_is_chosen(scene: Scene) -> None:
    choice = chosen_from(scene)

    done = connecting.choose(desk(scene), home(scene), MARTA, choice.id, company_id=companies(scene)[1])

    assert [one.id for one in choice.companies] == companies(scene)
    assert choice.approver
    assert done.connection.company_id == companies(scene)[1]
    assert done.missing == ()
    with pytest.raises(RefusedError) as raised:
        connecting.choose(desk(scene), home(scene), MARTA, choice.id, company_id=companies(scene)[0])
    assert raised.value.code == "whop_choice"


def test_what_waits_for_a_choice_is_sealed(scene: Scene) -> None:
    chosen_from(scene)

    assert "whop_rt_" not in str(rows(scene))
    assert "connection" not in rows(scene)


def test_a_choice_is_not_anothers_to_make(scene: Scene) -> None:
    choice = chosen_from(scene)

    for visitor in OTHERS:
        with pytest.raises(RefusedError):
            connecting.offered(desk(scene), home(scene), visitor, choice.id)
        with pytest.raises(RefusedError):
            connecting.choose(desk(scene), home(scene), visitor, choice.id, company_id=companies(scene)[0])
    assert "connection" not in rows(scene)


def test_a_choice_of_something_that_was_not_offered_is_refused(scene: Scene) -> None:
    choice = chosen_from(scene)

    with pytest.raises(RefusedError, match="not among those"):
        connecting.choose(desk(scene), home(scene), MARTA, choice.id, company_id="biz_foreign")


def test_a_choice_that_failed_may_be_made_again(scene: Scene) -> None:
    choice = chosen_from(scene)
    scene.whop.dial("GET /accounts/", {"status": 503}, times=3)

    with pytest.raises(TryLaterError):
        connecting.choose(desk(scene), home(scene), MARTA, choice.id, company_id=companies(scene)[0])

    assert "connection" not in rows(scene)
    scene.whop.undial()
    connecting.choose(desk(scene), home(scene), MARTA, choice.id, company_id=companies(scene)[0])


def test_two_companies_can_be_connected_one_after_the_other(scene: Scene) -> None:
    first = connected(scene)
    choice = chosen_from(scene)

    second = connecting.choose(desk(scene), home(scene), MARTA, choice.id, company_id=companies(scene)[1])

    assert [one.taken for one in choice.companies] == [True, False]
    assert second.connection.id != first.id
    assert len(rows(scene)["connection"]) == 2


def test_the_same_company_twice_is_refused_with_its_reason(scene: Scene) -> None:
    made = connected(scene)
    before = rows(scene)["connection"]

    with pytest.raises(RefusedError, match="connected to this workspace already") as raised:
        complete(scene, approve(scene, company=made.company_id))

    assert raised.value.code == "connection_exists"
    assert rows(scene)["connection"] == before


@pytest.mark.parametrize("visitor", OTHERS)
def test_a_state_of_another_browser_or_operator_is_refused_and_stays_good(
    scene: Scene, visitor: Visitor
) -> None:
    brought = approve(scene, company=companies(scene)[0])

    with pytest.raises(RefusedError) as raised:
        complete(scene, brought, visitor)

    assert raised.value.code == "whop_state"
    assert "connection" not in rows(scene)
    assert isinstance(complete(scene, brought), Connected)


def test_a_state_counts_once(scene: Scene) -> None:
    brought = approve(scene, company=companies(scene)[0])
    complete(scene, brought)

    with pytest.raises(RefusedError) as raised:
        complete(scene, brought)

    assert raised.value.code == "whop_state_used"


def test_of_two_answers_at_once_one_counts(scene: Scene) -> None:
    brought = approve(scene, company=companies(scene)[0])

    answers = race(*[lambda: complete(scene, brought)] * 4)

    assert sum(isinstance(one, Connected) for one in answers) == 1
    assert {one.code for one in answers if isinstance(one, RefusedError)} == {"whop_state_used"}
    assert len(rows(scene)["connection"]) == 1


def test_a_state_is_too_old_after_a_quarter_of_an_hour(scene: Scene) -> None:
    brought = approve(scene)
    scene.clock.advance(15 * 60)

    with pytest.raises(RefusedError) as raised:
        complete(scene, brought)

    assert raised.value.code == "whop_state_expired"


def test_what_was_left_lying_is_forgotten(scene: Scene) -> None:
    chosen_from(scene)
    scene.clock.advance(15 * 60)

    connecting.begin(desk(scene), home(scene), MARTA)

    assert len(rows(scene)["pending_authorization"]) == 1
    assert turn(scene.whop.app)["live"] == 0, "what was granted and never chosen is withdrawn on Whop"


def test_a_declined_approval_is_over(scene: Scene) -> None:
    url = connecting.begin(desk(scene), home(scene), MARTA)
    brought = query(decide(scene.whop.app, url, "cancel"))

    connecting.decline(desk(scene), home(scene), MARTA, state=brought["state"])

    assert brought["error"] == "access_denied"
    with pytest.raises(RefusedError):
        connecting.decline(desk(scene), home(scene), MARTA, state=brought["state"])


@pytest.mark.parametrize(
    "place", ["POST /oauth/token", "GET /oauth/userinfo", "GET /accounts", "GET /permissions"]
)
def test_whop_going_down_on_the_way_leaves_nothing_behind(scene: Scene, place: str) -> None:
    brought = approve(scene, company=companies(scene)[0])
    scene.whop.dial(place, {"status": 503}, times=None)

    with pytest.raises(TryLaterError):
        complete(scene, brought)

    assert "connection" not in rows(scene)


def test_connecting_again_keeps_the_row_and_its_links(scene: Scene) -> None:
    made = connected(scene)
    remember_a_link(scene, made)
    with scene.parts.database.transaction() as session:
        connections.disconnect(session, home(scene), made.id)

    back = connected(scene)

    assert (back.id, back.status) == (made.id, "active")
    assert len(rows(scene)["link"]) == 1


def test_a_named_connection_gets_its_access_anew_for_its_company_alone(scene: Scene) -> None:
    made = connected(scene)
    remember_a_link(scene, made)
    with scene.parts.database.transaction() as session:
        connections.mark(session, home(scene), made.id, "expired")

    done = complete(scene, approve(scene, again=made.id))

    assert isinstance(done, Connected)
    assert (done.connection.id, done.connection.status) == (made.id, "active")
    assert done.connection.asked_company_id == made.company_id
    assert done.connection.secret_sealed != made.secret_sealed
    assert done.connection.created_at == made.created_at
    assert len(rows(scene)["link"]) == 1
    scene.clock.advance(3600)
    assert live_token(keeper(scene), done.connection)


def test_an_api_key_can_give_way_to_an_approval(scene: Scene) -> None:
    assert scene.workspace is not None
    by_key = scene.add_connection(scene.workspace)

    done = complete(scene, approve(scene, again=by_key.id))

    assert isinstance(done, Connected)
    assert (done.connection.id, done.connection.auth) == (by_key.id, "oauth")


def test_another_workspaces_connection_is_not_connected_again(scene: Scene) -> None:
    made = connected(scene)

    with pytest.raises(RefusedError) as raised:
        connecting.begin(desk(scene), "another workspace", MARTA, connection_id=made.id)

    assert raised.value.code == "no_connection"


def test_what_was_not_granted_is_said(scene: Scene) -> None:
    less = tuple(one for one in desk(scene).asked(home(scene)) if one != "member:phone:read")
    url = connecting.begin(replace(desk(scene), asked=lambda _workspace_id: less), home(scene), MARTA)
    brought = query(decide(scene.whop.app, url, company=companies(scene)[0]))

    done = complete(scene, brought)

    assert isinstance(done, Connected)
    assert done.missing == ("member:phone:read",)
    assert connecting.missing(desk(scene), kept(scene, done.connection)) == ("member:phone:read",)


def remember_a_link(scene: Scene, made: Connection) -> None:
    claimed = Claimed(home(scene), made.id, "whop", "member", "person")
    now = scene.clock()
    with scene.parts.database.transaction() as session:
        links.claim(
            session, claimed, [Ref("whop", "member", "mber_1")], owner="x", now=now, until=now + timedelta(1)
        )


# --- a token that lives


class Counting:
    """A client that counts refreshes, and may be made to fail or to wait."""

    def __init__(self, inner: Any, before: Callable[[], None] = lambda: None) -> None:
        self.inner, self.before, self.count = inner, before, 0
        self.lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def refresh(self, refresh_token: str, *, company_id: str | None) -> Tokens:
        with self.lock:
            self.count += 1
        self.before()
        return self.inner.refresh(refresh_token, company_id=company_id)


def keeper(scene: Scene, **changed: Any) -> Keeper:
    return replace(scene.parts.openers.keeper, **{"clock": scene.clock} | changed)


def counting(scene: Scene, **how: Any) -> Counting:
    return Counting(scene.parts.desk.client, **how)


def is_live(scene: Scene, token: str) -> bool:
    session = scene.parts.openers._whop(token)
    return session.request("GET", "/accounts").status == 200


def grant_of(scene: Scene, made: Connection) -> Grant:
    now = kept(scene, made)
    return Grant(now.workspace_id, now.id, now.refresh_sealed or "")


def test_an_api_key_is_used_as_it_is(scene: Scene) -> None:
    assert scene.workspace is not None

    assert live_token(keeper(scene), scene.add_connection(scene.workspace)) == scene.whop_key


def test_a_token_that_lasts_is_not_renewed(scene: Scene) -> None:
    made, client = connected(scene), counting(scene)
    scene.clock.advance(3600 - 61)

    assert is_live(scene, live_token(keeper(scene, client=client), made))
    assert client.count == 0


def test_a_token_that_ends_within_a_minute_is_renewed_and_kept(scene: Scene) -> None:
    made, client = connected(scene), counting(scene)
    scene.clock.advance(3600 - 60)

    first = live_token(keeper(scene, client=client), made)
    second = live_token(keeper(scene, client=client), made)

    assert client.count == 1
    assert first == second
    now = kept(scene, made)
    assert now.secret_sealed != made.secret_sealed
    assert now.refresh_sealed != made.refresh_sealed
    assert now.expires_at == scene.clock() + timedelta(hours=1)
    assert (now.refresh_claimed_by, now.refresh_claimed_until) == (None, None)


def test_eight_threads_that_meet_an_ended_token_renew_it_once(scene: Scene) -> None:
    made = connected(scene)
    scene.clock.advance(3600)
    turn(scene.whop.app, do="expire_access")
    begun = threading.Event()
    client = counting(scene, before=lambda: begun.wait(0.3) and None)
    patient = keeper(scene, client=client, pause=lambda seconds: begun.wait(seconds) and None)

    answers = race(*[lambda: live_token(patient, made)] * 8)

    assert client.count == 1
    assert len(set(answers)) == 1
    assert is_live(scene, answers[0])


def test_no_transaction_is_open_while_whop_is_asked(scene: Scene) -> None:
    # The door itself refuses to send inside a transaction; so a renewal that works had none open.
    made = connected(scene)
    scene.clock.advance(3600)

    assert is_live(scene, live_token(keeper(scene), made))


def test_a_token_that_whop_refused_is_renewed_though_it_should_last(scene: Scene) -> None:
    made, client = connected(scene), counting(scene)
    old = live_token(keeper(scene), made)

    new = live_token(keeper(scene, client=client), made, refused=old)
    same = live_token(keeper(scene, client=client), made, refused=old)

    assert old != new == same
    assert client.count == 1


def test_a_reader_outlives_its_token(scene: Scene) -> None:
    made = connected(scene)
    reader = scene.parts.openers.reader(made)
    reader.account()

    turn(scene.whop.app, do="expire_access")

    assert sum(len(page.items) for page in reader.pages("member", None)) == 5


def test_a_grant_that_was_withdrawn_marks_the_connection_expired(scene: Scene) -> None:
    made = connected(scene)
    scene.clock.advance(3600)
    turn(scene.whop.app, do="revoke_all")

    with pytest.raises(ReconnectError) as raised:
        live_token(keeper(scene), made)

    assert raised.value.code == "whop_grant"
    assert kept(scene, made).status == "expired"
    assert kept(scene, made).refresh_claimed_by is None


def test_an_expired_connection_is_not_asked_for_again(scene: Scene) -> None:
    made, client = connected(scene), counting(scene)
    with scene.parts.database.transaction() as session:
        connections.mark(session, home(scene), made.id, "expired")

    with pytest.raises(ReconnectError):
        live_token(keeper(scene, client=client), made)

    assert client.count == 0


def test_a_disconnected_connection_says_so(scene: Scene) -> None:
    made = connected(scene)
    with scene.parts.database.transaction() as session:
        connections.disconnect(session, home(scene), made.id)

    with pytest.raises(ReconnectError) as raised:
        live_token(keeper(scene), made)

    assert raised.value.code == "whop_disconnected"


def test_a_no_to_an_old_token_is_not_final_when_a_new_one_is_there(scene: Scene) -> None:
    """An admin connects again while a worker's renewal is refused: the new approval counts."""
    made = connected(scene)
    scene.clock.advance(3600)

    def meanwhile() -> None:
        complete(scene, approve(scene, again=made.id))
        raise ReconnectError("Refresh token has been revoked", code="whop_grant")

    token = live_token(keeper(scene, client=counting(scene, before=meanwhile)), made)

    assert is_live(scene, token)
    assert kept(scene, made).status == "active"


def test_tokens_of_a_new_approval_are_not_overwritten_by_a_late_renewal(scene: Scene) -> None:
    made = connected(scene)
    scene.clock.advance(3600)

    token = live_token(
        keeper(
            scene,
            client=counting(scene, before=lambda: complete(scene, approve(scene, again=made.id)) and None),
        ),
        made,
    )

    assert kept(scene, made).asked_company_id == made.company_id
    assert token == live_token(keeper(scene), made)


def test_a_lost_answer_gives_the_claim_back_and_ends_in_connecting_again(scene: Scene) -> None:
    made = connected(scene)
    scene.clock.advance(3600)
    scene.whop.dial("POST /oauth/token", {"cut": True, "after": True})

    with pytest.raises(TryLaterError) as raised:
        live_token(keeper(scene), made)

    assert raised.value.code == "whop_refresh_unanswered"
    assert kept(scene, made).refresh_claimed_by is None
    assert kept(scene, made).status == "active"
    with pytest.raises(ReconnectError) as ended:
        live_token(keeper(scene), made)
    now = kept(scene, made)
    assert ended.value.code == "whop_refresh_lost"
    assert (now.status, now.ended_code, now.ended_at) == ("expired", "whop_refresh_lost", scene.clock())


def test_an_answer_that_whop_never_gave_is_asked_for_again(scene: Scene) -> None:
    made = connected(scene)
    scene.clock.advance(3600)
    scene.whop.dial("POST /oauth/token", {"status": 503}, times=2)

    for _ in range(2):
        with pytest.raises(TryLaterError):
            live_token(keeper(scene), made)

    assert kept(scene, made).refresh_asked_at == scene.clock()
    assert is_live(scene, live_token(keeper(scene), made))
    assert kept(scene, made).refresh_asked_at is None


def test_a_pause_that_whop_asks_for_is_no_lost_answer(scene: Scene) -> None:
    made = connected(scene)
    scene.clock.advance(3600)
    scene.whop.dial("POST /oauth/token", {"status": 429})

    with pytest.raises(TryLaterError):
        live_token(keeper(scene), made)

    assert kept(scene, made).refresh_asked_at is None


def test_a_doubt_outlives_a_pause_that_whop_asks_for(scene: Scene) -> None:
    made = connected(scene)
    scene.clock.advance(3600)
    scene.whop.dial("POST /oauth/token", {"cut": True, "after": True})
    scene.whop.dial("POST /oauth/token", {"status": 429}, skip=1)

    codes = []
    for _ in range(3):
        with pytest.raises((TryLaterError, ReconnectError)) as raised:
            live_token(keeper(scene), made)
        codes.append(raised.value.code)

    assert codes == ["whop_refresh_unanswered", "whop_rate", "whop_refresh_lost"]


def test_a_fresh_token_that_whop_refuses_ends_the_connection_with_that_reason(scene: Scene) -> None:
    made = connected(scene)
    reader = scene.parts.openers.reader(made)
    scene.whop.dial("GET /accounts", {"status": 401}, times=None)

    with pytest.raises(ReconnectError) as raised:
        reader.account()

    assert raised.value.code == "whop_shut_out"
    assert (kept(scene, made).status, kept(scene, made).ended_code) == ("expired", "whop_shut_out")


def test_a_refused_token_of_before_does_not_end_a_fresh_approval(scene: Scene) -> None:
    made = connected(scene)
    old = live_token(keeper(scene), made)
    complete(scene, approve(scene, again=made.id))

    tokens.shut_out(keeper(scene), made, old)

    assert kept(scene, made).status == "active"


def test_a_renewal_that_meets_a_disconnecting_leaves_nothing_alive_on_whop(scene: Scene) -> None:
    made = connected(scene)
    scene.clock.advance(3600)

    def meanwhile() -> None:
        with scene.parts.database.transaction() as session:
            connections.disconnect(session, home(scene), made.id)

    with pytest.raises(ReconnectError):
        live_token(keeper(scene, client=counting(scene, before=meanwhile)), made)

    assert turn(scene.whop.app)["live"] == 0


def test_a_refusal_that_never_reached_whop_costs_nothing(scene: Scene) -> None:
    made = connected(scene)
    scene.clock.advance(3600)
    scene.whop.dial("POST /oauth/token", {"cut": True})

    with pytest.raises(TryLaterError):
        live_token(keeper(scene), made)

    assert is_live(scene, live_token(keeper(scene), made))


def test_a_claim_of_a_dead_worker_is_waited_for_and_then_taken_over(scene: Scene) -> None:
    made = connected(scene)
    scene.clock.advance(3600)
    now = scene.clock()
    with scene.parts.database.transaction() as session:
        assert grants.claim(
            session, grant_of(scene, made), owner="dead", now=now, until=now + timedelta(minutes=1)
        )

    with pytest.raises(TryLaterError) as raised:
        live_token(keeper(scene, pause=lambda _: scene.clock.advance(5)), made)
    assert raised.value.code == "whop_refresh_busy"

    scene.clock.advance(60)
    assert is_live(scene, live_token(keeper(scene), made))


def test_a_database_that_blinks_does_not_cost_the_new_token(scene: Scene) -> None:
    made = connected(scene)
    scene.clock.advance(3600)
    real = scene.parts.database
    blinking = Blinking(real)

    client = counting(scene, before=lambda: blinking.blink(2))
    token = live_token(keeper(scene, database=blinking, client=client), made)

    assert is_live(scene, token)
    assert client.count == 1


class Blinking(Database):
    """A database that fails the next transactions."""

    def __init__(self, inner: Database) -> None:
        self.engine, self.inner, self.left = inner.engine, inner, 0

    def blink(self, times: int) -> None:
        self.left = times

    def transaction(self) -> Any:
        if self.left:
            self.left -= 1
            raise OperationalError("COMMIT", None, Exception("disk full"))
        return self.inner.transaction()


def test_another_workspaces_grant_is_not_touched(scene: Scene) -> None:
    made, now = connected(scene), scene.clock()
    foreign = replace(grant_of(scene, made), workspace_id="another")

    with scene.parts.database.transaction() as session:
        assert not grants.claim(session, foreign, owner="x", now=now, until=now + timedelta(minutes=1))
        assert not grants.expire(session, foreign, code="whop_grant", now=now)
        grants.release(session, foreign, owner="x")

    assert kept(scene, made) == made


def test_withdrawing_ends_the_grant_at_whop(scene: Scene) -> None:
    made = connected(scene)

    tokens.withdraw(keeper(scene), made)

    assert turn(scene.whop.app)["live"] == 0


def test_withdrawing_never_stands_in_the_way(scene: Scene) -> None:
    made = connected(scene)
    scene.whop.dial("POST /oauth/revoke", {"status": 503}, times=None)

    tokens.withdraw(keeper(scene), made)
