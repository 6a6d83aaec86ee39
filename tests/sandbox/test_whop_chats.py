"""The sandbox's support channels and messages."""

import json
from typing import Any

from whop_caller import Caller, fixture


def post(whop: Caller, path: str, body: Any, status: int = 200) -> Any:
    answer = whop.http.post("/api/v1" + path, json=body, headers=whop.headers)
    assert answer.status_code == status, answer.get_data(as_text=True)
    return answer.get_json()


def test_a_user_has_one_channel_however_often_it_is_opened() -> None:
    whop = Caller(members=20)
    user = next(one["user"] for one in whop.every("members") if one["user"])
    body = {"account_id": whop.parts.world.home.company.id, "user_id": user["id"]}

    first, again = post(whop, "/support_channels", body), post(whop, "/support_channels", body)

    assert first == again
    assert first.keys() == fixture("current/support_channels/ada.json").keys()
    assert whop.read(f"/support_channels/{first['id']}") == first
    assert whop.read("/support_channels")["data"] == [first]


def test_messages_are_written_and_read() -> None:
    whop = Caller(members=20)
    user = next(one["user"] for one in whop.every("members") if one["user"])
    body = {"account_id": whop.parts.world.home.company.id, "user_id": user["id"]}
    channel = post(whop, "/support_channels", body)

    message = post(whop, "/messages", {"channel_id": channel["id"], "content": "Welcome **aboard**"})

    assert message.keys() == fixture("current/messages/welcome.json").keys()
    assert whop.read("/messages", channel_id=channel["id"])["data"] == [message]


def test_what_is_not_there_cannot_be_written_to() -> None:
    whop = Caller(members=20)
    company = whop.parts.world.home.company.id

    post(whop, "/support_channels", {"account_id": company, "user_id": "user_nobody"}, status=404)
    post(whop, "/support_channels", {"account_id": company}, status=400)
    post(whop, "/messages", {"channel_id": "feed_none", "content": "Hello"}, status=404)


def test_messages_come_in_either_direction_and_page_by_page() -> None:
    whop = Caller(members=20)
    user = next(one["user"] for one in whop.every("members") if one["user"])
    body = {"account_id": whop.parts.world.home.company.id, "user_id": user["id"]}
    channel = post(whop, "/support_channels", body)["id"]
    for number in range(3):
        post(whop, "/messages", {"channel_id": channel, "content": f"{number}"})

    first = whop.read("/messages", channel_id=channel, direction="desc", first=2)
    last = whop.read(
        "/messages", channel_id=channel, direction="desc", first=2, after=first["page_info"]["end_cursor"]
    )

    assert [one["content"] for one in first["data"] + last["data"]] == ["2", "1", "0"]
    assert [one["content"] for one in whop.read("/messages", channel_id=channel)["data"]] == ["0", "1", "2"]


def test_the_customer_writes_back_and_who_listens_is_told() -> None:
    whop = Caller(members=20)
    user = next(one["user"] for one in whop.every("members") if one["user"])
    company = whop.parts.world.home.company.id
    channel = post(whop, "/support_channels", {"account_id": company, "user_id": user["id"]})["id"]
    for events in (["chat.message.created"], ["payment.created"]):
        whop.parts.hooks.add(url="http://127.0.0.1:9/", resource_id=company, events=events)

    for silent in (False, True):
        answer = whop.http.post(
            "/sandbox/chats", json={"channel_id": channel, "content": "Hello", "silent": silent}
        )
        assert answer.status_code == 200

    assert whop.parts.hooks.postman.quiet(30)
    whop.parts.hooks.postman.forget()
    (sent,) = whop.parts.hooks.log
    data = json.loads(sent.body)["data"]
    assert (sent.event, data["user"]["id"], data["content"]) == ("chat.message.created", user["id"], "Hello")
    assert len(whop.read("/messages", channel_id=channel)["data"]) == 2
