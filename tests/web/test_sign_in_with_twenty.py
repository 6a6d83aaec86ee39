"""Sign in with Twenty in the browser, the page about the CRM, and every page that says why not."""

from __future__ import annotations

import re
import secrets
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from structlog.testing import capture_logs
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from connector import jobs
from connector.bootstrap import Parts
from connector.sandbox import twenty as sandbox
from connector.store import admins, audit, crm_grants, operators, workspaces
from connector.store.admins import Admin
from connector.store.crm_grants import CrmGrant
from connector.store.db import metadata
from connector.store.workspaces import Workspace
from connector.sync import crm_tokens, onboarding
from connector.web import create_app, crm_sign_in
from tests.certificates import expired
from tests.sync.scene import Clock, RecordingBell, Service, built, environment, twenty_served
from tests.twenty_consent import decide, turn
from tests.whop_consent import query

BACK = crm_sign_in.CALLBACK
ADMIN, SECOND = "admin@acme.test", "second@acme.test"
_CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')
_ONWARD = re.compile(r'<a class="btn primary" href="([^"]+)"')


@dataclass
class Site:
    """The connector's pages and the CRM behind them; nobody has a workspace yet."""

    app: Flask
    parts: Parts
    twenty: Service
    clock: Clock
    bell: RecordingBell

    def browser(self) -> Browser:
        return Browser(self, self.app.test_client())

    def by_operator(self, name: str = "marta") -> Browser:
        with self.parts.database.transaction() as session:
            one = operators.add(session, str(uuid.uuid4()), name, self.clock())
            token = secrets.token_urlsafe(32)
            operators.keep_link(session, one.id, token, self.clock())
        browser, path = self.browser(), f"/sign-in/{token}"
        assert browser.send(path).status_code == 303
        return browser

    def add_workspace(self, name: str = "Northlight", number: int = 0) -> Workspace:
        """As ``flask workspace add`` does: by API key."""
        new = onboarding.NewWorkspace(name, self.twenty.url, sandbox.api_keys(self.twenty.app)[number])
        return onboarding.add_workspace(
            self.parts.database, self.parts.vault, new, check_key=self.parts.check_crm_key, now=self.clock()
        )

    def workspaces(self) -> list[Workspace]:
        with self.parts.database.reading() as session:
            return workspaces.every(session)

    def admins(self, workspace: Workspace) -> list[Admin]:
        with self.parts.database.reading() as session:
            return admins.of_workspace(session, workspace.id)

    def grants(self, workspace: Workspace) -> list[CrmGrant]:
        with self.parts.database.reading() as session:
            return crm_grants.of_workspace(session, workspace.id)

    def everything(self) -> str:
        with self.parts.database.reading() as session:
            return str([list(map(tuple, session.execute(select(one)))) for one in metadata.sorted_tables])

    def turn(self, what: str, **given: Any) -> Any:
        return turn(self.twenty.app, what, **given)


class Browser:
    """A browser that follows redirects by hand, as each of them is looked at."""

    def __init__(self, site: Site, client: FlaskClient) -> None:
        self.site, self.client = site, client

    def get(self, path: str) -> TestResponse:
        return self.client.get(path, headers={"Accept": "text/html"})

    def send(self, path: str, at: str = "", **fields: str) -> TestResponse:
        """Post a form that stands on the page ``at``."""
        page = self.get(at or path)
        marked = _CSRF.search(page.text)
        assert marked, page.text
        return self.client.post(
            path, data={"csrf_token": marked[1], **fields}, headers={"Accept": "text/html"}
        )

    def leave(self, address: str = "", **fields: str) -> str:
        """Type the address; where the browser goes then."""
        typed = address or self.site.twenty.url
        answer = self.send("/sign-in/twenty", address=typed, **fields)
        assert answer.status_code == 200, answer.text
        return onward(answer)

    def approve(self, email: str = ADMIN, **fields: str) -> str:
        """Through the consent page; the path that the CRM sends the browser back to."""
        return self.consent(self.leave(**fields), email)

    def consent(self, url: str, email: str = ADMIN) -> str:
        parts = urlsplit(decide(self.site.twenty.app, url, email))
        assert parts.path == BACK
        return f"{parts.path}?{parts.query}"

    def sign_in(self, email: str = ADMIN, **fields: str) -> Browser:
        answer = self.get(self.approve(email, **fields))
        assert answer.status_code == 303, answer.text
        return self


