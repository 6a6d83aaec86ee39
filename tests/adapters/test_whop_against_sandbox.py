"""The reader through the real door, over HTTP, against a Whop that shares no code with it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict
from werkzeug.serving import WSGIRequestHandler, make_server

from connector.core.records import SourceRecord
from connector.errors import ReconnectError, RefusedError, TryLaterError
from connector.outbound import AllowList, Door, OutboundResponse
from connector.sandbox.whop import create_app
from connector.sources.whop import CATALOGUE, WhopReader, headers
from connector.sources.whop.granted import PERMISSIONS

MEMBERS, MEMBERSHIPS, SEED = 240, 300, 7


class Quiet(WSGIRequestHandler):
    """Keeps connections open as Whop does, and writes no log."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:
        pass


class Sandbox:
    """A running sandbox, a door to it, and its control panel."""

    def __init__(self, app: Any, url: str, door: Door) -> None:
        parts = app.extensions["whop"]
        self.company = parts.world.home.company.id
        self.neighbour = parts.world.neighbour.company.id
        self.key = parts.keyring.main
        self._neighbours = parts.world.neighbour.tables
        self._url, self._door = url, door

    def reader(self, company_id: str | None = None, *, page_size: int = 100) -> WhopReader:
        session = self._door.session(f"{self._url}/api/v1", headers=headers(self.key))
        return WhopReader(session, company_id=company_id or self.company, page_size=page_size)

    def control(self, method: str, path: str, json: Any = None) -> Any:
        answer = self._door.session(self._url).request(method, f"/sandbox{path}", json=json)
        assert answer.status < 300, answer.body
        return answer.json()

    def true_records(self, kind: str) -> list[dict[str, Any]]:
        """Every record of the company, by the sandbox's own account."""
        return self.control("GET", f"/records/{kind}s")

    def neighbour_ids(self, kind: str) -> list[str]:
        table = self._neighbours[f"{kind}s"]
        return [table.ids.of(index) for index in range(3)]

    def fault(self, match: str, fault: dict[str, Any], **more: Any) -> None:
        self.control("POST", "/dials", {"match": match, "fault": fault, **more})


@contextmanager
def serving(app: Any) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    app = create_app(members=MEMBERS, memberships=MEMBERSHIPS, seed=SEED, limited=False)
    door = Door(
        connect_timeout=5,
        read_timeout=10,
        allowed_private=AllowList.of(["127.0.0.1"]),
        user_agent="connector/test",
        sleep=lambda _seconds: None,
    )
    with serving(app) as url:
        yield Sandbox(app, url, door)
        door.close()


@pytest.fixture
def whop(running: Sandbox) -> Iterator[Sandbox]:
    yield running
    running.control("DELETE", "/dials")
    running.control("POST", "/keys", {"do": "reset"})


def records(reader: WhopReader, kind: str) -> list[SourceRecord]:
    items = [item for page in reader.pages(kind, None) for item in page.items]
    assert all(isinstance(item, SourceRecord) for item in items)
    return items


def as_sent(value: Any, sent: Any) -> Any:
    """Money that was a bare number on its way is compared as one."""
    return float(value["amount"]) if isinstance(value, dict) and isinstance(sent, float) else value


# --- everything is read, and once ---


@pytest.mark.parametrize("kind", CATALOGUE.order)
@pytest.mark.parametrize("page_size", [7, 100])
def test_every_record_is_read_once(whop: Sandbox, kind: str, page_size: int) -> None:
    found = [record.ref.id for record in records(whop.reader(page_size=page_size), kind)]

    assert len(found) == len(set(found))
    assert set(found) == {record["id"] for record in whop.true_records(kind)}


@pytest.mark.parametrize("kind", CATALOGUE.order)
def test_what_is_read_is_what_was_sent(whop: Sandbox, kind: str) -> None:
    true = {record["id"]: record for record in whop.true_records(kind)}

    for record in records(whop.reader(), kind):
        sent = {name: true[record.ref.id][name] for name in record.fields}
        assert {name: as_sent(value, sent[name]) for name, value in record.fields.items()} == sent


@pytest.mark.parametrize("kind", CATALOGUE.order)
def test_the_oldest_come_first(whop: Sandbox, kind: str) -> None:
    made = [record.fields["created_at"] for record in records(whop.reader(), kind)]

    assert made == sorted(made)


def test_a_reading_is_resumed_where_it_stopped(whop: Sandbox) -> None:
    first = next(iter(whop.reader(page_size=50).pages("member", None)))

    rest = [
        item.ref for page in whop.reader(page_size=50).pages("member", first.cursor) for item in page.items
    ]

    assert len(rest) == MEMBERS - 50
    assert not {item.ref for item in first.items} & set(rest)


def test_the_cursor_of_the_last_page_leads_to_nothing(whop: Sandbox) -> None:
    *_, last = whop.reader().pages("member", None)

    (after,) = whop.reader().pages("member", last.cursor)

    assert last.last
    assert after.last
    assert after.items == ()


