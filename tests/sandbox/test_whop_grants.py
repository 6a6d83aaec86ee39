"""OAuth on the sandbox Whop, walked as a browser and an app walk it, against the reference fixtures."""

import base64
import json
import stat
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session
from werkzeug.serving import make_server
from werkzeug.test import TestResponse
from whop_caller import Caller, fixture

from connector.sandbox.whop import create_app
from connector.sandbox.whop.oauth_grants import challenge_of

CALLBACK = "http://127.0.0.1:8080/oauth/whop/callback"
CLIENT = "app_sandboxConnector"
VERIFIER = "v" * 43
READ = "member:basic:read member:email:read access_pass:basic:read company:basic:read"


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = 1_795_000_000.0

    def __call__(self) -> float:
        return self.at


class Form(HTMLParser):
    """What a browser would know of the page's form."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action, self.hidden, self.choices, self.buttons = "", {}, {}, []
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags += [tag, *given]
        if tag == "form":
            self.action = given["action"]
        elif given.get("type") == "hidden":
            self.hidden[given["name"]] = given["value"]
        elif given.get("type") == "radio":
            self.choices[given["value"]] = "checked" in given
        elif tag == "button":
            self.buttons.append((given["name"], given["value"]))


class Person:
    """A browser and an app before one sandbox."""

    def __init__(self, **sizes: Any) -> None:
        self.clock = Clock()
        self.whop = Caller(create_app(**{"members": 20, "now": self.clock, **sizes}))
        self.http = self.whop.http

    def opened(self, **changed: str | None) -> TestResponse:
        """The consent page, or what comes instead; None leaves a parameter out."""
        asked = {
            "response_type": "code",
            "client_id": CLIENT,
            "redirect_uri": CALLBACK,
            "scope": f"openid profile email {READ}",
            "state": "s_1",
            "nonce": "n_1",
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
            **changed,
        }
        query = {name: value for name, value in asked.items() if value is not None}
        return self.http.get("/oauth/authorize", query_string=query)

    def pressed(self, decision: str, company: str = "", **changed: str | None) -> dict[str, str]:
        """What the app's callback is told after one of the buttons."""
        page = self.opened(**changed)
        assert page.status_code == 200, page.text
        form = Form(page.text)
        data = {**form.hidden, "decision": decision, "company": company}
        return told(self.http.post(form.action, data=data))

    def code(self, **changed: str | None) -> str:
        return self.pressed("approve", **changed)["code"]

    def exchanged(self, code: str, **changed: str) -> TestResponse:
        body = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
        return self.token(**{**body, "code_verifier": VERIFIER, **changed})

    def refreshed(self, refresh_token: str, **changed: str) -> TestResponse:
        return self.token(**{"grant_type": "refresh_token", "refresh_token": refresh_token, **changed})

    def token(self, **body: str) -> TestResponse:
        return self.http.post("/oauth/token", json={"client_id": CLIENT, **body})

    def connected(self, company: str = "", **changed: str | None) -> dict[str, Any]:
        """A token answer, all the way from the consent page."""
        answer = self.exchanged(self.pressed("approve", company, **changed)["code"])
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.get_json()
        return body

    def calling(self, company: str = "", **changed: str | None) -> Caller:
        """The API with a fresh access token."""
        self.whop.headers["Authorization"] = f"Bearer {self.connected(company, **changed)['access_token']}"
        return self.whop

    def userinfo(self, access_token: str) -> TestResponse:
        return self.http.get("/oauth/userinfo", headers={"Authorization": f"Bearer {access_token}"})

    def works(self, access_token: str) -> bool:
        self.whop.headers["Authorization"] = f"Bearer {access_token}"
        return self.whop.ask("/members", first=1).status_code == 200

    def companies(self) -> list[str]:
        return [shelf.company.id for shelf in self.whop.parts.world.owned]


def told(answer: TestResponse) -> dict[str, str]:
    """The parameters that the callback gets, and that it is the callback that gets them."""
    assert answer.status_code == 303, answer.text
    address = answer.headers["Location"]
    assert address.partition("?")[0] == CALLBACK
    return {
        name: values[0] for name, values in parse_qs(urlsplit(address).query, keep_blank_values=True).items()
    }