def onward(page: TestResponse) -> str:
    found = _ONWARD.search(page.text)
    assert found, page.text
    return unescape(found[1])


@pytest.fixture
def twenty() -> Iterator[Service]:
    with twenty_served(workspaces=2) as service:
        turn(service.app, "users", do="add", email=SECOND, role="admin", firstName="Sam", lastName="Second")
        turn(service.app, "users", do="add", email="m@acme.test", role="member", firstName="Max")
        turn(service.app, "users", do="add", email="beta@beta.test", role="admin", workspace=1)
        yield service


@pytest.fixture
def backend() -> str:
    return "sqlite"  # the store's own tests take care of the other


@pytest.fixture
def site(request: pytest.FixtureRequest, database_url: str, twenty: Service) -> Iterator[Site]:
    given = getattr(request, "param", {})
    env = environment(database_url, "http://127.0.0.1:9", "unix:///nowhere/redis.sock", **given)
    clock, bell = Clock(), RecordingBell()
    with closing(built(env)) as plain:
        tools = replace(plain.tools, clock=clock, queue=bell)
        keeper = replace(plain.openers.crm.keeper, clock=clock)
        openers = replace(plain.openers, crm=replace(plain.openers.crm, keeper=keeper))
        tools = replace(tools, open_writer=openers.writer, open_schema=openers.schema)
        desk = replace(plain.crm_desk, clock=clock)
        parts = replace(plain, tools=tools, openers=openers, crm_desk=desk)
        yield Site(create_app(parts), parts, twenty, clock, bell)


OPEN = pytest.mark.parametrize("site", [{"SIGN_UP": "open"}], indirect=True)


def says(answer: TestResponse, status: int, *words: str) -> None:
    """A page with these words, and nothing of the machinery."""
    text = words_of(answer)
    assert answer.status_code == status, text
    for one in words:
        assert one in text, text
    assert "Traceback" not in text


def words_of(answer: TestResponse) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


# --- the whole way


def test_an_admin_signs_into_the_workspace_of_their_crm(site: Site) -> None:
    workspace = site.add_workspace()

    browser = site.browser().sign_in()

    (one,) = site.admins(workspace)
    (grant,) = site.grants(workspace)
    assert (one.email, grant.admin_id) == (ADMIN, one.id)
    says(browser.get("/"), 200, "Northlight", "Overview")
    assert len(site.workspaces()) == 1


def test_what_was_granted_is_kept_sealed_and_nowhere_told(site: Site) -> None:
    workspace = site.add_workspace()
    with capture_logs() as lines:
        browser = site.browser()
        path = browser.approve()
        browser.get(path)
        browser.get(path)

    (grant,) = site.grants(workspace)
    binding = crm_tokens.binding(workspace.id, grant.admin_id, "access")
    token = site.parts.vault.open(grant.access_sealed, bound_to=binding)
    assert token not in site.everything() + str(lines)
    assert query(path)["code"] not in site.everything() + str(lines)
    assert query(path)["state"] not in site.everything() + str(lines)


def test_the_page_that_was_wanted_comes_after_signing_in(site: Site) -> None:
    site.add_workspace()
    browser = site.browser()

    assert browser.get(browser.approve(next="/runs?x=1")).headers["Location"] == "/runs?x=1"
    assert browser.get(browser.approve(next="https://evil.example.com")).headers["Location"] == "/"


