"""OAuth with Whop: what goes out, what comes back, and every no in our words."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from requests import Response
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from structlog.testing import capture_logs

from connector.core.catalogue import CrmCatalogue
from connector.crms.twenty.fields import CATALOGUE as CRM
from connector.errors import ConnectorError, ReconnectError, RefusedError, TryLaterError
from connector.mapping_files import MappingSet, load_all, load_texts
from connector.outbound import AllowList, Door
from connector.ports import Tokens
from connector.sandbox.whop import create_app
from connector.sources.whop import CATALOGUE, WhopReader, headers, oauth_refusals, scopes
from connector.sources.whop.oauth import App, WhopOAuth
from connector.sources.whop.renewing import RenewingSession
from tests.sync.scene import Service, served
from tests.whop_consent import decide, query, turn

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures" / "whop" / "oauth"
CLIENT, BACK = "app_sandboxConnector", "http://127.0.0.1:8080/oauth/whop/callback"
STATE, VERIFIER, NONCE = "s_7Qexample", "v" * 64, "n_1"
SCOPES = (*scopes.IDENTITY, "company:basic:read", "member:basic:read")


# --- scopes: nothing that no mapping uses


def shipped() -> MappingSet:
    return load_all(ROOT / "mappings", CATALOGUE, crm())


def crm() -> CrmCatalogue:
    return CRM


def member_file(fields: str) -> MappingSet:
    text = f"version: 1\nsource: {{kind: member}}\ntarget: {{object: person}}\nfields:\n{fields}"
    return load_texts({"member.yaml": text}, CATALOGUE, crm())


def names(mappings: MappingSet) -> list[str]:
    return [one.name for one in scopes.needed(mappings)]


def test_the_shipped_mappings_need_what_they_read_and_no_more() -> None:
    assert names(shipped()) == [
        "company:basic:read",
        "access_pass:basic:read",
        "member:basic:read",
        "member:email:read",
        "member:phone:read",
        "payment:basic:read",
        "payment:dispute:read",
    ]


def beside(notes: str) -> MappingSet:
    text = "version: 1\nsource: {kind: membership}\ntarget: {object: opportunity}\n"
    return load_texts({"m.yaml": f"{text}fields: {{name: {{from: id}}}}\n{notes}"}, CATALOGUE, crm())


@pytest.mark.parametrize(
    ("notes", "read"),
    [
        ("", ()),
        ("notes: [{on: membership.deactivated, once_per: membership, text: x}]", ()),
        ("notes: [{on: payment.failed, once_per: payment, text: x}]", ("payment",)),
        ("notes: [{on: refund.created, once_per: refund, text: x}]", ("payment", "refund")),
        (
            "tasks: [{on: dispute.created, once_per: dispute, title: x, text: x}]",
            ("payment", "dispute"),
        ),
    ],
)
def test_payments_refunds_and_disputes_are_asked_for_where_notes_are_about_them(
    notes: str, read: tuple[str, ...]
) -> None:
    mappings = beside(notes)

    assert scopes.summed(mappings) == read
    assert ("payment:dispute:read" in names(mappings)) == ("dispute" in read)
    assert ("payment:basic:read" in names(mappings)) == bool(read)


def test_the_words_of_a_note_need_what_they_show() -> None:
    told = 'notes: [{on: payment.failed, once_per: payment, text: "{customer_email}"}]'

    assert "member:email:read" in names(beside(told))
    assert "member:email:read" not in names(beside(told.replace("customer_email", "status")))


def test_a_mapping_without_phones_does_not_ask_for_them() -> None:
    mappings = member_file("  emails: {from: email, using: email}\n")

    assert names(mappings) == ["company:basic:read", "member:basic:read", "member:email:read"]


@pytest.mark.parametrize(
    "line",
    [
        "  whopNote: {text: '{display_name} ({phone_number})', type: text, label: Note}\n",
        "  whopNote: {from: [display_name, phone_number], type: text, label: Note}\n",
        "  phones: {from: phone_number, using: phone, own: once}\n",
    ],
)
def test_a_field_is_seen_however_its_rule_is_put(line: str) -> None:
    assert "member:phone:read" in names(member_file(line))


def test_a_field_that_nothing_may_write_needs_no_permission() -> None:
    mappings = member_file(
        "  name: {from: display_name, using: full_name}\n"
        "  phones: {from: phone_number, using: phone, own: never}\n"
    )

    assert "member:phone:read" not in names(mappings)


def test_every_scope_says_what_it_is_for() -> None:
    for one in scopes.needed(shipped()):
        assert one.title[0].isupper(), one
        assert one.enables.endswith("."), one
        assert one.without.endswith("."), one
        assert one.used_by or one.name == scopes.COMPANY


def test_every_permission_of_a_kind_or_field_has_words() -> None:
    known = {*scopes.BY_KIND.values(), *(one for of in scopes.BY_FIELD.values() for one in of.values())}

    assert known <= scopes._WORDS.keys()


# --- against recorded answers


class Recorded(BaseAdapter):
    """A door that gives prepared answers and keeps what was sent."""

    def __init__(self, status: int, body: Any, **sent: str) -> None:
        super().__init__()
        self.answer, self.sent = (status, body, sent), []

    def mount(self, session: Any) -> None:
        session.adapters.clear()
        session.mount("https://", self)

    def send(self, request: Any, **_kwargs: Any) -> Response:
        self.sent.append(request)
        status, body, sent = self.answer
        answer = Response()
        answer.status_code, answer.headers, answer.request = status, CaseInsensitiveDict(sent), request
        answer._content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer._content_consumed = True
        return answer

    def close(self) -> None:
        pass


def recorded(name: str) -> Recorded:
    fixture = json.loads((FIXTURES / f"{name}.json").read_text())
    if "status" not in fixture:
        return Recorded(200, fixture)
    return Recorded(fixture["status"], fixture["body"], **fixture.get("headers", {}))


def client(door: Any, secret: str = "") -> WhopOAuth:
    base = "https://whop.example/oauth"
    app = App("app_1", BACK, f"{base}/authorize", base, secret)
    return WhopOAuth(app, door, lambda token: pytest.fail("the API is not asked here"))


def redeem(door: Recorded, secret: str = "") -> Tokens:
    return client(door, secret).exchange("ac_1", verifier=VERIFIER, nonce=NONCE, redirect_uri=BACK)


def id_token(**claims: Any) -> str:
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.sig"


def granted(**changed: Any) -> dict[str, Any]:
    body = json.loads((FIXTURES / "token.authorization_code.json").read_text())["body"]
    return {**body, "id_token": id_token(nonce=NONCE), **changed}


def test_the_address_of_consent_carries_a_challenge_and_no_verifier() -> None:
    url = client(Recorded(200, {})).authorize_url(
        SCOPES, state=STATE, verifier=VERIFIER, nonce=NONCE, company_id=None
    )

    digest = hashlib.sha256(VERIFIER.encode()).digest()
    assert query(url) == {
        "response_type": "code",
        "client_id": "app_1",
        "redirect_uri": BACK,
        "scope": " ".join(SCOPES),
        "state": STATE,
        "nonce": NONCE,
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    assert VERIFIER not in url


def test_a_company_that_is_known_is_named_in_the_request() -> None:
    url = client(Recorded(200, {})).authorize_url(
        SCOPES, state=STATE, verifier=VERIFIER, nonce=NONCE, company_id="biz_1"
    )

    assert query(url)["company_id"] == "biz_1"


def test_a_code_goes_out_as_json_without_a_secret() -> None:
    door = Recorded(200, granted())

    tokens = redeem(door)

    assert json.loads(door.sent[0].body) == {
        "grant_type": "authorization_code",
        "code": "ac_1",
        "redirect_uri": BACK,
        "client_id": "app_1",
        "code_verifier": VERIFIER,
    }
    assert door.sent[0].headers["Content-Type"] == "application/json"
    assert "Authorization" not in door.sent[0].headers
    assert (tokens.access, tokens.refresh) == ("whop_at_5yQ2example", "whop_rt_A1example")
    assert tokens.expires_in == 3600
    assert tokens.scopes is not None
    assert "openid" in tokens.scopes


def test_a_secret_goes_along_where_there_is_one() -> None:
    door = Recorded(200, granted())

    redeem(door, "shh")

    assert json.loads(door.sent[0].body)["client_secret"] == "shh"


def test_a_refresh_repeats_the_company_that_was_named() -> None:
    door = recorded("token.refresh")

    tokens = client(door).refresh("whop_rt_A1example", company_id="biz_1")

    assert json.loads(door.sent[0].body) == {
        "grant_type": "refresh_token",
        "refresh_token": "whop_rt_A1example",
        "client_id": "app_1",
        "company_id": "biz_1",
    }
    assert tokens.refresh == "whop_rt_B2example"


def test_a_refresh_names_no_company_where_none_was_named() -> None:
    door = recorded("token.refresh")

    client(door).refresh("whop_rt_A1example", company_id=None)

    assert "company_id" not in json.loads(door.sent[0].body)


def test_an_answer_without_scopes_is_taken_for_silence() -> None:
    tokens = client(recorded("token.no-scope-field")).refresh("rt", company_id=None)

    assert tokens.scopes is None


def test_who_approved_is_known_by_id_and_name() -> None:
    full, bare = (client(recorded(f"userinfo.{name}")).approver("at") for name in ("full", "openid-only"))

    assert (full.id, full.name) == ("user_wiuWofbd2DGKX7", "Priya Raman")
    assert (bare.id, bare.name) == ("user_wiuWofbd2DGKX7", "")


def test_revoking_names_the_token_and_the_app() -> None:
    door = recorded("revoke")

    client(door).revoke("whop_rt_A1example")

    assert json.loads(door.sent[0].body) == {"token": "whop_rt_A1example", "client_id": "app_1"}


@pytest.mark.parametrize(
    "token", [None, "", "e30", "e30.e30.x", "e30.???.x", id_token(nonce="another"), id_token()]
)
def test_an_id_token_for_another_request_is_refused(token: str | None) -> None:
    with pytest.raises(RefusedError) as raised:
        redeem(Recorded(200, granted(id_token=token)))

    assert raised.value.code == "whop_nonce"


@pytest.mark.parametrize(
    ("fixture", "code"),
    [
        ("error.invalid_grant.expired-code", "whop_code"),
        ("error.invalid_request.pkce", "whop_code"),
        ("error.invalid_client", "whop_client"),
        ("error.invalid_scope", "whop_scope_unknown"),
        ("error.rate_limit_exceeded", "whop_rate"),
    ],
)
def test_a_code_that_is_not_taken_says_why(fixture: str, code: str) -> None:
    with pytest.raises(ConnectorError) as raised:
        redeem(recorded(fixture))

    assert raised.value.code == code
    assert raised.value.remedy


def test_a_wrong_address_is_told_from_a_wrong_code() -> None:
    body = {"error": "invalid_grant", "error_description": "redirect_uri does not match"}

    with pytest.raises(RefusedError, match="address") as raised:
        redeem(Recorded(400, body))

    assert "WHOP_REDIRECT_URI" in raised.value.remedy


def test_a_secret_that_whop_does_not_want_is_named() -> None:
    body = {
        "error": "invalid_client",
        "error_description": "client_secret lacks oauth:token_exchange permission",
    }

    with pytest.raises(RefusedError) as raised:
        redeem(Recorded(401, body), "shh")

    assert "WHOP_CLIENT_SECRET" in raised.value.remedy


def test_a_limit_names_the_wait() -> None:
    with pytest.raises(TryLaterError) as raised:
        redeem(recorded("error.rate_limit_exceeded"))

    assert raised.value.after == 30


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (502, b"<html>"),
        (503, b""),
        (404, b"<html>"),
        (200, b"<html>"),
        (200, [1]),
        (200, {}),
        (200, {"access_token": 5}),
    ],
)
def test_an_answer_that_is_none_of_oauths_means_later(status: int, body: Any) -> None:
    with pytest.raises(TryLaterError):
        redeem(Recorded(status, body))


def test_a_refresh_token_that_is_gone_means_connecting_again() -> None:
    with pytest.raises(ReconnectError) as raised:
        client(recorded("error.invalid_grant.reused-refresh")).refresh("rt", company_id=None)

    assert raised.value.code == "whop_grant"


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, b""), (502, b"<html>"), (403, b"<html>"), (200, b"{"), (200, {"refresh_token": "only"})],
)
def test_a_refresh_that_may_have_been_done_is_told_as_unanswered(status: int, body: Any) -> None:
    with pytest.raises(TryLaterError) as raised:
        client(Recorded(status, body)).refresh("rt", company_id=None)

    assert raised.value.code == oauth_refusals.UNANSWERED


def test_a_refresh_token_that_is_not_replaced_stays_good() -> None:
    tokens = client(Recorded(200, {"access_token": "new"})).refresh("rt", company_id=None)

    assert (tokens.access, tokens.refresh) == ("new", "rt")


def test_a_refresh_that_was_refused_for_its_speed_was_not_done() -> None:
    with pytest.raises(TryLaterError) as raised:
        client(recorded("error.rate_limit_exceeded")).refresh("rt", company_id=None)

    assert raised.value.code == "whop_rate"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("access_denied", "whop_denied"),
        ("invalid_scope", "whop_scope_unknown"),
        ("server_error", "whop_trouble"),
        ("", "whop_oauth_refused"),
        ("<script>", "whop_oauth_refused"),
    ],
)
def test_what_the_browser_comes_back_with_is_put_in_words(error: str, code: str) -> None:
    found = oauth_refusals.of_callback(error)

    assert found.code == code
    assert "<" not in str(found)


# --- against the sandbox, over HTTP


class Whop:
    """The sandbox, a door to it, and a client."""

    def __init__(self, service: Service, door: Door) -> None:
        self.service, self.door = service, door
        base = f"{service.url}/oauth"
        self.client = WhopOAuth(App(CLIENT, BACK, f"{base}/authorize", base), door, self.session)

    def session(self, token: str) -> Any:
        return self.door.session(f"{self.service.url}/api/v1", headers=headers(token))

    def consent(self, *, company_id: str | None = None, decision: str = "approve") -> dict[str, str]:
        url = self.client.authorize_url(
            SCOPES, state=STATE, verifier=VERIFIER, nonce=NONCE, company_id=company_id
        )
        return query(decide(self.service.app, url, decision))

    def exchange(self, code: str, *, verifier: str = VERIFIER, back: str = BACK) -> Tokens:
        return self.client.exchange(code, verifier=verifier, nonce=NONCE, redirect_uri=back)

    def tokens(self, **asked: Any) -> Tokens:
        return self.exchange(self.consent(**asked)["code"])


@pytest.fixture
def whop() -> Iterator[Whop]:
    door = Door(
        connect_timeout=5,
        read_timeout=10,
        allowed_private=AllowList.of(["127.0.0.1"]),
        user_agent="connector/test",
        sleep=lambda _seconds: None,
    )
    with (
        served(create_app(members=5, memberships=5, companies=2)) as service,
        closing(door),
    ):
        yield Whop(service, door)


def test_consent_leads_to_tokens_that_open_the_companies(whop: Whop) -> None:
    tokens = whop.tokens()

    companies = whop.client.companies(tokens.access)

    assert len(companies) == 2
    assert whop.client.approver(tokens.access).id.startswith("user_")
    for one in companies:
        reader = WhopReader(whop.session(tokens.access), company_id=one.company_id, of_person=True)
        assert reader.account().title == one.title
        assert "member:email:read" in reader.account().missing


def test_a_company_of_somebody_else_is_refused(whop: Whop) -> None:
    tokens = whop.tokens()

    with pytest.raises(RefusedError) as raised:
        WhopReader(whop.session(tokens.access), company_id="biz_foreign", of_person=True).account()

    assert raised.value.code == "whop_company"


def test_a_permission_that_was_not_approved_is_no_matter_of_an_api_key(whop: Whop) -> None:
    tokens = whop.tokens()
    company = whop.client.companies(tokens.access)[0].company_id
    reader = WhopReader(whop.session(tokens.access), company_id=company, of_person=True)

    with pytest.raises(ReconnectError, match="What was approved") as raised:
        list(reader.pages("product", None))

    assert "again" in raised.value.remedy


def test_a_code_opens_nothing_twice(whop: Whop) -> None:
    code = whop.consent()["code"]
    whop.exchange(code)

    with pytest.raises(RefusedError) as raised:
        whop.exchange(code)

    assert raised.value.code == "whop_code"


def test_a_code_is_of_no_use_without_its_verifier(whop: Whop) -> None:
    with pytest.raises(RefusedError) as raised:
        whop.exchange(whop.consent()["code"], verifier="w" * 64)

    assert raised.value.code == "whop_code"


def test_a_code_is_of_no_use_for_another_address(whop: Whop) -> None:
    with pytest.raises(RefusedError) as raised:
        whop.exchange(whop.consent()["code"], back="http://127.0.0.1:9/oauth/whop/callback")

    assert raised.value.code == "whop_redirect"


def test_each_refresh_gives_the_next_refresh_token(whop: Whop) -> None:
    first = whop.tokens()

    second = whop.client.refresh(first.refresh, company_id=None)
    third = whop.client.refresh(second.refresh, company_id=None)

    assert len({first.refresh, second.refresh, third.refresh}) == 3
    with pytest.raises(ReconnectError):
        whop.client.refresh(first.refresh, company_id=None)


def test_a_grant_for_one_company_is_refreshed_for_it(whop: Whop) -> None:
    company = whop.client.companies(whop.tokens().access)[1].company_id
    tokens = whop.tokens(company_id=company)

    renewed = whop.client.refresh(tokens.refresh, company_id=company)

    assert [one.company_id for one in whop.client.companies(renewed.access)] == [company]


def test_a_refresh_whose_answer_is_lost_is_told_as_unanswered(whop: Whop) -> None:
    tokens = whop.tokens()
    whop.service.dial("POST /oauth/token", {"cut": True, "after": True})

    with pytest.raises(TryLaterError) as raised:
        whop.client.refresh(tokens.refresh, company_id=None)

    assert raised.value.code == oauth_refusals.UNANSWERED


def test_a_refresh_that_never_left_is_not_told_as_unanswered(whop: Whop) -> None:
    base = "http://127.0.0.1:1/oauth"
    nowhere = WhopOAuth(App(CLIENT, BACK, base, base), whop.door, whop.session)

    with pytest.raises(TryLaterError) as raised:
        nowhere.refresh("rt", company_id=None)

    assert raised.value.code == "unreachable"


def test_a_revoked_grant_gives_no_new_tokens(whop: Whop) -> None:
    tokens = whop.tokens()

    whop.client.revoke(tokens.refresh)

    with pytest.raises(ReconnectError):
        whop.client.refresh(tokens.refresh, company_id=None)


def test_approval_without_companies_says_what_to_approve(whop: Whop) -> None:
    url = whop.client.authorize_url(["openid"], state=STATE, verifier=VERIFIER, nonce=NONCE, company_id=None)
    tokens = whop.exchange(query(decide(whop.service.app, url))["code"])

    with pytest.raises(RefusedError) as raised:
        whop.client.companies(tokens.access)

    assert raised.value.code == "whop_scope"


def test_nothing_secret_is_logged_or_shown(whop: Whop) -> None:
    with capture_logs() as lines:
        tokens = whop.tokens()
        whop.client.refresh(tokens.refresh, company_id=None)

    told = f"{lines} {tokens!r} {whop.client._app!r}"
    assert tokens.access not in told
    assert tokens.refresh not in told
    assert VERIFIER not in told


# --- a token that ends under way


def test_a_refused_token_is_renewed_once_and_the_request_repeated(whop: Whop) -> None:
    tokens = whop.tokens()
    fresh = whop.tokens()
    refused: list[str] = []

    def renew(old: str) -> str:
        refused.append(old)
        return fresh.access

    turn(whop.service.app, do="expire_access")
    fresh = whop.client.refresh(fresh.refresh, company_id=None)
    session = RenewingSession(
        tokens.access, open_session=whop.session, renew=renew, shut_out=lambda _: pytest.fail("it is in")
    )

    assert session.request("GET", "/accounts").status == 200
    assert session.request("GET", "/accounts").status == 200
    assert refused == [tokens.access]


def test_a_fresh_token_that_is_refused_too_means_connecting_again(whop: Whop) -> None:
    told: list[str] = []
    session = RenewingSession(
        "whop_at_a", open_session=whop.session, renew=lambda _: "whop_at_b", shut_out=told.append
    )

    with pytest.raises(ReconnectError) as raised:
        session.request("GET", "/accounts")

    assert raised.value.code == "whop_shut_out"
    assert told == ["whop_at_b"]
