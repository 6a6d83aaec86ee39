"""The sandbox's support channels and messages."""

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