def test_the_address_is_remembered(site: Site) -> None:
    site.add_workspace()
    browser = site.browser()
    browser.leave()

    assert f'value="{site.twenty.url}"' in browser.get("/sign-in").text
    assert f'value="{site.twenty.url}"' in browser.get("/sign-in/twenty").text


def test_the_connector_makes_itself_known_once_for_each_crm(site: Site) -> None:
    site.add_workspace()
    asked = [query(site.browser().leave())["client_id"] for _ in range(3)]

    assert len(set(asked)) == 1
    assert site.turn("oauth")["clients"] == asked[:1]


def test_a_crm_that_forgot_the_connector_is_told_anew(site: Site) -> None:
    site.add_workspace()
    site.browser().leave()
    site.turn("oauth", do="forget_clients")

    site.browser().sign_in()


def test_the_same_person_again_is_the_same_admin_with_the_newest_grant(site: Site) -> None:
    workspace = site.add_workspace()
    site.browser().sign_in()
    before = site.grants(workspace)
    site.clock.advance(60)

    site.browser().sign_in()

    assert len(site.admins(workspace)) == 1
    (now,) = site.grants(workspace)
    assert now.refresh_sealed != before[0].refresh_sealed


def test_the_token_of_the_session_changes_and_the_old_one_opens_nothing(site: Site) -> None:
    site.add_workspace()
    browser = site.browser().sign_in()
    old = browser.client.get_cookie("session_token")

    browser.sign_in()

    new = browser.client.get_cookie("session_token")
    assert old is not None
    assert new is not None
    assert new.value != old.value
    stale = site.browser()
    stale.client.set_cookie("session_token", old.value)
    assert stale.get("/").status_code == 303


# --- who may


def test_whoever_may_not_change_the_data_model_is_refused_with_the_reason(site: Site) -> None:
    workspace = site.add_workspace()
    site.turn("roles", role="member", label="Admin")  # the name of a role says nothing

    answer = site.browser()
    says(answer.get(answer.approve("m@acme.test")), 403, "Max may not change the data model", "Have an admin")

    assert site.admins(workspace) == []
    assert site.grants(workspace) == []


def test_nobody_opens_a_workspace_where_only_the_operator_may(site: Site) -> None:
    browser = site.browser()

    answer = browser.send("/sign-in/twenty", address=site.twenty.url)

    says(answer, 403, "There is no workspace for 127.0.0.1 here yet", "Ask whoever runs this connector")
    assert site.turn("oauth")["clients"] == []  # and we did not make ourselves known there


def test_another_workspace_of_a_server_that_is_served_is_not_opened_either(site: Site) -> None:
    site.add_workspace()
    browser = site.browser()

    says(browser.get(browser.approve("beta@beta.test")), 403, "There is no workspace for")
    assert len(site.workspaces()) == 1


@OPEN
def test_where_everybody_may_the_first_admin_opens_the_workspace(site: Site) -> None:
    browser = site.browser().sign_in()

    (workspace,) = site.workspaces()
    assert workspace.crm_url == site.twenty.url
    assert workspace.crm_key_sealed is None
    says(browser.get("/"), 200, "is open", "Connect Whop")


@OPEN
def test_two_admins_of_one_crm_meet_in_one_workspace(site: Site) -> None:
    site.browser().sign_in()
    site.browser().sign_in(SECOND)

    (workspace,) = site.workspaces()
    assert len(site.admins(workspace)) == 2


@pytest.mark.parametrize(
    ("site", "may"),
    [
        ({"SIGN_UP": "allowed-hosts", "SIGN_UP_HOSTS": "127.0.0.1"}, True),
        ({"SIGN_UP": "allowed-hosts", "SIGN_UP_HOSTS": "crm.example.com"}, False),
    ],
    indirect=["site"],
)
def test_the_hosts_that_may_are_those_of_the_setting(site: Site, *, may: bool) -> None:
    answer = site.browser().send("/sign-in/twenty", address=site.twenty.url)

    assert (answer.status_code == 200) is may


