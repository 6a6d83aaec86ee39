"""What Twenty tells is believed by its signature over the raw body, and then only makes us look."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from desk import HOSTILE, Desk, desk
from entering import NOON, send
from markupsafe import escape

from connector.core.records import iso
from connector.store import acts, audit, crm_requests
from connector.store.acts import ActFilter, NewAct
from connector.sync import asking

SECRET = "a-secret-of-the-webhook"


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture
def console(database_url: str) -> Iterator[Desk]:
    with desk(database_url) as opened:
        yield opened


def listening(console: Desk) -> None:
    parts, id_ = console.door.parts, console.workspace.id
    sealed = parts.vault.seal(SECRET, bound_to=asking.binding(id_))
    values = {"since": NOON, "hook_id": "hook-1", "secret_sealed": sealed}
    with parts.database.transaction() as session:
        crm_requests.keep(session, id_, due_at=parts.asks.clock() + timedelta(hours=1), **values)


def is_due(console: Desk) -> bool:
    with console.door.parts.database.reading() as session:
        found = crm_requests.get(session, console.workspace.id)
    return found is not None and found.due_at <= console.door.parts.asks.clock()


def deliver(console: Desk, choice: str | None = "PAUSE", *, secret: str = SECRET, **changed: Any) -> int:
    body = {"eventName": "opportunity.updated", "record": {"id": "opp-1", "whopAction": choice}}
    raw = changed.get("raw", json.dumps(body).encode())
    stamp = str(int((console.door.parts.asks.clock().timestamp() + changed.get("late", 0)) * 1000))
    signed = hmac.new(secret.encode(), stamp.encode() + b":" + raw, hashlib.sha256).hexdigest()
    headers = {"X-Twenty-Webhook-Timestamp": changed.get("stamp", stamp)}
    headers |= {"X-Twenty-Webhook-Signature": changed.get("signed", signed)}
    path = f"/webhooks/twenty/{changed.get('workspace', console.workspace.id)}"
    data = changed.get("sent", raw)
    return console.browser.post(path, data=data, headers=headers).status_code


def test_what_asks_for_something_makes_us_look(console: Desk) -> None:
    listening(console)

    assert deliver(console) == 200
    assert is_due(console)


def test_what_we_wrote_ourselves_holds_no_choice_and_is_passed_over(console: Desk) -> None:
    listening(console)

    assert deliver(console, None) == 200
    assert not is_due(console)


@pytest.mark.parametrize(
    "changed",
    [
        {"secret": "another"},
        {"sent": b'{"record":{"whopAction":"CANCEL_NOW"}}'},
        {"late": -301},
        {"late": 301},
        {"stamp": "yesterday"},
        {"stamp": ""},
        {"stamp": "9" * 15},
        {"signed": "ä"},
        {"workspace": "none"},
    ],
)
def test_what_is_not_signed_by_the_crm_is_refused(console: Desk, changed: dict[str, Any]) -> None:
    listening(console)

    assert deliver(console, **changed) == 401
    assert not is_due(console)


def test_nobody_is_believed_while_it_is_off(console: Desk) -> None:
    with console.door.parts.database.transaction() as session:
        sealed = console.door.parts.vault.seal(SECRET, bound_to=asking.binding(console.workspace.id))
        crm_requests.keep(session, console.workspace.id, due_at=NOON, since=None, secret_sealed=sealed)

    assert deliver(console) == 401


@pytest.mark.parametrize(("raw", "status"), [(b"no json", 400), (b"[1]", 200), (b'{"record":[]}', 200)])
def test_a_body_of_another_shape_does_no_harm(console: Desk, raw: bytes, status: int) -> None:
    listening(console)

    assert deliver(console, raw=raw) == status
    assert not is_due(console)


def test_the_page_says_how_it_stands_and_that_memberships_cannot_be_made(console: Desk) -> None:
    page = console.page("/automations")
    assert "Memberships cannot be made this way" in page
    assert "checkout link" in page
    assert "Twenty tells at once" not in page

    listening(console)
    assert "Twenty tells at once" in console.page("/automations")


def test_the_secret_opens_for_its_own_workspace_alone(console: Desk) -> None:
    listening(console)
    asks = console.door.parts.asks

    assert asking.secret_of(asks, console.workspace.id) == SECRET
    assert asking.secret_of(asks, "another") is None


def test_an_admin_chooses_who_may_ask(console: Desk) -> None:
    assert '<option value="anybody" selected>' in console.page("/automations")

    for who in ("people", "anybody"):
        assert send(console.browser, "/automations/twenty/who", at="/automations", who=who).status_code == 303
        assert f'<option value="{who}" selected>' in console.page("/automations")
        with console.door.parts.database.reading() as session:
            found = crm_requests.get(session, console.workspace.id)
            told = audit.shown(session, console.workspace.id, "nobody")[0]
        assert found is not None
        assert (found.only_people, found.since) == (who == "people", None)
        assert (told.what, told.about["who"]) == ("crm_requests_who", who)


def test_the_page_of_an_action_names_who_asked(console: Desk) -> None:
    ids = (console.workspace.id, console.connection.id)
    by = {"source": "MANUAL", "member": "m-1", "name": HOSTILE}
    facts = {"opportunity": "opp-1", "asked": "Pause", "by": by}
    new = NewAct(*ids, "crm", 0, "opportunity", "opp-1@1", None, iso(NOON), facts, NOON, [], "mem_1")
    with console.door.parts.database.transaction() as session:
        acts.add(session, [new], NOON)
        (one,) = acts.page(session, ids[0], ActFilter()).items

    page = console.page(f"/automations/acts/{one.id}")
    assert f'<dt>Asked by</dt><dd dir="auto">{escape(HOSTILE)}</dd>' in page
