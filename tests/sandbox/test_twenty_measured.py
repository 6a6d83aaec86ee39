"""What was seen or measured on the real server rather than exchanged in one request."""

from __future__ import annotations

import base64
import json
import threading
from collections import Counter
from typing import Any

import pytest
from tape import Tape
from twenty_helpers import Twenty, email

from connector.sandbox.twenty import pace


def recording(number: int) -> Any:
    return Tape(Twenty()).recording(number)


@pytest.mark.parametrize(
    ("told", "what", "singular"),
    [
        ("REST batch create people x200", "created", "person"),
        ("REST batch upsert-update people x200", "updated", "person"),
    ],
)
def test_recorded_times_are_those_that_were_measured(told: str, what: str, singular: str):
    measured = recording(700)["results"][told]["median_ms"] / 1000

    ours = pace.seconds(Counter({(what, singular): 200}))

    assert ours == pytest.approx(measured, rel=0.1)


def test_thousands_of_values_are_looked_up_at_once():
    twenty = Twenty().with_fields()
    for start in range(0, 1200, 200):
        twenty.people([{"whopUserId": f"u{at}"} for at in range(start, start + 200)])
    query = "query($f:X,$n:Int){people(filter:$f,first:$n){edges{node{id}}}}"
    wanted = {"whopUserId": {"in": [f"u{at}" for at in range(10_000)]}}

    found = twenty.gql(query, f=wanted, n=12_000)["data"]["people"]["edges"]

    assert len(found) == 1200


def test_of_equal_creates_one_is_written_and_the_others_are_refused():
    twenty = Twenty()
    rows = [{"id": f"{at:08d}-278f-5dd3-b3a2-76029b3e9112"} for at in range(50)]
    results: list[str] = []

    def send() -> None:
        answer = twenty.create("People", "id", rows)
        results.append(answer["errors"][0]["message"] if "errors" in answer else "50 written")

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(results) == sorted(recording(1030)["results"])
    assert len(twenty.stored()) == recording(1030)["rows_in_the_table_afterwards"]


def test_a_race_of_upserts_can_be_played_by_a_dial():
    """Six at once: some insert, some are refused; the sandbox has a lock, so the refusal is scripted."""
    twenty = Twenty().with_fields()
    refused = next(each for each in recording(858)["responses"] if each["status"] == 400)
    dial = {"match": "POST /rest/people", "fault": refused, "skip": 1, "times": 1}
    twenty.client.post("/sandbox/dials", json=dial)

    answers = [twenty.send("POST", "/rest/people?upsert=true", {"whopUserId": "race"}) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201, 400, 201]
    assert answers[1].json == refused["body"]
    assert len(twenty.stored()) == 1


def test_without_redis_requests_hang_and_come_to_nothing():
    twenty = Twenty()
    twenty.client.post("/sandbox/server", json={"down": "redis"})
    ends: list[str] = []

    def write() -> None:
        try:
            twenty.send("POST", "/rest/people", {})
        except ConnectionResetError:
            ends.append("cut")

    hanging = threading.Thread(target=write)
    hanging.start()
    hanging.join(timeout=0.2)

    assert hanging.is_alive()
    twenty.client.post("/sandbox/server", json={"down": None})
    hanging.join()
    assert ends == ["cut"]
    assert twenty.stored() == []


def claims(token: str) -> Any:
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def test_tokens_carry_the_recorded_claims():
    twenty, recorded = Twenty(), recording(50)
    session = twenty.client.post("/sandbox/users", json={"do": "session", "email": "admin@acme.test"}).json

    for name, token in (("api_key", twenty.key), ("user_access", session["session"])):
        assert claims(token).keys() == recorded[name].keys()
        assert claims(token)["type"] == recorded[name]["type"]


def test_the_public_configuration_says_whether_there_are_several_workspaces():
    twenty = Twenty()
    theirs = recording(26)["response"]["body"]

    ours = twenty.client.get("/client-config").json

    assert {name: theirs[name] for name in ours} == ours


def test_the_trash_is_emptied_when_a_test_says_so():
    """Twenty destroys soft-deleted rows after fourteen days; the sandbox does so when told."""
    twenty = Twenty()
    kept, gone = twenty.people([{"emails": email("a@x.test")}, {"emails": email("b@x.test")}])
    twenty.rest("DELETE", f"/rest/people/{gone['id']}?soft_delete=true")

    twenty.client.post("/sandbox/trash", json={})

    assert [row["id"] for row in twenty.stored()] == [kept["id"]]