def seen(answer: TestResponse) -> dict[str, Any]:
    return {"status": answer.status_code, "body": answer.get_json()}


def error(name: str) -> dict[str, Any]:
    found = fixture(f"oauth/error.{name}.json")
    return {"status": found["status"], "body": found["body"]}


@pytest.fixture
def person() -> Person:
    return Person()


@pytest.fixture
def owner() -> Person:
    """A person with two companies."""
    return Person(companies=2)


# The consent page


def test_the_page_names_the_app_the_scopes_and_the_company(person: Person) -> None:
    page = person.opened()

    text = page.text
    assert "Sandbox Connector" in text
    assert CLIENT in text
    assert "See the e-mail addresses of your members" in text
    assert "Northwind Trading Circle" in text
    assert Form(text).choices == {}
    assert Form(text).buttons == [("decision", "approve"), ("decision", "cancel")]


def test_the_page_has_no_script_and_lets_the_form_lead_to_the_app(person: Person) -> None:
    page = person.opened()

    assert {"script", "style", "onclick"}.isdisjoint(Form(page.text).tags)
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert policy.endswith("form-action 'self' http://127.0.0.1:8080")
    with person.http.get("/assets/consent.css") as style:
        assert style.content_type.startswith("text/css")


def test_titles_of_companies_are_text_on_the_page() -> None:
    page = Person(companies=3).opened().text

    assert "Eastwind &lt;Language&gt; School" in page
    assert "<Language>" not in page


def test_approving_gives_a_code_and_the_state(person: Person) -> None:
    assert person.pressed("approve").keys() == fixture("oauth/callback.success.json")["query"].keys()
    assert person.pressed("approve")["state"] == "s_1"


def test_cancelling_is_told_to_the_app(person: Person) -> None:
    expected = fixture("oauth/callback.denied.json")["query"]

    assert person.pressed("cancel", state=expected["state"]) == expected


def test_a_missing_state_stays_missing(person: Person) -> None:
    assert person.pressed("approve", state=None).keys() == {"code"}
    assert "state" not in person.pressed("cancel", state=None)


@pytest.mark.parametrize(
    "changed",
    [
        {"client_id": "app_unknown"},
        {"client_id": None},
        {"redirect_uri": None},
        {"redirect_uri": CALLBACK + "/"},
        {"redirect_uri": "https://evil.example/oauth/whop/callback"},
        {"redirect_uri": "http://localhost:8080@evil.example/oauth/whop/callback"},
        {"redirect_uri": "http://127.0.0.1:8080/oauth/whop/callback?next=1"},
    ],
)
def test_nobody_is_sent_to_an_address_that_is_not_registered(
    person: Person, changed: dict[str, str | None]
) -> None:
    page = person.opened(**changed)

    assert page.status_code == 400
    assert "Location" not in page.headers
    assert "evil" not in page.text


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "member:basic:read everything"}, "invalid_scope"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "developer:manage_webhook"}, "invalid_scope"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"nonce": None}, "invalid_request"),
        ({"company_id": "biz_ofSomebody"}, "invalid_request"),
    ],
)
def test_what_the_app_did_wrong_is_told_to_the_app(
    person: Person, changed: dict[str, str | None], code: str
) -> None:
    answer = told(person.opened(**changed))

    assert (answer["error"], answer["state"]) == (code, "s_1")
    assert answer["error_description"]


def test_a_repeated_parameter_is_refused(person: Person) -> None:
    address = person.opened().request.url + "&scope=openid"

    assert told(person.http.get(address))["error"] == "invalid_request"


def test_a_nonce_is_needed_for_openid_only(person: Person) -> None:
    assert person.opened(nonce=None, scope=READ).status_code == 200


def test_a_form_that_no_page_made_is_refused(person: Person) -> None:
    hidden = Form(person.opened().text).hidden
    forged = {**hidden, "request": hidden["request"] + "x", "decision": "approve"}

    assert person.http.post("/oauth/authorize", data=forged).status_code == 400
    assert person.http.post("/oauth/authorize", data={"decision": "approve"}).status_code == 400


