"""A POST under an Idempotency-Key is carried out once; its answer is given again."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from connector.sandbox import whop


class Asking:
    """Somebody who writes into a chat, again and again."""

    def __init__(self) -> None:
        self.app = whop.create_app(members=5, memberships=5, limited=False)
        self.client: FlaskClient = self.app.test_client()
        parts = self.app.extensions["whop"]
        self.key, home = parts.keyring.main, parts.world.home
        user = home.tables["members"].get(0)["user"]
        self.channel = self.post(
            "/support_channels", {"account_id": home.company.id, "user_id": user["id"]}
        ).json["id"]

    def post(self, path: str, body: dict[str, Any], key: str = "") -> TestResponse:
        headers = {"Authorization": f"Bearer {self.key}", **({"Idempotency-Key": key} if key else {})}
        return self.client.post(f"/api/v1{path}", json=body, headers=headers)

    def write(self, text: str = "Hi", key: str = "") -> TestResponse:
        return self.post("/messages", {"channel_id": self.channel, "content": text}, key)

    def written(self) -> int:
        return len(self.app.extensions["whop"].chats.messages.get(self.channel, []))


@pytest.fixture
def asking() -> Asking:
    return Asking()


def test_one_key_is_carried_out_once_and_answered_alike(asking: Asking) -> None:
    first, again = asking.write(key="one"), asking.write(key="one")

    assert (first.status_code, again.status_code, asking.written()) == (200, 200, 1)
    assert again.json == first.json
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers


def test_another_key_and_none_at_all_are_carried_out(asking: Asking) -> None:
    for key in ("one", "two", "", ""):
        asking.write(key=key)

    assert asking.written() == 4


def test_another_request_under_the_same_key_is_refused(asking: Asking) -> None:
    asking.write("Hi", key="one")
    other = asking.write("Ho", key="one")

    assert (other.status_code, asking.written()) == (400, 1)


def test_a_refusal_is_given_again_too(asking: Asking) -> None:
    wrong = [asking.post("/messages", {"channel_id": asking.channel}, "one") for _ in range(2)]

    assert [one.status_code for one in wrong] == [400, 400]
    assert wrong[1].headers["Idempotent-Replayed"] == "true"


def test_an_answer_that_was_lost_is_had_by_asking_again(asking: Asking) -> None:
    dial = {"match": "POST /messages", "fault": {"status": 500, "after": True}, "times": 1}
    assert asking.client.post("/sandbox/dials", json=dial).status_code < 400

    assert [asking.write(key="one").status_code for _ in range(2)] == [500, 200]
    assert asking.written() == 1


def test_a_key_that_is_too_long_is_refused(asking: Asking) -> None:
    assert asking.write(key="k" * 256).status_code == 400