def test_an_operator_opens_a_workspace_and_stays_who_they_are(site: Site) -> None:
    browser = site.by_operator()

    says(browser.get("/workspace"), 200, "Sign in with Twenty")
    browser.sign_in()

    (workspace,) = site.workspaces()
    assert len(site.grants(workspace)) == 1
    says(browser.get("/"), 200, "marta", workspace.name)
    says(browser.get("/sessions"), 200, "with a link")


# --- one workspace and no other


@OPEN
def test_an_admin_never_sees_another_workspace(site: Site) -> None:
    mine, theirs = site.browser().sign_in(), site.browser().sign_in("beta@beta.test")
    first, second = sorted(site.workspaces(), key=lambda one: one.crm_name)

    assert mine.get("/workspace").status_code == 404
    marked = _CSRF.search(mine.get("/sessions").text)
    assert marked
    for one in (first, second):
        chosen = mine.client.post("/workspace", data={"csrf_token": marked[1], "workspace": one.id})
        assert chosen.status_code == 404
    assert mine.get("/password").status_code == 404
    assert first.crm_name in words_of(mine.get("/twenty"))
    assert second.crm_name not in words_of(mine.get("/twenty"))
    assert second.crm_name in words_of(theirs.get("/twenty"))


@OPEN
def test_an_admins_session_stays_in_its_workspace_whatever_its_row_says(site: Site) -> None:
    mine = site.browser().sign_in()
    (workspace,) = site.workspaces()
    other = replace(workspace, id="other", name="Other", crm_workspace_id="other", crm_name="Other CRM")
    with site.parts.database.transaction() as session:
        workspaces.add(session, other)
        session.exec_driver_sql("UPDATE web_session SET workspace_id = 'other'")

    assert "Other CRM" not in words_of(mine.get("/twenty"))


@OPEN
def test_the_same_workspace_id_at_another_origin_is_another_workspace(site: Site) -> None:
    site.browser().sign_in()
    (workspace,) = site.workspaces()
    with site.parts.database.transaction() as session:
        workspaces.move(session, workspace.id, "https://crm.example.com")

    site.browser().sign_in()

    assert len(site.workspaces()) == 2


@OPEN
def test_a_sign_in_of_another_workspace_is_not_taken_on_a_workspaces_page(site: Site) -> None:
    mine = site.browser().sign_in()
    away = onward(mine.send("/twenty/sign-in", "/twenty"))

    says(mine.get(mine.consent(away, "beta@beta.test")), 403, "You approved for another workspace")

    assert len(site.workspaces()) == 1


def test_an_admin_who_left_the_workspace_is_out_at_once(site: Site) -> None:
    workspace = site.add_workspace()
    browser = site.browser().sign_in()
    with site.parts.database.transaction() as session:
        workspaces.remove_key(session, workspace.id)
    site.turn("users", do="remove", email=ADMIN)

    browser.send("/twenty/check", "/twenty")

    assert browser.get("/twenty").status_code == 303
    assert site.admins(workspace)[0].removed_at is not None
    (known,) = site.workspaces()
    assert known.crm_refusal
    assert known.crm_refusal["code"] == "crm_person_gone"


# --- every no has a page


@pytest.mark.parametrize(
    "path", [BACK, f"{BACK}?code=c_1", f"{BACK}?code=c_1&state=made-up", f"{BACK}?error=access_denied"]
)
def test_an_answer_that_nobody_asked_for_is_refused(site: Site, path: str) -> None:
    says(site.browser().get(path), 403, "begun in this browser", "Try again")


def test_an_answer_in_another_browser_is_refused(site: Site) -> None:
    workspace = site.add_workspace()
    first, second = site.browser(), site.browser()
    second.leave()
    path = first.approve()

    says(second.get(path), 403, "begun in this browser")

    assert site.admins(workspace) == []
    assert first.get(path).status_code == 303


def test_an_answer_that_comes_twice_says_so(site: Site) -> None:
    site.add_workspace()
    browser = site.browser()
    path = browser.approve()
    browser.get(path)

    says(browser.get(path), 409, "used already")


