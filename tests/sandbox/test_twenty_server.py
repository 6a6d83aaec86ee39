"""Keys, rate limits, scripted faults, counters and the journal."""

import re
from collections.abc import Iterator
from http.client import HTTPConnection, IncompleteRead, RemoteDisconnected
from pathlib import Path
from threading import Thread

import pytest
from twenty_helpers import Clock, Twenty, error_of
from werkzeug.serving import make_server

from connector.sandbox.twenty import api_keys, create_app

ONE = "{people(first:1){totalCount}}"
REFUSED = "Limit reached (100 tokens per 60000 ms)"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limited(clock: Clock) -> Twenty:
    """A workspace whose bucket of the minute is empty: 100 calls, spread over two seconds."""
    twenty = Twenty(rate_limited=True, now=clock)
    for at in range(100):
        assert twenty.send("GET", "/rest/people?limit=1").status_code == 200, at
    clock.at += 0.5
    return twenty


def turn(twenty: Twenty, **given: object) -> dict[str, str]:
    return twenty.client.post("/sandbox/keys", json=given).get_json()


def test_the_101st_call_is_refused_without_a_word_on_when_to_return(limited: Twenty) -> None:
    answer = limited.send("GET", "/rest/people?limit=1")

    assert answer.status_code == 429
    assert answer.get_json() == {"statusCode": 429, "error": "HttpException", "messages": [REFUSED]}
    assert "Retry-After" not in answer.headers


def test_graphql_refuses_each_root_field_with_http_200(limited: Twenty) -> None:
    answer = limited.send("POST", "/graphql", {"query": "{people{totalCount} companies{totalCount}}"})

    body = answer.get_json()
    assert answer.status_code == 200
    assert body["data"] == {"people": None, "companies": None}
    codes = [(each["message"], each["extensions"]["subCode"]) for each in body["errors"]]
    assert codes == [(REFUSED, "LIMIT_REACHED")] * 2


def test_a_second_key_shares_the_bucket_and_metadata_has_none(limited: Twenty) -> None:
    other = turn(limited, do="new")["key"]

    assert limited.send("GET", "/rest/people", key=other).status_code == 429
    assert limited.send("GET", "/rest/metadata/objects?limit=1").status_code == 200


def test_another_workspace_has_a_bucket_of_its_own(clock: Clock) -> None:
    first = Twenty(rate_limited=True, now=clock, workspaces=2)
    second = Twenty(first.app, 1)
    for _ in range(100):
        first.send("GET", "/rest/people?limit=0")

    assert first.send("GET", "/rest/people?limit=0").status_code == 429
    assert second.send("GET", "/rest/people?limit=0").status_code == 200


def test_17_calls_pass_after_ten_quiet_seconds(limited: Twenty, clock: Clock) -> None:
    clock.at += 9.7

    passed = sum(limited.send("GET", "/rest/people").status_code == 200 for _ in range(30))

    assert passed in (16, 17)


def test_a_failing_call_costs_a_token_too(clock: Clock) -> None:
    twenty = Twenty(rate_limited=True, now=clock)
    for _ in range(100):
        assert twenty.send("POST", "/rest/people", {"nope": 1}).status_code == 400

    assert twenty.send("POST", "/rest/people", {"nope": 1}).status_code == 429


@pytest.mark.parametrize(
    ("act", "status", "text", "code"),
    [
        ("revoke", 403, "This API Key is revoked", "FORBIDDEN"),
        ("expire", 403, "This API Key is expired", "FORBIDDEN"),
        ("expire_token", 401, "Token has expired.", "UNAUTHENTICATED"),
    ],
)
def test_a_key_that_is_gone_is_told_so(act: str, status: int, text: str, code: str) -> None:
    twenty = Twenty()
    turn(twenty, do=act)

    answer = twenty.send("GET", "/rest/people")
    assert (answer.status_code, answer.get_json()["messages"]) == (status, [text])
    message, extensions = error_of(twenty.gql(ONE))
    assert (message, extensions["code"]) == (text, code)
    turn(twenty, do="renew")
    assert twenty.send("GET", "/rest/people").status_code == 200


def test_workspaces_see_nothing_of_each_other() -> None:
    first = Twenty(workspaces=2)
    second = Twenty(first.app, 1)
    made = first.person()

    assert second.send("GET", f"/rest/people/{made['id']}").status_code == 404
    assert second.person(id=made["id"])["id"] == made["id"]
    assert len(first.stored()) == 1


def test_a_request_line_of_17000_signs_gets_431_and_no_body() -> None:
    answer = Twenty().send("GET", "/rest/people?filter=" + "x" * 17_000)

    assert (answer.status_code, answer.get_data()) == (431, b"")


def test_a_scripted_fault_hits_the_chosen_calls_only() -> None:
    twenty = Twenty()
    fault = {"status": 502, "body": "Bad gateway", "headers": {"Retry-After": "7"}}
    twenty.client.post("/sandbox/dials", json={"match": "people", "skip": 1, "times": 2, "fault": fault})

    answers = [twenty.send("POST", "/graphql", {"query": ONE}) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 502, 502, 200]
    assert answers[1].headers["Retry-After"] == "7"


