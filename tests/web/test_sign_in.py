"""Signing in and out: links, passwords, and how often one may fail."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from entering import NOWHERE, Door, csrf_of, door, send
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from connector.cli.operators import operator_group
from connector.store import audit, operators, sessions
from connector.store.operators import Operator
from connector.vault import new_key
from connector.web import limits, signin

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "four words nobody joins"


@pytest.fixture
def backend() -> str:
    """The store's own tests run on both; pages are asked on one."""
    return "sqlite"


@pytest.fixture
def house(database_url: str, redis_url: str) -> Iterator[Door]:
    with door(database_url, redis_url) as built:
        built.add_workspace()
        yield built


@pytest.fixture
def marta(house: Door) -> Operator:
    one = house.add_operator()
    with house.parts.database.transaction() as session:
        operators.set_password(session, one.id, signin.hashed(PASSWORD))
    return one


def try_password(browser: FlaskClient, name: str = "marta", password: str = "", **more: str) -> TestResponse:
    return send(browser, "/sign-in", at="/sign-in", name=name, password=password, **more)


def is_in(browser: FlaskClient) -> bool:
    return browser.get("/sessions").status_code == 200


def events(house: Door, one: Operator) -> list[str]:
    with house.parts.database.reading() as session:
        return [event.what for event in audit.shown(session, None, one.id)]


def command(
    house: Door, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *words: str
) -> tuple[int, dict[str, Any]]:
    """What ``flask operator …`` prints for this installation, and its exit code."""
    settings = house.parts.settings
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(
        operator_group,
        [*words, "--json"],
        env={
            "DATABASE_URL": settings.database_url,
            "REDIS_URL": settings.redis_url,
            "PUBLIC_URL": settings.public_url,
            "SECRET_KEY": settings.secret_key,
            "TOKEN_ENCRYPTION_KEYS": new_key(),
        },
    )
    return told.exit_code, json.loads(told.stdout)