def test_an_answer_that_comes_too_late_says_so(site: Site) -> None:
    site.add_workspace()
    browser = site.browser()
    path = browser.approve()
    site.clock.advance(16 * 60)

    says(browser.get(path), 400, "longer than 15 minutes")


def test_a_cancelled_consent_leaves_nothing_for_long(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.add_workspace()
    browser = site.browser()
    decide(site.twenty.app, browser.leave(), ADMIN, "cancel")
    site.clock.advance(15 * 60)

    monkeypatch.setattr(jobs, "_parts", lambda: site.parts)
    jobs.tidy()

    with site.parts.database.reading() as session:
        assert session.exec_driver_sql("SELECT count(*) FROM crm_sign_in").scalar() == 0


def test_a_code_that_twenty_does_not_take_says_so(site: Site) -> None:
    site.add_workspace()
    browser = site.browser()
    path = browser.approve()

    says(browser.get(re.sub(r"code=[^&]+", "code=stolen", path)), 400, "older than five minutes")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "is not the address of a CRM"),
        ("not an address", "is not the address of a CRM"),
        ("ftp://crm.example.com", "is not the address of a CRM"),
        ("http://user:secret@127.0.0.1", "user name or password"),
        ("http://10.0.0.1", "not a public address"),
        ("http://169.254.169.254", "not a public address"),
        ("http://localhost.invalid", "not known"),
    ],
)
@OPEN
def test_an_address_that_will_not_do_is_told_where_it_was_typed(site: Site, typed: str, words: str) -> None:
    answer = site.browser().send("/sign-in/twenty", address=typed)

    text = words_of(answer)
    assert answer.status_code in (400, 502), text
    assert words in text
    assert "secret" not in text


@OPEN
def test_nobody_at_the_address_is_told_to_whoever_typed_it(site: Site) -> None:
    text = words_of(site.browser().send("/sign-in/twenty", address="http://127.0.0.1:1"))

    assert "http://127.0.0.1:1 cannot be reached" in text
    assert "Look at the address once more" in text
    assert "by itself" not in text


@OPEN
def test_something_else_at_the_address_is_told(site: Site) -> None:
    site.twenty.dial("GET /", {"status": 200, "body": "<html>welcome"}, times=None)

    says(site.browser().send("/sign-in/twenty", address=site.twenty.url), 400, "not as Twenty does")


@OPEN
def test_an_expired_certificate_is_told_and_no_way_around_it(site: Site, tmp_path: Path) -> None:
    server = make_server("127.0.0.1", 0, site.twenty.app, threaded=True, ssl_context=expired(tmp_path))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()

    answer = site.browser().send("/sign-in/twenty", address=f"https://127.0.0.1:{server.server_port}")

    server.shutdown()
    thread.join()
    server.server_close()
    says(answer, 502, "is not to be trusted", "Renew the certificate")
    assert "http or https" not in words_of(answer)


IN_TROUBLE: dict[str, tuple[dict[str, Any], str]] = {
    "a gateway's page": ({"status": 502, "body": "<html>Bad gateway"}, "Try again in a moment"),
    "an error of its own": ({"status": 500, "body": "{}"}, "Try again in a moment"),
    "an answer that is cut off": ({"truncate": 20}, "Look at the address once more"),
    "a cut connection": ({"cut": "before"}, "Look at the address once more"),
    "no answer at all": ({"delay": 3.0}, "Look at the address once more"),
}


def _patience(name: str) -> dict[str, str]:
    """Only who never answers is waited for shortly: who does may be slow on a busy machine."""
    return {"HTTP_READ_TIMEOUT_SECONDS": "1"} if name == "no answer at all" else {}


