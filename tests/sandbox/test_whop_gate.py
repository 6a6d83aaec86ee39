"""Who may come in: credentials, versions, permissions, limits, other companies."""

import stat
from pathlib import Path

import pytest
from whop_caller import Caller, fixture

from connector.sandbox.whop.errors import ApiError
from connector.sandbox.whop.limits import Limiter


@pytest.fixture
def whop() -> Caller:
    return Caller(members=60)


def error(name: str) -> dict[str, object]:
    found = fixture(f"errors/{name}.json")
    return {"status": found["status"], "body": found["body"]}


def asked(whop: Caller, path: str, **query: str) -> dict[str, object]:
    answer = whop.ask(path, **query)
    return {"status": answer.status_code, "body": answer.get_json()}


@pytest.mark.parametrize("header", ["", "Bearer ", "Bearer wrong", "Basic abc"])
def test_a_missing_or_wrong_credential_is_401(whop: Caller, header: str) -> None:
    whop.headers["Authorization"] = header

    assert asked(whop, "/members") == error("401.missing")


def test_an_expired_token_is_401_with_its_own_text(whop: Caller) -> None:
    whop.turn("POST", "/keys", {"do": "expire"})

    assert asked(whop, "/members") == error("401.expired")


def test_a_revoked_key_is_401_until_restored(whop: Caller) -> None:
    whop.turn("POST", "/keys", {"do": "revoke"})
    assert asked(whop, "/members") == error("401.missing")

    whop.turn("POST", "/keys", {"do": "restore"})

    assert whop.ask("/members").status_code == 200


def test_a_list_without_its_permission_is_403(whop: Caller) -> None:
    whop.turn("POST", "/keys", {"do": "restrict", "permissions": ["plan:basic:read"]})

    assert asked(whop, "/members") == error("403.scope")
    assert whop.ask("/plans").status_code == 200


def test_email_and_phone_are_null_without_their_permissions(whop: Caller) -> None:
    basic = ["member:basic:read", "payment:basic:read"]
    whop.turn("POST", "/keys", {"do": "restrict", "permissions": basic})

    members, payments = whop.every("members"), whop.every("payments")

    assert {member["email"] for member in members} == {None}
    assert {member["phone_number"] for member in members} == {None}
    assert {payment["customer_email"] for payment in payments} == {None}
    assert {held["phone_number"] for held in whop.every("memberships")} == {None}


def test_payments_hide_members_without_member_read(whop: Caller) -> None:
    whop.turn("POST", "/keys", {"do": "restrict", "permissions": ["payment:basic:read"]})

    payments = whop.every("payments")

    assert {(payment["member_id"], payment["membership_id"]) for payment in payments} == {(None, None)}


def test_permissions_tell_what_is_granted(whop: Caller) -> None:
    whop.turn("POST", "/keys", {"do": "restrict", "permissions": ["member:basic:read"]})
    account = whop.parts.world.home.company.id
    actions = "member:basic:read,member:email:read"

    own = whop.read("/permissions", resource_id=account, actions=actions)
    unseen = whop.read("/permissions", resource_id="biz_unseen", actions=actions)

    assert [one["granted"] for one in own["data"]] == [True, False]
    assert [one["granted"] for one in unseen["data"]] == [False, False]


def test_a_full_key_has_the_permissions_of_the_fixture(whop: Caller) -> None:
    granted = {one["action"] for one in whop.read("/permissions")["data"]}

    assert granted >= {one["action"] for one in fixture("current/permissions/api_key_full.json")["data"]}


def test_an_unknown_version_is_refused_with_the_list(whop: Caller) -> None:
    whop.headers["Api-Version-Date"] = "2026-13-01"

    assert asked(whop, "/members") == error("400.unknown-version")


def test_without_version_the_keys_own_pin_counts(whop: Caller) -> None:
    with_header = whop.read("/members")
    del whop.headers["Api-Version-Date"]

    assert whop.read("/members") == with_header


def test_an_unknown_record_is_404(whop: Caller) -> None:
    assert asked(whop, "/memberships/mem_11111111111111") == error("404.not-found")
    assert whop.ask("/memberships/" + "x" * 18).status_code == 404
    assert whop.ask("/nothing/here").get_json()["error"]["type"] == "not_found"


