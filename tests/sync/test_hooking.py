"""Our webhook at Whop, over real HTTP: registered once, kept right, removed; what was missed comes again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from scene import NOON, Scene, served
from sqlalchemy import update
from werkzeug.exceptions import ServiceUnavailable

from connector.core.hooking import Wanted
from connector.errors import RefusedError
from connector.ports.hooks import HookKeeper, MadeHook
from connector.sandbox.whop.auth import ALL_PERMISSIONS
from connector.sources.whop.hooking import TOLD
from connector.store import audit, connections, conversations, hooks, inbox, misses, registrations, runs
from connector.store.connections import Connection
from connector.store.conversations import NewConversation
from connector.store.hooks import HookSecret
from connector.store.misses import Missed
from connector.store.models import conversation, sync_run
from connector.store.registrations import Registration
from connector.store.runs import NewRun
from connector.sync import hooking, steering
from connector.sync.hooking import HookDesk, sealed
from connector.web import create_app

Json = dict[str, Any]
MANAGE = "developer:manage_webhook"


class Broken(Exception):
    """The worker died here."""


@pytest.fixture(autouse=True)
def present(scene: Scene) -> None:
    """The log of the sandbox has the times of a real clock. The first sync was agreed to, and is over."""
    at = scene.clock.now = datetime.now(UTC) + timedelta(minutes=5)
    with scene.parts.database.transaction() as session:
        new = NewRun("run-1", *ids(scene), "full", "The test", "corr-test", at)
        runs.start(session, new)
        run = runs.lease(session, new.id, owner="w", now=at, until=at + timedelta(minutes=1))
        assert run is not None
        runs.finish(session, run, owner="w", status="success", now=at)


def desk(scene: Scene, wrap: Callable[[HookKeeper], HookKeeper] = lambda keeper: keeper) -> HookDesk:
    opened = scene.parts.hooks.open_keeper
    return replace(
        scene.parts.hooks, clock=scene.clock, open_keeper=lambda connection: wrap(opened(connection))
    )


def ids(scene: Scene) -> tuple[str, str]:
    assert scene.connection is not None
    return scene.connection.workspace_id, scene.connection.id


def connection(scene: Scene) -> Connection:
    with scene.parts.database.reading() as session:
        return connections.get(session, *ids(scene))


def look(scene: Scene, **more: Any) -> Registration:
    """One sweep, when the time for it has come."""
    hooking.sweep(desk(scene, **more), owner="worker-1")
    found = known(scene)
    assert found is not None
    return found


def known(scene: Scene) -> Registration | None:
    with scene.parts.database.reading() as session:
        return registrations.get(session, *ids(scene))


def later(scene: Scene, **by: float) -> Scene:
    scene.clock.now += timedelta(**(by or {"hours": 1}))
    return scene


def at_whop(scene: Scene) -> list[Json]:
    return list(scene.whop.ask("GET", "/webhooks"))


def secrets(scene: Scene) -> list[HookSecret]:
    with scene.parts.database.reading() as session:
        return hooks.secrets(session, *ids(scene))


def opened(scene: Scene, one: HookSecret) -> str:
    return scene.parts.vault.open(one.secret_sealed, bound_to=hooking.secret_binding(*ids(scene)))


def address(scene: Scene) -> str:
    return f"http://127.0.0.1:8080/webhooks/whop/{ids(scene)[1]}"


def an_old_hook(scene: Scene) -> Json:
    return dict(scene.whop.ask("POST", "/webhooks", {"url": address(scene), "dialect": "v5"}))


def recorded(scene: Scene) -> list[str]:
    with scene.parts.database.reading() as session:
        return [one.what for one in audit.shown(session, ids(scene)[0], "nobody")]


# --- registering


def test_a_connection_by_key_registers_its_webhook(scene: Scene) -> None:
    found = look(scene)

    (hook,) = at_whop(scene)
    assert (hook["id"], hook["url"]) == (found.hook_id, address(scene))
    assert (set(hook["events"]), hook["api_version_date"]) == (TOLD, "2026-10-15-1")
    (secret,) = secrets(scene)
    assert (opened(scene, secret), secret.scheme) == (hook["webhook_secret"], "standard")
    assert (found.enabled, found.error, found.secret_id) == (True, None, secret.id)
    assert recorded(scene) == ["webhook_registered"]


def test_what_is_written_in_chats_is_told_while_a_conversation_goes_on(scene: Scene) -> None:
    look(scene)
    new = NewConversation(*ids(scene), "welcome", "mem_1", None, "user_1", "feed_1", "Hi", NOON, NOON)
    with scene.parts.database.transaction() as session:
        conversations.begin(session, new, NOON)
    look(later(scene))
    (listening,) = at_whop(scene)
    with scene.parts.database.transaction() as session:
        session.execute(update(conversation).values(state="closed"))
    look(later(scene))

    (hook,) = at_whop(scene)
    assert set(listening["events"]) == TOLD | {"chat.message.created"}
    assert set(hook["events"]) == TOLD
    assert len(secrets(scene)) == 1


def test_looking_again_makes_nothing_twice(scene: Scene) -> None:
    first = look(scene)

    second = look(later(scene))

    assert second.hook_id == first.hook_id
    assert second.checked_at != first.checked_at
    assert (len(at_whop(scene)), len(secrets(scene))) == (1, 1)


def test_nobody_looks_before_an_hour_is_over(scene: Scene) -> None:
    look(scene)

    assert hooking.sweep(desk(later(scene, minutes=59)), owner="worker-1") == 0
    assert hooking.sweep(desk(later(scene, minutes=1)), owner="worker-1") == 1


def test_before_the_first_sync_nothing_is_registered(scene: Scene) -> None:
    with scene.parts.database.transaction() as session:
        session.execute(sync_run.delete())

    assert hooking.sweep(desk(scene), owner="worker-1") == 0
    with pytest.raises(RefusedError) as raised:
        hooking.check(desk(scene), *ids(scene), owner="web-1")

    assert (raised.value.code, at_whop(scene)) == ("hook_early", [])


def test_of_two_workers_one_registers(scene: Scene) -> None:
    others: list[int] = []

    def meanwhile(keeper: HookKeeper) -> HookKeeper:
        others.append(hooking.sweep(desk(scene), owner="worker-2"))
        return keeper

    look(scene, wrap=meanwhile)

    assert others == [0]
    assert len(at_whop(scene)) == 1


def test_a_hook_whose_secret_is_not_known_gives_way_to_a_new_one(scene: Scene) -> None:
    old = an_old_hook(scene)
    by_hand = sealed(scene.parts.vault, *ids(scene), "standard", "ws_typed", scene.clock())
    with scene.parts.database.transaction() as session:
        hooks.add_secret(session, by_hand)

    found = look(scene)

    (hook,) = at_whop(scene)
    assert hook["id"] == found.hook_id != old["id"]
    ends = {one.id: one.retires_at for one in secrets(scene)}
    assert ends == {by_hand.id: scene.clock() + hooking.GRACE, found.secret_id: None}


def test_a_worker_that_dies_before_the_secret_is_kept_leaves_no_second_hook(scene: Scene) -> None:
    def dying(keeper: HookKeeper) -> HookKeeper:
        return _Dying(keeper)

    with pytest.raises(Broken):
        look(scene, wrap=dying)
    lost = at_whop(scene)
    found = look(later(scene))

    (hook,) = at_whop(scene)
    assert len(lost) == 1
    assert hook["id"] == found.hook_id != lost[0]["id"]
    assert opened(scene, secrets(scene)[0]) == hook["webhook_secret"]


class _Dying:
    """Registers, and is killed before it can say so."""

    def __init__(self, keeper: HookKeeper) -> None:
        self._keeper = keeper

    def __getattr__(self, name: str) -> Any:
        return getattr(self._keeper, name)

    def make(self, wanted: Wanted) -> MadeHook:
        self._keeper.make(wanted)
        raise Broken


# --- keeping it right


@pytest.mark.parametrize(
    "spoiled",
    [
        {"url": "http://127.0.0.1:8080/elsewhere"},
        {"events": ["member.created"]},
        {"api_version_date": None},
    ],
)
def test_what_was_changed_at_whop_is_mended(scene: Scene, spoiled: Json) -> None:
    hook_id = look(scene).hook_id
    whop_call(scene, "PATCH", f"/webhooks/{hook_id}", spoiled)

    look(later(scene))

    (hook,) = at_whop(scene)
    assert (hook["id"], hook["url"], set(hook["events"])) == (hook_id, address(scene), TOLD)
    assert hook["api_version_date"] == "2026-10-15-1"
    assert recorded(scene) == ["webhook_mended", "webhook_registered"]


def test_a_hook_that_was_deleted_at_whop_is_made_anew(scene: Scene) -> None:
    first = look(scene)
    whop_call(scene, "DELETE", f"/webhooks/{first.hook_id}")

    second = look(later(scene))

    (hook,) = at_whop(scene)
    assert hook["id"] == second.hook_id != first.hook_id
    ends = {one.id: one.retires_at for one in secrets(scene)}
    assert ends == {first.secret_id: scene.clock() + hooking.GRACE, second.secret_id: None}


def test_a_disabled_hook_stays_so_until_somebody_says_otherwise(scene: Scene) -> None:
    hook_id = look(scene).hook_id
    whop_call(scene, "PATCH", f"/webhooks/{hook_id}", {"enabled": False})

    seen = look(later(scene))
    assert not seen.enabled
    assert not at_whop(scene)[0]["enabled"]
    hooking.switch_on(desk(scene), *ids(scene), owner="web-1")

    assert at_whop(scene)[0]["enabled"]
    now = known(scene)
    assert now is not None
    assert now.enabled
    with scene.parts.database.reading() as session:
        newest = runs.of_workspace(session, ids(scene)[0], limit=1)[0]
    assert (newest.type, newest.status, newest.why) == ("full", "queued", "After the webhook was off")


def test_a_key_without_the_permission_is_told_so_and_asked_again_later(scene: Scene) -> None:
    restrict(scene, [one for one in ALL_PERMISSIONS if one != MANAGE])

    found = look(scene)
    assert found.error is not None
    assert (found.error["code"], found.hook_id) == ("whop_hook_scope", None)
    restrict(scene, list(ALL_PERMISSIONS))

    assert look(later(scene, minutes=10)).hook_id is not None


def test_an_address_that_whop_cannot_reach_is_told_and_not_tried(scene: Scene) -> None:
    before = scene.whop.ask("GET", "/stats")
    away = replace(desk(scene), reachable=False)

    hooking.sweep(away, owner="worker-1")

    found = known(scene)
    assert found is not None
    assert found.error is not None
    assert found.error["code"] == "webhook_address"
    assert scene.whop.ask("GET", "/stats") == before


def test_whop_in_trouble_is_asked_again_soon(scene: Scene) -> None:
    scene.whop.dial("GET /webhooks", {"status": 503}, times=3)

    found = look(scene)

    assert found.error is not None
    assert (found.error["code"], found.owner) == ("source_trouble", None)
    assert look(later(scene, minutes=2)).hook_id is not None


def test_what_was_approved_by_a_person_is_left_alone(scene: Scene) -> None:
    with scene.parts.database.transaction() as session:
        connections.keep_credential(session, *ids(scene), auth="oauth")

    assert hooking.sweep(desk(scene), owner="worker-1") == 0
    with pytest.raises(RefusedError):
        hooking.check(desk(scene), *ids(scene), owner="web-1")
    assert at_whop(scene) == []


# --- disconnecting


def test_disconnecting_takes_our_webhook_away(scene: Scene) -> None:
    look(scene)
    keeper = replace(scene.parts.openers.keeper, clock=scene.clock)

    steering.disconnect(scene.tools, keeper, *ids(scene), hooks=desk(scene))

    assert (at_whop(scene), known(scene), secrets(scene)) == ([], None, [])


def test_whop_in_trouble_does_not_keep_a_company_connected(scene: Scene) -> None:
    look(scene)
    scene.whop.dial("DELETE /webhooks/", {"status": 503})
    keeper = replace(scene.parts.openers.keeper, clock=scene.clock)

    steering.disconnect(scene.tools, keeper, *ids(scene), hooks=desk(scene))

    assert (connection(scene).status, known(scene), len(at_whop(scene))) == ("revoked", None, 1)


def whop_call(scene: Scene, method: str, path: str, body: Json | None = None) -> Any:
    headers = {"Authorization": f"Bearer {scene.whop_key}", "Api-Version-Date": "2026-10-15-1"}
    answer = scene.whop.app.test_client().open(f"/api/v1{path}", method=method, json=body, headers=headers)
    assert answer.status_code < 400, answer.text
    return answer.json


def restrict(scene: Scene, permissions: list[str]) -> None:
    scene.whop.ask("POST", "/keys", {"do": "restrict", "permissions": permissions})


# --- what never arrived


class Gate:
    """The connector's own web server, which can be shut."""

    def __init__(self, scene: Scene) -> None:
        self.app = create_app(replace(scene.parts, tools=replace(scene.parts.tools, clock=now)))
        self.wsgi, self.shut = self.app.wsgi_app, False
        self.app.wsgi_app = self  # type: ignore[method-assign]

    def __call__(self, environ: Any, start_response: Any) -> Any:
        answer = ServiceUnavailable() if self.shut else self.wsgi
        return answer(environ, start_response)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def gate(scene: Scene) -> Iterator[Gate]:
    """A webhook that delivers to a running connector."""
    opened = Gate(scene)
    with served(opened.app) as service:
        scene.parts = replace(scene.parts, hooks=replace(scene.parts.hooks, public_url=service.url))
        look(scene)
        yield opened


