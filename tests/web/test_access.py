"""The guard before every page: sessions, workspaces, cookies, and the mark in every form."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import flask
import pytest
from entering import NOON, Door, csrf_of, door, send
from flask import Blueprint, Flask, g
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from connector.store import audit, operators, sessions
from connector.web import access, account, traces

#: What is shown to anybody. Every other page of every blueprint needs a session.
PUBLIC = {
    "static",
    "assets.file",
    "health.healthz",
    "health.readyz",
    "signin.form",
    "signin.password",
    "signin.link",
    "signin.use_link",
    "colours.theme",
    "crm_sign_in.form",
    "crm_sign_in.begin",
    "crm_sign_in.answer",
    "webhooks.of_app",
    "webhooks.of_connection",
    "crm_hooks.of_workspace",
}
#: What takes a POST without the mark of our forms, because it proves itself otherwise.
UNMARKED = {"webhooks.of_app", "webhooks.of_connection", "crm_hooks.of_workspace"}
WRITING = {"POST", "PUT", "PATCH", "DELETE"}


def probe(app: Flask) -> None:
    """A protected page that shows what the guard found, and a form on it."""
    blueprint = access.protect(Blueprint("probe", __name__))

    @blueprint.route("/probe", methods=["GET", "POST"])
    def page() -> dict[str, Any]:
        return {"operator": g.person.name, "workspace": g.workspace.name, "session": g.session_id}

    app.register_blueprint(blueprint)


@pytest.fixture
def backend() -> str:
    """The store's own tests run on both; pages are asked on one."""
    return "sqlite"


@pytest.fixture
def house(database_url: str, redis_url: str) -> Iterator[Door]:
    with door(database_url, redis_url, prepare=probe) as built:
        yield built


@pytest.fixture
def marta(house: Door) -> FlaskClient:
    """A browser in which Marta is signed in; there is one workspace."""
    house.add_workspace()
    return house.signed_in()


def rules(app: Flask) -> list[Rule]:
    return list(app.url_map.iter_rules())


def address(app: Flask, rule: Rule) -> str:
    """An address of this rule, with something that fits in each place."""
    fits: dict[str, object] = {"IntegerConverter": 1, "UUIDConverter": uuid4()}
    values = {name: fits.get(type(one).__name__, "x") for name, one in rule._converters.items()}
    return app.url_map.bind("localhost").build(rule.endpoint, values, method=method(rule))


def method(rule: Rule) -> str:
    assert rule.methods
    return next(iter(sorted(rule.methods & WRITING)), "GET")


def test_every_page_that_is_not_public_needs_a_session(house: Door) -> None:
    shown = []
    for rule in rules(house.app):
        if rule.endpoint not in PUBLIC:
            answer = house.browser().open(address(house.app, rule), method=method(rule))
            if answer.status_code != 303 or not answer.location.startswith("/sign-in?next="):
                shown.append((rule.endpoint, answer.status_code))

    assert shown == []


def test_what_is_called_public_is_there() -> None:
    assert {"account.listing", "probe.page"}.isdisjoint(PUBLIC)


def test_every_form_is_refused_without_its_mark(house: Door, marta: FlaskClient) -> None:
    taken = []
    for rule in rules(house.app):
        if rule.methods and rule.methods & WRITING and rule.endpoint not in UNMARKED:
            answer = marta.open(address(house.app, rule), method=method(rule))
            if answer.status_code != 400 or "The form was not sent" not in answer.text:
                taken.append((rule.endpoint, answer.status_code))

    assert taken == []


def test_a_form_with_the_mark_of_another_browser_is_refused(house: Door, marta: FlaskClient) -> None:
    stolen = csrf_of(house.browser())

    assert marta.post("/probe", data={"csrf_token": stolen}).status_code == 400


def test_a_refused_form_says_why_and_leads_back_to_its_page(marta: FlaskClient) -> None:
    page = marta.post("/probe", headers={"Referer": "http://localhost/audit?before=9"})

    assert "The form was not sent" in page.text
    assert 'href="/audit?before=9"' in page.text


def test_a_refused_form_does_not_lead_to_another_site(marta: FlaskClient) -> None:
    page = marta.post("/probe", headers={"Referer": "https://evil.example/trap"})

    assert "evil" not in page.text
    assert "/trap" not in page.text