def test_the_neighbours_records_are_404(whop: Caller) -> None:
    neighbour = whop.parts.world.neighbour
    for kind, table in neighbour.tables.items():
        names = [table.ids.of(index) for index in table.generated()]

        assert names or kind in ("refunds", "disputes")
        assert {whop.ask(f"/{kind}/{name}").status_code for name in names} <= {404}


def test_the_neighbours_account_gives_fewer_rows_not_an_error(whop: Caller) -> None:
    foreign = whop.parts.world.neighbour.company.id

    for kind in ("members", "memberships", "payments", "refunds", "disputes"):
        assert whop.read(f"/{kind}", account_id=foreign)["data"] == []
    assert whop.every("members", account_id=whop.parts.world.home.company.id) == whop.every("members")


def test_no_list_shows_the_neighbour_to_an_account_key(whop: Caller) -> None:
    own = whop.parts.world.home.company.id

    for kind in ("products", "plans"):
        assert {record["account"]["id"] for record in whop.every(kind)} == {own}
    assert [account["id"] for account in whop.every("accounts")] == [own]


def test_products_without_account_are_the_marketplace_for_a_user(whop: Caller) -> None:
    made = whop.turn(
        "POST", "/keys", {"do": "issue", "kind": "user", "permissions": ["access_pass:basic:read"]}
    )
    whop.headers["Authorization"] = f"Bearer {made['key']}"
    own, foreign = (shelf.company.id for shelf in (whop.parts.world.home, whop.parts.world.neighbour))

    market = [product for page in whop.pages("products", first=2) for product in page["data"]]

    assert {product["account"]["id"] for product in market} == {own, foreign}
    assert {product["visibility"] for product in market} == {"visible"}
    assert {one["account"]["id"] for one in whop.every("products", account_id=own)} == {own}


def test_accounts_me_is_for_account_keys_only(whop: Caller) -> None:
    assert whop.read("/accounts/me")["title"] == "Northwind Trading Circle"
    made = whop.turn("POST", "/keys", {"do": "issue", "kind": "user", "permissions": ["company:basic:read"]})
    whop.headers["Authorization"] = f"Bearer {made['key']}"

    assert asked(whop, "/accounts/me") == error("403.foreign-account")


def test_the_601st_request_of_a_minute_waits() -> None:
    now = [100.0]
    limiter = Limiter(monotonic=lambda: now[0])
    for _ in range(600):
        limiter.count("GET /members", "key")
    now[0] += 48

    with pytest.raises(ApiError) as refused:
        limiter.count("GET /members", "key")

    assert {"status": refused.value.status, "body": refused.value.body} == error("429.rate-limit.no-header")
    limiter.count("GET /plans", "key")
    limiter.count("GET /members", "another key")
    now[0] += 12
    limiter.count("GET /members", "key")


def test_the_wait_is_in_the_header_only_when_dialled(whop: Caller) -> None:
    whop.turn("POST", "/limits", {"per_minute": 1})
    whop.ask("/members")

    silent = whop.ask("/members")
    whop.turn("POST", "/limits", {"header": True})
    whop.ask("/members")
    told = whop.ask("/members")

    assert (silent.status_code, silent.headers.get("Retry-After")) == (429, None)
    assert told.headers["Retry-After"] in told.get_json()["error"]["message"]


def test_an_unlimited_sandbox_never_refuses() -> None:
    whop = Caller(members=1, limited=False)
    whop.parts.limiter.per_minute = 1

    assert [whop.ask("/members").status_code for _ in range(3)] == [200, 200, 200]


def test_the_key_is_written_for_its_owner_alone_and_stays(tmp_path: Path) -> None:
    first = Caller(members=1, data_dir=tmp_path)
    second = Caller(members=1, data_dir=tmp_path)

    written = tmp_path / "api-key"
    assert written.read_text().strip() == first.parts.keyring.main == second.parts.keyring.main
    assert stat.S_IMODE(written.stat().st_mode) == 0o600


def test_health_needs_no_credential(whop: Caller) -> None:
    assert whop.http.get("/healthz").data == b"ok"
