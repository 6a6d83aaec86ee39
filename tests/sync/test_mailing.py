"""The welcome by e-mail: once for each membership, at most once more where nobody knows whether it came."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from email.message import EmailMessage

import pytest
from automating import Bought, act, buys, desk_of, every, hear, the_act
from breaking import AFTER_COMMIT, AFTER_WHOP, BEFORE_COMMIT, BEFORE_WHOP, Fate, Killed
from scene import Scene, one
from test_act_kills import to_be_killed

from connector.errors import RefusedError
from connector.store import alerts
from connector.sync import switching
from connector.sync.acting import LEASE
from tests.catching import MailCatcher, mail_caught

NAME = "welcome_email"
NEEDS = ("member:email:read",)
TWICE = "it may have arrived twice"

on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@pytest.fixture
def mails() -> Iterator[MailCatcher]:
    with mail_caught() as catcher:
        yield catcher


@pytest.fixture
def on(scene: Scene, mails: MailCatcher) -> Scene:
    assert scene.connection is not None
    switching.switch_on(desk_of(scene, mails.port), scene.connection, NAME, {}, NEEDS)
    scene.clock.advance(1)
    return scene


def joins(scene: Scene, **member: object) -> Bought:
    """Somebody with an address joins, and it is heard."""
    bought = buys(scene)
    held = one(scene.records("memberships"), id=bought.membership)
    scene.change("members", held["member_id"], **{"email": "ada@example.com", **member})
    hear(scene, *bought.events, times=3)
    return bought


def text_of(mail: EmailMessage) -> str:
    return str(mail.get_content())


def test_whoever_begins_a_membership_gets_one_email(on: Scene, mails: MailCatcher) -> None:
    joins(on, user={"name": "Ada Bergström"})
    act(on, desk=desk_of(on, mails.port))
    act(on, 600, desk=desk_of(on, mails.port))

    (mail,) = mails.caught
    assert mail["To"] == "ada@example.com"
    assert mail["Subject"].startswith("Welcome to ")
    assert "your access to" in text_of(mail)
    assert (the_act(on).state, TWICE in str(the_act(on).outcome)) == ("done", False)
    assert "ada@example.com" not in str(the_act(on).journal)


def test_what_somebody_calls_himself_makes_no_header_and_is_shown_as_it_is(
    on: Scene, mails: MailCatcher
) -> None:
    joins(on, user={"name": "Ada\r\nBcc: all@example.com *b*"}, display_name="Ada\r\nBcc: x@example.com *b*")
    act(on, desk=desk_of(on, mails.port))

    (mail,) = mails.caught
    assert mail["Bcc"] is None
    assert "Ada Bcc:" in text_of(mail)
    assert "*b*" in text_of(mail)


def test_whoever_has_no_address_or_left_meanwhile_is_left(on: Scene, mails: MailCatcher) -> None:
    joins(on, email=None)
    gone = joins(on)
    on.change("memberships", gone.membership, status="expired")
    act(on, desk=desk_of(on, mails.port))

    assert mails.caught == []
    assert {each.state for each in every(on)} == {"skipped"}


def test_a_server_that_refuses_is_tried_again_and_nothing_comes_twice(on: Scene, mails: MailCatcher) -> None:
    joins(on)
    mails.refuses = True
    act(on, desk=desk_of(on, mails.port))
    act(on, 11, desk=desk_of(on, mails.port))
    mails.refuses = False
    act(on, 61, desk=desk_of(on, mails.port))

    assert len(mails.caught) == 1
    assert (the_act(on).state, TWICE in str(the_act(on).outcome)) == ("done", False)


def test_where_the_answer_is_lost_it_comes_once_more_and_the_log_says_so(
    on: Scene, mails: MailCatcher
) -> None:
    joins(on)
    mails.silent = True
    act(on, desk=desk_of(on, mails.port))
    mails.silent = False
    act(on, 11, desk=desk_of(on, mails.port))

    assert len(mails.caught) == 2
    assert the_act(on).state == "done"
    assert TWICE in str(the_act(on).outcome)


def test_where_the_answer_is_lost_for_ever_it_comes_twice_and_a_person_is_told(
    on: Scene, mails: MailCatcher
) -> None:
    desk = desk_of(on, mails.port)
    with on.parts.database.transaction() as session:
        assert on.workspace is not None
        alerts.keep_settings(session, on.workspace.id, recipients=["ops@example.com"])
    joins(on)
    mails.silent = True
    for seconds in (0, 11, 61, 601):
        act(on, seconds, desk=desk)
    failed = the_act(on)

    assert len(mails.caught) == 2
    assert failed.state == "failed"
    assert failed.error is not None
    assert failed.error["code"] == "act_mail_unanswered"
    mails.silent = False
    switching.try_again(desk, failed, "marta")
    act(on, 1, desk=desk)
    assert (len(mails.caught), the_act(on).state) == (3, "done")


def test_it_is_not_switched_on_without_a_mail_server(scene: Scene) -> None:
    assert scene.connection is not None
    with pytest.raises(RefusedError) as refused:
        switching.switch_on(desk_of(scene), scene.connection, NAME, {}, NEEDS)

    assert refused.value.code == "act_no_mail"


def test_a_mail_server_that_was_taken_away_is_told(on: Scene) -> None:
    joins(on)
    for seconds in (0, 11, 61, 601):
        act(on, seconds)

    assert the_act(on).state == "failed"
    assert (the_act(on).error or {})["code"] == "act_no_mail"


@on_sqlite
@pytest.mark.parametrize("seam", [BEFORE_COMMIT, AFTER_COMMIT, BEFORE_WHOP, AFTER_WHOP])
def test_an_email_killed_at_any_seam_comes_once_or_once_more_and_says_so(
    on: Scene, mails: MailCatcher, seam: str
) -> None:
    nth, struck = 0, True
    while struck:
        nth += 1
        mails.caught.clear()
        bought = joins(on)
        fate = Fate(seam, nth)
        dying = to_be_killed(on, fate)
        with suppress(Killed):
            act(on, desk=replace(dying, alerts=desk_of(on, mails.port).alerts), owner=f"killed-{nth}")
        struck = fate.struck
        act(on, LEASE.total_seconds() + 1, desk=desk_of(on, mails.port), owner=f"next-{nth}")

        (found,) = [each for each in every(on) if each.source_id == bought.membership]
        assert found.state == "done", f"killed {seam}, the {nth}th time"
        assert len(mails.caught) in ((1, 2) if TWICE in str(found.outcome) else (1,))
    assert nth > 2