@pytest.mark.parametrize(
    ("site", "name"),
    [({"SIGN_UP": "open", **_patience(name)}, name) for name in IN_TROUBLE],
    indirect=["site"],
)
def test_a_server_in_trouble_is_told_with_what_to_do_now(site: Site, name: str) -> None:
    fault, words = IN_TROUBLE[name]
    site.twenty.dial("GET /", fault, times=None)

    answer = site.browser().send("/sign-in/twenty", address=site.twenty.url)

    says(answer, 502, words)
    assert "by itself" not in words_of(answer)


@OPEN
def test_an_older_twenty_is_told_from_something_else(site: Site) -> None:
    site.turn("server", oauth=False)

    answer = site.browser().send("/sign-in/twenty", address=site.twenty.url)

    says(answer, 400, "an older version", "API key")


@OPEN
def test_a_limit_on_new_applications_is_told_with_how_long(site: Site) -> None:
    limit = {"error": "rate_limit_exceeded", "error_description": "Too many"}
    site.twenty.dial("POST /oauth/register", {"status": 429, "body": limit})

    answer = site.browser().send("/sign-in/twenty", address=site.twenty.url)

    says(answer, 502, "ten new connectors an hour")
    assert answer.headers["Retry-After"] == "3600"


@pytest.mark.parametrize("fault", [{"status": 503}, {"cut": "before"}, {"status": 200, "body": "<html>"}])
@pytest.mark.parametrize("place", ["POST /oauth/token", "POST /metadata"])
def test_twenty_being_down_ends_on_a_page(site: Site, place: str, fault: dict[str, Any]) -> None:
    workspace = site.add_workspace()
    browser = site.browser()
    path = browser.approve()
    site.twenty.dial(place, fault, times=None)

    answer = browser.get(path)

    says(answer, 502, "You were not signed in", "Try again")
    assert "by itself" not in words_of(answer)
    assert site.admins(workspace) == []


def test_a_page_on_another_host_is_shown_before_it_is_gone_to(site: Site) -> None:
    site.add_workspace()
    near = site.browser().send("/sign-in/twenty", address=site.twenty.url)
    going = crm_sign_in.crm_access.Going("https://app.example.com/a", "api.example.com", "app.example.com")
    with site.app.test_request_context():
        far = crm_sign_in.render_template("signin/leaving.html", going=going)

    assert 'http-equiv="refresh"' in near.text
    assert 'http-equiv="refresh"' not in far
    assert "app.example.com" in far
    assert "api.example.com" in far


def test_looking_for_servers_is_limited(site: Site) -> None:
    browser = site.browser()
    marked = _CSRF.search(browser.get("/sign-in").text)
    assert marked
    form = {"csrf_token": marked[1], "address": "ftp://nothing"}

    answers = [browser.client.post("/sign-in/twenty", data=form).status_code for _ in range(31)]

    assert answers == [400] * 30 + [429]


# --- the page about the CRM


@OPEN
def test_without_a_key_the_page_says_who_writes_and_recommends_a_key(site: Site) -> None:
    browser = site.browser().sign_in(SECOND)

    says(
        browser.get("/twenty"),
        200,
        "The sign-in of Sam Second",
        "We recommend an API key",
        "Kept, and writes",
    )


@OPEN
def test_a_key_that_is_pasted_writes_from_then_on(site: Site) -> None:
    browser = site.browser().sign_in()
    key = sandbox.api_keys(site.twenty.app)[0]

    answer = browser.send("/twenty/key", "/twenty", key=f"  {key}\n")

    assert answer.status_code == 303
    (workspace,) = site.workspaces()
    assert workspace.crm_key_sealed
    assert workspace.crm_key_expires_at
    assert key not in site.everything()
    page = browser.get("/twenty")
    says(page, 200, "The key works and is kept", "An API key.")
    assert key not in page.text


