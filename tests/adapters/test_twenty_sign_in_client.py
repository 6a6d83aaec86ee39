"""Sign in with Twenty: what goes out and comes back, whom a server may make us trust, every no in words."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from connector.crms.twenty import keys, oauth_discovery, oauth_refusals
from connector.crms.twenty.client import TwentyClient
from connector.crms.twenty.fields import CATALOGUE as CRM
from connector.crms.twenty.oauth import Client, TwentyOAuth
from connector.crms.twenty.renewing import DeputySession, RenewingSession
from connector.errors import ConnectorError, ReconnectError, RefusedError, TryLaterError
from connector.mapping_files import MappingSet, load_all
from connector.outbound import AllowList, Door
from connector.ports.crm_sign_in import CrmServer
from connector.sandbox import twenty
from connector.sources.whop.catalogue import CATALOGUE as WHOP
from tests.sync.scene import Service, served
from tests.twenty_consent import decide, turn
from tests.whop_consent import query

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests" / "recordings" / "twenty"
BACK = "https://connector.example.com/oauth/twenty/callback"
VERIFIER = "v" * 64


def recorded(number: int) -> Any:
    (path,) = FOLDER.glob(f"{number:03}-*.json")
    return json.loads(path.read_text(encoding="utf-8"))


# --- the whole way against the sandbox


@pytest.fixture
def crm() -> Iterator[Service]:
    with served(twenty.create_app(rate_limited=False, workspaces=2)) as service:
        yield service


@pytest.fixture
def door() -> Iterator[Door]:
    with closing(
        Door(
            connect_timeout=5, read_timeout=10, allowed_private=AllowList.of(["127.0.0.1"]), user_agent="test"
        )
    ) as door:
        yield door


@pytest.fixture
def oauth(door: Door) -> TwentyOAuth:
    def client(origin: str, credential: str) -> TwentyClient:
        session = door.session(origin, headers={"Authorization": f"Bearer {credential}"})
        return TwentyClient(session, pause=lambda _seconds: None)

    return TwentyOAuth(Client("Whop to Twenty", BACK), door, client)


@dataclass
class Visit:
    """A registered client on its way through the consent page."""

    oauth: TwentyOAuth
    crm: Service
    server: CrmServer
    client_id: str

    def code(self, email: str = "admin@acme.test", decision: str = "authorize") -> str:
        url = self.oauth.authorize_url(self.server, self.client_id, state="s-1", verifier=VERIFIER)
        back = query(decide(self.crm.app, url, email, decision))
        assert back["state"] == "s-1"
        return back["code"]

    def tokens(self, email: str = "admin@acme.test") -> Any:
        code = self.code(email)
        return self.oauth.exchange(self.server.token_url, self.client_id, code, verifier=VERIFIER)


@pytest.fixture
def visit(oauth: TwentyOAuth, crm: Service) -> Visit:
    server = oauth.find(crm.url)
    return Visit(oauth, crm, server, oauth.register(server))


def test_a_server_is_found_by_its_address(oauth: TwentyOAuth, crm: Service) -> None:
    found = oauth.find(crm.url)

    assert found == CrmServer(
        crm.url, f"{crm.url}/authorize", f"{crm.url}/oauth/token", f"{crm.url}/oauth/register"
    )


def test_an_older_server_is_known_by_its_lack_of_oauth(oauth: TwentyOAuth, crm: Service) -> None:
    turn(crm.app, "server", oauth=False)

    assert oauth.find(crm.url) == CrmServer(crm.url)


def test_the_consent_page_is_asked_for_with_pkce(visit: Visit) -> None:
    url = visit.oauth.authorize_url(visit.server, visit.client_id, state="s-1", verifier=VERIFIER)

    asked = query(url)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
    assert url.startswith(visit.server.authorize_url)
    assert (asked["code_challenge"], asked["code_challenge_method"]) == (challenge, "S256")
    assert (asked["client_id"], asked["redirect_uri"], asked["state"]) == (visit.client_id, BACK, "s-1")
    assert asked["response_type"] == "code"


def test_a_registration_is_known_until_the_server_forgets_it(visit: Visit) -> None:
    before = visit.oauth.is_known(visit.server, visit.client_id)
    turn(visit.crm.app, "oauth", do="forget_clients")

    assert before
    assert not visit.oauth.is_known(visit.server, visit.client_id)


def test_an_approval_tells_person_workspace_and_rights(visit: Visit) -> None:
    person = visit.oauth.person(visit.server.origin, visit.tokens().access)

    assert person.email == "admin@acme.test"
    assert person.workspace.name
    assert person.may_change_model
    assert person.may_make_webhooks


def test_an_admin_is_told_by_rights_and_never_by_the_roles_name(visit: Visit) -> None:
    turn(visit.crm.app, "users", do="add", email="m@acme.test", role="member", firstName="Max", lastName="M.")
    turn(visit.crm.app, "roles", role="member", label="Admin")
    turn(visit.crm.app, "roles", role="admin", label="Boss")

    member = visit.oauth.person(visit.server.origin, visit.tokens("m@acme.test").access)
    boss = visit.oauth.person(visit.server.origin, visit.tokens().access)

    assert (member.name, member.may_change_model) == ("Max M.", False)
    assert boss.may_change_model


def test_a_token_is_renewed_again_and_again_by_the_same_refresh_token(visit: Visit) -> None:
    first = visit.tokens()

    for _ in range(2):
        new = visit.oauth.refresh(visit.server.token_url, visit.client_id, first.refresh)
        assert visit.oauth.person(visit.server.origin, new.access).email == "admin@acme.test"


@pytest.mark.parametrize("what", ["expire_refresh", "forget_clients"])
def test_a_grant_that_is_over_is_told_from_trouble(visit: Visit, what: str) -> None:
    tokens = visit.tokens()
    turn(visit.crm.app, "oauth", do=what)

    with pytest.raises(ReconnectError) as caught:
        visit.oauth.refresh(visit.server.token_url, visit.client_id, tokens.refresh)
    assert caught.value.code == "crm_grant"


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 200, "body": "<html>"}, {"cut": "before"}])
def test_trouble_while_renewing_ends_nothing(visit: Visit, fault: dict[str, Any]) -> None:
    tokens = visit.tokens()
    visit.crm.dial("POST /oauth/token", fault)

    with pytest.raises(TryLaterError):
        visit.oauth.refresh(visit.server.token_url, visit.client_id, tokens.refresh)


def test_a_code_counts_once(visit: Visit) -> None:
    code = visit.code()
    visit.oauth.exchange(visit.server.token_url, visit.client_id, code, verifier=VERIFIER)

    with pytest.raises(RefusedError) as caught:
        visit.oauth.exchange(visit.server.token_url, visit.client_id, code, verifier=VERIFIER)
    assert caught.value.code == "crm_code"


def test_a_code_of_another_verifier_is_not_taken(visit: Visit) -> None:
    with pytest.raises(RefusedError) as caught:
        visit.oauth.exchange(visit.server.token_url, visit.client_id, visit.code(), verifier="x" * 64)
    assert caught.value.code == "crm_code"


# --- what is recorded of a real server


NOS: dict[int, tuple[oauth_refusals.Words, str]] = {
    32: (oauth_refusals.of_registration, "crm_redirect"),
    33: (oauth_refusals.of_registration, "crm_oauth_refused"),
    905: (oauth_refusals.of_registration, "crm_register_limit"),
    **dict.fromkeys((43, 45, 46, 49), (oauth_refusals.of_code, "crm_code")),
    44: (oauth_refusals.of_code, "crm_oauth_refused"),
    47: (oauth_refusals.of_code, "crm_client"),
    55: (oauth_refusals.of_code, "crm_oauth_refused"),
    **dict.fromkeys((53, 54), (oauth_refusals.of_refresh, "crm_grant")),
    906: (oauth_refusals.of_refresh, "crm_oauth_limit"),
}


@pytest.mark.parametrize("number", NOS)
def test_every_recorded_no_has_its_meaning(number: int) -> None:
    words, code = NOS[number]
    answer = recorded(number)["response"]

    error = words(oauth_refusals.read(answer["status"], json.dumps(answer["body"]).encode()))

    assert error.code == code
    assert error.remedy


def test_a_limit_says_how_long() -> None:
    hour = oauth_refusals.of_registration(oauth_refusals.Refusal(429, "rate_limit_exceeded", ""))
    minute = oauth_refusals.of_refresh(oauth_refusals.Refusal(429, "rate_limit_exceeded", ""))

    assert isinstance(hour, TryLaterError)
    assert isinstance(minute, TryLaterError)
    assert (hour.after, minute.after) == (3600, 60)


def test_the_texts_of_a_refusal_are_never_repeated() -> None:
    body = json.dumps({"error": "weird stuff", "error_description": "eyJ-secret"}).encode()

    for words in (oauth_refusals.of_code, oauth_refusals.of_refresh, oauth_refusals.of_registration):
        assert "eyJ-secret" not in str(words(oauth_refusals.read(400, body)))


# --- discovery: whom a server may make us trust


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Web:
    """Origins and what they answer at a path; nothing else is there."""

    answers: dict[str, Reply]
    asked: list[str] = field(default_factory=list)

    def session(self, origin: str) -> Web.Session:
        return Web.Session(self, origin)

    @dataclass
    class Session:
        web: Web
        origin: str

        def request(self, method: str, path: str, /, **_more: Any) -> Reply:
            self.web.asked.append(f"{method} {self.origin}{path}")
            return self.web.answers.get(f"{self.origin}{path}", Reply(404, b"<html>nothing"))


def document(origin: str = "https://crm.example.com", **changed: str) -> Reply:
    described = {
        "issuer": origin,
        "authorization_endpoint": f"{origin}/authorize",
        "token_endpoint": f"{origin}/oauth/token",
        "registration_endpoint": f"{origin}/oauth/register",
    }
    return Reply(200, json.dumps(described | changed).encode())


def found(answers: dict[str, Reply], typed: str = "https://crm.example.com") -> CrmServer:
    at_path = {f"{origin}{oauth_discovery.WELL_KNOWN}": reply for origin, reply in answers.items()}
    return oauth_discovery.find(typed, Web(at_path).session)


def refusal(look: Callable[[], Any]) -> ConnectorError:
    with pytest.raises(RefusedError) as caught:
        look()
    return caught.value


@pytest.mark.parametrize(
    ("number", "origin"), [(21, "http://127.0.0.1:3000"), (904, "http://localhost:3000")]
)
def test_the_recorded_documents_are_understood(number: int, origin: str) -> None:
    told = Reply(200, json.dumps(recorded(number)["response"]["body"]).encode())

    server = found({origin: told}, origin)

    assert server.origin == origin
    assert server.token_url == f"{origin}/oauth/token"
    assert server.authorize_url == recorded(number)["response"]["body"]["authorization_endpoint"]


def test_the_address_of_the_pages_leads_to_the_issuer_which_speaks_for_itself() -> None:
    pages, api = "https://app.example.com", "https://api.example.com"
    lying = document(pages, issuer=api, token_endpoint="https://evil.example.net/token")

    server = found({pages: lying, api: document(api, authorization_endpoint=f"{pages}/authorize")}, pages)

    assert server == CrmServer(api, f"{pages}/authorize", f"{api}/oauth/token", f"{api}/oauth/register")


def test_an_issuer_that_does_not_say_so_itself_is_not_believed() -> None:
    victim, evil = "https://crm.example.com", "https://evil.example.net"

    for said in (document("https://other.example.com"), Reply(404, b"")):
        error = refusal(lambda said=said: found({evil: document(evil, issuer=victim), victim: said}, evil))
        assert error.code in ("crm_discovery", "crm_not_twenty")


@pytest.mark.parametrize("endpoint", ["token_endpoint", "registration_endpoint"])
@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example.net/x",
        "https://token.crm.example.com/x",
        "https://crm.example.com:8443/x",
        "http://crm.example.com/x",
        "http://169.254.169.254/latest",
        "javascript:alert(1)",
        "https://crm.example.com@evil.example.net/x",
        "",
    ],
)
def test_what_people_approve_goes_to_the_issuers_own_origin_alone(endpoint: str, elsewhere: str) -> None:
    said = document(**{endpoint: elsewhere})

    assert refusal(lambda: found({"https://crm.example.com": said})).code == "crm_discovery"


@pytest.mark.parametrize(
    "page",
    [
        "https://victim-crm.com/authorize",
        "https://crm.example.com.evil.net/authorize",
        "http://crm.example.com/authorize",
        "javascript:alert(1)",
        "https://victim@evil.net/authorize",
    ],
)
def test_people_are_not_sent_to_approve_on_a_strangers_page(page: str) -> None:
    said = document(authorization_endpoint=page)

    assert refusal(lambda: found({"https://crm.example.com": said})).code == "crm_discovery"


@pytest.mark.parametrize(
    "page", ["https://crm.example.com", "https://app.crm.example.com", "https://app.example.com"]
)
def test_the_page_to_approve_on_may_stand_beside_the_server(page: str) -> None:
    said = document(authorization_endpoint=f"{page}/authorize")

    assert found({"https://crm.example.com": said}).authorize_url == f"{page}/authorize"


def test_an_address_of_digits_has_no_neighbours() -> None:
    said = document("https://10.0.0.1", authorization_endpoint="https://10.0.0.2.0.0.1/authorize")

    assert refusal(lambda: found({"https://10.0.0.1": said}, "https://10.0.0.1")).code == "crm_discovery"


@pytest.mark.parametrize(
    "typed", ["https://acme.twenty.com", "https://app.twenty.com", "https://api.twenty.com"]
)
def test_every_address_of_the_cloud_leads_to_its_api(typed: str) -> None:
    api = "https://api.twenty.com"
    cloud = document(api, authorization_endpoint="https://app.twenty.com/authorize")

    assert found({api: cloud}, typed).origin == api


def test_a_workspace_of_the_cloud_is_known_by_its_own_host() -> None:
    assert oauth_discovery.host_of("https://api.twenty.com", "acme") == "acme.twenty.com"
    assert oauth_discovery.host_of("https://crm.example.com", "acme") == "acme.crm.example.com"
    assert oauth_discovery.host_of("https://evil.net", "acme.twenty.com/#") == ""


def test_a_redirect_is_named_and_not_followed() -> None:
    web = Web({
        f"https://crm.example.com{oauth_discovery.WELL_KNOWN}": Reply(
            301, b"", {"Location": "https://www.example.com/x?y=1"}
        )
    })  # fmt: skip

    error = refusal(lambda: oauth_discovery.find("https://crm.example.com", web.session))

    assert error.code == "crm_moved"
    assert "https://www.example.com" in str(error)
    assert len(web.asked) == 1


@pytest.mark.parametrize(
    "reply", [Reply(404, b"<html>"), Reply(200, b"<html>hello"), Reply(200, b'{"a": 1}')]
)
def test_something_else_is_told_from_an_older_twenty(reply: Reply) -> None:
    at, records = "https://crm.example.com", recorded_refusal()
    known = {f"{at}{oauth_discovery.WELL_KNOWN}": reply}

    assert refusal(lambda: oauth_discovery.find(at, Web(known).session)).code == "crm_not_twenty"
    older = Web(known | {f"{at}/rest/people": records}).session
    assert oauth_discovery.find(at, older) == CrmServer(at)


def recorded_refusal() -> Reply:
    answer = recorded(7)["response"]
    return Reply(answer["status"], json.dumps(answer["body"]).encode())


def test_a_server_in_trouble_is_asked_again_later() -> None:
    with pytest.raises(TryLaterError):
        found({"https://crm.example.com": Reply(503, b"")})


# --- API keys


@pytest.fixture(scope="module")
def mappings() -> MappingSet:
    return load_all(ROOT / "mappings", WHOP, CRM)


def test_a_key_tells_its_workspace_its_end_and_that_nothing_is_missing(
    oauth: TwentyOAuth, crm: Service, mappings: MappingSet
) -> None:
    key = oauth.key(crm.url, twenty.api_keys(crm.app)[1], mappings)

    assert key.workspace.workspace_id == turn(crm.app, "keys", do="admin", workspace=1)["workspaceId"]
    assert key.expires_at is not None
    assert key.lacks == ()
    assert key.may_change_model


def test_what_a_key_may_not_do_is_named(oauth: TwentyOAuth, crm: Service, mappings: MappingSet) -> None:
    reader = turn(crm.app, "keys", do="new", role="read_only")["key"]

    key = oauth.key(crm.url, reader, mappings)

    assert set(key.lacks) == {"write people", "write opportunities"}
    assert not key.may_change_model


def test_checking_a_key_changes_nothing(oauth: TwentyOAuth, crm: Service, mappings: MappingSet) -> None:
    before = crm.ask("GET", "/records/people")

    oauth.key(crm.url, twenty.api_keys(crm.app)[0], mappings)

    assert crm.ask("GET", "/records/people") == before


@pytest.mark.parametrize("do", ["revoke", "expire", "expire_token"])
def test_a_key_that_opens_nothing_says_so(
    oauth: TwentyOAuth, crm: Service, mappings: MappingSet, do: str
) -> None:
    turn(crm.app, "keys", do=do)

    with pytest.raises(ReconnectError) as caught:
        oauth.key(crm.url, twenty.api_keys(crm.app)[0], mappings)
    assert caught.value.code == "crm_credential"


@pytest.mark.parametrize("pasted", ["", "abc", "a.b.c", "a.eyJ0eXBlIjoiQUNDRVNTIn0.c", "a.WzFd.c"])
def test_what_is_no_key_is_refused_before_it_is_sent(pasted: str) -> None:
    assert refusal(lambda: keys.read(pasted)).code == "crm_key_kind"


# --- sessions that know another way


@dataclass
class Fake:
    """Answers in turn, and what was asked."""

    answers: list[Reply]
    asked: list[str] = field(default_factory=list)

    def request(self, method: str, path: str, **_more: Any) -> Reply:
        self.asked.append(path)
        return self.answers.pop(0)


GOOD = Reply(200, b'{"data":{"people":[]}}')
EXPIRED = Reply(401, b'{"statusCode":401,"messages":["Token has expired."],"error":"UNAUTHENTICATED"}')


def of_error(name: str) -> Reply:
    answer = recorded(int(name))["response"]
    return Reply(answer["status"], json.dumps(answer["body"]).encode())


@pytest.mark.parametrize("no", ["092", "093", "094", "095"])
def test_a_token_that_ended_is_renewed_once_and_the_request_sent_again(no: str) -> None:
    sessions = {"old": Fake([of_error(no)]), "new": Fake([GOOD])}
    renewed: list[str] = []

    def renew(refused: str) -> str:
        renewed.append(refused)
        return "new"

    session = RenewingSession("old", open_session=sessions.__getitem__, renew=renew, left=pytest.fail)

    assert session.request("POST", "/graphql") == GOOD
    assert renewed == ["old"]


def test_a_token_that_is_refused_twice_is_left_to_the_caller() -> None:
    sessions = {"old": Fake([EXPIRED]), "new": Fake([EXPIRED])}
    session = RenewingSession(
        "old", open_session=sessions.__getitem__, renew=lambda _token: "new", left=pytest.fail
    )

    assert session.request("GET", "/rest/people") == EXPIRED


@pytest.mark.parametrize("no", ["884", "885"])
def test_of_a_person_who_left_nothing_is_renewed(no: str) -> None:
    told: list[str] = []
    fake = Fake([of_error(no)])
    session = RenewingSession(
        "t", open_session=lambda _token: fake, renew=pytest.fail, left=lambda: told.append("left")
    )

    session.request("POST", "/graphql")

    assert told == ["left"]
    assert len(fake.asked) == 1


def test_data_that_speaks_of_errors_is_no_error() -> None:
    answer = Reply(200, b'{"data":{"people":[{"jobTitle":"\\"errors\\": UNAUTHENTICATED"}]}}')
    session = RenewingSession(
        "t", open_session=lambda _t: Fake([answer]), renew=pytest.fail, left=pytest.fail
    )

    assert session.request("POST", "/graphql") == answer


@pytest.mark.parametrize("no", ["089", "087", "751"])
def test_what_the_key_may_not_do_a_person_does(no: str) -> None:
    first, deputy = Fake([of_error(no)]), Fake([GOOD])

    assert DeputySession(first, lambda: deputy).request("POST", "/metadata") == GOOD


def test_without_a_person_the_keys_refusal_stands() -> None:
    no = of_error("087")

    assert DeputySession(Fake([no]), lambda: None).request("GET", "/rest/metadata/objects") == no


def test_nobody_is_asked_where_the_key_may() -> None:
    session = DeputySession(Fake([GOOD]), lambda: pytest.fail("asked"))

    assert session.request("POST", "/graphql") == GOOD