def test_a_member_who_joins_meanwhile_is_read_too(whop: Sandbox) -> None:
    pages = whop.reader(page_size=100).pages("member", None)
    next(pages)

    added = whop.control("POST", "/records/members", {})
    try:
        rest = [item.ref.id for page in pages for item in page.items]
    finally:
        whop.control("DELETE", f"/records/members/{added['id']}")

    assert rest[-1] == added["id"]
    assert len(rest) == MEMBERS - 100 + 1


# --- awkward people ---


def test_awkward_people_are_read_as_they_are(whop: Sandbox) -> None:
    people = [record.fields for record in records(whop.reader(), "member")]
    names = {person["display_name"] for person in people}

    assert any("\x00" in name for name in names)
    assert any(name.startswith("<script>") for name in names)
    assert any("\u202e" in name for name in names)
    assert any(len(name) > 250 for name in names)
    assert any(not name.isascii() and name.isprintable() for name in names)
    assert any(person["user"] is None for person in people)
    assert any(person["user"] and person["user"]["name"] is None for person in people)
    assert any(person["email"] is None for person in people)


def test_unclaimed_memberships_and_money_of_every_kind_are_read(whop: Sandbox) -> None:
    memberships = [record.fields for record in records(whop.reader(), "membership")]

    assert any(one["member_id"] is None and one["user_id"] is None for one in memberships)
    assert {"usd", "jpy", "kwd"} <= {one["initial_price"]["currency"] for one in memberships}
    assert {"drafted", "unresolved", "canceling", "past_due"} <= {one["status"] for one in memberships}


# --- single records ---


@pytest.mark.parametrize("kind", CATALOGUE.order)
def test_single_records_agree_with_the_list(whop: Sandbox, kind: str) -> None:
    listed = {record.ref.id: record for record in records(whop.reader(), kind)[:5]}

    found = whop.reader().fetch(kind, [*listed, "gone_1"])

    assert found.keys() == listed.keys()
    for id_, record in listed.items():
        assert found[id_].ref == record.ref
        assert found[id_].updated_at == record.updated_at
        assert record.fields.items() <= found[id_].fields.items()


