"""The sandbox's webhooks: told what happens in each dialect, signed, logged, replayed, switched off."""

import hashlib
import hmac
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from whop_caller import Caller, fixture

from connector.sandbox.whop.posting import signed

KEY = "developer:manage_webhook"
ROOT = Path(__file__).parents[2]


class Ear:
    """An endpoint that keeps what it hears and answers as it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        ear = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                ear.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(ear.status)
                self.send_header("Content-Length", "11")
                self.end_headers()
                self.wfile.write(b'{"ok":true}')

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.heard]

    def names(self) -> list[str]:
        return sorted(body.get("type") or body["action"] for body in self.bodies())


@pytest.fixture
def ear() -> Iterator[Ear]:
    made = Ear()
    yield made
    made.close()


@pytest.fixture
def whop() -> Caller:
    return Caller(members=30, limited=False)


def send(whop: Caller, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    answer = whop.http.open("/api/v1" + path, method=method, json=body, headers=whop.headers)
    assert answer.status_code == status, answer.get_data(as_text=True)
    return answer.get_json()


def register(whop: Caller, url: str, **more: Any) -> dict[str, Any]:
    return send(whop, "POST", "/webhooks", {"url": url, "api_version_date": "2026-10-15-1", **more})


def happen(whop: Caller, what: str, name: str = "", **fields: Any) -> list[dict[str, Any]]:
    told = whop.turn("POST", "/happen", {"what": what, "id": name, **fields})["told"]
    assert whop.turn("POST", "/webhooks/quiet")["quiet"]
    return told


def an_active(whop: Caller) -> dict[str, Any]:
    return next(
        one
        for one in whop.every("memberships")
        if one["status"] == "active"
        and one["user_id"]
        and (one["renewal_price"] or {}).get("currency") == "usd"
    )


# --- registering ---


def test_a_hook_looks_as_the_reference_shows_it(whop: Caller, ear: Ear) -> None:
    made = register(whop, ear.url)

    assert made.keys() == fixture("current/webhooks/created.json").keys()
    assert made["webhook_secret"].startswith("ws_")
    read = whop.read(f"/webhooks/{made['id']}")
    assert read == {**made, "webhook_secret": None}
    listed = whop.read("/webhooks")["data"]
    assert listed[0].keys() == fixture("current/lists/webhooks.only.json")["data"][0].keys()


def test_a_hook_is_changed_and_removed(whop: Caller, ear: Ear) -> None:
    made = register(whop, ear.url)

    changed = send(whop, "PATCH", f"/webhooks/{made['id']}", {"events": ["member.created"], "enabled": False})
    assert (changed["events"], changed["enabled"]) == (["member.created"], False)
    gone = send(whop, "DELETE", f"/webhooks/{made['id']}")
    assert gone == {"id": made["id"], "deleted": True}
    send(whop, "GET", f"/webhooks/{made['id']}", status=404)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "url"),
        ({"url": "ftp://example.com"}, "url"),
        ({"url": "https://example.com", "events": ["membership_activated"]}, "events"),
        ({"url": "https://example.com", "api_version": "v2"}, "api_version"),
    ],
)
def test_what_is_wrong_with_a_hook_is_named(whop: Caller, body: dict[str, Any], param: str) -> None:
    assert send(whop, "POST", "/webhooks", body, status=400)["error"]["param"] == param


def test_a_strict_whop_takes_public_addresses_only(whop: Caller) -> None:
    whop.turn("PATCH", "/webhooks", {"public_only": True})

    for url in ("http://example.com/h", "https://localhost/h", "https://10.0.0.1/h"):
        assert send(whop, "POST", "/webhooks", {"url": url}, status=400)["error"]["param"] == "url"
    assert register(whop, "https://example.com/h")["url"] == "https://example.com/h"


def test_a_key_without_the_permission_has_no_hooks(whop: Caller) -> None:
    whop.turn("POST", "/keys", {"do": "restrict", "permissions": ["member:basic:read"]})

    assert KEY in send(whop, "GET", "/webhooks", status=403)["error"]["message"]


def test_hooks_survive_a_restart_and_keep_their_secret(tmp_path: Any, ear: Ear) -> None:
    first = Caller(members=5, data_dir=tmp_path)
    made = register(first, ear.url)

    again = Caller(members=5, data_dir=tmp_path)

    assert [one["webhook_secret"] for one in again.turn("GET", "/webhooks")] == [made["webhook_secret"]]


# --- what happens is told ---


def test_by_a_clock_each_happening_is_of_now_and_later_than_the_one_before(ear: Ear) -> None:
    now = datetime(2031, 5, 6, 15, 30, tzinfo=UTC)
    whop = Caller(members=30, limited=False, clock=now.timestamp)
    register(whop, ear.url, events=["payment.succeeded"])
    active = an_active(whop)["id"]

    times = [one["record"]["paid_at"] for _ in range(3) for one in happen(whop, "pay", active)[1:]]

    assert times == sorted(set(times))
    assert {time[:19] for time in times} == {"2031-05-06T15:30:00"}
    assert [body["timestamp"][:19] for body in ear.bodies()] == ["2031-05-06T15:30:00"] * 3


def test_by_a_clock_that_is_behind_nothing_happens_before_the_day_of_the_records() -> None:
    whop = Caller(members=30, limited=False, clock=lambda: 0.0)
    active = an_active(whop)

    (told,) = happen(whop, "change_membership", active["id"], metadata={"a": "b"})

    assert told["record"]["updated_at"] > max(one["updated_at"] for one in whop.every("payments"))


@pytest.mark.slow
def test_what_happens_in_a_sandbox_of_its_own_process_happens_now(tmp_path: Path) -> None:
    """Or a demo would leave no notes: they are for what happens after a company was connected."""
    before = datetime.now(UTC)
    command = ["sandbox", "whop", "--members", "5", "--data", "whop"]
    argv = [sys.executable, "-u", "-m", "flask", "--app", str(ROOT / "wsgi.py"), *command]
    env = {**os.environ, "FLASK_SKIP_DOTENV": "1"}
    with subprocess.Popen(argv, cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            said = process.stdout.readline() if process.stdout else ""
            url = f"{said.split()[-1]}/sandbox/happen"
            told = requests.post(url, json={"what": "join"}, timeout=30).json()["told"]
        finally:
            process.terminate()

    assert all(datetime.fromisoformat(one["record"]["created_at"]) >= before for one in told)


def test_what_happens_is_told_in_its_order_with_todays_records(whop: Caller, ear: Ear) -> None:
    register(whop, ear.url)

    told = happen(whop, "join")

    assert [one["event"] for one in told] == [
        "member.created",
        "payment.created",
        "payment.succeeded",
        "membership.activated",
    ]
    assert ear.names() == sorted(one["event"] for one in told)
    bought = next(body for body in ear.bodies() if body["type"] == "membership.activated")
    assert bought.keys() == fixture("webhooks/v1-current/membership.activated.json").keys()
    assert bought["account_id"] == whop.parts.world.home.company.id
    assert bought["data"] == whop.read(f"/memberships/{bought['data']['id']}")


@pytest.mark.parametrize(
    ("what", "events", "after"),
    [
        ("renew", ["membership.activated", "payment.created", "payment.succeeded"], {"status": "active"}),
        ("pay", ["payment.created", "payment.succeeded"], {"status": "active"}),
        ("fail", ["membership.deactivated", "payment.created", "payment.failed"], {"status": "past_due"}),
        ("cancel", ["membership.deactivated"], {"status": "canceled"}),
        ("expire", ["membership.deactivated"], {"status": "expired"}),
    ],
)
def test_each_happening_changes_the_membership_and_tells_it(
    whop: Caller, ear: Ear, what: str, events: list[str], after: dict[str, Any]
) -> None:
    register(whop, ear.url)
    name = an_active(whop)["id"]

    happen(whop, what, name)

    assert ear.names() == events
    assert after.items() <= whop.read(f"/memberships/{name}").items()


def test_a_cancellation_and_its_change_of_mind_are_told(whop: Caller, ear: Ear) -> None:
    register(whop, ear.url)
    name = an_active(whop)["id"]

    send(whop, "POST", f"/memberships/{name}/cancel", {"cancel_at_period_end": True})
    send(whop, "PATCH", f"/memberships/{name}", {"cancel_at_period_end": False})
    whop.turn("POST", "/webhooks/quiet")

    assert ear.names() == ["membership.cancel_at_period_end_changed"] * 2
    assert sorted(body["data"]["cancel_at_period_end"] for body in ear.bodies()) == [False, True]


def test_refunds_and_disputes_follow_their_payment(whop: Caller, ear: Ear) -> None:
    register(whop, ear.url)
    paid = happen(whop, "pay", an_active(whop)["id"])[0]["record"]

    happen(whop, "refund", paid["id"], partial_amount=1.5)
    partly = whop.read(f"/payments/{paid['id']}")
    happen(whop, "refund", paid["id"])
    wholly = whop.read(f"/payments/{paid['id']}")
    disputed = happen(whop, "dispute", paid["id"])[0]["record"]
    happen(whop, "decide", disputed["id"], status="lost")

    assert (partly["substatus"], partly["refunded_amount"]["amount"]) == ("partially_refunded", "1.50")
    assert (wholly["substatus"], wholly["refunded_amount"]) == ("refunded", wholly["total"])
    assert len(whop.every("refunds", payment_id=paid["id"])) == 2
    assert whop.read(f"/payments/{paid['id']}")["substatus"] == "dispute_lost"
    assert ear.names()[:2] == ["dispute.created", "dispute.updated"]


def test_what_happens_silently_is_told_nobody(whop: Caller, ear: Ear) -> None:
    register(whop, ear.url)

    happen(whop, "join", silent=True)

    assert ear.heard == []


def test_a_hook_hears_only_what_it_listens_to(whop: Caller, ear: Ear) -> None:
    register(whop, ear.url, events=["member.created"])

    happen(whop, "join")

    assert ear.names() == ["member.created"]


# --- dialects ---


FOLDERS = {"v1": "v1-current", "v1-legacy": "v1-legacy", "v5": "v5", "v2": "v2"}
SENT = [
    (dialect, event)
    for dialect in FOLDERS
    for event in ("membership.activated", "payment.succeeded", "refund.updated")
    if (dialect, event) != ("v2", "refund.updated")  # v2 has no refunds
]


@pytest.mark.parametrize(("dialect", "event"), SENT)
def test_each_dialect_has_the_fields_of_the_reference(
    whop: Caller, ear: Ear, dialect: str, event: str
) -> None:
    whop.turn("POST", "/webhooks", {"url": ear.url, "dialect": dialect})

    whop.turn("POST", "/webhooks/emit", {"event": event})
    whop.turn("POST", "/webhooks/quiet")

    (body,) = ear.bodies()
    expected = fixture(f"webhooks/{FOLDERS[dialect]}/{event}.json")
    assert body.keys() == expected.keys()
    assert body.get("action") == expected.get("action")
    missing = expected["data"].keys() - body["data"].keys()
    assert not missing or dialect in ("v5", "v2"), missing
    assert body["data"].keys() <= expected["data"].keys()


def test_an_old_hook_is_signed_in_the_old_way(whop: Caller, ear: Ear) -> None:
    made = whop.turn("POST", "/webhooks", {"url": ear.url, "dialect": "v5"})

    whop.turn("POST", "/webhooks/emit", {"event": "membership.activated"})
    whop.turn("POST", "/webhooks/quiet")

    ((headers, body),) = ear.heard
    moment, _, signature = headers["x-whop-signature"].removeprefix("t=").partition(",v1=")
    key = made["webhook_secret"].encode()
    assert signature == hmac.new(key, f"{moment}.".encode() + body, hashlib.sha256).hexdigest()


def test_the_signature_is_that_of_the_reference() -> None:
    secret = "ws_5f1c0a9e7b3d42861e0f9a8b7c6d5e4f30213243546576879809a1b2c3d4e5f6"
    body = (
        '{"id":"msg_3vQdXn5RkT2yLw8sZbHc6JmA","type":"membership.activated","api_version":"v1",'
        '"api_version_date":"2026-10-15-1","timestamp":"2026-11-18T12:00:00.000Z",'
        '"account_id":"biz_4QxLq2mTn8VrYe","data":{"id":"mem_9fKcT3vWzB1aQd","note":"Zoë 🚀 <b>"}}'
    ).encode()

    headers = signed("v1", secret, "msg_3vQdXn5RkT2yLw8sZbHc6JmA", 1795003200, body)

    assert headers["webhook-signature"] == "v1,yZPPEIv8MFRzzoNHP0tFgDqyPMzEIHsefgc12pOIMCA="


# --- again and again ---


def test_what_is_refused_is_tried_again_under_the_same_id(whop: Caller, ear: Ear) -> None:
    hook = register(whop, ear.url, events=["member.created"])
    ear.status = 503
    happen(whop, "join")
    ear.status = 200

    assert whop.turn("POST", "/webhooks/retry") == {"tried": 1}
    whop.turn("POST", "/webhooks/quiet")

    assert len({headers["webhook-id"] for headers, _ in ear.heard}) == 1
    log = whop.read(f"/webhooks/{hook['id']}/deliveries")["data"]
    assert [(one["response_code"], one["success"]) for one in log] == [(200, True), (503, False)]
    expected = fixture("current/lists/webhook_deliveries.only.json")["data"][0]
    assert log[0].keys() == expected.keys()
    assert log[0]["response_body"] == {"ok": True}


def test_a_hook_that_fails_too_often_is_switched_off(whop: Caller, ear: Ear) -> None:
    hook = register(whop, ear.url, events=["member.created"])
    whop.turn("PATCH", "/webhooks", {"disable_after": 3, "retries": []})
    ear.status = 500
    for _ in range(3):
        happen(whop, "join")
    ear.status = 200

    happen(whop, "join")

    off = whop.read(f"/webhooks/{hook['id']}")
    assert (off["enabled"], off["disabled_reason"], off["consecutive_failures"]) == (
        False,
        "delivery_failures",
        3,
    )
    assert len(ear.heard) == 3  # what happens meanwhile is not sent later
    on = send(whop, "PATCH", f"/webhooks/{hook['id']}", {"enabled": True})
    assert (on["consecutive_failures"], on["failing_since"], on["disabled_reason"]) == (0, None, None)


def test_one_delivery_is_replayed(whop: Caller, ear: Ear) -> None:
    hook = register(whop, ear.url, events=["member.created"])
    happen(whop, "join")
    (first,) = whop.read(f"/webhooks/{hook['id']}/deliveries")["data"]

    path = f"/webhooks/{hook['id']}/deliveries/{first['id']}/replay"
    assert send(whop, "POST", path) == fixture("current/webhooks/test_result.json")
    send(whop, "POST", path, {"regenerate_id": True})

    ids = [headers["webhook-id"] for headers, _ in ear.heard]
    assert ids[0] == ids[1] != ids[2]
    assert whop.read(f"/webhooks/{hook['id']}/deliveries")["data"][0]["replayed_from"] == first["id"]


def test_a_range_is_replayed_each_message_once(whop: Caller, ear: Ear) -> None:
    hook = register(whop, ear.url, events=["member.created", "membership.activated"])
    whop.turn("PATCH", "/webhooks", {"retries": []})
    happen(whop, "join")
    ear.status = 500
    happen(whop, "join")
    ear.status, before = 200, len(ear.heard)

    since = {"sent_after": "2020-01-01T00:00:00.000Z", "events": ["member.created"], "failed_only": True}
    queued = send(whop, "POST", f"/webhooks/{hook['id']}/replay", since)
    assert queued == fixture("current/webhooks/replay_queued.json")
    whop.turn("POST", "/webhooks/quiet")

    assert [body["type"] for body in ear.bodies()[before:]] == ["member.created"]
    send(whop, "POST", f"/webhooks/{hook['id']}/replay", {}, status=400)
    send(whop, "POST", f"/webhooks/{hook['id']}/replay", {"sent_after": "soon"}, status=400)


def test_old_hooks_cannot_be_replayed(whop: Caller, ear: Ear) -> None:
    made = whop.turn("POST", "/webhooks", {"url": ear.url, "dialect": "v2"})

    send(
        whop, "POST", f"/webhooks/{made['id']}/replay", {"sent_after": "2020-01-01T00:00:00.000Z"}, status=422
    )


def test_a_hook_is_tested_while_one_waits(whop: Caller, ear: Ear) -> None:
    hook = register(whop, ear.url)

    result = send(whop, "POST", f"/webhooks/{hook['id']}/test", {"event": "payment.succeeded"})

    assert result == fixture("current/webhooks/test_result.json")
    assert ear.names() == ["payment.succeeded"]


def test_a_copy_has_the_id_of_its_original(whop: Caller, ear: Ear) -> None:
    register(whop, ear.url)
    name = an_active(whop)["id"]

    whop.turn("POST", "/webhooks/emit", {"event": "membership.updated", "id": name, "copies": 3})
    whop.turn("POST", "/webhooks/quiet")

    assert len(ear.heard) == 3
    assert len({headers["webhook-id"] for headers, _ in ear.heard}) == 1


def test_any_body_can_be_posted(whop: Caller, ear: Ear) -> None:
    register(whop, ear.url, events=[])

    whop.turn("POST", "/webhooks/emit", {"body": {"type": "gift.redeemed"}})
    whop.turn("POST", "/webhooks/quiet")

    assert ear.bodies() == [{"type": "gift.redeemed"}]