def test_named_clients_have_exactly_their_addresses() -> None:
    person = Person(clients={"app_other": ["https://connector.example.com/back/"]})

    def status(**changed: str) -> int:
        return person.opened(**{"client_id": "app_other", **changed}).status_code

    assert status(redirect_uri="https://connector.example.com/back/") == 200
    assert status(redirect_uri="https://connector.example.com/back") == 400
    assert status(client_id=CLIENT) == 400


# Tokens


def test_a_code_gives_the_tokens_of_the_fixture(person: Person) -> None:
    body = person.connected()

    assert body.keys() == fixture("oauth/token.authorization_code.json")["body"].keys()
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3600)
    assert body["scope"] == f"openid profile email {READ}"


def test_a_form_is_as_good_as_json(person: Person) -> None:
    form = {"grant_type": "authorization_code", "code": person.code(), "redirect_uri": CALLBACK}
    answer = person.http.post("/oauth/token", data={**form, "client_id": CLIENT, "code_verifier": VERIFIER})

    assert answer.status_code == 200


def test_the_id_token_carries_the_nonce_and_comes_with_openid_only(person: Person) -> None:
    body = person.connected(nonce="n_7")
    claims = json.loads(base64.urlsafe_b64decode(body["id_token"].split(".")[1] + "=="))

    assert (claims["nonce"], claims["aud"]) == ("n_7", CLIENT)
    assert claims["sub"] == person.userinfo(body["access_token"]).get_json()["sub"]
    assert "id_token" not in person.connected(scope=READ)


def test_the_scope_field_can_be_left_out(person: Person) -> None:
    person.whop.turn("POST", "/oauth", {"scope_field": False})

    body = person.connected(scope=READ)

    assert body.keys() == fixture("oauth/token.no-scope-field.json")["body"].keys()


def test_a_wrong_verifier_is_refused_and_the_right_one_still_works(person: Person) -> None:
    code = person.code()

    assert seen(person.exchanged(code, code_verifier="w" * 43)) == error("invalid_request.pkce")
    assert person.exchanged(code).status_code == 200


def test_a_code_lives_five_minutes(person: Person) -> None:
    early, late = person.code(), person.code()
    person.clock.at += 299
    assert person.exchanged(early).status_code == 200

    person.clock.at += 1

    assert seen(person.exchanged(late)) == error("invalid_grant.expired-code")


def test_a_replayed_code_revokes_the_tokens_made_from_it(person: Person) -> None:
    code = person.code()
    body = person.exchanged(code).get_json()
    bystander = person.connected()

    replay = person.exchanged(code)

    assert (replay.status_code, replay.get_json()["error"]) == (400, "invalid_grant")
    assert not person.works(body["access_token"])
    assert person.refreshed(body["refresh_token"]).get_json()["error"] == "invalid_grant"
    assert person.works(bystander["access_token"])


def test_a_code_belongs_to_its_client_and_address() -> None:
    other = "http://localhost:9/oauth/whop/callback"
    person = Person(clients={CLIENT: [CALLBACK, other], "app_other": [CALLBACK]})
    code = person.code()

    assert person.exchanged(code, redirect_uri=other).get_json()["error"] == "invalid_grant"
    assert person.exchanged(code, client_id="app_other").get_json()["error"] == "invalid_grant"
    assert person.exchanged(code).status_code == 200


def test_a_refresh_gives_the_next_pair(person: Person) -> None:
    first = person.connected(scope=READ)

    answer = person.refreshed(first["refresh_token"])

    second = answer.get_json()
    assert second.keys() == fixture("oauth/token.refresh.json")["body"].keys()
    assert {first["refresh_token"], first["access_token"]}.isdisjoint(second.values())
    assert person.works(second["access_token"])
    assert person.works(first["access_token"])


def test_a_refresh_token_that_comes_twice_ends_the_family(person: Person) -> None:
    first = person.connected()
    second = person.refreshed(first["refresh_token"]).get_json()

    again = person.refreshed(first["refresh_token"])

    assert seen(again) == error("invalid_grant.reused-refresh")
    assert seen(person.refreshed(second["refresh_token"])) == error("invalid_grant.reused-refresh")
    assert not person.works(second["access_token"])


def test_an_unknown_client_is_refused(person: Person) -> None:
    assert seen(person.exchanged(person.code(), client_id="app_x")) == error("invalid_client")