def test_members_are_fetched_by_their_users_in_one_request(whop: Sandbox) -> None:
    users = {one["user"]["id"]: one["id"] for one in whop.true_records("member")[:150] if one["user"]}
    whop.control("DELETE", "/stats")

    found = whop.reader().fetch("member", [*users, "user_nobody"])

    assert {user: record.ref.id for user, record in found.items()} == users
    asked = whop.control("GET", "/stats")["requests"]
    assert asked["GET /members"] == -(-(len(users) + 1) // 100)
    assert "GET /members/{id}" not in asked


def test_a_person_is_read_by_id(whop: Sandbox) -> None:
    user = next(one["user"] for one in whop.true_records("member") if one["user"])

    found = whop.reader().fetch("user", [user["id"], "user_nobody"])

    assert found.keys() == {user["id"]}
    assert found[user["id"]].fields["username"] == user["username"]


# --- another company ---


@pytest.mark.parametrize("kind", CATALOGUE.order)
def test_another_company_is_not_readable(whop: Sandbox, kind: str) -> None:
    with pytest.raises(ReconnectError, match="shows nothing of"):
        records(whop.reader(whop.neighbour), kind)


@pytest.mark.parametrize("kind", CATALOGUE.order)
def test_another_company_s_records_are_absent(whop: Sandbox, kind: str) -> None:
    assert whop.reader().fetch(kind, whop.neighbour_ids(kind)) == {}


def test_the_key_of_another_company_is_told(whop: Sandbox) -> None:
    with pytest.raises(RefusedError, match=whop.neighbour):
        whop.reader(whop.neighbour).account()


# --- keys and permissions ---


def test_the_account_behind_the_key_is_told(whop: Sandbox) -> None:
    account = whop.reader().account()

    assert (account.company_id, account.title) == (whop.company, "Northwind Trading Circle")
    assert account.missing == ()


@pytest.mark.parametrize("do", ["expire", "revoke"])
def test_a_key_that_ended_asks_for_a_new_one(whop: Sandbox, do: str) -> None:
    whop.control("POST", "/keys", {"do": do})

    with pytest.raises(ReconnectError) as raised:
        whop.reader().account()

    assert raised.value.code == "whop_key"
    assert whop.key not in f"{raised.value} {raised.value.remedy}"


def test_without_the_email_permission_emails_are_unknown(whop: Sandbox) -> None:
    allowed = ["company:basic:read", "member:basic:read", "member:phone:read"]
    whop.control("POST", "/keys", {"do": "restrict", "permissions": allowed})
    reader = whop.reader()

    assert "member:email:read" in reader.account().missing
    people = records(reader, "member")
    assert len(people) == MEMBERS
    assert not any("email" in person.fields for person in people)
    assert all("phone_number" in person.fields for person in people)


# --- trouble on the way ---


@pytest.mark.parametrize(
    ("fault", "after"),
    [
        ({"status": 429}, 12),
        ({"status": 429, "headers": {"Retry-After": "7"}}, 7),
        ({"status": 500}, None),
        ({"status": 503, "body": "<html>down</html>"}, None),
        ({"status": 200, "body": "<html>hello</html>"}, None),
        ({"status": 404, "body": "<html>gone</html>"}, None),
        ({"truncate": 200}, None),
        ({"cut": True}, None),
    ],
)
def test_trouble_means_later_and_nothing_is_lost(
    whop: Sandbox, fault: dict[str, Any], after: float | None
) -> None:
    pages = whop.reader(page_size=100).pages("member", None)
    first = next(pages)
    whop.fault("GET /members$", fault, times=3)

    with pytest.raises(TryLaterError) as raised:
        next(pages)
    whop.control("DELETE", "/dials")
    rest = [item for page in whop.reader(page_size=100).pages("member", first.cursor) for item in page.items]

    assert raised.value.after == after
    assert len(first.items) + len(rest) == MEMBERS


def test_a_short_outage_is_not_noticed(whop: Sandbox) -> None:
    whop.fault("GET /members$", {"status": 502, "body": "<html>502</html>"}, times=2)

    assert len(records(whop.reader(), "member")) == MEMBERS


def test_a_proxy_s_404_is_no_absence(whop: Sandbox) -> None:
    id_ = whop.true_records("membership")[0]["id"]
    whop.fault("GET /memberships/", {"status": 404, "body": "<html>404</html>"})

    with pytest.raises(TryLaterError):
        whop.reader().fetch("membership", [id_])


# --- what is withdrawn while it is read ---


def test_rows_that_go_with_a_permission_are_no_end(whop: Sandbox) -> None:
    pages = whop.reader(page_size=100).pages("membership", None)
    next(iter(pages))

    whop.control("POST", "/keys", {"do": "restrict", "permissions": ["company:basic:read"]})

    with pytest.raises(ReconnectError):
        list(pages)


@pytest.mark.parametrize(
    ("left", "code"), [(["plan:basic:read"], "whop_scope"), ([], "whop_unseen")], ids=["scope", "company"]
)
def test_rows_that_go_silently_are_no_end_either(whop: Sandbox, left: list[str], code: str) -> None:
    pages = whop.reader(page_size=100).pages("membership", None)
    next(iter(pages))

    whop.control("POST", "/keys", {"do": "restrict", "permissions": left, "quiet": True})

    with pytest.raises(ReconnectError) as raised:
        list(pages)
    assert raised.value.code == code


def test_a_value_that_goes_with_a_permission_is_unknown_and_not_empty(whop: Sandbox) -> None:
    true = {one["id"]: one for one in whop.true_records("member")}
    pages = iter(whop.reader(page_size=100).pages("member", None))
    first = next(pages)
    allowed = [one for one in PERMISSIONS if one != "member:email:read"]

    whop.control("POST", "/keys", {"do": "restrict", "permissions": allowed})
    rest = [item for page in pages for item in page.items]

    assert {item.ref.id for item in [*first.items, *rest]} == set(true)
    assert all(item.fields["email"] == true[item.ref.id]["email"] for item in first.items)
    assert rest
    assert all("email" not in item.fields for item in rest)


# --- how much is asked ---


class InProcess:
    """A session of a sandbox in this process, with dials of its own."""

    def __init__(self, **sizes: int) -> None:
        self.app = create_app(seed=SEED, **sizes)
        self.parts = self.app.extensions["whop"]
        self.http = self.app.test_client()

    def request(self, method: str, path: str, /, *, params: Any = None, headers: Any = None) -> Any:
        sent = {"Authorization": f"Bearer {self.parts.keyring.main}", **(headers or {})}
        answer = self.http.open(f"/api/v1{path}", method=method, query_string=params, headers=sent)
        return OutboundResponse(
            answer.status_code, CaseInsensitiveDict(answer.headers), answer.data, "https://whop.example"
        )

    def reader(self, page_size: int = 100) -> WhopReader:
        return WhopReader(self, company_id=self.parts.world.home.company.id, page_size=page_size)


def test_ten_thousand_memberships_are_read_in_a_hundred_lists() -> None:
    whop = InProcess(members=9_000, memberships=10_000)

    found = records(whop.reader(), "membership")

    assert len({record.ref for record in found}) == 10_000
    assert whop.parts.stats.requests["GET /memberships"] <= 101


def test_what_changes_or_goes_while_it_is_read_makes_no_gap() -> None:
    whop = InProcess(members=120)
    ids = [record.ref.id for record in records(whop.reader(), "member")]
    pages = iter(whop.reader(page_size=50).pages("member", None))
    first = [item.ref.id for item in next(pages).items]

    whop.http.delete(f"/sandbox/records/members/{first[3]}")
    whop.http.delete(f"/sandbox/records/members/{ids[60]}")
    whop.http.patch(f"/sandbox/records/members/{ids[70]}", json={"phone_number": "+4712345678"})
    rest = [item for page in pages for item in page.items]

    assert [*first, *(item.ref.id for item in rest)] == [id_ for id_ in ids if id_ != ids[60]]
    assert next(item for item in rest if item.ref.id == ids[70]).fields["phone_number"] == "+4712345678"