def test_a_fault_after_the_work_leaves_the_work_done() -> None:
    twenty = Twenty()
    gone = {"message": "connect ECONNREFUSED", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}
    dial = {"match": "createPeople", "fault": {"graphql_error": gone, "when": "after"}}
    twenty.client.post("/sandbox/dials", json=dial)

    answer = twenty.create("People", "id", [{}])

    assert answer == {"data": {"createPeople": None}, "errors": [gone]}
    assert len(twenty.stored()) == 1


@pytest.mark.parametrize(("when", "rows"), [("before", 0), ("after", 1)])
def test_a_cut_connection_leaves_the_work_undone_or_done(when: str, rows: int) -> None:
    twenty = Twenty()
    twenty.client.post("/sandbox/dials", json={"match": "POST /rest/people", "fault": {"cut": when}})

    with pytest.raises(ConnectionResetError):
        twenty.send("POST", "/rest/people", {})

    assert len(twenty.stored()) == rows


@pytest.fixture
def served() -> Iterator[tuple[Twenty, str]]:
    """A sandbox behind a real socket, and its address."""
    twenty = Twenty()
    server = make_server("127.0.0.1", 0, twenty.app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield twenty, f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def asked(twenty: Twenty, address: str) -> bytes:
    line = HTTPConnection(address, timeout=5)
    try:
        line.request("GET", "/rest/people", headers={"Authorization": f"Bearer {twenty.key}"})
        return line.getresponse().read()
    finally:
        line.close()


def test_over_a_real_line_a_cut_is_the_end_of_the_connection(served: tuple[Twenty, str]) -> None:
    twenty, address = served
    twenty.client.post("/sandbox/dials", json={"match": "GET /rest", "times": 1, "fault": {"cut": "after"}})

    with pytest.raises((RemoteDisconnected, ConnectionResetError)):
        asked(twenty, address)
    assert b"totalCount" in asked(twenty, address)


def test_over_a_real_line_a_truncated_answer_is_incomplete(served: tuple[Twenty, str]) -> None:
    twenty, address = served
    twenty.client.post("/sandbox/dials", json={"match": "GET /rest", "fault": {"truncate": 20}})

    with pytest.raises(IncompleteRead) as caught:
        asked(twenty, address)
    assert len(caught.value.partial) == 20


def test_an_answer_can_end_in_its_middle_or_come_late() -> None:
    slept: list[float] = []
    twenty = Twenty(sleep=slept.append)
    twenty.client.post("/sandbox/dials", json={"match": "GET /rest", "fault": {"truncate": 9, "delay": 3}})

    answer = twenty.send("GET", "/rest/people")

    assert answer.get_data() == b'{"data":{'
    assert slept == [3]
    twenty.client.delete("/sandbox/dials")
    assert twenty.send("GET", "/rest/people").get_json()["totalCount"] == 0


def test_counters_tell_requests_and_rows() -> None:
    twenty = Twenty()
    made = twenty.people([{}, {}])
    twenty.people([{"id": made[0]["id"]}], upsert=True)
    twenty.send("GET", f"/rest/people/{made[0]['id']}")

    stats = twenty.client.get("/sandbox/stats").get_json()

    expected = {"createPeople": 2, "GET /rest/people/{id}": 1, "total": 3, "refused": 0}
    assert stats["requests"] == expected
    assert (stats["rows"]["created"], stats["rows"]["updated"]) == ({"person": 2}, {"person": 1})
    assert twenty.client.delete("/sandbox/stats").get_json()["requests"] == {"total": 0, "refused": 0}


def test_refusals_of_the_limit_are_counted(limited: Twenty) -> None:
    limited.send("GET", "/rest/people")

    assert limited.client.get("/sandbox/stats").get_json()["requests"]["refused"] == 1


def test_recorded_times_are_slept_for_the_rows_written() -> None:
    slept: list[float] = []
    twenty = Twenty(recorded_times=True, sleep=slept.append)

    twenty.people([{} for _ in range(200)])

    assert slept[-1] == pytest.approx(0.705)


def test_a_second_start_finds_everything_again(tmp_path: Path) -> None:
    first = Twenty(data_dir=tmp_path, workspaces=2).with_fields()
    kept, gone = first.people([{"whopUserId": "u1"}, {}])
    first.rest("DELETE", f"/rest/people/{gone['id']}")
    rows = first.stored()

    second = Twenty(data_dir=tmp_path, workspaces=2)

    assert second.key == first.key == (tmp_path / "api-key").read_text()
    assert (tmp_path / "api-key").stat().st_mode & 0o777 == 0o600
    assert second.stored() == rows
    assert [row["id"] for row in second.stored()] == [kept["id"]]
    assert (
        error_of(second.create("People", "id", [{"whopUserId": "u1"}]))[1]["conflictingRecordId"]
        == kept["id"]
    )


def test_half_of_a_failed_upsert_is_in_the_journal_too(tmp_path: Path) -> None:
    first = Twenty(data_dir=tmp_path)
    one, two = first.people([{}, {}])
    dead = "11111111-1111-4111-8111-111111111111"
    rows = [{"id": one["id"], "jobTitle": "new"}, {"id": two["id"], "companyId": dead}]
    first.create("People", "id", rows, upsert=True)

    second = Twenty(data_dir=tmp_path)

    assert second.by_id(one["id"])["jobTitle"] == "new"


def test_a_key_is_a_jwt_of_three_parts_per_workspace() -> None:
    keys = api_keys(create_app(workspaces=3))

    assert len(set(keys)) == 3
    assert all(re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", key) for key in keys)
