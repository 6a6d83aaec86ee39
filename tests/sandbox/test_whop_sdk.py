"""Whop's own Python client against the sandbox: an oracle that nobody here wrote.

It reads every resource through its own models, whose unknown keys it keeps, and it verifies the signature of
every webhook.
"""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from test_whop_hooks import Ear, register
from werkzeug.serving import WSGIRequestHandler, make_server
from whop_caller import Caller
from whop_sdk import Whop, WhopEnvironment
from whop_sdk.core.api_error import ApiError
from whop_sdk.lib.verify_webhook import WebhookVerificationError, unwrap

LISTED = ("products", "plans", "members", "memberships", "payments", "refunds", "disputes", "accounts")


class Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def caller() -> Caller:
    return Caller(members=60, limited=False)


@pytest.fixture(scope="module")
def client(caller: Caller) -> Iterator[Whop]:
    server = make_server("127.0.0.1", 0, caller.app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    made = Whop(
        environment=WhopEnvironment(api=f"{url}/api/v1", vault=url),
        token=caller.parts.keyring.main,
        max_retries=0,
    )
    yield made
    made._client_wrapper.httpx_client.httpx_client.close()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def ear() -> Iterator[Ear]:
    made = Ear()
    yield made
    made.close()


@pytest.mark.parametrize("kind", LISTED)
def test_its_pager_reads_every_list(caller: Caller, client: Whop, kind: str) -> None:
    resource = getattr(client, kind)

    ids = [one.id for one in resource.list(first=25)]

    assert ids == [one["id"] for one in caller.every(kind)]


@pytest.mark.parametrize("kind", [kind for kind in LISTED if kind != "accounts"])
def test_its_models_know_every_field_of_a_single_read(caller: Caller, client: Whop, kind: str) -> None:
    for sent in caller.every(kind)[:20]:
        model = getattr(client, kind).retrieve(sent["id"])

        assert model.id == sent["id"]
        assert model.model_extra in (None, {})


def test_it_reads_a_user_an_account_and_the_permissions(caller: Caller, client: Whop) -> None:
    user = next(one["user"] for one in caller.every("members") if one["user"])
    company = caller.parts.world.home.company.id

    assert client.users.retrieve(user["id"]).username == user["username"]
    assert client.accounts.retrieve(company).id == company
    granted = client.permissions.list(resource_id=company, actions="member:basic:read").data
    assert [(one.action, one.granted) for one in granted] == [("member:basic:read", True)]


def test_it_cancels_keeps_pauses_and_extends(caller: Caller, client: Whop) -> None:
    name = next(
        one["id"]
        for one in caller.every("memberships")
        if one["status"] == "active" and one["current_period_end"]
    )

    assert client.memberships.cancel(name, cancel_at_period_end=True).cancel_at_period_end is True
    assert client.memberships.update(name, cancel_at_period_end=False).status == "active"
    assert client.memberships.pause(name).most_recent_action == "paused_at"
    assert client.memberships.resume(name).status == "active"
    assert client.memberships.extend(name, days=3).id == name
    assert client.memberships.cancel(name, cancel_at_period_end=False).status == "canceled"


def test_it_raises_what_the_sandbox_refuses(client: Whop) -> None:
    with pytest.raises(ApiError) as raised:
        client.memberships.retrieve("mem_none")

    assert raised.value.status_code == 404


def test_it_manages_webhooks_and_their_log(caller: Caller, client: Whop, ear: Ear) -> None:
    made = client.webhooks.create(url=ear.url, events=["member.created"], api_version_date="2026-10-15-1")
    assert made.webhook_secret

    assert client.webhooks.test(made.id, event="member.created").success is True
    caller.turn("POST", "/happen", {"what": "join"})
    caller.turn("POST", "/webhooks/quiet")
    (delivery,) = list(client.webhooks.list_deliveries(made.id))
    assert delivery.event == "member.created"
    assert delivery.success is True
    client.webhooks.replay_delivery(made.id, delivery.id)
    client.webhooks.replay(made.id, sent_after="2020-01-01T00:00:00.000Z")
    caller.turn("POST", "/webhooks/quiet")
    assert client.webhooks.update(made.id, enabled=False).enabled is False
    assert [one.id for one in client.webhooks.list()] == [made.id]
    client.webhooks.delete(made.id)

    assert len(ear.heard) == 4


def test_it_writes_a_message(caller: Caller, client: Whop) -> None:
    user = next(one["user"] for one in caller.every("members") if one["user"])
    company = caller.parts.world.home.company.id

    channel = client.support_channels.create(account_id=company, user_id=user["id"])
    written = client.messages.create(channel_id=channel.id, content="Welcome")

    assert [one.id for one in client.messages.list(channel_id=channel.id)] == [written.id]


def test_it_verifies_the_signature_of_every_webhook(caller: Caller, ear: Ear) -> None:
    secret = register(caller, ear.url)["webhook_secret"]
    name = next(
        one["id"] for one in caller.every("memberships") if one["status"] == "active" and one["renewal_price"]
    )
    for what in ("join", "renew", "fail", "cancel"):
        caller.turn("POST", "/happen", {"what": what, "id": "" if what == "join" else name})
    caller.turn("POST", "/webhooks/quiet")

    assert len(ear.heard) == 11
    for headers, body in ear.heard:
        assert unwrap(body, headers=headers, key=secret)["account_id"] == caller.parts.world.home.company.id
        with pytest.raises(WebhookVerificationError):
            unwrap(body.replace(b'"v1"', b'"v2"'), headers=headers, key=secret)