def test_a_form_sent_after_the_session_ended_leads_to_sign_in_and_back_to_its_page(
    house: Door, marta: FlaskClient
) -> None:
    house.clock.advance(hours=3)

    answer = marta.post("/probe", headers={"Referer": "http://localhost/audit?before=9"})

    assert answer.status_code == 303
    assert parse_qs(urlsplit(answer.location).query) == {"next": ["/audit?before=9"]}


def test_the_page_that_was_wanted_is_kept_with_its_query(house: Door) -> None:
    answer = house.browser().get("/probe?result=failed&q=%E6%9D%8E")

    assert parse_qs(urlsplit(answer.location).query) == {"next": ["/probe?result=failed&q=%E6%9D%8E"]}


def test_a_page_knows_operator_workspace_and_session(marta: FlaskClient) -> None:
    seen = marta.get("/probe").json

    assert seen is not None
    assert (seen["operator"], seen["workspace"]) == ("marta", "Northlight")
    assert seen["session"]


@pytest.mark.parametrize("hours", [2, 12])
def test_a_session_that_has_ended_is_out_at_once(house: Door, marta: FlaskClient, hours: int) -> None:
    assert marta.get("/probe").status_code == 200

    house.clock.advance(hours=hours)

    assert marta.get("/probe").status_code == 303


def test_use_keeps_a_session_alive_but_not_past_its_life(house: Door, marta: FlaskClient) -> None:
    for _ in range(11):
        house.clock.advance(hours=1)
        assert marta.get("/probe").status_code == 200

    house.clock.advance(hours=1)

    assert marta.get("/probe").status_code == 303


def test_what_a_script_polls_does_not_keep_a_session_alive(house: Door, marta: FlaskClient) -> None:
    house.clock.advance(minutes=90)
    assert marta.get("/probe", headers={"Sec-Fetch-Dest": "empty"}).status_code == 200

    house.clock.advance(minutes=30)

    assert marta.get("/probe").status_code == 303


def test_a_script_is_told_that_the_session_ended_instead_of_being_sent_to_a_page(house: Door) -> None:
    answer = house.browser().get("/probe", headers={"Sec-Fetch-Dest": "empty"})

    assert answer.status_code == 401
    assert answer.json is not None
    assert answer.json["sign_in"] == "/sign-in"


def test_each_page_says_when_the_session_ends(house: Door, marta: FlaskClient) -> None:
    early = marta.get("/probe").headers["X-Session-Ends"]
    for _ in range(11):
        house.clock.advance(hours=1)
        late = marta.get("/probe").headers["X-Session-Ends"]

    assert datetime.fromisoformat(early) == NOON + sessions.IDLE
    assert datetime.fromisoformat(late) == NOON + sessions.LIFE


def test_a_removed_operator_is_out_at_once(house: Door, marta: FlaskClient) -> None:
    with house.parts.database.transaction() as session:
        operators.remove(session, operators.named(session, "marta").id, house.clock())

    assert marta.get("/probe").status_code == 303


def test_a_made_up_token_opens_nothing(house: Door) -> None:
    for token in ("", "x", "\x00", "é" * 300):
        browser = house.browser()
        browser.set_cookie("session_token", token)
        assert browser.get("/probe").status_code == 303


def test_the_hash_that_the_database_keeps_opens_nothing(house: Door, marta: FlaskClient) -> None:
    with house.parts.database.reading() as session:
        kept = session.exec_driver_sql("SELECT token_hash FROM web_session").scalar()
    browser = house.browser()
    browser.set_cookie("session_token", str(kept))

    assert browser.get("/probe").status_code == 303


def test_the_database_does_not_hold_the_token_of_the_cookie(house: Door, marta: FlaskClient) -> None:
    cookie = marta.get_cookie("session_token")
    assert cookie is not None
    with house.parts.database.reading() as session:
        rows = [
            repr(session.exec_driver_sql(f"SELECT * FROM {name}").all())
            for name in ("web_session", "sign_in_link", "audit_event", "operator")
        ]

    assert cookie.value not in "".join(rows)