@OPEN
@pytest.mark.parametrize(
    ("number", "role", "status", "words"),
    [
        (1, "admin", 400, "a key of another workspace"),
        (0, "read_only", 400, "The role of this key may not: write people, write opportunities"),
    ],
)
def test_a_key_that_will_not_do_says_why_and_is_not_kept(
    site: Site, number: int, role: str, status: int, words: str
) -> None:
    browser = site.browser().sign_in()
    key = site.turn("keys", do="new", role=role, workspace=number)["key"]

    answer = browser.send("/twenty/key", "/twenty", key=key)

    says(answer, status, words)
    assert key not in answer.text
    (workspace,) = site.workspaces()
    assert workspace.crm_key_sealed is None


@OPEN
@pytest.mark.parametrize("pasted", ["", "abc", "eyJ.eyJ.eyJ"])
def test_what_is_no_key_is_told(site: Site, pasted: str) -> None:
    browser = site.browser().sign_in()

    says(browser.send("/twenty/key", "/twenty", key=pasted), 400, "This is not an API key of Twenty")


@OPEN
def test_a_key_that_was_revoked_is_told(site: Site) -> None:
    browser = site.browser().sign_in()
    key = site.turn("keys", do="revoke")["key"]

    says(browser.send("/twenty/key", "/twenty", key=key), 502, "This API Key is revoked")


@OPEN
def test_a_key_that_cannot_be_checked_now_is_not_said_to_be_checked_later(site: Site) -> None:
    browser, key = site.browser().sign_in(), sandbox.api_keys(site.twenty.app)[0]
    site.twenty.dial("POST /metadata", {"status": 500, "body": "Internal server error"}, times=None)

    pasted = browser.send("/twenty/key", "/twenty", key=key)
    browser.send("/twenty/check", "/twenty")
    checked = browser.get("/twenty")

    for answer, status in ((pasted, 502), (checked, 200)):
        says(answer, status, "Twenty cannot answer now", "Try again in a moment")
        assert "by itself" not in words_of(answer)


def test_removing_the_key_says_what_follows_and_forgets_it(site: Site) -> None:
    workspace = site.add_workspace()
    browser = site.browser().sign_in(SECOND)

    says(
        browser.get("/twenty/key/remove"),
        200,
        "the sign-in of Sam Second writes",
        "until you revoke it there",
    )
    browser.send("/twenty/key/remove")

    with site.parts.database.reading() as session:
        assert workspaces.get(session, workspace.id).crm_key_sealed is None
    assert browser.get("/twenty/key/remove").status_code == 404


def test_disconnecting_deletes_what_is_kept_and_says_what_it_does_not_do(site: Site) -> None:
    workspace = site.add_workspace()
    browser = site.browser().sign_in()
    (one,) = site.admins(workspace)
    path = f"/twenty/people/{one.id}/disconnect"

    says(browser.get(path), 200, "Twenty itself ends nothing", "uninstall the app")
    browser.send(path)

    assert site.grants(workspace) == []
    assert browser.get(path).status_code == 404
    says(browser.get("/twenty"), 200, "Deleted here")


@OPEN
def test_somebody_of_another_workspace_is_not_disconnected(site: Site) -> None:
    mine = site.browser().sign_in()
    site.browser().sign_in("beta@beta.test")
    other = next(one for one in site.workspaces() if one.crm_name != site.workspaces()[0].crm_name)
    every = {one.id: site.admins(one) for one in site.workspaces()}
    foreign = next(
        one for id_, found in every.items() for one in found if one.email == "beta@beta.test" and id_
    )

    marked = _CSRF.search(mine.get("/twenty").text)
    assert marked
    answer = mine.client.post(f"/twenty/people/{foreign.id}/disconnect", data={"csrf_token": marked[1]})

    assert answer.status_code == 404
    assert len(site.grants(other)) == 1


def test_what_is_done_is_on_record_in_the_admins_name(site: Site) -> None:
    workspace = site.add_workspace()
    browser = site.browser().sign_in(SECOND)
    browser.send("/twenty/check", "/twenty")
    browser.send("/twenty/key/remove")

    with site.parts.database.reading() as session:
        events = audit.shown(session, workspace.id, "nobody")
    assert [(one.what, one.person_name) for one in events] == [
        ("crm_key_removed", "Sam Second"),
        ("crm_checked", "Sam Second"),
        ("crm_sign_in", "Sam Second"),
    ]
    says(browser.get("/audit"), 200, "Signed in with Twenty", "Sam Second")


