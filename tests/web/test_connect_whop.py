"""Connecting Whop in the browser: the whole way against both sandboxes, and every page that says why not."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from connector.errors import SchemaError
from connector.sandbox.twenty import api_keys
from connector.store import audit, automations, connections, workspaces
from connector.sync import modelling
from connector.web import whop
from tests.store.racing import race
from tests.web.site_of import BACK, CLIENT, Browser, Site, says
from tests.whop_consent import query

_CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')
_COMPANY = re.compile(r'type="radio" name="company" value="(biz_[^"]+)"([^>]*)>')


@pytest.fixture
def backend() -> str:
    return "sqlite"  # the store's own tests take care of the other


# --- the whole way


def test_from_the_first_page_to_the_first_sync(site: Site, browser: Browser) -> None:
    page = browser.get("/connect/whop")
    assert page.status_code == 200
    plan_path = browser.connect()
    shown = browser.get(plan_path)
    agreed = browser.send(plan_path)

    (made,) = site.connections()
    (run,) = site.runs()
    assert plan_path == f"/connections/{made.id}/plan"
    assert "Agree and start the first sync" in shown.text
    assert agreed.status_code == 303
    assert agreed.headers["Location"] == f"/runs/{run.id}"
    assert run.status == "queued"
    assert run.why.startswith("First sync, started by")
    assert site.bell.rings == [("advance_run", "full", {"run_id": run.id})]
    steps = modelling.plan(site.parts.tools, site.workspace).steps
    assert {step.do for step in steps} == {"right"}


def test_the_first_page_names_each_permission_and_what_it_is_for(site: Site, browser: Browser) -> None:
    text = browser.get("/connect/whop").text

    for scope in site.parts.desk.asked(site.workspace.id):
        assert scope in text
    assert "See your members&#39; e-mail addresses" in text
    assert "becomes a task in Twenty, due when Whop wants your evidence" in text
    assert "plan:basic:read" not in text
    assert "Connect Whop</button>" in text


def test_the_first_page_lets_its_form_end_on_whop_and_nowhere_else(site: Site, browser: Browser) -> None:
    there = browser.get("/connect/whop").headers["Content-Security-Policy"]
    usual = browser.get("/connections").headers["Content-Security-Policy"]

    assert there == usual.replace("form-action 'self'", f"form-action 'self' {site.whop.url}")
    assert there != usual


def test_whops_own_neighbours_may_be_on_the_way() -> None:
    policy = whop._policy("https://api.whop.com/oauth/authorize")

    assert "form-action 'self' https://api.whop.com https://whop.com https://*.whop.com;" in policy


def test_the_way_to_whop_is_asked_for_exactly(site: Site, browser: Browser) -> None:
    asked = query(browser.leave())

    assert asked["client_id"] == CLIENT
    assert asked["redirect_uri"] == f"http://127.0.0.1:8080{BACK}"
    assert asked["scope"].split() == list(site.parts.desk.asked(site.workspace.id))
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["state"]) >= 43
    assert "company_id" not in asked


def test_several_companies_are_chosen_from(site: Site, browser: Browser) -> None:
    choosing = browser.get(browser.approve()).headers["Location"]
    page = browser.get(choosing)

    chosen = browser.send(
        "/connect/whop/company", choosing, choice=query(choosing)["choice"], company=site.companies[1]
    )

    assert [id_ for id_, _ in _COMPANY.findall(page.text)] == site.companies
    assert chosen.status_code == 303
    assert [one.company_id for one in site.connections()] == [site.companies[1]]


def test_a_second_company_joins_the_first(site: Site, browser: Browser) -> None:
    browser.connect()
    choosing = browser.get(browser.approve()).headers["Location"]
    page = browser.get(choosing)

    browser.send(
        "/connect/whop/company", choosing, choice=query(choosing)["choice"], company=site.companies[1]
    )

    assert [" disabled" in rest for _, rest in _COMPANY.findall(page.text)] == [True, False]
    assert sorted(one.company_id for one in site.connections()) == sorted(site.companies)


def test_choosing_nothing_comes_back_to_the_choice(browser: Browser) -> None:
    choosing = browser.get(browser.approve()).headers["Location"]

    answer = browser.send("/connect/whop/company", choosing, choice=query(choosing)["choice"])

    assert answer.headers["Location"] == choosing


def test_what_the_connection_is_kept_with_is_sealed(site: Site, browser: Browser) -> None:
    browser.connect()

    assert "whop_at_" not in site.everything()
    assert "whop_rt_" not in site.everything()


def test_connecting_and_agreeing_are_on_record(site: Site, browser: Browser) -> None:
    browser.send(browser.connect())

    with site.parts.database.reading() as session:
        events = audit.shown(session, site.workspace.id, "nobody")
    assert [one.what for one in events] == ["sync_started", "plan_agreed", "connect"]


def test_connecting_again_keeps_the_connection(site: Site, browser: Browser) -> None:
    browser.connect()
    (made,) = site.connections()
    with site.parts.database.transaction() as session:
        connections.mark(session, site.workspace.id, made.id, "expired")

    assert made.company_title in unescape(browser.get(f"/connect/whop?connection={made.id}").text)
    assert browser.get(browser.approve(connection=made.id)).status_code == 303

    (back,) = site.connections()
    assert (back.id, back.status) == (made.id, "active")
    assert back.secret_sealed != made.secret_sealed


@pytest.mark.parametrize(
    "site", [{"WHOP_REDIRECT_URI": "http://127.0.0.1:8080/elsewhere/oauth/whop/callback"}], indirect=True
)
def test_the_answers_address_is_that_of_the_setting(site: Site, browser: Browser) -> None:
    assert browser.get(BACK).status_code == 404
    assert browser.get(f"/elsewhere{BACK}").status_code == 403


# --- every no has a page


def test_a_declined_approval_ends_on_a_page(site: Site, browser: Browser) -> None:
    path = browser.approve(decision="cancel")

    says(browser.get(path), 403, "Nothing was connected", "declined on Whop")
    assert site.connections() == []
    says(browser.get(path), 409, "used already")


@pytest.mark.parametrize(
    "path", [BACK, f"{BACK}?code=ac_1", f"{BACK}?code=ac_1&state=made-up", f"{BACK}?error=access_denied"]
)
def test_an_answer_that_nobody_asked_for_is_refused(browser: Browser, path: str) -> None:
    says(browser.get(path), 403, "begun in this browser")


def test_an_answer_in_another_browser_is_refused(site: Site) -> None:
    marta = site.operator("marta")
    first, second = site.browser(marta), site.browser(marta)
    second.leave()
    path = first.approve(company=site.companies[0])

    says(second.get(path), 403, "begun in this browser")

    assert site.connections() == []
    assert first.get(path).status_code == 303


def test_an_answer_to_another_operator_in_the_same_browser_is_refused(site: Site) -> None:
    browser = site.browser(site.operator("marta"))
    path = browser.approve()
    browser.sign_in(site.operator("otto"))

    says(browser.get(path), 403, "begun in this browser")


def test_an_answer_that_comes_twice_says_so(site: Site, browser: Browser) -> None:
    path = browser.approve(company=site.companies[0])
    browser.get(path)

    says(browser.get(path), 409, "used already", "Open connections")
    assert len(site.connections()) == 1


def test_an_answer_that_comes_too_late_says_so(site: Site, browser: Browser) -> None:
    path = browser.approve()
    site.clock.advance(16 * 60)

    says(browser.get(path), 400, "longer than 15 minutes")


def test_a_code_that_whop_does_not_take_says_so(browser: Browser) -> None:
    path = browser.approve()

    says(browser.get(re.sub(r"code=[^&]+", "code=ac_stolen", path)), 400, "used already, or is older")


def test_a_wrong_address_is_the_operators_to_correct(site: Site, browser: Browser) -> None:
    path = browser.approve()
    with site.parts.database.transaction() as session:
        session.exec_driver_sql("UPDATE pending_authorization SET redirect_uri = 'http://127.0.0.1/other'")

    says(browser.get(path), 400, "Whop does not know the address", "WHOP_REDIRECT_URI")


def test_a_scope_that_whop_does_not_know_comes_back_as_a_page(site: Site, browser: Browser) -> None:
    state = query(browser.leave())["state"]

    says(
        browser.get(f"{BACK}?error=invalid_scope&error_description=<b>&state={state}"),
        400,
        "does not know one of",
    )


@pytest.mark.parametrize("fault", [{"status": 503}, {"cut": True}, {"status": 200, "body": "<html>"}])
@pytest.mark.parametrize("place", ["POST /oauth/token", "GET /oauth/userinfo", "GET /accounts$"])
def test_whop_being_down_ends_on_a_page(
    site: Site, browser: Browser, place: str, fault: dict[str, Any]
) -> None:
    path = browser.approve()
    site.whop.dial(place, fault, times=None)

    says(browser.get(path), 502, "Nothing was connected")
    assert site.connections() == []


def test_a_limit_of_whops_says_how_long(site: Site, browser: Browser) -> None:
    path = browser.approve()
    site.whop.dial("POST /oauth/token", {"status": 429, "headers": {"Retry-After": "30"}})

    answer = browser.get(path)

    says(answer, 502, "pause")
    assert answer.headers["Retry-After"] == "30"


def test_a_choice_that_fails_is_tried_again_where_it_was(site: Site, browser: Browser) -> None:
    choosing = browser.get(browser.approve()).headers["Location"]
    form = {"choice": query(choosing)["choice"], "company": site.companies[0]}
    site.whop.dial("GET /accounts/", {"status": 503}, times=None)

    answer = browser.send("/connect/whop/company", choosing, **form)

    says(answer, 502)
    assert unescape(answer.text).count(choosing) == 1
    site.whop.undial()
    assert browser.send("/connect/whop/company", choosing, **form).status_code == 303


def test_the_same_company_again_is_refused_with_its_reason(site: Site, browser: Browser) -> None:
    browser.connect()

    says(browser.get(browser.approve(company=site.companies[0])), 409, "connected to this workspace already")
    assert len(site.connections()) == 1


@pytest.mark.parametrize("path", ["/connect/whop?connection=nothing", "/connections/nothing/plan"])
def test_a_connection_that_is_not_there_is_not_found(browser: Browser, path: str) -> None:
    assert browser.get(path).status_code == 404


@pytest.mark.parametrize("site", [{"WHOP_CLIENT_ID": ""}], indirect=True)
def test_without_an_app_the_page_says_who_can_make_one(browser: Browser) -> None:
    answer = browser.get("/connect/whop")

    assert answer.status_code == 200
    assert "WHOP_CLIENT_ID" in answer.text
    assert "/connect/whop/key" in answer.text


@pytest.mark.parametrize("path", ["/connect/whop", "/connect/whop/company", "/connections/x/plan"])
def test_forms_without_their_mark_are_refused(browser: Browser, path: str) -> None:
    assert browser.client.post(path).status_code == 400


def test_a_session_that_ended_on_the_way_keeps_the_place(site: Site) -> None:
    marta = site.operator("marta")
    browser = site.browser(marta)
    path = browser.approve(company=site.companies[0])
    with site.parts.database.transaction() as session:
        session.exec_driver_sql("UPDATE web_session SET revoked_at = created_at")

    away = browser.get(path)

    assert away.status_code == 303
    assert query(away.headers["Location"])["next"] == path
    browser.sign_in(marta)
    assert browser.get(path).status_code == 303
    assert len(site.connections()) == 1


def test_nothing_secret_is_logged_on_the_way(site: Site, browser: Browser) -> None:
    with capture_logs() as lines:
        path = browser.approve(company=site.companies[0])
        browser.get(path)
        browser.get(path)

    told = str(lines)
    assert query(path)["code"] not in told
    assert query(path)["state"] not in told
    assert "whop_at_" not in told


# --- what will be created


def test_the_plan_tells_object_by_object_what_is_created(browser: Browser) -> None:
    text = unescape(browser.get(browser.connect()).text)

    assert "New object" in text
    assert "Whop product" in text
    assert "new fields" in text
    assert "we never rename or remove" in text


def test_looking_at_the_plan_creates_nothing(site: Site, browser: Browser) -> None:
    browser.get(browser.connect())

    steps = modelling.plan(site.parts.tools, site.workspace).steps
    assert any(step.do == "create" for step in steps)
    assert site.runs() == []


def test_a_missing_permission_is_said_with_what_follows(site: Site, browser: Browser) -> None:
    path = browser.connect()
    (made,) = site.connections()
    less = [one for one in made.scopes or [] if one != "member:phone:read"]
    with site.parts.database.transaction() as session:
        connections.keep_credential(session, site.workspace.id, made.id, scopes=less)

    text = unescape(browser.get(path).text)

    assert "Whop does not let us: see your members' phone numbers" in text
    assert "Phone numbers in Twenty stay as they are" in text
    assert f"/connect/whop?connection={made.id}" in text


def test_a_conflict_in_the_crm_is_shown_and_nothing_can_be_agreed_to(site: Site, browser: Browser) -> None:
    path = browser.connect()
    in_the_way(site)

    shown = browser.get(path)

    assert "In the way" in shown.text
    assert "Check again" in shown.text
    assert "Agree and start" not in shown.text
    says(browser.send(path, "/connect/whop"), 409, "No sync was started")
    assert site.runs() == []


def in_the_way(site: Site) -> None:
    """Somebody makes a field of ours, of another type."""
    crm = site.parts.door.session(
        site.twenty.url, headers={"Authorization": f"Bearer {api_keys(site.twenty.app)[0]}"}
    )
    objects = crm.request("GET", "/rest/metadata/objects?limit=200").json()["data"]
    every = objects["objects"] if isinstance(objects, dict) else objects
    person = next(one for one in every if one["nameSingular"] == "person")
    field = {"objectMetadataId": person["id"], "type": "NUMBER", "name": "whopUserId", "label": "Whop user"}
    assert crm.request("POST", "/rest/metadata/fields", json=field).status < 300


@pytest.mark.parametrize("fault", [{"status": 503}, {"cut": "before"}])
def test_a_crm_that_is_down_ends_on_a_page(site: Site, browser: Browser, fault: dict[str, Any]) -> None:
    path = browser.connect()
    site.twenty.dial("GET /rest/metadata", fault, times=None)

    answer = browser.get(path)

    says(answer, 502, "No sync was started")
    assert path in answer.text
    says(browser.send(path, "/connect/whop"), 502)
    assert site.runs() == []


def test_a_second_click_starts_no_second_run(site: Site, browser: Browser) -> None:
    path = browser.connect()
    first = browser.send(path)

    again = browser.send(path, "/connect/whop")

    assert again.headers["Location"] == first.headers["Location"]
    assert len(site.runs()) == 1
    assert "under way already" in browser.get(first.headers["Location"]).text


def test_a_second_click_asks_nothing_of_the_crm(site: Site, browser: Browser) -> None:
    path = browser.connect()
    first = browser.send(path)
    site.twenty.dial("GET /rest/metadata", {"status": 503}, times=None)

    assert browser.get(path).headers["Location"] == first.headers["Location"]
    assert browser.send(path, "/connect/whop").headers["Location"] == first.headers["Location"]


def test_a_double_click_starts_one_run_and_both_answers_show_it(site: Site, browser: Browser) -> None:
    path = browser.connect()
    marked = _CSRF.search(browser.get(path).text)[1]
    cookies = [f"{one.key}={one.value}" for one in browser.client._cookies.values()]

    def click() -> TestResponse:
        alike = site.app.test_client(use_cookies=False)
        return alike.post(path, data={"csrf_token": marked}, headers={"Cookie": "; ".join(cookies)})

    answers = race(click, click, click)

    (run,) = site.runs()
    assert [one.status_code for one in answers] == [303] * 3, [one.text for one in answers]
    assert {one.headers["Location"] for one in answers} == {f"/runs/{run.id}"}


def test_a_connection_that_was_disconnected_starts_nothing(site: Site, browser: Browser) -> None:
    path = browser.connect()
    (made,) = site.connections()
    with site.parts.database.transaction() as session:
        connections.disconnect(session, site.workspace.id, made.id)

    says(browser.send(path), 400, "is revoked")
    assert site.runs() == []


def test_another_workspaces_connection_is_not_planned(site: Site, browser: Browser) -> None:
    path = browser.connect()
    with site.parts.database.transaction() as session:
        foreign = replace(site.workspace, id="other", name="Other", crm_workspace_id="other")
        workspaces.add(session, foreign)
        session.exec_driver_sql("UPDATE web_session SET workspace_id = 'other'")

    assert browser.get(path).status_code == 404
    assert browser.client.post(path).status_code in (400, 404)


def test_somebody_who_is_not_signed_in_sees_none_of_it(site: Site) -> None:
    stranger = Browser(site, site.app.test_client())

    for path in ("/connect/whop", "/connect/whop/company", f"{BACK}?code=c&state=s", "/connections/x/plan"):
        answer = stranger.get(path)
        assert answer.status_code == 303
        assert "/sign-in" in answer.headers["Location"]


def test_going_to_whop_is_limited(site: Site, browser: Browser) -> None:
    marked = _CSRF.search(browser.get("/connect/whop").text)[1]

    answers = [
        browser.client.post("/connect/whop", data={"csrf_token": marked}).status_code for _ in range(11)
    ]

    assert answers == [303] * 10 + [429]


def test_every_page_is_closed_to_frames_and_caches(browser: Browser) -> None:
    answer = browser.get(BACK)

    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_errors_of_preparing_have_their_status() -> None:
    assert whop.status_of(SchemaError("x")) == 409
    assert timedelta(minutes=15) == whop.pending.LIFE


# --- for automations


def test_an_automation_that_is_wanted_is_asked_for_in_plain_words_and_nothing_more(
    site: Site, browser: Browser
) -> None:
    browser.connect()
    (made,) = site.connections()
    page = browser.get(f"/connect/whop?connection={made.id}&automation=failed_payment").text
    asked = query(browser.leave(connection=made.id, automation="failed_payment"))["scope"].split()

    assert "Pause, resume and keep memberships" in page
    assert "for Failed payment" in page
    assert "never to change anything" not in page
    assert "member:manage" in asked
    assert "membership:cancel" not in asked
    assert len(asked) == len(set(asked))


def test_what_an_automation_that_is_on_needs_is_asked_for_whenever_its_company_is_connected_again(
    site: Site, browser: Browser
) -> None:
    browser.connect()
    (made,) = site.connections()
    assert "member:manage" not in query(browser.leave(connection=made.id))["scope"]
    with site.parts.database.transaction() as session:
        automations.switch(
            session, made.workspace_id, made.id, "failed_payment", since=made.created_at, plans={}
        )

    assert "member:manage" in query(browser.leave(connection=made.id))["scope"].split()


def test_after_asking_again_the_connection_may_do_it(site: Site, browser: Browser) -> None:
    browser.connect()
    (made,) = site.connections()
    assert site.parts.openers.acts(made).lacks(["member:manage"]) == ("member:manage",)
    browser.get(browser.approve(connection=made.id, automation="failed_payment"))

    (made,) = site.connections()
    assert site.parts.openers.acts(made).lacks(["member:manage"]) == ()


def test_the_page_of_an_automation_says_what_is_missing_and_leads_to_whop(
    site: Site, browser: Browser
) -> None:
    """Plans may not be read either: that is no reason not to say which permissions are granted."""
    browser.connect()
    (made,) = site.connections()
    page = browser.get(f"/connections/{made.id}/automations/one_time_purchases").text

    assert "It lacks membership:cancel, plan:basic:read." in page
    assert f"/connect/whop?connection={made.id}&amp;automation=one_time_purchases" in page
    assert "Ask Whop again" in page
    assert "Missing" in page
    assert "Not looked at" not in page


def test_permissions_are_listed_as_people_write(site: Site, browser: Browser) -> None:
    browser.connect()
    text = " ".join(re.sub(r"<[^>]+>", "", browser.get("/automations").text).split())

    assert "Needs the permission member:manage (pause, resume and keep memberships)." in text
    assert (
        "Needs the permissions support_chat:create (open support chats), support_chat:message:create (write "
        "in support chats) and support_chat:read (read support chats, so that nothing is written twice)."
    ) in unescape(text)


def test_checkout_links_ask_for_the_plans_and_nothing_else(site: Site, browser: Browser) -> None:
    browser.connect()
    (made,) = site.connections()
    page = browser.get(f"/connections/{made.id}/checkout").text
    before = query(browser.leave(connection=made.id))["scope"].split()

    assert "It lacks plan:basic:read, by which plans are read." in page
    assert f"/connect/whop?connection={made.id}&amp;automation=checkout_links" in page
    again = browser.get(f"/connect/whop?connection={made.id}&automation=checkout_links").text
    assert "for Checkout links" in again
    asked = query(browser.leave(connection=made.id, automation="checkout_links"))["scope"].split()
    assert {*asked} - {*before} == {"plan:basic:read"}
    browser.get(browser.approve(connection=made.id, automation="checkout_links"))
    assert "Link to send" in browser.get(f"/connections/{made.id}/checkout").text