def cookies_of(house: Door, base: str) -> dict[str, str]:
    browser, path = house.browser(), house.link(house.add_operator())
    token = csrf_of(browser, path) if base == "http://localhost" else secure_csrf(browser, path, base)
    answer = browser.post(path, data={"csrf_token": token}, base_url=base)
    answers = [answer, browser.get("/sign-out", base_url=base), browser.get("/sessions", base_url=base)]
    lines = [line for one in answers for line in one.headers.getlist("Set-Cookie")]
    return {line.partition("=")[0]: line for line in lines}


def secure_csrf(browser: FlaskClient, path: str, base: str) -> str:
    page = browser.get(path, base_url=base).text
    return page.split('name="csrf_token" value="')[1].split('"')[0]


def flags(line: str) -> set[str]:
    return {part.strip() for part in line.split(";")[1:]}


def test_cookies_over_plain_http_are_for_this_site_and_no_script(house: Door) -> None:
    kept = cookies_of(house, "http://localhost")

    assert {"session_token", "forms"} <= kept.keys()
    for name in ("session_token", "forms"):
        assert flags(kept[name]) == {"HttpOnly", "Path=/", "SameSite=Lax"}


def test_cookies_over_https_are_bound_to_this_very_host(database_url: str, redis_url: str) -> None:
    with door(database_url, redis_url, public_url="https://connector.example.com") as house:
        kept = cookies_of(house, "https://connector.example.com")

    assert {"__Host-session", "__Host-forms"} <= kept.keys()
    for name in ("__Host-session", "__Host-forms"):
        assert flags(kept[name]) == {"HttpOnly", "Path=/", "SameSite=Lax", "Secure"}


def test_with_several_workspaces_one_has_to_be_chosen(house: Door) -> None:
    house.add_workspace("Northlight")
    south = house.add_workspace("Southlight")
    browser = house.signed_in()
    first = browser.get("/probe?a=1")
    assert first.location == "/workspace?next=/probe?a%3D1"
    assert "Northlight" in browser.get("/workspace").text

    answer = send(browser, "/workspace", at=first.location, workspace=south.id, next="/probe?a=1")

    assert answer.location == "/probe?a=1"
    seen = browser.get("/probe").json
    assert seen is not None
    assert seen["workspace"] == "Southlight"


def test_each_session_has_a_workspace_of_its_own(house: Door) -> None:
    made = [house.add_workspace(name) for name in ("Northlight", "Southlight")]
    one = house.add_operator()
    browsers = [house.signed_in(one) for _ in made]
    for browser, workspace in zip(browsers, made, strict=True):
        send(browser, "/workspace", at="/workspace", workspace=workspace.id, next="/")

    seen = [(browser.get("/probe").json or {})["workspace"] for browser in browsers]

    assert seen == ["Northlight", "Southlight"]


def test_an_unknown_workspace_is_not_found(house: Door, marta: FlaskClient) -> None:
    assert send(marta, "/workspace", workspace=str(uuid4())).status_code == 404


def test_without_a_workspace_the_page_says_how_one_is_added(house: Door) -> None:
    browser = house.signed_in()

    page = browser.get("/probe", follow_redirects=True)

    assert "flask workspace add" in page.text
    assert "Sign out" in page.text


def test_the_sessions_page_lists_mine_and_ends_one(house: Door) -> None:
    one = house.add_operator()
    here, there = house.signed_in(one), house.signed_in(one)
    house.signed_in(house.add_operator("taro"))
    with house.parts.database.reading() as session:
        mine = sessions.of_person(session, one.id, house.clock())
    (other,) = {each.id for each in mine} - {session_id(here, house)}

    answer = send(here, "/sessions", session=other)

    assert len(mine) == 2
    assert answer.location == "/sessions"
    assert there.get("/sessions").status_code == 303
    assert here.get("/sessions").status_code == 200


def session_id(browser: FlaskClient, house: Door) -> str:
    cookie = browser.get_cookie("session_token")
    assert cookie is not None
    with house.parts.database.reading() as session:
        found = sessions.find(session, cookie.value, house.clock())
    assert found is not None
    return found.id


def test_all_other_sessions_end_at_a_press(house: Door) -> None:
    one = house.add_operator()
    here, *others = (house.signed_in(one) for _ in range(3))

    send(here, "/sessions", session="others")

    assert here.get("/sessions").status_code == 200
    assert [browser.get("/sessions").status_code for browser in others] == [303, 303]


