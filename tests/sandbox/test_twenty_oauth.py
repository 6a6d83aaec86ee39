"""OAuth of the sandbox Twenty beyond the recorded exchanges: the consent page, limits, times, other hosts."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from twenty_consent import decide, turn
from twenty_helpers import Clock, Twenty

BACK = "https://connector.example.com/auth/twenty/callback"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
WHO = "query{currentUser{email currentWorkspace{id} currentUserWorkspace{permissionFlags}}}"


class Connector:
    """An application that signs people in."""

    def __init__(self, **options: Any) -> None:
        self.clock = Clock()
        self.twenty = Twenty(now=self.clock, **options)
        self.client_id = self.register().json["client_id"]

    def register(self, **more: Any) -> Any:
        body = {"client_name": "Whop connector", "redirect_uris": [BACK], **more}
        return self.twenty.client.post("/oauth/register", json=body)

    def address(self, **more: str) -> str:
        asked = {"client_id": self.client_id, "redirect_uri": BACK, "state": "s&1", "response_type": "code"}
        asked |= {"code_challenge": CHALLENGE, "code_challenge_method": "S256", **more}
        return f"/authorize?{urlencode(asked)}"

    def code(self, email: str = "admin@acme.test") -> str:
        return parse_qs(urlsplit(decide(self.twenty.app, self.address(), email)).query)["code"][0]

    def token(self, **body: str) -> Any:
        return self.twenty.client.post("/oauth/token", data={"client_id": self.client_id, **body})

    def redeem(self, code: str, verifier: str = VERIFIER) -> Any:
        told = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK}
        return self.token(**told, code_verifier=verifier)

    def refresh(self, token: str) -> Any:
        return self.token(grant_type="refresh_token", refresh_token=token)

    def tokens(self, email: str = "admin@acme.test") -> Any:
        return self.redeem(self.code(email)).json

    def who(self, token: str) -> Any:
        return self.twenty.send("POST", "/metadata", {"query": WHO}, token).json

    def people(self, token: str) -> Any:
        return self.twenty.send("GET", "/rest/people?limit=1", key=token)


@pytest.fixture
def app() -> Connector:
    return Connector()


def test_authorizing_leads_back_with_code_state_and_theme(app: Connector):
    goal = urlsplit(decide(app.twenty.app, app.address()))

    told = parse_qs(goal.query)
    assert goal._replace(query="").geturl() == BACK
    assert (told.keys(), told["state"], len(told["code"][0])) == ({"code", "state", "theme"}, ["s&1"], 84)


def test_cancelling_opens_the_crm_and_tells_the_application_nothing(app: Connector):
    assert decide(app.twenty.app, app.address(), decision="cancel") == "/"


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"client_id": "nobody"}, "Client not found for"),
        ({"redirect_uri": "https://evil.example.com/"}, "redirectUrl mismatch"),
        ({"code_challenge": ""}, "code_challenge is required"),
    ],
)
def test_a_wrong_request_for_consent_sends_the_person_nowhere(app: Connector, wrong: Any, why: str):
    page = app.twenty.client.get(app.address(**wrong))

    assert (page.status_code, "Location" in page.headers) == (400, False)
    assert why in page.text


def test_a_form_that_is_not_from_the_page_allows_nothing(app: Connector):
    answer = app.twenty.client.post("/authorize", data={"request": "forged", "decision": "authorize"})

    assert answer.status_code == 400


def test_the_page_lets_its_form_end_at_the_application_only(app: Connector):
    policy = app.twenty.client.get(app.address()).headers["Content-Security-Policy"]

    assert "form-action 'self' https://connector.example.com;" in policy


def test_a_token_acts_as_the_person_who_authorized(app: Connector):
    told = app.who(app.tokens("member@acme.test")["access_token"])["data"]["currentUser"]

    assert told["email"] == "member@acme.test"
    assert "DATA_MODEL" not in told["currentUserWorkspace"]["permissionFlags"]


def test_what_an_application_writes_looks_typed_by_the_person(app: Connector):
    turn(app.twenty.app, "users", do="add", email="ada@acme.test", firstName="Ada", lastName="B")
    key = app.tokens("ada@acme.test")["access_token"]

    made = app.twenty.send("POST", "/rest/people", {"jobTitle": "x"}, key).json["data"]["createPerson"]

    assert (made["createdBy"]["source"], made["createdBy"]["name"]) == ("MANUAL", "Ada B")


def test_a_code_lives_five_minutes(app: Connector):
    code = app.code()
    app.clock.at += 300

    assert app.redeem(code).json["error"] == "invalid_grant"


def test_a_wrong_verifier_does_not_burn_the_code(app: Connector):
    code = app.code()

    assert app.redeem(code, "w" * 64).status_code == 400
    assert app.redeem(code).status_code == 200
    assert app.redeem(code).json["error_description"] == "Authorization code has already been used"


def test_an_access_token_ends_after_thirty_minutes_and_is_refreshed(app: Connector):
    tokens = app.tokens()
    app.clock.at += 1800

    assert app.people(tokens["access_token"]).json["messages"] == ["Token has expired."]
    assert app.people(app.refresh(tokens["refresh_token"]).json["access_token"]).status_code == 200


def test_a_refresh_token_ends_after_sixty_days(app: Connector):
    tokens = app.tokens()
    app.clock.at += 60 * 24 * 3600

    assert app.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"


def test_a_refresh_leaves_the_old_token_good_and_so_does_a_revocation(app: Connector):
    first = app.tokens()
    app.refresh(first["refresh_token"])
    revoked = {"client_id": app.client_id, "token": first["refresh_token"]}

    assert app.twenty.client.post("/oauth/revoke", json=revoked).json == {}
    assert app.refresh(first["refresh_token"]).status_code == 200
    assert app.people(first["access_token"]).status_code == 200


def test_dials_end_tokens_and_forget_registrations(app: Connector):
    tokens = app.tokens()

    turn(app.twenty.app, "oauth", do="expire_access")
    assert app.people(tokens["access_token"]).status_code == 401
    fresh = app.refresh(tokens["refresh_token"]).json
    assert app.people(fresh["access_token"]).status_code == 200
    turn(app.twenty.app, "oauth", do="expire_refresh")
    assert app.refresh(fresh["refresh_token"]).json["error"] == "invalid_grant"
    turn(app.twenty.app, "oauth", do="forget_clients")
    assert app.refresh(fresh["refresh_token"]).json["error"] == "invalid_client"


def test_a_role_change_takes_effect_at_once(app: Connector):
    key = app.tokens("member@acme.test")["access_token"]
    turn(app.twenty.app, "users", do="role", email="member@acme.test", role="reader")

    refused = app.twenty.send("POST", "/rest/people", {"jobTitle": "x"}, key)

    assert refused.json["code"] == "PERMISSION_DENIED"


def test_rights_follow_the_permissions_of_a_role_and_not_its_label(app: Connector):
    key = app.tokens()["access_token"]
    turn(app.twenty.app, "roles", role="admin", canUpdateAllSettings=False, label="Admin")

    flags = app.who(key)["data"]["currentUser"]["currentUserWorkspace"]["permissionFlags"]

    assert flags == []
    assert app.twenty.send("GET", "/rest/metadata/objects", key=key).status_code == 403


def test_a_removed_person_opens_nothing(app: Connector):
    key = app.tokens("member@acme.test")["access_token"]
    turn(app.twenty.app, "users", do="remove", email="member@acme.test")

    assert app.people(key).json["code"] == "NO_AUTHENTICATION_CONTEXT"
    assert app.who(key)["errors"][0]["message"] == "Forbidden resource"


def test_ten_registrations_an_hour_come_through():
    app = Connector(rate_limited=True)
    answers = [app.register().status_code for _ in range(10)]
    app.clock.at += 3600

    assert answers == [201] * 9 + [429]
    assert app.register().status_code == 201


def test_sixty_token_calls_a_minute_come_through():
    app = Connector(rate_limited=True)

    answers = [app.refresh("nope") for _ in range(61)]

    assert [answer.status_code for answer in answers] == [400] * 60 + [429]
    assert answers[-1].json["error"] == "rate_limit_exceeded"
    assert "Retry-After" not in answers[-1].headers


def test_applications_that_act_for_a_person_are_not_limited():
    app = Connector(rate_limited=True)
    key = app.tokens()["access_token"]

    assert {app.people(key).status_code for _ in range(150)} == {200}


def test_the_consent_page_may_live_on_another_host(app: Connector):
    turn(app.twenty.app, "server", front_url="http://app.example.com", multi_workspace=True)

    told = app.twenty.client.get("/.well-known/oauth-authorization-server").json

    assert told["authorization_endpoint"] == "http://app.example.com/authorize"
    assert told["token_endpoint"] == "http://localhost/oauth/token"
    assert app.twenty.client.get("/client-config").json["isMultiWorkspaceEnabled"]


def test_an_older_server_has_no_oauth(app: Connector):
    turn(app.twenty.app, "server", oauth=False)

    for path in ("/.well-known/oauth-authorization-server", "/oauth/register/x"):
        assert app.twenty.client.get(path).status_code == 404
    assert app.register().status_code == 404


def test_one_registration_serves_every_workspace():
    app = Connector(workspaces=2)

    acme, globex = (app.who(app.tokens(f"admin@{name}.test")["access_token"]) for name in ("acme", "globex"))

    ids = [told["data"]["currentUser"]["currentWorkspace"]["id"] for told in (acme, globex)]
    assert len(set(ids)) == 2


def test_registrations_and_tokens_survive_a_restart(tmp_path):
    app = Connector(data_dir=tmp_path)
    tokens = app.tokens()

    app.twenty = Twenty(data_dir=tmp_path, now=app.clock)

    assert app.people(tokens["access_token"]).status_code == 200
    assert app.refresh(tokens["refresh_token"]).status_code == 200


def test_faults_reach_the_token_endpoint_too(app: Connector):
    fault = {"status": 500, "body": "connect ECONNREFUSED 127.0.0.1:5433"}
    app.twenty.client.post("/sandbox/dials", json={"match": "POST /oauth/token", "fault": fault, "times": 1})

    assert (app.refresh("x").status_code, app.refresh("x").status_code) == (500, 400)