def happens(scene: Scene, *what: Json) -> None:
    """Whop tells of it, and was answered."""
    scene.whop.ask("POST", "/happen", list(what))
    assert scene.whop.ask("POST", "/webhooks/quiet")["quiet"]


def products_change(scene: Scene, count: int) -> None:
    products = scene.records("products")
    happens(
        scene, *({"what": "change_product", "id": products[n % len(products)]["id"]} for n in range(count))
    )


def received(scene: Scene) -> list[str]:
    with scene.parts.database.reading() as session:
        return [one.event_id for one in inbox.pending(session, *ids(scene), later_than_all(), 1_000)]


def later_than_all() -> datetime:
    return now() + timedelta(days=1)


def missed(scene: Scene) -> Missed:
    with scene.parts.database.reading() as session:
        return misses.count(session, *ids(scene), healed=None)


def quiet(scene: Scene) -> None:
    assert scene.whop.ask("POST", "/webhooks/quiet")["quiet"]


@pytest.mark.parametrize("count", [2, 30])
def test_what_was_sent_while_we_were_away_is_delivered_again(scene: Scene, gate: Gate, count: int) -> None:
    gate.shut = True
    products_change(scene, count)
    gate.shut = False
    assert received(scene) == []

    look(later(scene))
    quiet(scene)

    assert len(set(received(scene))) == count
    assert missed(scene) == Missed(found=count, recovered=count)
    look(later(scene))
    assert missed(scene) == Missed(found=count, recovered=count)


def test_what_is_asked_for_in_vain_is_lost_and_no_longer_asked_for(scene: Scene, gate: Gate) -> None:
    gate.shut = True
    products_change(scene, 2)

    for _ in range(7):
        look(later(scene))
        quiet(scene)

    assert missed(scene) == Missed(found=2, recovered=0, lost=2)
    asked = scene.whop.ask("GET", "/stats")["requests"]["POST /webhooks/{id}/deliveries/{id}/replay"]
    assert asked == 10
    with scene.parts.database.reading() as session:  # a full sync since has brought what they told
        assert misses.count(session, *ids(scene), healed=scene.clock()).lost == 0


def test_what_arrived_is_not_asked_for(scene: Scene, gate: Gate) -> None:
    products_change(scene, 3)

    look(later(scene))
    quiet(scene)

    assert len(received(scene)) == 3
    assert missed(scene) == Missed()
    assert "replay" not in str(scene.whop.ask("GET", "/stats"))
