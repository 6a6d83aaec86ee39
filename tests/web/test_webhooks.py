"""Deliveries at the door: what is believed is committed before the answer, what is not is counted."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import Queue
from time import sleep
from typing import Any

import pytest
from desk import Desk, a_connection, desk
from entering import NOON
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis
from sqlalchemy import Engine, text
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from connector.store import connections, hooks, inbox
from connector.store.db import Unavailable
from connector.store.hooks import HookSecret
from connector.store.inbox import InboxEvent
from connector.sync.hooking import secret_binding
from connector.web.intake import Intake, Together
from tests.sync.mutating import mutated_bodies

SECRET = "ws_0123456789abcdef"
APP_SECRET = "ws_of_the_app"
ODD: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=200)


@pytest.fixture
def at_desk(database_url: str, redis_url: str) -> Iterator[Desk]:
    with desk(database_url, redis_url) as opened:
        add_secret(opened)
        yield opened


def add_secret(at: Desk, plain: str = SECRET, *, scheme: str = "standard") -> str:
    one = at.connection
    sealed = at.door.parts.vault.seal(plain, bound_to=secret_binding(one.workspace_id, one.id))
    new = HookSecret(str(uuid.uuid4()), one.workspace_id, one.id, scheme, sealed, NOON)
    with at.door.parts.database.transaction() as session:
        hooks.add_secret(session, new)
    return new.id


def an_event(id_: str = "msg_1", **changed: Any) -> bytes:
    body = {
        "id": id_,
        "type": "membership.activated",
        "api_version": "v1",
        "api_version_date": "2026-10-15-1",
        "timestamp": "2026-11-20T11:59:58.000Z",
        "account_id": "biz_1",
        "data": {"id": "mem_1"},
    }
    return json.dumps({**body, **changed}).encode()


def signed(raw: bytes, id_: str = "msg_1", *, secret: str = SECRET, age: int = 0) -> dict[str, str]:
    time = str(int(NOON.timestamp()) - age)
    mac = hmac.new(secret.encode(), f"{id_}.{time}.".encode() + raw, hashlib.sha256).digest()
    return {
        "webhook-id": id_,
        "webhook-timestamp": time,
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
        "content-type": "application/json",
    }


def deliver(at: Desk, raw: bytes, headers: dict[str, str], path: str | None = None) -> TestResponse:
    path = path or f"/webhooks/whop/{at.connection.id}"
    answer = at.door.browser().post(path, data=raw, headers=headers)
    assert at.door.parts.bell.is_quiet()
    return answer


def kept(at: Desk, connection_id: str | None = None, workspace_id: str | None = None) -> list[InboxEvent]:
    ids = (workspace_id or at.workspace.id, connection_id or at.connection.id)
    with at.door.parts.database.reading() as session:
        return inbox.pending(session, *ids, at.door.clock(), 100)


def counted(at: Desk) -> dict[str, int]:
    with at.door.parts.database.reading() as session:
        found = hooks.refusals(session, at.workspace.id, at.connection.id, NOON.replace(hour=0))
    return {one.reason: one.count for one in found}


def rings(redis_url: str) -> int:
    with Redis.from_url(redis_url) as client:
        return int(client.llen("rq:queue:webhooks"))


def test_a_signed_event_is_kept_as_it_came(at_desk: Desk) -> None:
    raw = an_event()

    answer = deliver(at_desk, raw, signed(raw))

    assert answer.status_code == 200
    (event,) = kept(at_desk)
    assert (event.body, event.event_id, event.type) == (raw, "msg_1", "membership.activated")
    assert (event.dialect, event.scheme, event.received_at) == ("v1", "standard", NOON)


def test_the_same_event_again_is_taken_and_changes_nothing(at_desk: Desk) -> None:
    raw, later = an_event(), an_event(data={"id": "mem_2"})

    answers = [deliver(at_desk, one, signed(one)) for one in (raw, raw, later)]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert [event.body for event in kept(at_desk)] == [raw]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda raw, _: (raw[:-1] + b" ", signed(raw)), "wrong"),
        (lambda raw, _: (raw, signed(raw, secret="ws_other")), "wrong"),
        (lambda raw, _: (raw, signed(raw, age=301)), "stale"),
        (lambda raw, _: (raw, signed(raw, age=-301)), "stale"),
        (lambda raw, _: (raw, {}), "missing"),
        (lambda raw, given: (raw, {**given, "webhook-timestamp": "noon"}), "malformed"),
    ],
)
def test_what_is_not_believed_is_401_without_a_word_and_counted(
    at_desk: Desk, spoil: Any, reason: str
) -> None:
    raw = an_event()

    with capture_logs() as said:
        answer = deliver(at_desk, *spoil(raw, signed(raw)))

    assert (answer.status_code, answer.text) == (401, "")
    assert kept(at_desk) == []
    assert counted(at_desk) == {reason: 1}
    told = [(line["log_level"], line["reason"]) for line in said if line["event"] == "refused a webhook"]
    assert told == [("warning", reason)]


def test_an_event_of_another_company_is_refused_and_shown(at_desk: Desk) -> None:
    raw = an_event(account_id="biz_other")

    answer = deliver(at_desk, raw, signed(raw))

    assert (answer.status_code, kept(at_desk), counted(at_desk)) == (401, [], {"foreign": 1})


@pytest.mark.parametrize("raw", [b"not json", b"[" * 3_000, b"{}", b"[]"])
def test_signed_nonsense_is_400_and_counted(at_desk: Desk, raw: bytes) -> None:
    answer = deliver(at_desk, raw, signed(raw))

    assert (answer.status_code, kept(at_desk)) == (400, [])
    assert sum(counted(at_desk).values()) == 1


def test_an_unknown_address_is_refused_like_a_wrong_signature(at_desk: Desk) -> None:
    raw = an_event()

    answer = deliver(at_desk, raw, signed(raw), f"/webhooks/whop/{uuid.uuid4()}")

    assert (answer.status_code, answer.text) == (401, "")


def test_a_disconnected_connection_takes_nothing_an_expired_one_does(at_desk: Desk) -> None:
    raw, ids = an_event(), (at_desk.workspace.id, at_desk.connection.id)
    with at_desk.door.parts.database.transaction() as session:
        connections.mark(session, *ids, "expired")
    assert deliver(at_desk, raw, signed(raw)).status_code == 200

    with at_desk.door.parts.database.transaction() as session:
        connections.mark(session, *ids, "revoked")
    at_desk.door.clock.advance(seconds=3)

    assert deliver(at_desk, raw, signed(raw)).status_code == 401
    assert counted(at_desk) == {"disconnected": 1}


def test_a_body_of_ten_megabytes_is_not_read(at_desk: Desk) -> None:
    raw = b"x" * 10_000_000

    assert deliver(at_desk, raw, signed(raw)).status_code == 413
    assert (kept(at_desk), counted(at_desk)) == ([], {"too_large": 1})


def test_a_body_without_an_id_goes_by_the_id_that_was_signed(at_desk: Desk) -> None:
    raw = json.dumps({"type": "membership.updated", "data": {"id": "mem_1"}}).encode()

    answers = [deliver(at_desk, raw, signed(raw, "msg_signed")).status_code for _ in range(2)]

    assert answers == [200, 200]
    assert [event.event_id for event in kept(at_desk)] == ["msg_signed"]


def test_a_body_that_is_nested_deeply_is_kept_or_refused(at_desk: Desk) -> None:
    for depth, status in ((200, 200), (2_000, 400)):
        raw = b'{"type": "membership.updated", "data": ' + b'{"a": ' * depth + b"1" + b"}" * depth + b"}"

        assert deliver(at_desk, raw, signed(raw, f"msg_{depth}")).status_code == status

    assert [event.event_id for event in kept(at_desk)] == ["msg_200"]


def test_a_secret_that_was_taken_back_ends_within_seconds(at_desk: Desk) -> None:
    raw = an_event()
    ids = (at_desk.workspace.id, at_desk.connection.id)
    assert deliver(at_desk, raw, signed(raw)).status_code == 200
    with at_desk.door.parts.database.transaction() as session:
        (secret,) = hooks.secrets(session, *ids)
        assert hooks.drop_secret(session, *ids, secret.id) == 1

    at_desk.door.clock.advance(seconds=3)

    assert deliver(at_desk, raw, signed(raw)).status_code == 401


def test_a_newer_secret_lets_the_older_one_retire(at_desk: Desk) -> None:
    raw, ids = an_event(), (at_desk.workspace.id, at_desk.connection.id)
    newer = add_secret(at_desk, "ws_new")
    with at_desk.door.parts.database.transaction() as session:
        assert hooks.retire_others(session, *ids, newer, at=NOON.replace(minute=1)) == 1

    given = [signed(raw, secret=one) for one in (SECRET, "ws_new")]
    both = [deliver(at_desk, raw, one).status_code for one in given]
    at_desk.door.clock.advance(seconds=90)
    later = [deliver(at_desk, raw, one).status_code for one in given]

    assert (both, later) == ([200, 200], [401, 200])


def test_the_old_scheme_counts_only_where_a_secret_is_for_it(at_desk: Desk) -> None:
    raw = json.dumps(
        {"action": "membership.went_valid", "data": {"id": "mem_1", "page_id": "biz_1"}}
    ).encode()
    time = str(int(NOON.timestamp()))
    mac = hmac.new(SECRET.encode(), f"{time}.".encode() + raw, hashlib.sha256).hexdigest()
    given = {"X-Whop-Signature": f"t={time},v1={mac}"}
    assert deliver(at_desk, raw, given).status_code == 401

    add_secret(at_desk, scheme="legacy")
    at_desk.door.clock.advance(seconds=3)

    assert deliver(at_desk, raw, given).status_code == 200
    (event,) = kept(at_desk)
    assert (event.dialect, event.scheme) == ("v2", "legacy")
    assert event.event_id.startswith("sha256-")


def test_the_bell_is_rung_once_for_many(at_desk: Desk, redis_url: str) -> None:
    for number in range(3):
        raw = an_event(f"msg_{number}")
        deliver(at_desk, raw, signed(raw, f"msg_{number}"))
    assert rings(redis_url) == 1

    at_desk.door.parts.bell.heard("drain")
    raw = an_event("msg_9")
    deliver(at_desk, raw, signed(raw, "msg_9"))

    assert rings(redis_url) == 2


def test_events_are_taken_while_redis_is_down(database_url: str) -> None:
    with desk(database_url) as opened:
        add_secret(opened)
        raw = an_event()

        assert deliver(opened, raw, signed(raw)).status_code == 200
        assert len(kept(opened)) == 1
        assert deliver(opened, raw, {}).status_code == 401


def test_a_store_that_keeps_nothing_has_whop_deliver_again(at_desk: Desk) -> None:
    raw, database = an_event(), at_desk.door.parts.database
    with database.transaction() as session:
        session.execute(text("ALTER TABLE event_inbox RENAME TO lost"))
    answer = deliver(at_desk, raw, signed(raw))

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    with database.transaction() as session:
        session.execute(text("ALTER TABLE lost RENAME TO event_inbox"))
    assert kept(at_desk) == []
    assert deliver(at_desk, raw, signed(raw)).status_code == 200
    assert len(kept(at_desk)) == 1


def test_a_store_that_does_not_answer_has_whop_deliver_again(
    at_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = an_event()

    def down(*_: object, **__: object) -> None:
        raise Unavailable("no disk")

    monkeypatch.setattr(Engine, "connect", down)
    answer = deliver(at_desk, raw, signed(raw))

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    monkeypatch.undo()
    assert kept(at_desk) == []


def test_a_source_that_only_fails_is_told_to_wait_and_others_are_not(at_desk: Desk) -> None:
    codes = [deliver(at_desk, b"x", {}).status_code for _ in range(65)]
    raw = an_event()

    assert codes.count(401) == 60
    assert codes[-1] == 429
    assert deliver(at_desk, raw, signed(raw)).status_code == 200


# --- the app as a whole


@pytest.fixture
def app_desk(database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with desk(database_url, redis_url) as opened:
        settings = opened.door.parts.settings
        object.__setattr__(settings, "whop_webhook_secret", f"ws_older {APP_SECRET}")
        yield opened


def test_an_event_of_the_app_goes_to_every_workspace_that_has_the_company(app_desk: Desk) -> None:
    other = app_desk.door.add_workspace("Other")
    with app_desk.door.parts.database.transaction() as session:
        connections.add_or_revive(session, twin := a_connection(other.id))
    raw = an_event()

    answer = deliver(app_desk, raw, signed(raw, secret=APP_SECRET), "/api/whop/webhooks")

    assert answer.status_code == 200
    assert len(kept(app_desk)) == 1
    assert len(kept(app_desk, twin.id, other.id)) == 1


def test_an_event_of_a_company_that_is_not_connected_is_taken_and_not_kept(app_desk: Desk) -> None:
    raw = an_event(account_id="biz_elsewhere")

    answer = deliver(app_desk, raw, signed(raw, secret=APP_SECRET), "/api/whop/webhooks")

    assert (answer.status_code, kept(app_desk)) == (200, [])


def test_the_app_has_a_secret_of_its_own(app_desk: Desk) -> None:
    raw = an_event()

    assert deliver(app_desk, raw, signed(raw), "/api/whop/webhooks").status_code == 401


# --- one commit for many


class Commits:
    """The disk of a test: each commit ends when it is let go; it fails for the items in ``bad``."""

    def __init__(self) -> None:
        self.begun: Queue[list[int]] = Queue()
        self.bad: dict[int, BaseException] = {}
        self._ends: Queue[None] = Queue()
        self.together = Together[int](self._commit)

    def let_go(self) -> None:
        self._ends.put(None)

    def gather(self, number: int) -> None:
        """Wait until so many wait for the next commit."""
        while len(self.together._waiting) < number:
            sleep(0.001)

    def _commit(self, items: Sequence[int]) -> None:
        self.begun.put(sorted(items))
        self._ends.get(timeout=30)
        for item in items:
            if item in self.bad:
                raise self.bad[item]


@pytest.fixture
def commits() -> Commits:
    return Commits()


@pytest.fixture
def callers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as opened:
        yield opened


def test_those_who_wait_share_one_commit(commits: Commits, callers: ThreadPoolExecutor) -> None:
    told = [callers.submit(commits.together, 0)]
    assert commits.begun.get(timeout=30) == [0]
    told += [callers.submit(commits.together, number) for number in range(1, 6)]
    commits.gather(5)
    commits.let_go()

    assert commits.begun.get(timeout=30) == [1, 2, 3, 4, 5]
    assert told[0].result(30) is True
    assert not any(one.done() for one in told[1:])
    commits.let_go()
    assert [one.result(30) for one in told[1:]].count(True) == 1
    assert commits.begun.empty()


def test_who_is_committed_does_not_wait_for_the_next_commit(
    commits: Commits, callers: ThreadPoolExecutor
) -> None:
    callers.submit(commits.together, 0)
    commits.begun.get(timeout=30)
    told = [callers.submit(commits.together, number) for number in (1, 2, 3)]
    commits.gather(3)
    commits.let_go()
    commits.begun.get(timeout=30)
    later = callers.submit(commits.together, 4)
    commits.gather(1)
    commits.let_go()

    assert commits.begun.get(timeout=30) == [4]
    assert sum(one.result(30) for one in told) == 1
    assert not later.done()
    commits.let_go()
    assert later.result(30) is True


def test_a_commit_that_fails_fails_for_everybody_in_it_and_for_nobody_else(
    commits: Commits, callers: ThreadPoolExecutor
) -> None:
    commits.bad[2] = Unavailable("no disk")
    told = [callers.submit(commits.together, 0)]
    commits.begun.get(timeout=30)
    told += [callers.submit(commits.together, number) for number in (1, 2)]
    commits.gather(2)
    commits.let_go()
    commits.begun.get(timeout=30)
    told.append(callers.submit(commits.together, 3))
    commits.gather(1)
    commits.let_go()
    commits.let_go()

    found = [one.exception(30) for one in told]
    assert [type(one) for one in found] == [type(None), Unavailable, Unavailable, type(None)]


def test_a_commit_that_is_broken_off_counts_for_nobody(commits: Commits, callers: ThreadPoolExecutor) -> None:
    commits.bad[1] = SystemExit("the process is told to end")
    callers.submit(commits.together, 0)
    commits.begun.get(timeout=30)
    leads = callers.submit(commits.together, 1)
    commits.gather(1)
    follows = callers.submit(commits.together, 2)
    commits.gather(2)
    commits.let_go()
    commits.let_go()

    assert isinstance(leads.exception(30), SystemExit)
    assert isinstance(follows.exception(30), Unavailable)


def test_the_memory_of_invented_ids_is_bounded(at_desk: Desk) -> None:
    parts = at_desk.door.parts
    intake = Intake(parts.database, parts.vault, parts.tools.clock)

    for number in range(1_050):
        assert intake.known(f"invented-{number}") is None

    assert len(intake._known) < 1_000


def test_nobody_rings_while_a_job_looks_by_itself(at_desk: Desk, redis_url: str) -> None:
    bell = at_desk.door.parts.bell
    bell.attended("drain")
    raw = an_event()

    assert deliver(at_desk, raw, signed(raw)).status_code == 200
    assert rings(redis_url) == 0
    bell.heard("drain")

    assert deliver(at_desk, an_event("msg_2"), signed(an_event("msg_2"), "msg_2")).status_code == 200
    assert rings(redis_url) == 1


# --- whatever comes


@given(st.binary(max_size=300), st.booleans())
@settings(max_examples=40, derandomize=True, suppress_health_check=list(HealthCheck))
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_random_bytes_are_refused_with_the_right_status(at_desk: Desk, raw: bytes, right: bool) -> None:
    before = len(kept(at_desk))

    answer = deliver(at_desk, raw, signed(raw, secret=SECRET if right else "ws_other"))

    assert answer.status_code in ((400,) if right else (401, 429))
    assert len(kept(at_desk)) == before


@given(st.dictionaries(st.sampled_from(["id", "type", "account_id", "timestamp", "data", "action"]), ODD))
@settings(max_examples=40, derandomize=True, suppress_health_check=list(HealthCheck))
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_signed_body_of_any_shape_is_kept_or_refused_and_breaks_nothing(at_desk: Desk, odd: Any) -> None:
    raw, id_ = an_event(**odd), uuid.uuid4().hex

    assert deliver(at_desk, raw, signed(raw, id_)).status_code in (200, 400, 401, 429)


@given(mutated_bodies())
@settings(max_examples=40, derandomize=True, suppress_health_check=list(HealthCheck))
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_real_body_with_anything_changed_is_kept_as_it_came_or_refused(at_desk: Desk, raw: bytes) -> None:
    id_, before = uuid.uuid4().hex, len(kept(at_desk))

    status = deliver(at_desk, raw, signed(raw, id_)).status_code

    assert status in (200, 400, 401, 429)
    new = kept(at_desk)[before:]
    assert [(event.event_id, event.body) for event in new] == ([(id_, raw)] if status == 200 else [])


@given(st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), HEADER))
@settings(max_examples=40, derandomize=True, suppress_health_check=list(HealthCheck))
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_headers_of_any_shape_are_refused(at_desk: Desk, odd: dict[str, str]) -> None:
    raw = an_event()

    answer = deliver(at_desk, raw, {**signed(raw, secret="ws_other"), **odd})

    assert answer.status_code in (401, 429)
    assert kept(at_desk) == []
