"""Webhooks out of the sandbox Twenty: what is sent for what, how it is signed, and what a failure changes."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from twenty_helpers import Twenty

RECORDED = Path(__file__).parents[1] / "recordings" / "twenty"


class Receiver(ThreadingHTTPServer):
    """Where webhooks arrive; it answers 500 on /fail."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def names(self) -> list[str]:
        return [json.loads(raw)["eventName"] for _path, _headers, raw in self.got]


class _Answering(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), raw))
        self.send_response(500 if self.path == "/fail" else 200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def twenty() -> Twenty:
    return Twenty()


def hook(twenty: Twenty, url: str, *operations: str, secret: str = "s3cret") -> Any:
    body = {"targetUrl": url, "operations": list(operations), "secret": secret}
    return twenty.rest("POST", "/rest/metadata/webhooks", body)


def turn(twenty: Twenty, **given: Any) -> Any:
    return twenty.client.post("/sandbox/webhooks", json=given).json


def recorded(number: int) -> Any:
    return json.loads(next(RECORDED.glob(f"{number}-*.json")).read_text())


def test_a_life_of_a_person_is_told_in_the_recorded_events(twenty: Twenty, receiver: Receiver):
    hook(twenty, f"{receiver.url}/hook", "person.*")
    made = twenty.rest("POST", "/rest/people?upsert=true", {"emails": {"primaryEmail": "a@x.test"}})
    path = f"/rest/people/{made['data']['createPerson']['id']}"
    twenty.rest("DELETE", f"{path}?soft_delete=true")
    body = {"emails": {"primaryEmail": "a@x.test"}, "jobTitle": "back"}
    twenty.rest("POST", "/rest/people?upsert=true", body)
    twenty.rest("DELETE", f"{path}?soft_delete=true")
    twenty.rest("PATCH", f"/rest/restore/people?filter=id[eq]:{path.rpartition('/')[2]}")
    twenty.rest("DELETE", path)
    turn(twenty, do="flush")

    told = [json.loads(raw) for _path, _headers, raw in receiver.got]

    assert [(each["eventName"], sorted(each.get("updatedFields") or []), sorted(each)) for each in told] == [
        (each["eventName"], sorted(each["updatedFields"] or []), each["keys"])
        for each in recorded(690)["deliveries"]
    ]


def test_a_delivery_is_shaped_and_signed_as_recorded(twenty: Twenty, receiver: Receiver):
    row = twenty.person(jobTitle="before")
    hook(twenty, f"{receiver.url}/hook", "person.updated")
    twenty.rest("PATCH", f"/rest/people/{row['id']}", {"jobTitle": "after"})
    turn(twenty, do="flush")

    [(path, headers, raw)] = receiver.got
    theirs = recorded(670)["request"]
    body = json.loads(raw)
    assert (path, list(body)) == ("/hook", list(theirs["body"]))
    assert {name.title() for name in theirs["headers"]} <= {name.title() for name in headers}
    assert body["updatedFields"] == theirs["body"]["updatedFields"] == ["jobTitle"]
    stamp = headers["X-Twenty-Webhook-Timestamp"]
    assert headers["X-Twenty-Webhook-Signature"] == signature("s3cret", stamp, raw)


def signature(secret: str, stamp: str, raw: bytes) -> str:
    return hmac.new(secret.encode(), f"{stamp}:".encode() + raw, hashlib.sha256).hexdigest()


def test_the_recorded_signature_is_made_the_same_way():
    told = recorded(670)
    headers = told["request"]["headers"]

    made = signature("s3cret", headers["X-Twenty-Webhook-Timestamp"], told["raw_body"].encode())

    assert made == headers["X-Twenty-Webhook-Signature"]


def test_a_failed_delivery_is_not_repeated(twenty: Twenty, receiver: Receiver):
    hook(twenty, f"{receiver.url}/fail", "person.created")
    hook(twenty, "http://127.0.0.1:9/nobody", "person.created")
    twenty.person()
    turn(twenty, do="flush")

    outcomes = [each["outcome"] for each in turn(twenty)["sent"]]

    assert receiver.names() == ["person.created"]
    assert outcomes[0] == 500
    assert "refused" in outcomes[1]


def test_only_what_was_asked_for_is_sent(twenty: Twenty, receiver: Receiver):
    hook(twenty, f"{receiver.url}/a", "*.deleted", "opportunity.*")
    row = twenty.person()
    twenty.rest("POST", "/rest/opportunities", {"name": "x"})
    twenty.rest("DELETE", f"/rest/people/{row['id']}?soft_delete=true")
    turn(twenty, do="flush")

    assert receiver.names() == ["opportunity.created", "person.deleted"]


def test_what_changes_nothing_is_no_event(twenty: Twenty, receiver: Receiver):
    row = twenty.person(jobTitle="same")
    hook(twenty, f"{receiver.url}/a", "*.*")
    twenty.rest("PATCH", f"/rest/people/{row['id']}", {"jobTitle": "same"})
    turn(twenty, do="flush")

    assert receiver.got == []


def test_a_person_is_named_and_an_api_key_is_not(twenty: Twenty, receiver: Receiver):
    hook(twenty, f"{receiver.url}/a", "person.created")
    user = twenty.client.post("/sandbox/users", json={"do": "session", "email": "admin@acme.test"}).json
    twenty.person()
    twenty.send("POST", "/rest/people", {}, user["session"])
    turn(twenty, do="flush")

    by_key, by_person = (json.loads(raw) for _path, _headers, raw in receiver.got)
    assert "userId" not in by_key
    assert (by_person["userId"], by_person["workspaceMemberId"]) == (user["id"], user["member"])


def test_held_webhooks_arrive_in_the_order_a_test_asks_for(twenty: Twenty, receiver: Receiver):
    hook(twenty, f"{receiver.url}/a", "person.*")
    turn(twenty, held=True)
    row = twenty.person()
    twenty.rest("PATCH", f"/rest/people/{row['id']}", {"jobTitle": "x"})
    turn(twenty, do="release", order=[1, 0, 1])
    turn(twenty, do="flush")

    assert receiver.names() == ["person.updated", "person.created", "person.updated"]


def test_webhooks_survive_a_restart(tmp_path: Path):
    made = hook(Twenty(data_dir=tmp_path), "https://x.example.com/hook", "*.*")

    assert Twenty(data_dir=tmp_path).rest("GET", "/rest/metadata/webhooks") == [made]