def test_a_public_app_must_leave_its_secret_out(person: Person) -> None:
    body = person.exchanged(person.code(), client_secret="secret").get_json()

    description = "client_secret lacks oauth:token_exchange permission"
    assert body == {"error": "invalid_client", "error_description": description}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code"}, "invalid_request"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "whop_rt_unknown"}, "invalid_grant"),
    ],
)
def test_other_mistakes_have_their_names(person: Person, body: dict[str, str], code: str) -> None:
    answer = person.token(**body)

    assert (answer.status_code, answer.get_json()["error"]) == (400, code)


def test_too_many_requests_are_told_to_wait(person: Person) -> None:
    person.whop.turn("POST", "/oauth", {"per_minute": 1})
    person.refreshed("whop_rt_x")

    answer = person.refreshed("whop_rt_x")

    assert seen(answer) == error("rate_limit_exceeded")
    assert (
        answer.headers["Retry-After"]
        == fixture("oauth/error.rate_limit_exceeded.json")["headers"]["retry-after"]
    )


def test_dials_strike_the_token_endpoint_too(person: Person) -> None:
    token = person.connected()["refresh_token"]
    person.whop.turn(
        "POST", "/dials", {"match": "^POST /oauth/token$", "fault": {"status": 503, "after": True}}
    )

    lost = person.refreshed(token)

    assert (lost.status_code, lost.get_json()["error"]) == (503, "internal_server_error")
    assert seen(person.refreshed(token)) == error("invalid_grant.reused-refresh")
    assert person.whop.turn("GET", "/stats")["requests"]["POST /oauth/token"] == 3


# Who it is, and the end of it


def test_userinfo_tells_what_the_scopes_allow(person: Person) -> None:
    def info(scope: str) -> Any:
        return person.userinfo(person.connected(scope=scope)["access_token"]).get_json()

    full, bare = info("openid profile email"), info("openid")

    assert full.keys() == fixture("oauth/userinfo.full.json").keys()
    assert (full["name"], full["email_verified"]) == ("Priya Raman", True)
    assert bare == {"sub": full["sub"]}
    assert info("openid email").keys() == {"sub", "email", "email_verified"}


def test_userinfo_needs_openid_and_a_token_that_lives(person: Person) -> None:
    plain = person.userinfo(person.connected(scope=READ)["access_token"])
    assert (plain.status_code, plain.get_json()["error"]) == (403, "insufficient_scope")

    late = person.connected()["access_token"]
    person.clock.at += 3600

    assert [person.userinfo(token).status_code for token in (late, "whop_at_x")] == [401, 401]


def test_revoking_ends_refreshing_but_not_the_hour(person: Person) -> None:
    body = person.connected()

    answer = person.http.post("/oauth/revoke", json={"token": body["refresh_token"], "client_id": CLIENT})

    assert seen(answer) == fixture("oauth/revoke.json")
    assert seen(person.refreshed(body["refresh_token"])) == error("invalid_grant.reused-refresh")
    assert person.works(body["access_token"])


def test_revoking_what_is_unknown_is_no_error_and_an_access_token_stays(person: Person) -> None:
    access = person.connected()["access_token"]

    for token in (access, "whop_rt_unknown"):
        answer = person.http.post("/oauth/revoke", data={"token": token, "client_id": CLIENT})
        assert seen(answer) == fixture("oauth/revoke.json")
    assert person.works(access)


def test_no_app_can_revoke_for_another() -> None:
    person = Person(clients={CLIENT: [CALLBACK], "app_other": [CALLBACK]})
    token = person.connected()["refresh_token"]

    answer = person.http.post("/oauth/revoke", json={"token": token, "client_id": "app_other"})

    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_grant")
    assert person.refreshed(token).status_code == 200


# The API with a token


def test_a_token_is_good_for_an_hour(person: Person) -> None:
    whop = person.calling()
    person.clock.at += 3599
    assert whop.ask("/members").status_code == 200

    person.clock.at += 1

    expired = fixture("errors/401.expired.json")
    assert seen(whop.ask("/members")) == {"status": 401, "body": expired["body"]}