def test_nobody_ends_a_session_of_somebody_else(house: Door) -> None:
    here, theirs = house.signed_in(), house.signed_in(house.add_operator("taro"))

    answer = send(here, "/sessions", session=session_id(theirs, house))

    assert answer.status_code == 404
    assert theirs.get("/sessions").status_code == 200


def test_ending_the_session_one_is_in_signs_out(house: Door) -> None:
    browser = house.signed_in()

    assert send(browser, "/sessions", session=session_id(browser, house)).location == "/sign-in"
    assert browser.get_cookie("session_token") is None


def test_a_refused_form_is_in_the_audit_log(marta: FlaskClient) -> None:
    marta.post("/probe")

    page = marta.get("/audit").text

    assert "Form refused" in page
    assert "probe.page" in page


def test_the_audit_log_has_words_for_every_code() -> None:
    assert account.WORDS.keys() == audit.CODES


def test_what_a_page_records_is_in_the_name_of_who_is_signed_in(house: Door, marta: FlaskClient) -> None:
    with house.app.test_request_context("/probe", headers={"Cookie": cookie_of(marta)}):
        house.app.preprocess_request()
        with house.parts.database.transaction() as session:
            access.record(session, "connect", company="Acme <b>Courses</b>")

    page = marta.get("/audit").text

    assert "Whop company connected" in page
    assert "company: Acme &lt;b&gt;Courses&lt;/b&gt;" in page


def cookie_of(browser: FlaskClient) -> str:
    cookie = browser.get_cookie("session_token")
    assert cookie is not None
    return f"session_token={cookie.value}"


@pytest.mark.parametrize(
    ("chosen", "kept"), [("light", "light"), ("dark", "dark"), ("auto", "auto"), ("system", "auto")]
)
def test_colours_are_remembered_without_signing_in(house: Door, chosen: str, kept: str) -> None:
    browser = house.browser()

    answer = send(browser, "/theme", at="/sign-in", theme=chosen, back="/sign-in?next=/audit")

    cookie = browser.get_cookie("theme")
    assert cookie is not None
    assert (answer.status_code, cookie.value) == (303, kept)
    assert (f'data-theme="{kept}"' in browser.get("/sign-in").text) == (kept != "auto")


def test_other_colours_are_refused(house: Door) -> None:
    assert send(house.browser(), "/theme", at="/sign-in", theme="<script>").status_code == 400


def test_an_odd_cookie_of_colours_changes_nothing(house: Door) -> None:
    browser = house.browser()
    browser.set_cookie("theme", '"><script>')

    assert "<script>" not in browser.get("/sign-in").text


def test_an_unknown_address_is_not_found_with_or_without_a_session(house: Door, marta: FlaskClient) -> None:
    answers = [browser.get("/nowhere").status_code for browser in (house.browser(), marta)]

    assert answers == [404, 404]


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit Chrome/130 Safari/537 Edg/130", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18 like Mac OS X) Safari/604", "Safari on iPhone"),
        ("<script>alert(1)</script>" * 100, "Another browser"),
        ("", "Another browser"),
    ],
)
def test_a_browser_is_kept_in_two_words(agent: str, words: str) -> None:
    assert traces.browser(agent) == words


@pytest.mark.parametrize(
    ("whole", "kept"),
    [("203.0.113.77", "203.0.113.x"), ("2001:db8:1:2::7", "2001:db8:1:…"), ("unknown", "unknown")],
)
def test_of_an_address_the_network_is_kept(whole: str, kept: str) -> None:
    assert traces.network(whole) == kept


def test_protecting_is_possible_for_two_applications_in_one_process(
    database_url: str, redis_url: str
) -> None:
    for _ in range(2):
        with door(database_url, redis_url, prepare=probe) as house:
            assert house.browser().get("/probe").status_code == 303


def test_a_page_of_an_unprotected_blueprint_sees_nobody(house: Door, marta: FlaskClient) -> None:
    with house.app.test_request_context("/healthz", headers={"Cookie": cookie_of(marta)}):
        house.app.preprocess_request()

        assert (flask.g.person, flask.g.workspace) == (None, None)
