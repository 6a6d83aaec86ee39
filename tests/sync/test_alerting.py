"""Incidents and messages: one when it begins, one when it is over, by e-mail and by webhook."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from scene import NOON, NOWHERE, Scene, Service, built, environment

from connector.core.alerting import CLEARS_AFTER
from connector.errors import RefusedError
from connector.store import admins, alerts, connections, runs
from connector.store.alerts import Incident, Message
from connector.store.db import Database
from connector.sync import alerting
from connector.sync.alerting import AlertDesk
from tests.catching import HookCatcher, MailCatcher, hooks_caught, mail_caught


@pytest.fixture
def mails() -> Iterator[MailCatcher]:
    with mail_caught() as catcher:
        yield catcher


@pytest.fixture
def hook() -> Iterator[HookCatcher]:
    with hooks_caught() as catcher:
        yield catcher


@pytest.fixture
def scene(database_url: str, whop: Service, twenty: Service, mails: MailCatcher) -> Iterator[Scene]:
    """A connected company, a mail server, and an admin who signed in with Twenty."""
    mail = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(mails.port), "SMTP_SECURITY": "none"}
    with closing(built(environment(database_url, whop.url, NOWHERE, **mail))) as parts:
        opened = Scene(whop, twenty, parts).connect()
        with parts.database.transaction() as session:
            admins.vouched(session, of(opened), "user-1", name="Ada", email="ada@example.com", now=NOON)
        yield opened


def of(scene: Scene) -> str:
    assert scene.workspace is not None
    return scene.workspace.id


def desk(scene: Scene) -> AlertDesk:
    return replace(scene.parts.alerts, clock=scene.clock)


def look(scene: Scene, *, after: float = 0) -> None:
    scene.clock.advance(after)
    alerting.look(desk(scene))


def expire(scene: Scene, status: str = "expired") -> None:
    assert scene.connection is not None
    with scene.parts.database.transaction() as session:
        connections.mark(session, of(scene), scene.connection.id, status)


def post_to(scene: Scene, hook: HookCatcher) -> None:
    alerting.set_webhook(desk(scene), of(scene), hook.url, scene.parts.door.check)


def sent(scene: Scene) -> list[Message]:
    with scene.parts.database.reading() as session:
        return alerts.page(session, of(scene)).items


def open_(scene: Scene) -> list[Incident]:
    with scene.parts.database.reading() as session:
        return alerts.open_incidents(session, of(scene))


def keep(scene: Scene, **changed: object) -> None:
    with scene.parts.database.transaction() as session:
        alerts.keep_settings(session, of(scene), **changed)


def test_nothing_is_told_while_all_is_well(scene: Scene, mails: MailCatcher) -> None:
    look(scene)

    assert (sent(scene), mails.caught) == ([], [])


def test_an_incident_is_told_once_and_its_end_once(
    scene: Scene, mails: MailCatcher, hook: HookCatcher
) -> None:
    post_to(scene, hook)
    expire(scene)
    for _ in range(3):
        look(scene, after=60)
    expire(scene, "active")
    for _ in range(8):
        look(scene, after=60)

    titles = [mail["Subject"] for mail in reversed(mails.caught)]
    assert [title.startswith("Over: ") for title in titles] == [True, False]
    assert "access to Whop ended" in titles[1]
    assert len(hook.caught) == 2
    assert open_(scene) == []


def test_it_goes_to_those_who_signed_in_unless_somebody_is_named(scene: Scene, mails: MailCatcher) -> None:
    expire(scene)
    look(scene)
    keep(scene, recipients=["ops@example.com", "boss@example.com"])
    expire(scene, "active")
    look(scene, after=301)

    assert [mail["To"] for mail in mails.caught] == ["ada@example.com", "ops@example.com, boss@example.com"]


def test_the_message_leads_to_the_page_that_mends_it(scene: Scene, mails: MailCatcher) -> None:
    expire(scene)
    look(scene)

    (mail,) = mails.caught
    assert "http://127.0.0.1:8080/connections" in mail.get_content()


def test_what_comes_and_goes_is_one_incident(scene: Scene, mails: MailCatcher) -> None:
    for status in ("expired", "active") * 3:
        expire(scene, status)
        look(scene, after=60)

    assert len(mails.caught) == 1
    assert len(open_(scene)) == 1


def test_the_same_trouble_again_is_a_new_incident(scene: Scene, mails: MailCatcher) -> None:
    for status in ("expired", "active", "expired"):
        expire(scene, status)
        look(scene, after=301)

    assert len(mails.caught) == 3


def test_what_is_switched_off_is_an_incident_that_nobody_is_told_of(scene: Scene, mails: MailCatcher) -> None:
    keep(scene, off=["access_lost"])
    expire(scene)
    look(scene)

    assert (len(open_(scene)), mails.caught) == (1, [])


def test_muted_alerts_are_told_afterwards_if_it_is_still_wrong(scene: Scene, mails: MailCatcher) -> None:
    alerting.mute(desk(scene), of(scene), 8)
    expire(scene)
    look(scene)
    assert mails.caught == []

    look(scene, after=8 * 3600 + 1)

    assert len(mails.caught) == 1


class OnlyRead:
    """A database that nobody writes to."""

    def __init__(self, database: Database) -> None:
        self.reading = database.reading

    def transaction(self) -> None:
        raise AssertionError("a look at what has not changed writes")


def test_looking_at_what_has_not_changed_writes_nothing(scene: Scene, mails: MailCatcher) -> None:
    quiet: Any = OnlyRead(scene.parts.database)
    alerting.look(replace(desk(scene), database=quiet))
    expire(scene)
    look(scene)

    scene.clock.advance(30)
    alerting.look(replace(desk(scene), database=quiet))

    assert len(mails.caught) == 1


def test_that_an_incident_goes_on_is_noted_before_it_could_pass_for_over(scene: Scene) -> None:
    expire(scene)
    for _ in range(20):
        look(scene, after=30)
    (one,) = open_(scene)

    assert scene.clock() - one.seen_at < CLEARS_AFTER / 2


def test_what_was_over_before_it_could_be_told_is_not_told(scene: Scene, mails: MailCatcher) -> None:
    mails.refuses = True
    expire(scene)
    look(scene)
    expire(scene, "active")
    look(scene, after=301)
    mails.refuses = False
    look(scene, after=3600)

    assert mails.caught == []
    assert [one.state for one in sent(scene)] == ["dropped"]


def test_a_message_that_is_not_taken_is_tried_again(scene: Scene, hook: HookCatcher) -> None:
    post_to(scene, hook)
    hook.status = 500
    expire(scene)
    look(scene)
    first = next(one for one in sent(scene) if one.channel == "webhook")
    hook.status = 200
    look(scene, after=61)

    again = next(one for one in sent(scene) if one.channel == "webhook")
    assert (first.state, first.tries, first.error) == ("waiting", 1, "The webhook answered 500.")
    assert (again.state, again.error, len(hook.caught)) == ("sent", None, 1)


def test_a_message_is_given_up_after_hours_and_says_why(scene: Scene, mails: MailCatcher) -> None:
    mails.refuses = True
    expire(scene)
    for _ in range(9):
        look(scene, after=4 * 3600)

    (one,) = sent(scene)
    assert (one.state, one.tries) == ("failed", 8)
    assert "knows none of the recipients" in (one.error or "")


def test_a_worker_that_dies_while_sending_costs_a_delay(scene: Scene, mails: MailCatcher) -> None:
    expire(scene)

    class Dies(BaseException):
        pass

    class Dying:
        def send(self, *_: object, **_more: object) -> None:
            raise Dies

    with pytest.raises(Dies):
        alerting.look(replace(desk(scene), mail=Dying()))
    look(scene, after=60)
    assert mails.caught == []
    look(scene, after=300)

    assert len(mails.caught) == 1


def test_of_two_workers_one_sends(scene: Scene) -> None:
    expire(scene)
    alerting._look_at(desk(scene), of(scene))
    with scene.parts.database.reading() as session:
        (one,) = alerts.due(session, scene.clock())

    with scene.parts.database.transaction() as session:
        until = scene.clock() + timedelta(minutes=5)
        taken = [alerts.claim(session, one, until) for _ in range(2)]

    assert taken == [True, False]


def test_a_test_goes_every_way_and_says_what_stood_in_its_way(
    scene: Scene, mails: MailCatcher, hook: HookCatcher
) -> None:
    post_to(scene, hook)
    hook.status = 404

    found = alerting.test(desk(scene), of(scene))

    assert found == {"email": "", "webhook": "The webhook answered 404."}
    assert len(mails.caught) == 1
    assert sorted(one.state for one in sent(scene)) == ["failed", "sent"]


def test_without_a_way_a_test_says_so(unconnected: Scene) -> None:
    unconnected.workspace = unconnected.add_workspace()

    with pytest.raises(RefusedError) as refused:
        alerting.test(desk(unconnected), of(unconnected))
    assert refused.value.code == "no_alert_channel"


def test_slack_is_given_no_markup(scene: Scene, hook: HookCatcher) -> None:
    post_to(scene, hook)
    with scene.parts.database.transaction() as session:
        one = alerts.NewMessage(None, "test", "webhook", "<!channel> & co", "x")
        alerts.add(session, of(scene), [one], scene.clock())
    alerting.send_due(desk(scene))

    assert hook.caught == [{"text": "*&lt;!channel&gt; &amp; co*\nx"}]


def test_a_private_address_is_refused_and_the_kept_one_is_sealed(scene: Scene, hook: HookCatcher) -> None:
    post_to(scene, hook)

    with pytest.raises(RefusedError) as refused:
        alerting.set_webhook(desk(scene), of(scene), "http://10.0.0.1/x", scene.parts.door.check)

    assert refused.value.code == "address_refused"
    with scene.parts.database.reading() as session:
        kept = alerts.settings(session, of(scene))
    assert "very-secret" not in repr(kept) + str(kept.webhook_sealed)


def test_an_address_never_stands_in_the_log(scene: Scene, hook: HookCatcher) -> None:
    post_to(scene, hook)
    hook.shutdown()
    hook.server_close()

    found = alerting.test(desk(scene), of(scene))

    assert "very-secret" not in str(found) + str(sent(scene))


def test_a_failed_sync_and_its_recovery_are_told(scene: Scene, mails: MailCatcher) -> None:
    run_id = scene.start()
    end(scene, run_id, "failed")
    look(scene)
    assert scene.sync().status == "success"
    look(scene, after=301)

    titles = [mail["Subject"] for mail in mails.caught]
    assert "failed" in titles[0]
    assert titles[1].startswith("Over: ")


def end(scene: Scene, run_id: str, status: str) -> None:
    with scene.parts.database.transaction() as session:
        now = scene.clock()
        run = runs.lease(session, run_id, owner="w", now=now, until=now)
        assert run is not None
        error = {"code": "internal", "message": "A defect."}
        runs.finish(session, run, owner="w", status=status, now=now, error=error)


def test_many_runs_of_events_do_not_hide_that_a_sync_failed(scene: Scene) -> None:
    end(scene, scene.start(), "failed")
    look(scene)
    assert scene.connection is not None
    for number in range(15):
        new = runs.NewRun(
            id=f"run-{number}",
            workspace_id=of(scene),
            connection_id=scene.connection.id,
            type="webhook",
            why="Events",
            correlation_id="corr",
            now=scene.clock(),
            alone=False,
        )
        with scene.parts.database.transaction() as session:
            runs.start(session, new)
        end(scene, new.id, "success")
    look(scene, after=301)

    assert [one.kind for one in open_(scene)] == ["run_failed"]


def test_a_sync_that_waits_for_an_answer_is_told_however_many_came_after(scene: Scene) -> None:
    end(scene, scene.start(), "waiting")
    for _ in range(12):
        end(scene, scene.start(), "success")
    look(scene)

    assert [one.kind for one in open_(scene)] == ["breaker"]