# --- writing with a person's sign-in


@OPEN
def test_a_persons_sign_in_prepares_the_crm_and_writes(site: Site) -> None:
    site.browser().sign_in()
    (workspace,) = site.workspaces()

    account = site.parts.tools.open_writer(workspace, "full").account()
    plan = site.parts.tools.open_schema(workspace).apply(site.parts.tools.mappings.shipped.mappings)

    assert account.workspace_id == workspace.crm_workspace_id
    assert plan.steps


@OPEN
def test_a_token_is_renewed_before_it_ends(site: Site) -> None:
    site.browser().sign_in()
    (workspace,) = site.workspaces()
    (before,) = site.grants(workspace)
    site.clock.advance(26 * 60)

    site.parts.tools.open_writer(workspace, "full").account()

    (after,) = site.grants(workspace)
    assert after.refresh_sealed != before.refresh_sealed
    assert after.expires_at > before.expires_at


@OPEN
def test_a_token_that_ended_early_is_renewed_and_the_request_sent_again(site: Site) -> None:
    site.browser().sign_in()
    (workspace,) = site.workspaces()
    writer = site.parts.tools.open_writer(workspace, "full")
    site.turn("oauth", do="expire_access")

    assert writer.account().workspace_id == workspace.crm_workspace_id


@OPEN
def test_the_present_token_serves_while_twenty_does_not_renew_it(site: Site) -> None:
    site.browser().sign_in()
    (workspace,) = site.workspaces()
    site.clock.advance(26 * 60)
    site.twenty.dial("POST /oauth/token", {"status": 503}, times=None)

    assert site.parts.tools.open_writer(workspace, "full").account()


@OPEN
def test_when_nobodys_sign_in_is_renewed_the_page_says_so_and_signing_in_mends_it(site: Site) -> None:
    browser = site.browser().sign_in()
    (workspace,) = site.workspaces()
    site.turn("oauth", do="expire_refresh")
    site.clock.advance(31 * 60)

    browser.send("/twenty/check", "/twenty")

    says(browser.get("/twenty"), 200, "Syncs wait", "Over")
    says(browser.get("/"), 200, "Twenty lets nobody in")
    away = onward(browser.send("/twenty/sign-in", "/twenty"))
    assert browser.get(browser.consent(away)).headers["Location"] == "/twenty"
    (known,) = site.workspaces()
    assert known.crm_refusal is None
    assert workspace.id == known.id


@OPEN
def test_the_next_persons_sign_in_writes_when_the_first_is_over(site: Site) -> None:
    site.browser().sign_in(SECOND)
    site.clock.advance(1)
    site.browser().sign_in()
    (workspace,) = site.workspaces()
    newest = site.grants(workspace)[0]
    with site.parts.database.transaction() as session:
        crm_grants.end(session, newest, site.clock())

    site.parts.tools.open_writer(workspace, "full").account()

    assert site.grants(workspace)[1].ended_at is None


def test_fields_are_made_with_the_admins_sign_in_where_the_key_may_not(site: Site) -> None:
    workspace = site.add_workspace()
    site.turn("roles", role="admin", canUpdateAllSettings=True)
    key = site.turn("keys", do="new", role="read_only")["key"]
    site.turn("roles", role="reader", canUpdateAllObjectRecords=True)
    browser = site.browser().sign_in()

    answer = browser.send("/twenty/key", "/twenty", key=key)

    assert answer.status_code == 303, answer.text
    says(browser.get("/twenty"), 200, "It may not change the data model")
    with site.parts.database.reading() as session:
        workspace = workspaces.get(session, workspace.id)
    plan = site.parts.tools.open_schema(workspace).apply(site.parts.tools.mappings.shipped.mappings)
    assert plan.steps