def test_the_hour_can_be_made_shorter_and_ended(person: Person) -> None:
    assert person.whop.turn("POST", "/oauth", {"access_seconds": 5})["access_seconds"] == 5
    body = person.connected()
    assert (body["expires_in"], person.works(body["access_token"])) == (5, True)

    person.whop.turn("POST", "/oauth", {"do": "expire_access"})

    assert not person.works(body["access_token"])
    assert person.refreshed(body["refresh_token"]).status_code == 200


def test_the_owner_can_remove_the_app(person: Person) -> None:
    body = person.connected()

    counted = person.whop.turn("POST", "/oauth", {"do": "revoke_all"})

    assert (counted["grants"], counted["live"]) == (1, 0)
    assert not person.works(body["access_token"])
    assert seen(person.refreshed(body["refresh_token"])) == error("invalid_grant.reused-refresh")


def test_an_unknown_dial_is_refused(person: Person) -> None:
    for wanted in ({"hours": 1}, {"do": "forget"}):
        assert person.http.post("/sandbox/oauth", json=wanted).status_code == 400


def test_scopes_are_all_that_a_token_may_do(person: Person) -> None:
    whop = person.calling(scope="openid member:basic:read company:basic:read")

    actions = "member:basic:read,member:email:read,openid"
    granted = whop.read("/permissions", resource_id=person.companies()[0], actions=actions)["data"]
    assert [one["granted"] for one in granted] == [True, False, False]
    assert {member["email"] for member in whop.every("members")} == {None}
    assert whop.ask("/plans").status_code == 403


def test_a_list_without_its_scope_is_403(person: Person) -> None:
    whop = person.calling(scope="company:basic:read")

    forbidden = fixture("errors/403.scope.json")
    assert seen(whop.ask("/members")) == {"status": 403, "body": forbidden["body"]}


def test_accounts_me_is_not_for_tokens(person: Person) -> None:
    assert person.calling().ask("/accounts/me").status_code == 403


def test_a_token_for_everything_lists_all_companies_of_the_owner(owner: Person) -> None:
    whop = owner.calling()

    accounts = whop.every("accounts")

    assert [account["id"] for account in accounts] == owner.companies()
    assert [account["title"] for account in accounts] == ["Northwind Trading Circle", "Southwind Fitness 💪"]
    assert len({account["owner"]["id"] for account in accounts}) == 1
    assert whop.every("accounts", query="southwind") == accounts[1:]
    assert whop.read(f"/accounts/{owner.companies()[1]}") == accounts[1]


def test_a_search_of_the_key_does_not_answer_that_of_a_token(owner: Person) -> None:
    of_key = owner.whop.every("products", query="Signals")

    market = owner.calling().every("products", query="Signals")

    assert {one["account"]["id"] for one in of_key} == {owner.companies()[0]}
    assert len(market) == len(owner.companies()) + 1


def test_with_several_companies_a_list_must_name_one(owner: Person) -> None:
    whop = owner.calling()

    assert whop.ask("/members").status_code == 400
    for company in owner.companies():
        members = whop.every("members", account_id=company)
        assert {member["account_id"] for member in members} == {company}


def test_products_of_the_second_company_have_its_name(owner: Person) -> None:
    first, second = (owner.calling().every("products", account_id=one) for one in owner.companies())

    assert "Southwind Signals" in {product["title"] for product in second}
    assert {one["id"] for one in first}.isdisjoint(one["id"] for one in second)


@pytest.mark.parametrize("how", ["asked by the app", "chosen by the owner"])
def test_a_token_for_one_company_reaches_no_other(owner: Person, how: str) -> None:
    first, second = owner.companies()
    other = owner.whop.every("members")[0]["id"]

    whop = owner.calling(company_id=second) if how == "asked by the app" else owner.calling(second)

    assert [account["id"] for account in whop.every("accounts")] == [second]
    assert {member["account_id"] for member in whop.every("members")} == {second}
    assert whop.read("/members", account_id=first)["data"] == []
    assert whop.ask(f"/members/{other}").status_code == 404
    granted = whop.read("/permissions", resource_id=first)["data"]
    assert {one["granted"] for one in granted} == {False}


def test_an_owner_of_several_is_asked_which_unless_the_app_says(owner: Person) -> None:
    open_question, settled = owner.opened(), owner.opened(company_id=owner.companies()[1])

    assert Form(open_question.text).choices == {"": True, **dict.fromkeys(owner.companies(), False)}
    assert "<legend>" in open_question.text
    assert Form(settled.text).choices == {}
    assert "Southwind Fitness" in settled.text


