"""The page of a connection's webhooks: how they stand, by hand or by key, and what an admin does there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest

from connector.core.outcomes import Result
from connector.sandbox.whop.auth import ALL_PERMISSIONS
from connector.store import audit, connections, drains, hooks, inbox, misses, registrations, runs
from connector.store.connections import Connection
from connector.store.hooks import HookSecret, Refused
from connector.store.inbox import InboxEvent
from connector.store.misses import Miss
from connector.sync import hook_secrets, hooking, onboarding
from connector.web import listening
from tests.sync.scene import served
from tests.web.desk import a_new_run
from tests.web.site_of import Browser, Site

SECRET = "ws_0123456789abcdef0123456789abcdef"
FULL = "ws_fedcba9876543210fedcba9876543210"


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def site(site: Site) -> Iterator[Site]:
    """With the real time, which signatures have, at an address that answers, and nothing at Whop yet."""
    tools = replace(site.parts.tools, clock=now)
    site.whop.ask("DELETE", "/webhooks")
    with served(site.app) as service:
        settings = replace(site.parts.settings, public_url=service.url)
        parts = replace(
            site.parts,
            tools=tools,
            settings=settings,
            hooks=replace(site.parts.hooks, public_url=service.url),
        )
        site.app.extensions["parts"] = site.parts = parts
        site.app.extensions["intake"]._clock = now
        site.clock.now = now()
        yield site
    site.whop.ask("POST", "/keys", {"do": "restrict", "permissions": list(ALL_PERMISSIONS)})


@pytest.fixture
def one(site: Site) -> Connection:
    """Connected by an API key."""
    new = onboarding.NewConnection(site.companies[0], str(site.whop.app.extensions["whop"].keyring.main))
    made, _ = onboarding.add_connection(
        site.parts.database,
        site.parts.vault,
        site.workspace,
        new,
        open_reader=site.parts.openers.reader_for,
        now=now(),
        asked=site.parts.desk.asked(site.workspace.id),
    )
    at = now() - timedelta(days=2)
    with site.parts.database.transaction() as session:
        new = a_new_run(made, at)
        runs.start(session, new)
        run = runs.lease(session, new.id, owner="w", now=at, until=at + timedelta(minutes=1))
        assert run is not None
        runs.finish(session, run, owner="w", status="success", now=at)
    return made


def path(one: Connection, rest: str = "") -> str:
    return f"/connections/{one.id}/webhooks{rest}"


def words(answer: Any) -> str:
    assert answer.status_code == 200, answer.text
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def press(browser: Browser, one: Connection, what: str, **fields: str) -> str:
    """Press a button of the page; what the next page says."""
    answer = browser.send(path(one, what), path(one), **fields)
    assert answer.status_code == 303, answer.text
    return words(browser.get(path(one)))


def secrets(site: Site, one: Connection) -> list[HookSecret]:
    with site.parts.database.reading() as session:
        return hooks.secrets(session, one.workspace_id, one.id)


def enter(site: Site, one: Connection, plain: str = SECRET, scheme: str = "standard") -> HookSecret:
    return hook_secrets.enter(site.parts.hooks, one.workspace_id, one.id, scheme, plain)


def kept(site: Site, one: Connection) -> list[InboxEvent]:
    with site.parts.database.reading() as session:
        return inbox.pending(session, one.workspace_id, one.id, now() + timedelta(days=1), 100)


def recorded(site: Site) -> list[str]:
    with site.parts.database.reading() as session:
        return [each.what for each in audit.shown(session, site.workspace.id, "nobody")]


# --- by hand


def test_a_person_is_told_the_address_and_the_events_to_tick(
    site: Site, browser: Browser, one: Connection
) -> None:
    text = words(browser.get(path(one)))

    assert "Not set up" in text
    assert f"{site.parts.settings.public_url}/webhooks/whop/{one.id}" in text
    assert "membership_activated" in text
    assert "2026-10-15-1" in text


def test_a_secret_is_kept_and_never_shown(site: Site, browser: Browser, one: Connection) -> None:
    text = press(browser, one, "/secrets", secret=f" {SECRET}\n", scheme="standard")

    assert "The secret is kept" in text
    assert SECRET not in browser.get(path(one)).text
    assert [each.scheme for each in secrets(site, one)] == ["standard"]
    assert "webhook_secret_added" in recorded(site)
    assert SECRET not in site.everything()


@pytest.mark.parametrize(
    "plain", ["", "   ", "short", "••••••••••••", "************", "ws_01 23456789", "ws_0123…"]
)
def test_what_is_no_secret_is_not_kept(site: Site, browser: Browser, one: Connection, plain: str) -> None:
    text = press(browser, one, "/secrets", secret=plain)

    assert "This is not a webhook secret" in text
    assert secrets(site, one) == []


@pytest.mark.parametrize("scheme", ["standard", "legacy"])
def test_a_test_goes_through_our_own_door(site: Site, browser: Browser, one: Connection, scheme: str) -> None:
    enter(site, one, scheme=scheme)

    text = press(browser, one, "/test", by="us", scheme=scheme)

    assert "The test event arrived" in text
    assert [(event.type, event.scheme) for event in kept(site, one)] == [("export.completed", scheme)]


def test_where_whop_is_a_stand_in_a_sample_of_any_event_is_sent(
    site: Site, browser: Browser, one: Connection
) -> None:
    enter(site, one)
    assert "send a sample event" in words(browser.get(path(one)))

    text = press(browser, one, "/sample", event="payment.failed", dialect="v1-legacy", record="pay_mine")
    none = press(browser, one, "/sample", event="teapot.boiled", dialect="v1")

    assert "payment.failed was taken in" in text
    assert [(event.type, event.source_id) for event in kept(site, one)] == [("payment.failed", "pay_mine")]
    assert "There is no such sample" in none


def test_at_the_real_whop_nobody_sends_samples(site: Site, browser: Browser, one: Connection) -> None:
    enter(site, one)
    settings = replace(site.parts.settings, whop_api_url="https://api.whop.com/api/v1")
    site.app.extensions["parts"] = replace(site.parts, settings=settings)

    answer = browser.send(path(one, "/sample"), path(one), event="payment.failed", dialect="v1")

    assert answer.status_code == 404
    assert "send a sample event" not in words(browser.get(path(one)))
    assert kept(site, one) == []


def test_during_a_rotation_both_are_believed_and_the_old_one_ends(
    site: Site, browser: Browser, one: Connection
) -> None:
    old = enter(site, one)

    text = press(browser, one, "/secrets", secret=FULL)

    assert "Ends" in text
    ends = {each.id: each.retires_at for each in secrets(site, one)}
    assert ends.pop(old.id) is not None
    assert list(ends.values()) == [None]


def test_a_secret_can_be_kept_beside_the_others_and_ended_later(
    site: Site, browser: Browser, one: Connection
) -> None:
    old = enter(site, one)
    press(browser, one, "/secrets", secret=FULL, others="keep")
    assert all(each.retires_at is None for each in secrets(site, one))

    press(browser, one, f"/secrets/{old.id}/retire")

    ended = {each.id for each in secrets(site, one) if each.retires_at is not None}
    assert ended == {old.id}


def test_a_secret_that_is_taken_back_is_gone(site: Site, browser: Browser, one: Connection) -> None:
    old = enter(site, one)

    text = press(browser, one, f"/secrets/{old.id}/drop")

    assert "taken back" in text
    assert secrets(site, one) == []
    assert browser.send(path(one, f"/secrets/{old.id}/drop"), path(one)).status_code == 404


# --- by key


def test_a_check_registers_and_says_so(site: Site, browser: Browser, one: Connection) -> None:
    text = press(browser, one, "/check")

    assert "as it should be" in text
    (hook,) = site.whop.ask("GET", "/webhooks")
    assert hook["id"] in text
    assert hook["webhook_secret"] not in browser.get(path(one)).text


def test_whop_sends_a_test_that_arrives(site: Site, browser: Browser, one: Connection) -> None:
    press(browser, one, "/check")

    text = press(browser, one, "/test", by="whop")

    assert "The test event arrived" in text
    assert [event.type for event in kept(site, one)] == ["account.updated"]


def test_a_test_that_is_refused_is_told(site: Site, browser: Browser, one: Connection) -> None:
    press(browser, one, "/check")
    (secret,) = secrets(site, one)
    with site.parts.database.transaction() as session:
        hooks.drop_secret(session, one.workspace_id, one.id, secret.id)

    text = press(browser, one, "/test", by="whop")

    assert "was answered 401" in text
    assert "Signed with another secret" in text
    assert "the secret does not fit" in text


def test_a_secret_that_is_taken_back_is_renewed_with_its_webhook(
    site: Site, browser: Browser, one: Connection
) -> None:
    press(browser, one, "/check")
    (first,) = site.whop.ask("GET", "/webhooks")
    press(browser, one, f"/secrets/{secrets(site, one)[0].id}/drop")

    press(browser, one, "/check")

    (second,) = site.whop.ask("GET", "/webhooks")
    assert second["id"] != first["id"]
    assert "arrived" in press(browser, one, "/test", by="whop")


def test_a_secret_by_hand_leaves_that_of_our_own_webhook(
    site: Site, browser: Browser, one: Connection
) -> None:
    press(browser, one, "/check")

    press(browser, one, "/secrets", secret=FULL)

    assert all(each.retires_at is None for each in secrets(site, one))


def test_what_whop_switched_off_is_switched_on_by_the_admin(
    site: Site, browser: Browser, one: Connection
) -> None:
    press(browser, one, "/check")
    (hook,) = site.whop.ask("GET", "/webhooks")
    made = site.whop.app.extensions["whop"].hooks
    made.change(made.hooks[hook["id"]], {"enabled": False, "disabled_at": now().timestamp()})

    text = press(browser, one, "/check")
    assert "Switched off at Whop" in text
    assert "the webhook is switched off at Whop" in words(browser.get("/"))
    text = press(browser, one, "/on")

    assert "switched on again" in text
    assert site.whop.ask("GET", "/webhooks")[0]["enabled"]
    assert "webhook_switched_on" in recorded(site)


def test_a_key_without_the_permission_is_told_and_may_do_it_by_hand(
    site: Site, browser: Browser, one: Connection
) -> None:
    allowed = [each for each in ALL_PERMISSIONS if each != "developer:manage_webhook"]
    site.whop.ask("POST", "/keys", {"do": "restrict", "permissions": allowed})

    text = press(browser, one, "/check")

    assert "may not look after webhooks" in text
    assert "Set it up by hand" in text


def test_localhost_is_explained(site: Site, browser: Browser, one: Connection) -> None:
    parts = replace(site.parts, hooks=replace(site.parts.hooks, reachable=False))
    site.app.extensions["parts"] = parts

    text = press(browser, one, "/check")

    assert "Whop cannot reach this connector" in text
    assert "PUBLIC_URL" in text


# --- health


def state(site: Site, one: Connection) -> listening.Listening:
    with site.parts.database.reading() as session:
        found = connections.get(session, one.workspace_id, one.id)
        return listening.of(session, found, now())


def receive(site: Site, one: Connection, **changed: Any) -> None:
    at = changed.pop("at", now())
    values: dict[str, Any] = {"event_id": f"msg_{at.timestamp()}", "type": "member.updated", "dialect": "v1"}
    event = InboxEvent(one.workspace_id, one.id, body=b"{}", received_at=at, due_at=at, **values | changed)
    with site.parts.database.transaction() as session:
        inbox.add(session, [event])


def refuse(site: Site, one: Connection, reason: str) -> None:
    with site.parts.database.transaction() as session:
        refused = Refused(one.workspace_id, one.id, reason)
        hooks.count_refusals(session, {refused: 3}, at=now(), address="203.0.113.0/24")


def test_a_quiet_and_sound_connection_needs_nobody(site: Site, browser: Browser, one: Connection) -> None:
    enter(site, one)
    receive(site, one, state="done", settled=True, settled_at=now())

    assert state(site, one).status.word == "Listening"
    text = words(browser.get(path(one)))
    assert "Taken 1 in the last 24 hours" in text
    assert "Accepted 100 % of what came" in text
    assert "typically" in text
    assert "Needs you" not in words(browser.get("/"))


def test_refusals_are_told_in_words(site: Site, browser: Browser, one: Connection) -> None:
    enter(site, one)
    receive(site, one, at=now() - timedelta(hours=2), state="done")
    refuse(site, one, "wrong")

    assert [each.title for each in state(site, one).troubles] == [
        "Deliveries are refused: the secret does not fit"
    ]
    text = words(browser.get(path(one)))
    assert "Signed with another secret, or changed on the way 3" in text
    assert "Accepted 25 % of what came" in text
    assert "the secret does not fit" in words(browser.get("/"))


def test_what_is_accepted_afterwards_outdoes_a_refusal(site: Site, one: Connection) -> None:
    enter(site, one)
    refuse(site, one, "wrong")
    receive(site, one, state="done")

    assert state(site, one).troubles == []


def test_events_that_nothing_lets_through_are_told(site: Site, one: Connection) -> None:
    enter(site, one)
    receive(site, one, at=now() - timedelta(minutes=6))
    ids = (one.workspace_id, one.id)
    with site.parts.database.transaction() as session:
        drains.lease(session, *ids, owner="d", now=now(), until=now() + timedelta(minutes=1))
        drains.release(session, *ids, owner="d", due_at=now(), tries=4, error={"code": "crm_credential"})

    (trouble,) = state(site, one).troubles
    assert trouble.title == "1 event cannot be carried out"


def test_parked_and_missing_ones_are_told(site: Site, one: Connection) -> None:
    press_by_key(site, one)
    receive(site, one, state="parked")
    ids = (one.workspace_id, one.id)
    with site.parts.database.transaction() as session:
        misses.add(session, [Miss(*ids, "msg_x", "member.updated", "whdel_x", now(), now(), asked=2)])

    assert [each.title for each in state(site, one).troubles] == [
        "1 delivery never arrived",
        "1 event parked",
    ]


def press_by_key(site: Site, one: Connection) -> None:
    hooking.check(site.parts.hooks, one.workspace_id, one.id, owner="test")
    with site.parts.database.reading() as session:
        assert registrations.get(session, one.workspace_id, one.id)


def test_silence_is_told_when_a_sync_found_what_no_event_told(site: Site, one: Connection) -> None:
    enter(site, one)
    a_sync_found(site, one, 3, changed=now() + timedelta(minutes=1), found=now() + timedelta(minutes=10))

    assert state(site, one).untold.count == 3
    assert [each.title for each in state(site, one).troubles] == ["Whop is silent although things change"]
    receive(site, one, at=now() + timedelta(minutes=2), source_id="mem_0")
    assert state(site, one).untold.count == 2
    assert state(site, one).troubles == []


@pytest.mark.parametrize(("changed", "found"), [(-60, 10), (1, 3)])
def test_what_nobody_could_have_told_is_no_silence(
    site: Site, one: Connection, changed: float, found: float
) -> None:
    enter(site, one)
    times = {"changed": now() + timedelta(minutes=changed), "found": now() + timedelta(minutes=found)}

    a_sync_found(site, one, 5, **times)

    assert state(site, one).untold.count == 0


def test_silence_is_told_when_the_hourly_sync_missed_events_of_what_says_no_time(
    site: Site, one: Connection
) -> None:
    """Members do not say when they changed: it was after the sync before had begun."""
    enter(site, one)
    receive(site, one, at=now() + timedelta(minutes=5), source_id="mber_8")
    for hour, missed in ((1, 0), (2, 3)):
        a_sync_missed(site, one, missed, at=now() + timedelta(hours=hour))

    assert [each.title for each in state(site, one).troubles] == ["Whop is silent although things change"]
    receive(site, one, at=now() + timedelta(minutes=61), source_id="mber_9")
    assert state(site, one).troubles == []


def a_sync_missed(site: Site, one: Connection, count: int, *, at: datetime) -> None:
    with site.parts.database.transaction() as session:
        new = a_new_run(one, at, type="incremental")
        runs.start(session, new)
        run = runs.lease(session, new.id, owner="w", now=at, until=at + timedelta(minutes=1))
        assert run is not None
        runs.finish(session, run, owner="w", status="success", now=at, missed=count)


def a_sync_found(site: Site, one: Connection, count: int, *, changed: datetime, found: datetime) -> None:
    """A full sync that updated memberships which changed at a time."""
    from connector.core.outcomes import Outcome  # noqa: PLC0415
    from connector.core.records import Ref  # noqa: PLC0415
    from connector.store.models import link  # noqa: PLC0415

    refs = [Ref("whop", "membership", f"mem_{number}") for number in range(count)]
    with site.parts.database.transaction() as session:
        new = a_new_run(one, found)
        runs.start(session, new)
        run = runs.lease(session, new.id, owner="w", now=found, until=found + timedelta(minutes=1))
        assert run is not None
        told = [Outcome(ref, "opportunity", Result.UPDATED, title="x", crm_id="c") for ref in refs]
        runs.log(session, run, told, found)
        row = {"workspace_id": one.workspace_id, "connection_id": one.id, "source": "whop", "generation": 0}
        row |= {"object": "opportunity", "kind": "membership", "state": "linked"}
        row["source_updated_at"] = changed.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        session.execute(link.insert(), [{**row, "source_id": ref.id} for ref in refs])
        runs.finish(session, run, owner="w", status="success", now=found)