def test_the_link_of_a_new_operator_lets_in(
    house: Door, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code, told = command(house, monkeypatch, tmp_path, "add", "marta")
    house.clock.now = datetime.now(UTC)
    path, browser = told["link"].removeprefix("http://localhost"), house.browser()

    assert code == 0
    assert path.startswith("/sign-in/")
    assert send(browser, path, at=path).status_code == 303
    assert is_in(browser)


def test_an_operator_is_added_once_linked_listed_and_removed(
    house: Door, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def told(*words: str) -> Any:
        return command(house, monkeypatch, tmp_path, *words)

    told("add", "marta")

    assert told("add", "marta")[0] == 4
    assert told("link", "marta")[0] == 0
    assert told("link", "nobody")[0] == 4
    assert [one["name"] for one in told("list")[1]] == ["marta"]
    assert told("remove", "marta") == (0, {"name": "marta", "removed": True, "sessions_ended": 0})
    assert told("list")[1] == []


def test_removing_an_operator_ends_the_sessions(
    house: Door, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    browser = house.signed_in()

    _, told = command(house, monkeypatch, tmp_path, "remove", "marta")

    assert told["sessions_ended"] == 1
    assert not is_in(browser)


def test_a_link_shows_a_button_and_is_not_used_by_looking(house: Door) -> None:
    path = house.link(house.add_operator())
    browser = house.browser()

    pages = [browser.get(path) for _ in range(3)] + [browser.head(path)]

    assert [page.status_code for page in pages] == [200] * 4
    assert "Sign in as" in pages[0].text
    assert send(browser, path, at=path).status_code == 303
    assert is_in(browser)


def test_a_link_lets_in_once(house: Door) -> None:
    path = house.link(house.add_operator())
    first, second = house.browser(), house.browser()
    send(first, path, at=path)

    again = send(second, path, at="/sign-in")

    assert again.status_code == 410
    assert "does not work" in again.text
    assert second.get(path).status_code == 404
    assert not is_in(second)


def test_a_link_ends_after_a_day(house: Door) -> None:
    path = house.link(house.add_operator())
    house.clock.advance(hours=24)

    assert house.browser().get(path).status_code == 404
    assert send(house.browser(), path, at="/sign-in").status_code == 410


def test_a_made_up_link_says_how_to_get_a_real_one(house: Door) -> None:
    page = house.browser().get("/sign-in/made-up")

    assert page.status_code == 404
    assert "flask operator link" in page.text


def test_the_sign_in_page_says_how_to_get_a_link(house: Door) -> None:
    assert "flask operator link" in house.browser().get("/sign-in").text


def test_after_a_link_a_password_is_offered_where_there_is_none(house: Door) -> None:
    browser, path = house.browser(), house.link(house.add_operator())

    answer = send(browser, path, at=path)

    assert answer.location == "/password"
    assert "Not now" in browser.get("/password").text


def test_after_a_link_nothing_is_asked_where_there_is_a_password(house: Door, marta: Operator) -> None:
    path = house.link(marta)

    assert send(house.browser(), path, at=path).location == "/"


def test_the_right_password_lets_in_and_goes_on_to_the_page_that_was_wanted(
    house: Door, marta: Operator
) -> None:
    browser = house.browser()

    answer = try_password(browser, password=PASSWORD, next="/audit?before=7")

    assert (answer.status_code, answer.location) == (303, "/audit?before=7")
    assert is_in(browser)


def test_a_wrong_password_a_wrong_name_and_none_at_all_get_one_answer(house: Door, marta: Operator) -> None:
    house.add_operator("taro")  # who has no password yet

    answers = [try_password(house.browser(), name=name, password="x") for name in ("marta", "nobody", "taro")]

    texts = {
        one.text.replace(name, "") for one, name in zip(answers, ("marta", "nobody", "taro"), strict=True)
    }
    bare = {text[: text.index("csrf_token")] + text[text.index('name="next"') :] for text in texts}
    assert {one.status_code for one in answers} == {403}
    assert len(bare) == 1


def test_an_unknown_name_costs_as_much_as_a_known_one() -> None:
    def cost(kept: str | None) -> float:
        started = time.thread_time()
        signin.is_right("x", kept)
        return time.thread_time() - started

    kept = signin.hashed(PASSWORD)
    cost(None)  # the first makes nobody's hash
    known, unknown = (min(cost(one) for _ in range(3)) for one in (kept, None))

    assert 0.5 < known / unknown < 2


def test_nobodys_password_is_right_for_nobody() -> None:
    assert not signin.is_right("the password of nobody", None)


def test_a_removed_operator_cannot_sign_in(house: Door, marta: Operator) -> None:
    with house.parts.database.transaction() as session:
        operators.remove(session, marta.id, house.clock())

    assert try_password(house.browser(), password=PASSWORD).status_code == 403


def test_the_token_changes_at_sign_in_and_the_old_session_ends(house: Door, marta: Operator) -> None:
    browser = house.signed_in(marta)
    old = browser.get_cookie("session_token")
    path = house.link(marta)
    send(browser, path, at="/sessions")
    new = browser.get_cookie("session_token")
    assert old is not None
    assert new is not None

    thief = house.browser()
    thief.set_cookie("session_token", old.value)

    assert old.value != new.value
    assert is_in(browser)
    assert not is_in(thief)


def test_a_token_that_was_set_from_outside_is_not_taken_over(house: Door, marta: Operator) -> None:
    browser = house.browser()
    browser.set_cookie("session_token", "chosen-by-somebody-else")

    try_password(browser, password=PASSWORD)

    cookie = browser.get_cookie("session_token")
    assert cookie is not None
    assert cookie.value != "chosen-by-somebody-else"


def test_the_secret_of_the_forms_changes_at_sign_in(house: Door, marta: Operator) -> None:
    browser = house.browser()
    before = csrf_of(browser)
    try_password(browser, password=PASSWORD)

    assert browser.post("/sign-out", data={"csrf_token": before}).status_code == 400


def test_signing_out_ends_the_session_and_takes_the_cookie(house: Door) -> None:
    browser = house.signed_in()
    cookie = browser.get_cookie("session_token")
    assert cookie is not None

    answer = send(browser, "/sign-out")

    assert answer.location == "/sign-in"
    assert browser.get_cookie("session_token") is None
    browser.set_cookie("session_token", cookie.value)
    assert not is_in(browser)


def test_somebody_signed_in_is_not_asked_again(house: Door) -> None:
    assert house.signed_in().get("/sign-in?next=/audit").location == "/audit"


FOREIGN = (
    "https://evil.example",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "/\n//evil.example",
    " //evil.example",
    "javascript:alert(1)",
    "evil.example",
    "/sign-out",
    "/" + "x" * 2000,
    "",
)


@pytest.mark.parametrize("foreign", FOREIGN)
def test_nobody_is_sent_to_another_site(house: Door, marta: Operator, foreign: str) -> None:
    shown = house.browser().get("/sign-in", query_string={"next": foreign}).text
    by_password = try_password(house.browser(), password=PASSWORD, next=foreign)
    signed_in = house.signed_in(marta)
    at_once = signed_in.get("/sign-in", query_string={"next": foreign})
    chosen = send(signed_in, "/theme", theme="dark", back=foreign)

    assert 'name="next" value="/"' in shown
    assert [one.location for one in (by_password, at_once, chosen)] == ["/", "/", "/"]


def test_a_password_is_set_and_lets_in(house: Door) -> None:
    browser = house.signed_in()

    answer = send(browser, "/password", at="/password", new=PASSWORD)

    assert answer.status_code == 303
    assert try_password(house.browser(), password=PASSWORD).status_code == 303


@pytest.mark.parametrize(
    ("new", "words"),
    [
        ("short", "At least 12"),
        ("aaaaaaaaaaaaaaaa", "Too easy"),
        ("i am MARTA of here", "Too easy"),
        ("é" * 201, "At most"),
    ],
)
def test_a_weak_password_is_refused_with_the_reason(house: Door, new: str, words: str) -> None:
    answer = send(house.signed_in(), "/password", at="/password", new=new)

    assert answer.status_code == 422
    assert words in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert new not in answer.text


def test_setting_a_password_ends_the_other_sessions(house: Door) -> None:
    one = house.add_operator()
    here, there = house.signed_in(one), house.signed_in(one)

    send(here, "/password", at="/password", new=PASSWORD)

    assert is_in(here)
    assert not is_in(there)


def test_changing_a_password_takes_the_present_one(house: Door, marta: Operator) -> None:
    browser = house.browser()
    try_password(browser, password=PASSWORD)

    wrong = send(browser, "/password", at="/password", new="another four words", present="guessed")
    right = send(browser, "/password", at="/password", new="another four words", present=PASSWORD)

    assert (wrong.status_code, right.status_code) == (403, 303)


def test_whoever_forgot_a_password_sets_one_after_a_link_for_a_quarter_of_an_hour(
    house: Door, marta: Operator
) -> None:
    browser = house.signed_in(marta)
    assert "Present password" not in browser.get("/password").text

    house.clock.advance(minutes=15)

    assert "Present password" in browser.get("/password").text
    assert send(browser, "/password", at="/password", new="another four words").status_code == 403


def test_too_many_failures_with_a_name_have_to_wait_and_links_do_not(house: Door, marta: Operator) -> None:
    house.app.config["SIGN_IN_FAILURES_PER_NAME"] = "2 per hour"
    for _ in range(2):
        assert try_password(house.browser(), password="wrong").status_code == 403

    refused = try_password(house.browser(), name=" MARTA", password=PASSWORD)

    assert refused.status_code == 429
    assert "one-time link" in refused.text
    assert 0 < int(refused.headers["Retry-After"]) <= 3601
    assert is_in(house.signed_in(marta))


def test_another_name_is_not_held_up(house: Door, marta: Operator) -> None:
    house.app.config["SIGN_IN_FAILURES_PER_NAME"] = "1 per hour"
    try_password(house.browser(), name="taro", password="wrong")

    assert try_password(house.browser(), password=PASSWORD).status_code == 303


def test_too_many_failures_from_an_address_have_to_wait_whatever_the_name(
    house: Door, marta: Operator
) -> None:
    house.app.config["SIGN_IN_FAILURES_PER_ADDRESS"] = "2 per hour"
    send(house.browser(), "/sign-in/made-up", at="/sign-in")
    try_password(house.browser(), name="a", password="wrong")

    assert try_password(house.browser(), password=PASSWORD).status_code == 429


def test_it_goes_on_when_the_time_is_over(house: Door, marta: Operator) -> None:
    house.app.config["SIGN_IN_FAILURES_PER_NAME"] = "1 per 2 seconds"
    try_password(house.browser(), password="wrong")
    assert try_password(house.browser(), password=PASSWORD).status_code == 429

    until = time.monotonic() + 10
    while try_password(house.browser(), password=PASSWORD).status_code == 429:
        assert time.monotonic() < until
        time.sleep(0.1)


def test_signing_in_well_is_not_counted(house: Door, marta: Operator) -> None:
    house.app.config["SIGN_IN_FAILURES_PER_NAME"] = "2 per hour"

    answers = [try_password(house.browser(), password=PASSWORD).status_code for _ in range(4)]

    assert answers == [303] * 4


def test_failures_are_counted_while_redis_is_down(database_url: str) -> None:
    with door(database_url, NOWHERE) as house:
        house.app.config["SIGN_IN_FAILURES_PER_NAME"] = "2 per hour"
        answers = [try_password(house.browser(), password="wrong").status_code for _ in range(3)]

    assert answers == [403, 403, 429]


def test_limits_stand_on_signing_in_and_passwords_only(house: Door) -> None:
    house.app.config.update(SIGN_IN_FAILURES_PER_ADDRESS="1 per hour", SIGN_IN_FAILURES_PER_NAME="1 per hour")
    for _ in range(2):
        last = try_password(house.browser(), password="wrong")

    assert last.status_code == 429
    assert [house.browser().get("/healthz").status_code for _ in range(30)] == [200] * 30


def test_what_happened_at_the_door_is_in_the_audit_log(house: Door, marta: Operator) -> None:
    try_password(house.browser(), password="wrong")
    browser = house.browser()
    try_password(browser, password=PASSWORD)
    send(browser, "/sign-out")
    house.signed_in(marta)

    assert events(house, marta) == ["link_used", "sign_out", "sign_in", "sign_in_failed"]


def test_the_audit_log_never_holds_what_was_typed_into_the_form(house: Door, marta: Operator) -> None:
    try_password(house.browser(), name="a password in the wrong field", password="another password")

    with house.parts.database.reading() as session:
        rows = session.exec_driver_sql("SELECT what, about FROM audit_event").all()
    assert [tuple(row) for row in rows] == [("sign_in_failed", "{}")]


def test_a_flood_of_failures_does_not_fill_the_audit_log(house: Door) -> None:
    for _ in range(30):
        house.browser().post("/theme", data={"theme": "dark"})

    with house.parts.database.reading() as session:
        count = session.exec_driver_sql("SELECT count(*) FROM audit_event").scalar()
    assert count == 20


def test_the_documentation_names_the_limits_in_force() -> None:
    text = " ".join((ROOT / "docs" / "security.md").read_text(encoding="utf-8").split())

    for limit in limits.LIMITS.values():
        assert limit.replace(" per ", " failures in ") in text
    for life, words in ((operators.LINK_LIFE, "for 24 hours"), (sessions.IDLE, "2 hours without use")):
        assert words in text
        assert str(life // timedelta(hours=1)) in words
    assert f"{sessions.LIFE // timedelta(hours=1)} hours in any case" in text