def test_the_form_cannot_widen_what_the_app_asked(owner: Person) -> None:
    first, second = owner.companies()
    body = owner.exchanged(owner.pressed("approve", first, company_id=second)["code"]).get_json()

    owner.whop.headers["Authorization"] = f"Bearer {body['access_token']}"

    assert [account["id"] for account in owner.whop.every("accounts")] == [second]


def test_a_company_of_somebody_else_cannot_be_chosen(owner: Person) -> None:
    form = Form(owner.opened().text)
    foreign = owner.whop.parts.world.neighbour.company.id

    answer = owner.http.post(form.action, data={**form.hidden, "decision": "approve", "company": foreign})

    assert answer.status_code == 400


def test_the_company_asked_for_is_repeated_at_each_refresh(owner: Person) -> None:
    second = owner.companies()[1]
    token = owner.connected(company_id=second)["refresh_token"]

    assert owner.refreshed(token).get_json()["error"] == "invalid_request"
    assert owner.refreshed(token, company_id=second).status_code == 200


def test_only_the_first_company_can_be_changed(owner: Person) -> None:
    whop = owner.calling(scope=f"{READ} membership:cancel", company_id=owner.companies()[1])
    name = whop.every("memberships")[0]["id"]
    mine = owner.whop.parts.world.home.tables["memberships"].ids.of(0)

    def status(membership: str) -> int:
        path = f"/api/v1/memberships/{membership}/cancel"
        return whop.http.post(path, json={}, headers=whop.headers).status_code

    assert (status(name), status(mine)) == (501, 404)


def test_the_first_company_is_the_same_with_and_without_others(person: Person, owner: Person) -> None:
    assert person.whop.every("members") == owner.whop.every("members")
    assert person.whop.every("accounts") == owner.whop.every("accounts")


def test_there_are_one_to_four_companies() -> None:
    for companies in (0, 5):
        with pytest.raises(ValueError, match="companies"):
            create_app(members=1, companies=companies)


# Restarts, and a client that is not ours


def test_grants_survive_a_restart_as_digests(tmp_path: Path) -> None:
    before = Person(data_dir=tmp_path)
    code, body = before.code(), before.connected()
    old = body["refresh_token"]
    body = before.refreshed(old).get_json()

    after = Person(data_dir=tmp_path)

    assert after.works(body["access_token"])
    assert after.exchanged(code).status_code == 200
    written = tmp_path / "oauth-1.json"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert body["refresh_token"] not in written.read_text()
    assert after.refreshed(body["refresh_token"]).status_code == 200
    assert seen(after.refreshed(old)) == error("invalid_grant.reused-refresh")


@pytest.fixture
def live() -> Iterator[str]:
    """A sandbox on a real socket."""
    server = make_server("127.0.0.1", 0, create_app(members=20), threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_authlib_connects_refreshes_and_revokes(live: str) -> None:
    with (
        OAuth2Session(
            CLIENT,
            scope=f"openid {READ}",
            redirect_uri=CALLBACK,
            code_challenge_method="S256",
            token_endpoint_auth_method="none",
            revocation_endpoint_auth_method="none",
        ) as session,
        requests.Session() as browser,
    ):
        address, _state = session.create_authorization_url(
            f"{live}/oauth/authorize", code_verifier=VERIFIER, nonce="n_1"
        )
        form = Form(browser.get(address, timeout=5).text)
        answer = browser.post(
            live + form.action, data={**form.hidden, "decision": "approve"}, allow_redirects=False, timeout=5
        )

        token = session.fetch_token(
            f"{live}/oauth/token",
            authorization_response=answer.headers["Location"],
            code_verifier=VERIFIER,
        )
        fresh = session.refresh_token(f"{live}/oauth/token")

        assert fresh["refresh_token"] != token["refresh_token"]
        assert session.get(f"{live}/oauth/userinfo", timeout=5).json().keys() == {"sub"}
        assert session.get(f"{live}/api/v1/accounts", timeout=5).json()["data"][0]["id"].startswith("biz_")
